"""The KMS endpoint: one request in, one answer out, one event published.

An operation is a function of a `Call` that returns the response's members, with blobs as bytes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.authorization.keys import of_parameters
from kmslab.engine import events
from kmslab.engine.authorization import caller as callers
from kmslab.engine.authorization.decision import Request, authorize
from kmslab.engine.events import KeyEvent, Refusal
from kmslab.engine.kms import records, validation
from kmslab.engine.kms.errors import KmsError, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.kms.records import KeyRecord

logger = logging.getLogger("kmslab.engine.kms")

_SECRET = frozenset(
    {
        "CiphertextBlob",
        "EncryptedKeyMaterial",
        "GrantTokens",
        "ImportToken",
        "Mac",
        "Message",
        "Plaintext",
        "PublicKey",
        "Recipient",
        "Signature",
    }
)
"""Parameters that CloudTrail leaves out of KMS events."""

_SLOW = frozenset(
    {"CreateKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GetParametersForImport"}
)
"""Operations that may generate an RSA key: they run in a thread."""


@dataclass(slots=True)
class Call:
    """One call of an operation.

    Attributes:
        operation: botocore's name.
        parameters: validated; blobs are bytes.
        access_key: who signed the request.
        via_service: the service that calls for its caller; empty for a direct call.
        keys: the keys that the call is about, for the trail.
    """

    operation: str
    parameters: dict[str, Any]
    access_key: str
    via_service: str = ""
    keys: list[KeyRecord] = field(default_factory=list)

    def get(self, name: str, default: Any = None) -> Any:
        """The parameter's value."""
        return self.parameters.get(name, default)

    def key(self, member: str = "KeyId", *, permission: str = "", aliases_allowed: bool = True) -> KeyRecord:
        """Return the key that a parameter names, once the caller is known to be allowed.

        Args:
            member: the parameter.
            permission: what is needed, when it is not named as the operation.
            aliases_allowed: False where the API takes a key id or key ARN only.

        Raises:
            KmsError: NotFoundException, AccessDeniedException.
        """
        reference: str = self.get(member, "")
        try:
            key = records.require(reference, aliases_allowed=aliases_allowed)
        except KmsError as missing:
            self._refuse_unknown(reference, permission, missing)
            raise
        self.allow(key, permission=permission)
        return key

    def allow(
        self,
        key: KeyRecord,
        *,
        permission: str = "",
        context: Mapping[str, str] | None = None,
        condition_keys: Mapping[str, Any] | None = None,
    ) -> None:
        """Fail unless the caller may do this to the key.

        Args:
            key: the key.
            permission: what is needed, when it is not named as the operation.
            context: the encryption context, when it is not the parameter of that name.
            condition_keys: beside those that follow from the parameters and the key.

        Raises:
            KmsError: AccessDeniedException.
        """
        self.keys.append(key)
        self._authorize(permission, key, "", context or self.get("EncryptionContext"), condition_keys or {})

    def allow_without_key(self, resource_arn: str = "*", permission: str = "") -> None:
        """Fail unless the caller's identity policies allow an operation that has no key.

        Raises:
            KmsError: AccessDeniedException.
        """
        self._authorize(permission, None, resource_arn, None, {})

    def end_of_dry_run(self) -> None:
        """Stop here when the request only asks whether it would succeed.

        Raises:
            KmsError: DryRunOperationException.
        """
        if self.get("DryRun"):
            raise KmsError(
                "DryRunOperationException", "The request would have succeeded, but the DryRun option is set."
            )

    def _refuse_unknown(self, reference: str, permission: str, missing: KmsError) -> None:
        from ministack.core.responses import get_account_id

        if reference.startswith("arn:") and reference.split(":")[4:5] != [get_account_id()]:
            arn = callers.caller_arn(self.access_key)
            raise KmsError(
                "AccessDeniedException",
                f"User: {arn} is not authorized to perform: kms:{permission or self.operation} on resource: "
                f"{reference} because the resource does not exist in this Region, no resource-based policies "
                "allow access, or a resource-based policy explicitly denies access",
            ) from missing
        wanted = reference if reference.startswith("arn:") else records.arn(f"key/{reference}")
        self.allow_without_key(wanted, permission)

    def _authorize(
        self,
        permission: str,
        key: KeyRecord | None,
        resource_arn: str,
        context: Mapping[str, str] | None,
        condition_keys: Mapping[str, Any],
    ) -> None:
        refusal = authorize(
            Request(
                operation=permission or self.operation,
                key=key,
                resource_arn=resource_arn,
                encryption_context=context,
                access_key=self.access_key,
                via_service=self.via_service,
                condition_keys={**of_parameters(self.operation, self.parameters), **condition_keys},
            )
        )
        if refusal:
            raise KmsError(refusal.code, refusal.message)


_OPERATIONS: dict[str, Callable[[Call], dict[str, Any]]] = {}


def operation(name: str) -> Callable[[Callable[[Call], dict[str, Any]]], Callable[[Call], dict[str, Any]]]:
    """Register a function as the KMS operation of this name."""

    def register(function: Callable[[Call], dict[str, Any]]) -> Callable[[Call], dict[str, Any]]:
        _OPERATIONS[name] = function
        return function

    return register


def perform(name: str, parameters: Any, *, access_key: str = "", via_service: str = "") -> dict[str, Any]:
    """Validate, authorize and run one operation, and publish it.

    Args:
        name: the operation.
        parameters: as in the JSON request: blobs in base64.
        access_key: who calls; the acting role counts before it.
        via_service: the service that calls for its caller (``cloudformation``), or empty.

    Returns: the response's members; blobs are bytes.

    Raises:
        KmsError: with the API's code and message.
    """
    handler = _OPERATIONS.get(name)
    if handler is None:
        raise unsupported(f"{name}: custom key stores and Nitro enclaves do not exist on the local engine.")
    call = Call(name, {}, access_key, via_service)
    error: Refusal | None = None
    answer: dict[str, Any] = {}
    try:
        call.parameters = validation.validated(name, parameters)
        if call.get("Recipient"):
            raise unsupported("Recipient: Nitro enclaves do not exist on the local engine.")
        answer = handler(call)
    except KmsError as failure:
        error = failure.refusal
        raise
    finally:
        _publish(call, answer, error)
    return answer


def _publish(call: Call, answer: Mapping[str, Any], error: Refusal | None) -> None:
    read_only = call.operation not in CHANGING
    changes = (
        None
        if read_only or error
        else {_lower(name): value for name, value in answer.items() if name not in _SECRET}
    )
    events.publish(
        KeyEvent(
            operation=call.operation,
            access_key=call.access_key,
            parameters={_lower(name): value for name, value in call.parameters.items() if name not in _SECRET}
            or None,
            resources=tuple(dict.fromkeys(key["Arn"] for key in call.keys)),
            principal_arn=callers.ACTING_ROLE.get(),
            response=changes or None,
            error=error,
            invoked_by=f"{call.via_service}.amazonaws.com" if call.via_service else "",
            read_only=read_only,
            request_id="" if call.via_service else callers.REQUEST_ID.get(),
        )
    )


CHANGING = frozenset(
    {
        "CancelKeyDeletion",
        "CreateAlias",
        "CreateGrant",
        "CreateKey",
        "DeleteAlias",
        "DeleteImportedKeyMaterial",
        "DisableKey",
        "DisableKeyRotation",
        "EnableKey",
        "EnableKeyRotation",
        "ImportKeyMaterial",
        "PutKeyPolicy",
        "ReplicateKey",
        "RetireGrant",
        "RevokeGrant",
        "RotateKeyOnDemand",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
        "UpdateAlias",
        "UpdateKeyDescription",
        "UpdatePrimaryRegion",
    }
)
"""Operations that CloudTrail records as ``readOnly: false``."""


async def handle_request(
    _stock: Any, _method: str, _path: str, headers: Mapping[str, str], body: bytes, _query_params: object
) -> tuple[int, dict[str, str], bytes]:
    """Answer every KMS request in place of MiniStack's handler."""
    from ministack.core import iam_evaluator

    name = headers.get("x-amz-target", "").rpartition(".")[2]
    if name not in validation.operations():
        return _answer(400, {"__type": "UnknownOperationException"})
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        return _answer(400, {"__type": "SerializationException"})
    # The key whose signature was verified, and no other that the request may name.
    access_key = iam_evaluator._verified_key.get()
    try:
        if name in _SLOW:
            members = await asyncio.to_thread(perform, name, parameters, access_key=access_key)
        else:
            members = perform(name, parameters, access_key=access_key)
    except KmsError as failure:
        return error_answer(failure.refusal)
    return _answer(200, members)


def error_answer(refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
    """An error as KMS sends it: HTTP 400, and the message in the spelling of its code."""
    body: dict[str, Any] = {"__type": refusal.code}
    if refusal.message:
        # The front end's access and validation errors spell it in lower case, as does KMS itself.
        body["message"] = refusal.message
    return _answer(400, body)


def _answer(status: int, members: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return (
        status,
        {"Content-Type": "application/x-amz-json-1.1"},
        json.dumps(members, default=_encoded).encode(),
    )


def _encoded(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} in a KMS response")


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
