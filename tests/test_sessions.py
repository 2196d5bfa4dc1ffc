from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore import utils
from botocore.utils import parse_timestamp

from kmslab import sessions

WHEN = datetime(2026, 11, 22, 18, 22, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("2026-11-22T18:22:04Z", WHEN),
        ("2026-11-22T18:22:04.123Z", WHEN + timedelta(milliseconds=123)),
        ("2026-11-22T19:22:04+01:00", WHEN),
        (WHEN.timestamp(), WHEN),
        (int(WHEN.timestamp()), WHEN),
        (str(int(WHEN.timestamp())), WHEN),
        ("Sun, 22 Nov 2026 18:22:04 GMT", WHEN),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (253_402_300_799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_botocore_reads_it(told: Any, meant: datetime) -> None:
    assert sessions.moment(told) == meant == parse_timestamp(told)
    assert sessions.moment(told).tzinfo is not None


@pytest.mark.parametrize("told", ["", "soon", "2026-13-01T00:00:00Z", None])
def test_what_is_no_moment_is_refused_as_botocore_refuses_it(told: Any) -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        sessions.moment(told)


def test_a_moment_without_a_time_zone_is_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    there = WHEN.astimezone(timezone(timedelta(hours=3)))
    monkeypatch.setattr(utils, "parse_timestamp", lambda _: there)
    assert sessions.moment("2026-11-22T18:22:04") is there
