"""Every check that has a table: PASS in a good world, FAIL where it breaks, ERROR where nothing answers."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

from kmslab.model.verdict import Outcome
from tests.checks import (
    test_access,
    test_agreement,
    test_alarms,
    test_audit,
    test_bucket_policies,
    test_caching,
    test_direct,
    test_ebs,
    test_envelope,
    test_escalation,
    test_grants,
    test_identity,
    test_imported,
    test_inventory,
    test_key_policies,
    test_keys,
    test_log_files,
    test_mac,
    test_multi_region,
    test_network,
    test_other_buckets,
    test_parameters,
    test_public_key,
    test_rotation,
    test_s3,
    test_secrets,
    test_separation,
    test_signing,
    test_teardown,
    test_trail,
    test_volumes,
    verdicts,
)
from tests.checks.account_world import AccountWorld
from tests.checks.fakes import judge
from tests.checks.lab_world import good_lab
from tests.checks.table import break_and_judge, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.fakes import World
    from tests.checks.table import Broken


@dataclass(frozen=True)
class Topic:
    """One topic.

    Attributes:
        name: as check ids begin.
        broken: the table that breaks its checks.
        good: makes the world in which they all pass.
        left: what of that world a check must leave empty, whatever it says: ``s3.left``.
    """

    name: str
    broken: list[Broken]
    good: Callable[[], World] = good_lab
    left: tuple[str, ...] = ()

    def leftovers(self, world: World) -> dict[str, object]:
        """What a check has left behind."""
        return {name: found for name in self.left if (found := attrgetter(name)(world))}


TOPICS = (
    Topic("access", test_access.BROKEN, AccountWorld),
    Topic("agreement", test_agreement.BROKEN, test_agreement.good),
    Topic("alarms", test_alarms.BROKEN, test_alarms.good_world),
    Topic("audit", test_audit.BROKEN, test_audit.GoodWorld, ("left", "ebs.left", "s3.left")),
    Topic("bucket-policies", test_bucket_policies.BROKEN, test_bucket_policies.GoodWorld),
    Topic("caching", test_caching.BROKEN),
    Topic("direct", test_direct.BROKEN),
    Topic("ebs", test_ebs.BROKEN, test_ebs.GoodWorld, ("ebs.left", "ebs.disabled")),
    Topic("envelope", test_envelope.BROKEN),
    Topic("escalation", test_escalation.BROKEN, test_escalation.good),
    Topic("grants", test_grants.BROKEN),
    Topic("identity", test_identity.BROKEN),
    Topic("imported", test_imported.BROKEN),
    Topic("inventory", test_inventory.BROKEN),
    Topic("key-policies", test_key_policies.BROKEN),
    Topic("keys", test_keys.BROKEN),
    Topic("log-files", test_log_files.BROKEN, test_log_files.GoodWorld),
    Topic("mac", test_mac.BROKEN, test_mac.good),
    Topic("multi-region", test_multi_region.BROKEN),
    Topic("network", test_network.BROKEN, test_network.GoodWorld),
    Topic("other-buckets", test_other_buckets.BROKEN, test_other_buckets.good_world),
    Topic("parameters", test_parameters.BROKEN, test_parameters.GoodWorld, ("parameters",)),
    Topic("public-key", test_public_key.BROKEN, test_public_key.good),
    Topic("rotation", test_rotation.BROKEN),
    Topic("s3", test_s3.BROKEN, test_s3.GoodWorld, ("s3.left", "s3.disabled")),
    Topic("secrets", test_secrets.BROKEN, test_secrets.GoodWorld, ("disabled", "parameters", "secrets")),
    Topic("separation", test_separation.BROKEN),
    Topic("signing", test_signing.BROKEN, test_signing.good),
    Topic("teardown", test_teardown.BROKEN, test_teardown.GoodWorld),
    Topic("trail", test_trail.BROKEN, test_trail.good_world),
    Topic("volumes", test_volumes.BROKEN, test_volumes.GoodWorld, ("ebs.left",)),
)
CHECKS = [pytest.param(topic, check, id=check) for topic in TOPICS for check in checks_of(topic.name)]
ROWS = [pytest.param(topic, row, id=str(row)) for topic in TOPICS for row in topic.broken]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken world never does is not waited for."""
    test_imported.be_impatient(monkeypatch)
    test_multi_region.be_impatient(monkeypatch)
    test_audit.be_impatient(monkeypatch)


@pytest.mark.parametrize(("topic", "check"), CHECKS)
def test_passes_in_a_good_world(topic: Topic, check: str) -> None:
    if topic.good is good_lab:
        verdicts.passes(check)
    else:
        world = topic.good()
        verdict = judge(check, world)
        assert verdict.outcome is Outcome.PASS, verdict.summary
        assert verdict.evidence
        assert topic.leftovers(world) == {}


@pytest.mark.parametrize(("topic", "row"), ROWS)
def test_notices_what_is_broken(topic: Topic, row: Broken) -> None:
    world = topic.good()
    verdict = break_and_judge(row, world)
    assert (verdict.outcome, row.says in verdict.summary) == (row.outcome, True), verdict
    assert topic.leftovers(world) == {}


@pytest.mark.parametrize(("topic", "check"), CHECKS)
def test_cannot_look(topic: Topic, check: str) -> None:
    assert judge(check, topic.good().unreachable()).outcome is Outcome.ERROR


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_check_is_shown_red(topic: Topic) -> None:
    shown_elsewhere = test_caching.SHOWN_RED if topic.name == "caching" else set()
    assert never_red(topic.name, topic.broken) == shown_elsewhere
