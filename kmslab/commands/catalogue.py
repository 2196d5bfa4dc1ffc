"""``kmslab verify --list``: the catalogue of checks, for people, for programs, or as docs/checks.md."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.text import Text

from kmslab.checks.catalogue import catalogue
from kmslab.checks.kinds import kind_of
from kmslab.terminal import out, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kmslab.checks.registry import Check


def _show(only: Sequence[str]) -> None:
    """Print every check by guide page: id, kind of evidence, claim, and the controls that it evidences."""
    checks = catalogue(only)
    for guide, some in groupby(checks, key=lambda check: check.guide):
        out.print(Text(guide, style="bold"))
        for check in some:
            out.print(Text.assemble(("  " + check.id, "cyan"), ("  " + kind_of(check), "dim")))
            _indented(check.title, "")
            if check.controls:
                _indented(", ".join(check.controls), "dim")
    named = {control for check in checks for control in check.controls}
    out.print(f"{len(checks)} checks evidence {len(named)} public controls.", highlight=False)


def _show_json(only: Sequence[str]) -> None:
    """Print the same as a JSON array, one object for each check."""
    say(out, json.dumps([_entry(check) for check in catalogue(only)], indent=2, ensure_ascii=False))


def _show_markdown(only: Sequence[str]) -> None:
    """Print the page docs/checks.md."""
    from kmslab.reports import checks_page

    say(out, checks_page.render(catalogue(only)).rstrip("\n"))


def _indented(text: str, style: str) -> None:
    from rich.padding import Padding

    out.print(Padding(Text(text, style=style), (0, 0, 0, 4)))


def _entry(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "title": check.title,
        "explanation": check.explanation,
        "guide": check.guide,
        "kind": str(kind_of(check)),
        "needs": sorted(check.needs),
        "controls": list(check.controls),
    }


FORMATS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "table": _show,
    "json": _show_json,
    "markdown": _show_markdown,
}
"""What ``--format`` may be beside ``--list``, and what then prints the checks that ``--only`` names."""
