"""Imported key material: parameters, import, expiry, deletion.

Source: KMS Developer Guide, "Importing key material"; API reference, ImportKeyMaterial.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import material, records
from kmslab.engine.kms.errors import KmsError, invalid, invalid_ciphertext, unsupported
from kmslab.engine.kms.service import Call, operation
from kmslab.engine.kms.wrapping import wrapping_key

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord, Material

TOKEN_SECONDS = 24 * 3600
VALID_SECONDS = 365 * 24 * 3600
"""Longest time until material expires."""
_EXPIRES = "KEY_MATERIAL_EXPIRES"
_NEW = "NEW_KEY_MATERIAL"
_IMPORT_STATES = ("Disabled", "PendingImport")
_PENDING, _PENDING_REPLICAS = "PENDING_ROTATION", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
_WAITING = (_PENDING, _PENDING_REPLICAS)
"""States of material that no rotation has bound to the key yet."""
_WRAPPED_BLOCK = 8
"""AES key wrap gives multiples of this many bytes."""


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
    _check_wrapping(key, algorithm, spec)
    token = os.urandom(64)
    valid_to = round(time.time() + TOKEN_SECONDS, 3)
    waiting = {name: one for name, one in key.get("imports", {}).items() if one["valid_to"] > time.time()}
    wrapping = wrapping_key(spec, [one["wrapping_key"] for one in waiting.values()])
    waiting[hashlib.sha256(token).hexdigest()] = {
        "wrapping_key": wrapping,
        "algorithm": algorithm,
        "valid_to": valid_to,
    }
    key["imports"] = waiting
    return {
        "KeyId": key["Arn"],
        "ImportToken": token,
        "PublicKey": material.public_der(material.load_private_key(wrapping).public_key()),
        "ParametersValidTo": valid_to,
    }


def _check_wrapping(key: KeyRecord, algorithm: str, spec: str) -> None:
    """Refuse what cannot wrap the key's material (API reference, GetParametersForImport, WrappingAlgorithm)."""
    if algorithm == "RSAES_PKCS1_V1_5":
        raise unsupported("The RSAES_PKCS1_V1_5 wrapping algorithm is no longer supported.")
    if spec == "SM2" or algorithm == "SM2PKE":
        raise unsupported("SM2 is only supported in China Regions.")
    too_long = key["KeySpec"].startswith("RSA_") or (key["KeySpec"] == "ECC_NIST_P521" and spec == "RSA_2048")
    if too_long and algorithm.startswith("RSAES_"):
        raise unsupported(
            f"The {algorithm} wrapping algorithm and the {spec} wrapping key spec cannot wrap {key['KeySpec']} key material."
        )


@operation("ImportKeyMaterial")
def import_key_material(call: Call) -> dict[str, Any]:
    """Take material into the key: its first, the same again after deletion or expiry, or the next one."""
    key = _external(call)
    records.require_state(key, *_IMPORT_STATES)
    _check_import_type(call, key)
    expiry = _expiry(call)
    secret = _unwrapped(call, key)
    answer = {"KeyId": key["Arn"]}
    if records.is_symmetric(key):
        item = _import_symmetric(call, key, secret)
        item.pop("valid_to", None)
        item["expiration_model"] = expiry["expiration_model"]
        if "valid_to" in expiry:
            item["valid_to"] = expiry["valid_to"]
        if call.get("KeyMaterialDescription") is not None:
            item["description"] = call.get("KeyMaterialDescription")
        summarize_expiry(key)
        _settle_pending(key)
        answer["KeyMaterialId"] = item["id"]
    else:
        _import_other(key, secret)
        key.pop("valid_to", None)
        key["expiration_model"] = expiry["expiration_model"]
        if "valid_to" in expiry:
            key["valid_to"] = expiry["valid_to"]
    complete = all(item["key"] is not None for item in _bound(key))
    if key["KeyState"] == "PendingImport" and complete:
        records.set_state(key, "Enabled")
    return answer


def _check_import_type(call: Call, key: KeyRecord) -> None:
    """Refuse the parameters that only symmetric encryption keys have, and those that contradict each other."""
    if not records.is_symmetric(key):
        for name in ("ImportType", "KeyMaterialDescription", "KeyMaterialId"):
            if call.get(name) is not None:
                raise unsupported(f"{name} is only supported for symmetric encryption KMS keys.")
    if call.get("ImportType") == _NEW and call.get("KeyMaterialId"):
        raise invalid(f"KeyMaterialId cannot be specified when ImportType is {_NEW}.")


def _expiry(call: Call) -> dict[str, Any]:
    model = call.get("ExpirationModel", _EXPIRES)
    valid_to = call.get("ValidTo")
    if model != _EXPIRES:
        if valid_to is not None:
            raise invalid(
                "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE"
            )
        return {"expiration_model": model}
    if valid_to is None:
        raise invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
    if not time.time() < valid_to <= time.time() + VALID_SECONDS:
        raise invalid("ValidTo must be in the future, and at most 365 days from now.")
    return {"expiration_model": model, "valid_to": valid_to}


def _unwrapped(call: Call, key: KeyRecord) -> bytes:
    """The material in the request.

    Raises:
        KmsError: InvalidImportTokenException, ExpiredImportTokenException, InvalidCiphertextException;
            ValidationException for a length that the wrapping cannot have.
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
    size, direct = private.key_size // 8, waiting["algorithm"].startswith("RSAES_OAEP")
    under_aes = len(wrapped) - size
    if under_aes != 0 if direct else under_aes <= 0 or under_aes % _WRAPPED_BLOCK:
        raise invalid("Invalid encrypted key size.")
    try:
        opened = bytes(private.decrypt(wrapped[:size], oaep))
        return opened if direct else keywrap.aes_key_unwrap_with_padding(opened, wrapped[size:])
    except (ValueError, keywrap.InvalidUnwrap) as error:
        raise invalid_ciphertext() from error


def _import_symmetric(call: Call, key: KeyRecord, secret: bytes) -> Material:
    if len(secret) != records.spec_of(key).bytes:
        raise _incorrect("A symmetric encryption key takes 256 bits of key material.")
    known = key.setdefault("materials", [])
    material_id = material.material_id(key["KeyId"], secret)
    found = next((item for item in known if item["id"] == material_id), None)
    if call.get("KeyMaterialId") not in (None, material_id):
        raise _incorrect("The key material is not the one that KeyMaterialId names.")
    is_new = call.get("ImportType", "EXISTING_KEY_MATERIAL" if known else _NEW) == _NEW
    if found and not is_new:
        found["key"] = secret
        return found
    if found:
        raise _incorrect("The key material is associated with this key already.")
    if not is_new or records.is_replica(key):
        raise _incorrect("The key material is not the one that was imported into this key before.")
    pending = next((item for item in known if item["state"] in _WAITING), None)
    if pending:
        raise KmsError(
            "KMSInvalidStateException",
            f"New key material (id: {material_id}) cannot be imported into KMS key {key['Arn']}, because another "
            f"key material (id: {pending['id']}) is pending rotation.",
        )
    item = material.new_material(key["KeyId"], secret)
    item["state"] = _PENDING if known else "CURRENT"
    known.append(item)
    for member in records.members(key):
        if member is not key:
            member.setdefault("materials", []).append(awaited(item))
    return item


def awaited(item: Material) -> Material:
    """Material as a multi-Region relative knows it until it is imported there, too."""
    waiting: Material = {"id": item["id"], "key": None, "state": item["state"]}
    if "rotated" in item:
        waiting["rotated"], waiting["rotation"] = item["rotated"], item["rotation"]
    return waiting


def _settle_pending(key: KeyRecord) -> None:
    """Say of pending material in the whole set whether every replica has it: then the primary can rotate."""
    family = records.members(key)
    pending = [item for member in family for item in member.get("materials", []) if item["state"] in _WAITING]
    everywhere = all(item["key"] is not None for item in pending)
    for item in pending:
        item["state"] = _PENDING if everywhere else _PENDING_REPLICAS


def _bound(key: KeyRecord) -> list[Material]:
    """The generations of material that the key cannot do without."""
    return [item for item in key.get("materials", []) if item["state"] not in _WAITING]


def summarize_expiry(key: KeyRecord) -> None:
    """Let the key expire with the first of its generations (API reference, KeyMetadata, ValidTo)."""
    models = {item["expiration_model"] for item in _bound(key) if "expiration_model" in item}
    dates = [item["valid_to"] for item in _bound(key) if "valid_to" in item]
    key.pop("valid_to", None)
    key.pop("expiration_model", None)
    if models:
        key["expiration_model"] = _EXPIRES if _EXPIRES in models else models.pop()
    if dates:
        key["valid_to"] = min(dates)


def _incorrect(message: str) -> KmsError:
    return KmsError("IncorrectKeyMaterialException", message)


def _import_other(key: KeyRecord, secret: bytes) -> None:
    """HMAC and asymmetric material: once bound to a key, only the same comes back."""
    fingerprint = material.material_id(key["KeyId"], secret)
    if key.get("fingerprint", fingerprint) != fingerprint:
        raise _incorrect("The key material is not the one that was imported into this key before.")
    spec = records.spec_of(key)
    if spec.bytes:
        if len(secret) != spec.bytes:
            raise _incorrect(f"{spec.name} takes {spec.bytes * 8} bits of key material.")
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
        raise _incorrect(f"{key['KeySpec']} takes a private key in DER-encoded PKCS #8.") from error
    if material.spec_of_private_key(private) != key["KeySpec"]:
        raise _incorrect(f"The private key does not match key spec {key['KeySpec']}.")
    material.set_private_key(key, private)


@operation("DeleteImportedKeyMaterial")
def delete_imported_key_material(call: Call) -> dict[str, Any]:
    """Remove material; the key waits for the same material to come back.

    A key in a deletion window stays there (API reference, DeleteImportedKeyMaterial).
    """
    key = _external(call)
    records.require_state(key, *_IMPORT_STATES, "PendingDeletion", "PendingReplicaDeletion")
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
        for name in ("hmac_key", "private_key", "public_key", "valid_to"):
            key.pop(name, None)  # type: ignore[misc]  # the names are literals of KeyRecord, in a loop
    elif item["state"] in _WAITING and not records.is_replica(key):
        # Nothing is bound to pending material: without it in the primary it is nowhere.
        for member in records.members(key):
            member["materials"] = [one for one in member["materials"] if one["id"] != item["id"]]
        return
    else:
        item["key"] = None
        item.pop("valid_to", None)
        _settle_pending(key)
        summarize_expiry(key)
        if item["state"] in _WAITING:
            return
    if key["KeyState"] in ("Enabled", "Disabled"):
        records.set_state(key, "PendingImport")
