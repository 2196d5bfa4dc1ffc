"""IAM's policy simulator: with the context that the caller gives, the boundary and a resource policy.

MiniStack's own looks at none of them, so that it cannot show what a denial without MFA does.
Source: IAM API Reference, SimulatePrincipalPolicy and SimulateCustomPolicy.
"""

from __future__ import annotations

from contextvars import ContextVar
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from kmslab.authorization.case import Case
from kmslab.authorization.context import Context
from kmslab.authorization.model import ALLOW, Policy, Principal, PrincipalKind, Request, Side
from kmslab.engine.authorization.evaluation import NOTHING, policy_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
    principal = _principal(principal_arn, account_id, policies)
    text = _value("ResourcePolicy")
    resource_policy = policy_of(text) if text else None
    members = []
    for resource in list(_members("ResourceArns.member.{}")) or [resource_arn]:
        for action in actions:
            context = Context(principal, Request(action, resource, _context_keys()), account_id)
            members.append(_member(Case(context, resource_policy, (), required=False)))
    return "".join(members)


def _member(case: Case) -> str:
    decision = "explicitDeny" if case.denials else "allowed" if case.allowed else "implicitDeny"
    matched = case.denials or tuple(case.matches(Side.IDENTITY, ALLOW))
    names = dict.fromkeys(match.policy.name for match in matched if match.policy.name)
    statements = "".join(
        f"<member><SourcePolicyId>{escape(name)}</SourcePolicyId></member>" for name in names
    )
    return (
        f"<member><EvalActionName>{escape(case.context.action)}</EvalActionName>"
        f"<EvalResourceName>{escape(case.context.resource)}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision>"
        f"<MatchedStatements>{statements}</MatchedStatements>"
        "<MissingContextValues></MissingContextValues></member>"
    )


def _principal(arn: str, account: str, policies: list[Any]) -> Principal:
    """The principal that is simulated; nobody in particular for custom policies, unless CallerArn says who."""
    simulated = bool(_value("PolicySourceArn"))
    name = arn.rpartition("/")[2]
    kind = PrincipalKind.ROLE if ":role/" in arn else PrincipalKind.USER
    given = list(_members("PermissionsBoundaryPolicyInputList.member.{}"))
    return Principal(
        arn=arn if simulated else _value("CallerArn"),
        account=account,
        kind=kind,
        policies=tuple(
            Policy(called, parsed.policy.statements)
            for called, parsed in zip(_names(kind, name, account, len(policies)), policies, strict=True)
        ),
        boundary=policy_of(given[0]) if given else _boundary(name, account, kind) if simulated else None,
        condition_keys={"aws:username": name} if simulated and kind is PrincipalKind.USER else {},
    )


def _names(kind: PrincipalKind, name: str, account: str, count: int) -> list[str]:
    """What the answer calls the policies: by their names, or by their place in the request.

    Source: AWS CLI, examples of ``simulate-principal-policy`` and ``simulate-custom-policy``.
    """
    if not _value("PolicySourceArn"):
        return [f"PolicyInputList.{number}" for number in range(1, count + 1)]
    found = [called for called, document in _policies(kind, name, account) if policy_of(document).statements]
    # A policy that cannot be read is not weighed; then no place is certain.
    return found if len(found) == count else [""] * count


def _policies(kind: PrincipalKind, name: str, account: str) -> Iterator[tuple[str, Any]]:
    """Name and document of a principal's policies, in the order in which MiniStack gathers them."""
    from ministack.core import iam_evaluator
    from ministack.services import iam

    def of(inline: Mapping[str, Any] | None, attached: Iterable[str]) -> Iterator[tuple[str, Any]]:
        yield from (inline or {}).items()
        for arn in attached:
            yield arn.rsplit("/", 1)[-1], iam_evaluator._resolve_managed_policy_document(arn, account)

    if kind is PrincipalKind.ROLE:
        role = iam._roles.get_scoped(account, None, name) or {}
        yield from of(role.get("InlinePolicies"), role.get("AttachedPolicies", ()))
        return
    user = iam._users.get_scoped(account, None, name) or {}
    yield from of(iam._user_inline_policies.get(name), user.get("AttachedPolicies", ()))
    for group_name, group in iam._groups.items():
        if name in group.get("Users", ()):
            yield from of(iam._group_inline_policies.get(group_name), group.get("AttachedPolicies", ()))


def _boundary(name: str, account_id: str, kind: PrincipalKind) -> Policy | None:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    store = iam._roles if kind is PrincipalKind.ROLE else iam._users
    layers = iam_evaluator._permissions_boundary(store, name, account_id)
    return getattr(layers[0][0], "policy", NOTHING) if layers else None


def _context_keys() -> Mapping[str, tuple[str, ...]]:
    """The request's ContextEntries: condition key to its values."""
    return dict(_context())


def _context() -> Iterator[tuple[str, tuple[str, ...]]]:
    for number in range(1, len(list(_members("ContextEntries.member.{}.ContextKeyName"))) + 1):
        entry = f"ContextEntries.member.{number}"
        yield _value(f"{entry}.ContextKeyName"), tuple(_members(f"{entry}.ContextKeyValues.member.{{}}"))


def _members(pattern: str) -> Iterator[str]:
    """The values of a list parameter of the query protocol, which numbers them from 1."""
    return takewhile(bool, (_value(pattern.format(number)) for number in count(1)))


def _value(name: str) -> str:
    from ministack.services import iam

    return str(iam._p(_parameters.get(), name) or "")
