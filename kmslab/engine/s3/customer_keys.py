"""SSE-C: the three headers that bring a customer's key, and what S3 says when they are not right.

Amazon S3 User Guide, "Using server-side encryption with customer-provided keys". The messages, their argument's
odd name, the order of the checks and 403 for another key on a read are recorded from S3; the message for a
missing MD5 is not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.headers import SSE, SSE_S3

if TYPE_CHECKING:
    from collections.abc import Callable

    Stock = Callable[..., Any]

KEY_BYTES = 32
_MUST = "Requests specifying Server Side Encryption with Customer provided keys must provide"
STORED_SO = (
    "The object was stored using a form of Server Side Encryption. "
    "The correct parameters must be provided to retrieve the object."
)
INITIATED_SO = (
    "The multipart upload initiate requested encryption. "
    "Subsequent part requests must include the appropriate encryption parameters."
)


def decoded(key: str) -> bytes:
    """The customer's key, empty when it is not base64."""
    try:
        return base64.b64decode(key, validate=True)
    except binascii.Error:
        return b""


def _wrong(message: str) -> Any:
    return error("InvalidArgument", message, ArgumentName=SSE, ArgumentValue="null")


def _incoherent(algorithm: str, key: str, md5: str) -> Any:
    """Why the headers do not fit together; None when they do."""
    if not algorithm:
        return _wrong(f"{_MUST} a valid encryption algorithm.")
    if not key:
        return _wrong(f"{_MUST} an appropriate secret key.")
    if algorithm != SSE_S3:
        return error(
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
            ArgumentName=SSE,
            ArgumentValue=algorithm,
        )
    if not md5:
        return _wrong(f"{_MUST} the client calculated MD5 of the secret key.")
    # S324: MD5 guards the key against a slip of the pen, as the API wants it.
    if base64.b64encode(hashlib.md5(decoded(key)).digest()).decode() != md5:  # noqa: S324
        return _wrong("The calculated MD5 hash of the key did not match the hash that was provided.")
    return None


def _check_given(_stock: Stock, c_alg: str, c_key: str, c_md5: str) -> Any:
    """Check the headers of a write."""
    if wrong := _incoherent(c_alg, c_key, c_md5):
        return wrong
    if len(decoded(c_key)) != KEY_BYTES:
        return _wrong("The secret key was invalid for the specified algorithm.")
    return None


def _check_against(
    _stock: Stock, stored_md5: str | None, c_alg: str, c_key: str, c_md5: str, *, part: bool = False
) -> Any:
    """Check the headers of a read, of a copy's source or of a part against what was stored."""
    given = bool(c_alg or c_key or c_md5)
    if part and given != bool(stored_md5):
        return error("InvalidRequest", INITIATED_SO)
    if not given:
        return error("InvalidRequest", STORED_SO) if stored_md5 else None
    return _incoherent(c_alg, c_key, c_md5) or (
        None if c_md5 == stored_md5 else _another(stored_md5, part=part)
    )


def _another(stored_md5: str | None, *, part: bool) -> Any:
    """S3's answer to a key that is not the one used."""
    if not stored_md5:
        return error("InvalidRequest", "The encryption parameters are not applicable to this object.")
    if part:
        message = "The provided encryption parameters did not match the ones used originally."
        return error("InvalidRequest", message)
    return error("AccessDenied", f"{_MUST} the correct secret key.", 403)


def install() -> None:
    """Take over both checks."""
    extend(s3, "_validate_sse_c_headers", "c_alg", "c_key", "c_md5")(_check_given)
    extend(s3, "_check_sse_c_against", "stored_md5", "c_alg", "c_key", "c_md5", "part")(_check_against)
