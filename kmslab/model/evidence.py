"""What is kept of a call to AWS: what it was about, and what the service said when it did not do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SUBJECTS = (
    "Key",
    "KeyId",
    "DestinationKeyId",
    "SecretId",
    "VolumeId",
    "SnapshotId",
    "SourceSnapshotId",
    "Bucket",
    "Name",
    "AliasName",
    "RoleName",
    "Rule",
    "TopicArn",
)
"""Request parameters that name what a call is about; nothing else of a request is kept as evidence."""


def subject_of(parameters: Mapping[str, Any]) -> str:
    """What a call with these parameters is about: ``bucket/key``, a key's id; may be empty."""
    return "/".join(str(parameters[name]) for name in reversed(SUBJECTS) if name in parameters)


def code_of(error: BaseException | None) -> str:
    """The error code with which a service answered (``AccessDenied``); of what never reached it, the error's class."""
    response = getattr(error, "response", None)
    return str(response["Error"].get("Code", "")) if response else type(error).__name__


def message_of(error: BaseException) -> str:
    """What the service said. botocore's own word on a wrong request quotes it, plaintext and all: not that."""
    if code_of(error) == "ParamValidationError":
        return "the request does not fit the service's model"
    response = getattr(error, "response", None)
    text = str(response["Error"].get("Message", "")) if response else str(error)
    return " ".join(text.split()) or code_of(error)
