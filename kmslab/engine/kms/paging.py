"""Pages of a list, with KMS's Limit, Marker, NextMarker and Truncated."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms.errors import KmsError, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.engine.kms.service import Call


def page(
    call: Call, entries: Sequence[Any], member: str, *, default: int, maximum: int = 1000
) -> dict[str, Any]:
    """One page of ``entries`` under ``member``.

    Args:
        call: with ``Limit`` and ``Marker``.
        entries: the whole list, in a stable order.
        member: the response's name for it.
        default: entries of a page when the request gives no Limit.
        maximum: largest Limit.

    Raises:
        KmsError: ValidationException for a Limit, InvalidMarkerException for a Marker.
    """
    limit: int = call.get("Limit", default)
    if limit > maximum:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {maximum}"
        )
    start = _offset(call.get("Marker"))
    end = start + limit
    answer: dict[str, Any] = {member: list(entries[start:end]), "Truncated": end < len(entries)}
    if answer["Truncated"]:
        answer["NextMarker"] = base64.urlsafe_b64encode(f"kmslab:{end}".encode()).decode()
    return answer


def _offset(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        word, _, offset = base64.urlsafe_b64decode(marker).decode().partition(":")
        if word == "kmslab":
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise KmsError("InvalidMarkerException", "Invalid marker")
