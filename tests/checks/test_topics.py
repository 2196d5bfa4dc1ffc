"""Every check of the topics about keys: PASS in a good world, FAIL where it breaks, ERROR where nothing answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kmslab.model.verdict import Outcome
from tests.checks import (
    test_agreement,
    test_caching,
    test_direct,
    test_envelope,
    test_grants,
    test_identity,
    test_imported,
    test_inventory,
    test_key_policies,
    test_keys,
    test_mac,
    test_multi_region,
    test_public_key,
    test_rotation,
    test_separation,
    test_signing,
    verdicts,
)
from tests.checks.fakes import judge
from tests.checks.lab_world import good_lab
from tests.checks.table import break_and_judge, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.fakes import World
    from tests.checks.table import Broken


@dataclass(frozen=True)
class Topic:
    """One topic: the table that breaks its checks, and the world in which they all pass."""

    name: str
    broken: list[Broken]
    good: Callable[[], World] = good_lab


TOPICS = (
    Topic("agreement", test_agreement.BROKEN, test_agreement.good),
    Topic("caching", test_caching.BROKEN),
    Topic("direct", test_direct.BROKEN),
    Topic("envelope", test_envelope.BROKEN),
    Topic("grants", test_grants.BROKEN),
    Topic("identity", test_identity.BROKEN),
    Topic("imported", test_imported.BROKEN),
    Topic("inventory", test_inventory.BROKEN),
    Topic("key-policies", test_key_policies.BROKEN),
    Topic("keys", test_keys.BROKEN),
    Topic("mac", test_mac.BROKEN, test_mac.good),
    Topic("multi-region", test_multi_region.BROKEN),
    Topic("public-key", test_public_key.BROKEN, test_public_key.good),
    Topic("rotation", test_rotation.BROKEN),
    Topic("separation", test_separation.BROKEN),
    Topic("signing", test_signing.BROKEN, test_signing.good),
)
CHECKS = [pytest.param(topic, check, id=check) for topic in TOPICS for check in checks_of(topic.name)]
ROWS = [pytest.param(topic, row, id=str(row)) for topic in TOPICS for row in topic.broken]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken world never does is not waited for."""
    test_imported.be_impatient(monkeypatch)
    test_multi_region.be_impatient(monkeypatch)


@pytest.mark.parametrize(("topic", "check"), CHECKS)
def test_passes_in_a_good_world(topic: Topic, check: str) -> None:
    if topic.good is good_lab:
        verdicts.passes(check)
    else:
        verdict = judge(check, topic.good())
        assert verdict.outcome is Outcome.PASS, verdict.summary


@pytest.mark.parametrize(("topic", "row"), ROWS)
def test_notices_what_is_broken(topic: Topic, row: Broken) -> None:
    verdict = break_and_judge(row, topic.good())
    assert (verdict.outcome, row.says in verdict.summary) == (row.outcome, True), verdict


@pytest.mark.parametrize(("topic", "check"), CHECKS)
def test_cannot_look(topic: Topic, check: str) -> None:
    assert judge(check, topic.good().unreachable()).outcome is Outcome.ERROR


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_check_is_shown_red(topic: Topic) -> None:
    shown_elsewhere = test_caching.SHOWN_RED if topic.name == "caching" else set()
    assert never_red(topic.name, topic.broken) == shown_elsewhere
