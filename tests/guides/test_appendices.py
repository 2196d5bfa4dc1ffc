"""The pages beside the course: B is what the catalogues say today, C has a source for each word."""

from __future__ import annotations

import re
from pathlib import Path

from kmslab.checks import REGISTRY
from kmslab.commands.appendix import render
from kmslab.faults import REGISTRY as FAULTS

GUIDES = Path(__file__).resolve().parent.parent.parent / "lab_guides"


def test_the_page_of_checks_is_fresh() -> None:
    """If not: `python -m kmslab.commands.appendix > lab_guides/B-checks.md`."""
    assert (GUIDES / "B-checks.md").read_text(encoding="utf-8") == render()


def test_every_check_and_every_fault_is_named_once() -> None:
    named = re.findall(r"^\| `([a-z0-9.-]+)` \|", render(), re.MULTILINE)
    assert sorted(named) == sorted([*REGISTRY, *FAULTS])


def test_a_check_has_its_claim_and_its_controls() -> None:
    check = REGISTRY["keys.rotation-is-on-where-it-can-be"]
    row = f"| `{check.id}` | {check.title} | {', '.join(check.controls)} |"
    assert "KMS.4" in check.controls
    assert row in render().partition("## [04-rotation](04-rotation.md)\n")[2].partition("\n## ")[0]


def test_every_word_of_the_glossary_has_a_sentence_and_a_source() -> None:
    text = (GUIDES / "C-glossary.md").read_text(encoding="utf-8")
    entries = re.findall(r"^### (.+)\n\n((?:.+\n)+)", text, re.MULTILINE)
    words = [word for word, _ in entries]
    assert len(words) >= 60
    assert words == sorted(set(words), key=str.lower)
    assert words == re.findall(r"^### (.+)$", text, re.MULTILINE)
    for word, said in entries:
        sentences, _, source = said.rpartition("Source:")
        assert sentences.count(".") >= 1, word
        assert re.search(r"\(https://(?:docs\.aws\.amazon\.com|csrc\.nist\.gov)/\S+\)\n$", source), word
