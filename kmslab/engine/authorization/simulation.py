"""IAM's policy simulator: with the context that the caller gives and the principal's boundary.

MiniStack's own looks at neither, so that it cannot show what a denial without MFA does.
Source: IAM API Reference, SimulatePrincipalPolicy and SimulateCustomPolicy.
"""

from __future__ import annotations

from contextvars import ContextVar
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
_parameters: ContextVar[Any] = ContextVar("kmslab_simulation", default=None)


def install() -> None:
    """Apply the hooks."""
    from ministack.services import iam

    from kmslab.engine.hooks import extend

    extend(iam, "_simulate_principal_policy", "p")(remember_parameters)
    extend(iam, "_simulate_custom_policy", "p")(remember_parameters)
    extend(
        iam,
        "_build_simulate_results_real",
        "actions",
        "resource_arn",
        "principal_arn",
        "account_id",
        "policies",
    )(simulate)


def remember_parameters(stock: Any, p: Any) -> Any:
    """Keep the whole request for the decision: MiniStack hands on a part of it."""
    token = _parameters.set(p)
    try:
        return stock(p)
    finally:
        _parameters.reset(token)


def simulate(
    _stock: Any,
    actions: list[str],
    resource_arn: str,
    principal_arn: str,
    account_id: str,
    policies: list[Any],
) -> str:
    """Decide each action on each resource with the request's context and the boundary; return the XML members."""
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_region

    limits, keys = _limits(principal_arn, account_id), _principal_keys(principal_arn)
    context = dict(_context())
    members = []
    for resource in list(_members("ResourceArns.member.{}")) or [resource_arn]:
        for action in actions:
            asked = iam_evaluator.EvalContext(
                principal_arn=principal_arn,
                principal_type="User",
                principal_account=account_id,
                action=action,
                resource_arn=resource,
                region=get_region(),
                service_context=context,
                principal_keys=keys,
            )
            decision = _DECISIONS[iam_evaluator.evaluate(asked, policies, *limits).decision]
            members.append(
                f"<member><EvalActionName>{escape(action)}</EvalActionName>"
                f"<EvalResourceName>{escape(resource)}</EvalResourceName>"
                f"<EvalDecision>{decision}</EvalDecision>"
                "<MatchedStatements></MatchedStatements><MissingContextValues></MissingContextValues></member>"
            )
    return "".join(members)


def _limits(principal_arn: str, account_id: str) -> Any:
    """What the principal's permissions boundary leaves, as `evaluate` takes it; nothing for custom policies."""
    from ministack.core import iam_evaluator
    from ministack.services import iam

    kind, _, name = principal_arn.rpartition(":")[2].partition("/")
    stores = {"user": iam._users, "role": iam._roles}
    if kind not in stores:
        return ()
    return iam_evaluator._permissions_boundary(stores[kind], name.rpartition("/")[2], account_id)


def _principal_keys(principal_arn: str) -> dict[str, Any]:
    kind, _, name = principal_arn.rpartition(":")[2].partition("/")
    return {"aws:username": name.rpartition("/")[2]} if kind == "user" else {}


def _context() -> Iterator[tuple[str, Any]]:
    """The request's ContextEntries: condition key in lower case to its value or values."""
    for number in range(1, len(list(_members("ContextEntries.member.{}.ContextKeyName"))) + 1):
        entry = f"ContextEntries.member.{number}"
        values = list(_members(f"{entry}.ContextKeyValues.member.{{}}"))
        yield _value(f"{entry}.ContextKeyName").lower(), values[0] if len(values) == 1 else values


def _members(pattern: str) -> Iterator[str]:
    """The values of a list parameter of the query protocol, which numbers them from 1."""
    return takewhile(bool, (_value(pattern.format(number)) for number in count(1)))


def _value(name: str) -> str:
    from ministack.services import iam

    return str(iam._p(_parameters.get(), name) or "")
