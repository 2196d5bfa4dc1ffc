"""Every check is shown able to fail on the deployed lab, or says why nothing can make it: decisions/0018."""

from __future__ import annotations

from kmslab.checks import REGISTRY as CHECKS
from kmslab.faults import REGISTRY
from tests.faults.beyond import BEYOND

NOTICING = {check for fault in REGISTRY.values() for check in fault.noticed_by}
EXCEPTED = [check for some in BEYOND.values() for check in some]


def test_every_check_notices_a_fault_or_says_why_there_is_none() -> None:
    assert sorted(CHECKS.keys() - NOTICING - set(EXCEPTED)) == []


def test_what_notices_a_fault_is_no_exception() -> None:
    assert sorted(NOTICING & set(EXCEPTED)) == []


def test_an_exception_is_a_check_and_has_one_reason() -> None:
    assert sorted(set(EXCEPTED) - CHECKS.keys()) == []
    assert len(EXCEPTED) == len(set(EXCEPTED))


def test_there_are_at_least_a_hundred_faults() -> None:
    assert len(REGISTRY) >= 100
