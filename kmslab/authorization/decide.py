"""The decision: every policy that speaks about a request, weighed as AWS does.

Sources: IAM User Guide, "Policy evaluation logic" (with its pages on one account, on other accounts and on
explicit denies), "Permissions boundaries for IAM entities" and "Session policies"; KMS Developer Guide,
"Determining access to AWS KMS keys", "Key policies" and "Grants in AWS KMS".

Service and resource control policies of an organization are not modelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.authorization import explanation
from kmslab.authorization.case import Case
from kmslab.authorization.context import Context
from kmslab.authorization.model import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.authorization.keys import Grant
    from kmslab.authorization.model import Policy, Principal, Request


def decide(
    principal: Principal,
    request: Request,
    *,
    resource_policy: Policy | None = None,
    resource_policy_required: bool = False,
    resource_account: str = "",
    grants: Sequence[Grant] = (),
) -> Decision:
    """Decide a request, and say why.

    Args:
        principal: who calls, with all their policies.
        request: what on what, with the condition keys of request and resource.
        resource_policy: the policy of the resource: a key policy, a bucket policy, the trust policy of a role.
        resource_policy_required: whether identity policies alone are never enough in the resource's own
            account: True for KMS keys and for ``sts:AssumeRole``, False for S3.
        resource_account: who owns the resource; when empty, the account in its ARN, or the principal's own.
        grants: the grants of the KMS key.
    """
    context = Context(principal, request, resource_account)
    case = Case(context, resource_policy, grants, required=resource_policy_required)
    return Decision(
        allowed=case.allowed,
        explicit=bool(case.denials),
        reasons=explanation.reasons(case),
        remedy=explanation.remedy(case),
    )
