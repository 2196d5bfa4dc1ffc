"""Log files and digests: what is delivered, to whom it opens, and that digests verify as AWS documents."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.engine.conftest import allow, policy, principal_allow, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine, Principal

CLOUDTRAIL = {"Service": "cloudtrail.amazonaws.com"}


class Trail:
    """A trail of the test's own, with its bucket and its key."""

    def __init__(self, engine: Engine, *, validated: bool = True) -> None:
        self.engine = engine
        self.name = f"trail-{uuid.uuid4().hex[:12]}"
        self.arn = f"arn:aws:cloudtrail:{engine.region}:{engine.account}:trail/{self.name}"
        self.bucket = f"bucket-{uuid.uuid4().hex[:16]}"
        self.key = engine.key(engine.account_statement(), self._seals())
        self.reader = engine.role(allow("s3:*"), allow("kms:Decrypt"))
        engine.client("s3").create_bucket(Bucket=self.bucket)
        self.let_in()
        self.trails = engine.client("cloudtrail")
        self.trails.create_trail(
            Name=self.name,
            S3BucketName=self.bucket,
            KmsKeyId=self.key,
            IsMultiRegionTrail=True,
            EnableLogFileValidation=validated,
        )
        self.trails.start_logging(Name=self.name)

    def _seals(self) -> dict[str, Any]:
        source = {"StringEquals": {"aws:SourceArn": self.arn}}
        return {
            "Effect": "Allow",
            "Principal": CLOUDTRAIL,
            "Action": "kms:GenerateDataKey*",
            "Resource": "*",
            "Condition": source,
        }

    def let_in(self) -> None:
        """Let CloudTrail write into the bucket."""
        base = {
            "Effect": "Allow",
            "Principal": CLOUDTRAIL,
            "Condition": {"StringEquals": {"aws:SourceArn": self.arn}},
        }
        objects = f"arn:aws:s3:::{self.bucket}/AWSLogs/{self.engine.account}/*"
        document = policy(
            {**base, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{self.bucket}"},
            {**base, "Action": "s3:PutObject", "Resource": objects},
        )
        self.engine.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=document)

    def status(self) -> dict[str, Any]:
        return dict(self.trails.get_trail_status(Name=self.name))

    def keys(self, kind: str, region: str | None = None) -> list[str]:
        """Files of the trail's own Region, or of another; of all with an empty name."""
        region = self.engine.region if region is None else region
        prefix = f"AWSLogs/{self.engine.account}/{kind}/{region and f'{region}/'}"
        listed = self.engine.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", [])]

    def read(self, key: str) -> tuple[bytes, dict[str, str]]:
        answer = self.engine.client("s3", self.reader).get_object(Bucket=self.bucket, Key=key)
        return gzip.decompress(answer["Body"].read()), answer["Metadata"]

    def records(self) -> list[dict[str, Any]]:
        """Everything that was delivered."""
        return [
            event for key in self.keys("CloudTrail") for event in json.loads(self.read(key)[0])["Records"]
        ]

    def digests(self) -> list[tuple[dict[str, Any], bytes, str]]:
        """Each digest as it is, as bytes, and its signature; the oldest first."""
        found = [self.read(key) for key in sorted(self.keys("CloudTrail-Digest"))]
        return [(json.loads(content), content, metadata["signature"]) for content, metadata in found]


@pytest.fixture
def trail(engine: Engine) -> Iterator[Trail]:
    made = Trail(engine)
    yield made
    made.trails.delete_trail(Name=made.name)


def used(engine: Engine) -> str:
    """Use a key of one's own; returns its ARN."""
    key = engine.key(engine.account_statement())
    engine.client("kms").encrypt(KeyId=key, Plaintext=b"tea")
    return key


def of(records: list[dict[str, Any]], key: str, name: str) -> list[dict[str, Any]]:
    return [
        one
        for one in records
        if one["eventName"] == name and key in {each["ARN"] for each in one.get("resources") or []}
    ]


def verifies(engine: Engine, digest: tuple[dict[str, Any], bytes, str]) -> bool:
    """As the AWS CLI's ``validate-logs`` does it."""
    says, content, signature = digest
    listed = engine.client("cloudtrail").list_public_keys()["PublicKeyList"]
    (public,) = [one["Value"] for one in listed if one["Fingerprint"] == says["digestPublicKeyFingerprint"]]
    hashed = hashlib.sha256(content).hexdigest()
    place = f"{says['digestS3Bucket']}/{says['digestS3Object']}"
    signed = f"{says['digestEndTime']}\n{place}\n{hashed}\n{says['previousDigestSignature'] or 'null'}"
    key: Any = load_der_public_key(public)
    try:
        key.verify(bytes.fromhex(signature), signed.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def test_what_was_done_is_delivered_once(engine: Engine, trail: Trail) -> None:
    key = used(engine)
    assert {"LatestDeliveryTime", "LatestDigestDeliveryTime"} <= trail.status().keys()
    trail.status()
    (event,) = of(trail.records(), key, "Encrypt")
    assert event["userIdentity"]["arn"]


def test_files_are_named_as_aws_names_them(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    (log_file,) = trail.keys("CloudTrail")
    parts = log_file.split("/")
    assert parts[:2] == ["AWSLogs", engine.account]
    account, kind, region, when, unique = parts[-1].removesuffix(".json.gz").split("_")
    assert (account, kind, region) == (engine.account, "CloudTrail", engine.region)
    assert when.startswith("".join(parts[4:7]))
    assert len(unique) == 16
    (digest,) = trail.keys("CloudTrail-Digest")
    name = f"{engine.account}_CloudTrail-Digest_{engine.region}_{trail.name}_{engine.region}_"
    assert digest.rpartition("/")[2].startswith(name)


def test_files_are_under_the_trails_key_with_the_trail_in_their_context(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    (log_file,) = trail.keys("CloudTrail")
    head = engine.client("s3").head_object(Bucket=trail.bucket, Key=log_file)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", trail.key)

    def reader(arn: str) -> Principal:
        bound = {"StringEquals": {"kms:EncryptionContext:aws:cloudtrail:arn": arn}}
        return engine.role(allow("s3:*"), allow("kms:Decrypt", Condition=bound))

    engine.client("s3", reader(trail.arn)).get_object(Bucket=trail.bucket, Key=log_file)
    with refused("AccessDenied", "kms:Decrypt"):
        engine.client("s3", reader("another")).get_object(Bucket=trail.bucket, Key=log_file)


def test_without_a_key_files_are_under_sse_s3_whatever_the_buckets_default(
    engine: Engine, trail: Trail
) -> None:
    s3, rule = engine.client("s3"), {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": trail.key}
    s3.put_bucket_encryption(
        Bucket=trail.bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    trail.trails.update_trail(Name=trail.name, KmsKeyId="")
    used(engine)
    trail.status()
    (log_file,) = trail.keys("CloudTrail")
    head = s3.head_object(Bucket=trail.bucket, Key=log_file)
    assert head["ServerSideEncryption"] == "AES256"


def test_digests_are_signed_and_form_a_chain(engine: Engine, trail: Trail) -> None:
    for _ in range(2):
        used(engine)
        trail.status()
    first, second = trail.digests()
    assert verifies(engine, first)
    assert verifies(engine, second)
    assert first[0]["previousDigestSignature"] is None
    assert second[0]["previousDigestS3Object"] == first[0]["digestS3Object"]
    assert second[0]["previousDigestSignature"] == first[2]
    assert second[0]["previousDigestHashValue"] == hashlib.sha256(first[1]).hexdigest()
    assert second[0]["digestStartTime"] == first[0]["digestEndTime"]


def test_who_asks_for_the_keys_finds_digests_to_validate(engine: Engine, trail: Trail) -> None:
    used(engine)
    (key,) = trail.trails.list_public_keys()["PublicKeyList"]
    ((says, _, _),) = trail.digests()
    assert says["digestPublicKeyFingerprint"] == key["Fingerprint"]
    elsewhere = engine.client("cloudtrail", region="ap-south-1")
    assert len(elsewhere.list_public_keys()["PublicKeyList"]) == 1


def test_a_chain_that_begins_anew_replaces_no_digest(engine: Engine, trail: Trail) -> None:
    """Ends run ahead of the clock where the status is asked often; a name holds its digest's end."""
    for _ in range(8):
        used(engine)
        trail.status()
    before = trail.digests()
    assert len(before) == 8
    for validated in (False, True):
        trail.trails.update_trail(Name=trail.name, EnableLogFileValidation=validated)
        used(engine)
        trail.status()
    assert trail.digests()[:8] == before
    (newest,) = trail.digests()[8:]
    assert newest[0]["previousDigestS3Object"] is None


def test_a_changed_digest_does_not_verify(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    ((says, content, signature),) = trail.digests()
    assert not verifies(engine, (says, content + b" ", signature))


def test_a_digest_hashes_the_log_files(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    ((says, _, _),) = trail.digests()
    hashes = {one["s3Object"]: one["hashValue"] for one in says["logFiles"]}
    # Of every Region: other tests use keys in others.
    delivered = trail.keys("CloudTrail", region="")
    assert hashes == {key: hashlib.sha256(trail.read(key)[0]).hexdigest() for key in delivered}


def test_without_validation_there_are_no_digests(engine: Engine) -> None:
    trail = Trail(engine, validated=False)
    used(engine)
    assert "LatestDigestDeliveryTime" not in trail.status()
    assert trail.keys("CloudTrail")
    assert not trail.keys("CloudTrail-Digest")
    trail.trails.delete_trail(Name=trail.name)


def test_what_happens_while_the_trail_is_stopped_is_never_delivered(engine: Engine, trail: Trail) -> None:
    before = used(engine)
    trail.trails.stop_logging(Name=trail.name)
    during = used(engine)
    trail.status()
    assert of(trail.records(), before, "Encrypt")
    assert not of(trail.records(), during, "Encrypt")


def test_the_selectors_decide_what_is_delivered(engine: Engine, trail: Trail) -> None:
    selector = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "ExcludeManagementEventSources": ["kms.amazonaws.com"],
    }
    trail.trails.put_event_selectors(TrailName=trail.name, EventSelectors=[selector])
    used(engine)
    trail.status()
    sources = {one["eventSource"] for one in trail.records()}
    assert sources
    assert "kms.amazonaws.com" not in sources


def test_a_bucket_that_lets_nobody_in_gets_nothing_and_the_status_says_so(
    engine: Engine, trail: Trail
) -> None:
    engine.client("s3").delete_bucket_policy(Bucket=trail.bucket)
    key = used(engine)
    assert trail.status()["LatestDeliveryError"] == "AccessDenied"
    assert not trail.keys("CloudTrail")
    trail.let_in()
    assert "LatestDeliveryError" not in trail.status()
    assert of(trail.records(), key, "Encrypt")


def test_a_key_that_is_closed_to_cloudtrail_stops_the_delivery(engine: Engine, trail: Trail) -> None:
    statement = principal_allow(f"arn:aws:iam::{engine.account}:root", "kms:*")
    engine.client("kms").put_key_policy(KeyId=trail.key, PolicyName="default", Policy=policy(statement))
    used(engine)
    assert trail.status()["LatestDeliveryError"] == "AccessDenied"
    assert not trail.keys("CloudTrail")


def test_a_writer_may_add_to_the_encryption_context(engine: Engine, trail: Trail) -> None:
    """S3 API Reference, PutObject: SSEKMSEncryptionContext is kept and used for every read."""
    key = engine.key(engine.account_statement())
    added = base64.b64encode(json.dumps({"team": "blue"}).encode()).decode()
    s3 = engine.client("s3")
    where = {"Bucket": trail.bucket, "Key": "own"}
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(**where, Body=b"text", **sealed, SSEKMSEncryptionContext=added)
    for team, opens in (("blue", True), ("red", False)):
        bound = {"StringEquals": {"kms:EncryptionContext:team": team}}
        reader = engine.client("s3", engine.role(allow("s3:*"), allow("kms:Decrypt", Condition=bound)))
        if opens:
            assert reader.get_object(**where)["Body"].read() == b"text"
        else:
            with refused("AccessDenied", "kms:Decrypt"):
                reader.get_object(**where)
    with refused("InvalidArgument", "Base64"):
        s3.put_object(**where, Body=b"text", **sealed, SSEKMSEncryptionContext="no context")
