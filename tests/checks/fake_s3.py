"""Buckets for the fake world: objects with versions, default encryption, keys that can be disabled.

Who is refused what is said by the tests (`World.refuses`), so that each can break one thing; what
the data bucket's policy refuses is said in `refuse_other_encryption`.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.checks.fakes import OUTPUTS, Refusal, Request, World, policy_document

if TYPE_CHECKING:
    from collections.abc import Mapping

AWS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/aws-s3"
KMS = "aws:kms"


@dataclass
class FakeBucket:
    """One bucket; ``objects`` maps a key to its versions, the newest last."""

    algorithm: str
    key: str = ""
    bucket_key: bool = False
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def default(self) -> dict[str, Any]:
        """The rule that GetBucketEncryption answers with."""
        by_default = {"SSEAlgorithm": self.algorithm} | ({"KMSMasterKeyID": self.key} if self.key else {})
        return {"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": self.bucket_key}


class FakeS3:
    """Answers S3's object operations in a world.

    Attributes:
        buckets: by name.
        disabled: ARNs of keys that cannot be used.
        uploads: each upload that is under way: its bucket, its key, and its parts.
    """

    def __init__(self, world: World) -> None:
        self.uploads: dict[str, tuple[str, str, list[bytes]]] = {}
        self.buckets = {
            OUTPUTS.data_bucket: FakeBucket(KMS, OUTPUTS.key_s3, bucket_key=True),
            OUTPUTS.access_log_bucket: FakeBucket("AES256"),
            OUTPUTS.sse_s3_bucket: FakeBucket("AES256"),
            OUTPUTS.aws_managed_bucket: FakeBucket(KMS, bucket_key=True),
            OUTPUTS.dsse_bucket: FakeBucket("aws:kms:dsse", OUTPUTS.key_s3),
            OUTPUTS.trail_bucket: FakeBucket(KMS, OUTPUTS.key_trail),
        }
        self.disabled: set[str] = set()
        for name in vars(type(self)):
            if name[0].isupper():
                world.answers(f"s3:{name}", getattr(self, name))
        world.answers("kms:DisableKey", lambda request: self._disable(request["KeyId"]))
        world.answers("kms:EnableKey", lambda request: self._enable(request["KeyId"]))
        world.answers("kms:DescribeKey", lambda request: self._describe(request["KeyId"]))
        world.answers("kms:TagResource", {}).answers("kms:UntagResource", {})

    @property
    def left(self) -> list[str]:
        """Keys of the objects that are still there."""
        return [
            key for bucket in self.buckets.values() for key, versions in bucket.objects.items() if versions
        ]

    def GetBucketEncryption(self, request: Request) -> Mapping[str, Any]:
        return {"ServerSideEncryptionConfiguration": {"Rules": [self.buckets[request["Bucket"]].default]}}

    def PutObject(self, request: Request) -> Mapping[str, Any]:
        return self._store(request, request["Body"])

    def CopyObject(self, request: Request) -> Mapping[str, Any]:
        source = self._version(Request(request.persona, "", request["CopySource"]))
        return {"CopyObjectResult": {}, **self._store(request, source["Body"])}

    def GetObject(self, request: Request) -> Mapping[str, Any]:
        stored = self._version(request)
        self._use(stored.get("SSEKMSKeyId", ""))
        body = stored["Body"]
        if "Range" in request.parameters:
            first, last = request["Range"].removeprefix("bytes=").split("-")
            body = body[int(first) : int(last) + 1]
        return {**stored, "Body": io.BytesIO(body)}

    def HeadObject(self, request: Request) -> Mapping[str, Any]:
        stored = self._version(request)
        return {**{k: v for k, v in stored.items() if k != "Body"}, "ContentLength": len(stored["Body"])}

    def ListObjectVersions(self, request: Request) -> Mapping[str, Any]:
        objects = self.buckets[request["Bucket"]].objects
        found = [
            {"Key": key, "VersionId": version["VersionId"], "IsLatest": version is versions[-1]}
            for key, versions in objects.items()
            if key.startswith(request.get("Prefix", ""))
            for version in versions
        ]
        return {"Versions": found} if found else {}

    def UpdateObjectEncryption(self, request: Request) -> Mapping[str, Any]:
        stored = self._version(request)
        wanted = request["ObjectEncryption"]["SSEKMS"]
        stored |= {"ServerSideEncryption": KMS, "SSEKMSKeyId": wanted["KMSKeyArn"]}
        return {}

    def CreateMultipartUpload(self, request: Request) -> Mapping[str, Any]:
        upload = uuid.uuid4().hex
        self.uploads[upload] = (request["Bucket"], request["Key"], [])
        return {"UploadId": upload}

    def UploadPart(self, request: Request) -> Mapping[str, Any]:
        self.uploads[request["UploadId"]][2].append(request["Body"])
        bucket = self.buckets[request["Bucket"]]
        return {"ETag": f"part-{request['PartNumber']}", "SSEKMSKeyId": bucket.key}

    def CompleteMultipartUpload(self, request: Request) -> Mapping[str, Any]:
        parts = self.uploads.pop(request["UploadId"])[2]
        assert len(request["MultipartUpload"]["Parts"]) == len(parts)
        return self._store(request, b"".join(parts))

    def AbortMultipartUpload(self, request: Request) -> Mapping[str, Any]:
        assert self.uploads[request["UploadId"]][:2] == (request["Bucket"], request["Key"])
        del self.uploads[request["UploadId"]]
        return {}

    def ListMultipartUploads(self, request: Request) -> Mapping[str, Any]:
        found = [
            {"Key": key, "UploadId": upload}
            for upload, (bucket, key, _) in self.uploads.items()
            if bucket == request["Bucket"] and key.startswith(request["Prefix"])
        ]
        return {"Uploads": found} if found else {}

    def DeleteObjects(self, request: Request) -> Mapping[str, Any]:
        objects = self.buckets[request["Bucket"]].objects
        for named in request["Delete"]["Objects"]:
            versions = objects[named["Key"]]
            versions[:] = [one for one in versions if one["VersionId"] != named["VersionId"]]
        return {}

    def _store(self, request: Request, body: bytes) -> Mapping[str, Any]:
        bucket = self.buckets[request["Bucket"]]
        asked = request.get("ServerSideEncryption")
        algorithm = asked or bucket.algorithm
        key = request.get("SSEKMSKeyId") or (AWS_KEY if asked else bucket.key or AWS_KEY)
        encryption: dict[str, Any] = {"ServerSideEncryption": algorithm}
        if algorithm != "AES256":
            self._use(key)
            encryption |= {"SSEKMSKeyId": key}
            encryption |= (
                {"BucketKeyEnabled": True} if request.get("BucketKeyEnabled", bucket.bucket_key) else {}
            )
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        tag = digest if algorithm == "AES256" else uuid.uuid4().hex
        facts = {"VersionId": uuid.uuid4().hex, "ETag": f'"{tag}"', "Metadata": request.get("Metadata", {})}
        stored = {"Body": body, **facts, **encryption}
        bucket.objects.setdefault(request["Key"], []).append(stored)
        return {"VersionId": stored["VersionId"], **encryption}

    def _version(self, request: Request) -> dict[str, Any]:
        """The version that the request names, or the newest."""
        versions = self.buckets[request["Bucket"]].objects[request["Key"]]
        named = request.get("VersionId", versions[-1]["VersionId"])
        return next(one for one in versions if one["VersionId"] == named)

    def _use(self, key: str) -> None:
        if key in self.disabled:
            raise Refusal("KMS.DisabledException", f"{key} is disabled.")

    def _describe(self, key: str) -> Mapping[str, Any]:
        state = "Disabled" if key in self.disabled else "Enabled"
        manager = "AWS" if key == AWS_KEY else "CUSTOMER"
        return {"KeyMetadata": {"KeyId": key, "KeyState": state, "KeyManager": manager}}

    def _disable(self, key: str) -> Mapping[str, Any]:
        self.disabled.add(key)
        return {}

    def _enable(self, key: str) -> Mapping[str, Any]:
        self.disabled.discard(key)
        return {}


def denying(bucket: str, condition: dict[str, Any], **changes: Any) -> dict[str, str]:
    """What GetBucketPolicy tells of a policy that denies everything to everybody under a condition."""
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": condition,
    }
    return {"Policy": policy_document({**statement, **changes})}


def refuse_other_encryption(world: World) -> World:
    """Refuse what the data bucket's policy refuses: other keys, other kinds of encryption, plain HTTP."""

    def wrong(request: Request) -> bool:
        asked, key = request.get("ServerSideEncryption"), request.get("SSEKMSKeyId")
        return (
            asked not in (None, KMS)
            or (asked == KMS and key != OUTPUTS.key_s3)
            or request.get("SSECustomerAlgorithm") is not None
        )

    def to_the_data_bucket(request: Request) -> bool:
        return bool(request["Bucket"] == OUTPUTS.data_bucket)

    world.refuses("s3:PutObject", code="AccessDenied", when=lambda r: to_the_data_bucket(r) and wrong(r))
    world.refuses("*", code="AccessDenied", when=lambda r: r.plain_http)
    return world
