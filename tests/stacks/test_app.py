"""The application as the real CDK CLI runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.toolchain import cdk_script, require_node
from tests.stacks.conftest import PROJECT, without_aws

if TYPE_CHECKING:
    from tests.stacks.template import Assembly


def _cdk(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = without_aws()
    return subprocess.run(  # noqa: S603  # the pinned CDK CLI
        [require_node().executable, cdk_script(PROJECT), *arguments],
        cwd=PROJECT,
        env={
            **environment,
            "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_synthesis_needs_no_credentials(lab: Assembly, tmp_path: Path) -> None:
    run = _cdk("synth", "--quiet", "--output", str(tmp_path), "--no-notices")
    assert run.returncode == 0, run.stderr
    for stack in lab.stacks():
        assert (tmp_path / lab.file(stack).name).read_bytes() == lab.file(stack).read_bytes(), stack


def test_a_wrong_setting_is_one_line_and_exit_code_2() -> None:
    run = subprocess.run(  # our own program
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env={**without_aws(), "CDK_CONTEXT_JSON": '{"kmslab.pending_window_days": "5"}'},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.splitlines() == [
        'kmslab.pending_window_days is "5", but must be a whole number of days from 7 to 30; '
        "change it in cdk.json or with -c kmslab.pending_window_days=<value>"
    ]


def test_the_prefix_can_be_chosen(tmp_path: Path) -> None:
    """Two labs fit in one account: everything with a fixed name begins with the prefix."""
    run = _cdk("synth", "--quiet", "--output", str(tmp_path), "--no-notices", "-c", "kmslab.prefix=class-7")
    assert run.returncode == 0, run.stderr
    assert {file.name.split(".")[0] for file in tmp_path.glob("*.template.json")} == {
        f"class-7-{stack}" for stack in ("keys", "identity", "storage", "volumes", "secrets", "audit")
    }
    everything = "".join(file.read_text() for file in tmp_path.glob("*.template.json"))
    assert "kms-lab" not in everything
