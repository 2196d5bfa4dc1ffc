"""The tools that read templates, on the lab's templates as the app synthesizes them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.findings.mutes import ACCOUNT, Finding
from benchmarks.score.linters import CfnGuard, Checkov

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.score.scanners import Linter

PROJECT = Path(__file__).resolve().parents[2]
PREFIX = "kms-lab"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "every-part": {"network": True, "instance": True, "global_key": True},
    "bounded-and-mortal": {
        "network": True,
        "instance": True,
        "global_key": True,
        "permissions_boundary": "kms-lab-boundary",
        "ttl_hours": 8,
    },
}
"""Settings that differ from the defaults, by the name of a folder."""
REGIONS = ("eu-central-1", "us-east-1")
CFN_LINT_CODES = range(32)
"""Its exit code is a sum of what it found: errors 2, warnings 4, information 8, failures to look 16 on top."""
LINTERS: dict[str, Callable[[Callable[[str], None]], Linter]] = {"cfn-guard": CfnGuard, "checkov": Checkov}
_LINE = re.compile(r"(?P<stack>\S+): (?:\S+\.)?(?P<thing>\S+) (?P<rule>\S+)")
"""How the tools of `benchmarks.score.linters` name a finding."""


def synthesize(root: Path) -> dict[str, Path]:
    """Write an assembly of each variant below a folder and return their folders by name.

    Findings of the CDK's validation are left to be read in its report: they do not stop the synthesis here.
    """
    from kmslab.toolchain import require_node

    given = json.loads((PROJECT / "cdk.json").read_text(encoding="utf-8"))["context"]
    path = f"{require_node().executable.parent}{os.pathsep}{os.environ['PATH']}"
    folders = {}
    for name, settings in VARIANTS.items():
        context = {**given, "@aws-cdk/core:failSynthOnValidationErrors": False}
        context |= {f"kmslab.{key}": value for key, value in settings.items()}
        folders[name] = root / name
        variables = {"CDK_OUTDIR": str(folders[name]), "CDK_CONTEXT_JSON": json.dumps(context), "PATH": path}
        subprocess.run(  # our own app
            [sys.executable, "app.py"], cwd=PROJECT, env={**os.environ, **variables}, check=True
        )
    return folders


def find(tool: str, folders: Mapping[str, Path], note: Callable[[str], None]) -> frozenset[Finding]:
    """Have one tool look at the templates of every variant.

    Args:
        tool: ``cfn-lint``, ``cdk``, ``cfn-guard`` or ``checkov``.
        folders: from `synthesize`.
        note: told before something is installed.
    """
    if tool == "cfn-lint":
        return frozenset(_cfn_lint(folders))
    if tool == "cdk":
        return frozenset(one for folder in folders.values() for one in _cdk(folder))
    found = LINTERS[tool](note).findings(list(folders.values()))
    return frozenset(_read(tool, line) for line in frozenset().union(*found))


def _read(tool: str, line: str) -> Finding:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{tool} names a finding in an unknown way: {line}")
    return Finding(tool, match["rule"], f"{match['stack'].removeprefix(f'{PREFIX}-')}/{match['thing']}")


def _cfn_lint(folders: Mapping[str, Path]) -> Iterator[Finding]:
    templates = [str(file) for folder in folders.values() for file in sorted(folder.glob("*.template.json"))]
    templates += [str(file) for file in sorted((PROJECT / "bootstrap").glob("*.yaml"))]
    ran = subprocess.run(  # noqa: S603  # cfn-lint beside this interpreter
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            *("--format", "json", "--include-checks", "W", "--regions", *REGIONS, "--", *templates),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode not in CFN_LINT_CODES:
        raise RuntimeError(f"cfn-lint ended with {ran.returncode}: {ran.stderr[-500:]}")
    for one in json.loads(ran.stdout or "[]"):
        path = one["Location"].get("Path") or [""]
        thing = path[1] if path[0] == "Resources" else path[0]
        stack = Path(one["Filename"]).name.partition(".")[0].removeprefix(f"{PREFIX}-")
        yield Finding("cfn-lint", one["Rule"]["Id"], f"{stack}/{thing}")


def _cdk(folder: Path) -> Iterator[Finding]:
    report = folder / "validation-report.json"
    if not report.is_file():  # written only where something was found
        return
    for plugin in json.loads(report.read_text(encoding="utf-8"))["pluginReports"]:
        for violation in plugin["violations"]:
            for one in violation["violatingConstructs"]:
                where = one.get("constructPath", ACCOUNT).removeprefix(f"{PREFIX}-")
                yield Finding("cdk", violation["ruleName"], where)
