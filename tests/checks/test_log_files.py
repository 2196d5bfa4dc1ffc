from __future__ import annotations

import gzip
import hashlib
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from kmslab.checks import history, log_files
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, Refusal, Request, World, judge
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

AUDITOR, OPERATOR, OWNER = Persona.AUDITOR, Persona.OPERATOR, Persona.DATA_OWNER
TODAY = datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC)
BUCKET = OUTPUTS.trail_bucket
SIGNER = rsa.generate_private_key(65537, 2048)
PUBLIC = SIGNER.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
FINGERPRINT = hashlib.md5(PUBLIC, usedforsecurity=False).hexdigest()


class GoodWorld(World):
    """A world in which every check of log files passes.

    Attributes:
        objects: the trail's bucket: content, unpacked, and metadata of each object.
        happened: what is delivered when the status is asked for next.
        status: changes of the trail's status.
        deliver: whether CloudTrail delivers at all.
        end: of the latest digest, as an hour of the day.
    """

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.happened: list[dict[str, Any]] = [event("ListKeys", {})]
        self.status: dict[str, Any] = {}
        self.deliver = True
        self.end = 0
        self.latest: dict[str, Any] = {}
        self.answers("cloudtrail:GetTrailStatus", self.get_status)
        self.answers(
            "cloudtrail:ListPublicKeys", {"PublicKeyList": [{"Value": PUBLIC, "Fingerprint": FINGERPRINT}]}
        )
        self.answers("s3:ListObjectsV2", self.list_objects)
        self.answers("s3:GetObject", self.get_object)
        self.answers("s3:HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": OUTPUTS.key_trail})
        self.answers("kms:Encrypt", self.encrypt)
        self.refuses("s3:GetObject", OPERATOR, code="AccessDenied", message="may not kms:Decrypt")
        self.refuses("s3:GetObject", *log_files.OTHERS, code="AccessDenied")
        for _ in range(2):
            self.new_files()

    def encrypt(self, request: Request) -> dict[str, Any]:
        self.happened.append(event("Encrypt", request["EncryptionContext"]))
        return {"CiphertextBlob": b"x"}

    def get_status(self, _: Request) -> dict[str, Any]:
        if self.happened and self.deliver:
            self.new_files()
        return {"IsLogging": True, "LatestDeliveryTime": TODAY, **self.status}

    def new_files(self) -> None:
        """Deliver a log file and a digest that names it."""
        self.end += 1
        day = f"{REGION}/2026/11/22"
        log_file = f"AWSLogs/{ACCOUNT}/CloudTrail/{day}/{ACCOUNT}_CloudTrail_{REGION}_{self.end:02}.json.gz"
        content = json.dumps({"Records": self.happened or [event("ListKeys", {})]}).encode()
        self.objects[log_file] = (content, {})
        self.happened = []
        key = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{day}/{ACCOUNT}_CloudTrail-Digest_{self.end:02}.json.gz"
        says = {
            "digestStartTime": f"2026-11-22T{self.end - 1:02}:00:00Z",
            "digestEndTime": f"2026-11-22T{self.end:02}:00:00Z",
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "previousDigestS3Object": self.latest.get("object"),
            "previousDigestHashValue": self.latest.get("hash"),
            "previousDigestSignature": self.latest.get("signature"),
            "logFiles": [{"s3Object": log_file, "hashValue": hashlib.sha256(content).hexdigest()}],
        }
        self.put_digest(key, says)

    def put_digest(self, key: str, says: dict[str, Any]) -> None:
        content = json.dumps(says).encode()
        hashed = hashlib.sha256(content).hexdigest()
        previous = says["previousDigestSignature"] or "null"
        place = f"{says['digestS3Bucket']}/{says['digestS3Object']}"
        signed = f"{says['digestEndTime']}\n{place}\n{hashed}\n{previous}".encode()
        signature = SIGNER.sign(signed, PKCS1v15(), SHA256()).hex()
        self.objects[key] = (content, {"signature": signature})
        self.latest = {"object": key, "hash": hashed, "signature": signature}

    def list_objects(self, request: Request) -> dict[str, Any]:
        """Pages of two."""
        after = request.get("ContinuationToken", request["StartAfter"])
        assert request["StartAfter"].endswith("/2026/11/21")
        keys = [key for key in sorted(self.objects) if key.startswith(request["Prefix"]) and key > after]
        more = {"NextContinuationToken": keys[1]} if len(keys) > 2 else {}
        return {"Contents": [{"Key": key} for key in keys[:2]], **more}

    def get_object(self, request: Request) -> dict[str, Any]:
        if request["Key"] not in self.objects:
            raise Refusal("NoSuchKey", "The specified key does not exist.", 404)
        content, metadata = self.objects[request["Key"]]
        return {"Body": io.BytesIO(gzip.compress(content)), "Metadata": metadata}

    def files(self, kind: str) -> list[str]:
        return sorted(key for key in self.objects if f"/{kind}/" in key)


def event(name: str, context: dict[str, str]) -> dict[str, Any]:
    return {
        "eventName": name,
        "userIdentity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{PREFIX}-data-owner/kmslab"},
        "requestParameters": {"encryptionContext": context},
        "resources": [{"ARN": OUTPUTS.key_app}],
    }


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(history.HISTORY_SECONDS, TargetKind.LOCAL, 0.0)


def good(world: World) -> GoodWorld:
    assert isinstance(world, GoodWorld)
    return world


def status(**changes: Any) -> Callable[[World], object]:
    return lambda world: good(world).status.update(changes)


def never_delivered(world: World) -> None:
    world.answers("cloudtrail:GetTrailStatus", {"IsLogging": True})


def not_validated(world: World) -> None:
    for key in good(world).files("CloudTrail-Digest"):
        del good(world).objects[key]
    good(world).deliver = False


def changed(kind: str, which: int) -> Callable[[World], object]:
    """Somebody changed a byte of a delivered file."""

    def how(world: World) -> None:
        good(world).get_status(Request(AUDITOR, "", {}))
        key = good(world).files(kind)[which]
        content, metadata = good(world).objects[key]
        good(world).objects[key] = (content.replace(b"ListKeys", b"ListKEYS").replace(b"T0", b"T1"), metadata)

    return how


def garbage(world: World) -> None:
    """Somebody wrote something else in the place of the newest digest."""
    good(world).get_status(Request(AUDITOR, "", {}))
    good(world).objects[good(world).files("CloudTrail-Digest")[-1]] = (b"{}", {"signature": "00"})


def removed(which: int) -> Callable[[World], object]:
    """Somebody removed a digest."""

    def how(world: World) -> None:
        good(world).get_status(Request(AUDITOR, "", {}))
        del good(world).objects[good(world).files("CloudTrail-Digest")[which]]

    return how


def signed_anew(world: World) -> None:
    """Somebody put another signature beside a digest."""
    good(world).get_status(Request(AUDITOR, "", {}))
    key = good(world).files("CloudTrail-Digest")[0]
    good(world).objects[key] = (good(world).objects[key][0], {"signature": "00"})


def newest(**changes: Any) -> Callable[[World], object]:
    """The newest digest says something else, and is signed by CloudTrail all the same."""

    def how(world: World) -> None:
        good(world).get_status(Request(AUDITOR, "", {}))
        key = good(world).files("CloudTrail-Digest")[-1]
        says = {**json.loads(good(world).objects[key][0]), **changes}
        good(world).put_digest(key, says)

    return how


def records_without(**changes: Any) -> Callable[[World], object]:
    """Uses of a key are recorded otherwise."""

    def how(world: World) -> None:
        def encrypt(request: Request) -> dict[str, Any]:
            good(world).happened.append({**event("Encrypt", request["EncryptionContext"]), **changes})
            return {}

        world.answers("kms:Encrypt", encrypt)

    return how


def opens(*personas: Persona) -> Callable[[World], object]:
    return lambda world: world.answers("s3:GetObject", good(world).get_object, *personas)


def head(**changes: Any) -> Callable[[World], object]:
    return lambda world: world.answers("s3:HeadObject", {"ServerSideEncryption": "aws:kms", **changes})


def empty(world: World) -> None:
    good(world).get_status(Request(AUDITOR, "", {}))
    key = good(world).files("CloudTrail")[-1]
    good(world).objects[key] = (b'{"Records": []}', {})


READ, DONE = "log-files.only-the-auditor-reads-them", "log-files.what-was-done-is-in-them"
PROOF, CHAIN = "log-files.a-digest-proves-them-unchanged", "log-files.the-digests-have-no-gap"
STRANGER = {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{PREFIX}-auditor/kmslab"}
BROKEN = [
    Broken(READ, opens(OPERATOR), "operator could call s3:GetObject"),
    Broken(READ, opens(OWNER), "data-owner could call s3:GetObject"),
    Broken(READ, head(SSEKMSKeyId=OUTPUTS.key_s3), f"under aws:kms, {OUTPUTS.key_s3}"),
    Broken(READ, head(ServerSideEncryption="AES256"), "under AES256, no key"),
    Broken(READ, empty, "holds no records"),
    Broken(READ, status(LatestDeliveryError="AccessDenied"), "nothing is delivered: AccessDenied"),
    Broken(READ, never_delivered, "has not delivered yet", Outcome.ERROR),
    Broken(DONE, records_without(userIdentity=STRANGER), "not the data owner"),
    Broken(DONE, records_without(resources=[]), "no key"),
    Broken(DONE, status(IsLogging=False), "the trail is not logging"),
    Broken(DONE, records_without(eventName="Decrypt"), "did not happen", Outcome.ERROR),
    Broken(PROOF, changed("CloudTrail", -1), "is not the one that was delivered"),
    Broken(PROOF, changed("CloudTrail-Digest", -1), "signature does not verify"),
    Broken(PROOF, garbage, "is no digest of CloudTrail's"),
    Broken(PROOF, newest(digestS3Bucket="another"), "the digest was made for another/"),
    Broken(PROOF, newest(digestPublicKeyFingerprint="0"), "no key with the fingerprint 0"),
    Broken(PROOF, not_validated, "there is no digest yet", Outcome.ERROR),
    Broken(CHAIN, removed(0), "is gone"),
    Broken(CHAIN, changed("CloudTrail-Digest", 0), "was changed"),
    Broken(CHAIN, signed_anew, "the signature of"),
    Broken(CHAIN, newest(digestStartTime="2026-11-22T09:00:00Z"), "nothing is covered by a digest"),
]


def test_the_chain_is_followed_to_where_it_begins() -> None:
    world = GoodWorld()
    verdict = judge(CHAIN, world)
    assert f"digests followed back: {len(world.files('CloudTrail-Digest'))}," in verdict.summary


def test_the_chain_is_followed_no_further_than_a_day() -> None:
    world = GoodWorld()
    for _ in range(30):
        world.new_files()
    assert f"digests followed back: {log_files.CHAIN}," in judge(CHAIN, world).summary
