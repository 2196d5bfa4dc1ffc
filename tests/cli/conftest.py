from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

import pytest

from kmslab import deployment as module
from kmslab.checks import runner
from kmslab.commands import verify
from kmslab.deployment import Deployment
from kmslab.model.target import Target
from kmslab.project import Project
from kmslab.toolchain import Node
from tests.checks.fakes import OUTPUTS, PREFIX, FakeAccess
from tests.cli.cloud import Cloud
from tests.cli.verifying import Runner, whole

if TYPE_CHECKING:
    from pathlib import Path


class Recorder:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []

    def begin(self, what: str, doing: str) -> None:
        self.said.append(("begin", what, doing))

    def advance(self, what: str, done: int, total: int) -> None:
        self.said.append(("advance", what, f"{done}/{total}"))

    def end(self, what: str, outcome: str) -> None:
        self.said.append(("end", what, outcome))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout with an app of no stacks, and a home of its own."""
    root = tmp_path / "checkout"
    (root / "stacks").mkdir(parents=True)
    (root / "kmslab" / "model").mkdir(parents=True)
    (root / "app.py").write_text("pass\n")
    (root / "cdk.json").write_text('{"app": "python app.py", "context": {"kmslab": {"prefix": "kms-lab"}}}')
    home = root / ".kmslab"
    home.mkdir()
    return Project(root, home)


@pytest.fixture
def fake_cdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python script that stands in for Node.js and the CDK CLI; a test writes it."""
    script = tmp_path / "cdk.py"
    monkeypatch.setattr("kmslab.cdk.require_node", lambda: Node(PYTHON, "24.0.0", ()))
    monkeypatch.setattr("kmslab.cdk.cdk_script", lambda _: script)
    return script


def _python() -> Path:
    from pathlib import Path

    return Path(sys.executable)


PYTHON = _python()


@pytest.fixture
def cloud(project: Project, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    fake = Cloud(project)

    class Cli:
        def __init__(self, *_: object) -> None:
            self.run = fake.run

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            fake.commands.append(["ended"])
            fake.ended.set()

    monkeypatch.setattr(module, "CdkCli", Cli)
    return fake


@pytest.fixture
def lab(project: Project, cloud: Cloud, recorder: Recorder) -> Deployment:
    return Deployment(project, FakeAccess(cloud.world), {"kmslab.prefix": PREFIX}, recorder)


@pytest.fixture
def fake_runner(project: Project, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """`kmslab verify` of a lab with no fault in place, whose checks are a `Runner`'s."""
    stand_in = Runner()
    monkeypatch.setattr(runner, "run_all", stand_in.run_all)
    monkeypatch.setattr(verify, "find_project", lambda: project)
    monkeypatch.setattr(verify, "choose_target", lambda _, kind, __: Target(kind, "eu-central-1"))
    monkeypatch.setattr(verify, "Access", lambda *_: FakeAccess(whole()))
    monkeypatch.setattr(verify, "read_outputs", lambda _: OUTPUTS)
    monkeypatch.setattr(verify, "read_inventory", stand_in.read_inventory)
    monkeypatch.setattr("kmslab.access.matrix.build", stand_in.build_matrix)
    return stand_in
