from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kmslab.faults
from kmslab.checks import REGISTRY as CHECKS
from kmslab.checks.catalogue import catalogue
from kmslab.faults import REGISTRY, TOPICS, Fault
from kmslab.faults.registry import fault as register
from tests.faults.fakes import Setting

if TYPE_CHECKING:
    from kmslab.faults.change import Change

FOLDER = Path(kmslab.faults.__file__).parent
MACHINERY = {
    "__init__",
    "change",
    "cloudformation",
    "ledger",
    "noticing",
    "registry",
    "templates",
    "workshop",
}
GUIDES = {check.guide for check in CHECKS.values()}


def test_every_module_of_faults_is_in_the_list() -> None:
    """A module that nobody imports registers nothing."""
    modules = {file.stem for file in FOLDER.glob("*.py")} - MACHINERY
    assert {module.__name__.rpartition(".")[2] for module in TOPICS} == modules
    assert len(TOPICS) == len(modules)


def test_a_fault_is_what_its_function_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmslab.faults.registry.REGISTRY", registry := dict[str, Fault]())
    change = Setting({}, "a", 1)

    def the_key_is_gone() -> Change:
        """The key is gone.

        Nothing opens
        any more.
        """
        return change

    the_key_is_gone.__module__ = "kmslab.faults.key_policies"
    decorate = register(guide="05-s3", noticed_by=("s3.a",), also=("s3.",))
    assert decorate(the_key_is_gone) is the_key_is_gone
    one = registry["key-policies.the-key-is-gone"]
    assert one == Fault(
        "key-policies.the-key-is-gone",
        "The key is gone.",
        "Nothing opens any more.",
        "05-s3",
        ("s3.a",),
        ("s3.",),
        the_key_is_gone,
    )
    assert one.change is change
    with pytest.raises(ValueError, match=r"two faults are called key-policies\.the-key-is-gone"):
        decorate(the_key_is_gone)


@pytest.mark.parametrize("fault", REGISTRY.values(), ids=list(REGISTRY))
def test_a_fault_can_be_read_by_a_learner(fault: Fault) -> None:
    assert fault.title.endswith(".")
    assert len(fault.title) <= 110
    assert fault.explanation, "what does it lead to?"
    assert fault.guide in GUIDES


@pytest.mark.parametrize("fault", REGISTRY.values(), ids=list(REGISTRY))
def test_a_fault_names_checks_that_exist(fault: Fault) -> None:
    assert fault.noticed_by
    assert set(fault.noticed_by) <= CHECKS.keys()
    assert len(set(fault.noticed_by)) == len(fault.noticed_by)
    assert not fault.also or catalogue(fault.also)


@pytest.mark.parametrize("fault", REGISTRY.values(), ids=list(REGISTRY))
def test_a_fault_does_not_excuse_what_must_notice_it(fault: Fault) -> None:
    """What stands in both lists would be excused for an ERROR by the one and not by the other."""
    assert not set(fault.noticed_by) & set(fault.also)


def test_no_two_faults_are_told_alike() -> None:
    titles = [fault.title for fault in REGISTRY.values()]
    assert len(set(titles)) == len(titles)
