"""Key agreement: two parties reach the same secret without ever sending it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.shared import public_key
from kmslab.checks.temporary import key_tags, scratch_key_of_kind
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from kmslab.lab import Lab

GUIDE = "08-asymmetric"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def secret_equals_the_local_one(lab: Lab) -> str:
    """A secret derived in KMS equals the one derived on this machine.

    Each side has its own private key and the other's public key. KMS derives with the lab's key, this
    machine with a key pair made for the occasion; the secrets are equal, though neither was sent. A
    second key pair leads to another secret.
    """
    theirs = _kms_public_key(lab)
    mine, stranger = _key_pair(), _key_pair()
    derived = _derive(lab, mine)
    lab.expect(derived == _exchange(mine, theirs), "KMS and this machine derived different secrets")
    lab.expect(derived != _derive(lab, stranger), "two key pairs led to the same secret")
    lab.note("offline:ECDH", "equal to the secret derived in KMS")
    return "KMS and this machine derive the same secret; another key pair leads to another"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def agreed_key_opens_the_others_message(lab: Lab) -> str:
    """Both sides make the same encryption key of the secret: one seals, the other opens.

    The raw secret is never used as a key: HKDF (RFC 5869) makes one of it. This machine seals with
    its own derivation, and the derivation from KMS opens it.
    """
    import secrets

    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    mine = _key_pair()
    nonce = secrets.token_bytes(12)
    sealed = AESGCM(_key_of(_exchange(mine, _kms_public_key(lab)))).encrypt(nonce, b"agreed", None)
    try:
        opened = AESGCM(_key_of(_derive(lab, mine))).decrypt(nonce, sealed, None)
    except InvalidTag:
        opened = b""
    lab.expect(opened == b"agreed", "the key derived in KMS does not open what this machine sealed")
    lab.note("offline:HKDF+AES-GCM", "sealed with the local derivation, opened with the one from KMS")
    return "what this machine seals, the derivation from KMS opens"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC}, changes_keys=True)
def larger_curves_agree_too(lab: Lab) -> str:
    """Keys on NIST P-384 and P-521 agree as those on P-256 do; both sides must be on one curve.

    The secret is as long as the curve's numbers. Ed25519 keys sign and cannot agree.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    seen = []
    for spec, curve, size in (("ECC_NIST_P384", ec.SECP384R1(), 48), ("ECC_NIST_P521", ec.SECP521R1(), 66)):
        key = scratch_key_of_kind(lab, spec, "KEY_AGREEMENT")
        mine = ec.generate_private_key(curve)
        theirs: Any = public_key(lab, key, Persona.OPERATOR)
        request = {**_request(lab, mine), "KeyId": key}
        derived = lab.allowed(Persona.OPERATOR, "kms:DeriveSharedSecret", **request)["SharedSecret"]
        lab.expect(
            derived == _exchange(mine, theirs), f"KMS and this machine derived different secrets ({spec})"
        )
        lab.expect(len(derived) == size, f"the secret of {spec} has {len(derived)} bytes, not {size}")
        lab.note(f"offline:ECDH {spec}", "equal to the secret derived in KMS")
        seen.append(f"{spec} {size} bytes")
    lab.refused(
        Persona.OPERATOR,
        "kms:CreateKey",
        codes={"ValidationException"},
        KeySpec="ECC_NIST_EDWARDS25519",
        KeyUsage="KEY_AGREEMENT",
        Tags=key_tags(lab),
    )
    return "the same secret in KMS and on this machine: " + ", ".join(seen) + "; no Ed25519 key agrees"


@check(guide=GUIDE, needs=DECIDING | {Capability.ASYMMETRIC})
def only_the_permitted_derive(lab: Lab) -> str:
    """Deriving needs the key: the public key alone leads nowhere.

    The data owner derives with the same public key that the others are refused with.
    """
    mine = _key_pair()
    _derive(lab, mine)
    others = (Persona.AUDITOR, Persona.STORAGE_OPERATOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)
    for persona in others:
        lab.refused(persona, "kms:DeriveSharedSecret", by="kms:DeriveSharedSecret", **_request(lab, mine))
    return f"the data owner derives; {len(others)} other personas are refused"


def _key_pair() -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _kms_public_key(lab: Lab) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    public: Any = public_key(lab, lab.outputs.key_agreement)
    lab.expect(
        isinstance(public, ec.EllipticCurvePublicKey), "the agreement key is not an elliptic curve key"
    )
    found: ec.EllipticCurvePublicKey = public
    return found


def _exchange(mine: ec.EllipticCurvePrivateKey, theirs: ec.EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec

    return mine.exchange(ec.ECDH(), theirs)


def _request(lab: Lab, mine: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return {
        "KeyId": lab.outputs.key_agreement,
        "KeyAgreementAlgorithm": "ECDH",
        "PublicKey": mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    }


def _derive(lab: Lab, mine: ec.EllipticCurvePrivateKey) -> bytes:
    """Derive in KMS, as the data owner. The secret is compared and used, never kept as evidence."""
    answer = lab.allowed(Persona.DATA_OWNER, "kms:DeriveSharedSecret", **_request(lab, mine))
    secret: bytes = answer["SharedSecret"]
    return secret


def _key_of(secret: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"kmslab key agreement").derive(secret)
