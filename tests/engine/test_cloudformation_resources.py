"""CloudFormation keeps what the template says, for every resource type that the lab uses."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy, refused
from tests.engine.deployed import differences
from tests.engine.every_type import TAGS, everything, key_policy, statement
from tests.engine.stacks import (
    create,
    delete,
    deployed,
    execution_role,
    outputs,
    reasons,
    ref,
    resource,
    template,
    update,
)

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


@pytest.fixture
def suffix() -> str:
    return uuid.uuid4().hex[:10]


@pytest.fixture
def role(engine: Engine) -> str:
    return execution_role(engine)


def test_every_property_is_deployed_as_the_template_says(engine: Engine, role: str, suffix: str) -> None:
    body = everything(engine, suffix)
    with deployed(engine, body, role=role) as name:
        assert differences(engine, name, body) == []
        found = outputs(engine, name)
        secret = engine.client("secretsmanager").get_secret_value(SecretId=found["Secret"])
        assert found["Secret"] == secret["ARN"]
        value = json.loads(secret["SecretString"])
        assert (value["user"], len(value["password"])) == ("kenya-one", 24)
        iam = engine.client("iam")
        assert (
            iam.get_login_profile(UserName=f"user-{suffix}")["LoginProfile"]["PasswordResetRequired"] is True
        )
        members = iam.get_group(GroupName=f"group-{suffix}")["Users"]
        assert {user["UserName"] for user in members} == {f"user-{suffix}", f"member-{suffix}"}
        ec2 = engine.client("ec2")
        assert ec2.get_snapshot_block_public_access_state()["State"] == "block-new-sharing"
        states = {kms_state(engine, found[key]) for key in ("Key", "Disabled")}
        assert states == {"Enabled", "Disabled"}
    assert ec2.get_snapshot_block_public_access_state()["State"] == "unblocked"
    assert kms_state(engine, found["Key"]) == "PendingDeletion"


def kms_state(engine: Engine, key: str) -> str:
    return str(engine.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


def test_a_difference_would_be_seen(engine: Engine, role: str) -> None:
    body = template(Key=resource("AWS::KMS::Key", KeyPolicy=key_policy(engine), Description="one", Tags=TAGS))
    with deployed(engine, body, role=role) as name:
        body["Resources"]["Key"]["Properties"] |= {"Description": "two", "Unheard": 1}
        told = differences(engine, name, body)
    assert [line.split(":")[0] for line in told] == ["Key.Description", "AWS"]


def test_a_replica_is_made_from_its_primary_in_another_region(engine: Engine, role: str) -> None:
    other = engine.client("kms", region="eu-west-1")
    primary = other.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    replica = resource(
        "AWS::KMS::ReplicaKey",
        PrimaryKeyArn=primary,
        KeyPolicy=key_policy(engine),
        Description="replica",
        PendingWindowInDays=7,
        Tags=TAGS,
    )
    body = template({"Key": ref("Replica")}, Replica=replica)
    with deployed(engine, body, role=role) as name:
        key_id = outputs(engine, name)["Key"]
        assert key_id == primary.rsplit("/", 1)[-1]
        shown = engine.client("kms").describe_key(KeyId=key_id)["KeyMetadata"]
        assert shown["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
        del body["Resources"]["Replica"]["Properties"]["PrimaryKeyArn"]  # told by the key's own id, above
        del body["Resources"]["Replica"]["Properties"]["PendingWindowInDays"]
        assert differences(engine, name, body) == []
    assert kms_state(engine, key_id) == "PendingDeletion"


def test_a_deleted_stack_leaves_keys_in_their_own_window_and_nothing_else(
    engine: Engine, role: str, suffix: str, kms: Any
) -> None:
    body = everything(engine, suffix)
    name = create(engine, body, role=role)
    found = outputs(engine, name)
    assert delete(engine, name) == "DELETE_COMPLETE"
    for key, days in (("Key", 7), ("Disabled", 8)):
        shown = kms.describe_key(KeyId=found[key])["KeyMetadata"]
        left = (shown["DeletionDate"] - shown["CreationDate"]).total_seconds() / 86400
        assert (shown["KeyState"], round(left)) == ("PendingDeletion", days)
    with refused("404"):
        engine.client("s3").head_bucket(Bucket=found["Bucket"])
    with refused("ResourceNotFoundException"):
        engine.client("secretsmanager").describe_secret(SecretId=found["Secret"])
    with refused("NotFoundException"):
        kms.describe_key(KeyId=f"alias/test/{suffix}")
    with refused("NoSuchEntity"):
        engine.client("iam").get_group(GroupName=f"group-{suffix}")


def test_an_update_changes_resources_in_place(engine: Engine, role: str, suffix: str) -> None:
    body = everything(engine, suffix)
    with deployed(engine, body, role=role) as name:
        before = outputs(engine, name)
        changed: dict[str, dict[str, Any]] = {
            "Key": {
                "KeyPolicy": key_policy(engine, "cloudtrail.amazonaws.com"),
                "Description": "changed",
                "RotationPeriodInDays": 365,
                "Tags": [{"Key": "purpose", "Value": "other"}],
            },
            "Disabled": {"Enabled": True},
            "Bucket": {
                "Tags": [],
                "VersioningConfiguration": {"Status": "Suspended"},
                "LoggingConfiguration": {"DestinationBucketName": ref("Logs"), "LogFilePrefix": "other/"},
            },
            "Volume": {"Size": 3, "Tags": []},
            "Further": {"Size": 2},
            "Instance": {"Volumes": [{"Device": "/dev/sdh", "VolumeId": ref("Further")}]},
            "Group": {"Policies": [], "ManagedPolicyArns": [ref("Boundary")]},
            "Role": {"Description": "another", "Policies": []},
            "Secret": {"Description": "another", "Tags": [{"Key": "new", "Value": "tag"}]},
            "Topic": {"DisplayName": "others"},
            "Trail": {"EnableLogFileValidation": False, "IsLogging": False},
        }
        for logical_id, properties in changed.items():
            body["Resources"][logical_id]["Properties"] |= properties
        del body["Resources"]["Role"]["Properties"]["PermissionsBoundary"]
        del body["Resources"]["Topic"]["Properties"]["KmsMasterKeyId"]
        assert update(engine, name, body) == "UPDATE_COMPLETE", reasons(engine, name)
        assert differences(engine, name, body) == []
        assert outputs(engine, name) == before
        assert "PermissionsBoundary" not in engine.client("iam").get_role(RoleName=f"role-{suffix}")["Role"]
        attributes = engine.client("sns").get_topic_attributes(
            TopicArn=f"arn:aws:sns:{engine.region}:{engine.account}:topic-{suffix}"
        )["Attributes"]
        assert "KmsMasterKeyId" not in attributes


@pytest.mark.parametrize(
    ("name", "value"), [("KeySpec", "RSA_2048"), ("MultiRegion", True), ("Origin", "EXTERNAL")]
)
def test_an_update_that_would_need_another_key_fails(
    engine: Engine, role: str, name: str, value: object
) -> None:
    key: dict[str, Any] = {"KeyPolicy": key_policy(engine), "Description": "before"}
    with deployed(
        engine, template({"Key": ref("Key")}, Key=resource("AWS::KMS::Key", **key)), role=role
    ) as stack:
        before = outputs(engine, stack)
        changed = resource("AWS::KMS::Key", **key | {name: value, "Description": "after"})
        assert update(engine, stack, template({"Key": ref("Key")}, Key=changed)) == "UPDATE_ROLLBACK_COMPLETE"
        assert f"the {name} property" in reasons(engine, stack)["Key"]
        assert outputs(engine, stack) == before
        about = engine.client("kms").describe_key(KeyId=before["Key"])["KeyMetadata"]
        assert (about["KeyState"], about["Description"]) == ("Enabled", "before")


def test_a_key_has_its_own_tags_and_a_secret_the_stacks_too(engine: Engine, role: str, kms: Any) -> None:
    secret = resource("AWS::SecretsManager::Secret", SecretString="x", Description="first", Tags=TAGS)
    body = template(
        {"Key": ref("Key"), "Secret": ref("Secret")},
        Key=resource("AWS::KMS::Key", KeyPolicy=key_policy(engine), Description="first", Tags=TAGS),
        Secret=secret,
    )
    with deployed(engine, body, role=role) as name:
        found, manager = outputs(engine, name), engine.client("secretsmanager")

        def described() -> dict[str, Any]:
            shown: dict[str, Any] = manager.describe_secret(SecretId=found["Secret"])
            return shown

        own = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in TAGS]
        assert kms.list_resource_tags(KeyId=found["Key"])["Tags"] == own
        of_aws = {f"aws:cloudformation:{one}" for one in ("stack-name", "stack-id", "logical-id")}
        assert {tag["Key"] for tag in described()["Tags"]} == {tag["Key"] for tag in TAGS} | of_aws
        for left_out in ("Description", "Tags"):
            for one in ("Key", "Secret"):
                del body["Resources"][one]["Properties"][left_out]
        assert update(engine, name, body) == "UPDATE_COMPLETE", reasons(engine, name)
        assert kms.list_resource_tags(KeyId=found["Key"])["Tags"] == []
        assert kms.describe_key(KeyId=found["Key"])["KeyMetadata"]["Description"] == ""
        # A secret keeps the description that its template no longer tells.
        assert described()["Description"] == "first"
        assert {tag["Key"] for tag in described()["Tags"]} == of_aws


def test_a_bucket_with_objects_is_not_deleted(engine: Engine, role: str) -> None:
    name = create(engine, template({"Bucket": ref("Bucket")}, Bucket=resource("AWS::S3::Bucket")), role=role)
    bucket = outputs(engine, name)["Bucket"]
    engine.client("s3").put_object(Bucket=bucket, Key="a", Body=b"")
    assert delete(engine, name) == "DELETE_FAILED"
    assert "BucketNotEmpty" in reasons(engine, name)["Bucket"]
    engine.client("s3").delete_object(Bucket=bucket, Key="a")
    assert delete(engine, name) == "DELETE_COMPLETE"


def test_group_membership_counts_in_iam(engine: Engine, role: str, suffix: str) -> None:
    inline = [{"PolicyName": "inline", "PolicyDocument": statement(policy(allow("kms:ListKeys")))}]
    body = template(
        Group=resource("AWS::IAM::Group", GroupName=f"group-{suffix}", Policies=inline),
        User=resource("AWS::IAM::User", UserName=f"user-{suffix}"),
        Membership=resource("AWS::IAM::UserToGroupAddition", GroupName=ref("Group"), Users=[ref("User")]),
    )
    with deployed(engine, body, role=role) as name:
        iam = engine.client("iam")
        made = iam.create_access_key(UserName=f"user-{suffix}")["AccessKey"]
        from kmslab.model.target import Credentials

        kms = engine.client("kms", Credentials(made["AccessKeyId"], made["SecretAccessKey"]))
        kms.list_keys()
        body["Resources"].pop("Membership")
        assert update(engine, name, body) == "UPDATE_COMPLETE"
        with refused("AccessDeniedException", "kms:ListKeys"):
            kms.list_keys()
        iam.delete_access_key(UserName=f"user-{suffix}", AccessKeyId=made["AccessKeyId"])


@pytest.mark.parametrize(("given", "expected"), [("", "no"), ("a,b", "yes")])
def test_a_join_in_a_condition_is_evaluated(engine: Engine, role: str, given: str, expected: str) -> None:
    body = template(
        {"Any": {"Fn::If": ["Any", "yes", "no"]}},
        Parameter=resource("AWS::SSM::Parameter", Type="String", Value="v", Name=f"/test/{uuid.uuid4().hex}"),
    )
    body["Parameters"] = {"List": {"Type": "CommaDelimitedList", "Default": ""}}
    body["Conditions"] = {"Any": {"Fn::Not": [{"Fn::Equals": ["", {"Fn::Join": ["", ref("List")]}]}]}}
    parameters = [{"ParameterKey": "List", "ParameterValue": given}]
    with deployed(engine, body, role=role, Parameters=parameters) as name:
        assert outputs(engine, name) == {"Any": expected}


def test_an_unknown_type_is_named(engine: Engine, role: str) -> None:
    with refused("ValidationError", "AWS::KMS::Nothing"):
        create(engine, template(Key=resource("AWS::KMS::Nothing")), role=role)
