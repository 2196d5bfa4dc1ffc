"""Who says until when a key waits, and what a proof says of what it could not look at."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.residue.model import State
from kmslab.residue.proof import read_residue
from kmslab.residue.stacks import MEMORY, read_membership
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, FakeAccess, Request, World
from tests.residue.fakes import empty_account

if TYPE_CHECKING:
    from kmslab.residue.model import Found, Residue

KEY = OUTPUTS.key_app
KEY_ID = KEY.rpartition("/")[2]
DELETED_AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{PREFIX}-keys/1"
TAGS = [{"Key": "kmslab:prefix", "Value": PREFIX}]


@pytest.fixture
def world() -> World:
    """A destroyed lab: its key is there, and its policy lets nobody look; nobody says anything of it."""
    world = empty_account()
    world.answers("kms:ListKeys", {"Keys": [{"KeyId": KEY_ID, "KeyArn": KEY}]})
    world.refuses("kms:DescribeKey")
    world.refuses("kms:ListResourceTags")
    world.answers("resourcegroupstaggingapi:GetResources", _tagged)
    return world


def _tagged(request: Request) -> dict[str, Any]:
    ours = request.region in ("", REGION) and request["TagFilters"][0]["Key"] == "kmslab:prefix"
    return {"ResourceTagMappingList": [{"ResourceARN": KEY, "Tags": TAGS}] if ours else []}


def deleted_stack(
    world: World, *, tags: list[dict[str, str]] | None = None, at: datetime = DELETED_AT
) -> None:
    """CloudFormation tells of the stack, of its key, and of its template."""
    stack = {"StackName": f"{PREFIX}-keys", "StackId": STACK_ID, "StackStatus": "DELETE_COMPLETE"}
    times = {"CreationTime": at, "DeletionTime": at}
    world.answers("cloudformation:ListStacks", {"StackSummaries": [{**stack, **times}]})
    described = {**stack, "CreationTime": at, "Tags": TAGS if tags is None else tags}
    world.answers(
        "cloudformation:DescribeStacks", {"Stacks": [described]}, when=lambda r: bool(r.get("StackName"))
    )
    resource = {
        "LogicalResourceId": "App",
        "PhysicalResourceId": KEY_ID,
        "ResourceType": "AWS::KMS::Key",
        "ResourceStatus": "DELETE_COMPLETE",
        "LastUpdatedTimestamp": DELETED_AT,
    }
    world.answers("cloudformation:ListStackResources", {"StackResourceSummaries": [resource]})
    template = {"Resources": {"App": {"Type": "AWS::KMS::Key", "Properties": {"PendingWindowInDays": 9}}}}
    world.answers("cloudformation:GetTemplate", {"TemplateBody": json.dumps(template)})


def trail_tells(world: World, name: str, at: str, **more: Any) -> None:
    asked = {"keyId": KEY_ID, "pendingWindowInDays": 9}
    event = {"eventName": name, "eventTime": at, "requestParameters": asked, **more}
    told = {"Events": [{"CloudTrailEvent": json.dumps(event)}]}
    world.answers(
        "cloudtrail:LookupEvents", told, when=lambda r: r["LookupAttributes"][0]["AttributeValue"] == name
    )


def proof(world: World) -> Residue:
    return read_residue(FakeAccess(world))


def key(world: World) -> Found:
    (found,) = proof(world).things
    assert found.id == KEY
    return found


def test_an_empty_account_is_clean() -> None:
    residue = proof(empty_account())
    assert (residue.things, residue.unseen, residue.clean) == ((), (), True)


def test_kms_is_believed_first(world: World) -> None:
    about = {"KeyId": KEY_ID, "KeyState": "PendingDeletion", "DeletionDate": DELETED_AT + timedelta(days=7)}
    world.answers("kms:DescribeKey", {"KeyMetadata": about})
    trail_tells(world, "ScheduleKeyDeletion", "2020-01-01T00:00:00Z")
    assert (key(world).said_by, key(world).until) == ("kms", "2026-11-29T08:00:00Z")


def test_a_key_that_kms_does_not_know_any_more_is_gone(world: World) -> None:
    world.refuses("kms:DescribeKey", code="NotFoundException")
    assert proof(world).things == ()


def test_then_the_trail(world: World) -> None:
    deleted_stack(world)
    trail_tells(world, "ScheduleKeyDeletion", "2026-11-22T08:00:05Z")
    assert (key(world).state, key(world).said_by) == (State.GOING, "cloudtrail")
    assert key(world).until == "2026-12-01T08:00:05Z"


def test_a_refused_call_of_the_trail_says_nothing(world: World) -> None:
    trail_tells(world, "ScheduleKeyDeletion", "2026-11-22T08:00:05Z", errorCode="AccessDenied")
    assert key(world).state is State.UNSEEN


@pytest.mark.parametrize(
    ("scheduled", "state"), [("2026-11-22T08:00:00Z", State.LEFT), ("2026-11-22T10:00:00Z", State.GOING)]
)
def test_the_last_word_of_the_trail_counts(world: World, scheduled: str, state: State) -> None:
    trail_tells(world, "ScheduleKeyDeletion", scheduled)
    trail_tells(world, "CancelKeyDeletion", "2026-11-22T09:00:00Z")
    assert key(world).state is state


def test_then_cloudformation_while_the_trail_lags(world: World) -> None:
    deleted_stack(world)
    found = key(world)
    assert (found.state, found.said_by, found.until) == (
        State.GOING,
        "cloudformation",
        "2026-12-01T08:00:00Z",
    )
    assert found.note == "the trail does not tell of it yet"


def test_a_key_of_which_nobody_tells_is_not_taken_for_gone(world: World) -> None:
    residue = proof(world)
    assert [one.state for one in residue.things] == [State.UNSEEN]
    assert not residue.clean


def test_at_last_the_root_user_where_somebody_may_play_it(world: World) -> None:
    about = {"KeyId": KEY_ID, "KeyState": "PendingDeletion", "DeletionDate": DELETED_AT + timedelta(days=7)}
    owner = FakeAccess(World().answers("kms:DescribeKey", {"KeyMetadata": about}))
    (found,) = read_residue(FakeAccess(world), owner=owner).things
    assert (found.state, found.until, found.note) == (
        *(State.GOING, "2026-11-29T08:00:00Z", "asked as the root user"),
    )


def test_a_trail_that_does_not_answer_is_told(world: World) -> None:
    world.refuses("cloudtrail:LookupEvents")
    assert proof(world).unseen == ("cloudtrail:LookupEvents: AccessDeniedException",)


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("sns:ListTopics", "sns: AccessDeniedException"),
        ("s3:ListBuckets", "s3: AccessDeniedException"),
        ("kms:ListKeys", "kms: AccessDeniedException"),
        ("iam:ListRoles", "iam: AccessDeniedException"),
    ],
)
def test_what_cannot_be_looked_at_is_never_empty(action: str, line: str) -> None:
    residue = proof(empty_account().refuses(action))
    assert residue.unseen == (line,)
    assert not residue.clean


def test_a_tagging_service_that_refuses_is_told_for_each_region() -> None:
    residue = proof(empty_account().refuses("resourcegroupstaggingapi:GetResources"))
    assert residue.unseen == tuple(
        f"tagging in {region}: AccessDeniedException" for region in ("eu-central-1", "us-east-1", "us-west-2")
    )


def test_tags_that_may_not_be_read_are_told() -> None:
    world = empty_account().answers("s3:ListBuckets", {"Buckets": [{"Name": "somebodys"}]})
    world.refuses("s3:GetBucketTagging", code="AccessDenied")
    assert proof(world).unseen == ("tags of arn:aws:s3:::somebodys: AccessDenied",)
    world.refuses("s3:GetBucketTagging", code="NoSuchTagSet")
    assert proof(world).clean


def test_what_the_tagging_service_still_lists_is_gone_when_its_service_says_so() -> None:
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:gone"
    unknown = f"arn:aws:glue:{REGION}:{ACCOUNT}:table/a"

    def tagged(request: Request) -> dict[str, Any]:
        home = request.region in ("", REGION)
        found = [{"ResourceARN": arn, "Tags": TAGS} for arn in (queue, unknown) if home]
        return {"ResourceTagMappingList": found}

    world = empty_account().answers("resourcegroupstaggingapi:GetResources", tagged)
    assert [(one.id, one.state) for one in proof(world).things] == [(unknown, State.LEFT)]
    # Nobody can say that it is gone where its service does not answer.
    assert {one.id for one in proof(world.refuses("sqs:ListQueues")).things} == {queue, unknown}


def test_what_is_tagged_in_another_region_is_found() -> None:
    volume = f"arn:aws:ec2:us-west-2:{ACCOUNT}:volume/vol-1"

    def tagged(request: Request) -> dict[str, Any]:
        return {
            "ResourceTagMappingList": [{"ResourceARN": volume, "Tags": TAGS}]
            if request.region == "us-west-2"
            else []
        }

    (found,) = proof(empty_account().answers("resourcegroupstaggingapi:GetResources", tagged)).things
    assert (found.id, found.state, found.note) == (volume, State.LEFT, "in us-west-2")


@pytest.mark.parametrize("tags", [[], [{"Key": "kmslab:prefix", "Value": "other"}]])
def test_a_stack_of_that_name_without_the_labs_tag_is_not_read(
    world: World, tags: list[dict[str, str]]
) -> None:
    deleted_stack(world, tags=tags)
    assert read_membership(FakeAccess(world)).owned == {}
    assert world.asked("cloudformation:ListStackResources") == []


def test_a_stack_that_was_deleted_long_ago_is_not_asked(world: World) -> None:
    deleted_stack(world, at=datetime.now(UTC) - MEMORY - timedelta(days=1))
    assert read_membership(FakeAccess(world)).owned == {}
