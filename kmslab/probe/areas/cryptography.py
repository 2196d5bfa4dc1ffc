"""Symmetric and RSA encryption, data keys and random bytes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import INVALID_USAGE, NOT_FOUND, UNREADABLE, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import PLAINTEXT, alias_name, load_public
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

CONTEXT = {"purpose": "probe"}


def _encrypted(bench: Bench, key: str = "", **parameters: Any) -> bytes:
    made = bench.make("Encrypt", KeyId=key or bench.shared_key(), Plaintext=PLAINTEXT, **parameters)
    return bytes(made["CiphertextBlob"])


@probe(api("Decrypt"))
def what_was_encrypted_is_decrypted(bench: Bench) -> None:
    """Decrypt returns what Encrypt was given, without being told the key.

    The plaintext comes back with the key's ARN; the ciphertext does not hold it, and no two are alike.
    """
    first, second = _encrypted(bench), _encrypted(bench)
    answer = bench.works("Decrypt", CiphertextBlob=first)
    bench.sees("the plaintext comes back", answer["Plaintext"] == PLAINTEXT)
    bench.equal("the key is named", answer["KeyId"] == bench.shared_key(), expected=True)
    bench.equal("EncryptionAlgorithm", answer["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT")
    bench.contrasts("the ciphertext does not hold the plaintext", PLAINTEXT not in first)
    bench.contrasts("two ciphertexts of one plaintext differ", first != second)


@probe(guide("encrypt_context"))
def another_context_does_not_decrypt(bench: Bench) -> None:
    """The encryption context of Decrypt must be that of Encrypt, exactly.

    With the same context it works; with another, with none, or in other letters it is InvalidCiphertextException.
    """
    blob = _encrypted(bench, EncryptionContext=CONTEXT)
    answer = bench.works("Decrypt", CiphertextBlob=blob, EncryptionContext=CONTEXT)
    bench.sees("the plaintext comes back", answer["Plaintext"] == PLAINTEXT)
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=blob, EncryptionContext={"purpose": "other"})
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=blob, EncryptionContext={"Purpose": "probe"})
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=blob)


@probe(guide("encrypt_context"))
def the_order_of_the_context_does_not_matter(bench: Bench) -> None:
    """The pairs of an encryption context have no order.

    Decrypt works with the pairs in another order, and not with one pair missing.
    """
    blob = _encrypted(bench, EncryptionContext={"one": "1", "two": "2"})
    bench.works("Decrypt", CiphertextBlob=blob, EncryptionContext={"two": "2", "one": "1"})
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=blob, EncryptionContext={"one": "1"})


@probe(api("Decrypt"))
def a_changed_byte_does_not_decrypt(bench: Bench) -> None:
    """A ciphertext that was tampered with is not decrypted.

    As it is, it decrypts; with its last bit changed it is InvalidCiphertextException.
    """
    blob = _encrypted(bench)
    bench.works("Decrypt", CiphertextBlob=blob)
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]))


@probe(api("Decrypt"))
def what_kms_did_not_encrypt_is_refused(bench: Bench) -> None:
    """Bytes that are no ciphertext of KMS are not decrypted.

    A ciphertext is; 64 other bytes are InvalidCiphertextException.
    """
    bench.works("Decrypt", CiphertextBlob=_encrypted(bench))
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=bytes(range(64)))


@probe(api("Decrypt"))
def the_named_key_must_be_the_right_one(bench: Bench) -> None:
    """Decrypt with a KeyId uses that key only.

    With the key that encrypted it works; with another it is IncorrectKeyException.
    """
    blob, other = _encrypted(bench), bench.key()
    bench.works("Decrypt", CiphertextBlob=blob, KeyId=bench.shared_key())
    bench.refuses("IncorrectKeyException", "Decrypt", CiphertextBlob=blob, KeyId=other)


@probe(api("Encrypt"))
def a_plaintext_has_4096_bytes_at_most(bench: Bench) -> None:
    """A symmetric KMS key encrypts up to 4,096 bytes.

    4,096 bytes are encrypted and come back; 4,097 are ValidationException.
    """
    key = bench.shared_key()
    blob = bench.works("Encrypt", KeyId=key, Plaintext=b"p" * 4096)["CiphertextBlob"]
    bench.sees("they come back", bench.make("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"p" * 4096)
    bench.refuses(VALIDATION, "Encrypt", KeyId=key, Plaintext=b"p" * 4097)


@probe(api("Encrypt"))
def an_empty_plaintext_is_refused(bench: Bench) -> None:
    """There must be something to encrypt.

    One byte is encrypted; none is ValidationException.
    """
    key = bench.shared_key()
    bench.works("Encrypt", KeyId=key, Plaintext=b"p")
    bench.refuses(VALIDATION, "Encrypt", KeyId=key, Plaintext=b"")


OAEP_LIMITS = (
    ("RSA_2048", "RSAES_OAEP_SHA_1", 214),
    ("RSA_2048", "RSAES_OAEP_SHA_256", 190),
    ("RSA_3072", "RSAES_OAEP_SHA_1", 342),
    ("RSA_3072", "RSAES_OAEP_SHA_256", 318),
    ("RSA_4096", "RSAES_OAEP_SHA_1", 470),
    ("RSA_4096", "RSAES_OAEP_SHA_256", 446),
)
"""The largest plaintext in bytes (API reference, Encrypt)."""


def _oaep(spec: str, algorithm: str, limit: int, bench: Bench) -> None:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    digest = SHA1() if algorithm.endswith("_1") else SHA256()  # noqa: S303  # the algorithm that is asked for
    key = bench.shared_key(spec, "ENCRYPT_DECRYPT")
    outside = load_public(bench, key).encrypt(b"p" * limit, OAEP(MGF1(digest), digest, None))
    request: dict[str, Any] = {"KeyId": key, "EncryptionAlgorithm": algorithm}
    answer = bench.works("Decrypt", CiphertextBlob=outside, **request)
    bench.sees("what was encrypted outside KMS is decrypted", answer["Plaintext"] == b"p" * limit)
    bench.works("Encrypt", Plaintext=b"p" * limit, **request)
    bench.refuses(VALIDATION, "Encrypt", Plaintext=b"p" * (limit + 1), **request)


for _spec, _algorithm, _limit in OAEP_LIMITS:
    register(
        "cryptography",
        f"{kebab(_spec)}-with-{kebab(_algorithm)}-takes-{_limit}-bytes",
        f"A key of {_spec} encrypts up to {_limit} bytes with {_algorithm}.",
        f"{_limit} bytes work, encrypted by KMS or outside with the public key; one byte more is ValidationException.",
        api("Encrypt"),
        partial(_oaep, _spec, _algorithm, _limit),
    )


@probe(api("Encrypt"))
def a_context_needs_a_symmetric_key(bench: Bench) -> None:
    """An RSA key cannot bind an encryption context.

    Without a context Encrypt works; with one it is refused.
    """
    request: dict[str, Any] = {
        "KeyId": bench.shared_key("RSA_2048"),
        "Plaintext": PLAINTEXT,
        "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    }
    bench.works("Encrypt", **request)
    bench.refuses((VALIDATION, INVALID_USAGE), "Encrypt", EncryptionContext=CONTEXT, **request)


@probe(api("Encrypt"))
def an_rsa_key_needs_its_algorithm(bench: Bench) -> None:
    """The default algorithm is that of symmetric keys; an RSA key cannot use it.

    With RSAES_OAEP_SHA_256 Encrypt works; without an algorithm it is InvalidKeyUsageException or ValidationException.
    """
    key = bench.shared_key("RSA_2048")
    bench.works("Encrypt", KeyId=key, Plaintext=PLAINTEXT, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    bench.refuses((VALIDATION, INVALID_USAGE), "Encrypt", KeyId=key, Plaintext=PLAINTEXT)


@probe(api("Decrypt"))
def decrypting_with_rsa_needs_the_key(bench: Bench) -> None:
    """A ciphertext of an RSA key does not name its key: Decrypt must be told.

    With KeyId it works; without it is refused.
    """
    key = bench.shared_key("RSA_2048")
    request: dict[str, Any] = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT, **request)["CiphertextBlob"]
    bench.works("Decrypt", KeyId=key, CiphertextBlob=blob, **request)
    bench.refuses((VALIDATION, UNREADABLE), "Decrypt", CiphertextBlob=blob, **request)


USAGES = (
    ("Encrypt", "HMAC_256", "GENERATE_VERIFY_MAC", {"Plaintext": PLAINTEXT}),
    ("Encrypt", "ECC_NIST_P256", "SIGN_VERIFY", {"Plaintext": PLAINTEXT}),
    ("GenerateDataKey", "HMAC_256", "GENERATE_VERIFY_MAC", {"KeySpec": "AES_256"}),
    ("GenerateDataKeyWithoutPlaintext", "RSA_2048", "ENCRYPT_DECRYPT", {"KeySpec": "AES_256"}),
)


def _usage(operation: str, spec: str, usage: str, parameters: dict[str, Any], bench: Bench) -> None:
    bench.works(operation, KeyId=bench.shared_key(), **parameters)
    codes = (INVALID_USAGE, VALIDATION) if usage == "ENCRYPT_DECRYPT" else INVALID_USAGE
    bench.refuses(codes, operation, KeyId=bench.shared_key(spec, usage), **parameters)


for _operation, _spec, _usage_of, _parameters in USAGES:
    register(
        "cryptography",
        f"{kebab(_operation)}-needs-its-usage-not-{kebab(_spec)}",
        f"{_operation} takes a symmetric encryption key, not one of {_spec}.",
        "With a symmetric encryption key it works; with the other it is InvalidKeyUsageException.",
        api(_operation),
        partial(_usage, _operation, _spec, _usage_of, _parameters),
    )


@probe(api("ReEncrypt"))
def reencrypting_moves_to_another_key(bench: Bench) -> None:
    """ReEncrypt moves a ciphertext to another key and context inside KMS.

    The new one opens under the new context to the same plaintext, and not under the old; both keys are named.
    """
    old, new = bench.shared_key(), bench.key()
    answer = bench.works(
        "ReEncrypt",
        CiphertextBlob=_encrypted(bench, EncryptionContext=CONTEXT),
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=new,
        DestinationEncryptionContext={"purpose": "moved"},
    )
    bench.equal("the keys", (answer["SourceKeyId"] == old, answer["KeyId"] == new), (True, True))
    blob = answer["CiphertextBlob"]
    opened = bench.works("Decrypt", CiphertextBlob=blob, EncryptionContext={"purpose": "moved"}, KeyId=new)
    bench.sees("the plaintext is the same", opened["Plaintext"] == PLAINTEXT)
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=blob, EncryptionContext=CONTEXT)


@probe(api("ReEncrypt"))
def reencrypting_needs_the_source_context(bench: Bench) -> None:
    """ReEncrypt decrypts first, so that it needs the context of the source.

    With it it works; with another it is InvalidCiphertextException.
    """
    blob, new = _encrypted(bench, EncryptionContext=CONTEXT), bench.key()
    request: dict[str, Any] = {"CiphertextBlob": blob, "DestinationKeyId": new}
    bench.works("ReEncrypt", SourceEncryptionContext=CONTEXT, **request)
    bench.refuses(UNREADABLE, "ReEncrypt", SourceEncryptionContext={"purpose": "other"}, **request)


@probe(api("ReEncrypt"))
def reencrypting_from_the_wrong_key_is_refused(bench: Bench) -> None:
    """SourceKeyId must be the key that encrypted.

    With the right one ReEncrypt works; with another it is IncorrectKeyException.
    """
    blob, new = _encrypted(bench), bench.key()
    bench.works("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=new, SourceKeyId=bench.shared_key())
    bench.refuses(
        "IncorrectKeyException", "ReEncrypt", CiphertextBlob=blob, DestinationKeyId=new, SourceKeyId=new
    )


@probe(api("Encrypt"))
def an_alias_encrypts_as_its_key(bench: Bench) -> None:
    """Encrypt takes the name of an alias, and answers with the ARN of its key.

    With the alias it works; with one that nobody made it is NotFoundException.
    """
    key, alias = bench.key(), alias_name(bench)
    bench.make("CreateAlias", AliasName=alias, TargetKeyId=key)
    answer = bench.works("Encrypt", KeyId=alias, Plaintext=PLAINTEXT)
    bench.equal("the key is named", answer["KeyId"] == key, expected=True)
    bench.refuses(NOT_FOUND, "Encrypt", KeyId=f"{alias}-other", Plaintext=PLAINTEXT)
