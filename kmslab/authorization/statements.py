"""Whether a statement speaks about a request, and how it names the principal.

Sources: IAM User Guide, "AWS JSON policy elements: Principal", "... NotPrincipal", "Permissions boundaries
for IAM entities" and "Policy evaluation for requests within a single account".
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kmslab.authorization.model import DENY, EVERYONE, PrincipalKind
from kmslab.authorization.patterns import expand, resource_matches

if TYPE_CHECKING:
    from kmslab.authorization.context import Context
    from kmslab.authorization.model import NamedPrincipal, Principal, Statement


class Named(IntEnum):
    """How directly a resource policy or a grant names a principal, and so how much its Allow is worth."""

    NOT = 0
    ACCOUNT = 1
    """Only the account is named: identity policies decide."""
    ROLE = 2
    """The role is named: enough without an identity policy, within boundary and session policies."""
    ITSELF = 3
    """The user, the session, the service or everyone is named: no implicit deny elsewhere counts."""


def covers_resource(statement: Statement, context: Context) -> bool:
    """Whether the statement speaks about the resource; without a Resource, in a trust policy, it does."""
    if statement.not_resources:
        return not _any_resource(statement.not_resources, statement, context)
    return not statement.resources or _any_resource(statement.resources, statement, context)


def _any_resource(patterns: tuple[str, ...], statement: Statement, context: Context) -> bool:
    if "*" in patterns:
        return True
    for pattern in patterns:
        expanded = expand(pattern, context.values) if statement.variables else pattern
        if expanded is not None and resource_matches(expanded, context.resource):
            return True
    return False


def named(statement: Statement, principal: Principal) -> Named:
    """How a statement of a resource policy names the principal."""
    if statement.not_principals:
        return Named.NOT if _exempt(statement, principal) else Named.ITSELF
    found = Named.NOT
    for entry in statement.principals:
        found = max(found, named_by(entry, principal))
    return found


def named_by(entry: NamedPrincipal, principal: Principal) -> Named:
    """How one entry of a Principal element names the principal."""
    if entry.kind == "AWS":
        return _named_by_arn(entry.name, principal)
    if entry.kind == "Service":
        itself = principal.kind is PrincipalKind.SERVICE and entry.name.lower() == principal.arn.lower()
    else:
        itself = principal.kind is PrincipalKind.FEDERATED and entry.name == principal.arn
    return Named.ITSELF if itself else Named.NOT


def _named_by_arn(name: str, principal: Principal) -> Named:
    if name == EVERYONE:
        return Named.ITSELF
    if name == principal.arn:
        return Named.ROLE if principal.kind is PrincipalKind.ROLE else Named.ITSELF
    if name == principal.session_arn:
        return Named.ITSELF
    if principal.account and (name == principal.account or name.endswith(f":iam::{principal.account}:root")):
        return Named.ITSELF if principal.kind is PrincipalKind.ROOT else Named.ACCOUNT
    return Named.NOT


def _exempt(statement: Statement, principal: Principal) -> bool:
    """Whether NotPrincipal leaves the principal out: every name it goes by must be listed, the account too.

    A Deny leaves out nobody who has a permissions boundary, whatever it lists.
    """
    if statement.effect == DENY and principal.boundary is not None:
        return False
    listed = {how for entry in statement.not_principals if (how := named_by(entry, principal))}
    if principal.kind is PrincipalKind.ROLE and principal.session_arn:
        return listed == {Named.ACCOUNT, Named.ROLE, Named.ITSELF}
    if principal.kind is PrincipalKind.ROLE:
        return {Named.ACCOUNT, Named.ROLE} <= listed
    if principal.kind is PrincipalKind.USER:
        return listed == {Named.ACCOUNT, Named.ITSELF}
    return bool(listed)
