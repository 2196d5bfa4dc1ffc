"""Imported key material: both wrapping families, tokens, expiry, deletion, the same material again."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kmslab.engine.kms import lifecycle, material
from tests.engine.conftest import refused
from tests.engine.importing import FOR_GOOD, import_material, parameters, state, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.kms.records import KeyRecord


@pytest.fixture
def external(make_key: Callable[..., str]) -> str:
    return make_key(Origin="EXTERNAL")


def test_an_external_key_waits_for_its_material(kms: Any, external: str) -> None:
    described = kms.describe_key(KeyId=external)["KeyMetadata"]
    assert (described["KeyState"], described["Enabled"], described["Origin"]) == (
        "PendingImport",
        False,
        "EXTERNAL",
    )
    assert not {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"} & set(described)
    with refused("KMSInvalidStateException", f"{external} is pending import."):
        kms.encrypt(KeyId=external, Plaintext=b"x")


@pytest.mark.parametrize(
    "algorithm",
    ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"],
)
def test_each_wrapping_brings_the_material_in(kms: Any, external: str, algorithm: str) -> None:
    answer = import_material(kms, external, b"k" * 32, algorithm)
    described = kms.describe_key(KeyId=external)["KeyMetadata"]
    assert described["KeyState"] == "Enabled"
    assert described["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert described["CurrentKeyMaterialId"] == answer["KeyMaterialId"]
    blob = kms.encrypt(KeyId=external, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_the_old_wrapping_is_gone(kms: Any, external: str) -> None:
    with refused("UnsupportedOperationException", "RSAES_PKCS1_V1_5"):
        kms.get_parameters_for_import(
            KeyId=external, WrappingAlgorithm="RSAES_PKCS1_V1_5", WrappingKeySpec="RSA_2048"
        )


def test_only_external_keys_import(kms: Any, make_key: Callable[..., str]) -> None:
    with refused("UnsupportedOperationException", "origin is AWS_KMS"):
        kms.get_parameters_for_import(
            KeyId=make_key(), WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )


def test_a_token_belongs_to_its_key_and_its_wrapping_key(
    kms: Any, external: str, make_key: Callable[..., str]
) -> None:
    parameters = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    mine = kms.get_parameters_for_import(KeyId=external, **parameters)
    other = make_key(Origin="EXTERNAL")
    blob = wrapped(mine["PublicKey"], b"k" * 32, "RSAES_OAEP_SHA_256")
    kms.get_parameters_for_import(KeyId=other, **parameters)
    with refused("InvalidImportTokenException"):
        kms.import_key_material(
            KeyId=other, ImportToken=mine["ImportToken"], EncryptedKeyMaterial=blob, **FOR_GOOD
        )
    again = kms.get_parameters_for_import(KeyId=external, **parameters)
    with refused("InvalidCiphertextException"):
        kms.import_key_material(
            KeyId=external, ImportToken=again["ImportToken"], EncryptedKeyMaterial=blob, **FOR_GOOD
        )
    left = mine["ParametersValidTo"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=23) < left <= datetime.timedelta(hours=24)


def test_one_kms_key_is_never_given_a_wrapping_key_twice(
    kms: Any, external: str, make_key: Callable[..., str]
) -> None:
    mine = {parameters(kms, external, "RSAES_OAEP_SHA_256")["PublicKey"] for _ in range(3)}
    assert len(mine) == 3
    other = make_key(Origin="EXTERNAL")
    assert parameters(kms, other, "RSAES_OAEP_SHA_256")["PublicKey"] in mine  # decision 0039
    assert parameters(kms, other, "RSAES_OAEP_SHA_256", "RSA_3072")["PublicKey"] not in mine


def test_deleted_material_makes_the_key_wait_and_only_the_same_comes_back(kms: Any, external: str) -> None:
    material_id = import_material(kms, external, b"k" * 32)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=external, Plaintext=b"x")["CiphertextBlob"]
    assert kms.delete_imported_key_material(KeyId=external)["KeyMaterialId"] == material_id
    assert state(kms, external) == "PendingImport"
    with refused("KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=blob)
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, external, b"o" * 32)
    assert import_material(kms, external, b"k" * 32)["KeyMaterialId"] == material_id
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_new_material_waits_for_a_rotation_on_demand(kms: Any, external: str) -> None:
    first = import_material(kms, external, b"k" * 32)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=external, Plaintext=b"old")["CiphertextBlob"]
    with refused("KMSInvalidStateException", "No available key material pending rotation"):
        kms.rotate_key_on_demand(KeyId=external)
    second = import_material(
        kms, external, b"n" * 32, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="next"
    )["KeyMaterialId"]
    assert kms.describe_key(KeyId=external)["KeyMetadata"]["CurrentKeyMaterialId"] == first
    kms.rotate_key_on_demand(KeyId=external)
    assert kms.describe_key(KeyId=external)["KeyMetadata"]["CurrentKeyMaterialId"] == second
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"old"
    listed = kms.list_key_rotations(KeyId=external, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [(item["KeyMaterialState"], item["ImportState"]) for item in listed] == [
        ("NON_CURRENT", "IMPORTED"),
        ("CURRENT", "IMPORTED"),
    ]
    assert listed[1]["KeyMaterialDescription"] == "next"


@pytest.mark.parametrize("secret", [b"k" * 16, b"k" * 33])
def test_symmetric_material_has_256_bits(kms: Any, external: str, secret: bytes) -> None:
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, external, secret)


def test_hmac_material_has_the_length_of_its_spec(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Origin="EXTERNAL")
    with refused("IncorrectKeyMaterialException", "256 bits"):
        import_material(kms, key, b"k" * 16)
    assert "KeyMaterialId" not in import_material(kms, key, b"k" * 32)
    import hmac

    mac = kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert mac == hmac.digest(b"k" * 32, b"m", "sha256")


def test_a_private_key_is_imported_whole_and_must_match_the_spec(
    kms: Any, make_key: Callable[..., str]
) -> None:
    key = make_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    mine, wrong = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    with refused("IncorrectKeyMaterialException", "ECC_NIST_P256"):
        import_material(kms, key, material.private_der(wrong), "RSA_AES_KEY_WRAP_SHA_256")
    with refused("IncorrectKeyMaterialException", "PKCS #8"):
        import_material(kms, key, b"rubbish", "RSA_AES_KEY_WRAP_SHA_256")
    import_material(kms, key, material.private_der(mine), "RSA_AES_KEY_WRAP_SHA_256")
    signature = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    mine.public_key().verify(signature, b"m", ec.ECDSA(hashes.SHA256()))
    kms.delete_imported_key_material(KeyId=key)
    assert state(kms, key) == "PendingImport"
    with refused("IncorrectKeyMaterialException"):
        other = ec.generate_private_key(ec.SECP256R1())
        import_material(kms, key, material.private_der(other), "RSA_AES_KEY_WRAP_SHA_256")


def test_expiry_is_asked_for_and_lies_within_a_year(kms: Any, external: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    with refused("ValidationException") as told:
        import_material(kms, external, b"k" * 32, ExpirationModel="KEY_MATERIAL_EXPIRES")
    assert told["Message"] == "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
    for wrong in (now - datetime.timedelta(hours=1), now + datetime.timedelta(days=366)):
        with refused("ValidationException", "365 days"):
            import_material(kms, external, b"k" * 32, ValidTo=wrong)
    import_material(kms, external, b"k" * 32, ValidTo=now + datetime.timedelta(days=5))
    described = kms.describe_key(KeyId=external)["KeyMetadata"]
    assert described["ExpirationModel"] == "KEY_MATERIAL_EXPIRES"
    assert abs(described["ValidTo"] - now - datetime.timedelta(days=5)) < datetime.timedelta(seconds=2)


def test_material_expires_as_time_passes() -> None:
    item = {**material.new_material("key", b"k" * 32), "valid_to": 1000.0}
    key = cast(
        "KeyRecord",
        {
            "KeyId": "key",
            "KeyState": "Enabled",
            "Enabled": True,
            "Origin": "EXTERNAL",
            "materials": [item],
            "valid_to": 1000.0,
        },
    )
    lifecycle.advance(key, 999.0)
    assert (key["KeyState"], key["materials"][0]["key"]) == ("Enabled", b"k" * 32)
    lifecycle.advance(key, 1000.0)
    assert (key["KeyState"], key["materials"][0]["key"]) == ("PendingImport", None)
