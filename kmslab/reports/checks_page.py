"""The page ``docs/checks.md``: every check with its controls, and every control with its checks.

``python -m kmslab.reports.checks_page`` writes it again.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.checks.catalogue import catalogue
from kmslab.checks.kinds import kind_of
from kmslab.model.controls import Framework, controls, demands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kmslab.checks.registry import Check
    from kmslab.model.controls import Control

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"

HEAD = """# What is checked

<!-- Written by `.venv/bin/python -m kmslab.reports.checks_page` from the checks and kmslab/model/controls.toml. -->

`kmslab verify` runs {checks} checks. Each proves one claim of the lab and shows its evidence:

- **configuration**: what the API says is set.
- **behaviour**: what a principal could do, and what was refused to others.
- **cryptographic**: what was verified outside KMS, with a library of somebody else's.
- **audit**: what the trail or an alarm told afterwards.

`kmslab verify --list` prints the same catalogue, `kmslab verify --list --format json` for programs.
"""

MAPPING = """
## From public controls to checks

{evidenced} controls are evidenced by checks. To be evidenced is not to be complete: a control looks at a whole
account, a check at the lab. The verdicts of a run are in `report.html`, under *Controls*.
"""

NOT_FOUNDATIONAL = """
Of these, {ids} are not in AWS Foundational Security Best Practices (FSBP): they belong to other standards
that Security Hub CSPM offers (CIS, NIST SP 800-53, PCI DSS).
"""

LEFT = """
## Controls that the lab does not evidence

They are about encryption or about what the lab has, and they have been looked at.

| control | what it is | why not |
|---|---|---|
"""

SAME = """
## Controls that ask for the same

| what they ask for | controls |
|---|---|
"""


def render() -> str:
    """Return the page."""
    checks = catalogue()
    by_control = checks_by_control(checks)
    evidenced = [control for control in controls().values() if control.id in by_control]
    parts = [HEAD.format(checks=len(checks))]
    for guide, some in groupby(checks, key=lambda check: check.guide):
        parts.append(f"\n## [{guide}](../lab_guides/{guide}.md)\n\n")
        parts.append("| check | claim | evidence | controls |\n|---|---|---|---|\n")
        parts += map(_check_row, some)
    parts.append(MAPPING.format(evidenced=len(evidenced)))
    for framework in Framework:
        parts += _framework(framework, evidenced, by_control)
    parts += [SAME, *_demands()]
    parts += [LEFT, *(_left_row(control) for control in controls().values() if control.not_evidenced)]
    return "".join(parts)


def checks_by_control(checks: Iterable[Check]) -> Mapping[str, list[Check]]:
    """The checks that name each control."""
    found = defaultdict(list)
    for check in checks:
        for control in check.controls:
            found[control].append(check)
    return dict(found)


def _check_row(check: Check) -> str:
    named = "<br>".join(check.controls)
    return f"| `{check.id}` | {_cell(check.title)} | {kind_of(check)} | {named} |\n"


def _framework(
    framework: Framework, evidenced: list[Control], by_control: Mapping[str, list[Check]]
) -> Iterator[str]:
    mine = [control for control in evidenced if control.framework is framework]
    yield f"\n### {framework}\n\n| control | what it is | checks |\n|---|---|---|\n"
    for control in mine:
        checks = "<br>".join(f"`{check.id}`" for check in by_control[control.id])
        yield f"| {_link(control)} | {_cell(control.title)} | {checks} |\n"
    others = [control.name for control in mine if not control.foundational]
    if framework is Framework.SECURITY_HUB and others:
        yield NOT_FOUNDATIONAL.format(ids=", ".join(others[:-1]) + " and " + others[-1])


def _demands() -> Iterator[str]:
    for demand, some in demands().items():
        if len(some) > 1:
            yield f"| {_cell(demand)} | {', '.join(control.id for control in some)} |\n"


def _left_row(control: Control) -> str:
    return f"| {_link(control)} | {_cell(control.title)} | {_cell(control.not_evidenced)} |\n"


def _link(control: Control) -> str:
    return f"[{control.name}]({control.source})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
