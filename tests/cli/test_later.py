from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kmslab.commands.later import LONGEST_PAUSE_SECONDS, next_time, wait_until
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from tests.cli.conftest import Recorder


def local(hour: int, minute: int) -> datetime:
    return datetime(2026, 11, 22, hour, minute).astimezone()


@pytest.mark.parametrize(
    ("text", "now", "moment"),
    [
        ("18:00", local(9, 30), local(18, 0)),
        ("9:05", local(9, 4), local(9, 5)),
        ("18:00", local(18, 0), local(18, 0) + timedelta(days=1)),
        ("01:00", local(23, 0), local(1, 0) + timedelta(days=1)),
    ],
)
def test_the_next_moment_of_that_time(text: str, now: datetime, moment: datetime) -> None:
    assert next_time(text, now) == moment


@pytest.mark.parametrize("text", ["", "18", "24:00", "18:60", "six", "18:00:00"])
def test_what_is_no_time_of_the_day_is_refused(text: str) -> None:
    with pytest.raises(LabError, match="is no time of the day") as caught:
        next_time(text, local(9, 0))
    assert caught.value.exit_code is ExitCode.BAD_INPUT


def test_it_waits_by_the_wall_clock_in_pieces(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [local(17, 58)]
    pauses: list[float] = []

    class Clock:
        @staticmethod
        def now(tz: object = None) -> datetime:
            del tz
            return clock[0]

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        # The machine sleeps through the last of it.
        clock[0] += timedelta(seconds=seconds) if len(pauses) < 3 else timedelta(hours=2)

    monkeypatch.setattr("kmslab.commands.later.datetime", Clock)
    wait_until(local(18, 0), recorder, pause=pause)
    assert pauses == [LONGEST_PAUSE_SECONDS] * 3
    assert recorder.said[0] == ("begin", "waiting for 18:00", "in 2 min; Ctrl-C calls it off")
    assert recorder.said[-1] == ("end", "waiting for 18:00", "it is time")


def test_a_moment_that_has_come_is_not_waited_for(recorder: Recorder) -> None:
    pauses: list[float] = []
    wait_until(datetime.now().astimezone() - timedelta(seconds=1), recorder, pause=pauses.append)
    assert pauses == []
