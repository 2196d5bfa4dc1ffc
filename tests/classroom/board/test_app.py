"""The board over HTTP: who gets what, and how changes come."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.board import actions, app
from kmslab.classroom.events import read
from kmslab.classroom.seats import class_folder, keep_seats
from tests.classroom.board.conftest import SEATS, Asking, Served, tell, told, verified

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from kmslab.project import Project


def kinds(project: Project) -> list[tuple[str, str]]:
    return [(one["seat"], one["kind"]) for one in read(class_folder(project))[0]]


def next_event(stream: HTTPResponse, name: str) -> dict[str, str]:
    """The next event of that name: its fields."""
    fields: dict[str, str] = {}
    while line := stream.readline().decode():
        if line.strip():
            field, _, value = line.rstrip("\n").partition(": ")
            fields[field] = value
        elif fields.get("event") == name:
            return fields
        else:
            fields = {}
    raise AssertionError(f"the stream ended before {name}")


def test_the_address_opens_the_board_and_nothing_else_does(served: Asking) -> None:
    assert served.address.startswith("http://127.0.0.1:")
    status, headers, page = served.ask(served.base)
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<tr id="ada"' in page
    for path in ("/board/x", "/board/", f"{served.base}x", f"{served.base}/seat/nobody", "/assets/none.js"):
        status, _, body = served.ask(path)
        assert (status, "ada" in body) == (404, False), path
    door = served.ask("/")
    assert door[0] == 200
    assert "ada" not in door[2]
    assert served.base not in door[2]


def test_every_answer_forbids_what_a_page_need_not_do(served: Asking) -> None:
    for path in (served.base, "/", "/assets/board.js", "/none", served.seat("ada")):
        headers = served.ask(path)[1]
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost"])
def test_another_name_for_this_machine_is_refused(served: Asking, host: str) -> None:
    for path in (served.base, served.seat("ada"), "/assets/board.js"):
        assert served.ask(path, host=host)[0] == 421
    assert served.ask(served.base, host=f"localhost:{served.port}")[0] == 200


def test_what_another_page_asks_is_refused(served: Asking, project: Project) -> None:
    body = {"seat": "ada", "text": "look"}
    for origin in (
        "http://evil.example",
        "null",
        f"http://127.0.0.1:{served.port + 1}",
        f"https://127.0.0.1:{served.port}",
    ):
        assert served.post("/nudge", body, Origin=origin)[0] == 403
        assert served.ask(f"{served.base}/events?since=x:0", Origin=origin)[0] == 403
    assert served.ask(f"{served.base}/nudge", method="POST", body=body)[0] == 403
    assert served.post("/nudge", body, Content_Type="text/plain")[0] == 415
    assert kinds(project) == []


def test_a_nudge_is_an_event(served: Asking, project: Project) -> None:
    assert served.post("/nudge", {"seat": "ada", "text": " look \n again "}) == (
        200,
        '{"said":"ada was nudged."}',
    )
    (event,) = read(class_folder(project))[0]
    assert (event["seat"], event["kind"], event["text"]) == ("ada", "nudge", "look again")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"seat": "ada", "text": ""}, 422),
        ({"seat": "ada", "text": "x" * 281}, 422),
        ({"seat": "ada", "text": "a\u202eb"}, 422),
        ({"seat": "nobody", "text": "x"}, 404),
        ({"seat": ["ada"], "text": "x"}, 404),
        ({"text": "x"}, 404),
        (["ada"], 400),
        ({"seat": "ada", "text": "x" * 5000}, 413),
    ],
)
def test_a_wrong_nudge_is_refused_in_one_line(
    served: Asking, project: Project, body: object, status: int
) -> None:
    got, said = served.post("/nudge", body)
    assert (got, said.count("\n")) == (status, 1)
    assert kinds(project) == []


def test_a_learner_sees_one_seat_and_has_no_buttons(served: Asking, project: Project) -> None:
    ada, bob = served.seat("ada"), served.seat("bob")
    status, _, page = served.ask(ada)
    assert status == 200
    assert "<form" not in page
    assert "board.js" not in page
    assert served.ask(ada.replace("/ada/", "/bob/"))[0] == 404
    assert served.ask(bob.replace("/bob/", "/ada/") + "/events?since=x:0")[0] == 404
    token = ada.rpartition("/")[2]
    for path in (f"/board/{token}", f"/board/{token}/seats.csv", f"/board/{token}/seat/ada"):
        assert served.ask(path)[0] == 404
    headers = {"Origin": served.origin}
    for path in (f"/board/{token}/reset", f"/board/{token}/nudge"):
        assert served.ask(path, method="POST", body={"seat": "ada", "text": "x"}, **headers)[0] == 404
    assert served.ask(f"{ada}/reset", method="POST", body={}, **headers)[0] == 404
    assert kinds(project) == []


def test_the_addresses_are_a_table_that_no_spreadsheet_runs(project: Project) -> None:
    keep_seats(project, [SEATS[0].__class__("eve", "700000000009", "", "=HYPERLINK(1)")])
    with Served(project) as address:
        served = Asking(address)
        status, headers, text = served.ask(f"{served.base}/seats.csv")
        assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert re.fullmatch(
            rf"seat,learner,address\neve,'=HYPERLINK\(1\),{served.origin}/seat/eve/[\w-]{{24}}\n", text
        )
        assert served.ask(served.seat("eve"))[0] == 200


def test_changes_come_by_themselves_and_go_on_where_they_stopped(served: Asking, project: Project) -> None:
    seen = re.search(r'data-seen="([\w:]+)"', served.ask(served.base)[2])
    assert seen
    with served.opened(f"{served.base}/events?since={seen[1]}") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        next_event(stream, "hello")
        tell(project, told(1, "ada", "deploy.started"))
        first = next_event(stream, "change")
        assert json.loads(first["data"])["seats"] == ["ada"]
    tell(project, told(2, "bob", "deploy.started"))
    with served.opened(f"{served.base}/events?since={seen[1]}", Last_Event_ID=first["id"]) as stream:
        later = next_event(stream, "change")
        assert json.loads(later["data"])["seats"] == ["bob"]
        assert later["id"] != first["id"]


def test_a_learner_hears_of_the_own_seat_only(served: Asking, project: Project) -> None:
    ada = served.seat("ada")
    seen = re.search(r'data-seen="([\w:]+)"', served.ask(ada)[2])
    assert seen
    with served.opened(f"{ada}/events?since={seen[1]}") as stream:
        next_event(stream, "hello")
        tell(project, told(1, "bob", "nudge", text="for bob"))
        tell(project, told(2, "ada", "nudge", text="for ada"))
        change = next_event(stream, "change")
        assert "for ada" in change["data"]
        assert "for bob" not in change["data"]


def test_a_page_of_another_class_is_told_to_load_again(served: Asking) -> None:
    with served.opened(f"{served.base}/events?since=00000000:7") as stream:
        next_event(stream, "anew")
    for since in ("", "x", "x:", "x:-1", "x:²"):
        path = f"{served.base}/events?since={since.replace('²', '%C2%B2')}"
        assert served.ask(path)[0] == 400


def test_streams_are_bounded_and_one_that_is_left_makes_room(
    served: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "STREAMS", 1)
    monkeypatch.setattr(app, "HEARTBEAT", 0.05)
    seen = re.search(r'data-seen="([\w:]+)"', served.ask(served.base)[2])
    assert seen
    path = f"{served.base}/events?since={seen[1]}"

    def opens() -> bool:
        with served.opened(path) as stream:
            if stream.status == 200:
                next_event(stream, "hello")
            return stream.status == 200

    with served.opened(path) as stream:
        next_event(stream, "hello")
        assert stream.readline() == b": still here\n"
        assert not opens()
    wait_for(opens)


def test_a_reset_is_the_command_that_one_would_type(
    served: Asking, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert actions.reset_command("ada")[1:] == ["class", "reset", "ada"]
    done = class_folder(project) / "done"
    monkeypatch.setattr(
        actions,
        "reset_command",
        lambda seat: [sys.executable, "-c", f"open({str(done)!r}, 'x').write({seat!r})"],
    )
    seen = re.search(r'data-seen="([\w:]+)"', served.ask(served.base)[2])
    assert seen
    assert served.post("/reset", {"seat": "nobody"})[0] == 404
    assert served.post("/reset", {"seat": "bob"})[0] == 202
    wait_for(lambda: done.exists() and done.read_text() == "bob")
    assert kinds(project) == []  # the command tells; this one said nothing


def test_a_reset_that_could_not_say_why_is_told_of(
    served: Asking, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import sys; sys.exit('Traceback\\nerror: no such setting\\n  a hint')"
    monkeypatch.setattr(actions, "reset_command", lambda _: [sys.executable, "-c", script])
    assert served.post("/reset", {"seat": "ada"})[0] == 202
    wait_for(lambda: kinds(project) == [("ada", "reset.failed")])
    (event,) = read(class_folder(project))[0]
    assert event["why"] == "no such setting"
    monkeypatch.setattr(actions, "reset_command", lambda _: ["/nowhere/kmslab"])
    assert served.post("/reset", {"seat": "bob"})[0] == 202
    wait_for(lambda: kinds(project)[-1] == ("bob", "reset.failed"))
    assert read(class_folder(project))[0][-1]["why"] == "kmslab: No such file or directory"


def test_a_seat_is_reset_once_at_a_time(
    served: Asking, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = class_folder(project) / "go"
    script = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)"
    monkeypatch.setattr(actions, "reset_command", lambda _: [sys.executable, "-c", script])
    assert served.post("/reset", {"seat": "ada"})[0] == 202
    status, said = served.post("/reset", {"seat": "ada"})
    assert (status, said) == (409, "ada is being reset already.\n")
    go.touch()
    wait_for(lambda: served.post("/reset", {"seat": "ada"})[0] == 202)
    tell(project, told(1, "bob", "verify.started"))
    wait_for(lambda: "verifying" in served.ask(f"{served.base}/seat/bob")[2])
    status, said = served.post("/reset", {"seat": "bob"})
    assert (status, said) == (409, "bob is verifying now: wait until that is over.\n")


def test_the_links_of_a_class_stay_good(project: Project) -> None:
    tell(project, verified(1, "ada", "s3", "s3.reader"))
    with Served(project) as first:
        paths = Asking(first).base, Asking(first).seat("ada")
    with Served(project) as second:
        assert Asking(second).base == paths[0]
        assert [Asking(second).ask(path)[0] for path in paths] == [200, 200]


def wait_for(true: object) -> None:
    import time

    assert callable(true)
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)  # a condition of another process: there is nothing to wait on
