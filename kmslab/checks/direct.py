"""Direct encryption: up to 4 KiB inside KMS, bound to an encryption context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks.registry import check
from kmslab.checks.temporary import scratch_key
from kmslab.model.capability import Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "02-first-key"
OWNER = Persona.DATA_OWNER
OPERATOR = Persona.OPERATOR
LIMIT = 4096
"""Most bytes that Encrypt takes under a symmetric key (botocore model, EncryptRequest)."""
INVALID = frozenset({"InvalidCiphertextException"})
"""KMS says no more than that, whether a byte or the context is wrong."""
SAMPLE = b"kmslab sample"


def _encrypt(lab: Lab, plaintext: bytes = SAMPLE) -> bytes:
    """Encrypt as the data owner under the app key with the lab's context."""
    blob: bytes = lab.allowed(
        OWNER,
        "kms:Encrypt",
        KeyId=lab.outputs.key_app,
        Plaintext=plaintext,
        EncryptionContext=ENCRYPTION_CONTEXT,
    )["CiphertextBlob"]
    return blob


def _decrypt(lab: Lab, blob: bytes) -> bytes:
    plaintext: bytes = lab.allowed(
        OWNER, "kms:Decrypt", CiphertextBlob=blob, EncryptionContext=ENCRYPTION_CONTEXT
    )["Plaintext"]
    return plaintext


@check(guide=GUIDE)
def what_the_owner_encrypts_the_owner_decrypts(lab: Lab) -> str:
    """What the data owner encrypts comes back byte for byte.

    Decrypt need not be told which key: the ciphertext names it. It does not hold the plaintext.
    """
    blob = _encrypt(lab)
    lab.expect(SAMPLE not in blob, "the ciphertext holds the plaintext")
    lab.expect(_decrypt(lab, blob) == SAMPLE, "another plaintext came back")
    return f"{len(SAMPLE)} bytes became {len(blob)} and came back"


@check(guide=GUIDE)
def equal_plaintexts_differ_encrypted(lab: Lab) -> str:
    """The same plaintext encrypted twice gives two different ciphertexts.

    Otherwise an onlooker could tell equal values apart from others without any key.
    """
    first, second = _encrypt(lab), _encrypt(lab)
    lab.expect(first != second, "the same ciphertext came back twice")
    lab.expect(_decrypt(lab, first) == _decrypt(lab, second), "the two do not open to the same plaintext")
    return "two ciphertexts of one plaintext differ, and both open"


@check(guide=GUIDE)
def at_most_4096_bytes(lab: Lab) -> str:
    """Encrypt takes 4,096 bytes and refuses 4,097.

    KMS is no place for bulk data. Beyond this, a data key encrypts outside KMS (envelope encryption).
    """
    _encrypt(lab, b"x" * LIMIT)
    lab.refused(
        OWNER,
        "kms:Encrypt",
        codes={"ValidationException"},
        KeyId=lab.outputs.key_app,
        Plaintext=b"x" * (LIMIT + 1),
        EncryptionContext=ENCRYPTION_CONTEXT,
    )
    return "4,096 bytes are encrypted, 4,097 are refused (ValidationException)"


@check(guide=GUIDE, needs={Capability.AUTHENTICATED_ENCRYPTION}, changes_keys=True)
def another_context_does_not_decrypt(lab: Lab) -> str:
    """A ciphertext opens only with the encryption context that it was made with.

    The context is no secret: it is bound to the ciphertext (additional authenticated data) and shows
    in the audit trail. Shown on a key whose policy does not look at the context, so that the
    cryptography decides and not the policy.
    """
    key = scratch_key(lab)
    context = {"record": "1"}
    blob = lab.allowed(OPERATOR, "kms:Encrypt", KeyId=key, Plaintext=SAMPLE, EncryptionContext=context)[
        "CiphertextBlob"
    ]
    opened = lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=blob, EncryptionContext=context)
    lab.expect(opened["Plaintext"] == SAMPLE, "another plaintext came back")
    lab.refused(
        OPERATOR, "kms:Decrypt", codes=INVALID, CiphertextBlob=blob, EncryptionContext={"record": "2"}
    )
    lab.refused(OPERATOR, "kms:Decrypt", codes=INVALID, CiphertextBlob=blob)
    return "the same context opens; another one and none give InvalidCiphertextException"


@check(guide=GUIDE, needs={Capability.KEY_POLICIES, Capability.CONDITION_KEYS})
def the_policy_demands_the_context(lab: Lab) -> str:
    """The data owner may use the app key only with the lab's encryption context.

    The key policy demands it (kms:EncryptionContext:kmslab). Without it, and with another value, the
    same principal is refused the same call.
    """
    _encrypt(lab)
    key = lab.outputs.key_app
    lab.refused(OWNER, "kms:Encrypt", by="kms:Encrypt", KeyId=key, Plaintext=SAMPLE)
    other = dict.fromkeys(ENCRYPTION_CONTEXT, "something else")
    lab.refused(OWNER, "kms:Encrypt", by="kms:Encrypt", KeyId=key, Plaintext=SAMPLE, EncryptionContext=other)
    return "with the lab's context it encrypts; without it and with another value it is refused"


@check(guide=GUIDE, needs={Capability.AUTHENTICATED_ENCRYPTION})
def a_changed_byte_is_noticed(lab: Lab) -> str:
    """A ciphertext with one changed bit does not open.

    AES-GCM authenticates what it encrypts: nobody can change a value without the key.
    """
    blob = _encrypt(lab)
    _decrypt(lab, blob)
    tampered = blob[:-1] + bytes([blob[-1] ^ 1])
    lab.refused(
        OWNER, "kms:Decrypt", codes=INVALID, CiphertextBlob=tampered, EncryptionContext=ENCRYPTION_CONTEXT
    )
    return "the last bit was flipped: InvalidCiphertextException"


@check(guide=GUIDE, needs={Capability.AUTHENTICATED_ENCRYPTION}, changes_keys=True)
def re_encryption_changes_the_key(lab: Lab) -> str:
    """ReEncrypt moves a ciphertext to another key and the plaintext never leaves KMS.

    This, not rotation, is what renews old ciphertexts. Naming a key in Decrypt pins it: the old key
    is then refused for the new ciphertext, though the caller may use both.
    """
    source, destination = scratch_key(lab), scratch_key(lab, "second")
    old = lab.allowed(OPERATOR, "kms:Encrypt", KeyId=source, Plaintext=SAMPLE)["CiphertextBlob"]
    moved = lab.allowed(OPERATOR, "kms:ReEncrypt", CiphertextBlob=old, DestinationKeyId=destination)
    lab.expect("Plaintext" not in moved, "ReEncrypt gave the plaintext away")
    lab.expect(moved["SourceKeyId"] == source, "ReEncrypt names another source key")
    opened = lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=moved["CiphertextBlob"], KeyId=destination)
    lab.expect(opened["Plaintext"] == SAMPLE, "another plaintext came back")
    lab.refused(
        OPERATOR,
        "kms:Decrypt",
        codes={"IncorrectKeyException"},
        CiphertextBlob=moved["CiphertextBlob"],
        KeyId=source,
    )
    return "the ciphertext moved to the second key; naming the first gives IncorrectKeyException"


@check(guide=GUIDE, needs={Capability.IAM, Capability.KEY_POLICIES})
def others_cannot_decrypt(lab: Lab) -> str:
    """Who holds the ciphertext and the context, but no permission, reads nothing.

    The data owner opens the ciphertext first. The data reader, who has keys of the lab for other
    purposes, and the outsider are then refused the same call.
    """
    blob = _encrypt(lab)
    _decrypt(lab, blob)
    for persona in (Persona.DATA_READER, Persona.STORAGE_OPERATOR, Persona.OUTSIDER):
        lab.refused(
            persona,
            "kms:Decrypt",
            by="kms:Decrypt",
            CiphertextBlob=blob,
            EncryptionContext=ENCRYPTION_CONTEXT,
        )
    return "the owner reads; reader, storage operator and outsider are refused kms:Decrypt"
