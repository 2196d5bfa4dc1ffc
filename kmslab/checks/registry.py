"""The register of checks: what a check declares, and how one is run to a verdict."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmslab.lab import Failed, Inconclusive, NotOffered
from kmslab.model.regions import lacking
from kmslab.model.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from kmslab.lab import Lab
    from kmslab.model.capability import Capability
    from kmslab.model.outputs import Output

CheckFunction = Callable[["Lab"], str]
"""Looks, and returns in one line what it saw; raises Failed or Inconclusive otherwise."""

REGISTRY: dict[str, Check] = {}


@dataclass(frozen=True, slots=True)
class Check:
    """One claim of the lab and the function that looks whether it holds.

    Attributes:
        id: ``<module>.<function>`` in kebab case.
        title: first line of the docstring.
        explanation: the rest of the docstring; may be empty.
        guide: name of the guide page it belongs to (``05-s3``).
        needs: capabilities without which it is UNPROVABLE.
        controls: public control ids that it evidences (``KMS.4``, ``prowler:kms_cmk_rotation_enabled``).
        serial: takes a key of the lab out of service for a while (`temporary.stopped`): runs after the others,
            beside those that stop another key, and looks at nothing that needs a key but its own.
        changes_keys: makes a key or changes one's state, material or rotation.
        lengthy: makes more than a hundred calls.
        part: name of the output of the optional part of the lab that it is about: a lab that was deployed
            without it does not make the claim (decision 0022). Empty: every lab makes it.
        function: what looks.
    """

    id: str
    title: str
    explanation: str
    guide: str
    function: CheckFunction
    needs: frozenset[Capability] = field(default_factory=frozenset)
    controls: tuple[str, ...] = ()
    serial: bool = False
    changes_keys: bool = False
    lengthy: bool = False
    part: str = ""

    @property
    def quick(self) -> bool:
        """Whether a quick run has it."""
        return not (self.changes_keys or self.lengthy)


def check(
    *,
    guide: str,
    needs: set[Capability] | frozenset[Capability] = frozenset(),
    controls: tuple[str, ...] = (),
    serial: bool = False,
    changes_keys: bool = False,
    lengthy: bool = False,
    part: Output | None = None,
) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as a check; its docstring is what a learner reads."""

    def register(function: CheckFunction) -> CheckFunction:
        module = function.__module__.rpartition(".")[2]
        check_id = f"{module}.{function.__name__}".replace("_", "-")
        if check_id in REGISTRY:
            raise ValueError(f"two checks are called {check_id}")
        title, _, rest = (function.__doc__ or "").strip().partition("\n")
        explanation = " ".join(rest.split())
        REGISTRY[check_id] = Check(
            check_id,
            title,
            explanation,
            guide,
            function,
            frozenset(needs),
            controls,
            serial,
            changes_keys,
            lengthy,
            part.name if part else "",
        )
        return function

    return register


def run(one: Check, lab: Lab) -> Verdict:
    """Run a check to its verdict. Whatever goes wrong inside is a verdict, never an exception."""
    missing = one.needs - lab.capabilities
    if missing:
        return Verdict(Outcome.UNPROVABLE, f"this target does not enforce {', '.join(sorted(missing))}")
    started = time.perf_counter()

    def verdict(outcome: Outcome, summary: Any) -> Verdict:
        return Verdict(
            outcome, " ".join(str(summary).split()), tuple(lab.calls), time.perf_counter() - started
        )

    try:
        with lab:
            seen = one.function(lab)
    except Failed as failed:
        return verdict(Outcome.FAIL, failed)
    except NotOffered as absent:
        return verdict(Outcome.UNPROVABLE, absent)
    except Inconclusive as unclear:
        return verdict(Outcome.ERROR, unclear)
    except Exception as error:  # noqa: BLE001  # an unforeseen error is a check that could not look: ERROR
        return verdict(*_unforeseen(error))
    return verdict(Outcome.PASS, seen)


def _unforeseen(error: Exception) -> tuple[Outcome, str]:
    """Say where a check broke, unless it is that the target lacks what it asked for."""
    if absent := lacking(error):
        return Outcome.UNPROVABLE, absent
    # Its text may hold what the check held, plaintext or a key: the place is enough to find it.
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return Outcome.ERROR, f"the check itself broke: {type(error).__name__} at {where}"
