"""What a check concludes, and the calls that show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kmslab.model.persona import Persona  # noqa: TC001  # part of the public shape of Call


class Outcome(StrEnum):
    """The four verdicts."""

    PASS = "PASS"  # noqa: S105  # a verdict, not a password
    """Observed, and as claimed."""
    FAIL = "FAIL"
    """Observed, and not as claimed."""
    ERROR = "ERROR"
    """Could not look: throttled, forbidden to look, no network, a positive control that did not succeed."""
    UNPROVABLE = "UNPROVABLE"
    """The target does not have or enforce what the check needs."""


@dataclass(frozen=True, slots=True)
class Call:
    """One API call that a check made. Never holds plaintext, credentials or key material.

    Attributes:
        persona: who called.
        action: ``service:Operation`` as boto3 names the service and botocore's model the operation.
        resource: key id, bucket and object, volume: what the call was about; may be empty.
        result: ``ok``, or the error code that came back (``AccessDeniedException``).
        detail: what the service said, or what the answer showed, in one line; may be empty.
    """

    persona: Persona
    action: str
    resource: str
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one check.

    Attributes:
        outcome: one of the four.
        summary: one line a person can read.
        evidence: the calls made, in order.
        seconds: how long the check took.
    """

    outcome: Outcome
    summary: str
    evidence: tuple[Call, ...] = ()
    seconds: float = 0.0
