"""Imported key material: made by its owner, wrapped for the journey, and taken away and brought back at will."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.samples import refused_soon, settle_seconds, soon
from kmslab.checks.temporary import SAMPLE, encrypted_with, metadata_of, scratch_key, temporary_key
from kmslab.lab import Failed, Inconclusive
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "10-imported-keys"
"""Material travels in an envelope: under an RSA public key, or under an AES key that is."""
OPERATOR = Persona.OPERATOR
NEEDS = frozenset({Capability.IMPORTED_MATERIAL})
UNUSABLE = frozenset({"KMSInvalidStateException"})
"""What KMS answers for a key that waits for material."""
OAEP, AES_WRAP = "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"
"""The two families of wrapping algorithms: the first holds a few hundred bytes, the second any private key."""
LIFETIMES_SECONDS = (2.0, 10.0, 60.0)
"""How long material lasts that is to be seen before and after its end."""
EXPIRY_SECONDS = 300.0
"""How long KMS may take to delete material that has expired; no number is promised."""


@check(guide=GUIDE, needs=NEEDS, changes_keys=True)
def imported_material_can_be_taken_back(lab: Lab) -> str:
    """With imported material the owner can take the key away at once, and bring it back.

    Deleting the material makes every ciphertext unreadable in that moment. Only the very same bytes
    open them again: KMS refuses other material for the same key.
    """
    key = temporary_key(lab, "imported material", Origin="EXTERNAL")
    material = secrets.token_bytes(32)
    _import(lab, key, material)
    blob = soon(lab, lambda: encrypted_with(lab, key))
    lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=blob, KeyId=key)
    lab.allowed(OPERATOR, "kms:DeleteImportedKeyMaterial", KeyId=key)
    refused_soon(lab, OPERATOR, "kms:Decrypt", codes=UNUSABLE, CiphertextBlob=blob, KeyId=key)
    parameters = _parameters(lab, key, secrets.token_bytes(32))
    lab.refused(OPERATOR, "kms:ImportKeyMaterial", codes={"IncorrectKeyMaterialException"}, **parameters)
    _import(lab, key, material)
    soon(lab, lambda: lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=blob, KeyId=key))
    fingerprint = hashlib.sha256(material).hexdigest()[:8]
    return f"deleting the material stopped the key, the same material (SHA-256 {fingerprint}...) restored it"


@check(guide=GUIDE, needs=NEEDS, changes_keys=True)
def material_travels_wrapped_for_one_key(lab: Lab) -> str:
    """Material travels wrapped under a public key that KMS made for one key, with a token that says which.

    RSA_AES_KEY_WRAP seals the material under an AES key and that under the RSA key, so it takes material of
    any length. The same bytes and token are refused for another key, and material that was not wrapped
    under that public key is refused too: nobody swaps material on the way.
    """
    key = temporary_key(lab, "wrapped under AES and RSA", Origin="EXTERNAL")
    other = temporary_key(lab, "another key's import token", Origin="EXTERNAL")
    parameters = _parameters(lab, key, secrets.token_bytes(32), AES_WRAP)
    _import_as(lab, parameters)
    lab.refused(
        OPERATOR,
        "kms:ImportKeyMaterial",
        codes={"InvalidImportTokenException"},
        **{**parameters, "KeyId": other},
    )
    lab.refused(
        OPERATOR,
        "kms:ImportKeyMaterial",
        codes={"InvalidCiphertextException"},
        **{
            **parameters,
            "EncryptedKeyMaterial": secrets.token_bytes(len(parameters["EncryptedKeyMaterial"])),
        },
    )
    blob = soon(lab, lambda: encrypted_with(lab, key))
    opened = lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=blob, KeyId=key)["Plaintext"]
    lab.expect(opened == SAMPLE, "another plaintext came back")
    return f"{AES_WRAP} is accepted; another key's token and material that was not wrapped are refused"


@check(guide=GUIDE, needs=NEEDS, changes_keys=True)
def material_expires(lab: Lab) -> str:
    """Material that was imported with an end is gone at that time, and the key waits for it again.

    KMS deletes it by itself: for a key that must not outlive a contract. What it encrypted stays
    unreadable until somebody brings the same material back.
    """
    key = temporary_key(lab, "material that expires", Origin="EXTERNAL")
    blob, end = _used_before_its_end(lab, key, secrets.token_bytes(32))
    lab.access.stopping.wait(
        max(0.0, (end - datetime.now(UTC)).total_seconds())
    )  # before it there is nothing to see
    lab.wait_until(
        lambda: metadata_of(lab, key)["KeyState"] == "PendingImport",
        "the end of the material",
        seconds=settle_seconds(lab) + EXPIRY_SECONDS,
        longest_pause=0.2 if not settle_seconds(lab) else 5.0,
    )
    refused_soon(lab, OPERATOR, "kms:Decrypt", codes=UNUSABLE, CiphertextBlob=blob, KeyId=key)
    return "at its end the material was gone: the key is PendingImport and opens nothing"


@check(guide=GUIDE, needs=NEEDS | {Capability.ROTATION}, changes_keys=True)
def imported_material_rotates_on_demand_only(lab: Lab) -> str:
    """A key with imported material is rotated by its owner alone, with new material that the owner brings.

    KMS has no material of its own for it, so there is no automatic rotation, and none on demand before the
    new material is there. After the rotation the new material encrypts; the old opens what it encrypted.
    """
    lab.allowed(OPERATOR, "kms:EnableKeyRotation", KeyId=scratch_key(lab))
    key = temporary_key(lab, "imported material rotated", Origin="EXTERNAL")
    _import(lab, key, secrets.token_bytes(32))
    lab.refused(OPERATOR, "kms:EnableKeyRotation", codes={"UnsupportedOperationException"}, KeyId=key)
    old = soon(lab, lambda: encrypted_with(lab, key))
    first = _opened_with(lab, key, old)
    _import_as(lab, {**_parameters(lab, key, secrets.token_bytes(32)), "ImportType": "NEW_KEY_MATERIAL"})
    lab.allowed(OPERATOR, "kms:RotateKeyOnDemand", KeyId=key)
    lab.wait_until(
        lambda: _opened_with(lab, key, encrypted_with(lab, key)) != first,
        "the rotation to the new material",
        seconds=settle_seconds(lab) * 4 + 2,
    )
    lab.expect(
        _opened_with(lab, key, old) == first, "the old ciphertext was not opened with the old material"
    )
    lab.refused(OPERATOR, "kms:RotateKeyOnDemand", codes={"KMSInvalidStateException"}, KeyId=key)
    return "automatic rotation is refused; new material rotates it once, and old ciphertexts open"


@check(guide=GUIDE, needs=NEEDS | {Capability.ASYMMETRIC}, changes_keys=True)
def an_imported_hmac_key_is_the_owners(lab: Lab) -> str:
    """A code made by KMS with imported material is the code that the owner's own copy makes.

    That is what import is for: two places hold one key. It is also the price of it: whoever imports a
    key knows it, and KMS can no longer promise that nobody does.
    """
    key = temporary_key(
        lab, "an imported HMAC key", Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"
    )
    material = secrets.token_bytes(32)
    _import(lab, key, material)
    code: dict[str, Any] = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256", "Message": SAMPLE}
    made = soon(lab, lambda: lab.allowed(OPERATOR, "kms:GenerateMac", **code)["Mac"])
    mine = hmac.digest(material, SAMPLE, "sha256")
    lab.expect(hmac.compare_digest(made, mine), "KMS makes other codes than the imported key does")
    lab.note("offline:HMAC_SHA_256", "equal to the code made in KMS")
    return "KMS and the owner's copy of the key make the same code"


@check(guide=GUIDE, needs=NEEDS | {Capability.ASYMMETRIC}, changes_keys=True)
def an_imported_signing_key_is_the_owners(lab: Lab) -> str:
    """A private key made outside signs in KMS once imported, and those who know its public key see no difference.

    The way into KMS for a key whose public part is in other hands already. It arrives as PKCS #8, wrapped
    under AES and RSA; another private key is refused afterwards.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = temporary_key(
        lab, "an imported signing key", Origin="EXTERNAL", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"
    )
    mine = ec.generate_private_key(ec.SECP256R1())
    _import_as(lab, _parameters(lab, key, _pkcs8(mine), AES_WRAP))
    call: dict[str, Any] = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256", "Message": SAMPLE}
    signature = soon(lab, lambda: lab.allowed(OPERATOR, "kms:Sign", **call)["Signature"])
    try:
        mine.public_key().verify(signature, SAMPLE, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise Failed("the signature does not verify with the imported key's own public key") from error
    lab.note("offline:ECDSA_SHA_256", "verified with the public key that was there before the import")
    stranger = _parameters(lab, key, _pkcs8(ec.generate_private_key(ec.SECP256R1())), AES_WRAP)
    lab.refused(OPERATOR, "kms:ImportKeyMaterial", codes={"IncorrectKeyMaterialException"}, **stranger)
    return "signed in KMS, verified with the owner's public key; another private key is refused"


@check(guide=GUIDE, needs=NEEDS | DECIDING)
def only_the_administrator_brings_material(lab: Lab) -> str:
    """The key administrator, and nobody else, can begin an import for the lab's key.

    An import begins with a public key to wrap the material under, and a token. The key administrator gets
    both; everybody else is refused, the data owner who uses the key and the operator included. Nothing is imported.
    """
    request: dict[str, Any] = {
        "KeyId": lab.outputs.key_imported,
        "WrappingAlgorithm": OAEP,
        "WrappingKeySpec": "RSA_2048",
    }
    action = "kms:GetParametersForImport"
    lab.allowed(Persona.KEY_ADMINISTRATOR, action, **request)
    others = [persona for persona in Persona if persona is not Persona.KEY_ADMINISTRATOR]
    for persona in others:
        lab.refused(persona, action, by=action, **request)
    return f"the key administrator gets a wrapping key; {len(others)} others are refused"


@check(guide=GUIDE)
def the_labs_material_is_there_or_was_never(lab: Lab) -> str:
    """What was once imported into the lab's key is still there.

    A key that waits for its first material harms nobody. One whose material was deleted or has expired
    leaves data unreadable, and to KMS both are the same state: PendingImport. The list of the key's
    materials tells them apart.
    """
    arn = lab.outputs.key_imported
    listed = lab.read("kms:ListKeyRotations", KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    gone = [one["KeyMaterialId"] for one in listed if one.get("ImportState") == "PENDING_IMPORT"]
    lab.expect(not gone, f"{len(gone)} material(s) of the imported key were deleted or have expired")
    soonest = min((one["ValidTo"] for one in listed if "ValidTo" in one), default=None)
    lab.expect(
        soonest is None or soonest > datetime.now(UTC), f"material of the imported key expired at {soonest}"
    )
    if not listed:
        return "no material was imported yet: the key waits for its first"
    return f"{len(listed)} material(s), all there" + (f"; the first ends {soonest}" if soonest else "")


def _used_before_its_end(lab: Lab, key: str, material: bytes) -> tuple[bytes, datetime]:
    """Import material that ends soon, and encrypt and decrypt with it until then; returns ciphertext and end.

    On a bad day that takes longer than the material lasts: then it is imported again, for longer.
    """
    for seconds in LIFETIMES_SECONDS:
        parameters = _parameters(lab, key, material)
        # KMS takes whole seconds; on AWS a change needs some time to be seen before it ends.
        end = (datetime.now(UTC) + timedelta(seconds=seconds + settle_seconds(lab))).replace(microsecond=0)
        parameters.update(ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=end)
        try:
            lab.allowed(OPERATOR, "kms:ImportKeyMaterial", **parameters)
            blob = soon(lab, lambda: encrypted_with(lab, key))
            lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=blob, KeyId=key)
            said = metadata_of(lab, key).get("ValidTo")
        except Inconclusive:
            if datetime.now(UTC) < end:
                raise
        else:
            if datetime.now(UTC) < end:
                lab.expect(said == end, f"the material was to end at {end}, KMS says {said}")
                return blob, end
    raise Inconclusive(f"the key could not be used within {LIFETIMES_SECONDS[-1]:.0f} s of its import")


def _opened_with(lab: Lab, key: str, blob: bytes) -> str:
    """Id of the material that opens a ciphertext."""
    opened = lab.allowed(OPERATOR, "kms:Decrypt", KeyId=key, CiphertextBlob=blob)
    lab.expect(opened["Plaintext"] == SAMPLE, "another plaintext came back")
    return str(opened["KeyMaterialId"])


def _import(lab: Lab, key: str, material: bytes) -> None:
    _import_as(lab, _parameters(lab, key, material))


def _import_as(lab: Lab, parameters: dict[str, Any]) -> None:
    lab.allowed(OPERATOR, "kms:ImportKeyMaterial", **parameters)
    lab.wait_until(
        lambda: metadata_of(lab, parameters["KeyId"])["KeyState"] == "Enabled",
        "the key's readiness",
        seconds=settle_seconds(lab) + 30,
    )


def _parameters(lab: Lab, key: str, material: bytes, algorithm: str = OAEP) -> dict[str, Any]:
    """Wrap material as KMS asks, under a public key that KMS made for imports into this key.

    Public key and token are asked for once for each key and algorithm: a set of both is valid for 24 hours, and no
    other limit is named (KMS API Reference, "GetParametersForImport", read 2026-11-22). Where KMS took a set
    only once, these checks would end as ERROR.

    Returns: what ImportKeyMaterial takes; the material does not expire.
    """
    from cryptography.hazmat.primitives import hashes, keywrap
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    request: dict[str, Any] = {"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": "RSA_2048"}
    given = lab.access.once(
        ("import", lab.run_id, key, algorithm),
        lambda: lab.allowed(OPERATOR, "kms:GetParametersForImport", **request),
    )
    wrapping_key: Any = load_der_public_key(given["PublicKey"])
    lab.expect(isinstance(wrapping_key, rsa.RSAPublicKey), "the wrapping key is not an RSA key")
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    if algorithm == AES_WRAP:
        one_time = secrets.token_bytes(32)
        sealed = keywrap.aes_key_wrap_with_padding(one_time, material)
        wrapped = wrapping_key.encrypt(one_time, oaep) + sealed
    else:
        wrapped = wrapping_key.encrypt(material, oaep)
    return {
        "KeyId": key,
        "ImportToken": given["ImportToken"],
        "EncryptedKeyMaterial": wrapped,
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }


def _pkcs8(private: Any) -> bytes:
    """A private key as KMS takes it: DER-encoded PKCS #8."""
    from cryptography.hazmat.primitives import serialization

    der: bytes = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return der
