"""`kmslab cost`: what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kmslab import terminal
from kmslab.cli import app
from kmslab.cost import estimate
from kmslab.model.errors import ExitCode
from kmslab.model.settings import LabSettings

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.out, "width", 140)  # else it is that of its first use in this process
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("KMSLAB_HOME", str(tmp_path))


def cost(*options: str) -> Result:
    return CliRunner().invoke(app, ["cost", *options])


def document(*options: str) -> dict[str, Any]:
    done = cost("--format", "json", *options)
    assert done.exit_code == 0, done.output
    read: dict[str, Any] = json.loads(done.output)
    return read


def test_people_read_the_lab_item_by_item() -> None:
    done = cost("--seats", "20", "--days", "2", "-c", "kmslab.network=true")
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "11 x customer managed KMS keys 1.00 / key month 0.0151 0.3616" in lines
    assert "1 x interface endpoint, in each Availability Zone 0.01 / hour 0.0100 0.2400" in lines
    assert "the lab 0.0263 0.6306" in lines
    assert "20 seats for 2 days, 24 hours each day" in lines
    assert any(line.startswith("page 05-s3 ") for line in lines)
    assert any(line.startswith("log groups") and line.endswith("not priced not priced") for line in lines)
    assert "pending deletion cost nothing" in done.output
    assert "us-east-1" in done.output


def test_programs_read_the_same() -> None:
    found = estimate(LabSettings())
    read = document("--seats", "20", "--days", "2", "--runs", "3")
    assert read["per_hour"] == pytest.approx(found.per_hour)
    assert read["per_day"] == pytest.approx(found.per_day)
    assert read["class"]["total"] == pytest.approx(found.for_class(20, 2, runs=3).total)
    keys = read["standing"][0]
    assert (keys["item"], keys["quantity"], keys["status"]) == ("kms-key", 11, "priced")
    assert keys["source"].startswith("https://")
    assert {one["usd"] for one in read["not_counted"]} == {None}
    assert {one["status"] for one in read["not_counted"]} == {"not counted", "not priced"}


def test_settings_of_the_lab_are_taken() -> None:
    plain, more = document(), document("-c", "kmslab.global_key=true")
    assert more["standing"][0]["quantity"] == plain["standing"][0]["quantity"] + 1
    assert more["per_hour"] > plain["per_hour"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--seats", "0"), "--seats"),
        (("--hours", "25"), "--hours"),
        (("--days", "-1"), "--days"),
        (("--format", "xml"), "--format"),
        (("-c", "kmslab.volume_count=9"), "kmslab.volume_count"),
    ],
)
def test_bad_input_is_refused(options: tuple[str, ...], said: str) -> None:
    done = cost(*options)
    assert done.exit_code == ExitCode.BAD_INPUT
    assert said in done.output
