"""Signatures, MACs and key agreement, each verified outside KMS as well."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

MESSAGE = b"a message worth signing"


@pytest.fixture(scope="module")
def rsa(engine: Engine) -> str:
    return engine.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")


@pytest.fixture(scope="module")
def pq(engine: Engine) -> str:
    return engine.key(KeySpec="ML_DSA_65", KeyUsage="SIGN_VERIFY")


@pytest.fixture(scope="module")
def mac(engine: Engine) -> str:
    return engine.key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")


def public_key(kms: Any, key: str) -> Any:
    return serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])


@pytest.mark.parametrize("padding_name", ["PSS", "PKCS1_V1_5"])
@pytest.mark.parametrize("bits", [256, 384, 512])
def test_rsa_signatures_verify_offline(kms: Any, rsa: str, padding_name: str, bits: int) -> None:
    algorithm = f"RSASSA_{padding_name}_SHA_{bits}"
    signature = kms.sign(KeyId=rsa, Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
    digest: Any = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}[bits]
    scheme: Any = (
        padding.PSS(padding.MGF1(digest), salt_length=bits // 8)
        if padding_name == "PSS"
        else padding.PKCS1v15()
    )
    public_key(kms, rsa).verify(signature, MESSAGE, scheme, digest)
    answer = kms.verify(KeyId=rsa, Message=MESSAGE, SigningAlgorithm=algorithm, Signature=signature)
    assert (answer["SignatureValid"], answer["SigningAlgorithm"], answer["KeyId"]) == (True, algorithm, rsa)


@pytest.mark.parametrize(
    ("spec", "algorithm", "digest"),
    [
        ("ECC_NIST_P256", "ECDSA_SHA_256", hashes.SHA256()),
        ("ECC_NIST_P384", "ECDSA_SHA_384", hashes.SHA384()),
        ("ECC_NIST_P521", "ECDSA_SHA_512", hashes.SHA512()),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256", hashes.SHA256()),
    ],
)
def test_ecdsa_signs_a_message_or_its_digest(
    kms: Any, make_key: Callable[..., str], spec: str, algorithm: str, digest: Any
) -> None:
    key = make_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")
    hashed = hashlib.new(digest.name, MESSAGE).digest()
    signature = kms.sign(KeyId=key, Message=hashed, MessageType="DIGEST", SigningAlgorithm=algorithm)[
        "Signature"
    ]
    public_key(kms, key).verify(signature, hashed, ec.ECDSA(utils.Prehashed(digest)))
    assert kms.verify(KeyId=key, Message=MESSAGE, SigningAlgorithm=algorithm, Signature=signature)[
        "SignatureValid"
    ]
    with refused("ValidationException", "invalid length"):
        kms.sign(KeyId=key, Message=hashed[:-1], MessageType="DIGEST", SigningAlgorithm=algorithm)


def test_ed25519_signs_raw_messages(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    signature = kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm="ED25519_SHA_512")["Signature"]
    public_key(kms, key).verify(signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        public_key(kms, key).verify(signature, MESSAGE + b".")
    with refused("ValidationException", "MessageType DIGEST is not valid for ED25519_SHA_512."):
        kms.sign(KeyId=key, Message=b"x" * 64, MessageType="DIGEST", SigningAlgorithm="ED25519_SHA_512")


def test_ml_dsa_signatures_verify_offline(kms: Any, pq: str) -> None:
    signature = kms.sign(KeyId=pq, Message=MESSAGE, SigningAlgorithm="ML_DSA_SHAKE_256")["Signature"]
    public_key(kms, pq).verify(signature, MESSAGE)
    with refused("KMSInvalidSignatureException"):
        kms.verify(KeyId=pq, Message=MESSAGE + b".", SigningAlgorithm="ML_DSA_SHAKE_256", Signature=signature)


def test_ml_dsa_takes_an_external_mu(kms: Any, pq: str) -> None:
    public = kms.get_public_key(KeyId=pq)["PublicKey"]
    # FIPS 204: mu = SHAKE256(SHAKE256(public key) || 0x00 || 0x00 || message), for an empty context.
    raw = serialization.load_der_public_key(public).public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    tr = hashlib.shake_256(raw).digest(64)
    mu = hashlib.shake_256(tr + b"\x00\x00" + MESSAGE).digest(64)
    request = {"KeyId": pq, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signature = kms.sign(Message=mu, MessageType="EXTERNAL_MU", **request)["Signature"]
    assert kms.verify(Message=MESSAGE, Signature=signature, **request)["SignatureValid"]
    with refused("ValidationException", "64 bytes"):
        kms.sign(Message=mu[:-1], MessageType="EXTERNAL_MU", **request)
    with refused("ValidationException", "DIGEST"):
        kms.sign(Message=mu, MessageType="DIGEST", **request)


def test_external_mu_is_for_ml_dsa_only(kms: Any, rsa: str) -> None:
    with refused("ValidationException", "EXTERNAL_MU"):
        kms.sign(
            KeyId=rsa, Message=b"x" * 64, MessageType="EXTERNAL_MU", SigningAlgorithm="RSASSA_PSS_SHA_256"
        )


def test_a_wrong_signature_is_an_error(kms: Any, rsa: str) -> None:
    request = {"KeyId": rsa, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    signature = kms.sign(Message=MESSAGE, **request)["Signature"]
    for message, given in ((MESSAGE + b".", signature), (MESSAGE, signature[:-1] + b"\x00")):
        with refused("KMSInvalidSignatureException"):
            kms.verify(Message=message, Signature=given, **request)


def test_an_algorithm_of_another_spec_is_refused(kms: Any, rsa: str) -> None:
    with refused("InvalidKeyUsageException", "ECDSA_SHA_256"):
        kms.sign(KeyId=rsa, Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_256")


def test_only_signing_keys_sign(kms: Any, make_key: Callable[..., str]) -> None:
    with refused("InvalidKeyUsageException", "which is not valid for Sign"):
        kms.sign(KeyId=make_key(), Message=MESSAGE, SigningAlgorithm="RSASSA_PSS_SHA_256")


@pytest.mark.parametrize(("size", "fits"), [(4096, True), (4097, False)])
def test_a_message_has_at_most_4096_bytes(kms: Any, rsa: str, size: int, fits: bool) -> None:  # a table
    request = {"KeyId": rsa, "Message": b"x" * size, "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    if fits:
        assert kms.sign(**request)["Signature"]
        return
    with refused("ValidationException", "4096"):
        kms.sign(**request)


@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_a_mac_is_verified_in_kms(kms: Any, make_key: Callable[..., str], bits: int) -> None:
    key = make_key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
    request = {"KeyId": key, "MacAlgorithm": f"HMAC_SHA_{bits}"}
    made = kms.generate_mac(Message=MESSAGE, **request)
    assert len(made["Mac"]) == bits // 8
    assert kms.verify_mac(Message=MESSAGE, Mac=made["Mac"], **request)["MacValid"] is True
    with refused("KMSInvalidMacException"):
        kms.verify_mac(Message=MESSAGE + b".", Mac=made["Mac"], **request)


def test_a_mac_depends_on_the_key(kms: Any, mac: str, make_key: Callable[..., str]) -> None:
    other = make_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    macs = {
        kms.generate_mac(KeyId=k, Message=MESSAGE, MacAlgorithm="HMAC_SHA_256")["Mac"] for k in (mac, other)
    }
    assert len(macs) == 2
    assert hmac.new(b"", MESSAGE, "sha256").digest() not in macs


def test_a_mac_algorithm_of_another_length_is_refused(kms: Any, mac: str) -> None:
    with refused("InvalidKeyUsageException"):
        kms.generate_mac(KeyId=mac, Message=MESSAGE, MacAlgorithm="HMAC_SHA_512")


@pytest.mark.parametrize(
    ("spec", "curve"), [("ECC_NIST_P256", ec.SECP256R1()), ("ECC_NIST_P521", ec.SECP521R1())]
)
def test_both_sides_of_an_agreement_get_one_secret(
    kms: Any, make_key: Callable[..., str], spec: str, curve: Any
) -> None:
    key = make_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")
    mine = ec.generate_private_key(curve)
    der = mine.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    answer = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=der)
    assert answer["SharedSecret"] == mine.exchange(ec.ECDH(), public_key(kms, key))
    assert (answer["KeyOrigin"], answer["KeyAgreementAlgorithm"]) == ("AWS_KMS", "ECDH")


def test_an_agreement_needs_a_public_key_on_the_same_curve(
    kms: Any, make_key: Callable[..., str], rsa: str
) -> None:
    key = make_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    other = make_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")
    off_the_curve = bytearray(kms.get_public_key(KeyId=key)["PublicKey"])
    off_the_curve[-1] ^= 1
    for wrong in (
        kms.get_public_key(KeyId=other)["PublicKey"],
        kms.get_public_key(KeyId=rsa)["PublicKey"],
        bytes(off_the_curve),
        b"rubbish",
    ):
        with refused("ValidationException") as told:
            kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=wrong)
        assert told["Message"] == ""
    signing = make_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    with refused(
        "InvalidKeyUsageException",
        f"{signing} key usage is SIGN_VERIFY which is not valid for DeriveSharedSecret.",
    ):
        kms.derive_shared_secret(KeyId=signing, KeyAgreementAlgorithm="ECDH", PublicKey=b"rubbish")
