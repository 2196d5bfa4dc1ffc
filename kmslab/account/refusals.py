"""What AWS says when it does not let us look, in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.lab import DENIED
from kmslab.model.evidence import code_of
from kmslab.model.regions import lacking

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError


def denied(error: ClientError | BotoCoreError) -> bool:
    """Whether the caller may not, rather than that something went wrong."""
    return code_of(error) in DENIED


def never_arrived(error: BaseException | None) -> bool:
    """Whether the call got no answer from anybody."""
    from botocore import exceptions as botocore

    return isinstance(error, (botocore.ConnectionError, botocore.HTTPClientError))


def mend(error: ClientError | BotoCoreError, allow: str) -> str:
    """Return what to do about it: a permission helps nobody whose call did not arrive, or is not known there.

    Args:
        error: what came back.
        allow: the remedy for a caller who may not.
    """
    if never_arrived(error):
        return "Is there a network? If others answer, this Region does not have the service."
    return "This Region does not have it, so it cannot be looked at." if lacking(error) else allow


def why(error: ClientError | BotoCoreError) -> str:
    """Return why it could not be looked at: the call that failed and AWS's word for it."""
    operation = getattr(error, "operation_name", "")
    return f"{operation}: {code_of(error)}" if operation else code_of(error)
