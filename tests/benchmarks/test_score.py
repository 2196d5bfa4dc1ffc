from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.score.result import Greens, Result
from benchmarks.score.scanners import Noticed, noticed_by_linter, noticed_by_prober
from kmslab.faults.ledger import Ledger
from kmslab.faults.templates import Templates
from kmslab.faults.workshop import Workshop
from kmslab.model.outputs import LabStack
from kmslab.trial import Score, Trial
from tests.checks.fakes import OUTPUTS, PREFIX, FakeAccess, World
from tests.faults.fakes import Setting, a_fault, parameter_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MACHINE = {"date": "2026-11-22", "cores": "2", "memory": "8 GiB", "python": "3.11"}


class Bench:
    """A lab of one setting that its template holds too, and a fault of it that templates do not hold."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab: dict[str, Any] = {"encryption": "good", "object": "good"}
        self.workshop = Workshop(FakeAccess(parameter_store(World())), OUTPUTS)
        self.templates = Templates(PREFIX, {LabStack.STORAGE: {"Resources": {}, "encryption": "good"}})
        self.faults = [
            a_fault("encryption", InTemplate(self.lab, "encryption", "bad")),
            a_fault("object", Setting(self.lab, "object", "bad")),
        ]
        register = {fault.id: fault for fault in self.faults}
        monkeypatch.setattr("kmslab.faults.ledger.REGISTRY", register)

    def shown_to(self, prober: Prober) -> Noticed:
        return noticed_by_prober(prober, self.faults, self.workshop, {"AWS_REGION": "x"}, lambda _: None)


class InTemplate(Setting):
    """A setting that the storage template holds."""

    def in_template(self, templates: Templates) -> bool:
        templates.by_stack[LabStack.STORAGE][self.name] = self.value
        return True


class Linter:
    """Reads templates: finds what is bad there, and always complains about one more thing."""

    name, version = "linter", "1.0"

    def findings(self, folders: Sequence[Path]) -> list[frozenset[str]]:
        return [self.look(folder) for folder in folders]

    def look(self, folder: Path) -> frozenset[str]:
        (file,) = folder.glob("*.template.json")
        read = json.loads(file.read_text())
        return frozenset({"always"} | {f"{name} is bad" for name in read if read[name] == "bad"})


class Prober:
    """Asks the lab."""

    name, version = "prober", "2.0"

    def __init__(self, lab: dict[str, Any]) -> None:
        self.lab = lab

    def findings(self, environment: Mapping[str, str]) -> frozenset[str]:
        assert environment == {"AWS_REGION": "x"}
        return frozenset({"always"} | {f"{name} is bad" for name in self.lab if self.lab[name] == "bad"})


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_linter_sees_what_templates_hold(bench: Bench) -> None:
    noticed = noticed_by_linter(Linter(), bench.faults, bench.templates)
    assert noticed.faults == {"fake.encryption": ("encryption is bad",)}
    assert (noticed.scanner, noticed.version, noticed.reads) == ("linter", "1.0", "templates")
    assert noticed.shown == 2
    assert bench.templates.by_stack[LabStack.STORAGE]["encryption"] == "good"
    assert bench.lab == {"encryption": "good", "object": "good"}


def test_a_prober_sees_the_lab_while_it_is_broken(bench: Bench) -> None:
    noticed = bench.shown_to(Prober(bench.lab))
    assert noticed.faults == {
        "fake.encryption": ("encryption is bad",),
        "fake.object": ("object is bad",),
    }
    assert bench.lab == {"encryption": "good", "object": "good"}
    assert Ledger(bench.workshop.access).entries() == []


def test_a_prober_that_fails_leaves_a_whole_lab(bench: Bench) -> None:
    class Broken(Prober):
        def findings(self, environment: Mapping[str, str]) -> frozenset[str]:
            if "bad" in self.lab.values():
                raise RuntimeError("no answer")
            return super().findings(environment)

    with pytest.raises(RuntimeError, match="no answer"):
        bench.shown_to(Broken(bench.lab))
    assert bench.lab == {"encryption": "good", "object": "good"}


def result(
    *trials: Trial, left: dict[str, str] | None = None, greens: int = 50, others: tuple[Noticed, ...] = ()
) -> Result:
    red = {} if greens == 50 else {"s3.a": "ERROR: slow"}
    return Result(MACHINE, 200, Score(trials, left or {}, 300.4), Greens(50, greens, red, 150.0), others)


def trial(name: str, **other: Any) -> Trial:
    return Trial(a_fault(name, Setting({}, name, "")), 1.5, **other)


def row(table: str, name: str) -> str:
    (found,) = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    return found.strip("| ").rpartition(" | ")[2]


def test_a_perfect_score() -> None:
    perfect = result(trial("a"), trial("b"))
    assert perfect.perfect
    table = perfect.table()
    assert table.startswith("200 checks, measured 2026-11-22 on 2 cores, 8 GiB, Python 3.11.")
    assert row(table, "faults") == "2"
    assert row(table, "noticed by every check that they name") == "2 (100 %)"
    assert row(table, "turning red what they do not affect") == "0"
    assert row(table, "not repaired") == "0"
    assert row(table, "greens in a row") == "50 of 50"
    assert row(table, "seconds for the faults") == "300"
    assert row(table, "seconds for a green run") == "3.0"
    assert table.splitlines()[-1].startswith("|")


@pytest.mark.parametrize(
    ("wrong", "name", "value", "line"),
    [
        ({"missed": {"s3.a": "PASS: x"}}, "noticed by every check that they name", "1 (50 %)", "missed"),
        ({"error": "denied"}, "noticed by every check that they name", "1 (50 %)", "could not be made"),
        ({"strangers": {"s3.a": "FAIL: x"}}, "turning red what they do not affect", "1", "strangers"),
        ({"unrepaired": {"s3.a": "FAIL: x"}}, "not repaired", "1", "unrepaired"),
    ],
)
def test_what_went_wrong_is_counted_and_told(wrong: Any, name: str, value: str, line: str) -> None:
    imperfect = result(trial("a"), trial("b", **wrong))
    assert not imperfect.perfect
    assert row(imperfect.table(), name) == value
    last = imperfect.table().splitlines()[-1]
    assert last.startswith("fake.b")
    assert line in last


def test_a_run_that_was_not_green_and_what_was_left_are_told() -> None:
    assert not result(trial("a"), greens=49).perfect
    assert row(result(trial("a"), greens=49).table(), "greens in a row") == "49 of 50"
    assert result(trial("a"), greens=49).table().splitlines()[-1] == "not green: s3.a: ERROR: slow"
    assert not result(trial("a"), left={"s3.a": "FAIL: x"}).perfect
    assert row(result(trial("a"), left={"s3.a": "FAIL: x"}).table(), "not repaired") == "1"


def test_others_stand_beside_and_together() -> None:
    others = (
        Noticed("one", "1.0", "templates", 4, {"fake.a": ("x",), "fake.b": ("y",)}),
        Noticed("two", "2.0", "lab", 2, {"fake.b": ("z",)}),
    )
    compared = result(*(trial(name) for name in "abcd"), others=others)
    table = compared.table()
    assert row(table, "noticed by one 1.0 (templates)") == "2 of 4 (50 %)"
    assert row(table, "noticed by two 2.0 (lab)") == "1 of 2 (50 %)"
    assert row(table, "noticed by any of these") == "2 of 4 (50 %)"
    kept = compared.as_json()
    assert [other["noticed"] for other in kept["others"]] == [others[0].faults, others[1].faults]
    json.dumps(kept)


def test_scanners_can_be_compared_with_each_other_alone() -> None:
    alone = Noticed("one", "1", "templates", 4, {"a": ("x",)})
    table = result(others=(alone,)).table()
    assert "noticed by one 1 (templates) | 1 of 4 (25 %)" in table
    assert "greens" not in table


def test_everything_is_kept_as_json() -> None:
    kept = json.loads(json.dumps(result(trial("a", missed={"s3.a": "PASS: x"})).as_json()))
    assert kept["machine"] == MACHINE
    assert kept["checks"] == 200
    (fault,) = kept["faults"]
    assert (fault["id"], fault["missed"], fault["seconds"]) == ("fake.a", {"s3.a": "PASS: x"}, 1.5)
    assert kept["greens"] == {"asked": 50, "in_a_row": 50, "red": {}, "seconds": 150.0}
