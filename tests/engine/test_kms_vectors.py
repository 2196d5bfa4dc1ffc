"""Published vectors through imported material, and every key spec held against pyca/cryptography outside KMS."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from kmslab.engine.kms import ed25519ph, material, specs
from tests.engine.conftest import LOADER
from tests.engine.importing import import_material

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

MESSAGE = b"the message of every spec"

RFC_4231 = {
    b"\x0b" * 20: (
        b"Hi There",
        {
            224: "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
            256: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            384: "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
            "faea9ea9076ede7f4af152e8b2fa9cb6",
            512: "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        },
    ),
    b"Jefe": (
        b"what do ya want for nothing?",
        {
            224: "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
            256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            384: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
            "8e2240ca5e69e2c78b3239ecfab21649",
            512: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        },
    ),
}
"""Test cases 1 and 2: key to data and HMAC by length."""


@pytest.mark.parametrize("secret", list(RFC_4231))
@pytest.mark.parametrize("bits", [224, 256, 384, 512])
def test_hmac_of_rfc_4231(kms: Any, make_key: Callable[..., str], bits: int, secret: bytes) -> None:
    """HMAC fills a short key up with zeros, so the RFC's keys fit any length that KMS takes."""
    data, expected = RFC_4231[secret]
    key = make_key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC", Origin="EXTERNAL")
    import_material(kms, key, secret.ljust(bits // 8, b"\0"))
    request = {"KeyId": key, "Message": data, "MacAlgorithm": f"HMAC_SHA_{bits}"}
    assert kms.generate_mac(**request)["Mac"].hex() == expected[bits]
    assert kms.verify_mac(**request, Mac=bytes.fromhex(expected[bits]))["MacValid"] is True


RFC_6979 = [
    (
        ec.SECP256R1(),
        256,
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
    ),
    (
        ec.SECP384R1(),
        384,
        "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
        "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46",
        "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
    ),
]
"""Sections A.2.5 and A.2.6, message "sample": curve, digest, private key, r, s."""


@pytest.mark.parametrize(("curve", "bits", "secret", "r", "s"), RFC_6979)
def test_ecdsa_of_rfc_6979_verifies(
    kms: Any, make_key: Callable[..., str], curve: Any, bits: int, secret: str, r: str, s: str
) -> None:
    key = make_key(KeySpec=f"ECC_NIST_P{bits}", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    private = ec.derive_private_key(int(secret, 16), curve)
    import_material(kms, key, material.private_der(private))
    answer = kms.verify(
        KeyId=key,
        Message=b"sample",
        SigningAlgorithm=f"ECDSA_SHA_{bits}",
        Signature=utils.encode_dss_signature(int(r, 16), int(s, 16)),
    )
    assert answer["SignatureValid"] is True


def test_ed25519_of_rfc_8032(kms: Any, make_key: Callable[..., str]) -> None:
    """Section 7.1, TEST 2: Ed25519 signatures depend on nothing but the key and the message."""
    key = make_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    import_material(kms, key, material.private_der(ed25519.Ed25519PrivateKey.from_private_bytes(seed)))
    signature = kms.sign(KeyId=key, Message=b"\x72", SigningAlgorithm="ED25519_SHA_512")["Signature"]
    assert signature.hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_ecdh_of_rfc_5903(kms: Any, make_key: Callable[..., str]) -> None:
    """Section 8.1: both sides' private keys, and the x coordinate that they agree on."""
    mine, theirs = (
        ec.derive_private_key(int(secret, 16), ec.SECP256R1())
        for secret in (
            "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
            "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
        )
    )
    key = make_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT", Origin="EXTERNAL")
    import_material(kms, key, material.private_der(mine))
    answer = kms.derive_shared_secret(
        KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=material.public_der(theirs.public_key())
    )
    assert answer["SharedSecret"].hex() == "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"
    assert answer["KeyOrigin"] == "EXTERNAL"


def test_pkcs1_v1_5_signatures_are_pyca_cryptographys(kms: Any, make_key: Callable[..., str]) -> None:
    """This padding has nothing random in it: the same key gives the same bytes."""
    mine = rsa.generate_private_key(65537, 2048)
    key = make_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    import_material(kms, key, material.private_der(mine), "RSA_AES_KEY_WRAP_SHA_256")
    for bits, digest in DIGESTS.items():
        request = {"KeyId": key, "Message": MESSAGE, "SigningAlgorithm": f"RSASSA_PKCS1_V1_5_SHA_{bits}"}
        assert kms.sign(**request)["Signature"] == mine.sign(MESSAGE, padding.PKCS1v15(), digest)


DIGESTS: dict[int, Any] = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
SIGNING = [
    (spec.name, algorithm)
    for spec in specs.KEY_SPECS.values()
    for algorithm in spec.usages.get(specs.SIGN_VERIFY, ())
]


@pytest.fixture(scope="module")
def keys(engine: Engine) -> Callable[[str, str], str]:
    """One key of each spec and usage for the module: an RSA key takes a while."""
    made: dict[tuple[str, str], str] = {}

    def key(spec: str, usage: str) -> str:
        if (spec, usage) not in made:
            made[spec, usage] = engine.key(KeySpec=spec, KeyUsage=usage)
        return made[spec, usage]

    return key


def verify_outside(public: Any, algorithm: str, signature: bytes) -> None:
    """Verify as somebody without AWS does; raises InvalidSignature."""
    if algorithm == "ED25519_PH_SHA_512":
        ed25519ph.verify(public.public_bytes_raw(), signature, hashlib.sha512(MESSAGE).digest())
    elif algorithm.startswith(("ML_DSA", "ED25519")):
        public.verify(signature, MESSAGE)
    else:
        digest = DIGESTS[int(algorithm[-3:])]
        if algorithm.startswith("ECDSA"):
            public.verify(signature, MESSAGE, ec.ECDSA(digest))
        elif "PSS" in algorithm:
            salted = padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)
            public.verify(signature, MESSAGE, salted, digest)
        else:
            public.verify(signature, MESSAGE, padding.PKCS1v15(), digest)


@pytest.mark.parametrize(("spec", "algorithm"), SIGNING)
def test_every_signature_verifies_outside(
    kms: Any, keys: Callable[[str, str], str], spec: str, algorithm: str
) -> None:
    key, digested = keys(spec, "SIGN_VERIFY"), algorithm == "ED25519_PH_SHA_512"
    signature = kms.sign(
        KeyId=key,
        Message=hashlib.sha512(MESSAGE).digest() if digested else MESSAGE,
        MessageType="DIGEST" if digested else "RAW",
        SigningAlgorithm=algorithm,
    )["Signature"]
    given = kms.get_public_key(KeyId=key)
    verify_outside(serialization.load_der_public_key(given["PublicKey"]), algorithm, signature)
    assert algorithm in given["SigningAlgorithms"]
    assert not {"EncryptionAlgorithms", "KeyAgreementAlgorithms"} & set(given)


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize(("algorithm", "digest"), [("1", hashes.SHA1()), ("256", hashes.SHA256())])  # noqa: S303  # part of the API
def test_rsa_encryption_works_both_ways(
    kms: Any, keys: Callable[[str, str], str], spec: str, algorithm: str, digest: Any
) -> None:
    key, name = keys(spec, "ENCRYPT_DECRYPT"), f"RSAES_OAEP_SHA_{algorithm}"
    given = kms.get_public_key(KeyId=key)
    assert given["EncryptionAlgorithms"] == ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
    assert not {"SigningAlgorithms", "KeyAgreementAlgorithms"} & set(given)
    public: Any = serialization.load_der_public_key(given["PublicKey"])
    longest = public.key_size // 8 - 2 * digest.digest_size - 2
    text = os.urandom(longest)
    outside = public.encrypt(text, padding.OAEP(padding.MGF1(digest), digest, None))
    inside = kms.encrypt(KeyId=key, Plaintext=text, EncryptionAlgorithm=name)["CiphertextBlob"]
    for blob in (outside, inside):
        assert len(blob) == public.key_size // 8
        opened = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=name)
        assert opened["Plaintext"] == text


@pytest.mark.parametrize(
    ("spec", "curve"),
    [
        ("ECC_NIST_P256", ec.SECP256R1()),
        ("ECC_NIST_P384", ec.SECP384R1()),
        ("ECC_NIST_P521", ec.SECP521R1()),
    ],
)
def test_every_agreement_holds_outside(
    kms: Any, keys: Callable[[str, str], str], spec: str, curve: Any
) -> None:
    key, mine = keys(spec, "KEY_AGREEMENT"), ec.generate_private_key(curve)
    given = kms.get_public_key(KeyId=key)
    assert given["KeyAgreementAlgorithms"] == ["ECDH"]
    public: Any = serialization.load_der_public_key(given["PublicKey"])
    answer = kms.derive_shared_secret(
        KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=material.public_der(mine.public_key())
    )
    assert hmac.compare_digest(answer["SharedSecret"], mine.exchange(ec.ECDH(), public))


PAIRS = LOADER.load_service_model("kms", "service-2")["shapes"]["DataKeyPairSpec"]["enum"]


@pytest.mark.parametrize("spec", sorted(set(PAIRS) - {"SM2"}))
def test_a_data_key_pair_of_every_spec(kms: Any, keys: Callable[[str, str], str], spec: str) -> None:
    key = keys("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)
    private: Any = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert material.spec_of_private_key(private) == spec
    assert material.public_der(private.public_key()) == made["PublicKey"]
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
