"""What a look for the residue of a lab finds, in the words that are printed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing stands."""

    LEFT = "left"
    """It is there, and nothing says that it goes."""
    STANDS = "stands"
    """It belongs to a stack of the lab that stands: not forgotten, but not gone."""
    GOING = "going"
    """Its deletion is scheduled: it waits out its window."""
    UNSEEN = "not seen"
    """It was the lab's, and nobody would say how it stands."""


class Why(StrEnum):
    """What makes a thing the lab's."""

    TAG = "tag"
    """It carries the lab's tag."""
    STACK = "stack"
    """A stack of the lab owns it, or owned it."""
    KEY = "key"
    """It lies under a key that a stack of the lab owns or owned."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is, or was, the lab's.

    Attributes:
        kind: as the tagging service names it: ``kms:key``, ``ec2:snapshot``.
        id: its ARN, or its id where its service gives no ARN.
        why: what makes it the lab's, in the order of `Why`.
        state: how it stands.
        until: when its window ends, ISO 8601 in UTC; empty unless it is `State.GOING`.
        said_by: who says so: ``kms``, ``cloudtrail``, ``cloudformation``; may be empty.
        note: what a person should know beside that; may be empty.
        temporary: whether a check or probe made it for itself.
    """

    kind: str
    id: str
    why: tuple[Why, ...]
    state: State
    until: str = ""
    said_by: str = ""
    note: str = ""
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Residue:
    """Everything of one lab in one account and Region, at one moment.

    Attributes:
        prefix: the lab's.
        account: the 12-digit id.
        region: that was looked at; IAM and the names of buckets are the whole account's.
        at: when the look began, ISO 8601 in UTC.
        things: by state and kind.
        unseen: what could not be looked at, one line each; never the same as "nothing there".
        looked: what was looked at: services, and the Regions of the tagging service.
    """

    prefix: str
    account: str
    region: str
    at: str
    things: tuple[Found, ...]
    unseen: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()

    def of(self, state: State) -> tuple[Found, ...]:
        """The things in a state."""
        return tuple(thing for thing in self.things if thing.state is state)

    @property
    def clean(self) -> bool:
        """Whether nothing is left but what waits out its window, and everything could be looked at."""
        return not self.unseen and all(thing.state is State.GOING for thing in self.things)
