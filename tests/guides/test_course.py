"""The course as a whole: its pages, names and links fit together, and no command hides from the tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kmslab.checks import REGISTRY
from kmslab.faults import REGISTRY as FAULTS
from kmslab.guides.course import APPENDICES, HANDBOOK, PAGES
from kmslab.guides.includes import stale
from kmslab.guides.page import CLEAN_UP, Kind, Page, read

GUIDES = Path(__file__).resolve().parent.parent.parent / "lab_guides"
PATHS = sorted(GUIDES.glob("[0-9][0-9]-*.md"))
NAMES = [path.stem for path in PATHS]
MOST_NOT_RUN = 0.05
SECTIONS = [
    "The idea",
    "Before you start",
    "Steps",
    "Checkpoint",
    "Break and fix",
    "Questions",
    CLEAN_UP,
    "What is dated in older courses",
    "Sources",
]
QUESTION = re.compile(r"<details>\n<summary>.+\?</summary>\n\n(?:.+\n+)+?</details>\n")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
WEB_LINK = re.compile(r"\]\((https?://[^)]+)\)")
BREAK = re.compile(r"kmslab break ([a-z0-9.-]+)")
REPAIR = re.compile(r"kmslab repair ([a-z0-9.-]+)")
ONLY = re.compile(r"--only ([a-z0-9.-]+)")


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return [read(path) for path in PATHS]


def test_the_course_has_all_its_pages_and_no_other() -> None:
    assert [int(name[:2]) for name in PAGES] == list(range(1, len(PAGES) + 1))
    assert tuple(NAMES) == PAGES


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_page_says_what_it_gives_and_takes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(path.stem[:2])}. ")
    for promise in (r"\*\*You will be able to\*\* ", r"\*\*Time\*\* \d+ minutes\b.* \*\*Cost\*\* "):
        assert re.search(f"^{promise}", text, re.MULTILINE), promise
    sources = WEB_LINK.findall(text.partition("\n## Sources\n")[2])
    assert any("docs.aws.amazon.com" in source for source in sources)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_page_has_the_sections_of_a_page_in_their_order(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    steps = text.partition("\n## Steps\n")[2].partition("\n## Checkpoint\n")[0]
    numbers = [int(number) for number in re.findall(r"^### (\d+)\. ", steps, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers
    idea = text.partition("\n## The idea\n")[2].partition("\n## Before")[0]
    assert idea.count("\n```mermaid\n") == text.count("\n```mermaid\n") == 1


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_page_shows_the_console_and_the_code_that_provisions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    steps = text.partition("\n## Steps\n")[2].partition("\n## Checkpoint\n")[0]
    assert "\n> **In the console.** " in steps
    assert "\n> **In the lab's CDK code.** " in steps or "\n<!-- include: stacks/" in steps


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_page_asks_and_answers(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    section = text.partition("\n## Questions\n\n")[2].partition("\n## ")[0]
    assert section.count("<details>") == len(QUESTION.findall(section))
    assert 3 <= section.count("<details>") <= 5


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_page_leads_to_its_neighbours(path: Path) -> None:
    *_, last = path.read_text(encoding="utf-8").splitlines()
    place = PAGES.index(path.stem)
    before, after = PAGES[:place][-1:], PAGES[place + 1 :][:1]
    assert LINK.findall(last) == [f"{stem}.md" for stem in (*before, *after)]
    assert ("Before: [" in last, "Next: [" in last) == (bool(before), bool(after))


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_what_a_page_includes_is_fresh(path: Path) -> None:
    """If not: `python -m kmslab.guides --include lab_guides/*.md`."""
    assert stale(path, GUIDES.parent) == []


@pytest.mark.parametrize("path", [*PATHS, GUIDES / "README.md"], ids=lambda path: path.stem)
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    targets = LINK.findall(path.read_text(encoding="utf-8"))
    assert targets
    assert [one for one in targets if not (path.parent / one).exists()] == []


def test_the_index_names_every_page_once() -> None:
    index = (GUIDES / "README.md").read_text(encoding="utf-8")
    appendices = [f"{stem}.md" for stem in APPENDICES]
    named = LINK.findall(index.partition("## How to read")[0])
    assert named == [*(path.name for path in PATHS), *appendices]


def test_every_page_ends_with_its_clean_up_and_a_checkpoint_that_runs(pages: list[Page]) -> None:
    for page in pages:
        by_section = {step.section for step in page.steps if step.kind is Kind.RUN}
        assert {"Checkpoint", CLEAN_UP} <= by_section, page.name
        assert page.steps[-1].section == CLEAN_UP


def test_every_command_is_run_or_excused_and_hardly_any_is_excused() -> None:
    """`tests/guides/test_pages.py` runs the numbered pages and the handbook; elsewhere nothing may wait to be run."""
    steps = [(path.stem, step) for path in GUIDES.glob("*.md") for step in read(path).steps]
    excused = [(name, step.line, step.why) for name, step in steps if step.kind in {Kind.SHOWN, Kind.AWS}]
    assert len(excused) <= MOST_NOT_RUN * len(steps), excused
    elsewhere = [name for name, step in steps if step.kind not in {Kind.SHOWN, Kind.AWS}]
    assert set(elsewhere) == {*PAGES, HANDBOOK}


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
    known = {*REGISTRY, *(check_id.partition(".")[0] for check_id in REGISTRY), *PAGES}
    for page in pages:
        scripts = " ".join(step.script for step in page.steps if step.section == "Checkpoint")
        named = ONLY.findall(scripts)
        assert named, page.name
        assert set(named) <= known, page.name


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_page_breaks_something_notices_it_and_repairs_it(path: Path) -> None:
    steps = [step for step in read(path).steps if step.section == "Break and fix"]
    scripts = "\n".join(step.script for step in steps)
    broken, repaired = BREAK.findall(scripts), REPAIR.findall(scripts)
    assert broken
    assert set(broken) <= set(FAULTS)
    assert set(broken) <= set(repaired) or "kmslab repair --all" in scripts
    verifies = [step.kind for step in steps if "kmslab verify --only" in step.script]
    assert (Kind.REFUSED in verifies, verifies[-1]) == (True, Kind.RUN)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_clean_up_begins_as_the_operator(path: Path) -> None:
    """It runs after a step that went wrong too, and then nobody knows which persona the shell is."""
    page = read(path)
    first = next(step for step in page.steps if step.section == CLEAN_UP)
    if any("--persona" in step.script for step in page.steps):
        assert first.script.startswith('eval "$(kmslab env)"\n')
