"""Policies as documents: who is named, for which actions, under which conditions.

Small on purpose. It does not decide a request (AWS does); it answers the questions that an
auditor asks of a document. The grammar is IAM's ("IAM JSON policy element reference").
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.authorization.patterns import action_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALLOW, DENY = "Allow", "Deny"
_PINNING_OPERATORS = frozenset({"arnequals", "arnlike", "stringequals", "stringlike"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy, every element as a tuple.

    Attributes:
        sid: its name; may be empty.
        effect: ``Allow`` or ``Deny``.
        principals: ``AWS:arn:...``, ``Service:s3.amazonaws.com`` or ``*``; empty in identity policies.
        actions: patterns of Action.
        not_actions: patterns of NotAction.
        resources: patterns of Resource.
        conditions: (operator, condition key) in lower case to the values.
    """

    sid: str
    effect: str
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[tuple[str, str], tuple[str, ...]]

    def covers(self, action: str) -> bool:
        """Whether the statement speaks about the action (``kms:PutKeyPolicy``)."""
        if self.not_actions:
            return not any(action_matches(pattern, action) for pattern in self.not_actions)
        return any(action_matches(pattern, action) for pattern in self.actions)

    def values(self, condition_key: str, *operators: str) -> tuple[str, ...]:
        """The values that a condition key is compared with, by any of the operators (all if none named)."""
        wanted = {operator.lower() for operator in operators}
        return tuple(
            value
            for (operator, key), values in self.conditions.items()
            if key == condition_key.lower() and (not wanted or operator in wanted)
            for value in values
        )

    def pinned_to(self, condition_key: str) -> tuple[str, ...]:
        """The values to which a positive comparison pins the condition key; empty if it does not.

        A pattern does not pin, nor does ``...IfExists``: a request without the key would pass.
        """
        values = self.values(condition_key, *_PINNING_OPERATORS)
        return () if any("*" in value or "?" in value for value in values) else values


def statements(document: str | Mapping[str, Any]) -> tuple[Statement, ...]:
    """Parse a policy document, as text (KMS, S3) or as boto3 decodes it (IAM)."""
    policy = json.loads(document) if isinstance(document, str) else document
    return tuple(_statement(item) for item in _listed(policy.get("Statement", [])))


def document(*items: Mapping[str, Any]) -> str:
    """Write a policy of these statements, as text: what `statements` reads."""
    return json.dumps({"Version": "2012-10-17", "Statement": items})


def account_of(principal: str) -> str:
    """The account that an ``AWS:`` principal belongs to; empty for services and ``*``."""
    kind, _, name = principal.partition(":")
    if kind != "AWS":
        return ""
    return name.split(":")[4] if name.startswith("arn:") else name


def is_whole_account(principal: str) -> bool:
    """Whether a principal is an account, which stands for everyone in it whom IAM allows."""
    kind, _, name = principal.partition(":")
    return kind == "AWS" and (name.endswith(":root") or re.fullmatch(r"\d{12}", name) is not None)


def is_everyone(principal: str) -> bool:
    """Whether a principal is the wildcard."""
    return principal in {"*", "AWS:*"}


def _statement(item: Mapping[str, Any]) -> Statement:
    return Statement(
        sid=str(item.get("Sid", "")),
        effect=str(item["Effect"]),
        principals=tuple(_principals(item.get("Principal", {}))),
        actions=_texts(item.get("Action", [])),
        not_actions=_texts(item.get("NotAction", [])),
        resources=_texts(item.get("Resource", [])),
        conditions={
            (operator.lower(), key.lower()): _texts(values)
            for operator, pairs in item.get("Condition", {}).items()
            for key, values in pairs.items()
        },
    )


def _principals(given: str | Mapping[str, Any]) -> Iterable[str]:
    if isinstance(given, str):
        yield given
    else:
        for kind, names in given.items():
            yield from (f"{kind}:{name}" for name in _texts(names))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in _listed(value))
