"""Wrapping keys for imported material: made once, and given to one KMS key after the other.

An RSA key costs what fifty other calls of KMS cost, and a run of checks imports into seven keys. KMS says that the
public key and the token of one answer belong together (Developer Guide, "Download the wrapping public key and
import token"). So a KMS key is not given a wrapping key again while a token goes with it: what was wrapped with
another answer's public key is not opened (decision 0039).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from kmslab.engine.kms import material

if TYPE_CHECKING:
    from collections.abc import Collection

_made: dict[str, list[bytes]] = defaultdict(list)
"""By WrappingKeySpec, oldest first; PKCS #8. As many as one KMS key ever had tokens at a time."""
_lock = threading.Lock()


def wrapping_key(spec: str, taken: Collection[bytes]) -> bytes:
    """A private key to unwrap with, DER-encoded PKCS #8.

    Args:
        spec: the WrappingKeySpec.
        taken: wrapping keys that the KMS key has valid tokens for.
    """
    with _lock:
        found = next((one for one in _made[spec] if one not in taken), None)
        if found is None:
            found = material.private_der(material.generate_private_key(spec))
            _made[spec].append(found)
        return found
