"""What the policies of the admin user, its groups and the personas' roles say: read in one go, for all checks of a run.

GetAccountAuthorizationDetails lists every identity of the account with its policies, where asking for each policy of
each role takes dozens of requests. The operator reads it: the auditor reads no whole account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.policy import statements
from kmslab.checks.shared import asked_once, read_once
from kmslab.lab import Inconclusive
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

MEMBERS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
"""Lists that GetAccountAuthorizationDetails answers with."""


def attached_policies(detail: Mapping[str, Any]) -> list[str]:
    """Names of the managed policies that are attached to a user, group or role itself."""
    return [str(policy["PolicyName"]) for policy in detail.get("AttachedManagedPolicies", ())]


def own_policies(detail: Mapping[str, Any]) -> list[str]:
    """Names of the policies of a user, group or role itself, attached and inline."""
    return [*attached_policies(detail), *(str(policy["PolicyName"]) for policy in _inline(detail))]


def admin_user(lab: Lab) -> dict[str, Any]:
    """The admin user with its groups and policies, as IAM lists it.

    Raises:
        Inconclusive: IAM lists no such user; as `Lab.read`.
    """
    return _named(lab, "User", lab.outputs.admin_user)


def admin_groups(lab: Lab) -> list[dict[str, Any]]:
    """The groups that the admin user is in, with their policies, as IAM lists them.

    Raises:
        Inconclusive: as `admin_user`.
    """
    return [_named(lab, "Group", name) for name in admin_user(lab).get("GroupList", ())]


def role_named(lab: Lab, name: str) -> dict[str, Any]:
    """A role with its trust policy and its policies, as IAM lists it.

    Raises:
        Inconclusive: as `admin_user`.
    """
    return _named(lab, "Role", name)


def managed_policy(lab: Lab, arn: str) -> tuple[Statement, ...]:
    """The statements of a managed policy's version in force.

    Those of AWS's own that some targets attach and do not list are asked for one by one.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    for policy in _account(lab)["Policies"]:
        if policy["Arn"] == arn:
            for one in policy.get("PolicyVersionList", ()):
                if one["IsDefaultVersion"]:
                    return statements(one["Document"])
    version = _of_iam(lab, "iam:GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = _of_iam(lab, "iam:GetPolicyVersion", PolicyArn=arn, VersionId=version)
    return statements(found["PolicyVersion"]["Document"])


def statements_of(lab: Lab, detail: Mapping[str, Any]) -> Iterator[Statement]:
    """Every statement of the policies of a user, group or role itself, attached and inline.

    Raises:
        Inconclusive: as `managed_policy`.
    """
    for policy in detail.get("AttachedManagedPolicies", ()):
        yield from managed_policy(lab, policy["PolicyArn"])
    for policy in _inline(detail):
        yield from statements(policy["PolicyDocument"])


def _inline(detail: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in ("User", "Group", "Role"):
        yield from detail.get(f"{kind}PolicyList", ())


def _named(lab: Lab, kind: str, name: str) -> dict[str, Any]:
    for detail in _account(lab)[f"{kind}DetailList"]:
        if detail[f"{kind}Name"] == name:
            return detail
    raise Inconclusive(f"IAM lists no {kind.lower()} {name}")


def _account(lab: Lab) -> dict[str, list[dict[str, Any]]]:
    """Users, groups, roles and policies of the account: all pages."""
    action = "iam:GetAccountAuthorizationDetails"

    def pages() -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {member: [] for member in MEMBERS}
        more: dict[str, str] = {}
        while True:
            page = lab.read(action, persona=Persona.OPERATOR, **more)
            for member in MEMBERS:
                found[member] += page.get(member, [])
            if not page.get("IsTruncated"):
                return found
            more = {"Marker": page["Marker"]}

    return asked_once(lab, Persona.OPERATOR, action, pages)


def _of_iam(lab: Lab, action: str, **parameters: str) -> Any:
    given: dict[str, Any] = parameters
    return read_once(lab, action, persona=Persona.OPERATOR, **given)
