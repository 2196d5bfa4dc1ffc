"""The Secrets Manager API: versions and their labels, errors, deletion, lists, passwords.

Behaviour as the API reference says and as a public test suite recorded it from AWS.
"""

from __future__ import annotations

import io
import json
import string
import time
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

Labels = list[tuple[list[str] | None, bool]]


@pytest.fixture
def sm(engine: Engine) -> Any:
    return engine.client("secretsmanager")


def name() -> str:
    return f"secret-{uuid.uuid4().hex[:12]}"


def token() -> str:
    return str(uuid.uuid4())


def create(sm: Any, value: str | None = "value", **members: Any) -> dict[str, Any]:
    given = {"SecretString": value} if value is not None else {}
    made: dict[str, Any] = sm.create_secret(Name=name(), ClientRequestToken=token(), **given, **members)
    return made


def put(sm: Any, secret: str, value: str, *labels: str) -> str:
    stages = {"VersionStages": list(labels)} if labels else {}
    made = sm.put_secret_value(SecretId=secret, SecretString=value, ClientRequestToken=token(), **stages)
    return str(made["VersionId"])


def labels(sm: Any, secret: str, **more: Any) -> Labels:
    """Each version's labels, and whether it was ever read, in the list's order."""
    listed = sm.list_secret_version_ids(SecretId=secret, **more)["Versions"]
    return [(one.get("VersionStages"), "LastAccessedDate" in one) for one in listed]


def members(answer: dict[str, Any]) -> set[str]:
    return answer.keys() - {"ResponseMetadata"}


def test_only_members_with_a_value_are_told(sm: Any) -> None:
    secret = create(sm, None)
    assert members(secret) == {"ARN", "Name"}
    told = {"ARN", "CreatedDate", "LastChangedDate", "Name"}
    assert members(sm.describe_secret(SecretId=secret["ARN"])) == told
    put(sm, secret["ARN"], "first", "MINE")
    assert labels(sm, secret["ARN"]) == [
        (["AWSCURRENT", "MINE"], False)
    ]  # the first one is current in any case
    sm.get_secret_value(SecretId=secret["ARN"][:-7])
    told |= {"LastAccessedDate", "VersionIdsToStages"}
    assert members(sm.describe_secret(SecretId=secret["Name"])) == told


def test_labels_move_and_a_version_without_any_is_not_listed(sm: Any) -> None:
    secret = create(sm)["ARN"]
    second = put(sm, secret, "2", "AWSCURRENT", "KEPT")
    third = put(sm, secret, "3", "AWSPENDING")
    sm.get_secret_value(SecretId=secret)
    move = {"SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": third}
    with refused("InvalidParameterException", f"currently attached to version {second}"):
        sm.update_secret_version_stage(**move)
    sm.update_secret_version_stage(**move, RemoveFromVersionId=second)
    assert labels(sm, secret) == [(["AWSPREVIOUS", "KEPT"], True), (["AWSCURRENT", "AWSPENDING"], False)]
    put(sm, secret, "4")
    assert labels(sm, secret) == [(["KEPT"], True), (["AWSPREVIOUS"], False), (["AWSCURRENT"], False)]
    everything = labels(sm, secret, IncludeDeprecated=True)
    assert everything == [(None, False), *labels(sm, secret)]
    taken = {"SecretId": secret, "VersionStage": "KEPT", "RemoveFromVersionId": second}
    sm.update_secret_version_stage(**taken)
    assert labels(sm, secret, IncludeDeprecated=True)[1] == (None, True)
    assert sm.get_secret_value(SecretId=secret, VersionId=second)["SecretString"] == "2"
    with refused("InvalidParameterException", "can't be completely removed"):
        current = sm.get_secret_value(SecretId=secret)["VersionId"]
        sm.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", RemoveFromVersionId=current
        )


def test_what_is_not_there_is_named(sm: Any) -> None:
    secret = create(sm)
    arn, missing = secret["ARN"], token()
    for wanted, found in (
        ({"VersionStage": "AWSPREVIOUS"}, "secret value for staging label: AWSPREVIOUS"),
        ({"VersionId": missing}, f"secret value for VersionId: {missing}"),
    ):
        with refused("ResourceNotFoundException", f"Secrets Manager can't find the specified {found}"):
            sm.get_secret_value(SecretId=arn, **wanted)
    with refused("InvalidRequestException", "VersionStage that is not associated to the provided VersionId."):
        sm.get_secret_value(SecretId=arn, VersionId=secret["VersionId"], VersionStage="AWSPREVIOUS")
    with refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret."):
        sm.describe_secret(SecretId=name())
    with refused("ValidationException", "Invalid name. Must be a valid name containing alphanumeric"):
        sm.describe_secret(SecretId="not a name?")
    with refused("InvalidRequestException", "You must provide a ClientRequestToken value."):
        sm.put_secret_value(SecretId=arn, SecretString="x", ClientRequestToken="")
    with refused("InvalidRequestException", "You must provide either SecretString or SecretBinary."):
        sm.put_secret_value(SecretId=arn, ClientRequestToken=token())
    with refused("InvalidParameterException", "both a binary secret value and a string secret value"):
        sm.put_secret_value(SecretId=arn, SecretString="x", SecretBinary=b"x", ClientRequestToken=token())


def test_a_value_is_never_repeated_in_an_error(sm: Any) -> None:
    secret = create(sm)["ARN"]
    with refused("ValidationException", "secretString") as caught:
        sm.put_secret_value(SecretId=secret, SecretString="x" * 70_000, ClientRequestToken=token())
    assert "xxx" not in str(caught)


def test_deletion_has_a_window_that_can_be_ended_early_or_cancelled(sm: Any) -> None:
    secret = create(sm)
    for window in (6, 31):
        with refused("InvalidParameterException", "between 7 and 30 days (inclusive)"):
            sm.delete_secret(SecretId=secret["ARN"], RecoveryWindowInDays=window)
    with refused("InvalidParameterException", "in conjunction with RecoveryWindowInDays"):
        sm.delete_secret(SecretId=secret["ARN"], RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True)
    date = sm.delete_secret(SecretId=secret["ARN"], RecoveryWindowInDays=7)["DeletionDate"]
    assert sm.describe_secret(SecretId=secret["ARN"])["DeletedDate"] == date
    for call, more in (
        (sm.get_secret_value, {}),
        (sm.tag_resource, {"Tags": [{"Key": "k", "Value": "v"}]}),
    ):
        with refused("InvalidRequestException", "because it was marked for deletion."):
            call(SecretId=secret["ARN"], **more)
    with refused("InvalidRequestException", "with this name is already scheduled for deletion."):
        sm.create_secret(Name=secret["Name"], SecretString="x", ClientRequestToken=token())
    with refused("InvalidRequestException", "already scheduled for deletion"):
        sm.delete_secret(SecretId=secret["ARN"])
    sm.restore_secret(SecretId=secret["ARN"])
    assert sm.get_secret_value(SecretId=secret["ARN"])["SecretString"] == "value"
    sm.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    with refused("ResourceNotFoundException"):
        sm.describe_secret(SecretId=secret["ARN"])
    # Forced, the deletion of what is not there succeeds.
    assert (
        sm.delete_secret(SecretId=secret["Name"], ForceDeleteWithoutRecovery=True)["Name"] == secret["Name"]
    )


def test_lists_are_filtered_sorted_and_paged(sm: Any) -> None:
    mark = uuid.uuid4().hex[:8]
    names = [f"{mark}/one", f"{mark}/two", f"{mark}/three"]
    for one, description in zip(names, ("a secret", "an secret", "thesecret"), strict=True):
        sm.create_secret(Name=one, SecretString="x", Description=description, ClientRequestToken=token())
    mine = {"Key": "name", "Values": [mark]}

    def listed(*filters: dict[str, Any], **more: Any) -> list[str]:
        found = sm.list_secrets(Filters=[mine, *filters], **more)["SecretList"]
        return [one["Name"] for one in found]

    assert listed() == names
    assert listed({"Key": "description", "Values": ["a Secret"]}) == names[:2]
    assert listed({"Key": "description", "Values": ["!a"]}) == names[2:]
    assert listed({"Key": "name", "Values": [names[0].upper()]}) == []
    assert listed(SortBy="name", SortOrder="desc") == sorted(names, reverse=True)
    pages = sm.get_paginator("list_secrets").paginate(Filters=[mine], PaginationConfig={"PageSize": 1})
    assert [[one["Name"] for one in page["SecretList"]] for page in pages] == [[one] for one in names]
    batch = sm.batch_get_secret_value(Filters=[mine], MaxResults=2)
    assert [one["Name"] for one in batch["SecretValues"]] == names[:2]
    rest = sm.batch_get_secret_value(Filters=[mine], MaxResults=2, NextToken=batch["NextToken"])
    assert [one["Name"] for one in rest["SecretValues"]] == names[2:]
    with refused("InvalidParameterException", "must be provided, but not both"):
        sm.batch_get_secret_value(Filters=[mine], SecretIdList=names)


def test_a_batch_asks_for_every_secret_on_its_own(engine: Engine, sm: Any) -> None:
    readable, other, missing = create(sm)["ARN"], create(sm)["ARN"], name()
    role = engine.role(
        allow("secretsmanager:BatchGetSecretValue"), allow("secretsmanager:GetSecretValue", Resource=readable)
    )
    answer = engine.client("secretsmanager", role).batch_get_secret_value(SecretIdList=[readable, other])
    assert [one["ARN"] for one in answer["SecretValues"]] == [readable]
    assert [(one["SecretId"], one["ErrorCode"]) for one in answer["Errors"]] == [
        (other, "AccessDeniedException")
    ]
    errors = sm.batch_get_secret_value(SecretIdList=[missing])["Errors"]
    assert [one["ErrorCode"] for one in errors] == ["ResourceNotFoundException"]


def test_passwords_have_what_is_asked_for(sm: Any) -> None:
    password = sm.get_random_password(PasswordLength=4)["RandomPassword"]
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)
    assert all(any(letter in kind for letter in password) for kind in kinds)
    assert len(sm.get_random_password()["RandomPassword"]) == 32
    without = sm.get_random_password(PasswordLength=200, ExcludePunctuation=True, ExcludeCharacters="abc012")
    assert not set(without["RandomPassword"]) & set("abc012" + string.punctuation)
    with refused("InvalidParameterException", "Password length is too short based on the required types."):
        sm.get_random_password(PasswordLength=3)
    with refused("ValidationException", "less than or equal to 4096"):
        sm.get_random_password(PasswordLength=5000)


def test_resource_policies_are_checked(sm: Any) -> None:
    secret = create(sm)["ARN"]
    public = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    with refused("MalformedPolicyDocumentException", "syntax error"):
        sm.put_resource_policy(SecretId=secret, ResourcePolicy="{")
    with refused("PublicPolicyException", "broad access"):
        sm.put_resource_policy(SecretId=secret, ResourcePolicy=policy(public), BlockPublicPolicy=True)
    assert not sm.validate_resource_policy(ResourcePolicy=policy(public))["PolicyValidationPassed"]
    sm.put_resource_policy(SecretId=secret, ResourcePolicy=policy(public))
    assert json.loads(sm.get_resource_policy(SecretId=secret)["ResourcePolicy"])["Statement"] == [public]
    sm.delete_resource_policy(SecretId=secret)
    assert "ResourcePolicy" not in sm.get_resource_policy(SecretId=secret)


def test_a_replica_is_under_the_key_of_its_own_region(engine: Engine, sm: Any) -> None:
    region = "eu-west-1"
    there = engine.client("secretsmanager", region=region)
    keys = engine.client("kms", region=region)
    key = keys.create_key()["KeyMetadata"]["Arn"]
    secret = create(sm)["ARN"]
    started = sm.replicate_secret_to_regions(
        SecretId=secret, AddReplicaRegions=[{"Region": region, "KmsKeyId": key}]
    )["ReplicationStatus"]
    assert started == [{"Region": region, "KmsKeyId": key, "Status": "InProgress"}]
    described = sm.describe_secret(SecretId=secret)
    assert (described["PrimaryRegion"], described["ReplicationStatus"][0]["Status"]) == (
        engine.region,
        "InSync",
    )
    replica = secret.replace(engine.region, region)
    put(sm, secret, "changed")
    assert there.get_secret_value(SecretId=replica)["SecretString"] == "changed"
    assert {
        key for one in there.list_secret_version_ids(SecretId=replica)["Versions"] for key in one["KmsKeyIds"]
    } == {key}
    keys.disable_key(KeyId=key)
    with refused("DecryptionFailure", key):
        there.get_secret_value(SecretId=replica)
    assert sm.get_secret_value(SecretId=secret)["SecretString"] == "changed"
    keys.enable_key(KeyId=key)
    with refused("InvalidRequestException", "Operation not permitted on a replica secret."):
        put(there, replica, "never")
    with refused("InvalidRequestException", f"still has replica regions [{region}]"):
        sm.delete_secret(SecretId=secret)
    there.stop_replication_to_replica(SecretId=replica)
    put(there, replica, "on its own")
    assert sm.get_secret_value(SecretId=secret)["SecretString"] == "changed"
    sm.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def test_replication_that_a_key_refuses_is_told(engine: Engine, sm: Any) -> None:
    secret = create(sm)["ARN"]
    key = engine.client("kms", region="eu-west-1").create_key(
        KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256"
    )["KeyMetadata"]["Arn"]
    sm.replicate_secret_to_regions(
        SecretId=secret, AddReplicaRegions=[{"Region": "eu-west-1", "KmsKeyId": key}]
    )
    [status] = sm.describe_secret(SecretId=secret)["ReplicationStatus"]
    assert status["Status"] == "Failed"
    assert "InvalidKeyUsageException" in status["StatusMessage"]
    left = sm.remove_regions_from_replication(SecretId=secret, RemoveReplicaRegions=["eu-west-1"])
    assert left["ReplicationStatus"] == []


def test_rotation_needs_a_function_that_secrets_manager_may_invoke(engine: Engine, sm: Any) -> None:
    secret = create(sm)["ARN"]
    with refused(
        "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret."
    ):
        sm.rotate_secret(SecretId=secret, ClientRequestToken=token())
    missing = f"arn:aws:lambda:{engine.region}:{engine.account}:function:missing"
    with refused("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function."):
        sm.rotate_secret(SecretId=secret, RotationLambdaARN=missing, ClientRequestToken=token())
    assert "RotationEnabled" not in sm.describe_secret(SecretId=secret)


FUNCTION = """
import boto3

def handler(event, context):
    manager = boto3.client("secretsmanager")
    secret, token = event["SecretId"], event["ClientRequestToken"]
    labels = manager.describe_secret(SecretId=secret)["VersionIdsToStages"]
    assert labels[token] == ["AWSPENDING"], labels
    if event["Step"] == "createSecret":
        manager.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString="rotated", VersionStages=["AWSPENDING"]
        )
    if event["Step"] == "finishSecret":
        current = next(one for one, found in labels.items() if "AWSCURRENT" in found)
        manager.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
"""


@pytest.fixture(scope="module")
def rotator(engine: Engine) -> str:
    """A function that rotates secrets, which Secrets Manager may invoke."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    iam, functions, its_name = engine.client("iam"), engine.client("lambda"), name()
    role = iam.create_role(RoleName=its_name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=its_name, PolicyName="identity", PolicyDocument=policy(allow("secretsmanager:*"))
    )
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", FUNCTION)
    made = functions.create_function(
        FunctionName=its_name,
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Timeout=60,
    )
    functions.add_permission(
        FunctionName=its_name,
        StatementId="rotation",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )
    return str(made["FunctionArn"])


def test_a_function_rotates_a_secret(sm: Any, rotator: str) -> None:
    secret = create(sm)
    started = sm.rotate_secret(
        SecretId=secret["ARN"],
        RotationLambdaARN=rotator,
        RotationRules={"AutomaticallyAfterDays": 1},
        ClientRequestToken=token(),
    )
    deadline = time.monotonic() + 60
    while (found := sm.get_secret_value(SecretId=secret["ARN"]))["SecretString"] != "rotated":
        assert time.monotonic() < deadline, sm.describe_secret(SecretId=secret["ARN"])
    assert (found["VersionId"], found["VersionStages"]) == (
        started["VersionId"],
        ["AWSCURRENT", "AWSPENDING"],
    )
    told = sm.describe_secret(SecretId=secret["ARN"])
    assert (told["RotationEnabled"], told["RotationLambdaARN"]) == (True, rotator)
    assert told["LastRotatedDate"] < told["NextRotationDate"]
    assert told["VersionIdsToStages"][secret["VersionId"]] == ["AWSPREVIOUS"]
    sm.cancel_rotate_secret(SecretId=secret["ARN"])
    assert sm.describe_secret(SecretId=secret["ARN"])["RotationEnabled"] is False
    with refused("InvalidParameterException", "must be within 1-1000"):
        sm.rotate_secret(
            SecretId=secret["ARN"], RotationRules={"AutomaticallyAfterDays": 0}, ClientRequestToken=token()
        )


def test_a_tag_without_a_key_is_refused(sm: Any) -> None:
    """botocore lets it pass: the model demands no member of a tag."""
    secret = create(sm)["ARN"]
    sm.tag_resource(SecretId=secret, Tags=[{"Key": "team"}])
    with refused("InvalidParameterException", "a key"):
        sm.tag_resource(SecretId=secret, Tags=[{"Value": "blue"}])
    assert sm.describe_secret(SecretId=secret)["Tags"] == [{"Key": "team"}]


def test_a_member_that_is_null_was_not_given(engine: Engine) -> None:
    manager = engine.client("secretsmanager")
    assert len(manager.get_random_password(PasswordLength=None)["RandomPassword"]) == 32
