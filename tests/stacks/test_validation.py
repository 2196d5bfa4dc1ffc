from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.findings.mutes import load

if TYPE_CHECKING:
    from tests.stacks.template import Assembly

IGNORED = {mute.rule for mute in load() if mute.tool == "cfn-lint"}
BOOTSTRAP = Path(__file__).parents[2] / "bootstrap" / "least-privilege.yaml"


def _findings(assembly: Path) -> dict[str, dict[str, list[str]]]:
    """Unacknowledged findings: pack, rule, paths of the constructs."""
    report = json.loads((assembly / "validation-report.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, list[str]]] = {}
    for pack in report["pluginReports"]:
        for violation in pack["violations"]:
            paths = [one.get("constructPath", "") for one in violation["violatingConstructs"]]
            found.setdefault(pack["pluginName"], {}).setdefault(violation["ruleName"], []).extend(paths)
    return found


@pytest.mark.parametrize("variant", ["default", "every-option", "mortal"])
def test_no_finding_is_left(assemblies: Path, variant: str) -> None:
    assert _findings(assemblies / variant) == {}


def test_a_new_finding_would_be_seen(assemblies: Path) -> None:
    """The faulty lab has one key more, which never rotates and whose policy has no statement."""
    rules = {
        pack: {rule for rule, paths in found.items() if "faulty/NeverRotates" in paths}
        for pack, found in _findings(assemblies / "faulty").items()
    }
    assert rules == {
        "AwsSolutions": {"AwsSolutions-KMS5"},
        "NIST.800.53.R5": {"NIST.800.53.R5-KMSBackingKeyRotationEnabled"},
        "PCI.DSS.321": {"PCI.DSS.321-KMSBackingKeyRotationEnabled"},
        "CloudFormation Validate": {"E3512"},
    }


def test_cfn_lint_finds_nothing(lab: Assembly, every_option: Assembly) -> None:
    templates = [one.file(stack) for one in (lab, every_option) for stack in one.stacks()]
    run = subprocess.run(  # noqa: S603  # cfn-lint beside this interpreter
        [
            Path(sys.executable).with_name("cfn-lint"),
            "--format",
            "json",
            "--include-checks",
            "W",
            "--ignore-checks",
            *sorted(IGNORED),
            "--regions",
            "eu-central-1",
            "us-east-1",
            "--",
            *map(str, [*templates, BOOTSTRAP]),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found: list[dict[str, Any]] = json.loads(run.stdout or "[]")
    assert [(one["Rule"]["Id"], one["Filename"], one["Message"]) for one in found] == [], run.stderr
