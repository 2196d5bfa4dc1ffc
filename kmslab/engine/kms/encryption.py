"""Encrypt, Decrypt, ReEncrypt, data keys and random bytes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization.caller import REQUEST_ID
from kmslab.engine.kms import envelope, material, records, specs
from kmslab.engine.kms.errors import KmsError, invalid, invalid_ciphertext, unsupported
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.kms.records import KeyRecord

_DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}


def require_usage(key: KeyRecord, call: Call, usage: str, *, permission: str = "") -> None:
    """Fail unless the key is usable now and made for this kind of operation.

    Args:
        key: the key.
        call: the call.
        usage: the KeyUsage that is needed.
        permission: what the message calls the operation, when it is not the operation's name.

    Raises:
        KmsError: DisabledException, KMSInvalidStateException, InvalidKeyUsageException.
    """
    # A multi-Region key can be used while its primary Region changes (API reference, UpdatePrimaryRegion).
    records.require_state(key, "Updating")
    if key["KeyUsage"] != usage:
        raise KmsError(
            "InvalidKeyUsageException",
            f"{key['Arn']} key usage is {key['KeyUsage']} which is not valid for {permission or call.operation}.",
        )


def require_algorithm(key: KeyRecord, algorithm: str) -> None:
    """Fail unless the key's spec and usage offer the algorithm.

    Raises:
        KmsError: InvalidKeyUsageException.
    """
    if algorithm not in records.spec_of(key).usages[key["KeyUsage"]]:
        raise KmsError(
            "InvalidKeyUsageException",
            f"Algorithm {algorithm} is incompatible with key spec {key['KeySpec']}.",
        )


def note_use(key: KeyRecord, call: Call) -> None:
    """Remember that this call used the key."""
    records.note_use(key, call.operation, event_id=call.event_id, request_id=REQUEST_ID.get())


def _oaep(algorithm: str) -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashes.SHA1() if algorithm == "RSAES_OAEP_SHA_1" else hashes.SHA256()  # noqa: S303  # the API's; sound in OAEP
    return padding.OAEP(mgf=padding.MGF1(algorithm=digest), algorithm=digest, label=None)


def _encrypted(key: KeyRecord, plaintext: bytes, context: Mapping[str, str] | None, algorithm: str) -> bytes:
    require_algorithm(key, algorithm)
    if records.is_symmetric(key):
        return envelope.seal(key, plaintext, context)
    if context:
        raise invalid("EncryptionContext is not supported with asymmetric KMS keys.")
    private = material.load_private_key(key["private_key"])
    digest_bytes = 20 if algorithm == "RSAES_OAEP_SHA_1" else 32
    longest = private.key_size // 8 - 2 * digest_bytes - 2
    if len(plaintext) > longest:
        raise invalid(
            f"Algorithm {algorithm} and key spec {key['KeySpec']} cannot encrypt data larger than {longest} bytes."
        )
    sealed: bytes = private.public_key().encrypt(plaintext, _oaep(algorithm))
    return sealed


def _decrypted(
    key: KeyRecord, blob: bytes, context: Mapping[str, str] | None, algorithm: str
) -> tuple[bytes, str | None]:
    require_algorithm(key, algorithm)
    if records.is_symmetric(key):
        return envelope.open_sealed(key, blob, context)
    if context:
        raise invalid("EncryptionContext is not supported with asymmetric KMS keys.")
    try:
        return material.load_private_key(key["private_key"]).decrypt(blob, _oaep(algorithm)), None
    except ValueError as error:
        raise invalid_ciphertext() from error


def _source(call: Call, reference: str | None, algorithm: str) -> KeyRecord:
    """The key to decrypt with: named, or found in the ciphertext."""
    blob: bytes = call.get("CiphertextBlob") or b""
    if algorithm != specs.SYMMETRIC:
        if not reference:
            raise invalid("A KeyId is required to decrypt with an asymmetric KMS key.")
        return records.require(reference)
    named = records.require(reference) if reference else None
    if named and not envelope.is_ours(blob):
        # Whether the key can decrypt at all is said before the ciphertext is looked at.
        return named
    found = _by_blob(blob)
    if found is None:
        raise invalid_ciphertext()
    if named and named["Arn"] != found["Arn"]:
        raise KmsError(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        )
    return found


def _by_blob(blob: bytes) -> KeyRecord | None:
    """The key of a ciphertext in this Region: the same key, or its multi-Region relative."""
    from ministack.core.responses import get_region

    fields = envelope.key_arn_of(blob).split(":")
    if len(fields) != 6:  # noqa: PLR2004  # an ARN has six fields
        raise invalid_ciphertext()
    if fields[3] != get_region() and fields[5].startswith("key/mrk-"):
        fields[3] = get_region()
    return records.resolve(":".join(fields))


def _ignores_ciphertext(call: Call, reference: str) -> bool:
    """Whether a dry run asks for permissions only, without a ciphertext; the key must be named then.

    Raises:
        KmsError: ValidationException: the ciphertext or the key is missing.
    """
    unseen = bool(call.get("DryRun")) and "IGNORE_CIPHERTEXT" in (call.get("DryRunModifiers") or ())
    needed = reference if unseen else "CiphertextBlob"
    if not call.get(needed):
        raise invalid(
            f"1 validation error detected: Value null at '{needed[0].lower()}{needed[1:]}' failed to satisfy "
            "constraint: Member must not be null"
        )
    return unseen


@operation("Encrypt")
def encrypt(call: Call) -> dict[str, Any]:
    """Encrypt up to 4,096 bytes; an RSA key takes less (API reference, Encrypt)."""
    key = call.key()
    require_usage(key, call, specs.ENCRYPT_DECRYPT)
    algorithm = call.get("EncryptionAlgorithm", specs.SYMMETRIC)
    blob = _encrypted(key, call.get("Plaintext"), call.get("EncryptionContext"), algorithm)
    call.end_of_dry_run()
    note_use(key, call)
    if records.is_symmetric(key):  # the answer does not tell the material, the trail does
        call.additional["keyMaterialId"] = envelope.current_material(key)["id"]
    return {"CiphertextBlob": blob, "KeyId": key["Arn"], "EncryptionAlgorithm": algorithm}


@operation("Decrypt")
def decrypt(call: Call) -> dict[str, Any]:
    """Decrypt what this key, this encryption context and this algorithm encrypted."""
    unseen = _ignores_ciphertext(call, "KeyId")
    algorithm = call.get("EncryptionAlgorithm", specs.SYMMETRIC)
    key = records.require(call.get("KeyId")) if unseen else _source(call, call.get("KeyId"), algorithm)
    call.allow(key)
    require_usage(key, call, specs.ENCRYPT_DECRYPT)
    if unseen:
        call.end_of_dry_run()
    plaintext, material_id = _decrypted(
        key, call.get("CiphertextBlob"), call.get("EncryptionContext"), algorithm
    )
    call.end_of_dry_run()
    note_use(key, call)
    answer = {"KeyId": key["Arn"], "Plaintext": plaintext, "EncryptionAlgorithm": algorithm}
    return {**answer, "KeyMaterialId": material_id} if material_id else answer


@operation("ReEncrypt")
def re_encrypt(call: Call) -> dict[str, Any]:
    """Decrypt under one key and encrypt under another, or the same, without showing the plaintext."""
    unseen = _ignores_ciphertext(call, "SourceKeyId")
    source_algorithm = call.get("SourceEncryptionAlgorithm", specs.SYMMETRIC)
    algorithm = call.get("DestinationEncryptionAlgorithm", specs.SYMMETRIC)
    named: str | None = call.get("SourceKeyId")
    source = records.require(named or "") if unseen else _source(call, named, source_algorithm)
    destination = records.require(call.get("DestinationKeyId"))
    same = source["Arn"] == destination["Arn"]
    source_context, context = call.get("SourceEncryptionContext"), call.get("DestinationEncryptionContext")
    call.allow(
        source,
        permission="ReEncryptFrom",
        context=source_context,
        condition_keys={"kms:ReEncryptOnSameKey": same, "kms:EncryptionAlgorithm": source_algorithm},
    )
    call.allow(
        destination,
        permission="ReEncryptTo",
        context=context,
        condition_keys={"kms:ReEncryptOnSameKey": same, "kms:EncryptionAlgorithm": algorithm},
    )
    require_usage(source, call, specs.ENCRYPT_DECRYPT, permission="ReEncryptFrom")
    require_usage(destination, call, specs.ENCRYPT_DECRYPT, permission="ReEncryptTo")
    if unseen:
        call.end_of_dry_run()
    plaintext, material_id = _decrypted(source, call.get("CiphertextBlob"), source_context, source_algorithm)
    blob = _encrypted(destination, plaintext, context, algorithm)
    call.end_of_dry_run()
    note_use(source, call)
    note_use(destination, call)
    answer = {
        "CiphertextBlob": blob,
        "SourceKeyId": source["Arn"],
        "KeyId": destination["Arn"],
        "SourceEncryptionAlgorithm": source_algorithm,
        "DestinationEncryptionAlgorithm": algorithm,
    }
    if material_id:
        answer["SourceKeyMaterialId"] = material_id
    if records.is_symmetric(destination):
        answer["DestinationKeyMaterialId"] = envelope.current_material(destination)["id"]
    return answer


def _symmetric(call: Call) -> KeyRecord:
    key = call.key()
    require_usage(key, call, specs.ENCRYPT_DECRYPT)
    if not records.is_symmetric(key):
        raise KmsError(
            "InvalidKeyUsageException",
            f"{key['Arn']} is not a symmetric encryption key: {call.operation} needs one.",
        )
    return key


def _data_key(call: Call) -> tuple[KeyRecord, bytes, dict[str, Any]]:
    size, spec = call.get("NumberOfBytes"), call.get("KeySpec")
    if (size is None) == (spec is None):
        raise invalid("Please specify either number of bytes or key spec.")
    key = _symmetric(call)
    plaintext = os.urandom(size or _DATA_KEY_BYTES[spec])
    call.end_of_dry_run()
    note_use(key, call)
    return (
        key,
        plaintext,
        {
            "CiphertextBlob": envelope.seal(key, plaintext, call.get("EncryptionContext")),
            "KeyId": key["Arn"],
            "KeyMaterialId": envelope.current_material(key)["id"],
        },
    )


@operation("GenerateDataKey")
def generate_data_key(call: Call) -> dict[str, Any]:
    """A fresh data key, in plaintext and encrypted under the KMS key."""
    _, plaintext, answer = _data_key(call)
    return {**answer, "Plaintext": plaintext}


@operation("GenerateDataKeyWithoutPlaintext")
def generate_data_key_without_plaintext(call: Call) -> dict[str, Any]:
    """A fresh data key, encrypted only."""
    return _data_key(call)[2]


def _data_key_pair(call: Call) -> tuple[bytes, dict[str, Any]]:
    spec: str = call.get("KeyPairSpec")
    if spec == "SM2":
        raise unsupported("SM2 key pairs are only supported in China Regions.")
    key = _symmetric(call)
    call.end_of_dry_run()
    private = material.generate_private_key(spec)
    plaintext = material.private_der(private)
    note_use(key, call)
    return plaintext, {
        "PrivateKeyCiphertextBlob": envelope.seal(key, plaintext, call.get("EncryptionContext")),
        "PublicKey": material.public_der(private.public_key()),
        "KeyId": key["Arn"],
        "KeyPairSpec": spec,
        "KeyMaterialId": envelope.current_material(key)["id"],
    }


@operation("GenerateDataKeyPair")
def generate_data_key_pair(call: Call) -> dict[str, Any]:
    """A fresh asymmetric key pair, its private key in plaintext and encrypted."""
    plaintext, answer = _data_key_pair(call)
    return {**answer, "PrivateKeyPlaintext": plaintext}


@operation("GenerateDataKeyPairWithoutPlaintext")
def generate_data_key_pair_without_plaintext(call: Call) -> dict[str, Any]:
    """A fresh asymmetric key pair, its private key encrypted only."""
    return _data_key_pair(call)[1]


@operation("GenerateRandom")
def generate_random(call: Call) -> dict[str, Any]:
    """Random bytes; no key is involved."""
    if call.get("CustomKeyStoreId"):
        raise KmsError(
            "CustomKeyStoreNotFoundException", "Custom key stores do not exist on the local engine."
        )
    if call.get("NumberOfBytes") is None:
        raise invalid("NumberOfBytes is required.")
    call.allow_without_key()
    return {"Plaintext": os.urandom(call.get("NumberOfBytes"))}
