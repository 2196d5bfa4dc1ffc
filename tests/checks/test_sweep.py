from __future__ import annotations

import pytest

from kmslab.checks.samples import OBJECT_PREFIX, sample_object
from kmslab.checks.sweep import retire, sweep
from kmslab.checks.temporary import seen_leaving
from kmslab.lab import Lab
from kmslab.model.capability import ALL
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, RUN, FakeAccess, Request, key_arn
from tests.checks.lab_world import LabWorld, good_lab, key

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:kms-lab-alarm-0123"
TOPIC = f"{OUTPUTS.alarm_topic}:0123"


def nothing_left_behind(world: LabWorld) -> LabWorld:
    """Tell the world of the services that only a sweep asks; temporary keys are found by their tags."""

    world.answers("ec2:DescribeVolumes", {"Volumes": []}).answers("ec2:DescribeSnapshots", {"Snapshots": []})
    world.answers("ssm:GetParametersByPath", {"Parameters": []})
    world.answers("secretsmanager:ListSecrets", {"SecretList": []}).answers("s3:ListMultipartUploads", {})
    world.answers("cloudformation:ListStacks", {"StackSummaries": []})
    return world


@pytest.fixture
def world() -> LabWorld:
    return nothing_left_behind(good_lab())


def leave_key(world: LabWorld, state: str = "Enabled", *, run: str = "run-0") -> str:
    arn = key_arn(run)
    tags = [{"TagKey": TEMPORARY_TAG, "TagValue": run}, {"TagKey": PREFIX_TAG, "TagValue": PREFIX}]
    world.kms.add(arn, "alias/kms-lab/temporary-run-0", state=state, tags=tags)
    return arn


def test_a_clean_lab_is_left_alone(world: LabWorld) -> None:
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert (swept.removed, swept.problems) == ([], [])
    assert {one.state for one in world.kms.keys.values()} <= {"Enabled", "PendingImport"}


def test_a_temporary_key_is_scheduled_for_deletion_and_its_alias_removed(world: LabWorld) -> None:
    arn = leave_key(world)
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert world.kms.keys[arn].state == "PendingDeletion"
    assert swept.removed == ["alias alias/kms-lab/temporary-run-0", f"key {arn}"]
    assert world.asked("kms:ScheduleKeyDeletion")[0]["PendingWindowInDays"] == 7
    assert {one.state for one in world.kms.keys.values() if one.arn != arn} <= {"Enabled", "PendingImport"}


def test_a_key_on_its_way_out_is_not_touched_again(world: LabWorld) -> None:
    leave_key(world, "PendingDeletion")
    assert sweep(FakeAccess(world), OUTPUTS).removed == []


def test_keys_that_are_seen_on_their_way_out_are_remembered_for_the_run(world: LabWorld) -> None:
    leaving = leave_key(world, "PendingDeletion", run="run-1")
    leave_key(world, run="run-2")
    access = FakeAccess(world)
    sweep(access, OUTPUTS, run_id=RUN)
    assert seen_leaving(access, RUN) == {leaving}, "what was removed a moment ago is to be looked at again"


def test_a_key_of_somebodys_stack_is_left_though_it_has_both_tags(world: LabWorld) -> None:
    """Tags of a stack reach its keys. CloudFormation is asked only when a key is to be deleted, and once."""
    ours, theirs, gone = (leave_key(world, run=f"run-{name}") for name in ("ours", "theirs", "gone"))
    stacks = [{"StackId": "another", "StackStatus": "CREATE_COMPLETE"}]
    stacks += [{"StackId": "deleted", "StackStatus": "DELETE_COMPLETE"}]
    world.answers("cloudformation:ListStacks", {"StackSummaries": stacks})
    owned = {"another": theirs, "deleted": gone}
    world.answers(
        "cloudformation:ListStackResources",
        lambda request: {
            "StackResourceSummaries": [
                {
                    "PhysicalResourceId": owned[request["StackName"]].rpartition("/")[2],
                    "ResourceType": "AWS::KMS::Key",
                }
            ]
        },
    )
    swept = sweep(FakeAccess(world), OUTPUTS, runs=None)
    assert swept.problems == []
    assert [world.kms.keys[arn].state for arn in (ours, theirs, gone)] == [
        "PendingDeletion",
        "Enabled",
        "PendingDeletion",
    ]
    assert len(world.asked("cloudformation:ListStacks")) == 1


def test_nobody_asks_for_stacks_where_no_key_is_left(world: LabWorld) -> None:
    leave_key(world, "PendingDeletion")
    assert sweep(FakeAccess(world), OUTPUTS).problems == []
    assert world.asked("cloudformation:ListStacks") == []


def test_what_says_that_it_is_of_a_stack_is_left(world: LabWorld) -> None:
    tags = [{"Key": TEMPORARY_TAG, "Value": "run-0"}, {"Key": PREFIX_TAG, "Value": PREFIX}]
    theirs = [*tags, {"Key": "aws:cloudformation:stack-name", "Value": "another"}]
    world.answers("ec2:DescribeVolumes", {"Volumes": [{"VolumeId": "vol-1", "Tags": theirs}]})
    world.answers("ec2:DescribeSnapshots", {"Snapshots": [{"SnapshotId": "snap-1", "Tags": theirs}]})
    listed = [{"ResourceARN": QUEUE, "Tags": theirs}]
    world.answers("resourcegroupstaggingapi:GetResources", {"ResourceTagMappingList": listed})
    secrets = [{"ARN": "arn:theirs", "Tags": theirs}]
    world.answers("secretsmanager:ListSecrets", {"SecretList": secrets})
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert (swept.removed, swept.problems) == ([], [])


def test_only_the_latest_runs_are_looked_after(world: LabWorld) -> None:
    left = [leave_key(world, run=f"run-{number}") for number in (5, 1, 2, 4, 3)]
    sweep(FakeAccess(world), OUTPUTS)
    assert [world.kms.keys[arn].state for arn in left] == [
        "PendingDeletion",
        "Enabled",
        "Enabled",
        "PendingDeletion",
        "Enabled",
    ]
    assert {request["KeyId"] for request in world.asked("kms:DescribeKey")}.isdisjoint([*left[1:3], left[4]])


def test_a_key_that_a_check_stopped_is_restarted(world: LabWorld) -> None:
    key(world, "app").state = "Disabled"
    key(world, "app").tags.append({"TagKey": "kmslab:stopped", "TagValue": "run-0"})
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert swept.removed == [f"stop of {key_arn('app')}"]
    assert key(world, "app").state == "Enabled"
    assert [tag["TagKey"] for tag in key(world, "app").tags] == [PREFIX_TAG]


def test_a_key_that_somebody_else_disabled_stays_disabled(world: LabWorld) -> None:
    key(world, "app").state = "Disabled"
    assert sweep(FakeAccess(world), OUTPUTS).removed == []
    assert key(world, "app").state == "Disabled"


def test_grants_of_checks_are_revoked_and_others_kept(world: LabWorld) -> None:
    world.kms.grants = {
        "a" * 64: {"GrantId": "a" * 64, "Name": "kmslab-temporary"},
        "b" * 64: {"GrantId": "b" * 64, "Name": "somebody's own"},
        "c" * 64: {"GrantId": "c" * 64},
        "d" * 64: {"GrantId": "d" * 64, "Name": "kmslab-temporary-1a2b"},
    }
    assert sorted(sweep(FakeAccess(world), OUTPUTS).removed) == ["grant aaaaaaaa", "grant dddddddd"]
    assert sorted(world.kms.grants) == ["b" * 64, "c" * 64]


def test_objects_of_checks_are_removed_and_others_kept(world: LabWorld) -> None:
    bucket = OUTPUTS.data_bucket
    world.objects = {(bucket, f"{OBJECT_PREFIX}run-0/{name}"): b"" for name in "xyz"}
    world.objects[bucket, "report.pdf"] = b""
    assert sweep(FakeAccess(world), OUTPUTS).removed == [f"object versions in {bucket} (3)"]
    assert list(world.objects) == [(bucket, "report.pdf")]
    assert [one["Bucket"] for one in world.asked("s3:DeleteObjects")] == [bucket]


def test_the_end_of_a_run_removes_its_objects_and_no_other_runs(world: LabWorld) -> None:
    access = FakeAccess(world)
    buckets = (OUTPUTS.data_bucket, OUTPUTS.sse_s3_bucket)
    other = sample_object(Lab(access, OUTPUTS, ALL, "run-0002"))
    other.put()
    for bucket in buckets:
        for _ in range(2):
            sample_object(Lab(access, OUTPUTS, ALL, RUN), bucket).put()
    swept = retire(access, RUN)
    assert sorted(swept.removed) == sorted(f"object versions in {bucket} (2)" for bucket in buckets)
    assert list(world.objects) == [(other.bucket, other.key)]
    assert {one.persona for one in world.asked("s3:DeleteObjects")} == {Persona.OPERATOR}
    assert len(world.asked("s3:ListObjectVersions")) == len(world.asked("s3:DeleteObjects")) == len(buckets)


def test_an_object_that_s3_keeps_is_told(world: LabWorld) -> None:
    """DeleteObjects succeeds as a whole and says of each object whether it is gone."""
    access = FakeAccess(world)
    lab = Lab(access, OUTPUTS, ALL, RUN)
    kept, other = sample_object(lab), sample_object(lab, OUTPUTS.dsse_bucket)
    kept.put()
    other.put()
    locked = {
        "Key": kept.key,
        "VersionId": "1",
        "Code": "AccessDenied",
        "Message": "protected by object lock",
    }
    world.answers(
        "s3:DeleteObjects", {"Errors": [locked]}, when=lambda request: request["Bucket"] == kept.bucket
    )
    swept = retire(access, RUN)
    assert swept.removed == [f"object versions in {other.bucket} (1)"]
    (problem,) = swept.problems
    assert f"S3 keeps 1 of them, {kept.key} for one: AccessDenied, protected by object lock" in problem


def test_a_bucket_that_cannot_be_listed_is_told_and_the_next_has_its_turn(world: LabWorld) -> None:
    access = FakeAccess(world)
    lab = Lab(access, OUTPUTS, ALL, RUN)
    first, second = sorted(
        (sample_object(lab), sample_object(lab, OUTPUTS.dsse_bucket)), key=lambda one: one.bucket
    )
    first.put()
    second.put()
    world.refuses("s3:ListObjectVersions", when=lambda request: request["Bucket"] == first.bucket)
    swept = retire(access, RUN)
    assert swept.removed == [f"object versions in {second.bucket} (1)"]
    assert [one.partition(" could not")[0] for one in swept.problems] == [f"objects of {first.bucket}"]


def test_volumes_snapshots_parameters_and_queues(world: LabWorld) -> None:
    def ours(request: Request) -> bool:
        wanted = [
            {"Name": "tag-key", "Values": [TEMPORARY_TAG]},
            {"Name": f"tag:{PREFIX_TAG}", "Values": [PREFIX]},
        ]
        return bool(request["Filters"] == wanted)

    world.answers("ec2:DescribeVolumes", {"Volumes": [{"VolumeId": "vol-1"}]}, when=ours)
    world.answers("ec2:DescribeSnapshots", {"Snapshots": [{"SnapshotId": "snap-1"}]}, when=ours)
    world.answers("ec2:DeleteVolume", {}).answers("ec2:DeleteSnapshot", {})
    world.answers(
        "ssm:GetParametersByPath",
        {"Parameters": [{"Name": "/kms-lab/temporary/x"}]},
        when=lambda request: request["Path"] == "/kms-lab/temporary/",
    ).answers("ssm:DeleteParameter", {})
    left = {"ResourceARN": QUEUE, "Tags": [{"Key": TEMPORARY_TAG, "Value": "run-0"}]}
    world.answers("resourcegroupstaggingapi:GetResources", {"ResourceTagMappingList": [left]})
    subscriptions = [
        {"SubscriptionArn": TOPIC, "Endpoint": QUEUE},
        {"SubscriptionArn": "other", "Endpoint": "somebody@example.com"},
    ]
    world.answers("sns:ListSubscriptions", {"Subscriptions": subscriptions}).answers("sns:Unsubscribe", {})
    world.answers("sqs:GetQueueUrl", {"QueueUrl": "https://queue"}).answers("sqs:DeleteQueue", {})
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert sorted(swept.removed) == [
        "parameter /kms-lab/temporary/x",
        f"queue {QUEUE}",
        "snapshot snap-1",
        f"subscription {TOPIC}",
        "volume vol-1",
    ]
    assert swept.problems == []


def test_what_is_gone_already_is_no_problem(world: LabWorld) -> None:
    world.answers("ec2:DescribeVolumes", {"Volumes": [{"VolumeId": "vol-1"}]})
    world.refuses("ec2:DeleteVolume", code="InvalidVolume.NotFound")
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert (swept.removed, swept.problems) == ([], [])


def listed(world: LabWorld, *arns: str) -> None:
    """Let the tagging service list things of one run."""
    tags = [{"Key": TEMPORARY_TAG, "Value": "run-0"}, {"Key": PREFIX_TAG, "Value": PREFIX}]
    answer = {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags} for arn in arns]}
    world.answers("resourcegroupstaggingapi:GetResources", answer)


@pytest.mark.parametrize("code", ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"])
def test_what_is_listed_and_gone_is_no_problem_and_the_next_has_its_turn(world: LabWorld, code: str) -> None:
    left = leave_key(world)
    listed(world, key_arn("gone"), QUEUE, left)
    world.answers("sns:ListSubscriptions", {"Subscriptions": []}).refuses("sqs:GetQueueUrl", code=code)
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert swept.problems == []
    assert swept.removed[-1] == f"key {left}"


def test_what_cannot_be_looked_at_is_told_and_the_next_has_its_turn(world: LabWorld) -> None:
    first, second = leave_key(world, run="run-1"), leave_key(world, run="run-2")
    listed(world, first, second)
    world.refuses("kms:DescribeKey", when=lambda request: request["KeyId"] == first)
    stop = {"TagKey": "kmslab:stopped", "TagValue": "run-0"}
    for name in ("app", "s3"):
        key(world, name).tags.append(stop)
    world.refuses("kms:ListResourceTags", when=lambda request: request["KeyId"] == key_arn("app"))
    bucket = OUTPUTS.data_bucket
    world.objects = {(OUTPUTS.sse_s3_bucket, f"{OBJECT_PREFIX}run-0/x"): b""}
    world.refuses("s3:ListObjectVersions", when=lambda request: request["Bucket"] == bucket)
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert {f"key {second}", f"stop of {key_arn('s3')}"} <= set(swept.removed)
    assert world.objects == {}
    assert sorted(problem.partition(" could not")[0] for problem in swept.problems) == [
        f"kms:key {first}",
        f"objects of {bucket}",
        f"stop of {key_arn('app')}",
    ]


def test_what_a_probe_left_is_removed_from_the_inside_out(world: LabWorld) -> None:
    rule, bucket = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/kms-lab-probe-1", "arn:aws:s3:::kmslab-probe-1"
    listed(world, rule, bucket)
    world.answers("events:ListTargetsByRule", {"Targets": [{"Id": "queue", "Arn": QUEUE}]})
    world.answers("events:RemoveTargets", {}).answers("events:DeleteRule", {})
    world.objects = {("kmslab-probe-1", "open"): b""}
    world.answers("s3:ListObjectsV2", {"Contents": [{"Key": "open"}]}).answers("s3:DeleteBucket", {})
    world.answers("s3:DeleteObject", {})
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert swept.removed == [
        f"targets of {rule}",
        f"rule {rule}",
        "object kmslab-probe-1/open",
        "bucket kmslab-probe-1",
    ]
    assert world.asked("events:RemoveTargets")[0].parameters == {"Rule": "kms-lab-probe-1", "Ids": ["queue"]}
    assert world.asked("s3:DeleteBucket")[0]["Bucket"] == "kmslab-probe-1"
    wanted = world.asked("resourcegroupstaggingapi:GetResources")[0]["ResourceTypeFilters"]
    assert wanted == ["kms:key", "sqs", "events:rule", "s3"]


def test_a_problem_is_told_and_the_rest_is_swept(world: LabWorld) -> None:
    world.refuses("resourcegroupstaggingapi:GetResources")
    world.answers("ec2:DescribeVolumes", {"Volumes": [{"VolumeId": "vol-1"}]})
    world.refuses("ec2:DeleteVolume", code="VolumeInUse")
    key(world, "app").tags.append({"TagKey": "kmslab:stopped", "TagValue": "run-0"})
    swept = sweep(FakeAccess(world), OUTPUTS)
    assert swept.removed == [f"stop of {key_arn('app')}"]
    assert sorted(problem.split(":")[0] for problem in swept.problems) == [
        "could not look for leftover tagged",
        "volume vol-1 could not be removed",
    ]


def test_keys_of_another_lab_are_not_looked_at(world: LabWorld) -> None:
    arn = leave_key(world)
    world.kms.keys[arn].tags[1]["TagValue"] = "class-7"
    assert sweep(FakeAccess(world), OUTPUTS).removed == []
    assert world.kms.keys[arn].state == "Enabled"


def test_secrets_of_checks_are_removed_at_once_and_others_kept(world: LabWorld) -> None:
    ours = {
        "ARN": "arn:ours",
        "Name": "kms-lab-temporary-run-0-1",
        "Tags": [{"Key": TEMPORARY_TAG, "Value": "run-0"}],
    }
    untagged = {"ARN": "arn:somebodys", "Name": "kms-lab-temporary-files"}
    world.answers("secretsmanager:ListSecrets", {"SecretList": [ours, untagged]})
    world.answers("secretsmanager:DeleteSecret", {})
    assert sweep(FakeAccess(world), OUTPUTS).removed == ["secret arn:ours"]
    (asked,) = world.asked("secretsmanager:ListSecrets")
    assert asked["Filters"] == [{"Key": "name", "Values": ["kms-lab-temporary-"]}]
    (deleted,) = world.asked("secretsmanager:DeleteSecret")
    assert deleted.parameters == {"SecretId": "arn:ours", "ForceDeleteWithoutRecovery": True}


def test_unfinished_uploads_of_checks_are_aborted(world: LabWorld) -> None:
    key, bucket = f"{OBJECT_PREFIX}run-0/x", OUTPUTS.data_bucket
    world.answers("s3:ListMultipartUploads", {"Uploads": [{"Key": key, "UploadId": "u"}]})
    world.answers("s3:AbortMultipartUpload", {})
    assert sweep(FakeAccess(world), OUTPUTS).removed == [f"upload of {bucket}/{key}"]
    (asked,) = world.asked("s3:ListMultipartUploads")
    assert (asked["Bucket"], asked["Prefix"]) == (bucket, OBJECT_PREFIX)
    (aborted,) = world.asked("s3:AbortMultipartUpload")
    assert aborted.parameters == {"Bucket": bucket, "Key": key, "UploadId": "u"}
