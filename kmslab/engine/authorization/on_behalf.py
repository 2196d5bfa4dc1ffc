"""A service uses a key for its caller: S3 for a GET, EBS for an attachment, Secrets Manager for a secret.

The caller's own permissions on the key decide, with ``kms:ViaService`` and the service's encryption
context (KMS Developer Guide, "Permissions for AWS services in key policies").
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from kmslab.engine import events
from kmslab.engine.authorization import caller as callers
from kmslab.engine.events import KeyEvent, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.kms.records import KeyRecord

VIA = {"ebs": "ec2"}
"""Services whose calls on a key go by another name in ``kms:ViaService``."""

ENCRYPTING = frozenset({"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"})
"""Operations that take a symmetric encryption key."""


def use_key(
    service: str,
    operation: str,
    key_ref: str,
    encryption_context: Mapping[str, str] | None,
    *,
    access_key: str = "",
    internal: bool = False,
    log: bool = True,
    service_principal: str = "",
    **condition_keys: Any,
) -> tuple[KeyRecord | None, Refusal | None]:
    """Check that a service may use a key now, and publish the call.

    The principal is the first of: ``service_principal``, the acting role
    (`kmslab.engine.authorization.caller.ACTING_ROLE`), ``access_key``, the caller of the request.

    Args:
        service: the service as in its endpoint: ``s3``, ``ec2``, ``secretsmanager``, ``ssm``.
        operation: ``GenerateDataKey``, ``Decrypt``, ``CreateGrant``, ...
        key_ref: key id, key ARN, alias name or alias ARN.
        encryption_context: what the service binds the data key to; None for none.
        access_key: whose permissions count, when it is not the current request's caller.
        internal: check the key's state only: for work that AWS does as itself.
        log: whether a success is published; a failure always is. S3 Bucket Keys save calls.
        service_principal: ``cloudtrail.amazonaws.com``: the service uses the key as itself, so
            only statements that name it count. Give ``aws:SourceArn`` among the condition keys.
        condition_keys: further keys of the request, such as ``aws:SourceArn`` or
            ``kms:GrantIsForAWSResource``.

    Returns: the key and None, or None and the refusal.
    """
    from kmslab.engine.authorization.decision import Request, authorize
    from kmslab.engine.kms import records

    key = records.resolve(key_ref)
    if key is None:
        return None, Refusal("NotFoundException", records.not_found_message(key_ref))
    who = access_key or callers.CALLER.get()
    request = Request(
        operation=operation,
        key=key,
        encryption_context=encryption_context,
        access_key=who,
        service_principal=service_principal,
        via_service="" if service_principal else VIA.get(service, service),
        condition_keys={"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT", **condition_keys},
    )
    refusal = None if internal else authorize(request)
    refusal = refusal or records.unusable(key, "Updating") or _wrong_usage(key, operation)
    if refusal or log:
        parameters: dict[str, Any] = {"keyId": key["Arn"], "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
        if encryption_context:
            parameters["encryptionContext"] = dict(encryption_context)
        event_id, request_id = str(uuid.uuid4()), str(uuid.uuid4())
        if not refusal and operation in ENCRYPTING:
            records.note_use(key, operation, event_id=event_id, request_id=request_id)
        events.publish(
            KeyEvent(
                operation=operation,
                access_key=who,
                parameters=parameters,
                resources=(key["Arn"],),
                principal_arn=service_principal or callers.ACTING_ROLE.get(),
                additional=None if refusal else _material(key, operation),
                error=refusal,
                invoked_by=f"{VIA.get(service, service)}.amazonaws.com",
                request_id=request_id,
                event_id=event_id,
            )
        )
    return (None, refusal) if refusal else (key, None)


def _material(key: KeyRecord, operation: str) -> dict[str, str] | None:
    """Which key material a service's call used, as the trail tells it.

    What was encrypted before a rotation is decrypted with the material of that time, which is not known here:
    then nothing is told rather than something wrong.
    """
    used = [one for one in key.get("materials", ()) if one["state"] in ("CURRENT", "NON_CURRENT")]
    if operation not in ENCRYPTING or (operation == "Decrypt" and len(used) > 1):
        return None
    return {"keyMaterialId": next(one["id"] for one in reversed(used) if one["state"] == "CURRENT")}


def _wrong_usage(key: KeyRecord, operation: str) -> Refusal | None:
    """Services encrypt under symmetric keys only."""
    if key["KeySpec"] == "SYMMETRIC_DEFAULT" or operation not in ENCRYPTING:
        return None
    return Refusal(
        "InvalidKeyUsageException",
        f"{key['Arn']} key usage is {key['KeyUsage']} which is not valid for {operation}.",
    )
