"""Findings of other tools, and the reviewed list of those that are accepted (``mutes.toml``).

A mute names one rule of one tool, the resources that it is accepted for, and why in a sentence. There are no
patterns: a finding on a resource that is not named is new. A mute for which there is no finding has to go.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE = Path(__file__).with_name("mutes.toml")
TOOLS = {
    "cfn-lint": "CloudFormation's resource schemas and AWS's own rules, on templates",
    "cdk": "the validation of the AWS CDK, at synthesis",
    "cfn-guard": "the proactive controls of AWS Control Tower, on templates",
    "checkov": "checkov's rules for CloudFormation, on templates",
    "prowler": "prowler's checks of the lab's services, on a lab that stands on the local engine",
}
"""The tools by the name that mutes have, and what each looks at."""
ACCOUNT = "account"
"""Where a finding is that is about no resource of a stack, but about the account."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a tool reports.

    Attributes:
        tool: one of `TOOLS`.
        rule: the tool's id of the rule.
        where: ``<stack>/<logical id>`` without the prefix: ``keys/App``; or `ACCOUNT`.
    """

    tool: str
    rule: str
    where: str

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.tool}: {self.rule} at {self.where}"


@dataclass(frozen=True, slots=True)
class Mute:
    """Findings that are accepted.

    Attributes:
        tool: one of `TOOLS`.
        rule: the tool's id of the rule.
        resources: where, as in `Finding.where`.
        reason: why, in a sentence.
    """

    tool: str
    rule: str
    resources: tuple[str, ...]
    reason: str

    @property
    def findings(self) -> frozenset[Finding]:
        """What it accepts."""
        return frozenset(Finding(self.tool, self.rule, where) for where in self.resources)


def load(file: Path = FILE) -> list[Mute]:
    """Read the list.

    Raises:
        ValueError: an entry is incomplete, names an unknown tool, gives no sentence, or repeats another.
    """
    mutes: list[Mute] = []
    accepted: set[Finding] = set()
    for number, entry in enumerate(tomllib.loads(file.read_text(encoding="utf-8")).get("mute", []), 1):
        if set(entry) != {"tool", "rule", "resources", "reason"}:
            raise ValueError(
                f"mute {number} has {', '.join(sorted(entry))}: not tool, rule, resources, reason"
            )
        mute = Mute(entry["tool"], entry["rule"], tuple(entry["resources"]), entry["reason"])
        if mute.tool not in TOOLS or not mute.resources:
            raise ValueError(f"mute {number}: {mute.tool or 'no tool'} on {len(mute.resources)} resources")
        if " " not in mute.reason or not mute.reason.endswith("."):
            raise ValueError(f"mute {number}, {mute.rule}: its reason is no sentence: {mute.reason!r}")
        if again := accepted & mute.findings:
            raise ValueError(f"muted twice: {', '.join(map(str, sorted(again)))}")
        accepted |= mute.findings
        mutes.append(mute)
    return mutes


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is left once the mutes are taken into account.

    Attributes:
        new: findings that nothing mutes.
        idle: muted findings that are not there any more.
    """

    new: tuple[Finding, ...]
    idle: tuple[Finding, ...]


def judge(found: Iterable[Finding], mutes: Iterable[Mute], ran: Iterable[str]) -> Judgement:
    """Compare what was found with what is accepted.

    Args:
        found: everything that the tools reported.
        mutes: the list.
        ran: the tools that looked; mutes of others are left alone.
    """
    looked, there = set(ran), set(found)
    accepted = {one for mute in mutes if mute.tool in looked for one in mute.findings}
    return Judgement(tuple(sorted(there - accepted)), tuple(sorted(accepted - there)))


def page(mutes: Iterable[Mute]) -> str:
    """Return docs/findings.md: the list for readers."""
    listed = list(mutes)
    lines = [
        "# What other tools find, and why it stays",
        "",
        "`make lint-templates` has these tools look at the lab with its default settings, with every optional part, and with those",
        "under a boundary and with a time to live:",
        "",
        *(f"- **{tool}**: {what}." for tool, what in TOOLS.items()),
        "",
        "It fails on every finding that is not on this page, and on every entry of this page that finds nothing any more.",
        "The page is made of `benchmarks/findings/mutes.toml` (`python -m benchmarks.findings --page`). What cdk-nag finds",
        "is accepted where the resource is made ([0013](../decisions/0013-findings-are-accepted-one-by-one-in-the-code.md)).",
        "",
        "A resource is named by its stack and its logical id. `CDKToolkit` is the CDK's own bootstrap; `account` is what",
        "belongs to the account and not to the lab.",
    ]
    for tool in TOOLS:
        own = [mute for mute in listed if mute.tool == tool]
        if not own:
            continue
        lines += ["", f"## {tool}", "", "| rule | at | why it stays |", "|---|---|---|"]
        for mute in sorted(own, key=lambda one: (one.rule, one.resources)):
            at = ", ".join(f"`{where}`" for where in mute.resources)
            lines.append(f"| `{mute.rule}` | {at} | {mute.reason} |")
    quiet = [tool for tool in TOOLS if not any(mute.tool == tool for mute in listed)]
    if quiet:
        lines += ["", "## No finding at all", "", f"{', '.join(quiet)}."]
    return "\n".join(lines) + "\n"
