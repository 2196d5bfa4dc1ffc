"""How a call can fail: as an answer of the service, or without one that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


def refusals() -> tuple[type[ClientError]]:
    """What boto3 raises when the service answered with an error."""
    from botocore.exceptions import ClientError

    return (ClientError,)


def silences() -> tuple[type[Exception], ...]:
    """What boto3 raises when there was no answer, or none that it could read: a page in HTML, say."""
    from botocore.exceptions import BotoCoreError
    from botocore.parsers import ResponseParserError

    return (BotoCoreError, ResponseParserError)


def failures() -> tuple[type[Exception], ...]:
    """All of them."""
    return (*refusals(), *silences())
