"""The documents beside the course: every link leads somewhere, and every page is in its folder's list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
NAMES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
DOCUMENTS = [*map(PROJECT.joinpath, NAMES), *PROJECT.glob("docs/*.md"), *PROJECT.glob("decisions/*.md")]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def prose(text: str) -> str:
    """A page without what is shown as code."""
    return re.sub(r"^(`{3,}).*?^\1$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def leads_nowhere(page: Path, link: str) -> bool:
    address, _, anchor = link.partition("#")
    there = (page.parent / address).resolve() if address else page
    if not there.exists():
        return True
    return bool(anchor) and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(prose(page.read_text(encoding="utf-8")))
    ours = [link for link in links if not re.match(r"https?://|mailto:", link)]
    assert [link for link in ours if leads_nowhere(page, link)] == []


@pytest.mark.parametrize("folder", ["docs", "decisions"])
def test_every_page_is_in_its_folders_list(folder: str) -> None:
    """And in the order of the names."""
    readme = (PROJECT / folder / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[[^\]]+\]\(([^)]+\.md)\) \|", readme, re.MULTILINE)
    assert listed == sorted(page.name for page in (PROJECT / folder).glob("*.md") if page.name != "README.md")


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, two\n\n[a](#one-two) `[b](#no)`\n")
    assert LINK.findall(prose(page.read_text())) == ["#one-two"]
    assert not leads_nowhere(page, "#one-two")
    assert leads_nowhere(page, "#one")
    assert leads_nowhere(page, "other.md")
    assert not leads_nowhere(page, "page.md#one-two")
