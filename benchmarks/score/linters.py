"""checkov, cfn-guard with the Control Tower rules, and cdk-nag, each on many folders of templates in one run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.environments import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PROJECT = Path(__file__).resolve().parents[2]
WHAT = "checkov and cfn-guard (500 MB)"


class Checkov:
    """checkov's rules for CloudFormation."""

    name = "checkov"

    def __init__(self, note: Callable[[str], None]) -> None:
        self._bin = install(PROJECT, "scanners", WHAT, note)
        self.version = _pinned("checkov")

    def findings(self, folders: Sequence[Path]) -> list[frozenset[str]]:
        """See `benchmarks.score.scanners.Linter`."""
        root = os.path.commonpath(folders)
        said = _output(
            (
                *(str(self._bin / "checkov"), "--directory", root, "--framework", "cloudformation"),
                *("--output", "json", "--compact", "--quiet", "--skip-download"),
            ),
            codes=(0, 1),
        )
        found = _Findings(folders)
        for failed in json.loads(said)["results"]["failed_checks"]:
            file = Path(failed["file_abs_path"])
            found.add(file, f"{failed['resource']} {failed['check_id']}")
        return found.by_folder()


class CfnGuard:
    """cfn-guard with the rules of AWS Control Tower's proactive controls, both from CDK's own plug-in."""

    name = "cfn-guard (Control Tower rules)"
    _PACKAGE = "cdklabs.cdk-validator-cfnguard"

    def __init__(self, note: Callable[[str], None]) -> None:
        home = install(PROJECT, "scanners", WHAT, note).parent
        self.version = _pinned(self._PACKAGE)
        self._unpacked = home / "cfn-guard"
        if not self._unpacked.exists():
            (archive,) = home.glob("lib/python*/site-packages/cdklabs/cdk_validator_cfnguard/_jsii/*.tgz")
            with tarfile.open(archive) as packed:
                packed.extractall(self._unpacked, filter="data")

    def findings(self, folders: Sequence[Path]) -> list[frozenset[str]]:
        """See `benchmarks.score.scanners.Linter`."""
        package = self._unpacked / "package"
        system = "macos" if platform.system() == "Darwin" else "ubuntu"
        machine = "aarch64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
        guard = package / "bin" / system / machine / "cfn-guard"
        guard.chmod(0o755)
        data = [str(file) for folder in folders for file in sorted(folder.glob("*.template.json"))]
        said = _output(
            (
                *(str(guard), "validate", "--rules", str(package / "rules" / "control-tower"), "--data"),
                *(*data, "--output-format", "json", "--structured", "--show-summary", "none"),
            ),
            codes=(0, 19),
        )
        found = _Findings(folders)
        for report in json.loads(said):
            for rule in report["not_compliant"]:
                for thing in set(_resources(rule)):
                    found.add(Path(report["name"]), f"{thing} {rule['Rule']['name']}")
        return found.by_folder()


def _resources(report: Any) -> Iterator[str]:
    """Logical ids of the resources that any part of a report points to."""
    if isinstance(report, dict):
        path = report.get("path")
        if isinstance(path, str) and path.startswith("/Resources/"):
            yield path.split("/")[2]
        for part in report.values():
            yield from _resources(part)
    elif isinstance(report, list):
        for part in report:
            yield from _resources(part)


class CdkNag:
    """The packs of cdk-nag that the lab's own tests run, on the templates included in an app."""

    name = "cdk-nag"

    def __init__(self, note: Callable[[str], None]) -> None:
        from importlib.metadata import version

        from kmslab.toolchain import require_node

        node = require_node().executable.parent
        os.environ["PATH"] = os.pathsep.join((str(node), os.environ["PATH"]))  # where jsii looks for it
        self.version = version("cdk-nag")
        self._note = note

    def findings(self, folders: Sequence[Path]) -> list[frozenset[str]]:
        """See `benchmarks.score.scanners.Linter`."""
        found = []
        for number, folder in enumerate(folders, 1):
            found.append(frozenset(_nag(folder)))
            if not number % 20:
                self._note(f"cdk-nag: {number} of {len(folders)}")
        return found


def _nag(folder: Path) -> Iterator[str]:
    from aws_cdk import App, DefaultStackSynthesizer, Stack, Validations
    from aws_cdk.cloudformation_include import CfnInclude
    from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks

    with tempfile.TemporaryDirectory(prefix="kmslab-nag-") as out:
        app = App(outdir=out, context={"@aws-cdk/core:failSynthOnValidationErrors": False})
        for file in sorted(folder.glob("*.template.json")):
            stack = file.name.removesuffix(".template.json")
            # The template has CDK's rule about the bootstrap already.
            plain = DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
            CfnInclude(Stack(app, stack, synthesizer=plain), "template", template_file=str(file))
        packs = (AwsSolutionsChecks, NIST80053R5Checks, HIPAASecurityChecks, PCIDSS321Checks)
        Validations.of(app).add_plugins(*(pack(app) for pack in packs))
        app.synth()
        report = json.loads(Path(out, "validation-report.json").read_text(encoding="utf-8"))
    for pack in report["pluginReports"]:
        if pack["pluginName"] == "CloudFormation Validate":  # CDK's own, not cdk-nag's
            continue
        for violation in pack["violations"]:
            for one in violation["violatingConstructs"]:
                yield f"{one.get('constructPath', '')} {pack['pluginName']} {violation['ruleName']}"


class _Findings:
    """Findings by the folder that the file is in."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._found: Mapping[Path, set[str]] = {folder.resolve(): set() for folder in folders}

    def add(self, file: Path, what: str) -> None:
        """Add one about a file: ``<stack>: <thing> <rule>``."""
        self._found[file.parent.resolve()].add(f"{file.name.partition('.')[0]}: {what}")

    def by_folder(self) -> list[frozenset[str]]:
        """Return them in the order of the folders."""
        return [frozenset(found) for found in self._found.values()]


def _pinned(package: str) -> str:
    """The version that the locked list names."""
    listed = (PROJECT / "benchmarks" / "requirements-scanners.txt").read_text(encoding="utf-8")
    (line,) = [one for one in listed.splitlines() if one.startswith(f"{package.replace('.', '-')}==")]
    return line.partition("==")[2].split()[0]


def _output(command: Sequence[str], *, codes: tuple[int, ...]) -> str:
    """Run a tool and return what it wrote to stdout.

    Raises:
        RuntimeError: it ended with a code that does not mean "looked": findings are not missing for free.
    """
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # tools we installed
    if ran.returncode not in codes:
        raise RuntimeError(f"{Path(command[0]).name} ended with {ran.returncode}: {ran.stderr[-500:]}")
    return ran.stdout
