"""KMS's requests and answers as its trail records spell them.

KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail" and its examples: members begin with a
small letter at every depth, dates are words, and a change that answers nothing tells the key's ARN
(``responseElements.keyId``, since December 2022).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

AS_THEY_ARE = frozenset({"encryptionContext", "encryptionContextEquals", "encryptionContextSubset"})
"""Members whose own members are the caller's words."""

LEFT_OUT = frozenset({"GrantToken", "GrantTokens", "grantToken", "grantTokens"})
"""Who has a grant token can use the grant before anybody else: no record tells one."""


def spelled(value: Any, name: str = "") -> Any:
    """A member and what it holds, as in a trail record.

    Args:
        value: of a request or an answer.
        name: of the member, spelled as in the record.
    """
    if isinstance(value, Mapping):
        if name in AS_THEY_ARE or name.startswith(
            ("sourceEncryptionContext", "destinationEncryptionContext")
        ):
            return dict(value)
        small = {key[:1].lower() + key[1:]: one for key, one in value.items() if key not in LEFT_OUT}
        return {key: spelled(one, key) for key, one in small.items()}
    if isinstance(value, list | tuple):
        return [spelled(one) for one in value]
    if name.endswith(("Date", "ValidTo", "validTo")) and isinstance(value, int | float):
        return time.strftime("%b %-d, %Y, %-I:%M:%S %p", time.gmtime(value))
    return value


def answer(response: Mapping[str, Any] | None, key_arn: str, *, changed: bool) -> dict[str, Any] | None:
    """``responseElements`` of a KMS event.

    Args:
        response: members that the trail tells, None for none.
        key_arn: of the key that the call was about; may be empty.
        changed: whether the call changed something.
    """
    told: dict[str, Any] = spelled(response or {})
    if changed and key_arn and not told.keys() & {"keyMetadata", "replicaKeyMetadata"}:
        told["keyId"] = key_arn
    return told or None
