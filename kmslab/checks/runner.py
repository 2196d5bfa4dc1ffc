"""Running checks: side by side, those that stop a key of the lab after the others, and nothing left at the end."""

from __future__ import annotations

import gc
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kmslab.checks.catalogue import catalogue
from kmslab.checks.registry import run
from kmslab.checks.sweep import retire, sweep
from kmslab.lab import Lab
from kmslab.model.errors import LabError
from kmslab.model.outputs import LabOutputs
from kmslab.model.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kmslab.checks.registry import Check
    from kmslab.checks.sweep import Swept
    from kmslab.lab import Access
    from kmslab.model.capability import Capability

__all__ = ["WORKERS", "catalogue", "claimed", "new_run_id", "run_all"]

WORKERS = 32
"""Checks that run at a time: they mostly wait, for answers and, on a bad day, for their turn to ask again.
KMS's request quotas are far away."""

DEADLINE_SECONDS = 1800.0
"""How long a run may take unless told otherwise: twice what the slowest lookup on AWS needs (event history)."""
GRACE_SECONDS = 15.0
"""What running checks have, after the deadline, to remove what they made."""

OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""Python's own is 700 (``gc.set_threshold``)."""


def new_run_id() -> str:
    """A name for a run that no other has; later ones sort after it."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Look for cyclic garbage rarely: botocore's models are many objects that stay, looked at each time.

    A sixth of a run's processor time on the local lab; what a run leaves uncollected is a few MB.
    """
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def _deadline(access: Access, seconds: float) -> Iterator[None]:
    """After so many seconds the checks stop looking and clean up; a little later no request is sent at all."""
    access.stopping.clear()
    access.closed.clear()
    timers = [
        threading.Timer(seconds, access.stopping.set),
        threading.Timer(seconds + GRACE_SECONDS, access.closed.set),
    ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def claimed(checks: Sequence[Check], outputs: LabOutputs) -> list[Check]:
    """The checks whose part of the lab is deployed: of an optional part that is not, nothing is claimed.

    Raises:
        LabError: none is left.
    """
    optional = {output.name: output for output in LabOutputs.all() if output.optional}
    found = [check for check in checks if not check.part or outputs.value_of(optional[check.part])]
    if not found:
        parts = sorted({optional[check.part].stack for check in checks})
        raise LabError(
            f"this lab was deployed without what these checks are about: {', '.join(parts)}",
            hint=f"deploy it with -c kmslab.{parts[0]}=true",
        )
    return found


def run_all(
    access: Access,
    outputs: LabOutputs,
    capabilities: frozenset[Capability],
    only: Sequence[str] = (),
    on_verdict: Callable[[Check, Verdict], None] | None = None,
    *,
    quick: bool = False,
    on_sweep: Callable[[Swept], None] | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
    workers: int = WORKERS,
) -> list[tuple[Check, Verdict]]:
    """Run checks to their verdicts.

    Removes first what a run that crashed left behind, and at the end, or when it is interrupted,
    what this one shared between its checks. One run at a time on one lab: see `sweep`.

    Args:
        access: to the target, as every persona.
        outputs: what the stacks exported.
        capabilities: what the target enforces; a check that needs more is UNPROVABLE.
        only: words as `catalogue` takes them; empty: every check.
        quick: leave out the checks that make a key or change one, and the lengthy ones.
        on_verdict: told each verdict as it comes, one at a time, in any order.
        on_sweep: told what was removed before and after the checks, and what could not be.
        deadline_seconds: after this the checks that have not begun are ERROR, the running ones stop looking
            and clean up, and `GRACE_SECONDS` later nothing is sent any more.
        workers: checks that run at a time.

    Returns: every check of what is deployed with its verdict, in the order of the catalogue.

    Raises:
        LabError: a word of ``only`` names no check, or all of them name checks of what is not deployed.
        KeyboardInterrupt: passed on, after the running checks have cleaned up.
    """
    checks = claimed(catalogue(only, quick=quick), outputs)
    run_id = new_run_id()
    verdicts: dict[str, Verdict] = {}

    def judge(check: Check) -> Verdict:
        if access.stopping.is_set():
            return Verdict(Outcome.ERROR, f"the deadline of {deadline_seconds:.0f} s passed before it began")
        return run(check, Lab(access, outputs, capabilities, run_id))

    def go(some: Iterable[Check]) -> None:
        with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
            futures = {pool.submit(judge, check): check for check in some}
            try:
                for future in as_completed(futures):
                    check = futures[future]
                    verdicts[check.id] = future.result()
                    if on_verdict:
                        on_verdict(check, verdicts[check.id])
            except (
                BaseException
            ):  # Ctrl-C above all: the waits of the running checks end, the others never start
                access.stopping.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def told(swept: Swept) -> None:
        if on_sweep:
            on_sweep(swept)

    with _collecting_seldom(), _deadline(access, deadline_seconds):
        told(sweep(access, outputs, run_id=run_id))
        try:
            go(check for check in checks if not check.serial)
            go(check for check in checks if check.serial)
        finally:
            told(retire(access, run_id))
    return [(check, verdicts[check.id]) for check in checks]
