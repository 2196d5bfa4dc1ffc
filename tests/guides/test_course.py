"""The course as a whole: its pages, names and links fit together, and no command hides from the tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kmslab.checks import REGISTRY
from kmslab.faults import REGISTRY as FAULTS
from kmslab.guides.course import PAGES
from kmslab.guides.page import CLEAN_UP, Kind, Page, read

GUIDES = Path(__file__).resolve().parent.parent.parent / "lab_guides"
PATHS = sorted(GUIDES.glob("[0-9][0-9]-*.md"))
NAMES = [path.stem for path in PATHS]
MOST_SHOWN_ONLY = 0.05
SECTIONS = ("The idea", "Steps", "Checkpoint", CLEAN_UP, "Sources")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
WEB_LINK = re.compile(r"\]\((https?://[^)]+)\)")
ONLY = re.compile(r"--only ([a-z0-9.-]+)")


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return [read(path) for path in PATHS]


def test_every_page_is_one_of_the_planned_course() -> None:
    assert [int(name[:2]) for name in PAGES] == list(range(1, len(PAGES) + 1))
    assert set(NAMES) <= set(PAGES)
    assert {"01-orientation", "02-first-key", "03-key-policies", "05-s3", "06-ebs"} <= set(NAMES)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_page_says_what_it_gives_and_takes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(path.stem[:2])}. ")
    for promise in ("**You will be able to** ", "**Time** ", "**Cost** "):
        assert promise in text
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [section for section in SECTIONS if section in headings] == list(SECTIONS)
    sources = WEB_LINK.findall(text.partition("## Sources")[2])
    assert any("docs.aws.amazon.com" in source for source in sources)


@pytest.mark.parametrize("path", [*PATHS, GUIDES / "README.md"], ids=lambda path: path.stem)
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_the_index_names_every_page_once() -> None:
    index = (GUIDES / "README.md").read_text(encoding="utf-8")
    assert LINK.findall(index.partition("## How to read")[0]) == [path.name for path in PATHS]


def test_every_page_ends_with_its_clean_up_and_a_checkpoint_that_runs(pages: list[Page]) -> None:
    for page in pages:
        by_section = {step.section for step in page.steps if step.kind is Kind.RUN}
        assert {"Checkpoint", CLEAN_UP} <= by_section, page.name
        assert page.steps[-1].section == CLEAN_UP


def test_hardly_any_command_is_shown_only(pages: list[Page]) -> None:
    steps = [(page.name, step) for page in pages for step in page.steps]
    shown = [(name, step.line, step.why) for name, step in steps if step.kind is Kind.SHOWN]
    assert len(shown) <= MOST_SHOWN_ONLY * len(steps), shown


def test_every_page_past_the_first_shows_a_refusal(pages: list[Page]) -> None:
    assert [page.name for page in pages if not any(step.kind is Kind.REFUSED for step in page.steps)] == []


def test_no_page_prints_credentials_or_depends_on_one_version_of_the_cli(pages: list[Page]) -> None:
    for page in pages:
        for step in page.steps:
            assert "--cli-binary-format" not in step.script
            assert "--no-verify-ssl" not in step.script
            assert not re.search(r"^\s*kmslab env", step.script, re.MULTILINE), (page.name, step.line)


def test_every_check_and_fault_belongs_to_a_page_of_the_course() -> None:
    assert REGISTRY
    assert {check.guide for check in REGISTRY.values()} <= set(PAGES)
    assert FAULTS
    assert {fault.guide for fault in FAULTS.values()} <= set(PAGES)


def test_checkpoints_name_checks_that_exist(pages: list[Page]) -> None:
    known = {*REGISTRY, *(check_id.partition(".")[0] for check_id in REGISTRY)}
    for page in pages:
        scripts = " ".join(step.script for step in page.steps if step.section == "Checkpoint")
        named = ONLY.findall(scripts)
        assert named, page.name
        assert set(named) <= known, page.name
