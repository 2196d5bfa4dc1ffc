from __future__ import annotations

from typing import Any

import pytest

from kmslab.faults.change import Both
from kmslab.faults.templates import Templates
from kmslab.faults.workshop import Workshop
from kmslab.model.outputs import LabStack
from tests.checks.fakes import OUTPUTS, PREFIX, FakeAccess, World
from tests.faults.fakes import Setting

WORKSHOP = Workshop(FakeAccess(World()), OUTPUTS)


def test_both_are_made_and_put_back_in_reverse_order() -> None:
    lab: dict[str, Any] = {"policy": "narrow", "key": "own"}
    order: list[str] = []
    changes = [Setting(lab, "policy", "wide"), Setting(lab, "key", "other"), Setting(lab, "policy", "wider")]
    for change in changes:
        change.on_apply = lambda value=change.value: order.append(f"make {value}")  # type: ignore[misc]  # a default in a lambda
        change.on_restore = lambda value=change.value: order.append(f"undo {value}")  # type: ignore[misc]  # likewise
    both = Both(*changes)
    saved = both.save(WORKSHOP)
    both.apply(WORKSHOP, saved)
    assert lab == {"policy": "wider", "key": "other"}
    both.restore(WORKSHOP, saved)
    assert lab == {"policy": "narrow", "key": "own"}
    assert order == ["make wide", "make other", "make wider", "undo wider", "undo other", "undo wide"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_half_of_both_is_put_back_too(count: int) -> None:
    lab: dict[str, Any] = {"policy": "narrow", "key": "own"}
    both = Both(Setting(lab, "policy", "wide"), Setting(lab, "key", "other"))
    saved = both.save(WORKSHOP)
    for change, own in list(zip(both.changes, saved["changes"], strict=True))[:count]:
        change.apply(WORKSHOP, own)
    both.restore(WORKSHOP, saved)
    assert lab == {"policy": "narrow", "key": "own"}


def test_in_templates_both_or_none_are_made() -> None:
    class InTemplate(Setting):
        def in_template(self, templates: Templates) -> bool:
            templates.by_stack[LabStack.KEYS][self.name] = self.value
            return True

    templates = Templates(PREFIX, {LabStack.KEYS: {"a": 0}})
    one, other, cannot = InTemplate({}, "a", 1), InTemplate({}, "b", 2), Setting({}, "c", 3)
    assert not Both(one, cannot).in_template(templates)
    assert templates.by_stack == {LabStack.KEYS: {"a": 0}}
    assert Both(one, other).in_template(templates)
    assert templates.by_stack == {LabStack.KEYS: {"a": 1, "b": 2}}
