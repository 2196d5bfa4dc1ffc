"""How a request names a key: four names where the API reference says so, else two; other Regions and accounts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from kmslab.engine.kms import service
from tests.engine.conftest import LOADER, policy
from tests.engine.kms_calls import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

MODEL: dict[str, Any] = LOADER.load_service_model("kms", "service-2")
REST: dict[str, dict[str, Any]] = {
    "CreateAlias": {"AliasName": "alias/of-another-key"},
    "CreateGrant": {"Operations": ["Decrypt"], "GranteePrincipal": "arn:aws:iam::111122223333:root"},
    "DeriveSharedSecret": {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"},
    "Encrypt": {"Plaintext": b"x"},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
    "GenerateMac": {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"},
    "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
    "ImportKeyMaterial": {"ImportToken": b"x", "EncryptedKeyMaterial": b"x"},
    "PutKeyPolicy": {"Policy": "{}"},
    "ReplicateKey": {"ReplicaRegion": "eu-west-1"},
    "RevokeGrant": {"GrantId": "0" * 64},
    "Sign": {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"},
    "TagResource": {"Tags": []},
    "UntagResource": {"TagKeys": []},
    "UpdateKeyDescription": {"Description": ""},
    "UpdatePrimaryRegion": {"PrimaryRegion": "eu-west-1"},
    "Verify": {"Message": b"x", "Signature": b"x", "SigningAlgorithm": "ECDSA_SHA_256"},
    "VerifyMac": {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256", "Mac": b"x"},
}
"""What an operation needs beside the key."""
FOUR_NAMES = frozenset(
    {
        *("DescribeKey", "GetPublicKey", "Encrypt", "DeriveSharedSecret", "Sign", "Verify"),
        *("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        *("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac"),
    }
)
"""Operations whose KeyId takes an alias too. Decrypt and ReEncrypt have tests of their own."""


def with_key_id() -> list[str]:
    """Operations whose key is named by a parameter KeyId alone."""
    found = []
    for name, entry in MODEL["operations"].items():
        shape = MODEL["shapes"].get(entry.get("input", {}).get("shape"), {"members": {}})
        if "KeyId" in shape["members"] and name not in ("Decrypt", "ListAliases", "RetireGrant"):
            found.append(name)
    return sorted(found)


def call(client: Any, operation: str, key: str) -> tuple[str, str]:
    """Code and message of the refusal; empty when the operation succeeds."""
    try:
        getattr(client, xform_name(operation))(KeyId=key, **REST.get(operation, {}))
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


@pytest.mark.parametrize("operation", with_key_id())
def test_an_alias_is_taken_where_the_api_reference_says_so(
    engine: Engine, kms: Any, make_key: Callable[..., str], operation: str
) -> None:
    alias = f"alias/{operation}"
    if not kms.list_aliases(KeyId=(key := make_key()))["Aliases"]:
        kms.create_alias(AliasName=alias, TargetKeyId=key)
    for name in (alias, f"arn:aws:kms:{engine.region}:{engine.account}:{alias}"):
        code, message = call(kms, operation, name)
        if operation in FOUR_NAMES:
            assert code != "NotFoundException", message
        else:
            assert (code, message) == ("NotFoundException", f"Invalid keyId '{name}'")


def test_the_table_of_four_names_is_botocores() -> None:
    """The documentation of each KeyId says whether it takes an alias; of GenerateMac and VerifyMac it says
    nothing, but their "Cross-account use" names the alias ARN."""
    told_by_botocore = set()
    for operation in with_key_id():
        shape = MODEL["shapes"][MODEL["operations"][operation]["input"]["shape"]]
        words = shape["members"]["KeyId"]["documentation"]
        used_abroad = re.search(
            r"alias ARN in the value of the <code>KeyId", str(MODEL["operations"][operation])
        )
        if "Alias name:" in words or used_abroad:
            told_by_botocore.add(operation)
    assert told_by_botocore == FOUR_NAMES


@pytest.mark.parametrize("operation", with_key_id())
def test_a_key_that_does_not_exist_is_told_alike_everywhere(engine: Engine, kms: Any, operation: str) -> None:
    arn = f"arn:aws:kms:{engine.region}:{engine.account}:key/12345678-1234-1234-1234-123456789012"
    for name in (arn, arn.rsplit("/", 1)[-1]):
        assert call(kms, operation, name) == ("NotFoundException", f"Key '{arn}' does not exist")
    assert call(kms, operation, "key_id") == ("NotFoundException", "Invalid keyId 'key_id'")
    elsewhere = arn.replace(engine.region, "ap-southeast-1")
    assert call(kms, operation, elsewhere) == ("NotFoundException", "Invalid arn ap-southeast-1")


@pytest.mark.parametrize("reference", ["arn:aws:kms", "arn:aws:s3:::bucket", "arn:::::"])
def test_an_arn_that_is_none_of_a_key_is_invalid(kms: Any, reference: str) -> None:
    assert told(kms.describe_key, KeyId=reference) == ("NotFoundException", f"Invalid arn {reference}")


def test_a_key_arn_has_its_resource_type(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    arn = make_key()
    bare = arn.replace("key/", "")
    assert told(kms.describe_key, KeyId=bare)[0] == "NotFoundException"
    assert told(kms.describe_key, KeyId=arn.replace("key/", "key/key/"))[0] == "NotFoundException"


def test_a_deleted_alias_is_not_found(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    kms.create_alias(AliasName="alias/short-lived", TargetKeyId=make_key())
    kms.encrypt(KeyId="alias/short-lived", Plaintext=b"x")
    kms.delete_alias(AliasName="alias/short-lived")
    arn = f"arn:aws:kms:{engine.region}:{engine.account}:alias/short-lived"
    for name in ("alias/short-lived", arn):
        assert told(kms.encrypt, KeyId=name, Plaintext=b"x") == (
            "NotFoundException",
            f"Alias {arn} is not found.",
        )


@pytest.mark.parametrize("operation", with_key_id())
def test_only_some_operations_reach_another_accounts_key(inside: Any, operation: str) -> None:
    """API reference, "Cross-account use": whatever both sides allow, the others end in a denial."""
    from ministack.core.responses import request_scope

    from kmslab.engine.kms.errors import KmsError

    everybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    with request_scope("922222222222", inside.region):
        key = _stored_key("922222222222", policy(everybody))
    parameters = {
        name: "eA==" if isinstance(value, bytes) else value for name, value in REST.get(operation, {}).items()
    }
    refusal = ""
    try:
        service.perform(operation, {"KeyId": key, **parameters}, access_key=inside.access_key_id)
    except KmsError as error:
        refusal = error.refusal.message
    denied = (
        f"not authorized to perform: kms:{operation} on resource: {key} because the resource does not exist"
    )
    assert (denied in refusal) is not service_is_cross_account(operation), refusal


def service_is_cross_account(operation: str) -> bool:
    """What botocore's documentation of the operation says."""
    words = re.sub(r"<[^>]+>", "", MODEL["operations"][operation]["documentation"])
    return re.search(r"Cross-account use:\s*Yes", words) is not None


def test_the_table_of_cross_account_operations_is_botocores() -> None:
    found = {name for name in MODEL["operations"] if service_is_cross_account(name)}
    assert found == service.CROSS_ACCOUNT


def _stored_key(account: str, document: str) -> str:
    from kmslab.engine.kms import keys, material, records

    key = keys.new_key(spec="SYMMETRIC_DEFAULT", usage="ENCRYPT_DECRYPT")
    key["Policy"] = json.dumps(json.loads(document))
    material.generate(key)
    records.store()[key["KeyId"]] = key
    assert records.account_of(key) == account
    return key["Arn"]
