from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kmslab import project as module
from kmslab.model.errors import ExitCode, LabError
from kmslab.project import HOME_VARIABLE, Project, find_project, write_private

if TYPE_CHECKING:
    from kmslab.project import Project as ProjectType

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_other_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOME_VARIABLE, raising=False)


def test_the_nearest_folder_above_wins(project: ProjectType) -> None:
    below = project.root / "stacks"
    assert find_project(below) == Project(project.root, project.root / ".kmslab")


def test_elsewhere_the_checkout_that_runs_is_meant(tmp_path: Path) -> None:
    assert find_project(tmp_path).root == ROOT


def test_the_home_can_be_somewhere_else(
    project: ProjectType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "other"))
    assert find_project(project.root).home == tmp_path / "other"


def test_without_any_checkout_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "site-packages" / "kmslab" / "project.py"))
    with pytest.raises(
        LabError, match=r"No KMS Lab checkout at or above .*: app.py and cdk.json are missing\."
    ) as caught:
        find_project(tmp_path)
    assert caught.value.exit_code is ExitCode.BAD_INPUT


def test_the_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = Project(tmp_path, tmp_path / "home").ensure_home()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"Cannot write .*file/home: not a directory\.") as caught:
        Project(tmp_path, tmp_path / "file" / "home").ensure_home()
    assert HOME_VARIABLE in caught.value.hint


def test_a_read_only_home_is_one_line(project: ProjectType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmslab.project.os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(LabError, match=r"Cannot write .*\.kmslab: permission denied\."):
        project.ensure_home()


def test_a_file_whose_writing_is_cut_short_is_still_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "context.json"
    write_private(file, "before")

    with pytest.raises(TypeError):
        write_private(file, None)  # type: ignore[arg-type]  # it ends after the file was opened
    assert file.read_text() == "before"
