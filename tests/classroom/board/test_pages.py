"""What the pages say, and what they do not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.board.following import Follower
from kmslab.classroom.board.pages import Pages, assets
from tests.classroom.board.conftest import COURSE, HOSTILE, tell, told, verified

if TYPE_CHECKING:
    from kmslab.project import Project

FAULT = "s3.default-encryption-is-sse-s3"


@pytest.fixture
def follower(project: Project) -> Follower:
    tell(
        project,
        told(0, "ada", "deploy.started"),
        told(1, "ada", "deploy.done", seconds=30.0),
        verified(2, "ada", "keys"),
        verified(3, "ada", "s3", "s3.reader"),
        told(4, "ada", "broken", fault=FAULT),
        told(5, "ada", "nudge", text="Look at s3 again"),
        told(6, "bob", "deploy.failed", why="no more keys"),
        told(7, "cy", "nudge", text=HOSTILE),
        told(7, "cy", "broken", fault=HOSTILE),
        verified(7, "cy", "grants", HOSTILE),
        told(8, "cy", "verify.failed", why=HOSTILE),
    )
    return Follower(project)


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_board_has_seats_against_topics(follower: Follower) -> None:
    page = Pages(follower, COURSE).board("/board/x")
    assert re.findall(r'<th scope="col" class="topic" id="topic-(\w+)">', page) == [*COURSE.topics]
    assert re.findall(r'<th scope="colgroup" colspan="(\d)" title="Guide page ([\w-]+)">', page) == [
        ("2", "02-first-key"),
        ("1", "05-s3"),
    ]
    ada = page[page.index('<tr id="ada"') : page.index('<tr id="bob"')]
    assert re.findall(r'<td class="([\w ]+)">([^<\n]*)', ada)[1:] == [
        ("proven", "1"),
        ("pass", "✓"),
        ("unseen", "·"),
        ("fail", "✕"),
    ]
    assert "⚑" in ada
    assert 'data-is="all help broken"' in ada


def test_who_needs_help_is_named_in_order_with_the_place(follower: Follower) -> None:
    page = Pages(follower, COURSE).board("/board/x")
    help_ = text(page[page.index('<section id="help">') : page.index('<section id="broken">')])
    assert re.findall(r"(ada|bob|cy) .*?(s3|deployment failed|verify broke off)", help_) == [
        ("ada", "s3"),
        ("bob", "deployment failed"),
        ("cy", "verify broke off"),
    ]


def test_a_change_holds_what_changed_and_nothing_else(follower: Follower, project: Project) -> None:
    pages = Pages(follower, COURSE)
    version = follower.state.version
    tell(project, verified(9, "ada", "s3"))
    follower.look()
    change = pages.change(version)
    assert change["seats"] == ("ada",)
    assert re.findall(r'<tr id="(\w+)"', change["rows"]) == ["ada"]
    assert change["inNeed"] == 2
    assert 'class="fail"' not in change["rows"]
    assert change["rows"] in pages.board("/board/x")
    assert pages.change(0)["seats"] == ("ada", "bob", "cy")


def test_the_cost_is_said_with_what_it_is(follower: Follower) -> None:
    assert re.search(r"about \d+\.\d\d USD so far", Pages(follower, COURSE).board("/"))
    assert COURSE.rates
    local = replace(COURSE, rates=replace(COURSE.rates, charged=False))
    assert re.search(r"costs nothing here; on AWS about \d+\.\d\d USD", Pages(follower, local).board("/"))
    assert "USD" not in Pages(follower, replace(COURSE, rates=None)).board("/")


def test_the_drawer_says_what_fails_what_is_broken_and_what_to_read(follower: Follower) -> None:
    drawer = text(Pages(follower, COURSE).drawer("ada", "/seat/ada/x"))
    assert "Reading an object needs the key. s3.reader Read: kmslab guide 05-s3" in drawer
    assert f"The bucket encrypts with a key of Amazon S3. {FAULT}" in drawer
    assert "Look at s3 again: kmslab guide 05-s3" in drawer
    assert "deployed in 30 s" in drawer


def test_a_learner_reads_what_fails_and_not_what_was_broken(follower: Follower) -> None:
    pages = Pages(follower, COURSE)
    page = text(pages.seat("ada", "/seat/ada/x"))
    assert "Reading an object needs the key. s3.reader Read: kmslab guide 05-s3" in page
    assert "Look at s3 again" in page
    assert "Something is broken on purpose" in page
    for told_to_learners in (page, *pages.seat_change("ada").values()):
        assert FAULT not in told_to_learners
        assert "encrypts with a key of Amazon S3" not in told_to_learners
    assert "bob" not in page
    assert pages.seat_change("ada")["lab"] in pages.seat("ada", "/seat/ada/x")


def test_nothing_from_outside_is_markup(follower: Follower) -> None:
    pages = Pages(follower, COURSE)
    change = pages.change(0)
    shown = [
        pages.board("/board/x"),
        pages.drawer("cy", "/seat/cy/x"),
        pages.seat("cy", "/seat/cy/x"),
        *pages.seat_change("cy").values(),
        change["rows"],
        *change["parts"].values(),
    ]
    assert any("&lt;script&gt;alert" in one for one in shown)
    for one in shown:
        assert "<script>alert" not in one
        assert "<img" not in one


def test_pages_name_no_other_server_and_have_no_script_or_style_of_their_own(follower: Follower) -> None:
    pages = Pages(follower, COURSE)
    files = assets()
    for page in (pages.board("/board/x"), pages.seat("ada", "/seat/ada/x"), pages.door()):
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", page)
        assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", page)
        used = re.findall(r'(?:src|href)="/assets/([^"]+)"', page)
        assert used
        assert set(used) <= set(files)
    assert not [name for name, (data, _) in files.items() if b"//" in data and b"http" in data]
