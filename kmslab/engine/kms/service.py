"""The KMS endpoint: one request in, one answer out, one event published.

An operation is a function of a `Call` that returns the response's members, with blobs as bytes.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.authorization.keys import of_parameters
from kmslab.engine import events
from kmslab.engine.authorization import caller as callers
from kmslab.engine.authorization.decision import Request, authorize
from kmslab.engine.authorization.grants import grant_of_token
from kmslab.engine.events import KeyEvent, Refusal
from kmslab.engine.kms import records
from kmslab.engine.kms.errors import KmsError, unsupported
from kmslab.engine.kms.validation import FRONT_END

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.kms.records import KeyRecord

logger = logging.getLogger("kmslab.engine.kms")

_NO_TOKEN = "InvalidGrantTokenException"  # noqa: S105  # the name of an error

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

_UNTOLD = frozenset({"RetireGrant"})
"""Operations whose records have no parameters at all: the grant is in ``additionalEventData``."""

_MATERIAL = frozenset({"KeyMaterialId", "SourceKeyMaterialId", "DestinationKeyMaterialId"})
"""Members of the answer to a cryptographic operation that its record has in ``additionalEventData`` (KMS Developer
Guide, examples of log entries: Encrypt, Decrypt, ReEncrypt, GenerateDataKey)."""

_SLOW = frozenset(
    {"CreateKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GetParametersForImport"}
)
"""Operations that may generate an RSA key: they run in a thread."""

CROSS_ACCOUNT = frozenset(
    {
        *("CreateGrant", "ListGrants", "RetireGrant", "RevokeGrant"),
        *("DescribeKey", "GetKeyRotationStatus", "GetPublicKey"),
        *("Encrypt", "Decrypt", "ReEncrypt", "DeriveSharedSecret"),
        *("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        *("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
        *("GenerateMac", "VerifyMac", "Sign", "Verify"),
    }
)
"""Operations that can be performed on another account's key (API reference, "Cross-account use"). The others
cannot, whatever its key policy says."""


@dataclass(slots=True)
class Call:
    """One call of an operation.

    Attributes:
        operation: botocore's name.
        parameters: validated; blobs are bytes.
        access_key: who signed the request.
        via_service: the service that calls for its caller; empty for a direct call.
        keys: the keys that the call is about, for the trail.
        additional: what the trail's record tells beside request and answer.
        event_id: of the trail's record of this call.
    """

    operation: str
    parameters: dict[str, Any]
    access_key: str
    via_service: str = ""
    keys: list[KeyRecord] = field(default_factory=list)
    additional: dict[str, str] = field(default_factory=dict)
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

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
            KmsError: NotFoundException, AccessDeniedException, InvalidGrantTokenException.
        """
        reference: str = self.get(member, "")
        try:
            key = records.require(reference, aliases_allowed=aliases_allowed)
        except KmsError as missing:
            self._refuse_unknown(reference, permission, missing)
            raise
        if self.operation not in CROSS_ACCOUNT and _foreign(key["Arn"]):
            raise self._unreachable(key["Arn"], permission)
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
            KmsError: AccessDeniedException, InvalidGrantTokenException.
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
        if missing.refusal.message.startswith("Invalid arn"):
            return
        if reference.startswith("arn:") and _foreign(reference):
            raise self._unreachable(reference, permission) from missing
        wanted = reference if reference.startswith("arn:") else records.arn(f"key/{reference}")
        self.allow_without_key(wanted, permission)

    def _unreachable(self, arn: str, permission: str) -> KmsError:
        return KmsError(
            "AccessDeniedException",
            f"User: {callers.caller_arn(self.access_key)} is not authorized to perform: "
            f"kms:{permission or self.operation} on resource: {arn} because the resource does not exist in this "
            "Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
        )

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
                grant_tokens=self.get("GrantTokens", ()),
            )
        )
        if refusal:
            raise KmsError(refusal.code, refusal.message)
        # A grant counts as soon as it is made, so a token mostly adds nothing; but it must be one, wherever that is
        # an error of the operation: not for DescribeKey.
        tokens = self.get("GrantTokens", ())
        unknown = any(grant_of_token(token) is None for token in tokens)
        if unknown and FRONT_END.documents(self.operation, _NO_TOKEN):
            raise KmsError(_NO_TOKEN, "Invalid grant token")


def _foreign(arn: str) -> bool:
    """Whether an ARN names another account than the request's."""
    from ministack.core.responses import get_account_id

    return arn.split(":")[4:5] != [get_account_id()]


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
        raise unsupported(f"{name}: custom key stores do not exist on the local engine.")
    call = Call(name, {}, access_key, via_service)
    error: Refusal | None = None
    answer: dict[str, Any] = {}
    try:
        call.parameters = FRONT_END.validated(name, parameters)
        if call.get("Recipient"):
            raise unsupported("Recipient: Nitro enclaves do not exist on the local engine.")
        answer = handler(call)
    except KmsError as failure:
        error = failure.refusal
        raise
    finally:
        _soon(_publish, call, answer, error)
    return answer


def _soon(publish: Callable[..., None], call: Call, answer: Mapping[str, Any], error: Refusal | None) -> None:
    """Publish a call that changed nothing once its answer is on its way, and before the next request is looked at.

    On a worker thread, where nobody waits for the next turn, and for what the journal has to hold: at once.
    """
    try:
        loop = asyncio.get_running_loop() if call.operation not in CHANGING else None
    except RuntimeError:
        loop = None
    if loop:
        loop.call_soon(publish, call, answer, error)
    else:
        publish(call, answer, error)


def _publish(call: Call, answer: Mapping[str, Any], error: Refusal | None) -> None:
    read_only = call.operation not in CHANGING
    changes = (
        None
        if read_only or error
        else {_lower(name): value for name, value in answer.items() if name not in _SECRET}
    )
    if read_only:
        call.additional |= {_lower(name): answer[name] for name in _MATERIAL & answer.keys()}
    told = {} if call.operation in _UNTOLD else call.parameters
    events.publish(
        KeyEvent(
            operation=call.operation,
            access_key=call.access_key,
            parameters={_lower(name): value for name, value in told.items() if name not in _SECRET} or None,
            resources=tuple(dict.fromkeys(key["Arn"] for key in call.keys)),
            principal_arn=callers.ACTING_ROLE.get(),
            response=changes or None,
            additional=None if error else call.additional or None,
            error=error,
            invoked_by=f"{call.via_service}.amazonaws.com" if call.via_service else "",
            read_only=read_only,
            request_id="" if call.via_service else callers.REQUEST_ID.get(),
            event_id=call.event_id,
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


_TARGET = "TrentService"
"""The name of KMS in ``X-Amz-Target``."""
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "Cache-Control": "no-cache, no-store, must-revalidate, private",
    "Expires": "0",
    "Pragma": "no-cache",
}


async def handle_request(
    _stock: Any, _method: str, _path: str, headers: Mapping[str, str], body: bytes, _query_params: object
) -> tuple[int, dict[str, str], bytes]:
    """Answer every KMS request in place of MiniStack's handler."""
    from ministack.core import iam_evaluator

    target, _, name = headers.get("x-amz-target", "").rpartition(".")
    if target != _TARGET or name not in FRONT_END.operations:
        return _answer(400, {"__type": "UnknownOperationException"})
    try:
        parameters = _DECODER.decode((body or b"{}").decode())
    except (ValueError, RecursionError):
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
    # An operation without output answers with nothing, not with an empty object.
    return _answer(200, members) if FRONT_END.has_output(name) else (200, dict(_HEADERS), b"")


def _no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def error_answer(refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
    """An error as KMS sends it: HTTP 400 with its code, and its message where it has one."""
    body: dict[str, Any] = {"__type": refusal.code}
    if refusal.message:
        body["message"] = refusal.message
    return _answer(400, body)


def _answer(status: int, members: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return status, dict(_HEADERS), _ENCODER.encode(members).encode()


def _encoded(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} in a KMS response")


_ENCODER = json.JSONEncoder(default=_encoded)


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
