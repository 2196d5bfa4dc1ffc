"""What IAM's own policy simulator says, beside what the policies say here.

SimulatePrincipalPolicy evaluates identity policies and the permissions boundary. It takes one resource
policy, for IAM users only ("Simulation of resource-based policies isn't supported for IAM roles", IAM API
Reference), and no grants: of a KMS decision it knows the identity's half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.access import questions
from kmslab.access.reader import UnreadableError
from kmslab.authorization.model import PrincipalKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kmslab.access.reader import Reader
    from kmslab.access.reading import Identity
    from kmslab.authorization.model import ConditionKeys, Request

_BOOLEAN = ("true", "false")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One permission, by the identity's side alone.

    Attributes:
        action: what was asked.
        computed: what identity policies and boundary say here.
        simulated: IAM's decision (``allowed``, ``implicitDeny``, ``explicitDeny``); empty when it gave none.
        problem: why it gave none.
    """

    action: str
    computed: bool
    simulated: str
    problem: str = ""

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return (self.simulated == "allowed") is self.computed

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        if not self.simulated:
            return f"IAM's simulator gave no answer about {self.action}: {self.problem}."
        same = "as computed here" if self.agrees else "but computed here: the opposite"
        return f"IAM's simulator on {self.action}, by identity policies alone: {self.simulated}, {same}."


def compare(reader: Reader, identity: Identity, asked: Iterable[Request]) -> list[Comparison]:
    """Ask the simulator about each request; nothing about the root user, who has no identity policies."""
    if identity.principal.kind is PrincipalKind.ROOT:
        return []
    return [_compared(reader, identity, request) for request in asked]


def _compared(reader: Reader, identity: Identity, asked: Request) -> Comparison:
    computed = questions.identity_side(identity, asked).allowed
    keys = {**asked.condition_keys, **questions.session_keys(identity.principal)}
    try:
        answer = reader.ask(
            "iam:SimulatePrincipalPolicy",
            PolicySourceArn=identity.arn,
            ActionNames=[asked.action],
            ResourceArns=[asked.resource],
            ContextEntries=list(entries(keys)),
        )
    except UnreadableError as problem:
        return Comparison(asked.action, computed, "", problem.message)
    return Comparison(asked.action, computed, str(answer["EvaluationResults"][0]["EvalDecision"]))


def entries(keys: ConditionKeys) -> Iterator[dict[str, Any]]:
    """Condition keys as the simulator takes them."""
    for name, value in keys.items():
        if isinstance(value, str):
            kind = "boolean" if value in _BOOLEAN else "string"
            yield {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": kind}
        else:
            yield {"ContextKeyName": name, "ContextKeyValues": [*value], "ContextKeyType": "stringList"}
