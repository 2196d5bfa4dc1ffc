"""What can be changed about buckets and what lies in them: in templates, and on the deployed lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.buckets import (
    AccessLogging,
    BucketEncryption,
    BucketPolicy,
    Expiry,
    ObjectOwnership,
    PublicAccess,
    Replication,
    Versioning,
)
from kmslab.faults.changes.objects import StrayKey, StrayObject
from kmslab.faults.changes.statements import (
    A_STRANGER,
    about,
    add,
    change_operator,
    drop,
    drop_conditions,
    filled,
    replace,
)
from kmslab.model.outputs import LabOutputs
from tests.faults.on_the_lab import breaks_and_puts_back, open_workshop

if TYPE_CHECKING:
    from kmslab.faults.change import Change
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from tests.conftest import DeployedLab

DATA, LOGS, SSE_S3 = LabOutputs.data_bucket, LabOutputs.access_log_bucket, LabOutputs.sse_s3_bucket
READ = {
    "Sid": "Read",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "${Thing}/*",
}
STRAY, FOREIGN = StrayObject(DATA, "stray", "AES256"), StrayObject(DATA, "x", "aws:kms", foreign_key=True)


def rule(templates: Templates, bucket: Any = DATA) -> Any:
    encryption = templates.resource(bucket).properties["BucketEncryption"]
    return encryption["ServerSideEncryptionConfiguration"][0]


def policy(templates: Templates) -> dict[str, Any]:
    found = templates.about(DATA, "AWS::S3::BucketPolicy", "Bucket").properties["PolicyDocument"]
    return {one.get("Sid", ""): one for one in found["Statement"]}


def test_default_encryption_in_a_template(templates: Templates) -> None:
    before = rule(templates.copy())
    assert BucketEncryption(DATA, "AES256", bucket_key=False).in_template(templates)
    assert rule(templates) == {
        **before,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": False,
    }


def test_the_managed_key_has_no_name_in_a_template(templates: Templates) -> None:
    assert BucketEncryption(DATA, "aws:kms").in_template(templates)
    assert rule(templates)["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms"}
    assert rule(templates)["BucketKeyEnabled"] is True


def test_another_key_of_the_lab_in_a_template(templates: Templates) -> None:
    own = rule(templates.copy(), LabOutputs.dsse_bucket)["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert BucketEncryption(SSE_S3, "aws:kms", key=LabOutputs.key_s3).in_template(templates)
    assert rule(templates, SSE_S3)["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == own


def test_what_is_blocked_in_a_template(templates: Templates) -> None:
    before = rule(templates.copy())
    assert BucketEncryption(DATA, blocked="NONE").in_template(templates)
    assert rule(templates) == {**before, "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}


def test_statements_in_a_template(templates: Templates) -> None:
    before = policy(templates.copy())
    assert BucketPolicy(DATA, drop("RefuseOtherKeys"), add(READ)).in_template(templates)
    after = policy(templates)
    assert before.keys() - after.keys() == {"RefuseOtherKeys"}
    arn = {"Fn::GetAtt": [templates.resource(DATA).logical_id, "Arn"]}
    assert after["Read"] == {**READ, "Resource": {"Fn::Sub": ["${Thing}/*", {"Thing": arn}]}}


@pytest.mark.parametrize(
    ("change", "name", "value"),
    [
        (Versioning(DATA), "VersioningConfiguration", {"Status": "Suspended"}),
        (
            ObjectOwnership(DATA, "ObjectWriter"),
            "OwnershipControls",
            {"Rules": [{"ObjectOwnership": "ObjectWriter"}]},
        ),
        (AccessLogging(DATA), "LoggingConfiguration", None),
    ],
)
def test_a_property_in_a_template(templates: Templates, change: Change, name: str, value: Any) -> None:
    assert change.in_template(templates)
    assert templates.resource(DATA).properties.get(name) == value


def test_public_access_in_a_template(templates: Templates) -> None:
    assert PublicAccess(DATA, "BlockPublicPolicy").in_template(templates)
    switches = templates.resource(DATA).properties["PublicAccessBlockConfiguration"]
    assert [name for name, on in switches.items() if not on] == ["BlockPublicPolicy"]


def test_logging_goes_to_another_bucket_in_a_template(templates: Templates) -> None:
    assert AccessLogging(DATA, SSE_S3).in_template(templates)
    target = templates.resource(DATA).properties["LoggingConfiguration"]["DestinationBucketName"]
    assert target == {"Ref": templates.resource(SSE_S3).logical_id}


def test_expiry_in_a_template(templates: Templates) -> None:
    assert Expiry(DATA).in_template(templates)
    (added,) = templates.resource(DATA).properties["LifecycleConfiguration"]["Rules"]
    assert (added["Status"], added["ExpirationInDays"]) == ("Enabled", 1)


def test_replication_in_a_template(templates: Templates) -> None:
    assert Replication(DATA, SSE_S3).in_template(templates)
    (added,) = templates.resource(DATA).properties["ReplicationConfiguration"]["Rules"]
    assert added["Destination"] == {"Bucket": {"Fn::GetAtt": [templates.resource(SSE_S3).logical_id, "Arn"]}}
    assert added["Id"] == "copy"


def test_objects_and_keys_of_no_stack_are_in_no_template(templates: Templates) -> None:
    before = templates.copy().by_stack
    assert not STRAY.in_template(templates)
    assert not StrayKey("x").in_template(templates)
    assert templates.by_stack == before


def test_conditions_are_dropped_with_what_they_leave_empty() -> None:
    given = {"Sid": "A", "Condition": {"Bool": {"a": "x", "b": "y"}, "Null": {"c": "z"}}}
    statements = [given]
    drop_conditions("A", "Bool", "a")(statements, {})
    assert given["Condition"] == {"Bool": {"b": "y"}, "Null": {"c": "z"}}
    drop_conditions("A", "Bool", "b")(statements, {})
    assert given["Condition"] == {"Null": {"c": "z"}}
    drop_conditions("A", "Null")(statements, {})
    assert given == {"Sid": "A"}


def test_an_operator_is_another() -> None:
    statements = [{"Sid": "A", "Condition": {"StringNotEquals": {"k": "v"}}}]
    change_operator("A", "StringNotEquals", "StringEquals")(statements, {})
    assert statements == [{"Sid": "A", "Condition": {"StringEquals": {"k": "v"}}}]


def test_a_statement_without_a_sid_is_told_by_its_condition() -> None:
    statements: list[dict[str, Any]] = [
        {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Sid": "B"},
    ]
    replace(about("aws:SecureTransport"), Action="s3:PutObject")(statements, {})
    assert statements[0]["Action"] == "s3:PutObject"


@pytest.mark.parametrize("edit", [drop("No"), drop_conditions("No", "Bool"), replace("No", Action="*")])
def test_a_statement_that_is_not_there_cannot_be_edited(edit: Any) -> None:
    with pytest.raises(ValueError, match="not enough values"):
        edit([{"Sid": "A"}], {})


def test_words_are_filled_in_and_the_rest_is_left_to_cloudformation() -> None:
    given = ["${AWS::AccountId}", "arn:${AWS::Partition}:x:${Prefix}", "${Thing}", "${Thing}/*", 1]
    live = {"AWS::AccountId": "1", "AWS::Partition": "aws", "Prefix": "lab", "Thing": "arn"}
    assert filled(given, live) == ["1", "arn:aws:x:lab", "arn", "arn/*", 1]
    thing = {"Ref": "Bucket"}
    assert filled(given, {"Prefix": "lab", "Thing": thing}) == [
        {"Ref": "AWS::AccountId"},
        {"Fn::Sub": "arn:${AWS::Partition}:x:lab"},
        thing,
        {"Fn::Sub": ["${Thing}/*", {"Thing": thing}]},
        1,
    ]


@pytest.fixture(scope="module")
def workshop(deployed_lab: DeployedLab) -> Workshop:
    return open_workshop(deployed_lab)


def look(workshop: Workshop) -> Any:
    """Every setting of the data bucket and of the log bucket, what lies in the first, and whose keys stand."""
    from botocore.exceptions import ClientError

    s3, seen = workshop.client("s3"), []
    for bucket in (workshop.outputs.data_bucket, workshop.outputs.access_log_bucket):
        for read in (
            s3.get_bucket_encryption,
            s3.get_bucket_policy,
            s3.get_public_access_block,
            s3.get_bucket_versioning,
            s3.get_bucket_ownership_controls,
            s3.get_bucket_logging,
            s3.get_bucket_lifecycle_configuration,
            s3.get_bucket_replication,
        ):
            try:
                found = read(Bucket=bucket)
            except ClientError as error:
                found = {"none": error.response["Error"]["Code"]}
            seen.append({name: value for name, value in found.items() if name != "ResponseMetadata"})
    versions = s3.list_object_versions(Bucket=workshop.outputs.data_bucket).get("Versions", [])
    kms = workshop.client("kms")
    tagged = workshop.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "kmslab:fault"}], ResourceTypeFilters=["kms:key"]
    )["ResourceTagMappingList"]
    states = [kms.describe_key(KeyId=one["ResourceARN"])["KeyMetadata"]["KeyState"] for one in tagged]
    return seen, [one["Key"] for one in versions], [state for state in states if state != "PendingDeletion"]


CHANGES: dict[str, Change] = {
    "encryption": BucketEncryption(DATA, "AES256", bucket_key=False),
    "another key": BucketEncryption(DATA, "aws:kms", key=LabOutputs.key_trail),
    "SSE-C": BucketEncryption(DATA, blocked="NONE"),
    "policy": BucketPolicy(DATA, drop("RefuseOtherKeys"), add({**READ, "Principal": A_STRANGER})),
    "public access": PublicAccess(LOGS, "BlockPublicAcls"),
    "versioning": Versioning(DATA),
    "ownership": ObjectOwnership(DATA, "ObjectWriter"),
    "no logging": AccessLogging(DATA),
    "logging elsewhere": AccessLogging(DATA, SSE_S3),
    "expiry": Expiry(DATA),
    "replication": Replication(DATA, SSE_S3),
    "object": STRAY,
    "object under a foreign key": FOREIGN,
    "key of no stack": StrayKey("stray"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_breaks_and_is_put_back(workshop: Workshop, what: str) -> None:
    breaks_and_puts_back(workshop, CHANGES[what], look)


def test_the_policy_that_was_away_comes_back(workshop: Workshop) -> None:
    """An attempt that dies between taking the bucket policy away and putting it back."""
    bucket, s3 = workshop.outputs.data_bucket, workshop.client("s3")
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    saved = STRAY.save(workshop)
    s3.delete_bucket_policy(Bucket=bucket)
    STRAY.restore(workshop, saved)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == before
