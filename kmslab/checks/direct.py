"""Direct encryption: up to 4 KiB inside KMS, bound to an encryption context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.samples import decrypted
from kmslab.checks.temporary import scratch_key
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "02-first-key"
OWNER = Persona.DATA_OWNER
OPERATOR = Persona.OPERATOR
LIMIT = 4096
"""Most bytes that Encrypt takes under a symmetric key (botocore model, EncryptRequest)."""
CIPHERTEXT_LIMIT = 6144
"""Most bytes that Decrypt takes (botocore model, CiphertextType)."""
RANDOM_LIMIT = 1024
"""Most bytes that GenerateRandom gives (botocore model, NumberOfBytesType)."""
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


@check(guide=GUIDE)
def what_the_owner_encrypts_the_owner_decrypts(lab: Lab) -> str:
    """What the data owner encrypts comes back byte for byte.

    Decrypt need not be told which key: the ciphertext names it. It does not hold the plaintext.
    """
    blob = _encrypt(lab)
    lab.expect(SAMPLE not in blob, "the ciphertext holds the plaintext")
    lab.expect(decrypted(lab, blob) == SAMPLE, "another plaintext came back")
    return f"{len(SAMPLE)} bytes became {len(blob)} and came back"


@check(guide=GUIDE)
def equal_plaintexts_differ_encrypted(lab: Lab) -> str:
    """The same plaintext encrypted twice gives two different ciphertexts.

    Otherwise an onlooker could tell equal values apart from others without any key.
    """
    first, second = _encrypt(lab), _encrypt(lab)
    lab.expect(first != second, "the same ciphertext came back twice")
    lab.expect(decrypted(lab, first) == decrypted(lab, second), "the two do not open to the same plaintext")
    return "two ciphertexts of one plaintext differ, and both open"


@check(guide=GUIDE)
def at_most_4096_bytes(lab: Lab) -> str:
    """Encrypt takes 4,096 bytes and refuses 4,097.

    KMS is no place for bulk data. Beyond this, a data key encrypts outside KMS (envelope encryption).
    The largest ciphertext fits into Decrypt, which takes 6,144 bytes.
    """
    longest = len(_encrypt(lab, b"x" * LIMIT))
    lab.expect(longest <= CIPHERTEXT_LIMIT, f"the ciphertext has {longest} bytes: Decrypt does not take it")
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
    decrypted(lab, blob)
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


@check(guide=GUIDE, needs=DECIDING)
def others_cannot_decrypt(lab: Lab) -> str:
    """Who holds the ciphertext and the context, but no permission, reads nothing.

    The data owner opens the ciphertext first. The data reader, who has keys of the lab for other
    purposes, and the outsider are then refused the same call.
    """
    blob = _encrypt(lab)
    decrypted(lab, blob)
    for persona in (Persona.DATA_READER, Persona.STORAGE_OPERATOR, Persona.OUTSIDER):
        lab.refused(
            persona,
            "kms:Decrypt",
            by="kms:Decrypt",
            CiphertextBlob=blob,
            EncryptionContext=ENCRYPTION_CONTEXT,
        )
    return "the owner reads; reader, storage operator and outsider are refused kms:Decrypt"


@check(guide=GUIDE, needs={Capability.AUTHENTICATED_ENCRYPTION}, changes_keys=True)
def the_context_is_exact(lab: Lab) -> str:
    """The order of the pairs does not matter; letter case does, and so does each pair.

    A context is compared as a whole: one pair less, one more or one in capitals, and nothing opens.
    """
    key = scratch_key(lab)
    context = {"record": "1", "class": "a"}
    blob = lab.allowed(OPERATOR, "kms:Encrypt", KeyId=key, Plaintext=SAMPLE, EncryptionContext=context)[
        "CiphertextBlob"
    ]
    turned = dict(reversed(context.items()))
    opened = lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=blob, EncryptionContext=turned)
    lab.expect(opened["Plaintext"] == SAMPLE, "another plaintext came back")
    for other in ({"record": "1"}, {**context, "more": "1"}, {"Record": "1", "class": "a"}):
        lab.refused(OPERATOR, "kms:Decrypt", codes=INVALID, CiphertextBlob=blob, EncryptionContext=other)
    return "the same pairs in another order open; one less, one more and one in capitals do not"


@check(guide=GUIDE, needs={Capability.AUTHENTICATED_ENCRYPTION}, changes_keys=True)
def re_encryption_changes_the_context(lab: Lab) -> str:
    """ReEncrypt gives a ciphertext another encryption context, under the same key.

    What was bound to one record is bound to another, and opens with the new context alone. Whoever may do
    that could read: so it takes two permissions, ReEncryptFrom on the old and ReEncryptTo on the new.
    """
    key = scratch_key(lab)
    old, new = {"record": "1"}, {"record": "2"}
    blob = lab.allowed(OPERATOR, "kms:Encrypt", KeyId=key, Plaintext=SAMPLE, EncryptionContext=old)[
        "CiphertextBlob"
    ]
    moved = lab.allowed(
        OPERATOR,
        "kms:ReEncrypt",
        CiphertextBlob=blob,
        SourceEncryptionContext=old,
        DestinationKeyId=key,
        DestinationEncryptionContext=new,
    )["CiphertextBlob"]
    opened = lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=moved, EncryptionContext=new)
    lab.expect(opened["Plaintext"] == SAMPLE, "another plaintext came back")
    lab.refused(OPERATOR, "kms:Decrypt", codes=INVALID, CiphertextBlob=moved, EncryptionContext=old)
    return "the ciphertext opens with its new context and no longer with the old one"


@check(guide=GUIDE, needs=DECIDING)
def a_dry_run_tells_and_does_nothing(lab: Lab) -> str:
    """DryRun tells whether a request would be allowed, and gives nothing away.

    The data owner's dry run of Decrypt is answered by DryRunOperationException: it would have succeeded.
    The outsider's is refused as the real request would be.
    """
    blob = _encrypt(lab)
    request: dict[str, Any] = {
        "CiphertextBlob": blob,
        "EncryptionContext": ENCRYPTION_CONTEXT,
        "DryRun": True,
    }
    lab.expect(
        "Plaintext" not in lab.allowed(OWNER, "kms:Decrypt", **request), "a dry run gave the plaintext"
    )
    lab.refused(Persona.OUTSIDER, "kms:Decrypt", by="kms:Decrypt", **request)
    return "the owner's dry run would succeed and gives nothing; the outsider's is refused"


@check(guide=GUIDE)
def random_bytes_come_from_kms(lab: Lab) -> str:
    """GenerateRandom gives random bytes of KMS's hardware: up to 1,024, others each time, and under no key."""
    first, second = (
        lab.allowed(OPERATOR, "kms:GenerateRandom", NumberOfBytes=RANDOM_LIMIT)["Plaintext"] for _ in range(2)
    )
    lab.expect(len(first) == RANDOM_LIMIT, f"{RANDOM_LIMIT} bytes were asked for, {len(first)} came")
    lab.expect(first != second, "the same bytes came twice")
    lab.refused(OPERATOR, "kms:GenerateRandom", codes={"ValidationException"}, NumberOfBytes=RANDOM_LIMIT + 1)
    return f"{RANDOM_LIMIT} bytes, twice and different; {RANDOM_LIMIT + 1} are refused"
