"""Drift of keys, buckets, secrets and volumes; stacks that fail leave nothing behind."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from tests.engine.conftest import refused
from tests.engine.every_type import key_policy
from tests.engine.stacks import (
    attribute,
    create,
    delete,
    deployed,
    outputs,
    reasons,
    ref,
    resource,
    status,
    template,
    update,
)

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


def drifts(engine: Engine, stack: str) -> dict[str, dict[str, Any]]:
    """Detect a stack's drift and return what is told of each resource, by logical id."""
    cloudformation = engine.client("cloudformation")
    detection = cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    deadline = time.monotonic() + 10
    asked = {"StackDriftDetectionId": detection}
    while cloudformation.describe_stack_drift_detection_status(**asked)["DetectionStatus"] != (
        "DETECTION_COMPLETE"
    ):
        assert time.monotonic() < deadline
    found = cloudformation.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
    return {one["LogicalResourceId"]: one for one in found}


def changed(drift: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The paths that differ, with how and what there is now."""
    return {
        one["PropertyPath"]: (one["DifferenceType"], one["ActualValue"])
        for one in drift["PropertyDifferences"]
    }


def things(engine: Engine, suffix: str) -> dict[str, Any]:
    encryption = {
        "ServerSideEncryptionConfiguration": [
            {
                "ServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": attribute("Key"),
                },
                "BucketKeyEnabled": True,
            }
        ]
    }
    blocked = dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    return template(
        outputs={"Key": attribute("Key"), "Bucket": ref("Bucket"), "Secret": ref("Secret")},
        Key=resource(
            "AWS::KMS::Key",
            KeyPolicy=key_policy(engine),
            Description="ours",
            EnableKeyRotation=True,
            RotationPeriodInDays=180,
            Tags=[{"Key": "team", "Value": "blue"}],
            PendingWindowInDays=7,
        ),
        Alias=resource("AWS::KMS::Alias", AliasName=f"alias/drift-{suffix}", TargetKeyId=ref("Key")),
        Bucket=resource(
            "AWS::S3::Bucket",
            BucketEncryption=encryption,
            PublicAccessBlockConfiguration=blocked,
            Tags=[{"Key": "team", "Value": "blue"}],
        ),
        Secret=resource("AWS::SecretsManager::Secret", SecretString="s", KmsKeyId=attribute("Key")),
        Volume=resource(
            "AWS::EC2::Volume",
            AvailabilityZone=f"{engine.region}a",
            Size=1,
            Encrypted=True,
            KmsKeyId=attribute("Key"),
        ),
    )


def test_what_was_changed_beside_the_template_is_found(engine: Engine, kms: Any) -> None:
    suffix = uuid.uuid4().hex[:10]
    with deployed(engine, things(engine, suffix)) as stack:
        before = drifts(engine, stack)
        assert {name: one["StackResourceDriftStatus"] for name, one in before.items()} == dict.fromkeys(
            ("Key", "Alias", "Bucket", "Secret", "Volume"), "IN_SYNC"
        )
        made = outputs(engine, stack)
        other = engine.key()
        kms.disable_key_rotation(KeyId=made["Key"])
        kms.update_key_description(KeyId=made["Key"], Description="theirs")
        kms.untag_resource(KeyId=made["Key"], TagKeys=["team"])
        kms.update_alias(AliasName=f"alias/drift-{suffix}", TargetKeyId=other)
        engine.client("s3").delete_bucket_encryption(Bucket=made["Bucket"])
        engine.client("s3").delete_public_access_block(Bucket=made["Bucket"])
        engine.client("secretsmanager").update_secret(SecretId=made["Secret"], KmsKeyId=other)
        after = drifts(engine, stack)
        key = changed(after["Key"])
        assert key["/EnableKeyRotation"] == ("NOT_EQUAL", "false")
        assert key["/Description"] == ("NOT_EQUAL", "theirs")
        assert key["/Tags/0"][0] == "REMOVE"
        assert changed(after["Alias"])["/TargetKeyId"] == ("NOT_EQUAL", other.rsplit("/", 1)[-1])
        bucket = changed(after["Bucket"])
        rule = "/BucketEncryption/ServerSideEncryptionConfiguration/0"
        assert bucket[f"{rule}/ServerSideEncryptionByDefault/SSEAlgorithm"] == ("NOT_EQUAL", "AES256")
        assert bucket["/PublicAccessBlockConfiguration"][0] == "REMOVE"
        assert changed(after["Secret"])["/KmsKeyId"] == ("NOT_EQUAL", other)
        assert after["Volume"]["StackResourceDriftStatus"] == "IN_SYNC"


def test_a_changed_key_policy_is_drift(engine: Engine, kms: Any) -> None:
    stack_template = template(
        outputs={"Key": ref("Key")},
        Key=resource("AWS::KMS::Key", KeyPolicy=key_policy(engine), PendingWindowInDays=7),
    )
    with deployed(engine, stack_template) as stack:
        key = outputs(engine, stack)["Key"]
        policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
        policy["Statement"].append(engine.account_statement("kms:Decrypt"))
        kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
        one = engine.client("cloudformation").detect_stack_resource_drift(
            StackName=stack, LogicalResourceId="Key"
        )["StackResourceDrift"]
        assert one["StackResourceDriftStatus"] == "MODIFIED"
        assert changed(one)["/KeyPolicy/Statement/1"][0] == "ADD"
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        assert drifts(engine, stack)["Key"]["StackResourceDriftStatus"] == "DELETED"


def failing(engine: Engine, **properties: Any) -> dict[str, Any]:
    """A key and a volume that depends on it; the volume's key does not exist unless it is told."""
    volume = resource(
        "AWS::EC2::Volume",
        AvailabilityZone=f"{engine.region}a",
        Size=1,
        Encrypted=True,
        KmsKeyId="00000000-0000-0000-0000-000000000000",
    )
    key = resource("AWS::KMS::Key", KeyPolicy=key_policy(engine), PendingWindowInDays=7, **properties)
    return template(outputs={"Key": ref("Key")}, Key=key, Volume={**volume, "DependsOn": "Key"})


def test_a_stack_that_cannot_be_made_leaves_its_key_on_its_way_out(engine: Engine, kms: Any) -> None:
    stack = create(engine, failing(engine))
    assert status(engine, stack) == "ROLLBACK_COMPLETE"
    assert "did not stabilize" in reasons(engine, stack)["Volume"]
    events = engine.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    [key] = {one["PhysicalResourceId"] for one in events if one["LogicalResourceId"] == "Key"} - {""}
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    left = engine.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    assert {one["ResourceStatus"] for one in left} <= {"DELETE_COMPLETE"}
    assert delete(engine, stack) == "DELETE_COMPLETE"


def test_an_update_that_fails_puts_back_what_was(engine: Engine, kms: Any) -> None:
    only_key = {"Key": failing(engine, Description="before", EnableKeyRotation=True)["Resources"]["Key"]}
    with deployed(engine, template(outputs={"Key": ref("Key")}, **only_key)) as stack:
        key = outputs(engine, stack)["Key"]
        broken = failing(engine, Description="after", EnableKeyRotation=False)
        assert update(engine, stack, broken) == "UPDATE_ROLLBACK_COMPLETE"
        assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "before"
        assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
        assert drifts(engine, stack)["Key"]["StackResourceDriftStatus"] == "IN_SYNC"


def test_a_bucket_with_objects_keeps_its_stack(engine: Engine) -> None:
    s3 = engine.client("s3")
    stack = create(engine, template(outputs={"Bucket": ref("Bucket")}, Bucket=resource("AWS::S3::Bucket")))
    bucket = outputs(engine, stack)["Bucket"]
    s3.put_object(Bucket=bucket, Key="object", Body=b"x")
    assert delete(engine, stack) == "DELETE_FAILED"
    s3.delete_object(Bucket=bucket, Key="object")
    assert delete(engine, stack) == "DELETE_COMPLETE"
    with refused("404"):
        s3.head_bucket(Bucket=bucket)
