"""May this principal do this to this key?

Key policy, identity policies, permissions boundary, session policies and grants decide together; an
explicit deny anywhere wins, and the account root needs the key policy too. Source: KMS Developer Guide,
"Determining access to AWS KMS keys"; IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization import caller as callers
from kmslab.engine.authorization import conditions
from kmslab.engine.authorization.grants import grant_allows
from kmslab.engine.events import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.kms.records import KeyRecord

CROSS_ACCOUNT = frozenset(
    {
        "CreateGrant",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetKeyLastUsage",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "ReEncryptFrom",
        "ReEncryptTo",
        "RetireGrant",
        "RevokeGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""Permissions that reach another account's key (KMS Developer Guide, "Permissions reference")."""

_NO_VIA_SERVICE = frozenset({"cloudformation"})
"""Services that call for their caller but are no value of ``kms:ViaService``."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to do.

    Attributes:
        operation: the permission without ``kms:``; ReEncrypt needs ReEncryptFrom and ReEncryptTo.
        key: the key; None when the permission is on something else or the key does not exist.
        resource_arn: what a policy's Resource is compared with; the key's ARN when empty.
        encryption_context: of the request; None where the operation has none.
        access_key: who signed the request; the acting role counts before it.
        service_principal: the AWS service that uses the key as itself, or empty.
        via_service: the AWS service that calls on the caller's behalf, or empty.
        condition_keys: further condition keys.
    """

    operation: str
    key: KeyRecord | None
    resource_arn: str = ""
    encryption_context: Mapping[str, str] | None = None
    access_key: str = ""
    service_principal: str = ""
    via_service: str = ""
    condition_keys: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """The permission: ``kms:Decrypt``."""
        return f"kms:{self.operation}"

    @property
    def resource(self) -> str:
        """The resource's ARN."""
        return self.resource_arn or (self.key["Arn"] if self.key else "*")


def authorize(request: Request) -> Refusal | None:
    """Return why the request is refused, or None when it is allowed."""
    from ministack.core import iam_evaluator

    if request.service_principal:
        return _authorize_service(request)
    principal = callers.principal_of(request.access_key)
    if isinstance(principal, iam_evaluator.AuthError):
        return Refusal(principal.code, principal.message)
    context = _context(request, principal.arn, principal.type, principal.account, principal.keys)
    if principal.policies is None:
        identity = iam_evaluator.EvalResult("Allow", principal.arn)
    else:
        identity = iam_evaluator.evaluate(context, principal.policies, *principal.limits)
    if request.key is None or (request.resource_arn and request.resource_arn != request.key["Arn"]):
        return None if identity.decision == "Allow" else _refusal(request, principal, context, identity)
    owner = request.key["Arn"].split(":")[4]
    result = iam_evaluator.combine_resource_policy(
        identity, context, request.key["Policy"], owner, required=True, limits=principal.limits
    )
    if owner != principal.account and request.operation not in CROSS_ACCOUNT:
        return _refusal(request, principal, context, identity)
    if result.decision == "Allow" or (result.decision == "ImplicitDeny" and _granted(request, principal)):
        return None
    return _refusal(request, principal, context, result)


def policy_lets_caller_update(policy: str, key_arn: str, access_key: str) -> bool:
    """Whether a key policy would let the caller put the next one: the lockout safety check.

    Only the key policy is asked, as KMS does: identity policies can change later.
    """
    from ministack.core import iam_evaluator

    principal = callers.principal_of(access_key)
    if isinstance(principal, iam_evaluator.AuthError):
        return False
    request = Request("PutKeyPolicy", None, resource_arn=key_arn)
    context = _context(request, principal.arn, principal.type, principal.account, principal.keys)
    allowed: bool = iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow"
    return allowed


def _context(request: Request, arn: str, kind: str, account: str, principal_keys: Mapping[str, Any]) -> Any:
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_region

    keys: dict[str, Any] = {"aws:tagkeys": None, "kms:CallerAccount": account}
    if request.key:
        keys.update(conditions.of_key(request.key))
    keys.update(conditions.of_encryption_context(request.encryption_context))
    if request.via_service and request.via_service not in _NO_VIA_SERVICE:
        keys["kms:ViaService"] = f"{request.via_service}.{get_region()}.amazonaws.com"
    if request.via_service:
        keys["aws:ViaAWSService"] = "true"
        keys["aws:CalledViaFirst"] = keys["aws:CalledViaLast"] = f"{request.via_service}.amazonaws.com"
    keys.setdefault("aws:ViaAWSService", "false")
    keys["aws:PrincipalIsAWSService"] = "true" if request.service_principal else "false"
    keys.update({name: conditions.text(value) for name, value in request.condition_keys.items()})
    return iam_evaluator.EvalContext(
        principal_arn=arn,
        principal_type=kind,
        principal_account=account,
        action=request.action,
        resource_arn=request.resource,
        region=get_region(),
        service_context={name.lower(): value for name, value in keys.items()},
        principal_keys=dict(principal_keys),
    )


def _authorize_service(request: Request) -> Refusal | None:
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id

    key = request.key
    if key is None:
        return Refusal("NotFoundException", f"{request.resource} does not exist")
    context = _context(request, request.service_principal, "Service", get_account_id(), {})
    context.service_context.pop("kms:calleraccount", None)
    context.service_context["aws:principalservicename"] = request.service_principal
    result = iam_evaluator.evaluate_resource_policy(key["Policy"], context, service=request.service_principal)
    if result.decision == "Allow":
        return None
    why = _EXPLICIT["resource"] if result.decision == "Deny" else _IMPLICIT["resource"]
    return Refusal("AccessDeniedException", _message(request, request.service_principal, why))


def _granted(request: Request, principal: Any) -> bool:
    """A grant allows in place of the key policy; boundary and session policies have said no deny."""
    return request.key is not None and grant_allows(
        request.key,
        principal.arn,
        request.operation,
        request.encryption_context,
        str(request.condition_keys.get("aws:SourceArn", "")),
    )


_EXPLICIT = {
    "identity": "with an explicit deny in an identity-based policy",
    "resource": "with an explicit deny in a resource-based policy",
}
_IMPLICIT = {
    "identity": "because no identity-based policy allows the {action} action",
    "resource": "because no resource-based policy allows the {action} action",
    "limits": "because no permissions boundary or session policy allows the {action} action",
    "foreign": "because the resource does not exist in this Region, no resource-based policies allow "
    "access, or a resource-based policy explicitly denies access",
}
"""Wording: IAM User Guide, "Troubleshoot access denied error messages"."""


def _refusal(request: Request, principal: Any, context: Any, result: Any) -> Refusal:
    from ministack.core import iam_evaluator

    if result.decision == "Deny":
        why = _EXPLICIT["resource" if result.resource_policy_arn else "identity"]
    elif request.key and request.key["Arn"].split(":")[4] != principal.account:
        why = _IMPLICIT["foreign"]
    elif request.key and not _policy_allows(request, context):
        why = _IMPLICIT["resource"]
    elif principal.policies and iam_evaluator.evaluate(context, principal.policies).decision == "Allow":
        why = _IMPLICIT["limits"]
    else:
        why = _IMPLICIT["identity"]
    return Refusal("AccessDeniedException", _message(request, principal.arn, why))


def _policy_allows(request: Request, context: Any) -> bool:
    from ministack.core import iam_evaluator

    policy = request.key["Policy"] if request.key else ""
    allows: bool = iam_evaluator.evaluate_resource_policy(policy, context).decision == "Allow"
    return allows


def _message(request: Request, principal_arn: str, why: str) -> str:
    return (
        f"User: {principal_arn} is not authorized to perform: {request.action} "
        f"on resource: {request.resource} {why.format(action=request.action)}"
    )
