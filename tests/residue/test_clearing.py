"""What ``kmslab down`` takes away beside the stacks, and what it leaves because it is not, or may not be, the lab's."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from kmslab.checks.sweep import sweep_without_lab
from kmslab.faults.workshop import FAULT_TAG
from kmslab.model.errors import LabError
from kmslab.model.naming import TEMPORARY_TAG
from kmslab.residue.clearing import empty_failed_buckets, remove_log_groups, remove_what_faults_made
from kmslab.residue.settings import note, noted, put_back, read_settings
from kmslab.residue.stacks import FUNCTION, Membership, Owned
from tests.residue.conftest import create_stack, delete_stack, tags

if TYPE_CHECKING:
    from tests.residue.conftest import SmallLab

OF_A_STACK = {"Key": "aws:cloudformation:stack-name", "Value": "another"}


def owned(kind: str, physical_id: str, *, standing: bool = False, status: str = "DELETE_COMPLETE") -> Owned:
    return Owned(physical_id, kind, status, None, "One", "arn", standing)


def membership(*resources: Owned) -> Membership:
    return Membership({}, {(one.kind, one.physical_id): one for one in resources})


def volume(ec2: Any, *given: dict[str, str]) -> str:
    specification = [{"ResourceType": "volume", "Tags": list(given)}] if given else []
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, TagSpecifications=specification)
    return str(made["VolumeId"])


def volumes(ec2: Any) -> set[str]:
    return {
        one["VolumeId"]
        for page in ec2.get_paginator("describe_volumes").paginate()
        for one in page["Volumes"]
    }


def groups(logs: Any, *names: str) -> list[str]:
    found = [
        one["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for one in page["logGroups"]
    ]
    return [name for name in names if name in found]


def test_a_log_group_goes_by_membership_not_by_name(small: SmallLab) -> None:
    logs, prefix = small.client("logs"), small.prefix
    ours, longer, theirs = (f"/aws/lambda/{prefix}-{name}" for name in ("Empties", "Empties-2", "Other"))
    for name in (ours, longer, theirs):
        logs.create_log_group(logGroupName=name)
    known = membership(owned(FUNCTION, f"{prefix}-Empties"), owned(FUNCTION, f"{prefix}-Never-ran"))
    assert list(remove_log_groups(small.access, known)) == [f"log group {ours} removed"]
    assert groups(logs, ours, longer, theirs) == [longer, theirs]


def test_the_log_group_of_a_function_that_is_there_is_left(small: SmallLab) -> None:
    """Somebody made a function of the same name after the lab's was gone, or the lab's still stands."""
    iam, logs, name = small.client("iam"), small.client("logs"), f"{small.prefix}-Empties"
    trust = '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    code = {"ZipFile": EMPTY_ZIP}
    small.client("lambda").create_function(
        FunctionName=name, Role=role, Code=code, Runtime="python3.12", Handler="a.b"
    )
    group = f"/aws/lambda/{name}"
    if not groups(logs, group):
        logs.create_log_group(logGroupName=group)
    assert list(remove_log_groups(small.access, membership(owned(FUNCTION, name)))) == []
    assert list(remove_log_groups(small.access, membership(owned(FUNCTION, name, standing=True)))) == []
    assert groups(logs, group) == [group]


EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def test_what_faults_made_goes_by_their_tag(small: SmallLab) -> None:
    ec2, kms, prefix = small.client("ec2"), small.client("kms"), small.prefix
    ours = volume(ec2, {"Key": FAULT_TAG, "Value": prefix})
    left = {
        volume(ec2, *tags(prefix)),  # the lab's tag alone: somebody may have made it for themselves
        volume(ec2, {"Key": FAULT_TAG, "Value": f"{prefix}-2"}),
        volume(ec2, {"Key": FAULT_TAG, "Value": prefix}, OF_A_STACK),
        volume(ec2, {"Key": "Name", "Value": "data1-rebuilt"}),
    }
    key = kms.create_key(Tags=[{"TagKey": FAULT_TAG, "TagValue": prefix}])["KeyMetadata"]["Arn"]
    own = kms.create_key(Tags=[{"TagKey": "kmslab:prefix", "TagValue": prefix}])["KeyMetadata"]["Arn"]
    lines = set(remove_what_faults_made(small.access))
    assert lines == {f"volume {ours} removed", f"key {key} removed"}
    assert ours not in volumes(ec2)
    assert left <= volumes(ec2)
    states = [kms.describe_key(KeyId=one)["KeyMetadata"]["KeyState"] for one in (key, own)]
    assert states == ["PendingDeletion", "Enabled"]


def test_a_key_of_somebodys_stack_is_left_though_it_looks_like_a_faults(small: SmallLab) -> None:
    """Stack tags reach its keys, and CloudFormation puts no tag of its own on a key."""
    cloudformation, kms, prefix = small.client("cloudformation"), small.client("kms"), small.prefix
    everything = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    properties = {"KeyPolicy": {"Version": "2012-10-17", "Statement": [everything]}}
    body = json.dumps({"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": properties}}})
    stack = f"another-{prefix}"
    create_stack(cloudformation, stack, prefix, body, kmslab__fault=prefix)
    (listed,) = cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
    theirs = listed["PhysicalResourceId"]
    marks = {one["TagKey"]: one["TagValue"] for one in kms.list_resource_tags(KeyId=theirs)["Tags"]}
    assert marks[FAULT_TAG] == prefix
    assert not any(name.startswith("aws:") for name in marks)
    ours = kms.create_key(Tags=[{"TagKey": FAULT_TAG, "TagValue": prefix}])["KeyMetadata"]["Arn"]
    assert list(remove_what_faults_made(small.access)) == [f"key {ours} removed"]
    states = [kms.describe_key(KeyId=one)["KeyMetadata"]["KeyState"] for one in (ours, theirs)]
    assert states == ["PendingDeletion", "Enabled"]
    delete_stack(cloudformation, stack)


def test_what_cannot_be_removed_is_told_and_the_rest_removed(small: SmallLab) -> None:
    ec2, prefix = small.client("ec2"), small.prefix
    held = volume(ec2, {"Key": FAULT_TAG, "Value": prefix})
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    ec2.attach_volume(VolumeId=held, InstanceId=instance, Device="/dev/sdf")
    free = volume(ec2, {"Key": FAULT_TAG, "Value": prefix})
    lines = set(remove_what_faults_made(small.access))
    assert f"volume {free} removed" in lines
    assert any(line.startswith(f"volume {held} could not be removed: ") for line in lines)
    ec2.detach_volume(VolumeId=held)
    ec2.terminate_instances(InstanceIds=[instance])


def test_checks_things_of_every_run_are_swept_and_look_alikes_are_not(small: SmallLab) -> None:
    kms, prefix = small.client("kms"), small.prefix

    def key(**given: str) -> str:
        named = [{"TagKey": name.replace("__", ":"), "TagValue": value} for name, value in given.items()]
        return str(kms.create_key(Tags=named)["KeyMetadata"]["Arn"])

    runs = [key(kmslab__prefix=prefix, kmslab__temporary=f"run-{number}") for number in range(4)]
    left = [
        key(kmslab__prefix=f"{prefix}-2", kmslab__temporary="run-1"),
        key(kmslab__temporary="run-1"),
        key(kmslab__prefix=prefix),
    ]
    assert TEMPORARY_TAG == "kmslab:temporary"
    swept = sweep_without_lab(small.access, runs=None)
    assert swept.problems == []
    assert {f"key {one}" for one in runs} == set(swept.removed)
    states = {one: kms.describe_key(KeyId=one)["KeyMetadata"]["KeyState"] for one in (*runs, *left)}
    assert {states[one] for one in runs} == {"PendingDeletion"}
    assert {states[one] for one in left} == {"Enabled"}


def test_a_bucket_that_would_not_go_is_emptied_with_its_versions(small: SmallLab) -> None:
    s3, name = small.client("s3"), next(one.physical_id for one in small.membership().of("AWS::S3::Bucket"))
    for body in (b"first", b"second"):
        s3.put_object(Bucket=name, Key="AWSLogs/late", Body=body)
    s3.delete_object(Bucket=name, Key="AWSLogs/late")
    s3.create_multipart_upload(Bucket=name, Key="unfinished")
    assert list(empty_failed_buckets(small.access, small.membership())) == []  # it has not failed
    failed = membership(owned("AWS::S3::Bucket", name, standing=True, status="DELETE_FAILED"))
    assert list(empty_failed_buckets(small.access, failed)) == [name]
    found = s3.list_object_versions(Bucket=name)
    assert (found.get("Versions", []), found.get("DeleteMarkers", [])) == ([], [])
    assert s3.list_multipart_uploads(Bucket=name).get("Uploads", []) == []


def test_a_bucket_in_which_s3_keeps_something_is_not_called_empty() -> None:
    """S3 says so of the version, and not of the request."""
    locked = {"Key": "kept", "VersionId": "1"}
    pages = {"list_object_versions": [{"Versions": [locked, {"Key": "free", "VersionId": "2"}]}]}
    asked: list[Any] = []

    def delete(*, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # boto3's names
        asked.append((Bucket, [one["Key"] for one in Delete["Objects"]]))
        return {"Errors": [{**locked, "Code": "AccessDenied"}]}

    s3 = SimpleNamespace(
        get_paginator=lambda name: SimpleNamespace(paginate=lambda **_: pages[name]), delete_objects=delete
    )
    access = cast("Any", SimpleNamespace(client=lambda *_: s3))
    failed = membership(owned("AWS::S3::Bucket", "full", standing=True, status="DELETE_FAILED"))
    with pytest.raises(LabError, match="S3 keeps 1 object versions in full: AccessDenied of kept"):
        list(empty_failed_buckets(access, failed))
    assert asked == [("full", ["kept", "free"])]


def test_settings_of_the_account_come_back_as_they_were(small: SmallLab) -> None:
    ec2, before = small.client("ec2"), read_settings(small.access)
    note(small.access)
    key = small.client("kms").create_key()["KeyMetadata"]["Arn"]
    ec2.enable_ebs_encryption_by_default()
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    note(small.access)  # a second `kmslab up` keeps the first note
    assert noted(small.access) == before
    lines = list(put_back(small.access, small.membership()))
    assert lines == [
        f"the default key for EBS is {before.key} again",
        "EBS encryption by default is off again",
        "block public access for snapshots is unblocked again",
    ]
    assert read_settings(small.access) == before
    assert noted(small.access) is None


def test_settings_that_were_on_before_the_lab_stay_on(small: SmallLab) -> None:
    ec2 = small.client("ec2")
    ec2.enable_ebs_encryption_by_default()
    ec2.enable_snapshot_block_public_access(State="block-new-sharing")
    try:
        note(small.access)
        ec2.disable_ebs_encryption_by_default()
        ec2.disable_snapshot_block_public_access()
        assert len(list(put_back(small.access, small.membership()))) == 2
        assert read_settings(small.access).encrypts
        assert read_settings(small.access).sharing == "block-new-sharing"
    finally:
        ec2.disable_ebs_encryption_by_default()
        ec2.disable_snapshot_block_public_access()


def test_nothing_is_put_back_that_did_not_change(small: SmallLab) -> None:
    note(small.access)
    assert list(put_back(small.access, small.membership())) == []


def test_without_a_note_only_a_default_key_of_the_lab_is_reset(small: SmallLab) -> None:
    ec2 = small.client("ec2")
    before = read_settings(small.access)
    own = small.client("kms").create_key()["KeyMetadata"]["Arn"]
    try:
        ec2.modify_ebs_default_kms_key_id(KmsKeyId=own)
        assert list(put_back(small.access, small.membership())) == []
        ec2.modify_ebs_default_kms_key_id(KmsKeyId=small.key)
        assert list(put_back(small.access, small.membership())) == [
            "the default key for EBS was the lab's: it is AWS's own again"
        ]
        assert read_settings(small.access) == before
    finally:
        ec2.reset_ebs_default_kms_key_id()
