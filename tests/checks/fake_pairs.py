"""Key pairs and HMAC keys for the fake world: real cryptography, no authorization."""

from __future__ import annotations

import functools
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from tests.checks.fakes import OUTPUTS, Refusal, Request, World

if TYPE_CHECKING:
    from collections.abc import Mapping

OAEP = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)
MAC_KEY = b"the fake world's HMAC key, which nobody outside it holds"
SIGN_AT_MOST = 4096


@functools.cache
def pair(arn: str) -> Any:
    """The private key behind an ARN, made once: RSA_4096 takes a second."""
    if arn == OUTPUTS.key_rsa:
        return rsa.generate_private_key(public_exponent=65537, key_size=4096)
    if arn == OUTPUTS.key_pq:
        return mldsa.MLDSA65PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def key_pairs(world: World) -> World:
    """Let the world answer every operation of the lab's asymmetric and HMAC keys."""
    for operation in (get_public_key, sign, verify, encrypt, decrypt, generate_mac, verify_mac, derive):
        name = "".join(part.capitalize() for part in operation.__name__.split("_"))
        world.answers(f"kms:{'DeriveSharedSecret' if name == 'Derive' else name}", operation)
    return world.answers(
        "kms:DescribeKey",
        lambda request: {"KeyMetadata": {"KeyId": request["KeyId"], "KeyUsage": "SIGN_VERIFY"}},
    )


def get_public_key(request: Request) -> Mapping[str, Any]:
    public = pair(request["KeyId"]).public_key()
    return {"PublicKey": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}


def sign(request: Request) -> Mapping[str, Any]:
    private = pair(request["KeyId"])
    if len(request["Message"]) > SIGN_AT_MOST:
        raise Refusal("ValidationException", "Member must have length less than or equal to 4096")
    if isinstance(private, mldsa.MLDSA65PrivateKey):
        of_mu = request["MessageType"] == "EXTERNAL_MU"
        return {"Signature": (private.sign_mu if of_mu else private.sign)(request["Message"])}
    return {"Signature": private.sign(request["Message"], ec.ECDSA(_hash(request)))}


def verify(request: Request) -> Mapping[str, Any]:
    public = pair(request["KeyId"]).public_key()
    try:
        public.verify(request["Signature"], request["Message"], ec.ECDSA(_hash(request)))
    except InvalidSignature:
        raise Refusal("KMSInvalidSignatureException") from None
    return {"SignatureValid": True}


def _hash(request: Request) -> Any:
    return Prehashed(SHA256()) if request["MessageType"] == "DIGEST" else SHA256()


def encrypt(request: Request) -> Mapping[str, Any]:
    private = pair(request["KeyId"])
    if not isinstance(private, rsa.RSAPrivateKey):
        raise Refusal("InvalidKeyUsageException")
    try:
        return {"CiphertextBlob": private.public_key().encrypt(request["Plaintext"], OAEP)}
    except ValueError:
        raise Refusal("ValidationException", "the plaintext is too long") from None


def decrypt(request: Request) -> Mapping[str, Any]:
    try:
        return {"Plaintext": pair(request["KeyId"]).decrypt(request["CiphertextBlob"], OAEP)}
    except ValueError:
        raise Refusal("InvalidCiphertextException") from None


def generate_mac(request: Request) -> Mapping[str, Any]:
    return {"Mac": hmac.new(MAC_KEY, request["Message"], hashlib.sha256).digest()}


def verify_mac(request: Request) -> Mapping[str, Any]:
    if not hmac.compare_digest(generate_mac(request)["Mac"], request["Mac"]):
        raise Refusal("KMSInvalidMacException")
    return {"MacValid": True}


def derive(request: Request) -> Mapping[str, Any]:
    theirs: Any = load_der_public_key(request["PublicKey"])
    return {"SharedSecret": pair(request["KeyId"]).exchange(ec.ECDH(), theirs)}
