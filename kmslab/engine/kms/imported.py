"""Imported key material: parameters, import, expiry, deletion.

Source: KMS Developer Guide, "Importing key material"; API reference, ImportKeyMaterial.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import material, records
from kmslab.engine.kms.errors import KmsError, invalid, unsupported
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord, Material

TOKEN_SECONDS = 24 * 3600
VALID_SECONDS = 365 * 24 * 3600
"""Longest time until material expires."""
_EXPIRES = "KEY_MATERIAL_EXPIRES"
_IMPORT_STATES = ("Disabled", "PendingImport")


def _external(call: Call) -> KeyRecord:
    key = call.key(aliases_allowed=False)
    if key["Origin"] != "EXTERNAL":
        raise unsupported(f"{key['Arn']} origin is {key['Origin']} which is not valid for this operation.")
    return key


@operation("GetParametersForImport")
def get_parameters_for_import(call: Call) -> dict[str, Any]:
    """A public key to wrap material with, and the token that goes with it for 24 hours."""
    key = _external(call)
    records.require_state(key, *_IMPORT_STATES)
    algorithm, spec = call.get("WrappingAlgorithm"), call.get("WrappingKeySpec")
    if algorithm == "RSAES_PKCS1_V1_5":
        raise unsupported("The RSAES_PKCS1_V1_5 wrapping algorithm is no longer supported.")
    if "SM2" in (algorithm, spec) or algorithm == "SM2PKE":
        raise unsupported("SM2 is only supported in China Regions.")
    wrapping = material.generate_private_key(spec)
    token = os.urandom(64)
    valid_to = round(time.time() + TOKEN_SECONDS, 3)
    waiting = {name: one for name, one in key.get("imports", {}).items() if one["valid_to"] > time.time()}
    waiting[hashlib.sha256(token).hexdigest()] = {
        "wrapping_key": material.private_der(wrapping),
        "algorithm": algorithm,
        "valid_to": valid_to,
    }
    key["imports"] = waiting
    return {
        "KeyId": key["Arn"],
        "ImportToken": token,
        "PublicKey": material.public_der(wrapping.public_key()),
        "ParametersValidTo": valid_to,
    }


@operation("ImportKeyMaterial")
def import_key_material(call: Call) -> dict[str, Any]:
    """Take material into the key: its first, the same again after deletion or expiry, or the next one."""
    key = _external(call)
    records.require_state(key, *_IMPORT_STATES)
    expiry = _expiry(call)
    secret = _unwrapped(call, key)
    if records.is_symmetric(key):
        item = _import_symmetric(call, key, secret)
        item.pop("valid_to", None)
        item["expiration_model"] = expiry["expiration_model"]
        if "valid_to" in expiry:
            item["valid_to"] = expiry["valid_to"]
        if call.get("KeyMaterialDescription") is not None:
            item["description"] = call.get("KeyMaterialDescription")
    else:
        _import_other(key, secret)
    key.pop("valid_to", None)
    key["expiration_model"] = expiry["expiration_model"]
    if "valid_to" in expiry:
        key["valid_to"] = expiry["valid_to"]
    complete = all(item["key"] is not None for item in key.get("materials", []))
    if key["KeyState"] == "PendingImport" and complete:
        records.set_state(key, "Enabled")
    answer = {"KeyId": key["Arn"]}
    return {**answer, "KeyMaterialId": item["id"]} if records.is_symmetric(key) else answer


def _expiry(call: Call) -> dict[str, Any]:
    model = call.get("ExpirationModel", _EXPIRES)
    valid_to = call.get("ValidTo")
    if model != _EXPIRES:
        if valid_to is not None:
            raise invalid("ValidTo must not be given when ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE.")
        return {"expiration_model": model}
    if valid_to is None:
        raise invalid("A ValidTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES.")
    if not time.time() < valid_to <= time.time() + VALID_SECONDS:
        raise invalid("ValidTo must be in the future, and at most 365 days from now.")
    return {"expiration_model": model, "valid_to": valid_to}


def _unwrapped(call: Call, key: KeyRecord) -> bytes:
    """The material in the request.

    Raises:
        KmsError: InvalidImportTokenException, ExpiredImportTokenException, InvalidCiphertextException.
    """
    from cryptography.hazmat.primitives import hashes, keywrap
    from cryptography.hazmat.primitives.asymmetric import padding

    waiting = key.get("imports", {}).get(hashlib.sha256(call.get("ImportToken")).hexdigest())
    if waiting is None:
        raise KmsError("InvalidImportTokenException", "The import token is not the one for this key.")
    if waiting["valid_to"] < time.time():
        raise KmsError("ExpiredImportTokenException", "The import token has expired.")
    private = material.load_private_key(waiting["wrapping_key"])
    digest: Any = hashes.SHA1() if waiting["algorithm"].endswith("SHA_1") else hashes.SHA256()  # noqa: S303  # the API's; sound in OAEP
    oaep = padding.OAEP(mgf=padding.MGF1(algorithm=digest), algorithm=digest, label=None)
    wrapped: bytes = call.get("EncryptedKeyMaterial")
    try:
        if waiting["algorithm"].startswith("RSAES_OAEP"):
            return bytes(private.decrypt(wrapped, oaep))
        size = private.key_size // 8
        return keywrap.aes_key_unwrap_with_padding(private.decrypt(wrapped[:size], oaep), wrapped[size:])
    except (ValueError, keywrap.InvalidUnwrap) as error:
        raise KmsError("InvalidCiphertextException", "The key material could not be unwrapped.") from error


def _import_symmetric(call: Call, key: KeyRecord, secret: bytes) -> Material:
    if len(secret) != records.spec_of(key).bytes:
        raise KmsError(
            "IncorrectKeyMaterialException", "A symmetric encryption key takes 256 bits of key material."
        )
    known = key.setdefault("materials", [])
    material_id = material.material_id(key["KeyId"], secret)
    found = next((item for item in known if item["id"] == material_id), None)
    if call.get("KeyMaterialId") not in (None, material_id):
        raise KmsError(
            "IncorrectKeyMaterialException", "The key material is not the one that KeyMaterialId names."
        )
    if found:
        found["key"] = secret
        return found
    first = not known
    if call.get("ImportType", "NEW_KEY_MATERIAL" if first else "EXISTING_KEY_MATERIAL") != "NEW_KEY_MATERIAL":
        raise KmsError(
            "IncorrectKeyMaterialException",
            "The key material is not the one that was imported into this key before.",
        )
    if any(item["state"] == "PENDING_ROTATION" for item in known):
        raise KmsError("KMSInvalidStateException", f"{key['Arn']} has key material pending rotation already.")
    item = material.new_material(key["KeyId"], secret)
    item["state"] = "CURRENT" if first else "PENDING_ROTATION"
    known.append(item)
    return item


def _import_other(key: KeyRecord, secret: bytes) -> None:
    """HMAC and asymmetric material: once bound to a key, only the same comes back."""
    fingerprint = material.material_id(key["KeyId"], secret)
    if key.get("fingerprint", fingerprint) != fingerprint:
        raise KmsError(
            "IncorrectKeyMaterialException",
            "The key material is not the one that was imported into this key before.",
        )
    spec = records.spec_of(key)
    if spec.bytes:
        if len(secret) != spec.bytes:
            raise KmsError(
                "IncorrectKeyMaterialException", f"{spec.name} takes {spec.bytes * 8} bits of key material."
            )
        key["hmac_key"] = secret
    else:
        _import_private_key(key, secret)
    key["fingerprint"] = fingerprint


def _import_private_key(key: KeyRecord, secret: bytes) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        private = serialization.load_der_private_key(secret, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KmsError(
            "IncorrectKeyMaterialException", f"{key['KeySpec']} takes a private key in DER-encoded PKCS #8."
        ) from error
    if material.spec_of_private_key(private) != key["KeySpec"]:
        raise KmsError(
            "IncorrectKeyMaterialException", f"The private key does not match key spec {key['KeySpec']}."
        )
    material.set_private_key(key, private)


@operation("DeleteImportedKeyMaterial")
def delete_imported_key_material(call: Call) -> dict[str, Any]:
    """Remove material; the key waits for the same material to come back."""
    key = _external(call)
    records.require_state(key, *_IMPORT_STATES)
    if not records.is_symmetric(key):
        forget_material(key, None)
        return {"KeyId": key["Arn"]}
    wanted = call.get("KeyMaterialId")
    found = next(
        (
            item
            for item in key.get("materials", [])
            if (item["id"] == wanted if wanted else item["state"] == "CURRENT")
        ),
        None,
    )
    if wanted and found is None:
        raise KmsError("NotFoundException", f"Key material {wanted} does not belong to {key['Arn']}.")
    if found is None:
        return {"KeyId": key["Arn"]}
    forget_material(key, found)
    return {"KeyId": key["Arn"], "KeyMaterialId": found["id"]}


def forget_material(key: KeyRecord, item: Material | None) -> None:
    """Delete material; what was ever current makes the key unusable until it returns.

    Args:
        key: the key.
        item: the generation of a symmetric key; None for other keys, which have one only.
    """
    if item is None:
        for name in ("hmac_key", "private_key", "public_key"):
            key.pop(name, None)  # type: ignore[misc]  # the names are literals of KeyRecord, in a loop
    elif item["state"] == "PENDING_ROTATION":
        key["materials"].remove(item)
        return
    else:
        item["key"] = None
        item.pop("valid_to", None)
    key.pop("valid_to", None)
    if key["KeyState"] in ("Enabled", "Disabled"):
        records.set_state(key, "PendingImport")
