"""Signatures: made in KMS, where the private key stays, and verified anywhere with the public key."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.shared import described, public_key
from kmslab.checks.temporary import scratch_key, scratch_key_of_kind
from kmslab.lab import Failed
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "08-asymmetric"
POST_QUANTUM = "15-post-quantum"
OPERATOR = Persona.OPERATOR
MESSAGE = b"Ship 40 crates of tea to Mombasa."
TAMPERED = b"Ship 90 crates of tea to Mombasa."
ECDSA: dict[str, Any] = {"SigningAlgorithm": "ECDSA_SHA_256"}
ED25519 = "ED25519_SHA_512"
ML_DSA: dict[str, Any] = {"SigningAlgorithm": "ML_DSA_SHAKE_256"}


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def signature_verifies_outside_kms(lab: Lab) -> str:
    """A signature made in KMS verifies offline with the exported public key.

    The signer signs in KMS, where the private key never leaves. The signature is then verified on
    this machine with nothing but the public key and a standard library. Changing one byte of the
    message or of the signature makes the verification fail.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    signature = _sign(lab, lab.outputs.key_signing, **ECDSA)
    public: Any = public_key(lab, lab.outputs.key_signing)
    lab.expect(isinstance(public, ec.EllipticCurvePublicKey), "the signing key is not an elliptic curve key")

    def verifies(signed: bytes, message: bytes) -> bool:
        try:
            public.verify(signed, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    lab.expect(verifies(signature, MESSAGE), "the signature does not verify with the exported public key")
    lab.expect(not verifies(signature, TAMPERED), "the signature verifies for a changed message")
    lab.expect(not verifies(_flip_last(signature), MESSAGE), "a changed signature verifies")
    lab.note("offline:ECDSA_SHA_256", "verified with the public key; refused with one byte changed")
    return "the signature verifies offline, and no longer once a byte changes"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def kms_verifies_its_signature(lab: Lab) -> str:
    """KMS verifies a signature that it made, and refuses it for a changed message.

    Verify is a convenience for those who do not want to handle public keys: it answers the same
    question as an offline verification.
    """
    key = lab.outputs.key_signing
    signature = _sign(lab, key, **ECDSA)
    question = {"KeyId": key, "MessageType": "RAW", "Signature": signature, **ECDSA}
    answer = lab.allowed(Persona.SIGNER, "kms:Verify", Message=MESSAGE, **question)
    lab.expect(answer["SignatureValid"], "KMS does not accept its own signature")
    refusal: dict[str, Any] = {"codes": {"KMSInvalidSignatureException"}}
    lab.refused(Persona.SIGNER, "kms:Verify", Message=TAMPERED, **refusal, **question)
    no_signature = {**question, "Signature": b"no signature at all"}
    lab.refused(Persona.SIGNER, "kms:Verify", Message=MESSAGE, **refusal, **no_signature)
    return "KMS accepts its signature, and refuses it for a changed message; other bytes are no signature"


@check(guide=GUIDE, needs=DECIDING | {Capability.ASYMMETRIC})
def only_the_signer_signs(lab: Lab) -> str:
    """Only the signer can sign.

    The same call with the same message succeeds for the signer and is refused for the data owner,
    the storage operator, the key administrator, the auditor and the outsider: administering or
    auditing a key is not using it.
    """
    key = lab.outputs.key_signing
    _sign(lab, key, **ECDSA)
    others = (
        Persona.DATA_OWNER,
        Persona.STORAGE_OPERATOR,
        Persona.KEY_ADMINISTRATOR,
        Persona.AUDITOR,
        Persona.OUTSIDER,
    )
    for persona in others:
        lab.refused(
            persona, "kms:Sign", by="kms:Sign", KeyId=key, Message=MESSAGE, MessageType="RAW", **ECDSA
        )
    return f"the signer signs; {len(others)} other personas are refused"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def digest_equals_raw(lab: Lab) -> str:
    """Signing a digest is signing the message.

    KMS takes messages of up to 4,096 bytes. For more, hash first and send the digest: a signature
    over the SHA-256 digest verifies for the whole message, and the other way round.
    """
    key = lab.outputs.key_signing
    digest = hashlib.sha256(MESSAGE).digest()
    forms = {"RAW": MESSAGE, "DIGEST": digest}
    for made, checked in (("DIGEST", "RAW"), ("RAW", "DIGEST")):
        signature = _sign(lab, key, message=forms[made], kind=made, **ECDSA)
        answer = lab.allowed(
            Persona.SIGNER,
            "kms:Verify",
            KeyId=key,
            Message=forms[checked],
            MessageType=checked,
            Signature=signature,
            **ECDSA,
        )
        lab.expect(answer["SignatureValid"], f"a {made} signature does not verify as {checked}")
    return "a signature over the digest verifies for the message, and the other way round"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def long_messages_need_a_digest(lab: Lab) -> str:
    """KMS signs at most 4,096 bytes; the signer hashes what is longer.

    The limit is on the request, not on what can be signed: the digest of the same message signs.
    """
    key = lab.outputs.key_signing
    _sign(lab, key, message=bytes(4096), **ECDSA)
    lab.refused(
        Persona.SIGNER,
        "kms:Sign",
        codes={"ValidationException"},
        KeyId=key,
        Message=bytes(4097),
        MessageType="RAW",
        **ECDSA,
    )
    _sign(lab, key, message=hashlib.sha256(bytes(4097)).digest(), kind="DIGEST", **ECDSA)
    return "4,096 bytes sign, 4,097 do not, their digest does"


@check(guide=POST_QUANTUM, needs={Capability.POST_QUANTUM})
def post_quantum_signature_verifies_outside_kms(lab: Lab) -> str:
    """An ML-DSA signature made in KMS verifies offline.

    ML-DSA (FIPS 204) is believed to withstand quantum computers. The public key and the signature
    are far larger than those of an elliptic curve (1,952 and 3,309 bytes for ML-DSA-65).
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import mldsa

    signature = _sign(lab, lab.outputs.key_pq, **ML_DSA)
    public: Any = public_key(lab, lab.outputs.key_pq)
    lab.expect(isinstance(public, mldsa.MLDSA65PublicKey), "the post-quantum key is not an ML-DSA-65 key")
    try:
        public.verify(signature, MESSAGE)
    except InvalidSignature as error:
        raise Failed("the ML-DSA signature does not verify with the exported public key") from error
    try:
        public.verify(signature, TAMPERED)
    except InvalidSignature:
        lab.note(
            "offline:ML_DSA_65", f"{len(signature)} byte signature verified; refused for a changed message"
        )
        return f"the ML-DSA-65 signature ({len(signature)} bytes) verifies offline for this message alone"
    raise Failed("the ML-DSA signature verifies for a changed message")


@check(guide=POST_QUANTUM, needs={Capability.POST_QUANTUM})
def post_quantum_message_may_stay_outside(lab: Lab) -> str:
    """ML-DSA signs a message of any size by its 64-byte representative, computed outside KMS.

    FIPS 204 calls it mu: a hash of the public key and the message. KMS signs it (EXTERNAL_MU), and the
    signature verifies for the whole message, which KMS has never seen.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import mldsa

    message = MESSAGE * 1000
    public: Any = public_key(lab, lab.outputs.key_pq)
    hasher = mldsa.MLDSAMuHasher(public)
    hasher.update(message)
    signature = _sign(lab, lab.outputs.key_pq, message=hasher.finalize(), kind="EXTERNAL_MU", **ML_DSA)
    try:
        public.verify(signature, message)
    except InvalidSignature as error:
        raise Failed("the signature of the representative does not verify for the message") from error
    lab.note("offline:ML_DSA_65", f"a signature over mu verified for {len(message)} bytes")
    return f"KMS signed 64 bytes, and the signature verifies for all {len(message)}"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC, Capability.KEY_POLICIES})
def signing_keys_cannot_encrypt(lab: Lab) -> str:
    """A signing key signs and does nothing else.

    Key usage is chosen when a key is created and can never change. The data owner, who can encrypt
    with the RSA key, is refused the same with the signing key.
    """
    about = described(lab, lab.outputs.key_signing)
    lab.expect(about["KeyUsage"] == "SIGN_VERIFY", f"the signing key's usage is {about['KeyUsage']}")
    lab.expect(not about.get("EncryptionAlgorithms"), "the signing key lists encryption algorithms")
    sealing: dict[str, Any] = {"Plaintext": b"tea", "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    lab.allowed(Persona.DATA_OWNER, "kms:Encrypt", KeyId=lab.outputs.key_rsa, **sealing)
    lab.refused(
        Persona.DATA_OWNER,
        "kms:Encrypt",
        codes={"AccessDeniedException", "InvalidKeyUsageException"},
        KeyId=lab.outputs.key_signing,
        **sealing,
    )
    return "the signing key's only usage is SIGN_VERIFY; encrypting with it is refused"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC}, changes_keys=True)
def rsa_signatures_verify_outside_kms(lab: Lab) -> str:
    """RSA signatures of both paddings, PSS and PKCS #1 v1.5, with each hash, verify offline.

    PSS is the one to choose; PKCS #1 v1.5 is what old counterparts understand. KMS salts PSS with as many
    bytes as the hash has. One key makes both, and each verifies as what it is only.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = scratch_key_of_kind(lab, "RSA_2048", "SIGN_VERIFY")
    public: Any = public_key(lab, key, OPERATOR)
    for digest in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        pss = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
        paddings = {"PSS": pss, "PKCS1_V1_5": padding.PKCS1v15()}
        for name, other in (("PSS", "PKCS1_V1_5"), ("PKCS1_V1_5", "PSS")):
            algorithm = f"RSASSA_{name}_SHA_{digest.digest_size * 8}"
            signature = _sign_as_operator(lab, key, algorithm)
            _verifies_for_its_message_only(lab, public, signature, algorithm, paddings[name], digest)
            swapped = _verifies(public, signature, MESSAGE, paddings[other], digest)
            lab.expect(not swapped, f"a signature of {algorithm} verifies as {other}")
    return "RSA_2048: PSS and PKCS #1 v1.5 with SHA-256, SHA-384 and SHA-512 verify offline, each as itself"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC}, changes_keys=True)
def every_curve_verifies_outside_kms(lab: Lab) -> str:
    """Signatures on NIST P-384, NIST P-521 and secp256k1 verify offline as those on P-256 do.

    The larger curves go with the longer hashes; secp256k1 is the curve of cryptocurrencies. SM2 is left
    out: KMS has it in the China Regions only.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    curves: dict[str, tuple[str, Any]] = {
        "ECC_NIST_P384": ("ECDSA_SHA_384", hashes.SHA384()),
        "ECC_NIST_P521": ("ECDSA_SHA_512", hashes.SHA512()),
        "ECC_SECG_P256K1": ("ECDSA_SHA_256", hashes.SHA256()),
    }
    for spec, (algorithm, digest) in curves.items():
        key = scratch_key_of_kind(lab, spec, "SIGN_VERIFY")
        public: Any = public_key(lab, key, OPERATOR)
        signature = _sign_as_operator(lab, key, algorithm)
        _verifies_for_its_message_only(lab, public, signature, spec, ec.ECDSA(digest))
    return f"{', '.join(curves)}: verified offline, refused for a changed message"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC}, changes_keys=True)
def ed25519_signs_the_message_itself(lab: Lab) -> str:
    """An Ed25519 signature verifies offline; it is made of the message, so a digest does not do.

    The same message has the same signature each time: there is no random number in it that could be bad.
    """
    key = scratch_key_of_kind(lab, "ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    public: Any = public_key(lab, key, OPERATOR)
    signature = _sign_as_operator(lab, key, ED25519)
    _verifies_for_its_message_only(lab, public, signature, "ED25519")
    lab.expect(signature == _sign_as_operator(lab, key, ED25519), "one message has two Ed25519 signatures")
    lab.refused(
        OPERATOR,
        "kms:Sign",
        codes={"ValidationException"},
        KeyId=key,
        Message=hashlib.sha512(MESSAGE).digest(),
        MessageType="DIGEST",
        SigningAlgorithm=ED25519,
    )
    return (
        f"the signature ({len(signature)} bytes) verifies offline and is always the same; a digest is refused"
    )


@check(guide=POST_QUANTUM, needs={Capability.POST_QUANTUM}, changes_keys=True)
def every_post_quantum_strength_verifies_outside_kms(lab: Lab) -> str:
    """ML-DSA-44 and ML-DSA-87, the weaker and the stronger sister of ML-DSA-65, verify offline too.

    Each also by the message's representative (EXTERNAL_MU). Strength costs bytes: signatures of 2,420 and 4,627.
    """
    from cryptography.hazmat.primitives.asymmetric import mldsa

    for spec, size in (("ML_DSA_44", 2420), ("ML_DSA_87", 4627)):
        key = scratch_key_of_kind(lab, spec, "SIGN_VERIFY")
        public: Any = public_key(lab, key, OPERATOR)
        hasher = mldsa.MLDSAMuHasher(public)
        hasher.update(MESSAGE)
        forms = {"RAW": MESSAGE, "EXTERNAL_MU": hasher.finalize()}
        for kind, message in forms.items():
            signature = _sign_as_operator(lab, key, ML_DSA["SigningAlgorithm"], message, kind)
            lab.expect(len(signature) == size, f"the {spec} signature has {len(signature)} bytes, not {size}")
            _verifies_for_its_message_only(lab, public, signature, f"{spec} {kind}")
    return "ML_DSA_44 and ML_DSA_87: message and representative verify offline, for this message alone"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC}, changes_keys=True)
def a_wrong_algorithm_is_refused(lab: Lab) -> str:
    """A key signs with the algorithms of its spec only, and KMS refuses what does not fit its usage.

    The operator signs with a P-384 key first. Another hash, RSA's algorithm, and signing with an encryption
    key are refused (InvalidKeyUsageException): nobody talks KMS into a weaker algorithm than was chosen.
    """
    key = scratch_key_of_kind(lab, "ECC_NIST_P384", "SIGN_VERIFY")
    _sign_as_operator(lab, key, "ECDSA_SHA_384")
    wrong = (
        (key, "ECDSA_SHA_256"),
        (key, "RSASSA_PSS_SHA_384"),
        (scratch_key(lab), "ECDSA_SHA_384"),
    )
    for one, algorithm in wrong:
        lab.refused(
            OPERATOR,
            "kms:Sign",
            codes={"InvalidKeyUsageException"},
            KeyId=one,
            Message=MESSAGE,
            SigningAlgorithm=algorithm,
        )
    return "another hash, RSA's algorithm and an encryption key are refused (InvalidKeyUsageException)"


def _verifies(public: Any, signature: bytes, message: bytes, *how: Any) -> bool:
    """Whether a signature verifies on this machine; ``how`` as the kind of public key takes it."""
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(signature, message, *how)
    except InvalidSignature:
        return False
    return True


def _verifies_for_its_message_only(lab: Lab, public: Any, signature: bytes, name: str, *how: Any) -> None:
    """Expect a signature to verify offline for the message, and not once a byte of either has changed."""
    lab.expect(
        _verifies(public, signature, MESSAGE, *how), f"the signature of {name} does not verify offline"
    )
    lab.expect(
        not _verifies(public, signature, TAMPERED, *how),
        f"the signature of {name} verifies for another message",
    )
    changed = _verifies(public, _flip_last(signature), MESSAGE, *how)
    lab.expect(not changed, f"a changed signature of {name} verifies")
    lab.note(f"offline:{name}", "verified with the public key; refused with one byte changed")


def _sign_as_operator(
    lab: Lab, key: str, algorithm: str, message: bytes = MESSAGE, kind: str = "RAW"
) -> bytes:
    """Sign with a key that the operator made."""
    answer = lab.allowed(
        OPERATOR, "kms:Sign", KeyId=key, Message=message, MessageType=kind, SigningAlgorithm=algorithm
    )
    signature: bytes = answer["Signature"]
    return signature


def _sign(lab: Lab, key: str, *, message: bytes = MESSAGE, kind: str = "RAW", **algorithm: Any) -> bytes:
    """Sign as the signer and return the signature."""
    answer = lab.allowed(
        Persona.SIGNER, "kms:Sign", KeyId=key, Message=message, MessageType=kind, **algorithm
    )
    signature: bytes = answer["Signature"]
    return signature


def _flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])
