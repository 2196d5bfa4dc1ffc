"""Ways through IAM: who may become whom, who may change whom, and what statements give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.access import questions
from kmslab.access.operations import of_connection
from kmslab.access.questions import Step
from kmslab.authorization.keys import text
from kmslab.authorization.model import ALLOW, PrincipalKind, Request
from kmslab.model.naming import alias_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.access.reading import Identity, Key, Reading
    from kmslab.authorization.model import Statement


def on_identity(found: Reading, action: str, resource: str) -> Step:
    """A permission that identity policies alone decide about: on a role, a user or a policy."""
    return Step(_request(found, action, resource), why=action)


def on_alias(found: Reading, operation: str, key: Key) -> list[Step]:
    """The two permissions that an alias operation needs: on the alias by IAM, on the key by its policy."""
    name = key.aliases[0] if key.aliases else alias_name(found.prefix, key.name)
    fields = key.arn.split(":")
    alias = ":".join([*fields[:5], name])
    return [
        Step(_request(found, f"kms:{operation}", alias), why=f"kms:{operation} on the alias"),
        questions.on_key(found, operation, key),
    ]


def assuming(found: Reading, role: Identity) -> Step:
    """The permission to take a role: its trust policy decides together with the caller's identity policies."""
    asked = _request(found, "sts:AssumeRole", role.arn, **{"sts:RoleSessionName": "kmslab"})
    return Step(asked, role.trust, required=True, why="sts:AssumeRole")


def reachable(found: Reading) -> Mapping[str, set[str]]:
    """The names of the roles that each principal can end in, one role leading to the next, by its ARN."""
    role_steps = [
        (one, assuming(found, one)) for one in found.identities if one.principal.kind is PrincipalKind.ROLE
    ]
    direct = {
        identity.arn: [
            role
            for role, step in role_steps
            if role.arn != identity.arn and questions.who(found, [identity], step)
        ]
        for identity in found.identities
    }
    return {identity.arn: _followed(identity.arn, direct) for identity in found.identities}


def _followed(start: str, direct: Mapping[str, list[Identity]]) -> set[str]:
    found: dict[str, str] = {}
    waiting = [*direct[start]]
    while waiting:
        role = waiting.pop()
        if role.arn not in found:
            found[role.arn] = role.name
            waiting += direct[role.arn]
    return set(found.values())


def trusted_services(role: Identity) -> list[str]:
    """The AWS services that a role's trust policy lets take it."""
    return [
        principal.name
        for statement in (role.trust.statements if role.trust else ())
        if statement.effect == ALLOW
        for principal in statement.principals
        if principal.kind == "Service"
    ]


def allowing_statements(found: Reading) -> Iterator[tuple[str, Statement]]:
    """Every Allow of the key policies and of everybody's identity policies, with its policy's name; each once."""
    policies = {
        policy.name: policy
        for policy in (
            *(key.policy for key in found.keys),
            *(policy for identity in found.identities for policy in identity.principal.policies),
        )
    }
    for policy in policies.values():
        yield from ((policy.name, one) for one in policy.statements if one.effect == ALLOW)


def document_of(role: Mapping[str, Any]) -> str:
    """The trust policy of a role, as UpdateAssumeRolePolicy takes it."""
    document = role["AssumeRolePolicyDocument"]
    return document if isinstance(document, str) else json.dumps(document)


def _request(found: Reading, action: str, resource: str, **condition_keys: Any) -> Request:
    keys = {**of_connection(found), **condition_keys}
    return Request(action, resource, {name: text(value) for name, value in keys.items()})
