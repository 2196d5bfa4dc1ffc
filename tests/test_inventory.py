"""What lies under which key is what the API says, and what it does not say is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.inventory import read_inventory
from kmslab.model.inventory import Protected, Thing
from kmslab.model.persona import Persona
from tests.checks.fakes import OUTPUTS, FakeAccess, Refusal, Request, World, key_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNING = ("signing", "rsa", "agreement", "mac", "pq")


def key_id(name: str) -> str:
    return key_arn(name).rpartition("/")[2]


def name_of(request: Request) -> str:
    return next(
        one
        for one in ("s3", "ebs", "secrets", "trail", "app", "imported", "global", *SIGNING)
        if key_arn(one) == request["KeyId"]
    )


def described(request: Request) -> dict[str, Any]:
    name = name_of(request)
    return {
        "KeyMetadata": {
            "KeyId": key_id(name),
            "Arn": key_arn(name),
            "KeySpec": "ECC_NIST_P256" if name in SIGNING else "SYMMETRIC_DEFAULT",
            "KeyUsage": "SIGN_VERIFY" if name in SIGNING else "ENCRYPT_DECRYPT",
            "Origin": "EXTERNAL" if name == "imported" else "AWS_KMS",
            "KeyState": "Disabled" if name == "app" else "Enabled",
            "MultiRegion": name == "global",
        }
    }


def rotation(request: Request) -> Mapping[str, Any]:
    name = name_of(request)
    if name in SIGNING:
        raise Refusal("UnsupportedOperationException")
    if name == "app":
        return {"KeyRotationEnabled": False}
    return {"KeyRotationEnabled": True, "RotationPeriodInDays": 180 if name == "s3" else 365}


def encrypted(algorithm: str, key: str = "", *, bucket_key: bool = False) -> dict[str, Any]:
    default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key}
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


BUCKETS = {
    OUTPUTS.data_bucket: encrypted("aws:kms", key_arn("s3"), bucket_key=True),
    OUTPUTS.dsse_bucket: encrypted("aws:kms:dsse", key_id("s3")),
    OUTPUTS.aws_managed_bucket: encrypted("aws:kms"),
    OUTPUTS.sse_s3_bucket: encrypted("AES256"),
    OUTPUTS.access_log_bucket: encrypted("AES256"),
    OUTPUTS.trail_bucket: encrypted("aws:kms", "alias/kms-lab/trail"),
}


def aliases(*pairs: tuple[str, str]) -> dict[str, Any]:
    listed = [{"AliasName": name, "TargetKeyId": key} for name, key in pairs]
    return {"Aliases": [*listed, {"AliasName": "alias/aws/unused"}], "Truncated": False}


@pytest.fixture
def world() -> World:
    names = ("s3", "ebs", "secrets", "trail", "app", "imported", "global", *SIGNING)
    temporary = [{"Key": "kmslab:temporary", "Value": "run-1"}]
    volumes = [
        {"VolumeId": "vol-1", "Encrypted": True, "KmsKeyId": key_arn("ebs")},
        {"VolumeId": "vol-2", "Encrypted": False},
        {"VolumeId": "vol-3", "Encrypted": True, "KmsKeyId": key_arn("ebs"), "Tags": temporary},
    ]
    snapshots = [{"SnapshotId": "snap-1", "Encrypted": True, "KmsKeyId": key_arn("ebs")}]
    return (
        World()
        .answers("kms:ListAliases", aliases(*((f"alias/kms-lab/{name}", key_id(name)) for name in names)))
        .answers("kms:DescribeKey", described)
        .answers("kms:GetKeyRotationStatus", rotation)
        .answers("s3:GetBucketEncryption", lambda request: BUCKETS[request["Bucket"]])
        .answers("ec2:DescribeVolumes", {"Volumes": volumes})
        .answers("ec2:DescribeSnapshots", {"Snapshots": snapshots})
        .answers(
            "secretsmanager:DescribeSecret",
            lambda request: {
                "Name": request["SecretId"].rpartition(":")[2],
                **({"KmsKeyId": key_arn("secrets")} if request["SecretId"] == OUTPUTS.app_secret else {}),
            },
        )
        .answers(
            "ssm:DescribeParameters",
            {
                "Parameters": [
                    {"Name": "/kms-lab/secure-string", "Type": "SecureString", "KeyId": key_id("secrets")}
                ]
            },
        )
        .answers(
            "cloudtrail:GetTrail",
            {"Trail": {"Name": "kms-lab", "KmsKeyId": key_arn("trail"), "LogFileValidationEnabled": True}},
        )
        .answers("sns:GetTopicAttributes", {"Attributes": {"KmsMasterKeyId": "alias/kms-lab/trail"}})
    )


def test_keys_are_as_kms_describes_them(world: World) -> None:
    keys = {key.name: key for key in read_inventory(FakeAccess(world), OUTPUTS).keys}
    assert list(keys) == [
        "s3",
        "ebs",
        "secrets",
        "trail",
        "app",
        "imported",
        "signing",
        "rsa",
        "agreement",
        "mac",
        "pq",
        "global",
    ]
    assert {name: key.rotation_days for name, key in keys.items() if key.rotation_days != 365} == {
        "s3": 180,
        "app": 0,
        "imported": None,
        **dict.fromkeys(SIGNING),
    }
    assert keys["app"].state == "Disabled"
    assert keys["imported"].origin == "EXTERNAL"
    assert keys["rsa"].spec == "ECC_NIST_P256"
    assert keys["global"].multi_region
    assert keys["s3"].aliases == ("alias/kms-lab/s3",)


def test_things_lie_under_the_key_that_their_service_names(world: World) -> None:
    found = read_inventory(FakeAccess(world), OUTPUTS)
    assert found.unread == ()
    under = {
        key.name: [(thing.kind, thing.name, thing.how) for thing in found.under(key)] for key in found.keys
    }
    assert {name: things for name, things in under.items() if things} == {
        "s3": [
            (Thing.BUCKET, OUTPUTS.data_bucket, "SSE-KMS, Bucket Key"),
            (Thing.BUCKET, OUTPUTS.dsse_bucket, "DSSE-KMS"),
        ],
        "ebs": [(Thing.VOLUME, "vol-1", ""), (Thing.SNAPSHOT, "snap-1", "")],
        "secrets": [
            (Thing.SECRET, "kms-lab/app-abcdef", ""),
            (Thing.PARAMETER, "/kms-lab/secure-string", "SecureString"),
        ],
        "trail": [
            (Thing.BUCKET, OUTPUTS.trail_bucket, "SSE-KMS"),
            (Thing.TRAIL, "kms-lab", "log file validation"),
            (Thing.TOPIC, "kms-lab-alarms", ""),
        ],
    }
    assert set(found.elsewhere) == {
        Protected(Thing.BUCKET, OUTPUTS.aws_managed_bucket, "alias/aws/s3", "SSE-KMS"),
        Protected(Thing.BUCKET, OUTPUTS.sse_s3_bucket, "", "SSE-S3"),
        Protected(Thing.BUCKET, OUTPUTS.access_log_bucket, "", "SSE-S3"),
        Protected(Thing.VOLUME, "vol-2", "", "not encrypted"),
        Protected(Thing.SECRET, "kms-lab/admin-abcdef", "alias/aws/secretsmanager"),
    }


def test_the_auditor_reads_it(world: World) -> None:
    read_inventory(FakeAccess(world), OUTPUTS)
    assert {request.persona for request in world.requests} == {Persona.AUDITOR}


def test_an_alias_that_was_turned_is_seen(world: World) -> None:
    world.answers(
        "kms:ListAliases",
        aliases(("alias/kms-lab/s3", key_id("app")), ("alias/kms-lab/app", key_id("app"))),
    )
    keys = {key.arn: key for key in read_inventory(FakeAccess(world), OUTPUTS).keys}
    assert keys[key_arn("app")].aliases == ("alias/kms-lab/app", "alias/kms-lab/s3")
    assert keys[key_arn("s3")].aliases == ()
    assert keys[key_arn("s3")].name == key_id("s3")


def test_what_cannot_be_read_is_named_and_the_rest_is_there(world: World) -> None:
    world.refuses("cloudtrail:GetTrail").unreachable("sns:GetTopicAttributes")
    world.refuses("s3:GetBucketEncryption", when=lambda request: request["Bucket"] == OUTPUTS.dsse_bucket)
    found = read_inventory(FakeAccess(world), OUTPUTS)
    assert found.unread == (
        "cloudtrail:GetTrail: AccessDeniedException",
        f"s3:GetBucketEncryption {OUTPUTS.dsse_bucket}: AccessDeniedException",
        "sns:GetTopicAttributes: EndpointConnectionError",
    )
    assert len(found.keys) == 12
    assert {thing.kind for thing in found.things} == set(Thing) - {Thing.TRAIL, Thing.TOPIC}


def test_without_volumes_no_snapshot_is_asked_for(world: World) -> None:
    world.answers("ec2:DescribeVolumes", {"Volumes": []})
    found = read_inventory(FakeAccess(world), OUTPUTS)
    assert world.asked("ec2:DescribeSnapshots") == []
    assert Thing.SNAPSHOT not in {thing.kind for thing in found.things}
