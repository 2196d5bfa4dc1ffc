"""What the policies of the admin user's groups and of the personas' roles say, read as the auditor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.policy import statements
from kmslab.checks.shared import read_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab


def admin_groups(lab: Lab) -> list[dict[str, Any]]:
    """The groups that the admin user is in, as IAM describes them."""
    groups: list[dict[str, Any]] = read_once(lab, "iam:ListGroupsForUser", UserName=lab.outputs.admin_user)[
        "Groups"
    ]
    return groups


def managed_policy(lab: Lab, arn: str) -> tuple[Statement, ...]:
    """The statements of a managed policy's version in force."""
    version = read_once(lab, "iam:GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = read_once(lab, "iam:GetPolicyVersion", PolicyArn=arn, VersionId=version)["PolicyVersion"][
        "Document"
    ]
    return statements(document)


def group_statements(lab: Lab) -> Iterator[Statement]:
    """Every statement that the admin user has from groups."""
    for group in (group["GroupName"] for group in admin_groups(lab)):
        for policy in read_once(lab, "iam:ListAttachedGroupPolicies", GroupName=group)["AttachedPolicies"]:
            yield from managed_policy(lab, policy["PolicyArn"])
        for name in read_once(lab, "iam:ListGroupPolicies", GroupName=group)["PolicyNames"]:
            inline = read_once(lab, "iam:GetGroupPolicy", GroupName=group, PolicyName=name)
            yield from statements(inline["PolicyDocument"])


def role_statements(lab: Lab, role: str) -> Iterator[Statement]:
    """Every statement of a role's policies, attached and inline."""
    for policy in read_once(lab, "iam:ListAttachedRolePolicies", RoleName=role)["AttachedPolicies"]:
        yield from managed_policy(lab, policy["PolicyArn"])
    for name in read_once(lab, "iam:ListRolePolicies", RoleName=role)["PolicyNames"]:
        inline = read_once(lab, "iam:GetRolePolicy", RoleName=role, PolicyName=name)
        yield from statements(inline["PolicyDocument"])
