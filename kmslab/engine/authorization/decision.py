"""May this principal do this to this key?

Key policy, identity policies, permissions boundary, session policies and grants decide together; an
explicit deny anywhere wins, and the account root needs the key policy too. Source: KMS Developer Guide,
"Determining access to AWS KMS keys"; IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.authorization.case import Case
from kmslab.authorization.context import Context
from kmslab.authorization.keys import Grant, kms_request
from kmslab.authorization.model import Principal, PrincipalKind, Side
from kmslab.authorization.statements import Named
from kmslab.engine.authorization import caller as callers
from kmslab.engine.authorization import evaluation, settling
from kmslab.engine.authorization.grants import digest_of, grants_of
from kmslab.engine.events import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kmslab.authorization.model import Request as Asked
    from kmslab.engine.kms.records import KeyRecord


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
        grant_tokens: which the request presents.
    """

    operation: str
    key: KeyRecord | None
    resource_arn: str = ""
    encryption_context: Mapping[str, str] | None = None
    access_key: str = ""
    service_principal: str = ""
    via_service: str = ""
    condition_keys: Mapping[str, Any] = field(default_factory=dict)
    grant_tokens: Sequence[str] = ()

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
    from ministack.core.responses import get_account_id

    if request.service_principal:
        if request.key is None:
            return Refusal("NotFoundException", f"{request.resource} does not exist")
        principal = Principal(request.service_principal, "", PrincipalKind.SERVICE)
        return _refusal(request, _case(request, principal), get_account_id())
    found = callers.principal_of(request.access_key)
    if isinstance(found, iam_evaluator.AuthError):
        return Refusal(found.code, found.message)
    principal = evaluation.principal(
        found.arn, found.type, found.account, found.policies, found.limits, found.keys
    )
    return _refusal(request, _case(request, principal), found.account)


def policy_lets_caller_update(policy: str, key_arn: str, access_key: str) -> bool:
    """Whether a key policy would let the caller put the next one: the lockout safety check.

    Only the key policy is asked, as KMS does: identity policies can change later.
    """
    from ministack.core import iam_evaluator

    found = callers.principal_of(access_key)
    if isinstance(found, iam_evaluator.AuthError):
        return False
    principal = evaluation.principal(found.arn, found.type, found.account, keys=found.keys)
    asked = _asked(Request("PutKeyPolicy", None, resource_arn=key_arn), principal)
    case = Case(Context(principal, asked), evaluation.policy_of(policy), (), required=True)
    return not case.denials and case.resource is not None


def _case(request: Request, principal: Principal) -> Case:
    asked = _asked(request, principal)
    key = request.key
    if key is None or request.resource != key["Arn"]:
        # Aliases, and permissions on no key: only the caller's own policies speak about them.
        return Case(Context(principal, asked, principal.account), None, (), required=False)
    context, policy = Context(principal, asked), evaluation.policy_of(settling.policy_of(key))
    case = Case(context, policy, (), required=True)
    if case.allowed or case.denials or request.operation == "RetireGrant":
        # RetireGrant in a grant is for that grant alone (KMS API Reference): the operation itself looks there.
        return case
    digests = (digest_of(token) for token in request.grant_tokens)
    grants = [
        Grant.from_entry(one) for one in settling.grants_that_count(grants_of(key), key["Arn"], digests)
    ]
    return Case(context, policy, grants, required=True) if grants else case


def _asked(request: Request, principal: Principal) -> Asked:
    from ministack.core.responses import get_region

    from kmslab.engine.kms.records import alias_names

    key = request.key
    return kms_request(
        request.operation,
        request.resource,
        account=principal.account,
        metadata=key and _metadata(key),
        aliases=alias_names(key) if key else (),
        tags={tag["TagKey"]: tag["TagValue"] for tag in key["Tags"]} if key else {},
        context=request.encryption_context,
        via_service=request.via_service,
        region=get_region(),
        condition_keys={**evaluation.of_connection(get_region()), **request.condition_keys},
    )


def _metadata(key: KeyRecord) -> dict[str, Any]:
    """What condition keys tell of a key, as DescribeKey shows it."""
    shown: dict[str, Any] = {
        "Origin": key["Origin"],
        "KeySpec": key["KeySpec"],
        "KeyUsage": key["KeyUsage"],
    }
    if key.get("MultiRegion"):
        primary = key["Arn"].split(":")[3] == key["primary_region"]
        member = "PRIMARY" if primary else "REPLICA"
        shown |= {"MultiRegion": True, "MultiRegionConfiguration": {"MultiRegionKeyType": member}}
    return shown


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


def _refusal(request: Request, case: Case, account: str) -> Refusal | None:
    if case.allowed:
        return None
    if case.denials:
        why = _EXPLICIT["resource" if case.denials[0].side is Side.RESOURCE else "identity"]
    elif request.key and request.key["Arn"].split(":")[4] != account:
        why = _IMPLICIT["foreign"]
    elif request.key and case.named is Named.NOT:
        why = _IMPLICIT["resource"]
    elif case.identity_allows and case.lacking:
        why = _IMPLICIT["limits"]
    else:
        why = _IMPLICIT["identity"]
    principal = case.context.principal
    message = (
        f"User: {principal.session_arn or principal.arn} is not authorized to perform: {request.action} "
        f"on resource: {request.resource} {why.format(action=request.action)}"
    )
    return Refusal("AccessDeniedException", message)
