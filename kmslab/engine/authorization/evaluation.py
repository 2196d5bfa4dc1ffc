"""What MiniStack's policy evaluator gets wrong or lacks, for every service.

Sources: IAM User Guide, "AWS global condition context keys" (``aws:PrincipalArn`` of an assumed role is
the role's ARN; ``aws:PrincipalType`` of the root user is ``Account``) and "IAM policy elements: variables".
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}


def install() -> None:
    """Apply the hooks."""
    from ministack.core import iam_evaluator

    from kmslab.engine.hooks import extend

    extend(iam_evaluator, "_resolve_condition_key", "key", "ctx")(condition_key)
    extend(iam_evaluator, "_first_match", "ctx", "stmts", "effect")(first_match)
    extend(iam_evaluator, "parse_policy_document", "doc")(parse_policy)


def condition_key(stock: Any, key: str, ctx: Any) -> Any:
    """Give ``aws:PrincipalArn`` and ``aws:PrincipalType`` the values that AWS gives them."""
    name = key.lower()
    if name == "aws:principalarn":
        return role_arn(ctx.principal_arn)
    if name == "aws:principaltype" and ctx.principal_type == "Root":
        return "Account"
    return stock(key, ctx)


def role_arn(principal_arn: str) -> str:
    """The ARN of the role of an assumed-role session, with the role's path; any other ARN as it is."""
    if ":assumed-role/" not in principal_arn:
        return principal_arn
    from ministack.services import iam

    partition, account = principal_arn.split(":")[1], principal_arn.split(":")[4]
    name = principal_arn.split(":assumed-role/", 1)[1].split("/", 1)[0]
    role = iam._roles.get_scoped(account, None, name)
    return str(role["Arn"]) if role else f"arn:{partition}:iam::{account}:role/{name}"


def first_match(stock: Any, ctx: Any, stmts: list[Any], effect: str) -> Any:
    """Replace policy variables (``${aws:username}``) by their values before a statement is matched."""
    return stock(ctx, [_expand(stmt, ctx) for stmt in stmts if stmt.effect == effect], effect)


def _expand(stmt: Any, ctx: Any) -> Any:
    if not getattr(stmt, "has_variables", True):
        return stmt

    def value(match: re.Match[str]) -> str:
        from ministack.core import iam_evaluator

        name, _, default = match[1].partition(",")
        found = _LITERALS.get(name.strip()) or iam_evaluator._resolve_condition_key(name.strip(), ctx)
        return str(found) if isinstance(found, str) and found else default.strip().strip("'") or match[0]

    def text(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: text(part) for name, part in item.items()}
        if isinstance(item, list):
            return [text(part) for part in item]
        return _VARIABLE.sub(value, item) if isinstance(item, str) else item

    expanded = replace(
        stmt,
        resources=text(stmt.resources),
        not_resources=text(stmt.not_resources),
        conditions={operator: text(keys) for operator, keys in stmt.conditions.items()},
    )
    expanded.has_variables = False
    return expanded


def parse_policy(stock: Any, doc: str | dict[str, Any]) -> Any:
    """Parse a policy text once: the same few policies decide every request."""
    return _parse_text(stock, doc) if isinstance(doc, str) else _mark(stock(doc))


@lru_cache(maxsize=512)
def _parse_text(stock: Any, doc: str) -> Any:
    return _mark(stock(doc))


def _mark(statements: list[Any]) -> list[Any]:
    for stmt in statements:
        stmt.has_variables = "${" in f"{stmt.resources}{stmt.not_resources}{stmt.conditions}"
    return statements
