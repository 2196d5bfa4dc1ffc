"""Key pairs and HMAC keys for the fake world: real cryptography, no authorization."""

from __future__ import annotations

import functools
import hmac
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from kmslab.model.persona import Persona
from tests.checks.fakes import ACCOUNT, OUTPUTS, REGION, Refusal, Request, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAC_KEY = b"the fake world's HMAC key, which nobody outside it holds"
OTHERS = (Persona.AUDITOR, Persona.STORAGE_OPERATOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)
"""Who may do nothing with these keys, beside the owner's and the signer's."""
SIGN_AT_MOST = 4096
KIND = "kind-"
SPECS = {OUTPUTS.key_rsa: "RSA_4096", OUTPUTS.key_pq: "ML_DSA_65", OUTPUTS.key_mac: "HMAC_256"}
"""The lab's keys that are not on NIST P-256."""
CURVES = {
    "ECC_NIST_P256": (ec.SECP256R1, "ECDSA_SHA_256"),
    "ECC_NIST_P384": (ec.SECP384R1, "ECDSA_SHA_384"),
    "ECC_NIST_P521": (ec.SECP521R1, "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": (ec.SECP256K1, "ECDSA_SHA_256"),
}
ML_DSA: dict[str, Any] = {
    "ML_DSA_44": mldsa.MLDSA44PrivateKey,
    "ML_DSA_65": mldsa.MLDSA65PrivateKey,
    "ML_DSA_87": mldsa.MLDSA87PrivateKey,
}
HASHES: dict[str, Any] = {
    "1": hashes.SHA1(),  # noqa: S303  # the API's; sound in OAEP
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def spec_of(arn: str) -> str:
    """The key spec: of a key that a check made, its ARN says it."""
    name = arn.rpartition("/")[2]
    return SPECS.get(arn) or (name.removeprefix(KIND) if name.startswith(KIND) else "ECC_NIST_P256")


@functools.cache
def pair(arn: str) -> Any:
    """The private key behind an ARN, made once: RSA_4096 takes a second."""
    spec = spec_of(arn)
    if spec.startswith("RSA_"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(spec[4:]))
    if spec in ML_DSA:
        return ML_DSA[spec].generate()
    if spec == "ECC_NIST_EDWARDS25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(CURVES[spec][0]()) if spec in CURVES else None


def key_pairs(world: World) -> World:
    """Let the world answer every operation of asymmetric and HMAC keys: the lab's, and those that checks make."""
    for operation in (create_key, get_public_key, sign, verify, encrypt, decrypt, generate_mac, verify_mac):
        name = "".join(part.capitalize() for part in operation.__name__.split("_"))
        world.answers(f"kms:{name}", operation)
    world.answers("kms:DeriveSharedSecret", derive)
    return world.answers(
        "kms:DescribeKey",
        lambda request: {"KeyMetadata": {"KeyId": request["KeyId"], "KeyUsage": "SIGN_VERIFY"}},
    )


def public_key_of(arn: str) -> Callable[[World], object]:
    """Break the world: KMS hands out another key's public part."""
    return lambda world: world.answers(
        "kms:GetPublicKey", lambda r: get_public_key(Request(r.persona, r.action, {"KeyId": arn}))
    )


def signs_with_another_key(world: World) -> None:
    """Break the world: what KMS signs is signed with a key of somebody else's."""
    stranger = ec.generate_private_key(ec.SECP256R1())
    world.answers("kms:Sign", lambda r: {"Signature": stranger.sign(r["Message"], ec.ECDSA(hashes.SHA256()))})


def create_key(request: Request) -> Mapping[str, Any]:
    spec = request.get("KeySpec", "SYMMETRIC_DEFAULT")
    if spec == "ECC_NIST_EDWARDS25519" and request["KeyUsage"] == "KEY_AGREEMENT":
        raise Refusal("ValidationException", "KeyUsage KEY_AGREEMENT is not compatible")
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KIND}{spec}"
    return {"KeyMetadata": {"KeyId": arn.rpartition("/")[2], "Arn": arn}}


def get_public_key(request: Request) -> Mapping[str, Any]:
    public = pair(request["KeyId"]).public_key()
    return {"PublicKey": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}


def sign(request: Request) -> Mapping[str, Any]:
    private, how = pair(request["KeyId"]), _how(request)
    if len(request["Message"]) > SIGN_AT_MOST:
        raise Refusal("ValidationException", "Member must have length less than or equal to 4096")
    by_mu = request.get("MessageType") == "EXTERNAL_MU"
    return {"Signature": (private.sign_mu if by_mu else private.sign)(request["Message"], *how)}


def verify(request: Request) -> Mapping[str, Any]:
    public = pair(request["KeyId"]).public_key()
    try:
        public.verify(request["Signature"], request["Message"], *_how(request))
    except InvalidSignature:
        raise Refusal("KMSInvalidSignatureException") from None
    return {"SignatureValid": True}


def _how(request: Request) -> tuple[Any, ...]:
    """What the library takes beside the message, if the key offers the algorithm at all."""
    spec, algorithm = spec_of(request["KeyId"]), request["SigningAlgorithm"]
    digested = request.get("MessageType") == "DIGEST"
    if spec == "ECC_NIST_EDWARDS25519" and digested:
        raise Refusal("ValidationException", "MessageType DIGEST is not valid")
    if spec in ML_DSA or spec == "ECC_NIST_EDWARDS25519":
        return ()
    digest = HASHES.get(algorithm.rpartition("_")[2])
    chosen: Any = Prehashed(digest) if digested and digest else digest
    if spec in CURVES and CURVES[spec][1] == algorithm:
        return (ec.ECDSA(chosen),)
    if spec.startswith("RSA_") and digest and algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size), chosen
    if spec.startswith("RSA_") and algorithm.startswith("RSASSA_PKCS1"):
        return padding.PKCS1v15(), chosen
    raise Refusal("InvalidKeyUsageException")


def _oaep(request: Request) -> padding.OAEP:
    digest = HASHES[request["EncryptionAlgorithm"].rpartition("_")[2]]
    return padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)


def encrypt(request: Request) -> Mapping[str, Any]:
    private = pair(request["KeyId"])
    if not isinstance(private, rsa.RSAPrivateKey):
        raise Refusal("InvalidKeyUsageException")
    if request.get("EncryptionContext"):
        raise Refusal("ValidationException", "no encryption context")
    try:
        return {"CiphertextBlob": private.public_key().encrypt(request["Plaintext"], _oaep(request))}
    except ValueError:
        raise Refusal("ValidationException", "the plaintext is too long") from None


def decrypt(request: Request) -> Mapping[str, Any]:
    try:
        return {"Plaintext": pair(request["KeyId"]).decrypt(request["CiphertextBlob"], _oaep(request))}
    except ValueError:
        raise Refusal("InvalidCiphertextException") from None


def generate_mac(request: Request) -> Mapping[str, Any]:
    bits = request["MacAlgorithm"].rpartition("_")[2]
    if not spec_of(request["KeyId"]).endswith(bits):
        raise Refusal("InvalidKeyUsageException")
    return {"Mac": hmac.digest(MAC_KEY, request["Message"], f"sha{bits}")}


def verify_mac(request: Request) -> Mapping[str, Any]:
    if not hmac.compare_digest(generate_mac(request)["Mac"], request["Mac"]):
        raise Refusal("KMSInvalidMacException")
    return {"MacValid": True}


def derive(request: Request) -> Mapping[str, Any]:
    theirs: Any = load_der_public_key(request["PublicKey"])
    return {"SharedSecret": pair(request["KeyId"]).exchange(ec.ECDH(), theirs)}
