"""What would be refused: IAM's own simulator, asked about whoever deploys before anything is deployed.

It evaluates identity policies, the permissions boundary and, in a member account, the service control policies
(IAM API Reference, "SimulatePrincipalPolicy", botocore 1.43.106). It knows no resource policy of a role, no
resource control policy, no session policy and no trust policy: what it allows can still be refused.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.account import actions, bootstrap, refusals
from kmslab.account.partitions import home
from kmslab.model.errors import ExitCode
from kmslab.model.finding import fine, unseen, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.account.actions import Asked
    from kmslab.lab import Access
    from kmslab.model.finding import Finding
    from kmslab.model.settings import LabSettings

AT_ONCE = 4
"""Simulations at a time for one principal: IAM throttles early."""
SHOWN = 4
"""Actions that a line names before it only counts."""

BOUNDARY_KEY = "iam:PermissionsBoundary"
NAME_THE_BOUNDARY = (
    "Policies here ask for a boundary on every role: name it with -c kmslab.permissions_boundary=<name> "
    "(docs/least-privilege.md)."
)

_YOU, _CLOUDFORMATION = "Your permissions", "CloudFormation's permissions"
_ALLOW = "Allow iam:SimulatePrincipalPolicy, and iam:GetRole for a role, to see it before deploying."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the simulator says about one action.

    Attributes:
        action: which.
        allowed: its decision.
        by_organization: whether it is a service control policy that refuses.
        by_boundary: whether it is a permissions boundary.
        missing: condition keys that it would have to know to decide.
    """

    action: str
    allowed: bool
    by_organization: bool
    by_boundary: bool
    missing: tuple[str, ...]

    @property
    def refused(self) -> str:
        """The action and who refuses it."""
        if self.by_organization:
            return f"{self.action} (a service control policy)"
        return f"{self.action} (a permissions boundary)" if self.by_boundary else self.action


class _NobodyToAskError(Exception):
    """There are no policies to simulate; the message says why."""


def look_at_caller(access: Access, settings: LabSettings) -> Finding:
    """Simulate what the caller does: bootstrap or assume the bootstrap's roles, and what ``kmslab`` itself does."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        bootstrapped = bootstrap.stack(access) is not None
        asked = actions.of_caller(access, settings, bootstrapped=bootstrapped)
        answers = _simulate(access, _policies_of(access), asked)
    except (ClientError, BotoCoreError) as error:
        return unseen(_YOU, f"could not be simulated ({refusals.why(error)})", refusals.mend(error, _ALLOW))
    except _NobodyToAskError as nobody:
        return unseen(_YOU, str(nobody), "Use a role or an IAM user.")
    return _told(_YOU, answers, "Have them allowed for you.")


def look_at_cloudformation(access: Access, settings: LabSettings) -> Finding:
    """Simulate what CloudFormation does as its execution role.

    Before there is one, simulate the same for the caller, and tell of service control policies alone: they
    will hold for the role as well.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    asked = actions.of_cloudformation(access, settings)
    mend = "Have them allowed for the bootstrap's cfn-exec-role, or bootstrap with other execution policies."
    try:
        if bootstrap.stack(access):
            return _told(_CLOUDFORMATION, _simulate(access, bootstrap.execution_role(access), asked), mend)
        answers = _simulate(access, _policies_of(access), asked)
    except (ClientError, BotoCoreError) as error:
        return unseen(
            _CLOUDFORMATION, f"could not be simulated ({refusals.why(error)})", refusals.mend(error, _ALLOW)
        )
    except _NobodyToAskError as nobody:
        return unseen(_CLOUDFORMATION, str(nobody), "Use a role or an IAM user.")
    stopped = [answer for answer in answers if answer.by_organization]
    if stopped:
        return _told(_CLOUDFORMATION, stopped, "Ask who keeps the organization's policies.")
    return fine(
        _CLOUDFORMATION,
        f"no service control policy is seen to refuse any of {len(answers)} actions; its role comes with the bootstrap",
    )


def _policies_of(access: Access) -> str:
    """ARN of the user or role whose policies are the caller's.

    Raises:
        ClientError, BotoCoreError: the role could not be looked up.
        _NobodyToAskError: the caller is neither.
    """
    arn = access.caller["Arn"]
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return arn
    if kind != "assumed-role":
        raise _NobodyToAskError(f"{arn} has no policies of its own to simulate")
    # A session's ARN leaves out the role's path.
    role = access.client(Persona.OPERATOR, "iam").get_role(RoleName=rest.partition("/")[0])["Role"]
    return str(role["Arn"])


def _simulate(access: Access, principal: str, asked: Sequence[Asked]) -> list[Answer]:
    simulator = access.client(Persona.OPERATOR, "iam").get_paginator("simulate_principal_policy")

    def one(asking: Asked) -> list[Answer]:
        region = home(access.target.region) if asking.worldwide else access.target.region
        keys = {"aws:RequestedRegion": region, "aws:PrincipalArn": principal, **asking.keys}
        pages = simulator.paginate(
            PolicySourceArn=principal,
            ActionNames=[*asking.actions],
            ResourceArns=[asking.resource],
            ContextEntries=[
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in keys.items()
            ],
        )
        return [_read(result) for page in pages for result in page["EvaluationResults"]]

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="simulate") as pool:
        return [answer for several in pool.map(one, asked) for answer in several]


def _read(result: dict[str, Any]) -> Answer:
    # What was asked about one resource is told of the resource, or of the whole, or of both.
    told = [result, *result.get("ResourceSpecificResults", ())]
    organization = [
        one.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True) for one in told
    ]
    boundary = [
        one.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True)
        for one in told
    ]
    return Answer(
        result["EvalActionName"],
        allowed=result["EvalDecision"] == "allowed",
        by_organization=not all(organization),
        by_boundary=not all(boundary),
        missing=tuple(dict.fromkeys(key for one in told for key in one.get("MissingContextValues", ()))),
    )


def _told(what: str, answers: Sequence[Answer], mend: str) -> Finding:
    refused = [answer for answer in answers if not answer.allowed]
    if sure := [answer for answer in refused if not answer.missing]:
        return wrong(
            what,
            f"{_named(answer.refused for answer in sure)} would be refused",
            f"{mend} The simulator knows policies, not what happens: a deployment shows it.",
            ExitCode.DEPLOYMENT,
        )
    if refused:
        keys = sorted({key for answer in refused for key in answer.missing})
        named = f"{_named(answer.action for answer in refused)}: depends on {', '.join(keys)}"
        return unseen(what, named, NAME_THE_BOUNDARY if BOUNDARY_KEY in keys else "The deployment will tell.")
    return fine(what, f"{len(answers)} actions simulated, all allowed")


def _named(several: Iterable[str]) -> str:
    names = list(dict.fromkeys(several))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
