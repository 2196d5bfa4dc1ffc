"""The condition keys of AWS KMS, one by one, and the global ones that key policies use most."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.model import kebab, register
from kmslab.probe.samples import PLAINTEXT, key_for, request_for
from kmslab.probe.sources import guide, iam

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

Condition = dict[str, dict[str, Any]]
SYMMETRIC = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
MESSAGE = {"Message": b"m" * 32}


def page(condition_key: str) -> str:
    """Where the Developer Guide describes a condition key."""
    name = condition_key.partition(":")[2].replace("AWS", "Aws").replace("ReEncrypt", "Reencrypt")
    return guide(f"conditions-kms#conditions-kms-{kebab(name)}")


# --- conditions on the request: the same key, two requests

REQUESTS: tuple[tuple[str, Condition, str, tuple[str, str], dict[str, Any], dict[str, Any]], ...] = (
    (
        "kms:EncryptionContext",
        {"StringEquals": {"kms:EncryptionContext:purpose": "probe"}},
        "Encrypt",
        SYMMETRIC,
        {"Plaintext": PLAINTEXT, "EncryptionContext": {"purpose": "probe"}},
        {"Plaintext": PLAINTEXT, "EncryptionContext": {"purpose": "other"}},
    ),
    (
        "kms:EncryptionContextKeys",
        {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["purpose"]}},
        "Encrypt",
        SYMMETRIC,
        {"Plaintext": PLAINTEXT, "EncryptionContext": {"purpose": "any"}},
        {"Plaintext": PLAINTEXT, "EncryptionContext": {"purpose": "any", "more": "x"}},
    ),
    (
        "kms:EncryptionAlgorithm",
        {"StringEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}},
        "Encrypt",
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        {"Plaintext": PLAINTEXT, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        {"Plaintext": PLAINTEXT, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
    ),
    (
        "kms:SigningAlgorithm",
        {"StringEquals": {"kms:SigningAlgorithm": "RSASSA_PSS_SHA_256"}},
        "Sign",
        ("RSA_2048", "SIGN_VERIFY"),
        {**MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256"},
        {**MESSAGE, "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"},
    ),
    (
        "kms:MessageType",
        {"StringEquals": {"kms:MessageType": "DIGEST"}},
        "Sign",
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        {**MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256", "MessageType": "DIGEST"},
        {**MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256", "MessageType": "RAW"},
    ),
    (
        "kms:DataKeyPairSpec",
        {"StringEquals": {"kms:DataKeyPairSpec": "ECC_NIST_P256"}},
        "GenerateDataKeyPair",
        SYMMETRIC,
        {"KeyPairSpec": "ECC_NIST_P256"},
        {"KeyPairSpec": "ECC_NIST_P384"},
    ),
    (
        "kms:RotationPeriodInDays",
        {"NumericLessThanEquals": {"kms:RotationPeriodInDays": "180"}},
        "EnableKeyRotation",
        SYMMETRIC,
        {"RotationPeriodInDays": 180},
        {"RotationPeriodInDays": 200},
    ),
    (
        "kms:BypassPolicyLockoutSafetyCheck",
        {"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "false"}},
        "PutKeyPolicy",
        SYMMETRIC,
        {"BypassPolicyLockoutSafetyCheck": False},
        {"BypassPolicyLockoutSafetyCheck": True},
    ),
    (
        "aws:TagKeys",
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}},
        "TagResource",
        SYMMETRIC,
        {"Tags": [{"TagKey": "Team", "TagValue": "a"}]},
        {"Tags": [{"TagKey": "Owner", "TagValue": "a"}]},
    ),
    (
        "aws:RequestTag",
        {"StringEquals": {"aws:RequestTag/Team": "a"}},
        "TagResource",
        SYMMETRIC,
        {"Tags": [{"TagKey": "Team", "TagValue": "a"}]},
        {"Tags": [{"TagKey": "Team", "TagValue": "b"}]},
    ),
)


def _by_request(
    condition: Condition,
    operation: str,
    kind: tuple[str, str],
    fits: dict[str, Any],
    other: dict[str, Any],
    bench: Bench,
) -> None:
    world, stranger = bench.world, bench.world.stranger
    allow = world.allow(stranger, operation, condition=condition)
    key = bench.key(allow, KeySpec=kind[0], KeyUsage=kind[1])
    request: dict[str, Any] = {"KeyId": key}
    if operation == "PutKeyPolicy":
        rewritable = world.policy(world.delegation, allow)
        request |= {"PolicyName": "default", "Policy": rewritable}
    bench.denies(operation, stranger, **request, **other)
    bench.works(operation, stranger, **request, **fits)


for _name, _condition, _operation, _kind, _fits, _other in REQUESTS:
    register(
        "condition-keys",
        kebab(_name.partition(":")[2]),
        f"{_name} is what the request of {_operation} says.",
        f"With {_condition} in the key policy the request that fits works, the other is AccessDeniedException.",
        page(_name) if _name.startswith("kms") else iam("reference_policies_condition-keys"),
        partial(_by_request, _condition, _operation, _kind, _fits, _other),
    )


# --- conditions on the key: two keys, the same request

KEYS: tuple[tuple[str, str, str, str, str, dict[str, Any]], ...] = (
    # condition key, operator, a value that fits, one that does not, operation, parameters of CreateKey
    ("kms:KeySpec", "StringEquals", "SYMMETRIC_DEFAULT", "RSA_2048", "Encrypt", {}),
    ("kms:KeyUsage", "StringEquals", "ENCRYPT_DECRYPT", "SIGN_VERIFY", "Encrypt", {}),
    ("kms:KeyOrigin", "StringEquals", "AWS_KMS", "EXTERNAL", "Encrypt", {}),
    ("kms:MultiRegion", "Bool", "false", "true", "Encrypt", {}),
    ("kms:MultiRegionKeyType", "StringEquals", "PRIMARY", "REPLICA", "Encrypt", {"MultiRegion": True}),
    ("kms:MacAlgorithm", "StringEquals", "HMAC_SHA_256", "HMAC_SHA_512", "GenerateMac", {}),
    ("kms:KeyAgreementAlgorithm", "StringEquals", "ECDH", "OTHER", "DeriveSharedSecret", {}),
    ("kms:CustomerMasterKeySpec", "StringEquals", "SYMMETRIC_DEFAULT", "RSA_2048", "Encrypt", {}),
    ("kms:CustomerMasterKeyUsage", "StringEquals", "ENCRYPT_DECRYPT", "SIGN_VERIFY", "Encrypt", {}),
)


def _by_key(
    name: str, operator: str, fits: str, other: str, operation: str, made: dict[str, Any], bench: Bench
) -> None:
    world, stranger = bench.world, bench.world.stranger
    for value, call in ((fits, bench.works), (other, bench.denies)):
        allow = world.allow(stranger, operation, condition={operator: {name: value}})
        key = key_for(bench, operation, allow, **made)
        call(operation, stranger, **request_for(bench, operation, key))


for _name, _operator, _value, _wrong, _operation, _made in KEYS:
    register(
        "condition-keys",
        kebab(_name.partition(":")[2]),
        f"{_name} is an attribute of the key or of the request that {_operation} uses.",
        f"A key policy that asks for {_value} lets {_operation} through, one that asks for {_wrong} does not.",
        page(_name),
        partial(_by_key, _name, _operator, _value, _wrong, _operation, _made),
    )


# --- conditions on a grant

GRANTED: tuple[tuple[str, Condition, dict[str, Any], dict[str, Any]], ...] = (
    (
        "kms:GrantOperations",
        {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}},
        {"Operations": ["Decrypt"]},
        {"Operations": ["Decrypt", "Encrypt"]},
    ),
    (
        "kms:GrantConstraintType",
        {"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}},
        {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextEquals": {"a": "b"}}},
        {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"a": "b"}}},
    ),
    (
        "kms:GrantIsForAWSResource",
        {"Bool": {"kms:GrantIsForAWSResource": "false"}},
        {"Operations": ["Decrypt"]},
        {},
    ),
    ("kms:GranteePrincipal", {}, {"Operations": ["Decrypt"]}, {}),
    ("kms:RetiringPrincipal", {}, {"Operations": ["Decrypt"]}, {}),
)


def _by_grant(
    name: str, condition: Condition, fits: dict[str, Any], other: dict[str, Any], bench: Bench
) -> None:
    world, stranger = bench.world, bench.world.stranger
    one, two = world.member.arn, world.storer.arn
    member = name.partition(":")[2]
    if not condition:
        condition = {"StringEquals": {name: one}}
        other = {**fits, member: two}
        fits = {**fits, member: one}
    common: dict[str, Any] = {"GranteePrincipal": one}
    key = bench.key(world.allow(stranger, "CreateGrant", condition=condition))
    bench.works("CreateGrant", stranger, KeyId=key, **{**common, **fits})
    if not other:  # no request of a person is for an AWS resource
        condition = {"Bool": {name: "true"}}
        key = bench.key(world.allow(stranger, "CreateGrant", condition=condition))
        other = fits
    bench.denies("CreateGrant", stranger, KeyId=key, **{**common, **other})


for _name, _condition, _fits, _other in GRANTED:
    register(
        "condition-keys",
        kebab(_name.partition(":")[2].replace("AWS", "Aws")),
        f"{_name} is what the request of CreateGrant says.",
        "CreateGrant works as the condition of the key policy asks, and is AccessDeniedException otherwise.",
        page(_name),
        partial(_by_grant, _name, _condition, _fits, _other),
    )


# --- conditions at the creation of a key: in identity policies

CREATED: tuple[tuple[str, Condition, dict[str, Any], dict[str, Any]], ...] = (
    (
        "kms:KeySpec",
        {"StringEquals": {"kms:KeySpec": "HMAC_256"}},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"KeySpec": "SYMMETRIC_DEFAULT"},
    ),
    (
        "kms:KeyUsage",
        {"StringEquals": {"kms:KeyUsage": "ENCRYPT_DECRYPT"}},
        {"KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ),
    (
        "kms:KeyOrigin",
        {"StringEquals": {"kms:KeyOrigin": "EXTERNAL"}},
        {"Origin": "EXTERNAL"},
        {"Origin": "AWS_KMS"},
    ),
    (
        "kms:MultiRegion",
        {"Bool": {"kms:MultiRegion": "true"}},
        {"MultiRegion": True},
        {"MultiRegion": False},
    ),
    (
        "aws:RequestTag",
        {"StringEquals": {"aws:RequestTag/Team": "a"}},
        {"Tags": [{"TagKey": "Team", "TagValue": "a"}]},
        {"Tags": [{"TagKey": "Team", "TagValue": "b"}]},
    ),
)


def _by_creation(condition: Condition, fits: dict[str, Any], other: dict[str, Any], bench: Bench) -> None:
    world = bench.world
    role = world.role(world.identity("kms:CreateKey", condition=condition), world.identity("kms:TagResource"))
    tags: dict[str, Any] = {"Tags": bench.key_tags + fits.get("Tags", [])}
    made = bench.works("CreateKey", role, **{**fits, **tags})["KeyMetadata"]["Arn"]
    bench.discard_later(made)
    bench.denies("CreateKey", role, **{**other, "Tags": bench.key_tags + other.get("Tags", [])})


for _name, _condition, _fits, _other in CREATED:
    register(
        "condition-keys",
        f"{kebab(_name.partition(':')[2])}-at-creation",
        f"{_name} in an identity policy decides which keys may be created.",
        f"With {_condition} CreateKey works with what fits, and is AccessDeniedException otherwise.",
        page(_name) if _name.startswith("kms") else guide("tag-authorization"),
        partial(_by_creation, _condition, _fits, _other),
    )
