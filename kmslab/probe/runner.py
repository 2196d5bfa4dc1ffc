"""Running probes: side by side, each to its outcome, and nothing left at the end."""

from __future__ import annotations

import fnmatch
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.model.errors import LabError
from kmslab.probe.bench import Bench
from kmslab.probe.model import AREAS, REGISTRY, CouldNotLook, NotAsDocumented, Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kmslab.probe.model import Probe
    from kmslab.probe.world import World

WORKERS = 12
"""Probes that run at a time: enough that those which wait cost nothing, few enough for an emulator with one thread."""


def catalogue(only: Sequence[str] = ()) -> list[Probe]:
    """Return the probes in the order of their areas; with ``only`` those of the areas and ids that it names.

    Raises:
        LabError: a word names no probe.
    """
    from kmslab.probe import areas

    areas.load()
    order = list(AREAS)
    found = sorted(REGISTRY.values(), key=lambda one: order.index(one.area))
    if not only:
        return found
    for word in only:
        if not any(_named(probe, word) for probe in found):
            raise LabError(
                f"{word} is no area and no probe.",
                hint=f"Areas: {', '.join(dict.fromkeys(probe.area for probe in found))}; probes: kmslab probe --list.",
            )
    return [probe for probe in found if any(_named(probe, word) for word in only)]


def _named(probe: Probe, word: str) -> bool:
    return word == probe.area or fnmatch.fnmatchcase(probe.id, word)


def run_all(
    world: World, probes: Sequence[Probe], on_result: Callable[[Result], None] | None = None
) -> list[Result]:
    """Run probes to their outcomes, and remove what they made and shared.

    Args:
        world: the target and what the probes share.
        probes: which, as `catalogue` returns them.
        on_result: told each result as it comes, one at a time, in any order.

    Returns: one result for each probe, in the order of ``probes``.
    """
    results: dict[str, Result] = {}
    try:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="probe") as pool:
            futures = [pool.submit(run, world, one) for one in sorted(probes, key=lambda one: not one.slow)]
            try:
                for future in as_completed(futures):
                    result = future.result()
                    results[result.probe.id] = result
                    if on_result:
                        on_result(result)
            except (
                BaseException
            ):  # Ctrl-C above all: the running probes end and clean up, the others never start
                world.stopping.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    finally:
        world.close()
    return [results[one.id] for one in probes]


def run(world: World, one: Probe) -> Result:
    """Run one probe. Whatever goes wrong inside is an outcome, never an exception."""
    started = time.perf_counter()
    bench = Bench(world)

    def result(outcome: Outcome, seen: object) -> Result:
        return Result(one, outcome, " ".join(str(seen).split()), time.perf_counter() - started)

    try:
        one.look(bench)
    except NotAsDocumented as different:
        return result(Outcome.NOT_AS_DOCUMENTED, different)
    except CouldNotLook as unclear:
        return result(Outcome.COULD_NOT_LOOK, unclear)
    except (KeyError, IndexError) as error:  # the probes read the members that AWS documents
        return result(Outcome.NOT_AS_DOCUMENTED, f"an answer lacks {error} ({_place(error)})")
    except Exception as error:  # noqa: BLE001  # an unforeseen error is a probe that could not look
        return result(Outcome.COULD_NOT_LOOK, f"the probe broke: {type(error).__name__} at {_place(error)}")
    finally:
        world.problems.extend(f"{one.id}: {problem}" for problem in bench.close())
    if not (bench.positive and bench.negative):
        return result(Outcome.COULD_NOT_LOOK, "the probe looked at one side only")
    return result(Outcome.AS_DOCUMENTED, "; ".join(bench.trace))


def _place(error: BaseException) -> str:
    """Where it happened; its text might hold what was sent."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"
