"""Policies, the principals they speak about, a request, and what was decided.

The grammar is IAM's (IAM User Guide, "IAM JSON policy element reference"). Values of condition keys are a
string, or a tuple of strings where the key is multivalued. Names of condition keys ignore letter case.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from kmslab.authorization.patterns import action_matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALLOW, DENY = "Allow", "Deny"
EVERYONE = "*"

ConditionKeys: TypeAlias = "Mapping[str, str | tuple[str, ...]]"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition key of a statement, and what it is compared with.

    Attributes:
        operator: as the policy writes it: ``ForAnyValue:StringLikeIfExists``.
        key: the condition key as the policy writes it.
        values: what it is compared with.
        comparison: the operator's core in lower case: ``stringlike``.
        quantifier: ``forallvalues``, ``foranyvalue`` or empty.
        if_exists: whether a request without the key meets the condition.
        variables: whether a value has something to put in: ``${...}``.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    comparison: str
    quantifier: str = ""
    if_exists: bool = False
    variables: bool = False

    @classmethod
    def parse(cls, operator: str, key: str, values: Any) -> Condition:
        """Read one key of an operator's block."""
        texts = _texts(values)
        quantifier, _, core = operator.lower().rpartition(":")
        comparison = core.removesuffix("ifexists")
        return cls(
            operator,
            key,
            texts,
            comparison,
            quantifier,
            if_exists=comparison != core,
            variables=any("${" in text for text in texts),
        )


@dataclass(frozen=True, slots=True)
class NamedPrincipal:
    """One entry of a Principal element.

    Attributes:
        kind: ``AWS``, ``Service``, ``Federated`` or ``CanonicalUser``.
        name: an ARN, an account, a service; ``*`` for everyone.
    """

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy, every element as a tuple.

    Attributes:
        sid: its name; may be empty.
        number: its place in the policy, from 1.
        effect: ``Allow`` or ``Deny``.
        principals: entries of Principal; empty in identity policies.
        not_principals: entries of NotPrincipal.
        actions: patterns of Action.
        not_actions: patterns of NotAction.
        resources: patterns of Resource.
        not_resources: patterns of NotResource.
        conditions: all must be met.
        variables: whether ``${...}`` is a variable here: policies of version 2012-10-17.
    """

    sid: str
    number: int
    effect: str
    principals: tuple[NamedPrincipal, ...] = ()
    not_principals: tuple[NamedPrincipal, ...] = ()
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    variables: bool = True

    @property
    def label(self) -> str:
        """What people call the statement: its Sid, or its number."""
        return self.sid or f"number {self.number}"

    def covers(self, action: str) -> bool:
        """Whether the statement speaks about the action."""
        if self.not_actions:
            return not any(action_matches(pattern, action) for pattern in self.not_actions)
        return any(action_matches(pattern, action) for pattern in self.actions)

    @classmethod
    def parse(cls, item: Mapping[str, Any], number: int, *, variables: bool) -> Statement:
        """Read one statement.

        Raises:
            ValueError: an element is not what the grammar says.
        """
        if item.get("Effect") not in (ALLOW, DENY):
            raise ValueError(f"statement {number} has no Effect Allow or Deny")
        return cls(
            sid=str(item.get("Sid") or ""),
            number=number,
            effect=str(item["Effect"]),
            principals=tuple(_principals(item.get("Principal"))),
            not_principals=tuple(_principals(item.get("NotPrincipal"))),
            actions=_texts(item.get("Action")),
            not_actions=_texts(item.get("NotAction")),
            resources=_texts(item.get("Resource")),
            not_resources=_texts(item.get("NotResource")),
            conditions=tuple(
                Condition.parse(operator, key, values)
                for operator, block in (item.get("Condition") or {}).items()
                for key, values in block.items()
            ),
            variables=variables,
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy under the name that people would give it, parsed once.

    Attributes:
        name: ``key policy of alias/kms-lab/app``, ``inline policy use of role kms-lab-data-owner``.
        statements: in the order of the document, which has no meaning for a decision.
    """

    name: str
    statements: tuple[Statement, ...]
    _about: dict[tuple[str, str], tuple[Statement, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def about(self, effect: str, action: str) -> tuple[Statement, ...]:
        """The statements of this effect that speak about the action: found once, asked for on every request."""
        found = self._about.get((effect, action))
        if found is None:
            found = tuple(one for one in self.statements if one.effect == effect and one.covers(action))
            self._about[effect, action] = found
        return found

    @classmethod
    def parse(cls, name: str, document: str | Mapping[str, Any]) -> Policy:
        """Read a policy document, as text (KMS, S3) or as boto3 decodes it (IAM).

        Raises:
            ValueError: not JSON, or not a policy.
        """
        policy = json.loads(document) if isinstance(document, str) else document
        try:
            variables = policy.get("Version") == "2012-10-17"
            items = _listed(policy.get("Statement"))
            found = [
                Statement.parse(item, number, variables=variables) for number, item in enumerate(items, 1)
            ]
        except (AttributeError, TypeError) as problem:
            raise ValueError(f"{name} is not a policy document") from problem
        return cls(name, tuple(found))


class PrincipalKind(StrEnum):
    """Who calls."""

    ROLE = "role"
    """A session of a role."""
    USER = "user"
    ROOT = "root user"
    SERVICE = "service"
    """An AWS service as itself: only resource policies and grants that name it count."""
    FEDERATED = "identity provider"
    """Someone whom an identity provider vouches for, before they assume a role."""
    ANONYMOUS = "anonymous"
    """An unsigned request."""


IDENTITIES = (PrincipalKind.ROLE, PrincipalKind.USER, PrincipalKind.ROOT)
"""Who belongs to an account: services and strangers have no identity policies."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and all that limits it.

    Attributes:
        arn: IAM ARN of the role, user or root (``aws:PrincipalArn``); a service's name (``s3.amazonaws.com``).
        account: its account; empty for services and anonymous callers.
        kind: what it is.
        policies: identity policies, those of groups included.
        boundary: its permissions boundary.
        session_policies: policies passed when the session began; an empty tuple means none were.
        condition_keys: what describes it: ``aws:PrincipalTag/...``, ``aws:userid``, ``aws:username``.
        session_arn: ``arn:aws:sts::111122223333:assumed-role/name/session``, where it is known. A resource
            policy may name it.
        keys: the condition keys, names in lower case.
    """

    arn: str
    account: str
    kind: PrincipalKind
    policies: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session_policies: tuple[Policy, ...] = ()
    condition_keys: ConditionKeys = field(default_factory=dict)
    session_arn: str = ""
    keys: ConditionKeys = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", _in_lower_case(self.condition_keys))


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to do.

    Attributes:
        action: ``kms:Decrypt``.
        resource: its ARN.
        condition_keys: what describes the request and the resource: ``kms:ViaService``,
            ``kms:EncryptionContext:...``, ``aws:SecureTransport``, ``aws:ResourceTag/...``. Keys that follow
            from the principal (``aws:PrincipalArn``) and the time are filled in where they are missing.
        keys: the condition keys, names in lower case.
    """

    action: str
    resource: str
    condition_keys: ConditionKeys = field(default_factory=dict)
    keys: ConditionKeys = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", _in_lower_case(self.condition_keys))


class Side(StrEnum):
    """Where a reason comes from."""

    RESOURCE = "resource policy"
    IDENTITY = "identity policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    GRANT = "grant"
    SERVICE = "service"
    """A rule of the AWS service itself, which no policy changes."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The statement that decided, or what was missing.

    Attributes:
        policy: name of the policy or grant; empty when there is none.
        sid: the statement's label; empty when nothing matched.
        effect: ``Allow`` or ``Deny`` of the statement; empty when nothing matched.
        text: one sentence that a learner reads.
        side: where it comes from.
    """

    policy: str
    sid: str
    effect: str
    text: str
    side: Side = Side.IDENTITY


def _in_lower_case(keys: ConditionKeys) -> dict[str, str | tuple[str, ...]]:
    return {name.lower(): value for name, value in keys.items()}


def _principals(given: Any) -> Iterator[NamedPrincipal]:
    if given == EVERYONE:
        yield NamedPrincipal("AWS", EVERYONE)
    elif given is not None:
        for kind, names in given.items():
            yield from (NamedPrincipal(kind, name) for name in _texts(names))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in _listed(value))
