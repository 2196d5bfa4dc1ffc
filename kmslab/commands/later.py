"""``--at 18:00``: a command that waits in the terminal for a time of the day."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.progress import Progress

LONGEST_PAUSE_SECONDS = 30.0
"""A machine that slept wakes up late: the clock is looked at this often."""


def next_time(text: str, now: datetime) -> datetime:
    """Return the next moment of this time of the day, today or tomorrow.

    Args:
        text: ``18:00``.
        now: in local time, aware.

    Raises:
        LabError: it is no time of the day.
    """
    try:
        wanted = datetime.strptime(text, "%H:%M")  # noqa: DTZ007  # of the day; the day comes from `now`
    except ValueError as error:
        raise LabError(
            f"--at {text} is no time of the day.", hint="For example: --at 18:00, local time."
        ) from error
    today = now.replace(hour=wanted.hour, minute=wanted.minute, second=0, microsecond=0)
    # In local time again: between the two days the clocks may change.
    return today if today > now else (today.replace(tzinfo=None) + timedelta(days=1)).astimezone()


def wait_until(
    moment: datetime, progress: Progress, *, pause: Callable[[float], object] | None = None
) -> None:
    """Return at that moment by the wall clock, or as soon as the machine wakes up after it.

    Args:
        moment: aware.
        progress: told how long it still is.
        pause: waits some seconds.
    """
    pause = pause or threading.Event().wait
    begun = datetime.now(moment.tzinfo)
    total = max(int((moment - begun).total_seconds()), 1)
    name = f"waiting for {moment:%H:%M}"
    progress.begin(name, f"{_long(total)}; Ctrl-C calls it off")
    while (left := (moment - datetime.now(moment.tzinfo)).total_seconds()) > 0:
        progress.advance(name, total - int(left), total)
        pause(min(left, LONGEST_PAUSE_SECONDS))
    progress.end(name, "it is time")


def _long(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return (
        f"in {hours} h {minutes:02} min" if hours else f"in {minutes} min" if minutes else f"in {seconds} s"
    )
