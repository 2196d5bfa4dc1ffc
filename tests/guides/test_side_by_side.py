"""Pages side by side: each lab is made, used by one page at a time, and stopped, whatever happens."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from kmslab.guides.__main__ import main
from kmslab.guides.side_by_side import run_on_labs
from kmslab.model.errors import ExitCode, LabError
from tests.guides.test_runner import step

if TYPE_CHECKING:
    from pathlib import Path

STAND_IN = """#!/bin/sh
echo "$* $KMSLAB_HOME ${AWS_PROFILE:-none}" >> "$CALLS"
case "$1" in
  up) [ -z "$REFUSES" ] || { echo "no Node.js"; exit 3; } ;;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A terminal whose `kmslab` writes down how it was called."""
    places = tmp_path / "bin"
    places.mkdir()
    (places / "kmslab").write_text(STAND_IN)
    (places / "kmslab").chmod(0o700)
    path = os.pathsep.join((str(places), os.environ["PATH"]))
    return {**os.environ, "PATH": path, "CALLS": str(tmp_path / "calls"), "AWS_PROFILE": "work"}


def calls(environment: dict[str, str]) -> list[str]:
    with open(environment["CALLS"], encoding="utf-8") as file:  # noqa: PTH123  # the path is a variable's value
        return file.read().splitlines()


def pages(tmp_path: Path, *texts: str) -> list[Path]:
    made = [tmp_path / f"{number:02}-page.md" for number, _ in enumerate(texts)]
    for path, text in zip(made, texts, strict=True):
        path.write_text(f"# T\n{text}", encoding="utf-8")
    return made


def test_each_page_runs_once_and_every_lab_is_made_and_stopped(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    seen: list[str] = []
    mark = step(f'echo "${{AWS_PROFILE:-none}} $KMSLAB_HOME" >> {tmp_path}/homes')
    assert run_on_labs(pages(tmp_path, mark, mark, mark), 2, environment, seen.append)
    assert sorted(re.sub(r" in .*", "", text).strip() for text in seen) == [
        f"0{number}-page: 1 of 1 steps" for number in range(3)
    ]
    ups = sorted(call for call in calls(environment) if call.startswith("up "))
    stops = sorted(call for call in calls(environment) if call.startswith("engine stop "))
    homes = [re.fullmatch(r"up (\S+) none", call) for call in ups]
    assert len(homes) == len(stops) == 2
    assert [f"engine stop {home[1]} none" for home in homes if home] == stops
    used = {line.removeprefix("none ") for line in (tmp_path / "homes").read_text().splitlines()}
    assert used <= {home[1] for home in homes if home}
    assert not any(os.path.exists(home[1]) for home in homes if home)  # noqa: PTH110  # the path is a string


def test_two_pages_are_at_it_at_the_same_time(tmp_path: Path, environment: dict[str, str]) -> None:
    """Each waits for the other: one after the other, the first would wait in vain."""
    there = ["[ -e {0}/b ]", "[ -e {0}/a ]"]
    texts = [
        step(f"touch {tmp_path}/{name}\nuntil {other.format(tmp_path)}; do sleep 0.05; done")
        for name, other in zip("ab", there, strict=True)
    ]
    assert run_on_labs(pages(tmp_path, *texts), 2, environment, lambda _: None)


def test_no_more_labs_than_pages(tmp_path: Path, environment: dict[str, str]) -> None:
    assert run_on_labs(pages(tmp_path, step("true")), 4, environment, lambda _: None)
    assert sum(call.startswith("up ") for call in calls(environment)) == 1


def test_one_wrong_page_is_told_and_the_others_run(tmp_path: Path, environment: dict[str, str]) -> None:
    seen: list[str] = []
    made = pages(tmp_path, step("echo a", "b"), step("true"), step("true"))
    assert not run_on_labs(made, 1, environment, seen.append)
    assert len(seen) == len(made)
    assert f"{made[0]}:8: the output is not what the page says" in "".join(seen)


def test_a_lab_that_cannot_be_deployed_is_told_and_nothing_is_run(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with pytest.raises(LabError, match="could not be deployed") as told:
        run_on_labs(
            pages(tmp_path, step(f"touch {tmp_path}/ran")), 1, {**environment, "REFUSES": "yes"}, print
        )
    assert "no Node.js" in told.value.message
    assert not (tmp_path / "ran").exists()
    assert calls(environment)[-1].startswith("engine stop ")


def test_the_command_line_runs_them_side_by_side(
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("kmslab.guides.__main__._environment", lambda: environment)
    (page,) = pages(tmp_path, step("false"))
    assert main(["--labs", "2", str(page)]) == ExitCode.NOT_PROVEN
    assert "exit code 1 of: false" in capsys.readouterr().out
    assert calls(environment)[0].startswith("up ")


def test_a_number_of_labs_that_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as told:
        main(["--labs", "0", "page.md"])
    assert told.value.code == ExitCode.BAD_INPUT
    assert "--labs" in capsys.readouterr().err
