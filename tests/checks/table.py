"""A table of broken worlds: every check of a topic is shown to PASS, to FAIL and to ERROR."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.checks import REGISTRY
from kmslab.model.verdict import Outcome
from tests.checks.fakes import World, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.model.persona import Persona
    from kmslab.model.verdict import Verdict


@dataclass(frozen=True)
class Broken:
    """One thing that is wrong in an otherwise good world.

    Attributes:
        check: id of the check that must notice.
        how: breaks the world.
        says: words of the verdict.
        outcome: FAIL, or ERROR where the break keeps the check from seeing.
    """

    check: str
    how: Callable[[World], object]
    says: str
    outcome: Outcome = Outcome.FAIL

    def __str__(self) -> str:
        return f"{self.check}: {self.says}"


def answers(action: str, reply: Any, *personas: Persona) -> Callable[[World], object]:
    """Break a world: an operation is answered otherwise, to some personas or to everybody."""
    return lambda world: world.answers(action, reply, *personas)


def checks_of(topic: str) -> list[str]:
    """Ids of the topic's checks."""
    return sorted(one for one in REGISTRY if one.startswith(f"{topic}."))


def never_red(topic: str, table: list[Broken]) -> set[str]:
    """The topic's checks that no row of the table turns to FAIL."""
    return set(checks_of(topic)) - {row.check for row in table if row.outcome is Outcome.FAIL}


def break_and_judge(row: Broken, world: World) -> Verdict:
    """Break the world as the row says, and run its check in it."""
    row.how(world)
    return judge(row.check, world)
