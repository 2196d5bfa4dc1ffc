"""Pages of a list, with KMS's Limit, Marker, NextMarker and Truncated."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.validation import breaks

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
        raise breaks("limit", limit, f"Member must have value less than or equal to {maximum}")
    start = _offset(call)
    end = start + limit
    answer: dict[str, Any] = {member: list(entries[start:end]), "Truncated": end < len(entries)}
    if answer["Truncated"]:
        answer["NextMarker"] = base64.urlsafe_b64encode(f"{call.operation}:{end}".encode()).decode()
    return answer


def _offset(call: Call) -> int:
    """Where the page starts that a marker of this very operation names."""
    marker: str | None = call.get("Marker")
    if not marker:
        return 0
    try:
        operation, _, offset = base64.b64decode(marker, altchars=b"-_", validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        operation, offset = "", ""
    if operation != call.operation or not offset.isdecimal():
        raise KmsError("InvalidMarkerException", "Invalid marker")
    return int(offset)
