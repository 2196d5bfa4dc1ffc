"""A trail of a test's own, with its bucket and its key."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from tests.engine.conftest import allow, policy

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

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
        self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))

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

    def digests(self, region: str | None = None) -> list[tuple[dict[str, Any], bytes, str]]:
        """Each digest of a Region as it is, as bytes, and its signature; the oldest first."""
        found = [self.read(key) for key in sorted(self.keys("CloudTrail-Digest", region))]
        return [(json.loads(content), content, metadata["signature"]) for content, metadata in found]


def used(engine: Engine, region: str = "") -> str:
    """Use a key of one's own; returns its ARN."""
    kms = engine.client("kms", region=region)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.encrypt(KeyId=key, Plaintext=b"tea")
    return str(key)
