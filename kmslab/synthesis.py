"""Synthesis with the CDK CLI, repeated only when something that goes into it changed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.cdk import CdkCli
    from kmslab.project import Project

STAMP = ".kmslab-inputs"
"""File in the cloud assembly with the digest of what it was made from; written when it is complete."""

_FILES = ("app.py", "cdk.json", "cdk.context.json", "requirements.txt")
_FOLDERS = ("stacks", "kmslab/model")


def inputs_digest(project: Project, context: Mapping[str, str], environment: str) -> str:
    """Return a digest of everything that the templates follow from.

    Args:
        project: whose app and stacks are read.
        context: ``-c`` values.
        environment: account and Region; an app may ask for them.
    """
    digest = hashlib.sha256(json.dumps([sys.version_info[:2], environment, sorted(context.items())]).encode())
    files = [project.root / name for name in _FILES]
    for folder in _FOLDERS:
        files += sorted((project.root / folder).rglob("*.py"))
    for file in files:
        if file.is_file():
            digest.update(f"\n{file.relative_to(project.root)}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def is_fresh(project: Project, digest: str) -> bool:
    """Whether the cloud assembly was made from these inputs."""
    stamp = project.assembly / STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == digest


def synthesize(project: Project, cli: CdkCli, context: Mapping[str, str], digest: str) -> None:
    """Write the cloud assembly anew.

    Raises:
        CdkError: the app or the CLI failed; then there is no assembly.
    """
    shutil.rmtree(project.assembly, ignore_errors=True)
    values = [part for key, value in context.items() for part in ("--context", f"{key}={value}")]
    cli.run("synth", "--quiet", "--output", str(project.assembly), *values, log=project.home / "synth.log")
    (project.assembly / STAMP).write_text(digest, encoding="utf-8")


def resource_counts(project: Project) -> dict[str, int]:
    """Return how many resources each stack of the cloud assembly has, by the stack's name; empty without one."""
    if not (project.assembly / STAMP).is_file():
        return {}
    manifest = json.loads((project.assembly / "manifest.json").read_text(encoding="utf-8"))
    counts = {}
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            template = json.loads(
                (project.assembly / artifact["properties"]["templateFile"]).read_text(encoding="utf-8")
            )
            counts[artifact["properties"].get("stackName", name)] = len(template["Resources"])
    return counts
