"""CloudFormation: keys, aliases, replicas and buckets from templates, made as the execution role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.probe.codes import INVALID_USAGE, NOT_FOUND
from kmslab.probe.model import NotAsDocumented, probe
from kmslab.probe.sources import cloudformation, template

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

STACK_SECONDS = 20.0
PENDING_WINDOW = 7
KEY = "AWS::KMS::Key"


def _key(bench: Bench, *statements: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A key of a template, under a policy that hands the decision to IAM."""
    policy = json.loads(bench.world.policy(bench.world.delegation, *statements))
    tags = bench.tag_list
    return {
        "Type": KEY,
        "Properties": {
            "KeyPolicy": policy,
            "PendingWindowInDays": PENDING_WINDOW,
            "Tags": tags,
            **properties,
        },
    }


def _role(bench: Bench, *actions: str) -> str:
    """An execution role that CloudFormation may assume and that may do these actions."""
    iam, name = bench.client("iam"), f"kmslab-probe-{uuid4().hex[:16]}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    made = bench.make(
        "iam:CreateRole",
        RoleName=name,
        Path="/kmslab-probe/",
        AssumeRolePolicyDocument=bench.world.policy(trust),
        Tags=bench.tag_list,
    )["Role"]["Arn"]
    bench.undo(lambda: iam.delete_role(RoleName=name))
    document = bench.world.policy(bench.world.identity(*actions))
    bench.make("iam:PutRolePolicy", RoleName=name, PolicyName="probe", PolicyDocument=document)
    bench.undo(lambda: iam.delete_role_policy(RoleName=name, PolicyName="probe"))
    return str(made)


def _create(
    bench: Bench, resources: dict[str, Any], outputs: dict[str, Any] | None = None, **more: Any
) -> str:
    """Create a stack and return its name; it is deleted when the probe ends."""
    name = f"kmslab-probe-{uuid4().hex[:12]}"
    body = {"Resources": resources}
    if outputs:
        body["Outputs"] = {key: {"Value": value} for key, value in outputs.items()}
    bench.works(
        "cloudformation:CreateStack",
        StackName=name,
        TemplateBody=json.dumps(body),
        Tags=bench.tag_list,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        **more,
    )
    bench.undo(lambda: _remove(bench, name))
    return name


def _remove(bench: Bench, name: str) -> None:
    """Delete a stack and wait until it is gone, so that what belongs to the probe goes in order."""
    client = bench.client("cloudformation")
    client.delete_stack(StackName=name)
    waiter = client.get_waiter("stack_delete_complete")
    from botocore.exceptions import WaiterError

    try:
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    except WaiterError:
        return  # a stack that cannot be deleted is the emulator's to keep


def _status(bench: Bench, name: str) -> str:
    def over() -> str:
        found = bench.make("cloudformation:DescribeStacks", StackName=name)["Stacks"][0]["StackStatus"]
        return "" if str(found).endswith("_IN_PROGRESS") else str(found)

    return bench.wait(over, "stack that is done", seconds=STACK_SECONDS)


def _outputs(bench: Bench, name: str) -> dict[str, str]:
    """The outputs of a stack that was created."""
    if (status := _status(bench, name)) != "CREATE_COMPLETE":
        raise NotAsDocumented(f"the stack is {status}: {_why(bench, name)}")
    described = bench.make("cloudformation:DescribeStacks", StackName=name)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}


def _why(bench: Bench, name: str) -> str:
    events = bench.make("cloudformation:DescribeStackEvents", StackName=name)["StackEvents"]
    reasons = [
        str(one.get("ResourceStatusReason", "")) for one in events if "FAILED" in one["ResourceStatus"]
    ]
    return " ".join(reasons)[:200]


@probe(template("kms-key"), slow=True)
def a_key_is_as_its_template_says(bench: Bench) -> None:
    """AWS::KMS::Key makes a key with the description, rotation and policy of the template.

    KMS tells all three of it; a key without them has another description and no rotation.
    """
    full = _key(bench, Description="from a template", EnableKeyRotation=True, RotationPeriodInDays=180)
    found = _outputs(
        bench,
        _create(
            bench,
            {"Full": full, "Bare": _key(bench)},
            {"Full": {"Ref": "Full"}, "Bare": {"Fn::GetAtt": ["Bare", "Arn"]}},
        ),
    )
    about = bench.works("DescribeKey", KeyId=found["Full"])["KeyMetadata"]
    bench.equal("Description", about["Description"], "from a template")
    status = bench.works("GetKeyRotationStatus", KeyId=found["Full"])
    bench.equal(
        "the rotation", (status["KeyRotationEnabled"], status.get("RotationPeriodInDays")), (True, 180)
    )
    bare = bench.works("GetKeyRotationStatus", KeyId=found["Bare"])["KeyRotationEnabled"]
    bench.contrasts("the other does not rotate", bare is False)


@probe(template("kms-key"), slow=True)
def the_kind_of_a_key_is_as_its_template_says(bench: Bench) -> None:
    """KeySpec and KeyUsage of AWS::KMS::Key make such a key.

    A key of ECC_NIST_P256 for signing signs; the symmetric one of the same stack does not.
    """
    signing = _key(bench, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    found = _outputs(
        bench,
        _create(
            bench,
            {"Signing": signing, "Plain": _key(bench)},
            {"Signing": {"Ref": "Signing"}, "Plain": {"Ref": "Plain"}},
        ),
    )
    request: dict[str, Any] = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
    bench.works("Sign", KeyId=found["Signing"], **request)
    bench.refuses(INVALID_USAGE, "Sign", KeyId=found["Plain"], **request)


@probe(template("kms-alias"), slow=True)
def an_alias_comes_and_goes_with_its_stack(bench: Bench) -> None:
    """AWS::KMS::Alias makes an alias for the key, which goes with the stack.

    The alias encrypts; after DeleteStack it is NotFoundException.
    """
    name = f"alias/kmslab-probe-{uuid4().hex}"
    alias: dict[str, Any] = {
        "Type": "AWS::KMS::Alias",
        "Properties": {"AliasName": name, "TargetKeyId": {"Ref": "Key"}},
    }
    stack = _create(bench, {"Key": _key(bench), "Alias": alias})
    _outputs(bench, stack)
    bench.works("Encrypt", KeyId=name, Plaintext=b"tea")
    _remove(bench, stack)
    bench.refuses(NOT_FOUND, "Encrypt", KeyId=name, Plaintext=b"tea")


@probe(template("kms-key"), slow=True)
def a_deleted_stack_schedules_its_key(bench: Bench) -> None:
    """With its stack a key is scheduled for deletion, after PendingWindowInDays.

    The key is PendingDeletion with the deletion date; under DeletionPolicy Retain it stays Enabled.
    """
    kept = {**_key(bench), "DeletionPolicy": "Retain"}
    stack = _create(
        bench, {"Goes": _key(bench), "Stays": kept}, {"Goes": {"Ref": "Goes"}, "Stays": {"Ref": "Stays"}}
    )
    found = _outputs(bench, stack)
    stays = bench.make("DescribeKey", KeyId=found["Stays"])["KeyMetadata"]
    bench.discard_later(stays["Arn"])
    _remove(bench, stack)
    about = bench.works("DescribeKey", KeyId=found["Goes"])["KeyMetadata"]
    bench.equal("KeyState", about["KeyState"], "PendingDeletion")
    stays = bench.make("DescribeKey", KeyId=found["Stays"])["KeyMetadata"]
    bench.contrasts("the retained key is Enabled", stays["KeyState"] == "Enabled")


@probe(cloudformation("using-iam-servicerole"), slow=True)
def a_stack_is_made_as_its_role(bench: Bench) -> None:
    """CloudFormation makes resources as the execution role, and not as whoever calls.

    With a role that may create keys the stack is complete; with one that may not it rolls back.
    """
    actions = (
        "kms:CreateKey", "kms:DescribeKey", "kms:TagResource", "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus",
    )  # fmt: skip
    may, may_not = _role(bench, *actions), _role(bench, "kms:DescribeKey")
    good = _status(bench, _create(bench, {"Key": _key(bench)}, RoleARN=may))
    bench.equal("the stack of the one", good, "CREATE_COMPLETE")
    bad = _status(bench, _create(bench, {"Key": _key(bench)}, RoleARN=may_not))
    bench.contrasts("the stack of the other rolls back", bad.startswith(("ROLLBACK", "CREATE_FAILED")))


@probe(cloudformation("stack-failure-options"), slow=True)
def a_failed_stack_leaves_nothing(bench: Bench) -> None:
    """A stack that fails rolls back what it had made.

    Of two templates the sound one leaves its alias; the one that fails leaves none.
    """
    names = {kind: f"alias/kmslab-probe-{uuid4().hex}" for kind in ("sound", "broken")}
    for kind, name in names.items():
        resources: dict[str, Any] = {
            "Key": _key(bench),
            "Alias": {
                "Type": "AWS::KMS::Alias",
                "Properties": {"AliasName": name, "TargetKeyId": {"Ref": "Key"}},
            },
        }
        if kind == "broken":
            wrong: dict[str, Any] = {"AliasName": "not-an-alias", "TargetKeyId": {"Ref": "Key"}}
            resources["Wrong"] = {"Type": "AWS::KMS::Alias", "DependsOn": "Alias", "Properties": wrong}
        status = _status(bench, _create(bench, resources))
        if kind == "sound":
            bench.equal("the sound stack", status, "CREATE_COMPLETE")
            bench.works("DescribeKey", KeyId=name)
        else:
            bench.equal("the broken stack", status, "ROLLBACK_COMPLETE")
            bench.refuses(NOT_FOUND, "DescribeKey", KeyId=name)


@probe(template("kms-replicakey"), slow=True)
def a_replica_key_is_made_where_its_stack_is(bench: Bench) -> None:
    """AWS::KMS::ReplicaKey replicates a primary of another Region into the stack's.

    The replica has the primary's id and is a REPLICA; a single-Region key cannot be replicated so.
    """
    primary = bench.key(MultiRegion=True, region=bench.other_region)
    policy = json.loads(bench.world.policy(bench.world.delegation))
    properties: dict[str, Any] = {
        "PrimaryKeyArn": primary,
        "KeyPolicy": policy,
        "PendingWindowInDays": PENDING_WINDOW,
    }
    replica: dict[str, Any] = {"Type": "AWS::KMS::ReplicaKey", "Properties": properties}
    found = _outputs(bench, _create(bench, {"Replica": replica}, {"Replica": {"Ref": "Replica"}}))
    about = bench.works("DescribeKey", KeyId=found["Replica"])["KeyMetadata"]
    bench.equal("its kind", about["MultiRegionConfiguration"]["MultiRegionKeyType"], "REPLICA")
    single = bench.key(region=bench.other_region)
    wrong: dict[str, Any] = {**replica, "Properties": {**properties, "PrimaryKeyArn": single}}
    bad = _status(bench, _create(bench, {"Replica": wrong}))
    bench.contrasts("of a single-Region key it fails", bad.startswith("ROLLBACK"))


@probe(template("s3-bucket"), slow=True)
def a_bucket_keeps_its_encryption(bench: Bench) -> None:
    """BucketEncryption of AWS::S3::Bucket is the bucket's default encryption.

    The bucket with a key says aws:kms and the key; the one without says AES256.
    """
    rule: dict[str, Any] = {
        "ServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
        },
        "BucketKeyEnabled": True,
    }
    sealed: dict[str, Any] = {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]},
            "Tags": bench.tag_list,
        },
    }
    plain: dict[str, Any] = {"Type": "AWS::S3::Bucket", "Properties": {"Tags": bench.tag_list}}
    found = _outputs(
        bench,
        _create(
            bench,
            {"Key": _key(bench), "Sealed": sealed, "Plain": plain},
            {"Key": {"Fn::GetAtt": ["Key", "Arn"]}, "Sealed": {"Ref": "Sealed"}, "Plain": {"Ref": "Plain"}},
        ),
    )

    def default(bucket: str) -> dict[str, Any]:
        answer = bench.works("s3:GetBucketEncryption", Bucket=bucket)
        applied: dict[str, Any] = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
        return applied

    rule = default(found["Sealed"])
    applied = rule["ApplyServerSideEncryptionByDefault"]
    bench.equal("the algorithm", applied["SSEAlgorithm"], "aws:kms")
    bench.equal("the key", applied["KMSMasterKeyID"] == found["Key"], expected=True)
    bench.equal("the Bucket Key", rule.get("BucketKeyEnabled"), expected=True)
    plainly = default(found["Plain"])["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    bench.contrasts("the other bucket says AES256", plainly == "AES256")


@probe(cloudformation("using-cfn-stack-drift"), slow=True)
def drift_of_a_key_is_detected(bench: Bench) -> None:
    """Drift detection tells a key that was changed beside its template.

    Untouched the stack is IN_SYNC; after UpdateKeyDescription it is DRIFTED.
    """
    stack = _create(bench, {"Key": _key(bench, Description="as made")}, {"Key": {"Ref": "Key"}})
    key = _outputs(bench, stack)["Key"]

    def drift() -> str:
        asked = bench.works("cloudformation:DetectStackDrift", StackName=stack)["StackDriftDetectionId"]

        def done() -> str:
            told = bench.make("cloudformation:DescribeStackDriftDetectionStatus", StackDriftDetectionId=asked)
            finished = told["DetectionStatus"] == "DETECTION_COMPLETE"
            return str(told["StackDriftStatus"]) if finished else ""

        return bench.wait(done, "drift status", seconds=STACK_SECONDS)

    bench.equal("the untouched stack", drift(), "IN_SYNC")
    bench.make("UpdateKeyDescription", KeyId=key, Description="changed")
    bench.contrasts("the changed one is DRIFTED", drift() == "DRIFTED")
