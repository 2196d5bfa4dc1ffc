"""The score as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.score.scanners import Noticed
    from kmslab.trial import Score


@dataclass(frozen=True, slots=True)
class Greens:
    """Runs of the verifier on the healthy lab.

    Attributes:
        asked: how many runs there were to be.
        in_a_row: how many were all green before the first that was not.
        red: what the first other one said, by check.
        seconds: how long they took together.
    """

    asked: int
    in_a_row: int
    red: Mapping[str, str]
    seconds: float

    @property
    def runs(self) -> int:
        """How many there were: the first that is not green is the last."""
        return self.in_a_row + bool(self.red)


@dataclass(frozen=True, slots=True)
class Result:
    """What `make score` prints.

    Attributes:
        machine: and date, see `benchmarks.timing.machine`.
        checks: how many checks the catalogue has.
        score: the trials of the verifier; none if only scanners were compared.
        greens: runs on the healthy lab.
        others: what scanners noticed.
    """

    machine: Mapping[str, str]
    checks: int
    score: Score
    greens: Greens
    others: Sequence[Noticed]

    @property
    def perfect(self) -> bool:
        """Whether every promise holds."""
        return self.score.perfect and self.greens.in_a_row == self.greens.asked

    def table(self) -> str:
        """Return the figures as Markdown."""
        rows = self._own() if self.score.trials else []
        rows += [
            (
                f"noticed by {other.scanner} {other.version} ({other.reads})",
                f"{len(other.faults)} of {other.shown} ({_share(len(other.faults), other.shown)})",
            )
            for other in self.others
        ]
        if len(self.others) > 1:
            together = len({fault for other in self.others for fault in other.faults})
            shown = max(other.shown for other in self.others)
            rows.append(("noticed by any of these", f"{together} of {shown} ({_share(together, shown)})"))
        about = self.machine
        head = (
            f"{self.checks} checks, measured {about['date']} on {about['cores']} cores, "
            f"{about['memory']}, Python {about['python']}."
        )
        lines = ["| figure | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
        return "\n".join([head, "", *lines, *self._wrong()])

    def _own(self) -> list[tuple[str, str]]:
        """What the verifier did."""
        trials = self.score.trials
        noticed = sum(not (trial.missed or trial.error) for trial in trials)
        return [
            ("faults", f"{len(trials)}"),
            ("noticed by every check that they name", f"{noticed} ({_share(noticed, len(trials))})"),
            ("turning red what they do not affect", f"{sum(bool(trial.strangers) for trial in trials)}"),
            ("not repaired", f"{sum(bool(trial.unrepaired) for trial in trials) + len(self.score.left)}"),
            ("greens in a row", f"{self.greens.in_a_row} of {self.greens.asked}"),
            ("seconds for the faults", f"{self.score.seconds:.0f}"),
            ("seconds for a green run", f"{self.greens.seconds / max(self.greens.runs, 1):.1f}"),
        ]

    def _wrong(self) -> list[str]:
        """What keeps the score from being perfect, one line each."""
        lines = []
        for trial in self.score.trials:
            if trial.error:
                lines.append(f"{trial.fault.id} could not be made: {trial.error}")
            for how in ("missed", "strangers", "unrepaired"):
                for check, said in getattr(trial, how).items():
                    lines.append(f"{trial.fault.id}: {how}: {check}: {said}")
        lines += [f"left: {check}: {said}" for check, said in self.score.left.items()]
        lines += [f"not green: {check}: {said}" for check, said in self.greens.red.items()]
        return ["", *lines] if lines else []

    def as_json(self) -> dict[str, Any]:
        """Return everything, for a file."""
        return {
            "machine": dict(self.machine),
            "checks": self.checks,
            "seconds": round(self.score.seconds, 1),
            "left": dict(self.score.left),
            "faults": [
                {
                    "id": trial.fault.id,
                    "seconds": round(trial.seconds, 1),
                    "noticed_by": trial.fault.noticed_by,
                    "error": trial.error,
                    "missed": dict(trial.missed),
                    "strangers": dict(trial.strangers),
                    "unrepaired": dict(trial.unrepaired),
                }
                for trial in self.score.trials
            ],
            "greens": {
                "asked": self.greens.asked,
                "in_a_row": self.greens.in_a_row,
                "red": dict(self.greens.red),
                "seconds": round(self.greens.seconds, 1),
            },
            "others": [
                {
                    "scanner": other.scanner,
                    "version": other.version,
                    "reads": other.reads,
                    "shown": other.shown,
                    "noticed": dict(other.faults),
                }
                for other in self.others
            ],
        }


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "no faults"
