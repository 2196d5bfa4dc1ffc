"""A question to the policies: one or more permissions that an act needs, and who has them all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kmslab.access import operations
from kmslab.authorization.case import Case
from kmslab.authorization.context import Context
from kmslab.authorization.decide import Decision, decide
from kmslab.authorization.model import Policy, Principal, PrincipalKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kmslab.access.reading import Identity, Key, Reading
    from kmslab.authorization.keys import Grant
    from kmslab.authorization.model import Request

WITH_MFA = {"aws:MultiFactorAuthPresent": "true"}
"""What a user's session tells; nobody can say which session a user will have, so it is the one with most rights."""

_EVERYTHING = Policy.parse(
    "policy that allows everything",
    {"Statement": {"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"}},
)


@dataclass(frozen=True, slots=True)
class Step:
    """One permission.

    Attributes:
        request: what on what.
        resource_policy: the policy of the thing.
        required: whether the thing's policy has to allow, too: KMS keys, role trust.
        grants: of a key.
        why: what the permission is for, in a few words.
    """

    request: Request
    resource_policy: Policy | None = None
    required: bool = False
    grants: Sequence[Grant] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the policies say about one identity.

    Attributes:
        identity: whom.
        decisions: of each step, in order; the first refusal ends it.
    """

    identity: Identity
    decisions: tuple[Decision, ...]

    @property
    def allowed(self) -> bool:
        """Whether every step is allowed."""
        return all(decision.allowed for decision in self.decisions)

    @property
    def decided_by(self) -> Decision:
        """The decision that matters: the refusal, or that of the last step, which is the key's where there is one."""
        return next((one for one in self.decisions if not one.allowed), self.decisions[-1])

    @property
    def reason(self) -> str:
        """The statement that decided, in one sentence."""
        return self.decided_by.reasons[0].text


def on_key(reading: Reading, operation: str, key: Key, **how: Any) -> Step:
    """One permission on a key; ``how`` as `kmslab.access.operations.request` takes it."""
    asked = operations.request(reading, operation, key, **how)
    return Step(asked, key.policy, required=True, grants=key.grants, why=f"kms:{operation}")


def ask(reading: Reading, identity: Identity, steps: Sequence[Step]) -> Answer:
    """Decide the steps for one identity, until one is refused."""
    decisions: list[Decision] = []
    for step in steps:
        decisions.append(
            decide(
                _in_session(identity.principal),
                step.request,
                resource_policy=step.resource_policy,
                resource_policy_required=step.required,
                resource_account=reading.account,
                grants=step.grants,
            )
        )
        if not decisions[-1].allowed:
            break
    return Answer(identity, tuple(decisions))


def identity_side(identity: Identity, asked: Request) -> Decision:
    """What identity policies and boundary say by themselves: the half that IAM's policy simulator knows."""
    return decide(_in_session(identity.principal), asked, resource_account=identity.principal.account)


def who(reading: Reading, identities: Iterable[Identity], *steps: Step) -> tuple[Identity, ...]:
    """Those who have every permission; without the sentences, which cost more than the decision."""
    return tuple(one for one in identities if _has_all(reading, _in_session(one.principal), steps))


def service_may(service: str, step: Step) -> bool:
    """Whether an AWS service may do something as itself: only statements and grants that name it count."""
    principal = Principal(service, "", PrincipalKind.SERVICE)
    asked = replace(
        step.request,
        condition_keys={
            name: value for name, value in step.request.condition_keys.items() if name != "kms:CallerAccount"
        },
    )
    return Case(Context(principal, asked), step.resource_policy, step.grants, required=True).allowed


def _has_all(reading: Reading, principal: Principal, steps: Iterable[Step]) -> bool:
    for step in steps:
        context = Context(principal, step.request, reading.account)
        if not Case(context, step.resource_policy, step.grants, required=step.required).allowed:
            return False
    return True


def anyone(reading: Reading) -> tuple[Identity, ...]:
    """Principals that nobody has made: whoever IAM would let do everything, here and in another account.

    Where one of these is allowed, a statement does not name whom it means.
    """
    from kmslab.access.reading import Identity

    stranger = "444455556666" if reading.account != "444455556666" else "111122223333"
    here, there = (
        Principal(
            f"arn:{reading.partition}:iam::{account}:role/anyone", account, PrincipalKind.ROLE, (_EVERYTHING,)
        )
        for account in (reading.account, stranger)
    )
    return (
        Identity("anyone in the account whom IAM allows it", here),
        Identity("anyone in another account", there),
    )


def session_keys(principal: Principal) -> Mapping[str, str]:
    """Condition keys that nobody knows before there is a session, at their best: a user's comes with MFA."""
    return WITH_MFA if principal.kind is PrincipalKind.USER else {}


def _in_session(principal: Principal) -> Principal:
    keys = session_keys(principal)
    return replace(principal, condition_keys={**keys, **principal.condition_keys}) if keys else principal


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asked.

    Attributes:
        text: the question in words: ``decrypt s3://bucket/key``.
        steps: the permissions that it takes.
        notes: what was assumed, a sentence each.
    """

    text: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = field(default=())
