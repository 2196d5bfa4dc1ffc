"""Probes of what services tell and do about what they store: S3, Secrets Manager, CloudTrail."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kmslab.checks.temporary import scratch_key
from kmslab.checks.values import temporary_secret
from kmslab.model.persona import Persona
from kmslab.probe_things import empty_bucket

if TYPE_CHECKING:
    from kmslab.lab import Lab

OPERATOR = Persona.OPERATOR
SAMPLE = b"kmslab probe"
DELIVERY_SECONDS = 15.0
"""How long an emulator may take to deliver a log file; AWS, which takes minutes, is not probed."""


def encryption_updates(lab: Lab) -> str:
    """UpdateObjectEncryption moves an object under SSE-KMS, and leaves one under DSSE-KMS alone."""
    bucket, key = empty_bucket(lab), scratch_key(lab)
    lab.allowed(OPERATOR, "s3:PutObject", Bucket=bucket, Key="one", Body=SAMPLE)
    dual: dict[str, Any] = {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": key}
    lab.allowed(OPERATOR, "s3:PutObject", Bucket=bucket, Key="two", Body=SAMPLE, **dual)
    target = {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": False}}
    action = "s3:UpdateObjectEncryption"
    lab.allowed(OPERATOR, action, Bucket=bucket, Key="one", ObjectEncryption=target)
    found = lab.allowed(OPERATOR, "s3:GetObject", Bucket=bucket, Key="one")
    lab.expect(found.get("SSEKMSKeyId") == key, f"the object is under {found.get('SSEKMSKeyId')}")
    lab.expect(found["Body"].read() == SAMPLE, "the object's content was changed")
    lab.refused(OPERATOR, action, codes={"InvalidRequest"}, Bucket=bucket, Key="two", ObjectEncryption=target)
    return "an object moves under the key it is given, one under DSSE-KMS does not"


def opaque_etags(lab: Lab) -> str:
    """The ETag is the content's MD5 digest without a KMS key, and is not with one."""
    bucket = empty_bucket(lab)
    under: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": scratch_key(lab)}
    digest = hashlib.md5(SAMPLE, usedforsecurity=False).hexdigest()
    for name, encryption in (("plain", {}), ("sealed", under)):
        tag = lab.allowed(OPERATOR, "s3:PutObject", Bucket=bucket, Key=name, Body=SAMPLE, **encryption)[
            "ETag"
        ]
        same = tag.strip('"') == digest
        lab.expect(same != bool(encryption), f"the ETag of the {name} object is {tag}")
    return "only the object without a key has its MD5 digest as ETag"


def keys_of_versions(lab: Lab) -> str:
    """The list of a secret's versions names the key of each."""
    key = scratch_key(lab)
    secret = temporary_secret(lab, SAMPLE.decode(), key=key)
    listed = lab.allowed(OPERATOR, "secretsmanager:ListSecretVersionIds", SecretId=secret)["Versions"]
    found = [one.get("KmsKeyIds") for one in listed]
    lab.expect(found == [[key]], f"the version of a secret is listed under {found}")
    return "the version of a secret is listed with its key"


def log_files(lab: Lab) -> str:
    """CloudTrail delivers into the bucket of the lab's trail."""
    bucket, prefix = lab.outputs.trail_bucket, f"AWSLogs/{lab.account}/CloudTrail"
    s3 = lab.client(OPERATOR, "s3")

    def found() -> bool:
        kinds = ("", "-Digest")
        listed = [s3.list_objects_v2(MaxKeys=1, Bucket=bucket, Prefix=f"{prefix}{kind}/") for kind in kinds]
        return all(one.get("Contents") for one in listed)

    lab.wait_until(found, "the delivery of a log file and a digest", seconds=DELIVERY_SECONDS)
    return "the trail's bucket has log files and digest files"
