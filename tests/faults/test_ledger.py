from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from kmslab.faults import REGISTRY
from kmslab.faults.change import Both
from kmslab.faults.cloudformation import OwnerNeededError
from kmslab.faults.ledger import ROOM, Ledger, break_lab, from_the_newest, in_place, repair, with_hint
from kmslab.faults.workshop import Workshop
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.outputs import LabOutputs
from tests.checks.fakes import OUTPUTS, PREFIX, FakeAccess, World
from tests.faults.fakes import Setting, a_fault, an_entry, parameter_store

if TYPE_CHECKING:
    from kmslab.faults import Fault


class Bench:
    """A lab in memory: its settings, and the parameters that its ledger is kept in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab: dict[str, Any] = {"encryption": "aws:kms", "versions": "kept"}
        self.parameters: dict[str, str] = {}
        self.world = parameter_store(World(), self.parameters)
        self.workshop = Workshop(FakeAccess(self.world), OUTPUTS)
        self._patch = monkeypatch

    def ledger(self) -> Ledger:
        """As another process would open it."""
        return Ledger(FakeAccess(self.world))

    def fault(self, setting: str, value: Any) -> tuple[Fault, Setting]:
        """Register a fault that changes one setting."""
        change = Setting(self.lab, setting, value)
        fault = a_fault(f"{setting}-{value}", change)
        self._patch.setitem(REGISTRY, fault.id, fault)
        return fault, change

    def repair_all(self) -> None:
        """Repair as the next command would."""
        ledger = self.ledger()
        for entry in from_the_newest(in_place(self.workshop, ledger)):
            repair(self.workshop, ledger, entry)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_fault_is_made_is_on_record_and_is_repaired(bench: Bench) -> None:
    fault, _ = bench.fault("encryption", "AES256")
    before = dict(bench.lab)
    break_lab(bench.workshop, bench.ledger(), fault)
    assert bench.lab["encryption"] == "AES256"
    (entry,) = bench.ledger().entries()
    assert (entry.fault_id, entry.saved, entry.mystery, entry.lab) == (
        fault.id,
        {"value": "aws:kms"},
        False,
        OUTPUTS.key_app,
    )
    bench.repair_all()
    assert bench.lab == before
    assert bench.parameters == {}


def test_nothing_in_a_parameter_tells_which_fault_a_mystery_is(bench: Bench) -> None:
    fault, _ = bench.fault("encryption", "AES256")
    break_lab(bench.workshop, bench.ledger(), fault, mystery=True)
    ((name, value),) = bench.parameters.items()
    assert name.startswith(f"/{PREFIX}/faults/")
    (request,) = bench.world.asked("ssm:PutParameter")
    told = f"{request.parameters}"
    assert not [word for word in ("encryption", "AES256", "aws:kms", fault.id) if word in told]
    assert request["Tags"] == [{"Key": "kmslab:prefix", "Value": PREFIX}]
    break_lab(bench.workshop, bench.ledger(), bench.fault("versions", "lost")[0])
    assert len({name.rpartition("/")[2] for name in bench.parameters}) == 2
    assert len(value) < ROOM


def test_it_is_on_record_before_it_is_made(bench: Bench) -> None:
    """A process that dies while it breaks the lab has left word of it."""
    fault, change = bench.fault("encryption", "AES256")
    seen: list[int] = []

    def die() -> None:
        seen.append(len(bench.parameters))
        raise KeyboardInterrupt

    change.on_apply = die
    with pytest.raises(KeyboardInterrupt):
        break_lab(bench.workshop, bench.ledger(), fault)
    assert seen == [1]
    assert bench.lab["encryption"] == "AES256"
    bench.repair_all()
    assert bench.lab["encryption"] == "aws:kms"
    assert bench.parameters == {}


def test_a_crash_between_record_and_fault_leaves_a_whole_lab(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, change = bench.fault("encryption", "AES256")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(change, "apply", die)
        with pytest.raises(KeyboardInterrupt):
            break_lab(bench.workshop, bench.ledger(), fault)
    assert len(bench.parameters) == 1
    assert bench.lab["encryption"] == "aws:kms"
    bench.repair_all()
    assert bench.lab["encryption"] == "aws:kms"
    assert bench.parameters == {}


def test_a_crash_between_repair_and_its_record_is_made_up_for(bench: Bench) -> None:
    fault, _ = bench.fault("encryption", "AES256")
    break_lab(bench.workshop, bench.ledger(), fault)
    with pytest.MonkeyPatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(Ledger, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            bench.repair_all()
    assert bench.lab["encryption"] == "aws:kms"
    assert len(bench.parameters) == 1
    bench.repair_all()
    assert bench.lab["encryption"] == "aws:kms"
    assert bench.parameters == {}


def test_a_fault_that_cannot_be_made_is_undone_at_once(bench: Bench) -> None:
    fault, change = bench.fault("encryption", "AES256")

    def refuse() -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutBucketEncryption")

    change.on_apply = refuse
    with pytest.raises(ClientError, match="AccessDenied"):
        break_lab(bench.workshop, bench.ledger(), fault)
    assert bench.lab["encryption"] == "aws:kms"
    assert bench.parameters == {}


def test_what_cannot_be_put_back_is_not_broken(bench: Bench) -> None:
    """The second change could not be restored: the first must not be made either."""
    first, second = Setting(bench.lab, "versions", "lost"), Setting(bench.lab, "encryption", "AES256")

    def refuse() -> None:
        raise OwnerNeededError("only the root user may")

    second.on_restore = refuse
    fault = a_fault("two", Both(first, second))
    with pytest.raises(OwnerNeededError):
        break_lab(bench.workshop, bench.ledger(), fault)
    assert bench.lab == {"encryption": "aws:kms", "versions": "kept"}
    assert bench.world.asked("ssm:PutParameter") == []


def test_what_is_broken_already_is_not_broken_again(bench: Bench) -> None:
    fault, _ = bench.fault("encryption", "AES256")
    break_lab(bench.workshop, bench.ledger(), fault)
    with pytest.raises(LabError) as caught:
        break_lab(bench.workshop, bench.ledger(), fault)
    assert caught.value.message == f"{fault.id} is in place already."
    assert caught.value.hint == f"Put it right: `kmslab repair {fault.id}`."
    assert len(bench.parameters) == 1


def test_faults_of_one_thing_are_repaired_in_reverse_order(bench: Bench) -> None:
    older, newer = bench.fault("encryption", "AES256")[0], bench.fault("encryption", "aws:kms:dsse")[0]
    for fault in (older, newer):
        break_lab(bench.workshop, bench.ledger(), fault)
    entries = bench.ledger().entries()
    assert [entry.fault_id for entry in entries] == [older.id, newer.id]
    assert [entry.fault_id for entry in from_the_newest(entries)] == [newer.id, older.id]
    assert [entry.fault_id for entry in from_the_newest(entries, entries[1])] == [newer.id]
    assert [entry.fault_id for entry in from_the_newest(entries, entries[0])] == [newer.id, older.id]
    bench.repair_all()
    assert bench.lab["encryption"] == "aws:kms"


def test_a_lab_deployed_anew_is_not_broken(bench: Bench) -> None:
    """Whoever destroys the stacks without kmslab leaves the ledger behind: it is of another lab then."""
    fault, change = bench.fault("encryption", "AES256")
    bench.ledger().write(an_entry(fault_id=fault.id, lab="arn:of:another:key", saved={"value": "old"}))
    assert in_place(bench.workshop, bench.ledger()) == []
    assert bench.parameters == {}
    assert bench.lab["encryption"] == "aws:kms"
    del change


def test_a_hint_is_counted_in_the_same_parameter(bench: Bench) -> None:
    ledger = bench.ledger()
    ledger.write(an_entry(mystery=True))
    assert with_hint(ledger, an_entry(mystery=True)).hints == 1
    (entry,) = bench.ledger().entries()
    assert entry == an_entry(mystery=True, hints=1)


def test_what_is_not_deployed_is_not_broken(bench: Bench) -> None:
    change = Setting(bench.lab, "encryption", "AES256")
    fault = a_fault("network", change, part="vpc")
    without = LabOutputs({o.name: OUTPUTS.value_of(o) for o in LabOutputs.all() if o.name != "vpc"})
    workshop = Workshop(FakeAccess(bench.world), without)
    with pytest.raises(LabError, match=r"fake\.network breaks what this lab was deployed without: vpc"):
        break_lab(workshop, bench.ledger(), fault)
    assert bench.lab["encryption"] == "aws:kms"
    break_lab(bench.workshop, bench.ledger(), fault)
    assert bench.lab["encryption"] == "AES256"


def test_what_is_too_long_is_refused_before_anything_is_broken(bench: Bench) -> None:
    bench.lab["encryption"] = secrets.token_hex(ROOM)
    fault, _ = bench.fault("encryption", "AES256")
    before = dict(bench.lab)
    with pytest.raises(LabError) as caught:
        break_lab(bench.workshop, bench.ledger(), fault)
    assert caught.value.exit_code is ExitCode.FAULT
    assert f"the ledger has room for {ROOM}" in caught.value.message
    assert bench.lab == before
    assert bench.parameters == {}


@pytest.mark.parametrize("value", ["", "not base64!", "eJyrrgUAAXUA+Q==", "e30="])
def test_a_parameter_that_is_not_ours_is_named(bench: Bench, value: str) -> None:
    name = f"/{PREFIX}/faults/somebodys"
    bench.parameters[name] = value
    with pytest.raises(LabError) as caught:
        bench.ledger().entries()
    assert caught.value.message.startswith(f"The parameter {name} ")
    bench.ledger().clear()
    assert bench.parameters == {}


def test_a_fault_of_another_release_is_named() -> None:
    with pytest.raises(LabError, match=r"The fault keys\.of-tomorrow is in place, but this release"):
        _ = an_entry(fault_id="keys.of-tomorrow").fault
