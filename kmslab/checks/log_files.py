"""Log files: CloudTrail delivers them encrypted for the auditor, and signed digests prove them unchanged.

CloudTrail User Guide, "Custom implementations of CloudTrail log file integrity validation": what the AWS CLI
does with ``cloudtrail validate-logs`` is done here with a standard library, from the objects in the bucket.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.history import BETWEEN_LOOKS, HISTORY_SECONDS, context_of
from kmslab.checks.registry import check
from kmslab.checks.shared import asked_once, read_once
from kmslab.lab import Failed, Inconclusive
from kmslab.model.capability import Capability
from kmslab.model.evidence import code_of
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kmslab.lab import Lab

GUIDE = "12-audit"
DELIVERED = frozenset({Capability.LOG_FILES})
OTHERS = (Persona.DATA_OWNER, Persona.STORAGE_OPERATOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)
FILES = 5
"""Log files of one digest that are hashed; a busy hour has hundreds."""
MEMBERS = frozenset(
    {
        *("digestStartTime", "digestEndTime", "digestS3Bucket", "digestS3Object", "logFiles"),
        *("digestPublicKeyFingerprint", "previousDigestS3Object", "previousDigestHashValue"),
        "previousDigestSignature",
    }
)
"""What is read of a digest; CloudTrail always says it, though it may be null."""
CHAIN = 24
"""Digests that are looked back through: a day."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest file as it lies in the bucket.

    Attributes:
        key: the object's key.
        content: the file, unpacked.
        signature: hexadecimal, from the object's metadata.
    """

    key: str
    content: bytes
    signature: str

    @property
    def says(self) -> dict[str, Any]:
        """What it says, as CloudTrail names it: ``logFiles``, ``previousDigestSignature``.

        Raises:
            Failed: it is not a digest of CloudTrail's.
        """
        try:
            found = json.loads(self.content)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not found.keys() >= MEMBERS:
            raise Failed(f"{self.key} is no digest of CloudTrail's")
        return found

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        says, hashed = self.says, hashlib.sha256(self.content).hexdigest()
        place = f"{says['digestS3Bucket']}/{says['digestS3Object']}"
        previous = says["previousDigestSignature"] or "null"
        return "\n".join((says["digestEndTime"], place, hashed, previous)).encode()


@check(guide=GUIDE, needs=DELIVERED, controls=("CloudTrail.2",))
def only_the_auditor_reads_them(lab: Lab) -> str:
    """Log files arrive under the trail's key, and only the auditor opens them.

    Whoever attacks a lab wants to know what was seen of it. The operator, an administrator who may do
    everything in S3, is refused by the key (kms:Decrypt); the others are refused as well.
    """
    log_file = _newest_log_file(lab)["s3Object"]
    head = lab.read("s3:HeadObject", Bucket=lab.outputs.trail_bucket, Key=log_file)
    kind, key = head.get("ServerSideEncryption", "nothing"), head.get("SSEKMSKeyId", "no key")
    lab.expect((kind, key) == ("aws:kms", lab.outputs.key_trail), f"the log file is under {kind}, {key}")
    where = {"Bucket": lab.outputs.trail_bucket, "Key": log_file}
    body = lab.allowed(Persona.AUDITOR, "s3:GetObject", **where)["Body"].read()
    lab.expect(json.loads(gzip.decompress(body)).get("Records"), "the log file holds no records")
    lab.refused(Persona.OPERATOR, "s3:GetObject", by="kms:Decrypt", **where)
    for persona in OTHERS:
        lab.refused(persona, "s3:GetObject", **where)
    return f"the auditor opens a log file; the operator and {len(OTHERS)} others do not"


@check(guide=GUIDE, needs=DELIVERED | {Capability.KMS_TRAIL})
def what_was_done_is_in_them(lab: Lab) -> str:
    """A use of a key is found in the delivered log files, with who and which key.

    The event history ends after 90 days and is not yours to keep; log files are. The data owner
    encrypts, and the auditor reads the event in the bucket, with its encryption context.
    """
    context = {**ENCRYPTION_CONTEXT, "probe": uuid4().hex}
    status = _status(lab)
    lab.expect(status.get("IsLogging"), "the trail is not logging: nothing more will be delivered")
    known = {one["Key"] for one in _listed(lab, "CloudTrail", _delivered(lab, status))}
    request: dict[str, Any] = {"KeyId": lab.outputs.key_app, "EncryptionContext": context}
    lab.allowed(Persona.DATA_OWNER, "kms:Encrypt", Plaintext=b"tea", **request)
    kind = lab.access.target.kind

    def found() -> Any:
        for one in _listed(lab, "CloudTrail", _delivered(lab, _status(lab))):
            if one["Key"] not in known:
                known.add(one["Key"])
                for event in json.loads(_read(lab, one["Key"])[0])["Records"]:
                    if event["eventName"] == "Encrypt" and context_of(event) == context:
                        return event
        lab.access.stopping.wait(BETWEEN_LOOKS[kind])
        return None

    event = lab.wait_until(found, "the Encrypt event in a log file", seconds=HISTORY_SECONDS[kind])
    who = event["userIdentity"].get("arn", "nobody")
    lab.expect(f"-{Persona.DATA_OWNER}/" in who, f"the event names {who}, not the data owner")
    keys = {one.get("ARN") for one in event.get("resources") or []}
    lab.expect(lab.outputs.key_app in keys, f"the event names {', '.join(map(str, keys)) or 'no key'}")
    return "the Encrypt event is in a delivered log file, with the data owner and the key"


@check(
    guide=GUIDE,
    needs=DELIVERED,
    controls=("CloudTrail.4", "prowler:cloudtrail_log_file_validation_enabled"),
)
def a_digest_proves_them_unchanged(lab: Lab) -> str:
    """The newest digest is signed by CloudTrail, and the log files are those that it lists.

    Verified outside AWS with CloudTrail's public key: the signature over the digest, and the SHA-256 of
    each log file that it names. One changed byte in either is noticed.
    """
    digest = next(_digests(lab))
    says = digest.says
    public = _public_key(lab, says)
    lab.expect(_verifies(public, digest.signature, digest.signed), "the digest's signature does not verify")
    changed = digest.signed.replace(b"/", b"_", 1)
    lab.expect(
        not _verifies(public, digest.signature, changed), "the signature verifies for a changed digest"
    )
    place = (says["digestS3Bucket"], says["digestS3Object"])
    lab.expect(place == (lab.outputs.trail_bucket, digest.key), f"the digest was made for {'/'.join(place)}")
    files = says["logFiles"][-FILES:]
    for one in files:
        content = _read(lab, one["s3Object"])[0]
        lab.expect(
            hashlib.sha256(content).hexdigest() == one["hashValue"],
            f"the log file {one['s3Object']} is not the one that was delivered",
        )
        other = hashlib.sha256(content + b" ").hexdigest()
        lab.expect(other != one["hashValue"], "a changed log file has the same hash")
    lab.note("SHA256withRSA", f"signature of {digest.key.rpartition('/')[2]} verified outside AWS")
    return f"the digest's signature and the hashes of {len(files)} log files verify outside AWS"


@check(guide=GUIDE, needs=DELIVERED)
def the_digests_have_no_gap(lab: Lab) -> str:
    """Each digest names the one before it, with its hash and signature: none is missing or changed.

    Who removes a log file must change its digest; who changes a digest breaks the next one; and who
    removes both leaves a gap. The chain is followed back through a day, or to where it begins.
    """
    digest = next(_digests(lab))
    followed = 1
    while followed < CHAIN and (key := digest.says["previousDigestS3Object"]):
        says = digest.says
        try:
            content, metadata = _digest(lab, key)
        except Inconclusive as unclear:
            lab.expect(code_of(unclear.__cause__) != "NoSuchKey", f"the digest {key} is gone")
            raise
        hashed = hashlib.sha256(content).hexdigest()
        lab.expect(hashed == says["previousDigestHashValue"], f"the digest {key} was changed")
        signature = metadata.get("signature", "")
        lab.expect(signature == says["previousDigestSignature"], f"the signature of {key} was changed")
        digest = Digest(key, content, signature)
        end, start = digest.says["digestEndTime"], says["digestStartTime"]
        lab.expect(end == start, f"between {end} and {start} nothing is covered by a digest")
        followed += 1
    return f"digests followed back: {followed}, none missing and none changed"


def _status(lab: Lab) -> dict[str, Any]:
    """The trail's status as it is now."""
    status: dict[str, Any] = lab.read("cloudtrail:GetTrailStatus", Name=lab.outputs.trail)
    return status


def _delivered(lab: Lab, status: dict[str, Any]) -> datetime:
    """When CloudTrail delivered last, by a status of the trail; FAIL if it could not.

    Raises:
        Inconclusive: nothing was delivered yet.
    """
    lab.expect(
        not status.get("LatestDeliveryError"), f"nothing is delivered: {status.get('LatestDeliveryError')}"
    )
    if "LatestDeliveryTime" not in status:
        raise Inconclusive("the trail has not delivered yet: the first log files take some minutes")
    when: datetime = status["LatestDeliveryTime"]
    return when


def _listed(lab: Lab, kind: str, since: datetime) -> list[dict[str, Any]]:
    """Files of the trail's Region of the day of a delivery and the one before, oldest first."""
    base = f"AWSLogs/{lab.account}/{kind}/{lab.region}/"
    after = f"{base}{since - timedelta(days=1):%Y/%m/%d}"
    request: dict[str, Any] = {"Bucket": lab.outputs.trail_bucket, "Prefix": base, "StartAfter": after}
    found: list[dict[str, Any]] = []
    while True:
        page = lab.read("s3:ListObjectsV2", **request)
        found += page.get("Contents", [])
        if not page.get("NextContinuationToken"):
            return found
        request["ContinuationToken"] = page["NextContinuationToken"]


def _digests(lab: Lab) -> Iterator[Digest]:
    """The latest digests, newest first; several checks look at them, and none of a run looks for newer ones.

    Raises:
        Inconclusive: there is none yet.
    """
    where = {"Bucket": lab.outputs.trail_bucket, "Prefix": f"AWSLogs/{lab.account}/CloudTrail-Digest/"}
    keys = asked_once(lab, Persona.AUDITOR, "s3:ListObjectsV2", partial(_digest_keys, lab), **where)
    for key in keys[:CHAIN]:
        content, metadata = _digest(lab, key)
        yield Digest(key, content, metadata.get("signature", ""))


def _digest_keys(lab: Lab) -> list[str]:
    status = read_once(lab, "cloudtrail:GetTrailStatus", Name=lab.outputs.trail)
    keys = [one["Key"] for one in _listed(lab, "CloudTrail-Digest", _delivered(lab, status))]
    if not keys:
        raise Inconclusive("there is no digest yet: the first comes an hour after the trail began to log")
    return sorted(keys, reverse=True)


def _digest(lab: Lab, key: str) -> tuple[bytes, dict[str, str]]:
    """A digest and its object's metadata; no check changes one."""
    where = {"Bucket": lab.outputs.trail_bucket, "Key": key}
    return asked_once(lab, Persona.AUDITOR, "s3:GetObject", partial(_read, lab, key), **where)


def _newest_log_file(lab: Lab) -> dict[str, Any]:
    """The entry of a digest for the newest log file.

    Raises:
        Inconclusive: no digest of the last day names one.
    """
    for digest in _digests(lab):
        if files := digest.says["logFiles"]:
            newest: dict[str, Any] = files[-1]
            return newest
    raise Inconclusive("no digest of the last day names a log file")


def _read(lab: Lab, key: str) -> tuple[bytes, dict[str, str]]:
    """A delivered file, unpacked, and its object's metadata, as the auditor reads it."""
    answer = lab.read("s3:GetObject", Bucket=lab.outputs.trail_bucket, Key=key)
    return gzip.decompress(answer["Body"].read()), answer.get("Metadata", {})


def _public_key(lab: Lab, says: dict[str, Any]) -> bytes:
    """The public key that the digest names, in DER (PKCS #1); it is no secret, and the operator may ask."""
    action, times = "cloudtrail:ListPublicKeys", (says["digestStartTime"], says["digestEndTime"])
    listed = lab.read(action, persona=Persona.OPERATOR, StartTime=times[0], EndTime=times[1])["PublicKeyList"]
    wanted = says["digestPublicKeyFingerprint"]
    found = [one["Value"] for one in listed if one["Fingerprint"] == wanted]
    lab.expect(found, f"CloudTrail knows no key with the fingerprint {wanted}")
    return bytes(found[0])


def _verifies(public: bytes, signature: str, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = load_der_public_key(public)
    if not isinstance(key, RSAPublicKey):
        raise Inconclusive("CloudTrail's public key is not an RSA key")
    try:
        key.verify(bytes.fromhex(signature), data, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
