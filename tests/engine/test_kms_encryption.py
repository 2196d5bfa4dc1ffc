"""Encrypt, Decrypt, ReEncrypt and data keys: authenticated, bound to their context, within their limits."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

CONTEXT = {"purpose": "test", "tier": "1"}


@pytest.fixture(scope="module")
def key(engine: Engine) -> str:
    return engine.key()


@pytest.fixture(scope="module")
def rsa(engine: Engine) -> str:
    return engine.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")


def test_what_was_encrypted_comes_back_with_key_and_material_named(kms: Any, key: str) -> None:
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key, "SYMMETRIC_DEFAULT")
    assert b"secret" not in sealed["CiphertextBlob"]
    answer = kms.decrypt(
        CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=dict(reversed(CONTEXT.items()))
    )
    assert answer["Plaintext"] == b"secret"
    assert answer["KeyId"] == key
    assert answer["KeyMaterialId"] == kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]


@pytest.mark.parametrize(
    "context", [{}, {"purpose": "test"}, {**CONTEXT, "more": "x"}, {"purpose": "Test", "tier": "1"}]
)
def test_another_encryption_context_does_not_decrypt(kms: Any, key: str, context: dict[str, str]) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)


@pytest.mark.parametrize("position", [0, 4, 20, 90, 120, -1])
def test_a_changed_byte_does_not_decrypt(kms: Any, key: str, position: int) -> None:
    blob = bytearray(kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"])
    blob[position] ^= 1
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=bytes(blob))


def test_a_truncated_or_foreign_ciphertext_does_not_decrypt(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    for wrong in (blob[:-1], blob[:60], b"KL1", b"\x01\x02", b"KL1\x00\x03\xff\xff\xff" + b"x" * 60):
        with refused("InvalidCiphertextException"):
            kms.decrypt(CiphertextBlob=wrong)


def test_decrypt_with_the_wrong_key_named_says_so(kms: Any, key: str, make_key: Callable[..., str]) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == b"secret"
    for wrong in (
        make_key(),
        make_key(KeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC"),
        make_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"),
    ):
        for operation, member, more in (
            ("decrypt", "KeyId", {}),
            ("re_encrypt", "SourceKeyId", {"DestinationKeyId": wrong}),
        ):
            with refused("IncorrectKeyException") as told:
                getattr(kms, operation)(CiphertextBlob=blob, **{member: wrong}, **more)
            assert told["Message"] == (
                "The key ID in the request does not identify a CMK that can perform this operation."
            )


def test_what_no_symmetric_key_made_names_the_keys_limits_first(
    kms: Any, rsa: str, key: str, make_key: Callable[..., str]
) -> None:
    mac = make_key(KeySpec="HMAC_224", KeyUsage="GENERATE_VERIFY_MAC")
    for named, code, words in (
        (mac, "InvalidKeyUsageException", "which is not valid for Decrypt."),
        (rsa, "InvalidKeyUsageException", "SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."),
        (key, "InvalidCiphertextException", ""),
    ):
        with refused(code, words):
            kms.decrypt(KeyId=named, CiphertextBlob=b"rubbish")


@pytest.mark.parametrize(("size", "fits"), [(1, True), (4096, True), (0, False), (4097, False)])
def test_a_plaintext_has_1_to_4096_bytes(kms: Any, key: str, size: int, fits: bool) -> None:  # a table
    if fits:
        assert kms.encrypt(KeyId=key, Plaintext=b"x" * size)["CiphertextBlob"]
        return
    with refused("ValidationException", "'plaintext'", "Member must have length"):
        kms.encrypt(KeyId=key, Plaintext=b"x" * size)


@pytest.mark.parametrize(("algorithm", "longest"), [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)])
def test_an_rsa_key_takes_what_its_padding_leaves(kms: Any, rsa: str, algorithm: str, longest: int) -> None:
    sealed = kms.encrypt(KeyId=rsa, Plaintext=b"x" * longest, EncryptionAlgorithm=algorithm)["CiphertextBlob"]
    answer = kms.decrypt(KeyId=rsa, CiphertextBlob=sealed, EncryptionAlgorithm=algorithm)
    assert answer["Plaintext"] == b"x" * longest
    assert "KeyMaterialId" not in answer
    with refused("ValidationException", f"cannot encrypt data larger than {longest} bytes"):
        kms.encrypt(KeyId=rsa, Plaintext=b"x" * (longest + 1), EncryptionAlgorithm=algorithm)


def test_what_the_public_key_encrypted_opens_in_kms_only(kms: Any, rsa: str) -> None:
    public: Any = serialization.load_der_public_key(kms.get_public_key(KeyId=rsa)["PublicKey"])
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    blob = public.encrypt(b"outside", oaep)
    opened = kms.decrypt(KeyId=rsa, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert opened["Plaintext"] == b"outside"
    with refused("InvalidCiphertextException"):
        kms.decrypt(KeyId=rsa, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_1")
    with refused("ValidationException", "KeyId"):
        kms.decrypt(CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")


def test_an_rsa_key_has_no_encryption_context_and_no_symmetric_algorithm(kms: Any, rsa: str) -> None:
    with refused("ValidationException", "EncryptionContext"):
        kms.encrypt(
            KeyId=rsa, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256", EncryptionContext={"a": "b"}
        )
    with refused("InvalidKeyUsageException", "SYMMETRIC_DEFAULT"):
        kms.encrypt(KeyId=rsa, Plaintext=b"x")


def test_a_key_for_another_usage_does_not_encrypt(kms: Any, make_key: Callable[..., str]) -> None:
    signing = make_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    with refused(
        "InvalidKeyUsageException", f"{signing} key usage is SIGN_VERIFY which is not valid for Encrypt."
    ):
        kms.encrypt(KeyId=signing, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")


def test_re_encrypt_changes_key_and_context(kms: Any, key: str, make_key: Callable[..., str]) -> None:
    other = make_key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=CONTEXT)["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=other,
        DestinationEncryptionContext={"new": "context"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, other)
    assert moved["SourceKeyMaterialId"] != moved["DestinationKeyMaterialId"]
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"new": "context"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", other)
    with refused("InvalidCiphertextException"):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)


def test_re_encrypt_goes_between_rsa_and_symmetric(kms: Any, key: str, rsa: str) -> None:
    blob = kms.encrypt(KeyId=rsa, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceKeyId=rsa,
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
        DestinationKeyId=key,
    )
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == b"x"
    assert set(moved) - {"ResponseMetadata", "CiphertextBlob"} == {
        *("KeyId", "SourceKeyId", "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"),
        "DestinationKeyMaterialId",
    }
    back = kms.re_encrypt(
        CiphertextBlob=moved["CiphertextBlob"],
        DestinationKeyId=rsa,
        DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_1",
    )
    opened = kms.decrypt(
        KeyId=rsa, CiphertextBlob=back["CiphertextBlob"], EncryptionAlgorithm="RSAES_OAEP_SHA_1"
    )
    assert opened["Plaintext"] == b"x"
    assert ("SourceKeyMaterialId" in back, "DestinationKeyMaterialId" in back) == (True, False)
    with refused("ValidationException", "KeyId"):
        kms.re_encrypt(
            CiphertextBlob=blob, SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256", DestinationKeyId=key
        )


def test_re_encrypt_under_the_same_key_moves_to_its_newest_material(
    kms: Any, make_key: Callable[..., str]
) -> None:
    key = make_key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    moved = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    assert moved["SourceKeyId"] == moved["KeyId"] == key
    assert moved["SourceKeyMaterialId"] != moved["DestinationKeyMaterialId"]
    newest = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert moved["DestinationKeyMaterialId"] == newest


def test_re_encrypt_says_which_side_a_key_is_not_for(
    kms: Any, key: str, make_key: Callable[..., str]
) -> None:
    signing = make_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    words = f"{signing} key usage is SIGN_VERIFY which is not valid for ReEncryptTo."
    with refused("InvalidKeyUsageException", words):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=signing)


def test_re_encrypt_needs_a_destination_that_is_usable(
    kms: Any, key: str, make_key: Callable[..., str]
) -> None:
    other = make_key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=other)
    with refused("DisabledException", other):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)


@pytest.mark.parametrize(
    ("asked", "size"),
    [({"KeySpec": "AES_128"}, 16), ({"KeySpec": "AES_256"}, 32), ({"NumberOfBytes": 1024}, 1024)],
)
def test_a_data_key_comes_in_both_forms(kms: Any, key: str, asked: dict[str, Any], size: int) -> None:
    made = kms.generate_data_key(KeyId=key, EncryptionContext=CONTEXT, **asked)
    assert len(made["Plaintext"]) == size
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == made["Plaintext"]
    assert opened["KeyMaterialId"] == made["KeyMaterialId"]
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, **asked)
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == size


@pytest.mark.parametrize("asked", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}, {"NumberOfBytes": 1025}])
def test_a_data_key_has_one_valid_size(kms: Any, key: str, asked: dict[str, Any]) -> None:
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=key, **asked)


def test_data_keys_come_from_symmetric_keys_only(kms: Any, rsa: str) -> None:
    with refused("InvalidKeyUsageException"):
        kms.generate_data_key(KeyId=rsa, KeySpec="AES_256")


def test_a_data_key_pair_belongs_together(kms: Any, key: str) -> None:
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384", EncryptionContext=CONTEXT)
    private: Any = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    public: Any = serialization.load_der_public_key(made["PublicKey"])
    public.verify(private.sign(b"m", ec.ECDSA(hashes.SHA384())), b"m", ec.ECDSA(hashes.SHA384()))
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    hidden = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="RSA_2048")
    assert "PrivateKeyPlaintext" not in hidden
    assert hidden["KeyPairSpec"] == "RSA_2048"


def test_random_bytes_need_no_key(kms: Any) -> None:
    assert len(kms.generate_random(NumberOfBytes=33)["Plaintext"]) == 33
    with refused("ValidationException", "NumberOfBytes is required."):
        kms.generate_random()


def test_a_dry_run_changes_nothing_and_says_so(kms: Any, key: str, make_key: Callable[..., str]) -> None:
    for operation, parameters in (
        ("encrypt", {"KeyId": key, "Plaintext": b"x"}),
        ("generate_data_key", {"KeyId": key, "KeySpec": "AES_256"}),
        (
            "create_grant",
            {"KeyId": key, "GranteePrincipal": "arn:aws:iam::123456789012:role/r", "Operations": ["Decrypt"]},
        ),
    ):
        with refused("DryRunOperationException", "would have succeeded"):
            getattr(kms, operation)(DryRun=True, **parameters)
    assert kms.list_grants(KeyId=key)["Grants"] == []
    disabled = make_key()
    kms.disable_key(KeyId=disabled)
    with refused("DisabledException"):
        kms.encrypt(KeyId=disabled, Plaintext=b"x", DryRun=True)


def test_an_enclave_recipient_is_named_as_a_limit(kms: Any, key: str) -> None:
    with refused("UnsupportedOperationException", "Nitro"):
        kms.generate_data_key(
            KeyId=key,
            KeySpec="AES_256",
            Recipient={
                "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
                "AttestationDocument": base64.b64encode(b"x"),
            },
        )
