"""Synthesis: the lab's app against the same stacks in JavaScript, run in turn on the same machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.timing import Figure, wall_seconds
from kmslab.toolchain import require_node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE = Path(__file__).parent
RATIO = 1.6
"""How much longer than JavaScript the Python app may take."""


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:
    """Time both apps in turn and return the ratio of their medians.

    Most of the time is CDK's template validation, the same native code in both. What Python itself
    costs shows without it; that ratio is noted, not promised: the CDK CLI validates.
    """
    with tempfile.TemporaryDirectory(prefix="kmslab-synthesis-") as folder:
        apps = _Apps(project, Path(folder))
        apps.prepare(note)
        figure = _ratio("Synthesis, against JavaScript", apps, {}, repeat, note)
        name = "Synthesis without template validation, against JavaScript"
        bare = _ratio(name, apps, {"CDK_VALIDATION": "false"}, repeat, note)
        note(f"{name}: {bare.value:.2f} x")
        return [figure]


def _ratio(
    name: str, apps: _Apps, extra: Mapping[str, str], repeat: int, note: Callable[[str], None]
) -> Figure:
    python, javascript = [], []
    for number in range(1, repeat + 1):
        python.append(apps.run(apps.python, "python", extra))
        javascript.append(apps.run(apps.javascript, "javascript", extra))
        note(f"{name}: {python[-1]:.2f} s and {javascript[-1]:.2f} s ({number} of {repeat})")
    value = statistics.median(python) / statistics.median(javascript)
    return Figure(name, value, "x", RATIO, tuple(p / j for p, j in zip(python, javascript, strict=True)))


class _Apps:
    """Both apps, their environment and where they write."""

    def __init__(self, project: Path, folder: Path) -> None:
        node = require_node()
        self.project, self.folder, self.npm = project, folder, node.npm
        self.python = [sys.executable, "app.py"]
        self.javascript = [str(node.executable), str(HERE / "app.js")]
        context = json.loads((project / "cdk.json").read_text(encoding="utf-8"))["context"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
        self.environment = {
            **kept,
            "PATH": f"{node.executable.parent}{os.pathsep}{kept.get('PATH', '')}",
            "CDK_CONTEXT_JSON": json.dumps(context),
            "KMSLAB_BENCHMARK_DATA": str(folder / "lab.json"),
        }

    def prepare(self, note: Callable[[str], None]) -> None:
        """Install aws-cdk-lib for JavaScript, hand it the data, and see that both write the same.

        Raises:
            RuntimeError: an app failed, or the templates differ: then there is nothing to compare.
        """
        if not (HERE / "node_modules" / "aws-cdk-lib").is_dir():
            note("npm ci: aws-cdk-lib for JavaScript")
            command = [*self.npm, "ci", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=HERE, check=True, stdout=sys.stderr)  # noqa: S603  # npm of our toolchain
        self.run(self.python, "python", {})
        data = _data(self.folder / "python", json.loads(self.environment["CDK_CONTEXT_JSON"])["kmslab"])
        (self.folder / "lab.json").write_text(json.dumps(data), encoding="utf-8")
        self.run(self.javascript, "javascript", {})
        for template in sorted((self.folder / "python").glob("*.template.json")):
            if template.read_bytes() != (self.folder / "javascript" / template.name).read_bytes():
                raise RuntimeError(
                    f"the JavaScript app writes another {template.name}: bring app.js up to date"
                )

    def run(self, command: list[str], name: str, extra: Mapping[str, str]) -> float:
        """Run one app and return its wall time in seconds."""
        out = {"CDK_OUTDIR": str(self.folder / name)}
        return wall_seconds(command, cwd=self.project, env={**self.environment, **out, **extra})


def _data(assembly: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what both apps share as data: policies, descriptions, acknowledged findings."""
    templates = {
        file.name.removesuffix(".template.json").removeprefix(f"{settings['prefix']}-"): json.loads(
            file.read_text(encoding="utf-8")
        )
        for file in assembly.glob("*.template.json")
    }
    names = {
        one["Properties"]["TargetKeyId"]["Ref"]: one["Properties"]["AliasName"].rpartition("/")[2]
        for one in templates["keys"]["Resources"].values()
        if one["Type"] == "AWS::KMS::Alias"
    }
    return {
        "settings": settings,
        "keys": list(names.items()),
        "roles": [
            name
            for name, one in templates["identity"]["Resources"].items()
            if one["Type"] == "AWS::IAM::Role"
        ],
        "exports": {
            output["Export"]["Name"]: names[output["Value"]["Fn::GetAtt"][0]]
            for output in templates["keys"]["Outputs"].values()
            if "Export" in output
        },
        "stacks": {
            stack: {
                "properties": {
                    name: one.get("Properties", {}) for name, one in template["Resources"].items()
                },
                "outputs": {name: one.get("Description") for name, one in template["Outputs"].items()},
            }
            for stack, template in templates.items()
        },
        "refusals": _statements(templates["storage"], "Refuse"),
        "logDelivery": _statements(templates["audit"], "LetCloudTrail"),
        "acknowledged": _acknowledged(assembly),
    }


def _statements(template: Mapping[str, Any], sid: str) -> list[Any]:
    return [
        statement
        for one in template["Resources"].values()
        if one["Type"] == "AWS::S3::BucketPolicy"
        for statement in one["Properties"]["PolicyDocument"]["Statement"]
        if statement.get("Sid", "").startswith(sid)
    ]


def _acknowledged(assembly: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for file in assembly.glob("*.metadata.json"):
        for path, entries in json.loads(file.read_text(encoding="utf-8")).items():
            for entry in entries:
                if entry["type"] == "aws:cdk:acknowledged-rules":
                    for rule, reason in entry["data"].items():
                        found.setdefault(path.lstrip("/"), {})[rule.removeprefix("Annotation::")] = reason
    return found
