"""The GitHub Actions workflow: syntax by actionlint, security by zizmor, and what neither can know."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from kmslab.toolchain import require_node

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
PINNED = re.compile(r"^\s*(?:- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def actionlint(workflow: Path) -> subprocess.CompletedProcess[str]:
    command = ROOT / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
    return subprocess.run(  # noqa: S603  # our own linter on our own file
        [require_node().executable, command, workflow],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def zizmor(workflow: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sysconfig.get_path("scripts")) / "zizmor"
    return subprocess.run(  # noqa: S603  # our own linter on our own file
        [command, "--offline", "--no-progress", "--persona", "pedantic", workflow],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_actionlint_finds_nothing() -> None:
    found = actionlint(WORKFLOW)
    assert found.returncode == 0, found.stdout + found.stderr


def test_zizmor_finds_nothing() -> None:
    found = zizmor(WORKFLOW)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_linters_notice_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    text = WORKFLOW.read_text(encoding="utf-8")
    wrong.write_text(
        text.replace("matrix.python", "matrix.pyhton").replace(
            "de0fac2e4500dabe0009e67214ff5f5447ce83dd", "v6"
        ),
        encoding="utf-8",
    )
    assert "pyhton" in actionlint(wrong).stdout
    assert "unpinned-uses" in zizmor(wrong).stdout


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return loaded


def test_every_action_is_pinned_by_commit_and_says_its_version() -> None:
    uses = [line for line in WORKFLOW.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert uses
    assert [line for line in uses if not PINNED.match(line)] == []


def test_the_tests_may_only_read(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["test"]["permissions"] == {"contents": "read"}
    assert [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step] == ["make test"]


def test_a_deployment_is_asked_for_reviewed_and_uses_oidc(workflow: dict[str, Any]) -> None:
    deploy = workflow["jobs"]["deploy"]
    assert deploy["permissions"] == {"contents": "read", "id-token": "write"}
    assert deploy["environment"] == "sandbox"
    assert deploy["needs"] == "test"
    assert "github.event_name == 'workflow_dispatch' && inputs.deploy" in deploy["if"]
    assert [step["run"] for step in deploy["steps"] if "sandbox_accounts" in step.get("run", "")] == [
        '.venv/bin/kmslab up --target aws -c "kmslab.sandbox_accounts=$ACCOUNT"'
    ]
    assert "aws-access-key-id" not in WORKFLOW.read_text(encoding="utf-8")
    assert deploy["steps"][-1] == {
        "name": "Destroy",
        "if": "always()",
        "run": ".venv/bin/kmslab down --target aws",
    }
