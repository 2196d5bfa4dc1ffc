"""What CloudTrail refuses and tells of trails, as documented and as moto's test suite and users report it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import policy, refused
from tests.engine.trails import CLOUDTRAIL, Trail, used

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.engine.conftest import Engine

ALLOWED = (
    "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), "
    "and underscores (_)."
)
SHORT = "Trail name too short. Minimum allowed length: 3 characters. Specified name length: {} characters."
LONG = "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 characters."
OBJECTS = {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}
MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}


@pytest.fixture
def trails(engine: Engine) -> Any:
    return engine.client("cloudtrail")


@pytest.fixture
def bucket(engine: Engine, bucket: str) -> str:
    """A bucket that CloudTrail may write to for every trail."""
    whole = {"Effect": "Allow", "Principal": CLOUDTRAIL, "Action": ["s3:GetBucketAcl", "s3:PutObject"]}
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    engine.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy({**whole, "Resource": resources}))
    return bucket


@pytest.fixture
def create(trails: Any, bucket: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Make a trail, which is removed again."""
    made: list[str] = []

    def make(**parameters: Any) -> dict[str, Any]:
        name = f"trail-{uuid.uuid4().hex[:12]}"
        answer: dict[str, Any] = trails.create_trail(**{"Name": name, "S3BucketName": bucket, **parameters})
        made.append(answer["TrailARN"])
        return answer

    yield make
    for one in made:
        trails.delete_trail(Name=one)


def named(trails: Any, arn: str) -> dict[str, str]:
    """The tags of a trail."""
    (found,) = trails.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    return {tag["Key"]: tag["Value"] for tag in found["TagsList"]}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a", SHORT.format(1)),
        ("aa", SHORT.format(2)),
        ("a" * 129, LONG),
        ("trail!", "Trail name must ends with a letter or number."),
        ("-trail", "Trail name must starts with a letter or number."),
        ("my#trail", ALLOWED),
        ("my-_trail", "adjacent"),
        ("192.168.5.4", "IP address"),
    ],
)
def test_a_name_that_no_trail_may_have_is_refused(
    trails: Any, create: Callable[..., Any], name: str, message: str
) -> None:
    with refused("InvalidTrailNameException", message):
        create(Name=name)
    for call in (trails.get_trail, trails.get_trail_status, trails.start_logging, trails.delete_trail):
        with refused("InvalidTrailNameException", message):
            call(Name=name)


def test_an_unknown_trail_is_told_by_its_arn(engine: Engine, trails: Any) -> None:
    arn = f"arn:aws:cloudtrail:{engine.region}:{engine.account}:trail/unknowntrail"
    for call in (trails.get_trail_status, trails.stop_logging, trails.update_trail, trails.delete_trail):
        for name in ("unknowntrail", arn):
            with refused("TrailNotFoundException") as told:
                call(Name=name)
            assert told["Message"] == f"Unknown trail: {arn} for the user: {engine.account}"
    with refused("TrailNotFoundException") as told:
        trails.get_trail(Name="unknowntrail")
    assert told["Message"] == f"Unknown trail: unknowntrail for the user: {engine.account}"


def test_a_trail_is_made_once(engine: Engine, create: Callable[..., Any]) -> None:
    made = create()
    message = f"Trail {made['Name']} already exists for customer: {engine.account}"
    with refused("TrailAlreadyExistsException", message):
        create(Name=made["Name"])


def test_what_a_trail_has_not_is_not_told(trails: Any, create: Callable[..., Any]) -> None:
    made = create()
    updated = trails.update_trail(Name=made["Name"], EnableLogFileValidation=True)
    for answer in (made, updated, trails.get_trail(Name=made["Name"])["Trail"]):
        assert not answer.keys() & {"S3KeyPrefix", "SnsTopicName", "SnsTopicARN", "CloudWatchLogsRoleArn"}
    role = "arn:aws:iam::111122223333:role/logs"
    assert trails.update_trail(Name=made["Name"], CloudWatchLogsRoleArn=role)["CloudWatchLogsRoleArn"] == role
    assert create(CloudWatchLogsRoleArn=role)["CloudWatchLogsRoleArn"] == role


def test_settings_that_do_not_go_together_are_refused_first(trails: Any, create: Callable[..., Any]) -> None:
    with refused(
        "InvalidParameterCombinationException", "Multi-Region trail must include global service events."
    ):
        create(S3BucketName="no-such-bucket", IsMultiRegionTrail=True, IncludeGlobalServiceEvents=False)
    local = create(IncludeGlobalServiceEvents=False)["Name"]
    with refused("InvalidParameterCombinationException"):
        trails.update_trail(Name=local, IsMultiRegionTrail=True)
    with refused("InvalidS3PrefixException"):
        create(S3KeyPrefix="x" * 201)


def test_a_topic_is_one_that_cloudtrail_may_publish_to(
    engine: Engine, trails: Any, create: Callable[..., Any]
) -> None:
    sns, name = engine.client("sns"), f"topic-{uuid.uuid4().hex[:12]}"
    message = "SNS Topic does not exist or the topic policy is incorrect!"
    with refused("InsufficientSnsTopicPolicyException", message):
        create(SnsTopicName=name)
    topic = sns.create_topic(Name=name)["TopicArn"]
    with refused("InsufficientSnsTopicPolicyException", message):
        create(SnsTopicName=name)
    may = {"Effect": "Allow", "Principal": CLOUDTRAIL, "Action": "sns:Publish", "Resource": topic}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(may))
    made = create(SnsTopicName=name)
    assert (made["SnsTopicName"], made["SnsTopicARN"]) == (name, topic)
    assert trails.get_trail(Name=made["Name"])["Trail"]["SnsTopicARN"] == topic
    with refused("InsufficientSnsTopicPolicyException"):
        trails.update_trail(Name=made["Name"], SnsTopicName=f"{name}-other")
    sns.delete_topic(TopicArn=topic)


def test_tags_are_given_with_the_trail_and_go_with_it(trails: Any, create: Callable[..., Any]) -> None:
    made = create(TagsList=[{"Key": "Team", "Value": "Blue"}, {"Key": "Empty"}])
    assert named(trails, made["TrailARN"]) == {"Team": "Blue", "Empty": ""}
    trails.add_tags(ResourceId=made["TrailARN"], TagsList=[{"Key": "Team", "Value": "Red"}])
    trails.remove_tags(ResourceId=made["TrailARN"], TagsList=[{"Key": "Empty"}])
    assert named(trails, made["TrailARN"]) == {"Team": "Red"}
    trails.delete_trail(Name=made["Name"])
    again = trails.create_trail(Name=made["Name"], S3BucketName=made["S3BucketName"])
    assert named(trails, again["TrailARN"]) == {}


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "InvalidTagParameterException"),
        ([{"Key": "aws:a", "Value": "1"}], "InvalidTagParameterException"),
        ([{"Key": "a" * 129, "Value": "1"}], "InvalidTagParameterException"),
        ([{"Key": "a", "Value": "1" * 257}], "InvalidTagParameterException"),
        ([{"Key": f"{number}", "Value": "1"} for number in range(51)], "TagsLimitExceededException"),
    ],
)
def test_tags_have_limits(trails: Any, create: Callable[..., Any], tags: Any, code: str) -> None:
    with refused(code):
        create(TagsList=tags)
    arn = create()["TrailARN"]
    with refused(code):
        trails.add_tags(ResourceId=arn, TagsList=tags)
    assert named(trails, arn) == {}


@pytest.mark.parametrize(
    "selectors",
    [
        {"EventSelectors": [{"ReadWriteType": "read-only"}]},
        {"EventSelectors": [{"ExcludeManagementEventSources": ["s3.amazonaws.com"]}]},
        {"EventSelectors": [{"DataResources": [{**OBJECTS, "Type": "AWS::SNS::Topic"}]}]},
        {"EventSelectors": [{"DataResources": [{**OBJECTS, "Values": ["arn:aws:s3"] * 251}]}]},
        {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "readOnly", "Equals": ["true"]}]}]},
        {"AdvancedEventSelectors": [{"FieldSelectors": [MANAGEMENT, {"Field": "color", "Equals": ["a"]}]}]},
        {"AdvancedEventSelectors": [{"FieldSelectors": [MANAGEMENT, {"Field": "eventName"}]}]},
        {
            "AdvancedEventSelectors": [
                {"FieldSelectors": [MANAGEMENT, {"Field": "eventName", "Equals": ["a"] * 501}]}
            ]
        },
    ],
)
def test_wrong_selectors_are_refused(trails: Any, create: Callable[..., Any], selectors: Any) -> None:
    name = create()["Name"]
    with refused("InvalidEventSelectorsException"):
        trails.put_event_selectors(TrailName=name, **selectors)
    (kept,) = trails.get_event_selectors(TrailName=name)["EventSelectors"]
    assert (kept["ReadWriteType"], kept["IncludeManagementEvents"]) == ("All", True)


@pytest.mark.parametrize(
    ("conditions", "delivered"),
    [
        ([], {"CreateKey", "Encrypt"}),
        ([{"Field": "readOnly", "Equals": ["false"]}], {"CreateKey"}),
        ([{"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}], set()),
        ([{"Field": "eventName", "StartsWith": ["Enc", "Dec"]}], {"Encrypt"}),
        ([{"Field": "eventName", "NotEndsWith": ["crypt"]}], {"CreateKey"}),
    ],
)
def test_advanced_selectors_decide_what_is_delivered(
    engine: Engine, conditions: list[Any], delivered: set[str]
) -> None:
    trail = Trail(engine, validated=False)
    asked = [{"Name": "mine", "FieldSelectors": [MANAGEMENT, *conditions]}]
    answer = trail.trails.put_event_selectors(TrailName=trail.name, AdvancedEventSelectors=asked)
    assert answer["AdvancedEventSelectors"] == asked
    key = used(engine)
    trail.status()
    found = {
        one["eventName"]
        for one in trail.records()
        if key in {each["ARN"] for each in one.get("resources") or []}
    }
    assert found == delivered
    trail.trails.delete_trail(Name=trail.name)


def test_the_status_tells_of_deliveries_in_words_too(engine: Engine) -> None:
    trail = Trail(engine)
    used(engine)
    status = trail.status()
    told = f"{status['LatestDeliveryTime']:%Y-%m-%dT%H:%M:%SZ}"
    names = ("LatestDeliveryAttemptTime", "LatestDeliveryAttemptSucceeded")
    assert [status[name] for name in names] == [told, told]
    trail.trails.delete_trail(Name=trail.name)


def test_data_events_alone_deliver_no_management_events(engine: Engine) -> None:
    trail = Trail(engine, validated=False)
    data = [{"Field": "eventCategory", "Equals": ["Data"]}]
    data.append({"Field": "resources.type", "Equals": ["AWS::S3::Object"]})
    trail.trails.put_event_selectors(TrailName=trail.name, AdvancedEventSelectors=[{"FieldSelectors": data}])
    used(engine)
    trail.status()
    assert trail.records() == []
    trail.trails.delete_trail(Name=trail.name)
