"""What AWS says when it does not let us look, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.lab import DENIED

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError


def code(error: ClientError | BotoCoreError) -> str:
    """AWS's error code; of what never reached AWS, the kind of failure."""
    response = getattr(error, "response", None)
    return str(response["Error"].get("Code", "")) if response else type(error).__name__


def denied(error: ClientError | BotoCoreError) -> bool:
    """Whether the caller may not, rather than that something went wrong."""
    return code(error) in DENIED


def why(error: ClientError | BotoCoreError) -> str:
    """Return why it could not be looked at: the call that failed and AWS's word for it."""
    operation = getattr(error, "operation_name", "")
    return f"{operation}: {code(error)}" if operation else code(error)
