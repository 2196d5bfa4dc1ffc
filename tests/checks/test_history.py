from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks.history import BETWEEN_LOOKS, BETWEEN_REQUESTS, HISTORY_SECONDS, event_of
from kmslab.lab import Inconclusive, Lab
from kmslab.model.capability import ALL
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from tests.checks.fakes import OUTPUTS, RUN, FakeAccess, Request, World, open_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK = "cloudtrail:LookupEvents"
KEY = OUTPUTS.key_app
ENCRYPT = {"eventName": "Encrypt", "userIdentity": {"arn": "arn:of-somebody"}}
DECRYPT = {**ENCRYPT, "eventName": "Decrypt"}


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HISTORY_SECONDS, TargetKind.LOCAL, 0.05)


def page(*events: dict[str, Any], token: str = "") -> Mapping[str, Any]:
    more = {"NextToken": token} if token else {}
    return {"Events": [{"CloudTrailEvent": json.dumps(one)} for one in events], **more}


def attributes(world: World) -> list[tuple[str, str]]:
    return [
        (one["AttributeKey"], one["AttributeValue"])
        for request in world.asked(LOOK)
        for one in request["LookupAttributes"]
    ]


def anything(_: Any) -> bool:
    return True


def test_the_history_of_the_key_is_looked_through() -> None:
    world = World().answers(LOOK, page(DECRYPT, ENCRYPT))
    assert event_of(open_lab(world), "Encrypt", anything, key=KEY) == ENCRYPT
    assert attributes(world) == [("ResourceName", KEY)]


def test_or_that_of_a_session() -> None:
    world = World().answers(LOOK, page(ENCRYPT))
    assert event_of(open_lab(world), "Encrypt", anything, persona=Persona.OUTSIDER) == ENCRYPT
    assert attributes(world) == [("Username", "kmslab-outsider")]


def test_every_page_is_looked_at() -> None:
    world = World().answers(LOOK, page(ENCRYPT), when=lambda r: r.get("NextToken") == "second")
    world.answers(LOOK, page(DECRYPT, token="second"), when=lambda r: r.get("NextToken") is None)
    assert event_of(open_lab(world), "Encrypt", anything, key=KEY) == ENCRYPT
    assert len(world.asked(LOOK)) == 2


def test_an_event_that_names_no_key_is_found_at_the_end() -> None:
    world = World().answers(LOOK, page())

    def by_name(request: Request) -> bool:
        return bool(request["LookupAttributes"][0]["AttributeKey"] == "EventName")

    world.answers(LOOK, page(ENCRYPT), when=by_name)
    assert event_of(open_lab(world), "Encrypt", anything, key=KEY) == ENCRYPT
    assert attributes(world)[-1] == ("EventName", "Encrypt")
    assert attributes(world).count(("EventName", "Encrypt")) == 1


def test_what_does_not_appear_is_inconclusive() -> None:
    lab = open_lab(World().answers(LOOK, page(DECRYPT)))
    with pytest.raises(Inconclusive, match="the Encrypt event in the event history did not happen"):
        event_of(lab, "Encrypt", anything, key=KEY)
    assert not lab.calls


def test_looks_of_all_checks_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BETWEEN_REQUESTS, TargetKind.LOCAL, 0.1)
    times: list[float] = []
    world = World()

    def answer(_: Request) -> Mapping[str, Any]:
        times.append(time.monotonic())
        return page(ENCRYPT)

    access = FakeAccess(world.answers(LOOK, answer))
    labs = [Lab(access, OUTPUTS, ALL, RUN) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda lab: event_of(lab, "Encrypt", anything, key=KEY), labs))
    assert len(times) == 4
    # A turn starts the clock, the request follows a moment later: the first and the last tell most.
    assert max(times) - min(times) >= 0.25


def test_a_check_does_not_look_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BETWEEN_LOOKS, TargetKind.LOCAL, 0.2)
    monkeypatch.setitem(HISTORY_SECONDS, TargetKind.LOCAL, 5.0)
    times: list[float] = []

    def answer(_: Request) -> Mapping[str, Any]:
        times.append(time.monotonic())
        return page(ENCRYPT) if len(times) == 3 else page()

    event_of(open_lab(World().answers(LOOK, answer)), "Encrypt", anything, key=KEY)
    assert all(later - earlier >= 0.19 for earlier, later in pairwise(times))


def test_ctrl_c_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (BETWEEN_LOOKS, HISTORY_SECONDS):
        monkeypatch.setitem(seconds, TargetKind.LOCAL, 60.0)
    world = World().answers(LOOK, page())
    lab = open_lab(world)
    threading.Timer(0.2, lab.access.stopping.set).start()
    started = time.monotonic()
    with pytest.raises(Inconclusive, match="stopped"):
        event_of(lab, "Encrypt", anything, key=KEY)
    assert time.monotonic() - started < 30
    assert ("EventName", "Encrypt") not in attributes(world)


def test_aws_allows_two_requests_a_second() -> None:
    assert BETWEEN_REQUESTS[TargetKind.AWS] > 0.5
    assert BETWEEN_LOOKS[TargetKind.AWS] >= 10
    assert BETWEEN_REQUESTS[TargetKind.LOCAL] == BETWEEN_LOOKS[TargetKind.LOCAL] == 0
