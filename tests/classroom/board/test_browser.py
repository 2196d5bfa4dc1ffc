"""The board in a real browser: for everyone's eyes and hands, and live."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.classroom.board import actions
from kmslab.classroom.events import read
from kmslab.classroom.seats import Seat, class_folder, keep_seats
from kmslab.project import Project
from tests.classroom.board.conftest import Asking, Served, tell, told, verified

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE = 120_000
"""Milliseconds: the machine may be busy."""
SEATS = 30

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.xdist_group("board-browser"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A class with every kind of seat."""
    root = tmp_path_factory.mktemp("board")
    made = Project(root, root / "home")
    names = [f"seat-{number:02}" for number in range(1, SEATS + 1)]
    keep_seats(made, [Seat(name, f"7000000000{at:02}", "", f"Learner {at}") for at, name in enumerate(names)])
    for at, name in enumerate(names[:-2]):
        tell(made, told(at % 9, name, "deploy.started"), told(10, name, "deploy.done", seconds=30.0))
        tell(made, verified(11, name, "keys"), verified(12, name, "grants"), verified(13, name, "s3"))
    tell(
        made,
        verified(20, "seat-03", "s3", "s3.reader"),
        verified(21, "seat-05", "keys", errors=1),
        told(22, "seat-05", "broken", fault="s3.default-encryption-is-sse-s3"),
        told(23, "seat-05", "nudge", text="Look at keys again"),
        told(24, "seat-07", "verify.started"),
        told(25, "seat-08", "reset.failed", why="the engine is away"),
        told(26, "seat-09", "verify.topic", topic="grants", verdicts={"UNPROVABLE": 2}, failed=[]),
    )
    return made


@pytest.fixture(scope="module")
def served(project: Project) -> Iterator[Asking]:
    with Served(project) as address:
        yield Asking(address)


class Watched:
    """A page, and what went wrong in it."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page: Page = browser.new_page(**options)
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda said: self.wrong.append(said.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("#live[data-state=live]")

    def violations(self) -> list[str]:
        """What axe finds, with layout; it comes in past the page's policy, as a browser's own tools do."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("axe.run()")
        assert "color-contrast" in {one["id"] for one in found["passes"]}
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]

    def focused(self) -> str:
        """The text of what has the focus."""
        return str(self.page.evaluate("document.activeElement.textContent"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def board(browser: Browser, served: Asking) -> Iterator[Watched]:
    made = Watched(browser, served.address, viewport={"width": 1920, "height": 1080})
    yield made
    made.page.close()
    assert made.wrong == []
    assert {url for url in made.asked if not url.startswith((f"{served.origin}/", "data:"))} == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1920, 1080), (390, 844)], ids=["projector", "phone"])
def test_axe_finds_nothing(browser: Browser, served: Asking, scheme: Any, size: tuple[int, int]) -> None:
    viewport: Any = {"width": size[0], "height": size[1]}
    for path in (served.base, served.seat("seat-05")):
        seen = Watched(browser, served.origin + path, viewport=viewport, color_scheme=scheme)
        assert seen.violations() == []
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        if path == served.base:
            seen.page.click("#help button[data-seat=seat-05]")
            seen.page.wait_for_selector("dialog[open] form")
            assert seen.violations() == []
        assert seen.wrong == []
        seen.page.close()


def test_axe_notices_what_is_wrong(board: Watched) -> None:
    board.page.evaluate("document.querySelector('th').textContent = ''; document.documentElement.lang = ''")
    assert any(one.startswith("html-has-lang") for one in board.violations())


def test_the_projector_shows_no_token_and_a_reload_goes_on(board: Watched, served: Asking) -> None:
    assert board.page.url == f"{served.origin}/"
    board.page.reload()
    board.page.wait_for_selector("#live[data-state=live]")
    assert board.page.url == f"{served.origin}/"
    assert board.page.locator("#rows tr").count() == SEATS


def test_an_update_comes_in_and_the_focus_stays(board: Watched, project: Project) -> None:
    page = board.page
    page.wait_for_function("!document.querySelector('#rows.first')")
    page.focus("#rows tr:first-child th")
    board.press("ArrowRight", "ArrowRight", "ArrowRight")
    page.wait_for_function("document.activeElement.className === 'pass'")
    tell(project, verified(30, "seat-01", "keys", "keys.rotation"))
    page.wait_for_selector("#seat-01 td.fail")
    assert board.focused() == "✕1"
    page.wait_for_selector("#help button[data-seat=seat-01]")
    page.focus("#help button[data-seat=seat-01]")
    tell(project, verified(31, "seat-02", "keys", "keys.rotation"))
    page.wait_for_selector("#help button[data-seat=seat-02]")
    assert page.evaluate("document.activeElement.dataset.key") == "help-seat-01"
    tell(project, verified(32, "seat-01", "keys"), verified(32, "seat-02", "keys"))
    page.wait_for_selector("#seat-02 td.pass:nth-child(4)")


def test_the_table_is_walked_by_keyboard(board: Watched) -> None:
    page = board.page
    page.wait_for_function("!document.querySelector('#rows.first')")
    assert page.locator("#rows [tabindex='0']").count() == 1
    page.focus("#rows [tabindex='0']")
    walk = [
        ("ArrowDown", "seat-02 Learner 1"),
        ("PageDown", "seat-12 Learner 11"),
        ("ArrowUp", "seat-11 Learner 10"),
        ("Control+End", "·"),
        ("Home", "seat-30 Learner 29"),
        ("Control+Home", "seat-01 Learner 0"),
        ("ArrowLeft", "seat-01 Learner 0"),
    ]
    for key, text in walk:
        board.press(key)
        assert board.focused().strip() == text, key
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    assert page.locator("#rows [tabindex='0']").count() == 1
    board.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert board.focused().startswith("seat-01")
    board.press("Escape")
    page.wait_for_function("!document.querySelector('dialog').open")
    assert board.focused().startswith("seat-01")


def test_seats_are_found_and_filtered(board: Watched) -> None:
    page = board.page
    page.wait_for_function("!document.querySelector('#rows.first')")

    def shown() -> list[str]:
        return [str(one.get_attribute("id")) for one in page.locator("#rows tr:visible").all()]

    assert len(shown()) == SEATS
    page.click("[data-filter=help]")
    assert shown() == ["seat-03", "seat-05", "seat-08"]
    assert page.get_attribute("[data-filter=help]", "aria-pressed") == "true"
    page.click("[data-filter=broken]")
    assert shown() == ["seat-05"]
    page.click("[data-filter=idle]")
    assert shown() == ["seat-29", "seat-30"]
    page.click("[data-filter=idle]")
    page.focus("#rows [tabindex='0']")
    board.press("/")
    page.keyboard.type("learner 28")
    assert shown() == ["seat-29"]
    assert page.locator("#rows tr:visible [tabindex='0']").count() == 1


def test_a_nudge_reaches_the_learners_page(
    browser: Browser, board: Watched, served: Asking, project: Project
) -> None:
    learner = Watched(browser, served.origin + served.seat("seat-03"))
    page = board.page
    page.click("#seat-03 th")
    page.wait_for_selector("dialog[open] form")
    assert page.input_value("#nudge") == "Look at s3 again: kmslab guide 05-s3"
    page.fill("#nudge", "Who may decrypt <b>this</b>?")
    page.click("dialog button.main")
    learner.page.wait_for_selector(".nudges li")
    assert "Who may decrypt <b>this</b>?" in learner.page.inner_text(".nudges")
    page.wait_for_function("document.querySelector('.answer').textContent === 'seat-03 was nudged.'")
    page.wait_for_function("document.querySelector('.recent')?.textContent.includes('Who may decrypt')")
    assert learner.wrong == []
    learner.page.close()


def test_a_reset_is_asked_twice(board: Watched, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys; from pathlib import Path; from kmslab.classroom.events import append, event;"
        "append(Path(sys.argv[1]), event('seat-03', 'reset.started'))"
    )
    folder = class_folder(project)
    monkeypatch.setattr(actions, "reset_command", lambda _: [sys.executable, "-c", script, str(folder)])
    page = board.page
    page.click("#seat-03 th")
    page.wait_for_selector("dialog[open] form")
    assert not page.is_visible("dialog button.danger")
    page.click("[data-do=ask]")
    assert board.focused() == "Keep it"
    board.press("Enter")
    assert not page.is_visible("dialog button.danger")
    assert "reset.started" not in {one["kind"] for one in read(folder)[0]}
    page.click("[data-do=ask]")
    page.click("dialog button.danger")
    page.wait_for_selector("#seat-03 td.busy")
    page.wait_for_function(
        "document.querySelector('.answer').textContent === 'The reset of seat-03 has begun.'"
    )
    tell(project, told(40, "seat-03", "reset.failed", why="x"), verified(41, "seat-03", "s3", "s3.reader"))


def test_a_board_that_ended_is_said_and_one_that_is_back_goes_on(browser: Browser, tmp_path: Path) -> None:
    made = Project(tmp_path, tmp_path / "home")
    keep_seats(made, [Seat("ada", "700000000001")])
    with Served(made) as address:
        seen = Watched(browser, address)
    seen.page.wait_for_selector("#live[data-state=lost]")
    assert "still running" in seen.page.inner_text("#live")
    tell(made, told(1, "ada", "deploy.started"))
    with Served(made, Asking(address).port):
        seen.page.wait_for_selector("#live[data-state=live]")
        seen.page.wait_for_selector("#ada td.busy")
        seen.page.close()
