"""What may be imported into which key, under which wrapping, and what KMS remembers of it."""

from __future__ import annotations

import base64
import datetime
import hmac
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

from kmslab.engine.kms import material, service
from kmslab.engine.kms.errors import KmsError
from tests.engine.conftest import eventually, refused
from tests.engine.importing import FOR_GOOD, import_material, parameters, state, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.identity import Identity
    from tests.engine.conftest import Engine

ELSEWHERE = "eu-west-1"


@pytest.fixture
def external(make_key: Callable[..., str]) -> str:
    return make_key(Origin="EXTERNAL")


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_the_wrapping_key_has_the_size_asked_for(kms: Any, external: str, spec: str) -> None:
    given = parameters(kms, external, "RSAES_OAEP_SHA_256", spec)
    assert set(given) - {"ResponseMetadata"} == {"KeyId", "ImportToken", "PublicKey", "ParametersValidTo"}
    assert given["KeyId"] == external
    public: Any = serialization.load_der_public_key(given["PublicKey"])
    assert public.key_size == int(spec.removeprefix("RSA_"))
    left = given["ParametersValidTo"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=23, minutes=59) < left <= datetime.timedelta(hours=24)


@pytest.mark.parametrize(
    ("spec", "usage", "wrapping", "fits"),
    [
        ("RSA_2048", "SIGN_VERIFY", ("RSAES_OAEP_SHA_256", "RSA_4096"), False),
        ("RSA_2048", "ENCRYPT_DECRYPT", ("RSAES_OAEP_SHA_1", "RSA_2048"), False),
        ("RSA_2048", "SIGN_VERIFY", ("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"), True),
        ("ECC_NIST_P521", "SIGN_VERIFY", ("RSAES_OAEP_SHA_1", "RSA_2048"), False),
        ("ECC_NIST_P521", "SIGN_VERIFY", ("RSAES_OAEP_SHA_256", "RSA_2048"), False),
        ("ECC_NIST_P521", "SIGN_VERIFY", ("RSAES_OAEP_SHA_256", "RSA_3072"), True),
        ("ECC_NIST_P521", "SIGN_VERIFY", ("RSA_AES_KEY_WRAP_SHA_256", "RSA_2048"), True),
        ("ECC_NIST_P384", "SIGN_VERIFY", ("RSAES_OAEP_SHA_1", "RSA_2048"), True),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", ("SM2PKE", "RSA_2048"), False),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", ("RSAES_OAEP_SHA_256", "SM2"), False),
    ],
)
def test_a_wrapping_that_is_too_short_is_refused(
    kms: Any,
    make_key: Callable[..., str],
    spec: str,
    usage: str,
    wrapping: tuple[str, str],
    fits: bool,  # a table
) -> None:
    """API reference, GetParametersForImport, WrappingAlgorithm and WrappingKeySpec."""
    key = make_key(KeySpec=spec, KeyUsage=usage, Origin="EXTERNAL")
    if fits:
        assert parameters(kms, key, *wrapping)["ImportToken"]
        return
    with refused("UnsupportedOperationException"):
        parameters(kms, key, *wrapping)


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"])
@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_an_hmac_key_comes_in_both_wrappings(
    kms: Any, make_key: Callable[..., str], bits: int, algorithm: str
) -> None:
    key = make_key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC", Origin="EXTERNAL")
    secret = os.urandom(bits // 8)
    import_material(kms, key, secret, algorithm)
    mac = kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]
    assert mac == hmac.digest(secret, b"m", f"sha{bits}")


@pytest.mark.parametrize(
    ("spec", "make", "algorithm"),
    [
        ("RSA_2048", lambda: rsa.generate_private_key(65537, 2048), "RSA_AES_KEY_WRAP_SHA_1"),
        ("ECC_NIST_P384", lambda: ec.generate_private_key(ec.SECP384R1()), "RSAES_OAEP_SHA_1"),
        ("ECC_NIST_P521", lambda: ec.generate_private_key(ec.SECP521R1()), "RSA_AES_KEY_WRAP_SHA_256"),
        ("ECC_SECG_P256K1", lambda: ec.generate_private_key(ec.SECP256K1()), "RSAES_OAEP_SHA_256"),
        ("ECC_NIST_EDWARDS25519", ed25519.Ed25519PrivateKey.generate, "RSAES_OAEP_SHA_256"),
        ("ML_DSA_44", mldsa.MLDSA44PrivateKey.generate, "RSAES_OAEP_SHA_256"),
    ],
)
def test_a_key_pair_of_each_kind_comes_in(
    kms: Any, make_key: Callable[..., str], spec: str, make: Callable[[], Any], algorithm: str
) -> None:
    key = make_key(KeySpec=spec, KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    mine = make()
    answer = import_material(kms, key, material.private_der(mine), algorithm)
    assert (answer["KeyId"], "KeyMaterialId" in answer) == (key, False)
    assert kms.get_public_key(KeyId=key)["PublicKey"] == material.public_der(mine.public_key())
    kms.delete_imported_key_material(KeyId=key)
    with refused("KMSInvalidStateException", f"{key} is pending import."):
        kms.get_public_key(KeyId=key)


@pytest.mark.parametrize(
    ("algorithm", "sizes"),
    [("RSAES_OAEP_SHA_256", (255, 257, 16)), ("RSA_AES_KEY_WRAP_SHA_256", (255, 256, 260))],
)
def test_wrapped_material_has_a_length_of_its_own(
    kms: Any, external: str, algorithm: str, sizes: tuple[int, ...]
) -> None:
    token = parameters(kms, external, algorithm)["ImportToken"]
    for size in sizes:
        with refused("ValidationException", "Invalid encrypted key size."):
            kms.import_key_material(
                KeyId=external, ImportToken=token, EncryptedKeyMaterial=b"x" * size, **FOR_GOOD
            )


def test_a_token_ends_after_a_day(inside: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"access_key": inside.access_key_id}
    key = service.perform("CreateKey", {"Origin": "EXTERNAL"}, **given)["KeyMetadata"]["KeyId"]
    wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    parameters = service.perform("GetParametersForImport", {"KeyId": key, **wrapping}, **given)
    request = {
        "KeyId": key,
        "ImportToken": base64.b64encode(parameters["ImportToken"]).decode(),
        "EncryptedKeyMaterial": base64.b64encode(
            wrapped(parameters["PublicKey"], b"k" * 32, "RSAES_OAEP_SHA_256")
        ).decode(),
        **FOR_GOOD,
    }
    end = parameters["ParametersValidTo"]
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda: end + 1)
        with pytest.raises(KmsError) as told:
            service.perform("ImportKeyMaterial", request, **given)
        assert told.value.refusal.code == "ExpiredImportTokenException"
    assert service.perform("ImportKeyMaterial", request, **given)["KeyMaterialId"]


def test_what_is_new_and_what_is_known_is_told_apart(kms: Any, external: str) -> None:
    """API reference, ImportKeyMaterial, ImportType and KeyMaterialId."""
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, external, b"1" * 32, ImportType="EXISTING_KEY_MATERIAL")
    first = import_material(kms, external, b"1" * 32, KeyMaterialDescription="one")["KeyMaterialId"]
    with refused("IncorrectKeyMaterialException", "already"):
        import_material(kms, external, b"1" * 32, ImportType="NEW_KEY_MATERIAL")
    with refused("IncorrectKeyMaterialException"):
        import_material(kms, external, b"2" * 32)
    with refused("ValidationException", "KeyMaterialId"):
        import_material(kms, external, b"2" * 32, ImportType="NEW_KEY_MATERIAL", KeyMaterialId=first)
    with refused("IncorrectKeyMaterialException", "KeyMaterialId"):
        import_material(kms, external, b"1" * 32, KeyMaterialId="0" * 64)
    assert import_material(kms, external, b"1" * 32, KeyMaterialId=first)["KeyMaterialId"] == first
    second = import_material(kms, external, b"2" * 32, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    with refused("KMSInvalidStateException") as told:
        import_material(kms, external, b"3" * 32, ImportType="NEW_KEY_MATERIAL")
    third = material.material_id(external.rsplit("/", 1)[-1], b"3" * 32)
    assert told["Message"] == (
        f"New key material (id: {third}) cannot be imported into KMS key {external}, because another key "
        f"material (id: {second}) is pending rotation."
    )
    listed = kms.list_key_rotations(KeyId=external, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [(one["KeyMaterialId"], one["KeyMaterialState"]) for one in listed] == [
        (first, "CURRENT"),
        (second, "PENDING_ROTATION"),
    ]
    assert (listed[0]["KeyMaterialDescription"], "RotationDate" in listed[1]) == ("one", False)
    kms.delete_imported_key_material(KeyId=external, KeyMaterialId=second)
    assert state(kms, external) == "Enabled"
    assert import_material(kms, external, b"3" * 32, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"] == third


def test_deleted_material_stays_known(kms: Any, external: str) -> None:
    first = import_material(kms, external, b"1" * 32)["KeyMaterialId"]
    answer = kms.delete_imported_key_material(KeyId=external)
    assert (answer["KeyId"], answer["KeyMaterialId"]) == (external, first)
    described = kms.describe_key(KeyId=external)["KeyMetadata"]
    assert (described["KeyState"], described["CurrentKeyMaterialId"]) == ("PendingImport", first)
    assert not {"ExpirationModel", "ValidTo"} & set(described)
    (listed,) = kms.list_key_rotations(KeyId=external, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert (listed["KeyMaterialState"], listed["ImportState"]) == ("CURRENT", "PENDING_IMPORT")
    kms.schedule_key_deletion(KeyId=external)
    kms.delete_imported_key_material(KeyId=external)
    assert state(kms, external) == "PendingDeletion"


def test_the_key_expires_with_its_first_generation(kms: Any, external: str) -> None:
    """API reference, KeyMetadata, ValidTo: the earliest time of any material that is bound to the key."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    soon, later = now + datetime.timedelta(days=2), now + datetime.timedelta(days=9)
    import_material(kms, external, b"1" * 32, ValidTo=soon)
    import_material(kms, external, b"2" * 32, ImportType="NEW_KEY_MATERIAL", ValidTo=later)
    kms.rotate_key_on_demand(KeyId=external)
    described = kms.describe_key(KeyId=external)["KeyMetadata"]
    assert (described["ExpirationModel"], described["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", soon)
    import_material(kms, external, b"1" * 32)
    assert kms.describe_key(KeyId=external)["KeyMetadata"]["ValidTo"] == later


@pytest.mark.parametrize(
    "more", [{"ImportType": "NEW_KEY_MATERIAL"}, {"KeyMaterialDescription": "d"}, {"KeyMaterialId": "0" * 64}]
)
def test_generations_are_for_symmetric_keys(
    kms: Any, make_key: Callable[..., str], more: dict[str, str]
) -> None:
    key = make_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Origin="EXTERNAL")
    with refused("UnsupportedOperationException", next(iter(more))):
        import_material(kms, key, b"k" * 32, **more)


def states(kms: Any, key: str) -> list[str]:
    found = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    return [str(one["KeyMaterialState"]) for one in found]


def test_each_region_imports_the_same_material(engine: Engine, kms: Any) -> None:
    """API reference, ImportKeyMaterial: the primary first, then every replica, then the rotation."""
    there = engine.client("kms", region=ELSEWHERE)
    key = kms.create_key(MultiRegion=True, Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    import_material(kms, key, b"1" * 32)
    kms.replicate_key(KeyId=key, ReplicaRegion=ELSEWHERE)
    eventually(lambda: state(there, key) == "PendingImport")
    with refused("IncorrectKeyMaterialException"):
        import_material(there, key, b"2" * 32)
    import_material(there, key, b"1" * 32)
    assert state(there, key) == "Enabled"
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    with refused("IncorrectKeyMaterialException"):
        import_material(there, key, b"2" * 32, ImportType="NEW_KEY_MATERIAL")

    second = import_material(kms, key, b"2" * 32, ImportType="NEW_KEY_MATERIAL")["KeyMaterialId"]
    assert states(kms, key) == states(there, key) == ["CURRENT", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"]
    with refused("KMSInvalidStateException", "No available key material pending rotation"):
        kms.rotate_key_on_demand(KeyId=key)
    import_material(there, key, b"2" * 32)
    assert states(kms, key) == states(there, key) == ["CURRENT", "PENDING_ROTATION"]
    kms.rotate_key_on_demand(KeyId=key)
    for client in (kms, there):
        assert client.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == second
    blob = there.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"]
    there.delete_imported_key_material(KeyId=key)
    assert (state(there, key), state(kms, key)) == ("PendingImport", "Enabled")
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"y"
