"""What the engine's rooms tell one another without importing one another.

The KMS service and `use_key` publish one `KeyEvent` for each call on a key, allowed or not; the
CloudTrail room registers a recorder and makes trail records of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call on a key failed.

    Attributes:
        code: KMS's error code (``AccessDeniedException``, ``DisabledException``).
        message: what KMS says, for the client.
    """

    code: str
    message: str

    @property
    def denied(self) -> bool:
        """Whether a policy refused, not the key's state."""
        return self.code == "AccessDeniedException"


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """One call of a KMS operation, as CloudTrail would record it; holds nothing secret.

    Attributes:
        operation: botocore's name: ``GenerateDataKey``.
        access_key: the access key id of the caller; empty when nobody signed a request.
        principal_arn: who acts when it is not the owner of the access key: the execution role
            of CloudFormation, or a service principal (``cloudtrail.amazonaws.com``).
        parameters: the request in CloudTrail's spelling (``keyId``, ``encryptionContext``), without
            plaintext, ciphertext, key material, messages, signatures or tokens.
        response: response elements of a call that changes something, else None.
        additional: CloudTrail's ``additionalEventData``: the key material that was used, the grant that was retired.
        resources: ARNs of the keys.
        error: why it failed, or None.
        invoked_by: the service that called on the caller's behalf: ``s3.amazonaws.com``, or empty.
        read_only: CloudTrail's ``readOnly``.
        request_id: the id of the request to KMS; made up when empty.
        event_id: the id that its record is to have; made up when empty.
    """

    operation: str
    access_key: str
    parameters: Mapping[str, Any] | None
    resources: tuple[str, ...]
    principal_arn: str = ""
    response: Mapping[str, Any] | None = None
    additional: Mapping[str, str] | None = None
    error: Refusal | None = None
    invoked_by: str = ""
    read_only: bool = True
    request_id: str = field(default="")
    event_id: str = ""


Recorder = Callable[[KeyEvent], None]

_recorders: list[Recorder] = []


def register(recorder: Recorder) -> None:
    """Have ``recorder`` called for every event from now on."""
    _recorders.append(recorder)


def publish(event: KeyEvent) -> None:
    """Tell every recorder."""
    for recorder in _recorders:
        recorder(event)
