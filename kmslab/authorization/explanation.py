"""Why a request was decided as it was, and what would change it, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.authorization import wording
from kmslab.authorization.conditions import unmet
from kmslab.authorization.model import ALLOW, DENY, Reason, Side
from kmslab.authorization.statements import Named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.authorization.case import Case, Match


def reasons(case: Case) -> tuple[Reason, ...]:
    """The statements that decided, or what was missing."""
    if case.denials:
        return tuple(_of_statement(case, match) for match in case.denials)
    if case.out_of_reach:
        text = f"no policy can allow {case.context.action} on a resource of another account"
        return (Reason("", "", "", wording.sentence(text), Side.SERVICE),)
    return tuple(_allowing(case) if case.allowed else _missing(case))


def remedy(case: Case) -> str:
    """What would change the answer, in one sentence."""
    if case.denials:
        first = case.denials[0]
        text = f"no Allow overrides a Deny: {_name(first)} would have to go"
        if first.statement.conditions:
            text += f"; it denies {wording.restriction(first.statement.conditions)}"
    elif case.out_of_reach:
        text = f"only principals of account {case.context.owner} can be allowed {case.context.action}"
    elif case.allowed:
        deciding = case.grant[0].label if _by_grant(case) and case.grant else _name_of_deciding(case)
        text = f"a Deny in any of the policies would refuse it; what allows it now is {deciding}"
    else:
        text = ", and ".join(_wanted(case, side) for side in _missing_sides(case))
    return wording.sentence(text)


def _who(case: Case) -> str:
    return wording.name_of(case.context.principal)


def _name(match: Match) -> str:
    return f"statement {match.statement.label} of the {match.policy.name}"


# --- statements that decided


def _allowing(case: Case) -> Iterator[Reason]:
    if _by_grant(case) and case.grant:
        text = f"{case.grant[0].label} allows {case.context.action} to {_who(case)}"
        yield Reason(case.grant[0].label, "", ALLOW, wording.sentence(text), Side.GRANT)
    elif case.resource:
        yield _of_statement(case, case.resource)
    if case.identity and (case.needs_identity or case.named is Named.NOT):
        yield _of_statement(case, case.identity)
    elif not case.resource and not case.grant:
        text = f"{_who(case)} may do everything that no policy denies"
        yield Reason("", "", ALLOW, wording.sentence(text), Side.IDENTITY)


def _by_grant(case: Case) -> bool:
    """Whether a grant names the principal more directly than the resource's policy does."""
    of_policy = case.resource.named if case.resource else Named.NOT
    return case.grant is not None and case.grant[1] > of_policy


def _name_of_deciding(case: Case) -> str:
    match = case.resource or case.identity
    return _name(match) if match else "the root user's own standing"


def _of_statement(case: Case, match: Match) -> Reason:
    statement = match.statement
    verb = "denies" if statement.effect == DENY else "allows"
    whom = ""
    if match.side is Side.RESOURCE:
        account_only = match.named is Named.ACCOUNT and statement.effect == ALLOW
        whom = " to the account, so that identity policies decide" if account_only else f" to {_who(case)}"
    where = " and ".join(wording.fact(condition, case.context) for condition in statement.conditions)
    text = f"{_name(match)} {verb} {case.context.action}{whom}{f', because {where}' if where else ''}"
    return Reason(match.policy.name, statement.label, statement.effect, wording.sentence(text), match.side)


# --- what was missing


def _missing_sides(case: Case) -> Iterator[Side]:
    if case.needs_resource and case.named is Named.NOT:
        yield Side.RESOURCE
    if case.needs_identity and not case.identity_allows:
        yield Side.IDENTITY
    if not case.within_limits:
        yield from case.lacking


def _missing(case: Case) -> Iterator[Reason]:
    for side in _missing_sides(case):
        policies = case.sides[side]
        name = policies[0].name if len(policies) == 1 else ""
        text = _lack(case, side)
        near = _nearest(case, side) or (None if case.needs_resource else _nearest(case, Side.RESOURCE))
        if near:
            named = f"its statement {near.statement.label}" if name and side is Side.RESOURCE else _name(near)
            name = near.policy.name
            missed = unmet(near.statement, case.context)
            why = " and ".join(wording.shortfall(condition, case.context) for condition in missed)
            text += f"; {named} would, but {why}"
        yield Reason(name, near.statement.label if near else "", "", wording.sentence(text), side)


def _lack(case: Case, side: Side) -> str:
    action, resource, who = case.context.action, case.context.resource, _who(case)
    policies = case.sides[side]
    if side is Side.RESOURCE:
        lack = f"the {policies[0].name} does not allow" if policies else "no policy of the resource allows"
        constraints = [grant.broken_constraint(action, case.context.given) for grant, _ in case.addressed()]
        grants = f" ({next(case.addressed())[0].label} would, but {constraints[0]})" if constraints else ""
        return f"{lack} {action} to {who}{grants}"
    if side is Side.IDENTITY:
        return f"no identity policy of {who} allows {action} on {resource}"
    names = " and ".join(policy.name for policy in policies)
    return f"{who} is limited by the {names}, which does not allow {action} on {resource}"


def _nearest(case: Case, side: Side) -> Match | None:
    """The Allow statement that speaks about the request and fails by the fewest conditions.

    One that is meant for other principals (``aws:PrincipalArn``) is farther than any that is not.
    """

    def distance(match: Match) -> tuple[bool, int, int]:
        missed = tuple(unmet(match.statement, case.context))
        for_others = any(one.key.lower().startswith("aws:principal") for one in missed)
        return for_others, len(missed), -match.named

    return min(case.speaking(side, ALLOW), key=distance, default=None)


def _wanted(case: Case, side: Side) -> str:
    action, who = case.context.action, _who(case)
    near = _nearest(case, side)
    missed = tuple(unmet(near.statement, case.context)) if near else ()
    direct = any(one.key.lower() == "kms:viaservice" for one in missed) and not case.context.values(
        "kms:ViaService"
    )
    subject = {
        Side.RESOURCE: f"the {case.sides[side][0].name if case.sides[side] else 'policy of the resource'}",
        Side.IDENTITY: f"an identity policy of {who}"
        + ("" if case.needs_resource else " (or the policy of the resource)"),
    }.get(side) or f"the {' and '.join(policy.name for policy in case.sides[side])}"
    whom = f" to {who}" if side is Side.RESOURCE else ""
    text = f"{subject} would have to allow {action}{whom}{' for direct calls' if direct else ''}"
    if near:
        text += f"; statement {near.statement.label} allows it {wording.restriction(missed)}"
    return text
