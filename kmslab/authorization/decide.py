"""The decision: every policy that speaks about a request, weighed as AWS does.

Sources: IAM User Guide, "Policy evaluation logic" (with its pages on one account, on other accounts and on
explicit denies), "Permissions boundaries for IAM entities" and "Session policies"; KMS Developer Guide,
"Determining access to AWS KMS keys", "Key policies" and "Grants in AWS KMS".

Service and resource control policies of an organization are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kmslab.authorization import explanation
from kmslab.authorization.case import Case
from kmslab.authorization.context import Context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.authorization.keys import Grant
    from kmslab.authorization.model import Policy, Principal, Reason, Request


@dataclass(frozen=True)
class Decision:
    """What was decided and why. The sentences cost more than the decision: they are written when somebody reads them.

    Attributes:
        case: the request, and what the policies say about it.
    """

    case: Case

    @property
    def allowed(self) -> bool:
        """The answer."""
        return self.case.allowed

    @property
    def explicit(self) -> bool:
        """Whether a Deny statement said no."""
        return bool(self.case.denials)

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """The statements that decided, or what was missing; at least one."""
        return explanation.reasons(self.case)

    @cached_property
    def remedy(self) -> str:
        """One sentence on what would change the answer."""
        return explanation.remedy(self.case)


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
    return Decision(Case(context, resource_policy, grants, required=resource_policy_required))
