"""The public controls around the lab's encryption: who asks for what, and which of them ask for the same.

The list is ``controls.toml``; checks name the ids that they evidence.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Framework(StrEnum):
    """Who publishes a control."""

    SECURITY_HUB = "AWS Security Hub CSPM"
    CONFIG = "AWS Config"
    CIS = "CIS AWS Foundations Benchmark 7.0"
    CONTROL_TOWER = "AWS Control Tower"
    PROWLER = "prowler"
    CDK_NAG = "cdk-nag"


_PREFIXES = {
    "config": Framework.CONFIG,
    "cis": Framework.CIS,
    "prowler": Framework.PROWLER,
    "cdk-nag": Framework.CDK_NAG,
}
"""How an id begins, before the colon. AWS's own control ids have no colon."""


@dataclass(frozen=True, slots=True)
class Control:
    """One public control.

    Attributes:
        id: as checks name it: ``KMS.4``, ``config:cmk-backing-key-rotation-enabled``, ``cis:4.6``.
        title: what its publisher calls it; of AWS Config, whose rules have none, what the rule asks for.
        framework: who publishes it.
        demand: what it asks for, in our words; controls with the same demand ask for the same.
        foundational: whether Security Hub has it in AWS Foundational Security Best Practices.
        not_evidenced: why no check evidences it; empty where one does.
    """

    id: str
    title: str
    framework: Framework
    demand: str
    foundational: bool
    not_evidenced: str

    @property
    def name(self) -> str:
        """What its publisher calls it by: ``KMS.4``, ``cmk-backing-key-rotation-enabled``."""
        return self.id.rpartition(":")[2]

    @property
    def source(self) -> str:
        """URL of its description."""
        aws = "https://docs.aws.amazon.com"
        if self.framework is Framework.SECURITY_HUB:
            service, _, number = self.id.lower().partition(".")
            return f"{aws}/securityhub/latest/userguide/{service}-controls.html#{service}-{number}"
        return {
            Framework.CONFIG: f"{aws}/config/latest/developerguide/{self.name}.html",
            Framework.CONTROL_TOWER: f"{aws}/controltower/latest/controlreference/kms-rules.html",
            Framework.CIS: "https://www.cisecurity.org/benchmark/amazon_web_services",
            Framework.PROWLER: f"https://hub.prowler.com/check/{self.name}",
            Framework.CDK_NAG: "https://github.com/cdklabs/cdk-nag/blob/main/RULES.md",
        }[self.framework]


@cache
def controls() -> Mapping[str, Control]:
    """Every control of the list by its id, in the order of the list."""
    listed = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    foundational = set(listed["foundational"])
    return {
        control_id: Control(
            id=control_id,
            title=title,
            framework=_framework(control_id),
            demand=demand["what"],
            foundational=control_id in foundational,
            not_evidenced=demand.get("not_evidenced", {}).get(control_id, ""),
        )
        for demand in listed["demand"]
        for control_id, title in demand["controls"].items()
    }


@cache
def demands() -> Mapping[str, tuple[Control, ...]]:
    """What is asked for, and the controls that ask for it, in the order of the list."""
    found: dict[str, tuple[Control, ...]] = {}
    for control in controls().values():
        found[control.demand] = (*found.get(control.demand, ()), control)
    return found


def _framework(control_id: str) -> Framework:
    prefix, colon, _ = control_id.partition(":")
    if colon:
        return _PREFIXES[prefix]
    return Framework.CONTROL_TOWER if control_id.startswith("CT.") else Framework.SECURITY_HUB
