"""Policy statements as the JSON that IAM reads, and the names in them.

Policies here are plain dictionaries, not CDK's ``PolicyStatement``: what stands in the code stands in
the template, in the same order, and can be copied into an account that has never seen CDK. CDK's grant
helpers are not used, because they add actions (``bucket.grant_read`` adds ``kms:Decrypt``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.model.naming import role_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kmslab.model.persona import Persona

Json = dict[str, Any]
"""A part of a template."""


def sub(text: str) -> Json:
    """Let CloudFormation fill in ``${AWS::AccountId}`` and its like at deployment."""
    return {"Fn::Sub": text}


ACCOUNT = {"Ref": "AWS::AccountId"}
THE_ACCOUNT = {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}
"""The account as a principal: not "the root user", but "whoever in this account IAM allows it too".

Alone in an Allow it delegates the decision to IAM. With a condition on ``aws:PrincipalArn`` it means the
principals named there, who need their identity policy's permission as well. Unlike a role's ARN as
principal it is accepted before the role exists, and does not turn into a dangling id when the role is
deleted.
"""
ROOT_USER = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
"""The account's root user as ``aws:PrincipalArn``; the break-glass of every key."""
EVERYONE = "*"
"""As principal: anybody, of any account. Only ever in a Deny."""
EVERYTHING = "*"
"""As resource."""


def role_arn(prefix: str, persona: Persona) -> Json:
    """ARN of a persona's role, also before it exists."""
    return sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{role_name(prefix, persona)}")


def user_arn(name: str) -> Json:
    """ARN of an IAM user."""
    return sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:user/{name}")


def execution_role_arn(qualifier: str) -> Json:
    """ARN of the role as which CloudFormation acts, from the standard ``cdk bootstrap``."""
    return sub(
        f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/"
        f"cdk-{qualifier}-cfn-exec-role-${{AWS::AccountId}}-${{AWS::Region}}"
    )


def through(*services: str) -> Json:
    """Condition: the call is made by a service of this Region for a principal of this account.

    Args:
        services: as in the service's endpoint: ``s3``, ``secretsmanager``.
    """
    names = [sub(f"{service}.${{AWS::Region}}.amazonaws.com") for service in services]
    return {"StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": _one_or_many(names)}}


def only(*principals: Json) -> Json:
    """Condition: the caller is one of these users or roles; a session counts as its role."""
    return {"ArnEquals": {"aws:PrincipalArn": _one_or_many(principals)}}


def both(*conditions: Json) -> Json:
    """Join conditions, all of which must hold.

    Raises:
        ValueError: two of them say different things about the same key with the same operator.
    """
    joined: dict[str, Json] = {}
    for condition in conditions:
        for operator, keys in condition.items():
            if joined.get(operator, {}).keys() & keys.keys():
                raise ValueError(f"{operator} twice for {sorted(keys)}")
            joined[operator] = {**joined.get(operator, {}), **keys}
    return joined


def statement(
    effect: str,
    sid: str,
    actions: Sequence[str] = (),
    *,
    principal: Json | str | None = None,
    resources: Any = EVERYTHING,
    when: Mapping[str, Any] | None = None,
    all_actions_but: Sequence[str] = (),
    all_resources_but: Any = None,
) -> Json:
    """Return one statement; ``allow`` and ``deny`` are this with the effect filled in.

    Args:
        effect: ``Allow`` or ``Deny``.
        sid: letters and digits; says in words what the statement is for.
        actions: service actions, written out.
        principal: of a resource policy; None in an identity policy.
        resources: one ARN or several; ``*`` means this key in a key policy; None in a trust policy.
        when: the Condition block.
        all_actions_but: NotAction, in place of actions.
        all_resources_but: NotResource, in place of resources.
    """
    made: Json = {"Sid": sid, "Effect": effect}
    if principal is not None:
        made["Principal"] = principal
    if all_actions_but:
        made["NotAction"] = _one_or_many(all_actions_but)
    else:
        made["Action"] = _one_or_many(actions)
    if all_resources_but is not None:
        made["NotResource"] = all_resources_but
    elif resources is not None:
        made["Resource"] = resources
    if when:
        made["Condition"] = dict(when)
    return made


allow = partial(statement, "Allow")
deny = partial(statement, "Deny")


def document(statements: Iterable[Json]) -> Json:
    """Return the policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _one_or_many(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)
