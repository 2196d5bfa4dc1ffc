"""Trying what the policies say: as the principal itself, without changing anything.

Operations that have it are asked with DryRun: KMS then answers DryRunOperationException where the call would
have been permitted, and does nothing (KMS Developer Guide, "Testing your permissions"). Decrypt needs no
ciphertext for that: IGNORE_CIPHERTEXT looks at the permission alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.access.operations import SYMMETRIC, parameters, takes_context
from kmslab.lab import DENIED, STOPPED, Inconclusive
from kmslab.model.evidence import code_of
from kmslab.model.naming import ENCRYPTION_CONTEXT

if TYPE_CHECKING:
    from kmslab.access.reading import Key
    from kmslab.lab import Access
    from kmslab.model.persona import Persona

OBSERVABLE = (
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "GetPublicKey",
    "DescribeKey",
    "CreateGrant",
)
"""What can be tried without changing anything. PutKeyPolicy and ScheduleKeyDeletion know no DryRun."""
_BESIDE_PUBLIC_KEY = frozenset({"DescribeKey", "CreateGrant"})
_READING = frozenset({"DescribeKey", "GetPublicKey"})
PERMITTED = frozenset({"DryRunOperationException", "KMSInvalidSignatureException", "KMSInvalidMacException"})
"""Errors that only a permitted caller sees: the dry run's own, and those about what was compared with the key."""
STATES = frozenset({"DisabledException", "KMSInvalidStateException"})
"""Errors about the key's state: whether the caller had been permitted, they do not say for certain."""

_P256_PREFIX = "3059301306072a8648ce3d020106082a8648ce3d030107034200"
_P256_GENERATOR = (
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
PUBLIC_KEY = bytes.fromhex(_P256_PREFIX + _P256_GENERATOR)
"""A well-known point of P-256, its generator, as DER: somebody else's public key for a dry run of DeriveSharedSecret."""


def is_worth_trying(operation: str, key: Key) -> bool:
    """Whether a cell is tried: not where it says no more than others about the same key.

    Of a key pair, who fetches the public key is who describes the key. Grants are tried with symmetric keys.
    """
    beside = key.metadata["KeySpec"] != SYMMETRIC and operation in _BESIDE_PUBLIC_KEY
    return operation in OBSERVABLE and not beside


def attempt(
    access: Access, persona: Persona, operation: str, key: Key, grantee: str
) -> tuple[str, bool | None]:
    """Try an operation as a persona.

    Args:
        access: to the target.
        persona: who tries.
        operation: one of `OBSERVABLE`.
        key: on which.
        grantee: ARN of whom a grant would be for.

    Returns: the code that came back (``ok`` for a response), and whether it was permitted; None when the key's
        state hid it.

    Raises:
        Inconclusive: something else kept us from seeing.
    """
    from botocore import xform_name
    from botocore.exceptions import BotoCoreError, ClientError

    if access.stopping.is_set():
        raise Inconclusive(STOPPED)
    call = getattr(access.client(persona, "kms"), xform_name(operation))
    try:
        call(**call_of(operation, key, grantee))
    except (BotoCoreError, ClientError) as error:
        code = code_of(error)
        if code in STATES:
            return code, None
        if code not in PERMITTED | DENIED:
            raise Inconclusive(f"kms:{operation} with the key {key.name} as {persona}: {code}") from error
        return code, code in PERMITTED
    return "ok", True


def call_of(operation: str, key: Key, grantee: str) -> dict[str, Any]:
    """The request with which an operation is tried: what the policies were asked about, and what they do not see."""
    given = parameters(operation, key, ENCRYPTION_CONTEXT, grantee)
    if operation in _READING:
        return given
    if takes_context(operation, key):
        given["EncryptionContext"] = ENCRYPTION_CONTEXT
    unseen: dict[str, dict[str, Any]] = {
        "Encrypt": {"Plaintext": b"kmslab"},
        "Decrypt": {"DryRunModifiers": ["IGNORE_CIPHERTEXT"]},
        "GenerateDataKey": {"KeySpec": "AES_256"},
        "Sign": {"Message": b"kmslab"},
        "Verify": {"Message": b"kmslab", "Signature": bytes(64)},
        "GenerateMac": {"Message": b"kmslab"},
        "VerifyMac": {"Message": b"kmslab", "Mac": bytes(32)},
        "DeriveSharedSecret": {"PublicKey": PUBLIC_KEY},
    }
    return {**given, **unseen.get(operation, {}), "DryRun": True}
