"""Envelope encryption: a data key encrypts outside KMS, KMS encrypts the data key."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.samples import decrypted, encryption_client, encryption_sdk
from kmslab.lab import Inconclusive
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.evidence import code_of
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "07-envelope"
OWNER = Persona.DATA_OWNER
DATA_KEY_BYTES = 32
LONGEST_DATA_KEY = 1024
"""Bytes (botocore model, NumberOfBytesType)."""
NONCE_BYTES = 12
"""What AES-GCM takes (NIST SP 800-38D); new for every message under one key."""
RECORD_1, RECORD_2 = b"record\x00\x011", b"record\x00\x012"
"""A pair of the context as the SDK writes it into the message header: each value after its length."""


def _data_key(lab: Lab) -> tuple[bytes, bytes]:
    """A new data key as the data owner: (plaintext, encrypted under the app key)."""
    answer = lab.allowed(
        OWNER,
        "kms:GenerateDataKey",
        KeyId=lab.outputs.key_app,
        KeySpec="AES_256",
        EncryptionContext=ENCRYPTION_CONTEXT,
    )
    return answer["Plaintext"], answer["CiphertextBlob"]


@check(guide=GUIDE)
def a_data_key_encrypts_outside_kms(lab: Lab) -> str:
    """A mebibyte is encrypted outside KMS under a data key, and opens with the decrypted data key.

    KMS sees 32 bytes, not the data. Only the encrypted data key is kept beside the ciphertext; to
    read, its holder asks KMS to decrypt it, which is where the permission is checked.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    message = secrets.token_bytes(1024 * 1024)
    nonce = secrets.token_bytes(NONCE_BYTES)
    plain_key, encrypted_key = _data_key(lab)
    lab.expect(len(plain_key) == DATA_KEY_BYTES, f"the data key has {len(plain_key)} bytes, not 32")
    lab.expect(plain_key not in encrypted_key, "the encrypted data key holds the data key")
    sealed = AESGCM(plain_key).encrypt(nonce, message, None)
    try:
        opened = AESGCM(decrypted(lab, encrypted_key)).decrypt(nonce, sealed, None)
    except InvalidTag:
        opened = b""
    lab.expect(opened == message, "the decrypted data key does not open what the data key encrypted")
    lab.note("AES-256-GCM outside KMS", f"{len(message)} bytes encrypted and decrypted")
    return "1 MiB encrypted outside KMS; KMS was asked once to make and once to open the data key"


@check(guide=GUIDE)
def a_data_key_can_come_without_its_plaintext(lab: Lab) -> str:
    """GenerateDataKeyWithoutPlaintext gives an encrypted data key only.

    A service that prepares storage, and will never read it, needs no more: this is what EBS asks for.
    """
    answer = lab.allowed(
        OWNER,
        "kms:GenerateDataKeyWithoutPlaintext",
        KeyId=lab.outputs.key_app,
        KeySpec="AES_256",
        EncryptionContext=ENCRYPTION_CONTEXT,
    )
    lab.expect("Plaintext" not in answer, "the answer holds the plaintext data key")
    length = len(decrypted(lab, answer["CiphertextBlob"]))
    lab.expect(length == DATA_KEY_BYTES, f"the data key has {length} bytes, not 32")
    return "no plaintext in the answer; decrypted later it has 32 bytes"


@check(guide=GUIDE)
def a_data_key_has_the_length_asked_for(lab: Lab) -> str:
    """A data key has the length that was asked for: by its spec, or in bytes, up to 1,024.

    AES_128 and AES_256 are lengths and nothing more: KMS does not care what the bytes are used for.
    A request for both, or for more than 1,024 bytes, is refused.
    """
    asked: dict[str, Any] = {"KeyId": lab.outputs.key_app, "EncryptionContext": ENCRYPTION_CONTEXT}
    sizes: tuple[tuple[dict[str, Any], int], ...] = (
        ({"KeySpec": "AES_128"}, 16),
        ({"NumberOfBytes": 1}, 1),
        ({"NumberOfBytes": LONGEST_DATA_KEY}, LONGEST_DATA_KEY),
    )
    for how, size in sizes:
        length = len(lab.allowed(OWNER, "kms:GenerateDataKey", **asked, **how)["Plaintext"])
        lab.expect(length == size, f"a data key of {size} bytes was asked for, {length} bytes came")
    for wrong in ({"NumberOfBytes": LONGEST_DATA_KEY + 1}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        lab.refused(OWNER, "kms:GenerateDataKey", codes={"ValidationException"}, **asked, **wrong)
    return f"16, 1 and {LONGEST_DATA_KEY} bytes as asked for; {LONGEST_DATA_KEY + 1} and both at once are refused"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def a_data_key_pair_signs_outside_kms(lab: Lab) -> str:
    """GenerateDataKeyPair gives a key pair for use outside KMS, its private key also encrypted.

    A device signs by itself, with a private key that is kept encrypted. What KMS encrypted is that very
    private key: decrypted, it makes a signature that verifies with the pair's public key.
    """
    for spec in ("ECC_NIST_P256", "ECC_NIST_EDWARDS25519"):
        made = _data_key_pair(lab, "kms:GenerateDataKeyPair", spec)
        opened = decrypted(lab, made["PrivateKeyCiphertextBlob"])
        lab.expect(opened == made["PrivateKeyPlaintext"], f"another private key was encrypted ({spec})")
        lab.expect(_is_pair(opened, made["PublicKey"]), f"the private key is not the public key's ({spec})")
        lab.note(f"offline:{spec}", "signed with the decrypted private key, verified with the public key")
    return "two pairs: what the decrypted private key signs, its public key verifies"


@check(guide=GUIDE, needs={Capability.ASYMMETRIC})
def a_private_key_can_stay_encrypted(lab: Lab) -> str:
    """GenerateDataKeyPairWithoutPlaintext gives a public key, and its private key encrypted only.

    Who hands out key pairs need never see a private key. Its owner asks KMS to decrypt it when it is needed.
    """
    made = _data_key_pair(lab, "kms:GenerateDataKeyPairWithoutPlaintext", "ECC_NIST_P256")
    lab.expect("PrivateKeyPlaintext" not in made, "the answer holds the private key in plaintext")
    opened = decrypted(lab, made["PrivateKeyCiphertextBlob"])
    lab.expect(_is_pair(opened, made["PublicKey"]), "the encrypted private key is not the public key's")
    return "no plaintext in the answer; decrypted later, the private key is the public key's"


def _data_key_pair(lab: Lab, action: str, spec: str) -> dict[str, Any]:
    made: dict[str, Any] = lab.allowed(
        OWNER, action, KeyId=lab.outputs.key_app, KeyPairSpec=spec, EncryptionContext=ENCRYPTION_CONTEXT
    )
    return made


def _is_pair(private_der: bytes, public_der: bytes) -> bool:
    """Whether what the private key signs verifies with the public key; both DER-encoded."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    private: Any = serialization.load_der_private_key(private_der, password=None)
    public: Any = serialization.load_der_public_key(public_der)
    how = (ec.ECDSA(SHA256()),) if isinstance(private, ec.EllipticCurvePrivateKey) else ()
    try:
        public.verify(private.sign(b"kmslab", *how), b"kmslab", *how)
    except InvalidSignature:
        return False
    return True


@check(guide=GUIDE)
def every_data_key_is_new(lab: Lab) -> str:
    """Each request gives another data key: one lost data key opens one message, not all."""
    first, second = _data_key(lab)[0], _data_key(lab)[0]
    lab.expect(first != second, "KMS gave the same data key twice")
    return "two requests gave two different data keys"


@check(guide=GUIDE, needs={Capability.AUTHENTICATED_ENCRYPTION})
def the_context_guards_the_data_key(lab: Lab) -> str:
    """An encrypted data key opens only with its encryption context.

    The lab's own context is part of it, so the key policy lets the request through: what refuses a
    further pair that was not there at encryption is the cryptography.
    """
    _, encrypted_key = _data_key(lab)
    decrypted(lab, encrypted_key)
    lab.refused(
        OWNER,
        "kms:Decrypt",
        codes={"InvalidCiphertextException"},
        CiphertextBlob=encrypted_key,
        EncryptionContext={**ENCRYPTION_CONTEXT, "record": "another"},
    )
    return "with another context: InvalidCiphertextException"


@check(guide=GUIDE, needs=DECIDING)
def the_envelope_alone_is_worthless(lab: Lab) -> str:
    """Who has the whole envelope, but not the key, cannot open it.

    The storage operator may see encrypted data and its encrypted data key every day.
    """
    _, encrypted_key = _data_key(lab)
    decrypted(lab, encrypted_key)
    for persona in (Persona.STORAGE_OPERATOR, Persona.OUTSIDER):
        lab.refused(
            persona,
            "kms:Decrypt",
            by="kms:Decrypt",
            CiphertextBlob=encrypted_key,
            EncryptionContext=ENCRYPTION_CONTEXT,
        )
    return "the owner opens the data key; storage operator and outsider are refused kms:Decrypt"


@check(guide=GUIDE, needs={Capability.AUTHENTICATED_ENCRYPTION})
def an_sdk_envelope_opens_with_its_context_only(lab: Lab) -> str:
    """An envelope of the AWS Encryption SDK opens with the same encryption context, and with no other.

    The SDK keeps encrypted data, encrypted data key and context in one message. When the context in
    it is changed to that of another record, KMS refuses to open the data key; when a byte of the data
    is changed, the SDK refuses the data.
    """
    message = secrets.token_bytes(100_000)
    sealed = _seal(lab, message, {**ENCRYPTION_CONTEXT, "record": "1"})
    lab.expect(message not in sealed, "the envelope holds the plaintext")
    lab.expect(_open(lab, sealed) == message, "the envelope does not open with its own context")
    lab.expect(sealed.count(RECORD_1) == 1, "the envelope does not carry its encryption context")
    lab.expect(
        _open(lab, sealed.replace(RECORD_1, RECORD_2)) is None, "the envelope opens with another context"
    )
    middle = len(sealed) // 2
    changed = sealed[:middle] + bytes([sealed[middle] ^ 1]) + sealed[middle + 1 :]
    lab.expect(_open(lab, changed) is None, "the envelope opens though a byte was changed")
    return f"{len(message)} bytes in an envelope of {len(sealed)}: opens with its context, with no other"


def _seal(lab: Lab, message: bytes, context: dict[str, str]) -> bytes:
    sdk = encryption_sdk()
    master_key = sdk.key_providers.kms.KMSMasterKey(
        key_id=lab.outputs.key_app, client=lab.client(OWNER, "kms")
    )
    try:
        sealed: bytes = encryption_client(sdk).encrypt(
            source=message, key_provider=master_key, encryption_context=context
        )[0]
    except sdk.exceptions.AWSEncryptionSDKClientError as error:
        raise Inconclusive(f"the AWS Encryption SDK could not encrypt: {error.__cause__ or error}") from error
    lab.note("aws-encryption-sdk encrypt", f"as {OWNER} under the app key")
    return sealed


def _open(lab: Lab, sealed: bytes) -> bytes | None:
    """The plaintext, or None if KMS or the SDK finds that the envelope was changed.

    Raises:
        Inconclusive: KMS answered with another error than InvalidCiphertextException.
    """
    from cryptography.exceptions import InvalidSignature, InvalidTag

    sdk = encryption_sdk()
    causes: list[Any] = []

    class MasterKey(sdk.key_providers.kms.KMSMasterKey):  # type: ignore[misc, name-defined]  # loaded just above; it has no type information
        """Keeps what KMS said: the SDK replaces it by "unable to decrypt any data key"."""

        def _decrypt_data_key(self, *arguments: Any, **named: Any) -> Any:
            try:
                return super()._decrypt_data_key(*arguments, **named)
            except sdk.exceptions.DecryptKeyError as error:
                causes.append(error.__cause__)
                raise

    master_key = MasterKey(key_id=lab.outputs.key_app, client=lab.client(OWNER, "kms"))
    try:
        plaintext: bytes = encryption_client(sdk).decrypt(source=sealed, key_provider=master_key)[0]
    except (sdk.exceptions.AWSEncryptionSDKClientError, InvalidSignature, InvalidTag) as error:
        for cause in causes:
            if code_of(cause) != "InvalidCiphertextException":
                raise Inconclusive(f"the AWS Encryption SDK could not decrypt: {cause}") from error
        said = "InvalidCiphertextException by KMS" if causes else f"{type(error).__name__} by the SDK"
        lab.note("aws-encryption-sdk decrypt", f"as {OWNER}: {said}")
        return None
    lab.note("aws-encryption-sdk decrypt", f"as {OWNER}: {len(plaintext)} bytes")
    return plaintext
