"""Imported key material: wrapped for one key, with an end, taken away and brought back."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import INVALID_STATE, UNREADABLE, UNSUPPORTED, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import PLAINTEXT
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

FOR_GOOD = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
OAEP_SHA_256 = "RSAES_OAEP_SHA_256"
WRAPPINGS = ("RSAES_OAEP_SHA_1", OAEP_SHA_256, "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")


def wrapped(public_key: bytes, material: bytes, algorithm: str) -> bytes:
    """Wrap key material outside KMS, as its owner does."""
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    public: Any = load_der_public_key(public_key)
    digest = SHA1() if algorithm.endswith("SHA_1") else SHA256()  # noqa: S303  # the algorithm that is asked for
    oaep = OAEP(MGF1(digest), digest, None)
    if algorithm.startswith("RSAES"):
        return bytes(public.encrypt(material, oaep))
    inner = secrets.token_bytes(32)
    return bytes(public.encrypt(inner, oaep)) + aes_key_wrap_with_padding(inner, material)


def parameters(bench: Bench, key: str, material: bytes, algorithm: str = OAEP_SHA_256) -> dict[str, Any]:
    """The parameters of ImportKeyMaterial for material that does not expire."""
    given = bench.make(
        "GetParametersForImport", KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048"
    )
    sealed = wrapped(given["PublicKey"], material, algorithm)
    return {"KeyId": key, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": sealed, **FOR_GOOD}


def imported(bench: Bench, material: bytes) -> str:
    """Make a key with this material and return its ARN."""
    key = bench.key(Origin="EXTERNAL")
    bench.make("ImportKeyMaterial", **parameters(bench, key, material))
    return key


def _wrapping(algorithm: str, bench: Bench) -> None:
    key = bench.key(Origin="EXTERNAL")
    bench.refuses(INVALID_STATE, "Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    bench.works("ImportKeyMaterial", **parameters(bench, key, secrets.token_bytes(32), algorithm))
    about = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]
    bench.equal("KeyState", about["KeyState"], "Enabled")
    blob = bench.works("Encrypt", KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    bench.sees("it opens", bench.make("Decrypt", CiphertextBlob=blob)["Plaintext"] == PLAINTEXT)


for _algorithm in WRAPPINGS:
    register(
        "imported-material",
        f"wrapped-with-{kebab(_algorithm)}",
        f"Key material is imported wrapped with {_algorithm}.",
        "Before the import Encrypt is KMSInvalidStateException; after it the key encrypts and decrypts.",
        guide("importing-keys-get-public-key-and-token"),
        partial(_wrapping, _algorithm),
    )


def _kind(spec: str, usage: str, operation: str, extra: dict[str, str], bench: Bench) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from kmslab.probe.samples import encoded, private_key

    key = bench.key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
    request: dict[str, Any] = {"KeyId": key, "Message": PLAINTEXT, **extra}
    bench.refuses(INVALID_STATE, operation, **request)
    public = b""
    if spec.startswith("HMAC"):
        material = secrets.token_bytes(32)
    else:
        private = private_key(spec)
        public = encoded(private.public_key())
        material = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    wrapping = OAEP_SHA_256 if spec.startswith("HMAC") else "RSA_AES_KEY_WRAP_SHA_256"
    bench.works("ImportKeyMaterial", **parameters(bench, key, material, wrapping))
    bench.works(operation, **request)
    if public:
        found = bench.make("GetPublicKey", KeyId=key)["PublicKey"]
        bench.sees("the public key is that of the imported one", found == public)


for _spec, _usage, _operation, _extra in (
    ("HMAC_256", "GENERATE_VERIFY_MAC", "GenerateMac", {"MacAlgorithm": "HMAC_SHA_256"}),
    ("ECC_NIST_P256", "SIGN_VERIFY", "Sign", {"SigningAlgorithm": "ECDSA_SHA_256"}),
):
    register(
        "imported-material",
        f"material-of-{kebab(_spec)}",
        f"Key material of {_spec} can be imported.",
        f"Before the import {_operation} is KMSInvalidStateException; after it works.",
        guide("importing-keys-conceptual"),
        partial(_kind, _spec, _usage, _operation, _extra),
    )


@probe(api("ImportKeyMaterial"))
def a_token_is_for_one_key(bench: Bench) -> None:
    """An import token is for the key that it was made for.

    For that key the import works; for another it is InvalidImportTokenException.
    """
    key, other = bench.key(Origin="EXTERNAL"), bench.key(Origin="EXTERNAL")
    request = parameters(bench, key, secrets.token_bytes(32))
    bench.refuses("InvalidImportTokenException", "ImportKeyMaterial", **{**request, "KeyId": other})
    bench.works("ImportKeyMaterial", **request)


@probe(api("ImportKeyMaterial"))
def material_must_be_wrapped_for_its_key(bench: Bench) -> None:
    """Material that was not wrapped under the public key is not taken.

    Wrapped it works; other bytes of the same length are InvalidCiphertextException.
    """
    request = parameters(bench, bench.key(Origin="EXTERNAL"), secrets.token_bytes(32))
    other = secrets.token_bytes(len(request["EncryptedKeyMaterial"]))
    bench.refuses(UNREADABLE, "ImportKeyMaterial", **{**request, "EncryptedKeyMaterial": other})
    bench.works("ImportKeyMaterial", **request)


@probe(api("ImportKeyMaterial"))
def material_has_the_length_of_its_key(bench: Bench) -> None:
    """The material of a symmetric encryption key has 32 bytes.

    32 bytes work; 16 are refused.
    """
    key = bench.key(Origin="EXTERNAL")
    codes = ("IncorrectKeyMaterialException", VALIDATION, UNREADABLE)
    bench.refuses(codes, "ImportKeyMaterial", **parameters(bench, key, secrets.token_bytes(16)))
    bench.works("ImportKeyMaterial", **parameters(bench, key, secrets.token_bytes(32)))


@probe(api("DeleteImportedKeyMaterial"))
def deleted_material_stops_the_key(bench: Bench) -> None:
    """DeleteImportedKeyMaterial makes the key useless at once, and the same material restores it.

    Decrypt works, is KMSInvalidStateException after the deletion, and works again after the same import.
    """
    material = secrets.token_bytes(32)
    key = imported(bench, material)
    blob = bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    bench.works("Decrypt", CiphertextBlob=blob)
    bench.works("DeleteImportedKeyMaterial", KeyId=key)
    bench.refuses(INVALID_STATE, "Decrypt", CiphertextBlob=blob, KeyId=key)
    state = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"]
    bench.equal("KeyState", state, "PendingImport")
    bench.works("ImportKeyMaterial", **parameters(bench, key, material))
    bench.works("Decrypt", CiphertextBlob=blob)


@probe(api("ImportKeyMaterial"))
def other_material_is_refused(bench: Bench) -> None:
    """A key takes back the material that it had, and no other.

    After DeleteImportedKeyMaterial other material is IncorrectKeyMaterialException, the same works.
    """
    material = secrets.token_bytes(32)
    key = imported(bench, material)
    bench.make("DeleteImportedKeyMaterial", KeyId=key)
    other = parameters(bench, key, secrets.token_bytes(32))
    bench.refuses("IncorrectKeyMaterialException", "ImportKeyMaterial", **other)
    bench.works("ImportKeyMaterial", **parameters(bench, key, material))


@probe(api("ImportKeyMaterial"))
def material_with_an_end_needs_a_date(bench: Bench) -> None:
    """KEY_MATERIAL_EXPIRES needs ValidTo, and KEY_MATERIAL_DOES_NOT_EXPIRE must not have it.

    Each as documented works, and the date is told; without a date it is ValidationException.
    """
    key = bench.key(Origin="EXTERNAL")
    request: dict[str, Any] = {
        **parameters(bench, key, secrets.token_bytes(32)),
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
    }
    bench.refuses(VALIDATION, "ImportKeyMaterial", **request)
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    bench.works("ImportKeyMaterial", ValidTo=ends, **request)
    about = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]
    bench.equal("ExpirationModel", about["ExpirationModel"], "KEY_MATERIAL_EXPIRES")
    bench.sees("ValidTo is told", abs((about["ValidTo"] - ends).total_seconds()) < 1)


@probe(api("ImportKeyMaterial"), slow=True)
def material_ends_on_its_date(bench: Bench) -> None:
    """Material with an end is deleted when it comes.

    Before it Encrypt works; after it the key is PendingImport and Encrypt is KMSInvalidStateException.
    """
    key = bench.key(Origin="EXTERNAL")
    request = parameters(bench, key, secrets.token_bytes(32))
    request |= {
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": datetime.now(UTC) + timedelta(seconds=3),
    }
    bench.make("ImportKeyMaterial", **request)
    bench.works("Encrypt", KeyId=key, Plaintext=PLAINTEXT)

    def over() -> bool:
        return bool(bench.make("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport")

    bench.wait(over, "end of the material", seconds=12)
    bench.refuses(INVALID_STATE, "Encrypt", KeyId=key, Plaintext=PLAINTEXT)


@probe(api("GetParametersForImport"))
def only_keys_without_material_import(bench: Bench) -> None:
    """GetParametersForImport takes keys of origin EXTERNAL.

    For such a key it works; for one of origin AWS_KMS it is UnsupportedOperationException.
    """
    request: dict[str, Any] = {"WrappingAlgorithm": OAEP_SHA_256, "WrappingKeySpec": "RSA_2048"}
    bench.works("GetParametersForImport", KeyId=bench.key(Origin="EXTERNAL"), **request)
    bench.refuses(UNSUPPORTED, "GetParametersForImport", KeyId=bench.shared_key(), **request)


@probe(api("GetParametersForImport"))
def a_token_lasts_24_hours(bench: Bench) -> None:
    """Public key and import token are valid for 24 hours, and each pair is another.

    ParametersValidTo is 24 hours ahead; two answers have different tokens.
    """
    key = bench.key(Origin="EXTERNAL")
    request: dict[str, Any] = {"KeyId": key, "WrappingAlgorithm": OAEP_SHA_256, "WrappingKeySpec": "RSA_2048"}
    first, second = (bench.works("GetParametersForImport", **request) for _ in range(2))
    ahead = first["ParametersValidTo"] - datetime.now(UTC)
    bench.sees("it lasts 24 hours", timedelta(hours=23, minutes=55) < ahead < timedelta(hours=24, minutes=5))
    bench.contrasts("the next token is another", first["ImportToken"] != second["ImportToken"])


@probe(guide("importing-keys-conceptual"))
def the_same_material_in_two_keys_is_not_one_key(bench: Bench) -> None:
    """A ciphertext opens under the key that made it only, also where another has the same material.

    Its own key decrypts it; the other is IncorrectKeyException.
    """
    material = secrets.token_bytes(32)
    key, twin = imported(bench, material), imported(bench, material)
    blob = bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    bench.works("Decrypt", CiphertextBlob=blob, KeyId=key)
    bench.refuses("IncorrectKeyException", "Decrypt", CiphertextBlob=blob, KeyId=twin)


@probe(guide("rotating-keys-on-demand"))
def imported_material_rotates_with_new_material(bench: Bench) -> None:
    """A key with imported material rotates on demand, after new material was imported for it.

    Without it RotateKeyOnDemand is refused; with it works, and what the old material encrypted still opens.
    """
    key = imported(bench, secrets.token_bytes(32))
    blob = bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    bench.refuses((INVALID_STATE, VALIDATION), "RotateKeyOnDemand", KeyId=key)
    request = parameters(bench, key, secrets.token_bytes(32))
    bench.works("ImportKeyMaterial", ImportType="NEW_KEY_MATERIAL", **request)
    bench.works("RotateKeyOnDemand", KeyId=key)
    opened = bench.works("Decrypt", CiphertextBlob=blob)
    bench.sees("the old ciphertext opens", opened["Plaintext"] == PLAINTEXT)
