"""Secrets Manager under KMS: reading and writing a secret takes its key; its resource policy decides too."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

SM_ALL = allow("secretsmanager:*")
USE = ("kms:GenerateDataKey", "kms:Decrypt")


@pytest.fixture
def sm(engine: Engine) -> Any:
    return engine.client("secretsmanager")


def create(sm: Any, key: str = "", value: str = "value") -> str:
    parameters = {"KmsKeyId": key} if key else {}
    return str(
        sm.create_secret(Name=f"secret-{uuid.uuid4().hex[:12]}", SecretString=value, **parameters)["ARN"]
    )


def test_the_permitted_read_and_the_others_do_not(engine: Engine, sm: Any, key: str) -> None:
    secret = create(sm, key)
    reader = engine.client("secretsmanager", engine.role(SM_ALL, allow("kms:Decrypt")))
    assert reader.get_secret_value(SecretId=secret)["SecretString"] == "value"
    with refused("AccessDeniedException", "Access to KMS is not allowed"):
        engine.client("secretsmanager", engine.role(SM_ALL)).get_secret_value(SecretId=secret)


def test_the_key_is_used_through_the_service_and_bound_to_the_secret(
    engine: Engine, sm: Any, key: str
) -> None:
    secret, other = create(sm, key), create(sm, key)
    bound = {
        "kms:ViaService": f"secretsmanager.{engine.region}.amazonaws.com",
        "kms:EncryptionContext:SecretARN": secret,
    }
    reader = engine.client(
        "secretsmanager", engine.role(SM_ALL, allow("kms:Decrypt", Condition={"StringEquals": bound}))
    )
    assert reader.get_secret_value(SecretId=secret)["SecretString"] == "value"
    with refused("AccessDeniedException", "KMS"):
        reader.get_secret_value(SecretId=other)


def test_a_batch_names_the_secrets_whose_key_is_missing(engine: Engine, sm: Any, key: str) -> None:
    secret = create(sm, key)
    reader = engine.client("secretsmanager", engine.role(SM_ALL))
    answer = reader.batch_get_secret_value(SecretIdList=[secret])
    assert answer["SecretValues"] == []
    assert [(e["SecretId"], e["ErrorCode"]) for e in answer["Errors"]] == [(secret, "AccessDeniedException")]


def test_writing_takes_the_key(engine: Engine, sm: Any, key: str) -> None:
    secret = create(sm, key)
    writer = engine.client("secretsmanager", engine.role(SM_ALL, allow(*USE)))
    writer.put_secret_value(SecretId=secret, SecretString="second")
    writer.update_secret(SecretId=secret, SecretString="third")
    outsider = engine.client("secretsmanager", engine.role(SM_ALL))
    for write in (outsider.put_secret_value, outsider.update_secret):
        with refused("AccessDeniedException", "KMS"):
            write(SecretId=secret, SecretString="never")
    assert sm.get_secret_value(SecretId=secret)["SecretString"] == "third"


def test_a_secret_that_kms_refuses_is_not_kept(engine: Engine, sm: Any, key: str) -> None:
    name = f"secret-{uuid.uuid4().hex[:12]}"
    with refused("AccessDeniedException", "KMS"):
        engine.client("secretsmanager", engine.role(SM_ALL)).create_secret(
            Name=name, SecretString="v", KmsKeyId=key
        )
    with refused("ResourceNotFoundException"):
        sm.describe_secret(SecretId=name)


def test_moving_to_another_key_takes_both_for_what_is_there_already(
    engine: Engine, sm: Any, key: str
) -> None:
    """User Guide, "Change the encryption key": who cannot decrypt the versions leaves them as they are."""
    other = engine.key(engine.account_statement())
    for resources, moved in (([other], [key]), ([key, other], [other, key])):
        secret = create(sm, key)
        mover = engine.client("secretsmanager", engine.role(SM_ALL, allow(*USE, Resource=resources)))
        mover.update_secret(SecretId=secret, KmsKeyId=other)
        assert sm.describe_secret(SecretId=secret)["KmsKeyId"] == other
        assert keys_of_versions(sm, secret) == {"AWSCURRENT": moved}


def test_a_disabled_key_stops_reading_and_writing(sm: Any, kms: Any, key: str) -> None:
    secret = create(sm, key)
    kms.disable_key(KeyId=key)
    why = (
        f"{key} is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException; Request ID: "
    )
    with refused("DecryptionFailure", f"Secrets Manager can't decrypt the secret value: {why}"):
        sm.get_secret_value(SecretId=secret)
    with refused("EncryptionFailure", why):
        sm.put_secret_value(SecretId=secret, SecretString="never")
    kms.enable_key(KeyId=key)
    assert sm.get_secret_value(SecretId=secret)["SecretString"] == "value"


def test_without_a_key_of_its_own_the_aws_managed_key_serves_the_account(engine: Engine, sm: Any) -> None:
    secret = create(sm)
    reader = engine.client("secretsmanager", engine.role(SM_ALL))
    assert reader.get_secret_value(SecretId=secret)["SecretString"] == "value"


def keys_of_versions(sm: Any, secret: str) -> dict[str, list[str]]:
    listed = sm.list_secret_version_ids(SecretId=secret, IncludeDeprecated=True)["Versions"]
    return {",".join(one.get("VersionStages", [])): one["KmsKeyIds"] for one in listed}


def test_each_version_tells_its_key(engine: Engine, sm: Any, key: str) -> None:
    secret = create(sm, key)
    sm.put_secret_value(SecretId=secret, SecretString="new")
    assert keys_of_versions(sm, secret) == {"AWSCURRENT": [key], "AWSPREVIOUS": [key]}
    assert keys_of_versions(sm, create(sm)) == {"AWSCURRENT": ["DefaultEncryptionKey"]}


def test_versions_with_a_label_open_with_the_new_key_and_the_old(engine: Engine, sm: Any, key: str) -> None:
    """User Guide, "Change the encryption key": the copy under the previous key stays until a new version."""
    other = engine.key(engine.account_statement())
    secret = create(sm, key)
    sm.put_secret_value(SecretId=secret, SecretString="new")
    sm.update_secret(SecretId=secret, KmsKeyId=other)
    assert keys_of_versions(sm, secret) == {"AWSCURRENT": [other, key], "AWSPREVIOUS": [other, key]}
    readers = [
        engine.client("secretsmanager", engine.role(SM_ALL, allow("kms:Decrypt", Resource=one)))
        for one in (key, other)
    ]
    for reader in readers:
        assert reader.get_secret_value(SecretId=secret)["SecretString"] == "new"
    sm.put_secret_value(SecretId=secret, SecretString="newer")
    assert keys_of_versions(sm, secret)["AWSCURRENT"] == [other]
    with refused("AccessDeniedException", "KMS"):
        readers[0].get_secret_value(SecretId=secret)
    assert readers[1].get_secret_value(SecretId=secret)["SecretString"] == "newer"


def test_only_a_symmetric_key_encrypts_a_secret(engine: Engine, sm: Any) -> None:
    signer = engine.key(engine.account_statement(), KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    with refused("EncryptionFailure", "InvalidKeyUsageException"):
        create(sm, signer)


def test_another_account_needs_a_key_of_the_secrets_owner(engine: Engine, sm: Any) -> None:
    """The AWS managed key of one account is never used by another."""
    secret = create(sm)
    with refused("ResourceNotFoundException"):
        sm.get_secret_value(SecretId=secret.replace(engine.account, "111122223333"))


def test_the_resource_policy_decides(engine: Engine, sm: Any) -> None:
    secret = create(sm)
    role = engine.role(SM_ALL)
    reader = engine.client("secretsmanager", role)
    assert reader.get_secret_value(SecretId=secret)["SecretString"] == "value"
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": role.arn},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    sm.put_resource_policy(SecretId=secret, ResourcePolicy=policy(deny))
    with refused("AccessDeniedException", "explicit deny"):
        reader.get_secret_value(SecretId=secret)


def versions(sm: Any, secret: str) -> dict[str, list[str]]:
    listed = sm.list_secret_version_ids(SecretId=secret)["Versions"]
    return {one["VersionId"]: one["VersionStages"] for one in listed}


def test_a_request_that_is_repeated_makes_no_second_version(sm: Any) -> None:
    """As a client repeats it whose answer was lost: the token is the version's id."""
    name, tokens = f"secret-{uuid.uuid4().hex[:12]}", [str(uuid.uuid4()) for _ in range(3)]
    calls = (
        (sm.create_secret, {"Name": name, "SecretString": "1", "ClientRequestToken": tokens[0]}),
        (sm.put_secret_value, {"SecretId": name, "SecretString": "2", "ClientRequestToken": tokens[1]}),
        (sm.update_secret, {"SecretId": name, "SecretString": "3", "ClientRequestToken": tokens[2]}),
    )
    for number, (call, request) in enumerate(calls):
        first = call(**request)
        labelled = versions(sm, name)
        again = call(**request)
        del first["ResponseMetadata"], again["ResponseMetadata"]
        assert again == first
        assert first["VersionId"] == tokens[number]
        assert versions(sm, name) == labelled
        with refused("ResourceExistsException", tokens[number]):
            call(**{**request, "SecretString": "another"})
    assert versions(sm, name) == {tokens[1]: ["AWSPREVIOUS"], tokens[2]: ["AWSCURRENT"]}
    assert sm.get_secret_value(SecretId=name)["SecretString"] == "3"
