"""Every condition key of KMS that a lab uses, each allowing one call and refusing its neighbour."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import Principal, allow, principal_allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


@pytest.fixture(scope="module")
def role(engine: Engine) -> Principal:
    """A role without permissions: what the key policy says is all it has."""
    return engine.role()


def conditional_key(
    engine: Engine, role: Principal, action: str, condition: dict[str, Any], **parameters: Any
) -> str:
    return engine.key(principal_allow(role, action, Condition=condition), **parameters)


ENCRYPTION_CONTEXT: list[tuple[dict[str, Any], dict[str, str], dict[str, str]]] = [
    ({"StringEquals": {"kms:EncryptionContext:app": "a"}}, {"app": "a", "more": "x"}, {"app": "b"}),
    ({"StringEquals": {"kms:EncryptionContext:app": "a"}}, {"app": "a"}, {}),
    (
        {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:*"}},
        {"aws:s3:arn": "arn:x"},
        {"aws:s3:arn": "x"},
    ),
    ({"Null": {"kms:EncryptionContextKeys": "false"}}, {"app": "a"}, {}),
    (
        {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["app", "tier"]}},
        {"app": "a", "tier": "1"},
        {"app": "a", "other": "1"},
    ),
    (
        {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": ["app"]}},
        {"app": "a", "x": "y"},
        {"x": "y"},
    ),
]


@pytest.mark.parametrize(("condition", "right", "wrong"), ENCRYPTION_CONTEXT)
def test_the_encryption_context_decides(
    engine: Engine, role: Principal, condition: dict[str, Any], right: dict[str, str], wrong: dict[str, str]
) -> None:
    key = conditional_key(engine, role, "kms:Encrypt", condition)
    kms = engine.client("kms", role)
    assert kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=right)["KeyId"] == key
    with refused("AccessDeniedException"):
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=wrong)


RSA = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
SIGN = {"Message": b"x" * 32, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}

REQUESTS: list[tuple[str, str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # condition key, its value, operation, key parameters, permitted parameters, refused parameters
    (
        "kms:SigningAlgorithm",
        "RSASSA_PSS_SHA_256",
        "Sign",
        RSA,
        SIGN,
        {**SIGN, "SigningAlgorithm": "RSASSA_PSS_SHA_512"},
    ),
    ("kms:MessageType", "RAW", "Sign", RSA, SIGN, {**SIGN, "MessageType": "DIGEST"}),
    ("kms:MessageType", "DIGEST", "Sign", RSA, {**SIGN, "MessageType": "DIGEST"}, SIGN),
    (
        "kms:EncryptionAlgorithm",
        "RSAES_OAEP_SHA_256",
        "Encrypt",
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        {"Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
    ),
    (
        "kms:MacAlgorithm",
        "HMAC_SHA_256",
        "GenerateMac",
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"},
        {"Message": b"x", "MacAlgorithm": "HMAC_SHA_512"},
    ),
    (
        "kms:DataKeyPairSpec",
        "ECC_NIST_P256",
        "GenerateDataKeyPair",
        {},
        {"KeyPairSpec": "ECC_NIST_P256"},
        {"KeyPairSpec": "ECC_NIST_P384"},
    ),
    (
        "kms:RotationPeriodInDays",
        "180",
        "EnableKeyRotation",
        {},
        {"RotationPeriodInDays": 180},
        {"RotationPeriodInDays": 200},
    ),
    (
        "kms:ScheduleKeyDeletionPendingWindowInDays",
        "30",
        "ScheduleKeyDeletion",
        {},
        {},
        {"PendingWindowInDays": 7},
    ),
    (
        "kms:WrappingAlgorithm",
        "RSAES_OAEP_SHA_256",
        "GetParametersForImport",
        {"Origin": "EXTERNAL"},
        {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        {"WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048"},
    ),
    (
        "kms:WrappingKeySpec",
        "RSA_2048",
        "GetParametersForImport",
        {"Origin": "EXTERNAL"},
        {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_3072"},
    ),
    (
        "kms:ReplicaRegion",
        "eu-west-1",
        "ReplicateKey",
        {"MultiRegion": True},
        {"ReplicaRegion": "eu-west-1"},
        {"ReplicaRegion": "eu-west-2"},
    ),
]


@pytest.mark.parametrize(("name", "value", "operation", "key_parameters", "right", "wrong"), REQUESTS)
def test_a_parameter_of_the_request_decides(  # the columns of the table
    engine: Engine,
    name: str,
    value: str,
    operation: str,
    key_parameters: dict[str, Any],
    right: dict[str, Any],
    wrong: dict[str, Any],
) -> None:
    from botocore import xform_name

    # ReplicateKey makes a key elsewhere, for which an identity policy is needed.
    role = engine.role(allow("kms:CreateKey"))
    key = conditional_key(engine, role, f"kms:{operation}", {"StringEquals": {name: value}}, **key_parameters)
    call = getattr(engine.client("kms", role), xform_name(operation))
    with refused("AccessDeniedException", f"kms:{operation}"):
        call(KeyId=key, **wrong)
    call(KeyId=key, **right)


CREATE: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("kms:KeySpec", "SYMMETRIC_DEFAULT", {}, {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
    ("kms:KeyUsage", "ENCRYPT_DECRYPT", {}, {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}),
    ("kms:KeyOrigin", "AWS_KMS", {}, {"Origin": "EXTERNAL"}),
    ("kms:MultiRegion", "false", {}, {"MultiRegion": True}),
    ("kms:BypassPolicyLockoutSafetyCheck", "false", {}, {"BypassPolicyLockoutSafetyCheck": True}),
]


@pytest.mark.parametrize(("name", "value", "right", "wrong"), CREATE)
def test_what_may_be_created_can_be_limited(
    engine: Engine, name: str, value: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    kms = engine.client("kms", engine.role(allow("kms:CreateKey", Condition={"StringEquals": {name: value}})))
    kms.create_key(**right)
    with refused("AccessDeniedException", "kms:CreateKey"):
        kms.create_key(**wrong)


KEYS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("kms:KeySpec", "SYMMETRIC_DEFAULT", {}, RSA),
    ("kms:KeyUsage", "ENCRYPT_DECRYPT", {}, RSA),
    ("kms:KeyOrigin", "AWS_KMS", {}, {"Origin": "EXTERNAL"}),
    ("kms:MultiRegion", "true", {"MultiRegion": True}, {}),
    ("kms:MultiRegionKeyType", "PRIMARY", {"MultiRegion": True}, {}),
    ("aws:ResourceTag/team", "blue", {"Tags": [{"TagKey": "team", "TagValue": "blue"}]}, {}),
]


@pytest.mark.parametrize(("name", "value", "right", "wrong"), KEYS)
def test_a_property_of_the_key_decides(
    engine: Engine, name: str, value: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    kms = engine.client(
        "kms", engine.role(allow("kms:DescribeKey", Condition={"StringEquals": {name: value}}))
    )
    assert kms.describe_key(KeyId=engine.key(**right))["KeyMetadata"]["Enabled"]
    with refused("AccessDeniedException"):
        kms.describe_key(KeyId=engine.key(**wrong))


def test_an_alias_of_the_key_decides(engine: Engine) -> None:
    aliased, other, name = engine.key(), engine.key(), f"alias/{uuid.uuid4()}"
    engine.client("kms").create_alias(AliasName=name, TargetKeyId=aliased)
    by_resource = engine.role(
        allow("kms:DescribeKey", Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}})
    )
    kms = engine.client("kms", by_resource)
    assert kms.describe_key(KeyId=aliased)["KeyMetadata"]["Arn"] == aliased
    with refused("AccessDeniedException"):
        kms.describe_key(KeyId=other)


def test_the_alias_of_the_request_decides(engine: Engine) -> None:
    key, name = engine.key(), f"alias/{uuid.uuid4()}"
    engine.client("kms").create_alias(AliasName=name, TargetKeyId=key)
    kms = engine.client(
        "kms", engine.role(allow("kms:DescribeKey", Condition={"StringEquals": {"kms:RequestAlias": name}}))
    )
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == key
    assert (
        kms.describe_key(KeyId=f"arn:aws:kms:{engine.region}:{engine.account}:{name}")["KeyMetadata"]["Arn"]
        == key
    )
    with refused("AccessDeniedException"):
        kms.describe_key(KeyId=key)


def test_re_encrypt_can_be_kept_to_one_key(engine: Engine, role: Principal) -> None:
    condition = {"Bool": {"kms:ReEncryptOnSameKey": "true"}}
    actions = ("kms:ReEncryptFrom", "kms:ReEncryptTo")
    one = engine.key(
        principal_allow(role, "kms:Encrypt"), principal_allow(role, *actions, Condition=condition)
    )
    two = engine.key(principal_allow(role, *actions, Condition=condition))
    kms = engine.client("kms", role)
    blob = kms.encrypt(KeyId=one, Plaintext=b"x")["CiphertextBlob"]
    assert kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=one)["KeyId"] == one
    with refused("AccessDeniedException", "kms:ReEncryptFrom"):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=two)


def test_the_callers_account_and_service_decide(engine: Engine, role: Principal) -> None:
    mine = {"StringEquals": {"kms:CallerAccount": engine.account}}
    theirs = {"StringEquals": {"kms:CallerAccount": "123456789012"}}
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{engine.region}.amazonaws.com"}}
    kms = engine.client("kms", role)
    assert kms.encrypt(KeyId=conditional_key(engine, role, "kms:Encrypt", mine), Plaintext=b"x")
    for condition in (theirs, through_s3):
        with refused("AccessDeniedException"):
            kms.encrypt(KeyId=conditional_key(engine, role, "kms:Encrypt", condition), Plaintext=b"x")


def test_secure_transport_is_seen_on_both_sockets(engine: Engine, role: Principal) -> None:
    key = conditional_key(engine, role, "kms:Encrypt", {"Bool": {"aws:SecureTransport": "true"}})
    assert engine.client("kms", role).encrypt(KeyId=key, Plaintext=b"x")
    with refused("AccessDeniedException"):
        engine.client("kms", role, plain_http=True).encrypt(KeyId=key, Plaintext=b"x")
