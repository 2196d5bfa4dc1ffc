"""One request laid out: what each policy says about it, before anyone writes a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from kmslab.authorization.conditions import all_met
from kmslab.authorization.keys import reaches_other_accounts
from kmslab.authorization.model import ALLOW, DENY, IDENTITIES, NamedPrincipal, PrincipalKind, Side
from kmslab.authorization.statements import Named, covers_resource, named, named_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kmslab.authorization.context import Context
    from kmslab.authorization.keys import Grant
    from kmslab.authorization.model import Policy, Statement

LIMITS = (Side.BOUNDARY, Side.SESSION)


@dataclass(frozen=True, slots=True)
class Match:
    """A statement that speaks about the request.

    Attributes:
        side: where it comes from.
        policy: its policy.
        statement: the statement.
        named: how it names the principal; `Named.ITSELF` on the identity's side.
    """

    side: Side
    policy: Policy
    statement: Statement
    named: Named


class Case:
    """A request, and what all the policies say about it; the caller's own are weighed when they count.

    Attributes:
        context: the request with its condition keys.
        required: whether the resource's side has to allow in its own account too.
        grants: the grants of the key.
        sides: the policies of each side, in the order in which their denials are told.
        resource: the Allow of the resource policy that names the principal most directly, if any.
        grant: the grant that names the principal most directly, if any, and how it does.
        named: how the resource's side names the principal in what it allows. For another account's principal a
            statement is worth no more than one that names the account: their own policies have to allow, too. A
            grant counts alone there as well: AWS documents grants to the service-linked role of another account,
            whose policy says nothing about KMS (EC2 Auto Scaling User Guide, "Required AWS KMS key policy for use
            with encrypted volumes").
    """

    def __init__(
        self, context: Context, resource_policy: Policy | None, grants: Sequence[Grant], *, required: bool
    ) -> None:
        principal = context.principal
        self.context = context
        self.required = required
        self.grants = grants
        self.sides = {
            Side.IDENTITY: principal.policies,
            Side.BOUNDARY: () if principal.boundary is None else (principal.boundary,),
            Side.SESSION: principal.session_policies,
            Side.RESOURCE: () if resource_policy is None else (resource_policy,),
        }
        most_direct_first = sorted(self.speaking(Side.RESOURCE, ALLOW), key=attrgetter("named"), reverse=True)
        self.resource = next(self._met(most_direct_first), None)
        self.grant = max(self._granted(), key=itemgetter(1), default=None) if grants else None
        self.named = self._named()

    @cached_property
    def denials(self) -> tuple[Match, ...]:
        """The Deny statements that apply."""
        return tuple(
            match for side, policies in self.sides.items() if policies for match in self.matches(side, DENY)
        )

    @cached_property
    def identity(self) -> Match | None:
        """The first Allow of the identity policies, if any."""
        return next(self.matches(Side.IDENTITY, ALLOW), None)

    @cached_property
    def lacking(self) -> tuple[Side, ...]:
        """The limits that the principal has and that do not allow."""
        return tuple(side for side in LIMITS if self.sides[side] and not any(self.matches(side, ALLOW)))

    def _named(self) -> Named:
        by_policy = Named.NOT if self.resource is None else self.resource.named
        if self.context.foreign:
            by_policy = min(by_policy, Named.ACCOUNT)
        return max(by_policy, Named.NOT if self.grant is None else self.grant[1])

    @property
    def has_identity(self) -> bool:
        """Whether the principal belongs to an account: services and strangers have no identity policies."""
        return self.context.principal.kind in IDENTITIES

    @property
    def identity_allows(self) -> bool:
        """Whether the identity's side allows, limits aside: always for a root user."""
        return self.context.principal.kind is PrincipalKind.ROOT or self.identity is not None

    @property
    def out_of_reach(self) -> bool:
        """Whether the service never allows this action on another account's resource."""
        context = self.context
        return self.has_identity and context.foreign and not reaches_other_accounts(context.action)

    @property
    def needs_resource(self) -> bool:
        """Whether the resource's side has to allow."""
        return self.required or self.context.foreign or not self.has_identity

    @property
    def needs_identity(self) -> bool:
        """Whether the identity's side has to allow, given what the resource's side says."""
        if not self.has_identity or self.named > Named.ACCOUNT:
            return False
        return self.named is Named.ACCOUNT or self.context.foreign or not self.required

    @property
    def within_limits(self) -> bool:
        """Whether boundary and session policies allow, or have no say."""
        return self.named is Named.ITSELF or not self.lacking

    @property
    def allowed(self) -> bool:
        """The answer; the resource's few statements, which refuse most requests, are asked before all others."""
        return (
            not self.out_of_reach
            and (self.named is not Named.NOT or not self.needs_resource)
            and (not self.needs_identity or self.identity_allows)
            and self.within_limits
            and not self.denials
        )

    def matches(self, side: Side, effect: str) -> Iterator[Match]:
        """The statements of one side that apply."""
        return self._met(self.speaking(side, effect))

    def _met(self, speaking: Iterable[Match]) -> Iterator[Match]:
        return (match for match in speaking if all_met(match.statement, self.context))

    def speaking(self, side: Side, effect: str) -> Iterator[Match]:
        """The statements of one side that speak about the request, whether their conditions are met or not."""
        context = self.context
        for policy in self.sides[side]:
            for statement in policy.about(effect, context.action):
                how = named(statement, context.principal) if side is Side.RESOURCE else Named.ITSELF
                if how is not Named.NOT and covers_resource(statement, context):
                    yield Match(side, policy, statement, how)

    def addressed(self) -> Iterator[tuple[Grant, Named]]:
        """The grants to the principal for the action, whether their constraints are met or not."""
        principal = self.context.principal
        kind = "Service" if principal.kind is PrincipalKind.SERVICE else "AWS"
        for grant in self.grants:
            if grant.covers(self.context.action):
                how = named_by(NamedPrincipal(kind, grant.grantee), principal)
                if how is not Named.NOT:
                    yield grant, how

    def _granted(self) -> Iterator[tuple[Grant, Named]]:
        context = self.context
        return (
            (grant, how)
            for grant, how in self.addressed()
            if not grant.broken_constraint(context.action, context.given)
        )
