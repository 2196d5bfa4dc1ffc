from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kmslab.model.errors import ExitCode, LabError
from kmslab.toolchain import Node
from tools import setup

ROOT = Path(__file__).resolve().parents[2]
NODE = Node(Path("/opt/node/bin/node"), "24.1.0", ("/opt/node/bin/npm",))
INPUTS = (
    *("requirements-uv.txt", "requirements.txt", "requirements-dev.txt", "requirements-node.txt"),
    *("requirements-aws-cli.txt", "pyproject.toml", "package.json", "package-lock.json"),
)


class Tools:
    """Stands in for subprocess.run: remembers the commands, makes what they would make, fails where told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commands: list[str] = []
        self.failing: dict[str, str] = {}

    def run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        line = " ".join(command).replace(str(self.root) + "/", "")
        self.commands.append(line)
        for part, output in self.failing.items():
            if part in line:
                return subprocess.CompletedProcess(command, 1, output)
        if "-m venv" in line or "uv venv" in line:
            self._environment(Path(command[-1]))
        if "--editable" in line:
            (self.root / ".venv" / "bin" / "kmslab").touch()
        if " ci " in line:
            (self.root / "node_modules").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0, "")

    def _environment(self, folder: Path) -> None:
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "pip").touch()
        (folder / "lib" / "python3.11" / "site-packages").mkdir(parents=True, exist_ok=True)
        (folder / "pyvenv.cfg").write_text(f"version = {sys.version_info.major}.{sys.version_info.minor}.1\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in INPUTS:
        (tmp_path / name).write_text(f"{name}, first edition")
    return tmp_path


@pytest.fixture
def tools(root: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """No command runs; a Node.js in range is on the PATH."""
    fake = Tools(root)
    monkeypatch.setattr("tools.setup.subprocess.run", fake.run)
    monkeypatch.setattr("kmslab.toolchain.find_node", lambda *_, **__: NODE)
    return fake


def ready(root: Path, tools: Tools, *, dev: bool = False) -> list[str]:
    """Run the set-up and return the commands that it needed."""
    tools.commands.clear()
    setup.Setup(root, dev=dev).run()
    return list(tools.commands)


def test_a_fresh_checkout_gets_everything_in_order(root: Path, tools: Tools) -> None:
    python = ".venv/bin/python"
    assert ready(root, tools) == [
        f"{sys.executable} -m venv .venv",
        f"{python} -m pip install --quiet --no-input --retries 1 --require-hashes -r requirements-uv.txt",
        f".venv/bin/uv pip sync --quiet --python {python} --require-hashes --compile-bytecode requirements.txt",
        f".venv/bin/uv pip install --quiet --python {python} --no-deps --no-build-isolation --editable .",
        "/opt/node/bin/npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1",
    ]


def test_the_second_run_needs_nothing(root: Path, tools: Tools) -> None:
    ready(root, tools)
    assert ready(root, tools) == []


def test_our_own_code_is_compiled(root: Path, tools: Tools) -> None:
    (root / "stacks").mkdir(exist_ok=True)
    (root / "stacks" / "keys.py").write_text("KEYS = ()\n", encoding="utf-8")
    ready(root, tools)
    assert list((root / "stacks").glob("__pycache__/keys.*.pyc"))


def test_node_comes_from_pypi_where_the_machine_has_none(
    root: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"site_packages": None}

    def find_node(site_packages: Path) -> Node | None:
        return NODE if site_packages.name == "site-packages" else found["site_packages"]

    monkeypatch.setattr("kmslab.toolchain.find_node", find_node)
    assert "requirements.txt requirements-node.txt" in next(
        line for line in ready(root, tools) if "sync" in line
    )


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("requirements.txt", ["pip install --quiet --no-input", "pip sync", "--editable"]),
        ("pyproject.toml", ["pip install --quiet --no-input", "pip sync", "--editable"]),
        ("package-lock.json", ["npm ci"]),
        ("requirements-dev.txt", []),
    ],
)
def test_what_changed_is_installed_again_and_nothing_else(
    root: Path, tools: Tools, changed: str, again: list[str]
) -> None:
    ready(root, tools)
    (root / changed).write_text("second edition")
    commands = ready(root, tools)
    assert len(commands) == len(again)
    assert all(part in command for part, command in zip(again, commands, strict=True))


def test_a_removed_folder_is_made_again(root: Path, tools: Tools) -> None:
    ready(root, tools)
    (root / "node_modules" / setup.STAMP).unlink()
    (root / "node_modules").rmdir()
    assert [command.split()[1] for command in ready(root, tools)] == ["ci"]


def test_a_failed_step_is_repeated_by_the_next_run(root: Path, tools: Tools) -> None:
    tools.failing = {"pip sync": "error: no space left on device"}
    with pytest.raises(LabError):
        ready(root, tools)
    tools.failing = {}
    assert any("pip sync" in command for command in ready(root, tools))


def test_the_tools_of_make_test_stay_when_make_lab_runs(root: Path, tools: Tools) -> None:
    commands = ready(root, tools, dev=True)
    assert any("--compile-bytecode requirements-dev.txt" in command for command in commands)
    assert any("requirements-aws-cli.txt" in command for command in commands)
    assert any(command.startswith("/opt/node/bin/npm ci --ignore-scripts") for command in commands)
    assert ready(root, tools) == []
    assert ready(root, tools, dev=True) == []


def test_an_environment_of_another_python_is_cleared(root: Path, tools: Tools) -> None:
    ready(root, tools)
    (root / ".venv" / "pyvenv.cfg").write_text("version = 3.10.2\n")
    (root / ".venv" / setup.STAMP).unlink()
    assert ready(root, tools)[0] == f"{sys.executable} -m venv --clear .venv"


@pytest.mark.parametrize(
    "output",
    [
        "error: Failed to fetch: `https://host/simple/uv/`\n  Caused by: dns error: failed to lookup address information",
        "WARNING: Retrying ... NewConnectionError(...: Failed to establish a new connection: [Errno 111] Connection refused')",
        "npm error code ENOTFOUND\nnpm error network request failed",
        "npm error code EAI_AGAIN",
    ],
)
def test_no_network_is_said_in_one_line(root: Path, tools: Tools, output: str) -> None:
    tools.failing = {"pip sync": output}
    with pytest.raises(LabError) as caught:
        ready(root, tools)
    assert (
        caught.value.message
        == "No network: could not bring Python packages from requirements.txt, compiled to bytecode."
    )
    assert caught.value.exit_code is ExitCode.TOOLCHAIN


def test_any_other_failure_shows_the_last_line_and_names_the_log(root: Path, tools: Tools) -> None:
    tools.failing = {"npm ci": "npm error code EUSAGE\nnpm error the lock file is out of step\n\n"}
    with pytest.raises(LabError) as caught:
        ready(root, tools)
    assert caught.value.message == (
        "Could not install the CDK CLI from package-lock.json (Node.js 24.1.0): npm error the lock file is out of step"
    )
    assert str(root / ".kmslab" / "setup.log") in caught.value.hint
    log = root / ".kmslab" / "setup.log"
    assert "EUSAGE" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_python_without_venv_gets_its_own_hint(root: Path, tools: Tools) -> None:
    tools.failing = {"-m venv": "ensurepip is not available"}
    with pytest.raises(LabError) as caught:
        ready(root, tools)
    assert "python3-venv" in caught.value.hint


@pytest.mark.usefixtures("tools")
def test_a_read_only_folder_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write anywhere
    with pytest.raises(LabError) as caught:
        setup.Setup(root, dev=False).run()
    assert caught.value.message == f"Cannot write in {root}: read-only file system."
    assert caught.value.exit_code is ExitCode.TOOLCHAIN


def test_without_any_node_it_says_what_to_install(
    root: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmslab.toolchain.find_node", lambda *_, **__: None)
    with pytest.raises(
        LabError, match=r"Node\.js 22 or 24 is not on the PATH, and PyPI's does not run here"
    ) as caught:
        ready(root, tools)
    assert caught.value.exit_code is ExitCode.TOOLCHAIN


@pytest.mark.usefixtures("tools")
def test_ctrl_c_ends_with_130_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: setup.Setup) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(setup.Setup, "run", interrupt)
    assert setup.main([]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "\nInterrupted. `make setup` goes on where it stopped.\n"


def test_an_error_is_a_line_and_a_hint_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: setup.Setup) -> bool:
        raise LabError("No network.", hint="Connect.", exit_code=ExitCode.TOOLCHAIN)

    monkeypatch.setattr(setup.Setup, "run", fail)
    assert setup.main([]) == ExitCode.TOOLCHAIN
    assert capsys.readouterr().err == "error: No network.\n  Connect.\n"


def test_an_old_python_is_refused_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.setup.OLDEST_PYTHON", (99, 0))
    monkeypatch.setattr("tools.setup.NEWER_PYTHONS", ())
    assert setup.main([]) == ExitCode.TOOLCHAIN
    assert re.fullmatch(
        r"error: Python 99\.0 or later is needed; \S+ is \d+\.\d+\.\d+\.\n  Install a newer one, .*\n",
        capsys.readouterr().err,
    )


def test_an_old_python_hands_over_to_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("tools.setup.sys.version_info", (3, 9, 1))
    monkeypatch.setattr("tools.setup.shutil.which", {"python3.12": sys.executable}.get)
    monkeypatch.setattr("tools.setup.os.execv", lambda _, command: started.append(command))
    monkeypatch.setattr("tools.setup.sys.argv", ["tools/setup.py", "--dev"])
    setup.main(["--dev"])
    assert started == [[sys.executable, "tools/setup.py", "--dev"]]


def test_lock_files_name_no_registry() -> None:
    locks = [*ROOT.glob("requirements*.txt"), ROOT / "package-lock.json"]
    assert len(locks) >= 6
    for lock in locks:
        text = lock.read_text()
        assert "://" not in re.sub(r'"url": "https://[^"]*"', "", text), lock.name
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
