"""Public-key encryption: anyone may seal, only KMS may open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.shared import public_key
from kmslab.checks.temporary import scratch_key_of_kind
from kmslab.lab import Failed
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "08-asymmetric"
SECRET = b"The safe's combination is not 1-2-3-4."
OAEP: dict[str, Any] = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
LARGEST = 446
"""Bytes that RSA_4096 with OAEP and SHA-256 can hold: 512 - 2 * 32 - 2 (RFC 8017; the KMS API says the same)."""


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def sealed_outside_opens_only_in_kms(lab: Lab) -> str:
    """Data encrypted offline with the RSA public key opens only in KMS.

    Encrypting takes no AWS credentials at all, only the public key. Opening needs the private key,
    which never leaves KMS: the data owner may ask KMS to use it. A changed byte does not open.
    """
    key = lab.outputs.key_rsa
    sealed = _seal(lab, SECRET)
    opened = lab.allowed(Persona.DATA_OWNER, "kms:Decrypt", KeyId=key, CiphertextBlob=sealed, **OAEP)
    lab.expect(opened["Plaintext"] == SECRET, "KMS opened something else than was sealed")
    lab.refused(
        Persona.DATA_OWNER,
        "kms:Decrypt",
        codes={"InvalidCiphertextException"},
        KeyId=key,
        CiphertextBlob=sealed[:-1] + bytes([sealed[-1] ^ 1]),
        **OAEP,
    )
    return "sealed offline with the public key, opened in KMS, refused with a byte changed"


@check(guide=GUIDE, needs=DECIDING | {Capability.ASYMMETRIC})
def holders_of_the_public_key_cannot_open(lab: Lab) -> str:
    """Having the public key, or reading everything else in the lab, does not open what is sealed.

    The data owner opens the same ciphertext; the auditor, who exported the public key, and the
    storage operator, the key administrator and the outsider are refused by the key.
    """
    key = lab.outputs.key_rsa
    sealed = _seal(lab, SECRET)
    lab.allowed(Persona.DATA_OWNER, "kms:Decrypt", KeyId=key, CiphertextBlob=sealed, **OAEP)
    others = (Persona.AUDITOR, Persona.STORAGE_OPERATOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)
    for persona in others:
        lab.refused(persona, "kms:Decrypt", by="kms:Decrypt", KeyId=key, CiphertextBlob=sealed, **OAEP)
    return f"the data owner opens it; {len(others)} other personas are refused"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def size_limit_is_the_keys(lab: Lab) -> str:
    """RSA_4096 seals at most 446 bytes, offline as in KMS: more than that needs an envelope."""
    key = lab.outputs.key_rsa
    sealed = _seal(lab, b"x" * LARGEST)
    opened = lab.allowed(Persona.DATA_OWNER, "kms:Decrypt", KeyId=key, CiphertextBlob=sealed, **OAEP)
    lab.expect(len(opened["Plaintext"]) == LARGEST, "the largest message did not come back whole")
    try:
        _seal(lab, b"x" * (LARGEST + 1))
    except ValueError:
        lab.note("offline:RSAES_OAEP_SHA_256", f"{LARGEST} bytes fit, {LARGEST + 1} do not")
    else:
        raise Failed(f"{LARGEST + 1} bytes could be sealed offline: the key is not RSA_4096")
    lab.allowed(Persona.DATA_OWNER, "kms:Encrypt", KeyId=key, Plaintext=b"x" * LARGEST, **OAEP)
    lab.refused(
        Persona.DATA_OWNER,
        "kms:Encrypt",
        codes={"ValidationException"},
        KeyId=key,
        Plaintext=b"x" * (LARGEST + 1),
        **OAEP,
    )
    return f"{LARGEST} bytes fit and {LARGEST + 1} do not, offline and in KMS"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC}, changes_keys=True)
def the_hash_is_part_of_the_padding(lab: Lab) -> str:
    """OAEP works with SHA-1 and with SHA-256, and what was sealed with one does not open as the other.

    Both are sound in OAEP. The shorter hash leaves room for more: RSA_3072 holds 342 bytes with SHA-1 and
    318 with SHA-256. Whoever seals must tell, since the ciphertext does not.
    """
    # Not RSA_2048, which Control Tower would find (CT.KMS.PR.2).
    key = scratch_key_of_kind(lab, "RSA_3072", "ENCRYPT_DECRYPT")
    for digest, other, longest in (("SHA_1", "SHA_256", 342), ("SHA_256", "SHA_1", 318)):
        message = b"x" * longest
        sealed = _seal(lab, message, key, digest)
        call: dict[str, Any] = {"KeyId": key, "CiphertextBlob": sealed}
        opened = lab.allowed(
            Persona.OPERATOR, "kms:Decrypt", EncryptionAlgorithm=f"RSAES_OAEP_{digest}", **call
        )
        lab.expect(opened["Plaintext"] == message, "KMS opened something else than was sealed")
        lab.refused(
            Persona.OPERATOR,
            "kms:Decrypt",
            codes={"InvalidCiphertextException"},
            EncryptionAlgorithm=f"RSAES_OAEP_{other}",
            **call,
        )
    lab.note("offline:RSAES_OAEP", "342 bytes with SHA-1 and 318 with SHA-256 sealed with the public key")
    return "342 bytes with SHA-1 and 318 with SHA-256 open; neither opens as the other"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC, Capability.KEY_POLICIES, Capability.CONDITION_KEYS})
def the_policy_demands_the_hash(lab: Lab) -> str:
    """The data owner opens with the lab's RSA key only what was sealed with OAEP and SHA-256.

    Whoever seals chooses the hash, and an old client chooses the old one. The key policy names the algorithm
    (kms:EncryptionAlgorithm): what was sealed with SHA-1 is refused to the same principal, with the same key.
    """
    request: dict[str, Any] = {"KeyId": lab.outputs.key_rsa}
    lab.allowed(Persona.DATA_OWNER, "kms:Decrypt", CiphertextBlob=_seal(lab, SECRET), **request, **OAEP)
    lab.refused(
        Persona.DATA_OWNER,
        "kms:Decrypt",
        by="kms:Decrypt",
        CiphertextBlob=_seal(lab, SECRET, digest="SHA_1"),
        EncryptionAlgorithm="RSAES_OAEP_SHA_1",
        **request,
    )
    return "sealed with SHA-256 it opens, sealed with SHA-1 the key policy refuses it"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def a_public_key_binds_no_context(lab: Lab) -> str:
    """Asymmetric keys take no encryption context: there is nothing in RSA that could bind it.

    A key policy cannot demand one either: a condition on it never matches such a request.
    """
    request: dict[str, Any] = {"KeyId": lab.outputs.key_rsa, "Plaintext": SECRET, **OAEP}
    lab.allowed(Persona.DATA_OWNER, "kms:Encrypt", **request)
    lab.refused(
        Persona.DATA_OWNER,
        "kms:Encrypt",
        codes={"ValidationException"},
        EncryptionContext=ENCRYPTION_CONTEXT,
        **request,
    )
    return "the same request with an encryption context is refused (ValidationException)"


def _seal(lab: Lab, message: bytes, key: str = "", digest: str = "SHA_256") -> bytes:
    """Encrypt on this machine with the public key of the lab's RSA key, or of a key that the operator made.

    Raises:
        ValueError: the message is too long for the key.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    public: Any = public_key(lab, key, Persona.OPERATOR) if key else public_key(lab, lab.outputs.key_rsa)
    lab.expect(isinstance(public, rsa.RSAPublicKey), "the RSA key is not an RSA key")
    hashed: Any = hashes.SHA1() if digest == "SHA_1" else hashes.SHA256()  # noqa: S303  # the API's; sound in OAEP
    oaep = padding.OAEP(mgf=padding.MGF1(hashed), algorithm=hashed, label=None)
    sealed: bytes = public.encrypt(message, oaep)
    return sealed
