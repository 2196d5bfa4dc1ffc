"""A key policy really decides: with, without and against identity policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.target import Credentials
from tests.engine.conftest import allow, error_code, principal_allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine, Principal


def encrypt(engine: Engine, who: Any, key: str, **parameters: Any) -> Any:
    return engine.client("kms", who).encrypt(KeyId=key, Plaintext=b"x", **parameters)


def test_a_policy_that_names_the_role_suffices(engine: Engine) -> None:
    role = engine.role()
    key = engine.key(principal_allow(role, "kms:Encrypt"))
    assert encrypt(engine, role, key)["KeyId"] == key
    message = (
        f"is not authorized to perform: kms:Decrypt on resource: {key} "
        "because no resource-based policy allows the kms:Decrypt action"
    )
    blob = encrypt(engine, role, key)["CiphertextBlob"]
    with refused("AccessDeniedException", f"assumed-role/{role.name}/test {message}"):
        engine.client("kms", role).decrypt(CiphertextBlob=blob)


def test_a_denial_is_http_400(engine: Engine) -> None:
    from botocore.exceptions import ClientError

    role = engine.role()
    with pytest.raises(ClientError) as caught:
        encrypt(engine, role, engine.key())
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_policy_that_names_the_account_needs_the_identity_policy_too(engine: Engine) -> None:
    with_permission, without = engine.role(allow("kms:Encrypt")), engine.role()
    key = engine.key(engine.account_statement("kms:Encrypt"))
    assert encrypt(engine, with_permission, key)["KeyId"] == key
    with refused("AccessDeniedException", "because no identity-based policy allows the kms:Encrypt action"):
        encrypt(engine, without, key)


def test_without_delegation_identity_policies_are_powerless(engine: Engine) -> None:
    mighty = engine.role(allow("kms:*"))
    key = engine.key(engine.own_statement())
    theirs = engine.client("kms", mighty)
    for operation, parameters in (
        ("encrypt", {"Plaintext": b"x"}),
        ("put_key_policy", {"Policy": "{}"}),
        ("schedule_key_deletion", {}),
        ("describe_key", {}),
    ):
        with refused("AccessDeniedException", "no resource-based policy allows"):
            getattr(theirs, operation)(KeyId=key, **parameters)


def test_the_root_user_obeys_the_key_policy_too(engine: Engine) -> None:
    closed, open_to_root = engine.key(engine.own_statement()), engine.key()
    with refused("AccessDeniedException", f"arn:aws:iam::{engine.account}:root", "no resource-based policy"):
        encrypt(engine, engine.root, closed)
    assert encrypt(engine, engine.root, open_to_root)["KeyId"] == open_to_root


def test_break_glass_for_the_root_user_is_for_nobody_else(engine: Engine) -> None:
    root = f"arn:aws:iam::{engine.account}:root"
    key = engine.key(engine.account_statement("kms:Encrypt", ArnEquals={"aws:PrincipalArn": [root]}))
    assert encrypt(engine, engine.root, key)["KeyId"] == key
    with refused("AccessDeniedException"):
        encrypt(engine, engine.role(allow("kms:Encrypt")), key)


@pytest.mark.parametrize("path", ["/", "/teams/blue/"])
def test_principal_arn_is_the_roles_not_the_sessions(engine: Engine, path: str) -> None:
    role, other = engine.role(allow("kms:Encrypt"), path=path), engine.role(allow("kms:Encrypt"))
    powerless = engine.role(path=path)
    arns = [role.arn, powerless.arn]
    key = engine.key(engine.account_statement("kms:Encrypt", ArnEquals={"aws:PrincipalArn": arns}))
    assert encrypt(engine, role, key)["KeyId"] == key
    with refused("AccessDeniedException", "no resource-based policy"):
        encrypt(engine, other, key)
    with refused("AccessDeniedException", "no identity-based policy"):
        encrypt(engine, powerless, key)


def test_a_users_principal_arn_is_its_own(engine: Engine) -> None:
    user, other = engine.user(allow("kms:Encrypt")), engine.user(allow("kms:Encrypt"))
    key = engine.key(engine.account_statement("kms:Encrypt", ArnEquals={"aws:PrincipalArn": user.arn}))
    assert encrypt(engine, user, key)["KeyId"] == key
    with refused("AccessDeniedException"):
        encrypt(engine, other, key)


def test_an_explicit_deny_wins_wherever_it_stands(engine: Engine) -> None:
    deny = {**allow("kms:Encrypt"), "Effect": "Deny"}
    by_identity, by_policy = engine.role(allow("kms:*"), deny), engine.role(allow("kms:*"))
    key = engine.key(
        engine.account_statement(), {**principal_allow(by_policy, "kms:Encrypt"), "Effect": "Deny"}
    )
    with refused("AccessDeniedException", "with an explicit deny in an identity-based policy"):
        encrypt(engine, by_identity, key)
    with refused("AccessDeniedException", "with an explicit deny in a resource-based policy"):
        encrypt(engine, by_policy, key)
    root_denied = engine.key(
        engine.account_statement(),
        {**principal_allow(f"arn:aws:iam::{engine.account}:root", "kms:Encrypt"), "Effect": "Deny"},
    )
    with refused("AccessDeniedException", "explicit deny"):
        encrypt(engine, engine.root, root_denied)


def test_a_permissions_boundary_limits_identity_policies(engine: Engine) -> None:
    inside = engine.role(allow("kms:*"), boundary=[allow("kms:Encrypt")])
    outside = engine.role(allow("kms:*"), boundary=[allow("s3:*")])
    key = engine.key()
    assert encrypt(engine, inside, key)["KeyId"] == key
    with refused("AccessDeniedException", "permissions boundary"):
        encrypt(engine, outside, key)


def test_a_session_policy_limits_the_session(engine: Engine) -> None:
    role = engine.role(allow("kms:*"), session_policy=[allow("kms:Encrypt")])
    key = engine.key()
    blob = encrypt(engine, role, key)["CiphertextBlob"]
    with refused("AccessDeniedException", "session policy"):
        engine.client("kms", role).decrypt(CiphertextBlob=blob)


def test_an_identity_policy_can_be_for_one_key(engine: Engine) -> None:
    one, other = engine.key(), engine.key()
    role = engine.role(allow("kms:Encrypt", Resource=one))
    assert encrypt(engine, role, one)["KeyId"] == one
    with refused("AccessDeniedException", other):
        encrypt(engine, role, other)


def test_an_alias_is_the_key_it_names(engine: Engine) -> None:
    key = engine.key()
    alias = f"alias/{key.rsplit('/', 1)[-1]}"
    engine.client("kms").create_alias(AliasName=alias, TargetKeyId=key)
    role = engine.role(allow("kms:Encrypt", Resource=key))
    assert encrypt(engine, role, alias)["KeyId"] == key


def test_re_encrypt_needs_a_permission_on_each_key(engine: Engine) -> None:
    mover = engine.role()
    source = engine.key(principal_allow(mover, "kms:Encrypt", "kms:ReEncryptFrom"))
    target = engine.key(principal_allow(mover, "kms:ReEncryptTo"))
    kms = engine.client("kms", mover)
    blob = kms.encrypt(KeyId=source, Plaintext=b"x")["CiphertextBlob"]
    assert kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target)["KeyId"] == target
    with refused("AccessDeniedException", "kms:ReEncryptTo", source):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=source)
    admin = engine.client("kms").encrypt(KeyId=target, Plaintext=b"x")["CiphertextBlob"]
    with refused("AccessDeniedException", "kms:ReEncryptFrom", target):
        kms.re_encrypt(CiphertextBlob=admin, DestinationKeyId=target)


@pytest.fixture(scope="module")
def nobody(engine: Engine) -> Principal:
    return engine.role()


@pytest.mark.parametrize(
    ("operation", "parameters", "action"),
    [
        ("create_key", {}, "kms:CreateKey"),
        ("list_keys", {}, "kms:ListKeys"),
        ("list_aliases", {}, "kms:ListAliases"),
        ("generate_random", {"NumberOfBytes": 8}, "kms:GenerateRandom"),
    ],
)
def test_operations_without_a_key_need_the_identity_policy(
    engine: Engine, nobody: Principal, operation: str, parameters: dict[str, Any], action: str
) -> None:
    getattr(engine.client("kms", engine.role(allow(action))), operation)(**parameters)
    with refused("AccessDeniedException", action, "no identity-based policy"):
        getattr(engine.client("kms", nobody), operation)(**parameters)


def test_a_missing_key_is_told_to_those_who_may_ask(engine: Engine, nobody: Principal) -> None:
    missing = "12345678-1234-1234-1234-123456789012"
    with refused("NotFoundException"):
        engine.client("kms", engine.role(allow("kms:DescribeKey"))).describe_key(KeyId=missing)
    with refused("AccessDeniedException"):
        engine.client("kms", nobody).describe_key(KeyId=missing)


def test_a_policy_variable_stands_for_the_caller(engine: Engine) -> None:
    blue = engine.role(tags={"team": "blue"})
    condition = {"StringEquals": {"kms:EncryptionContext:team": "${aws:PrincipalTag/team}"}}
    key = engine.key(principal_allow(blue, "kms:Encrypt", Condition=condition))
    assert encrypt(engine, blue, key, EncryptionContext={"team": "blue"})["KeyId"] == key
    with refused("AccessDeniedException"):
        encrypt(engine, blue, key, EncryptionContext={"team": "red"})


def test_a_request_that_nobody_signed_does_nothing(engine: Engine) -> None:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    kms = boto3.client(
        "kms",
        region_name=engine.region,
        endpoint_url=engine.info.endpoint_url,
        verify=str(engine.info.ca_bundle),
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    with refused("MissingAuthenticationTokenException"):
        kms.list_keys()


@pytest.mark.parametrize("access_key", ["test", "123456789012", "AKIAFOREIGNFOREIGN00"])
def test_keys_that_ministack_trusts_blindly_are_closed(engine: Engine, access_key: str) -> None:
    stranger = Credentials(access_key, "test")
    unknown = {"UnrecognizedClientException", "InvalidSignatureException"}
    assert error_code(engine.client("kms", stranger).list_keys) in unknown
    assert error_code(engine.client("iam", stranger).list_users) in {
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
    }
    assert error_code(engine.client("s3", stranger).list_buckets) in {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
    }


def test_a_wrong_secret_is_refused_for_the_root_key_too(engine: Engine) -> None:
    wrong = Credentials(engine.root.access_key_id, "not-the-secret")
    assert error_code(engine.client("kms", wrong).list_keys) == "InvalidSignatureException"
    assert error_code(engine.client("s3", wrong).list_buckets) == "SignatureDoesNotMatch"
