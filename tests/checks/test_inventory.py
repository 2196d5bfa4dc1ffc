from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import Request, World, judge, key_arn
from tests.checks.lab_world import good_lab, key, kms_of
from tests.checks.table import Broken
from tests.checks.test_sweep import leave_key

if TYPE_CHECKING:
    from collections.abc import Callable


def alias(name: str, to: str) -> Callable[[World], object]:
    """Break the world by one more alias."""
    return lambda world: kms_of(world).aliases.update({name: key_arn(to)})


def stray_key(world: World) -> None:
    """A key with the lab's tag that no stack knows."""
    kms_of(world).add(key_arn("stray"), tags=[{"TagKey": "kmslab:prefix", "TagValue": "kms-lab"}])


def stray_name(world: World) -> None:
    stray_key(world)
    kms_of(world).aliases["alias/kms-lab/apps"] = key_arn("stray")


def last_used(**when: datetime) -> Callable[[World], object]:
    created = datetime(2026, 6, 1, tzinfo=UTC)
    use = {"KeyLastUsage": {"Operation": "Decrypt", "Timestamp": when["at"]}} if when else {}
    tracked = {"TrackingStartDate": created} if when else {}
    return lambda w: w.answers("kms:GetKeyLastUsage", {"KeyCreationDate": created, **tracked, **use})


def managed_gives_way(operation: str) -> Callable[[World], object]:
    """An AWS managed key that the operator can change."""
    return lambda world: world.answers(f"kms:{operation}", {}, Persona.OPERATOR)


BROKEN = [
    Broken(
        "inventory.no-other-name-leads-to-a-key",
        alias("alias/shadow", "app"),
        "the key app has another name: alias/sh",
    ),
    Broken(
        "inventory.no-other-name-leads-to-a-key",
        stray_name,
        "alias/kms-lab/apps is no name of the lab, but looks like one",
    ),
    Broken("inventory.no-key-is-outside-the-stacks", stray_key, "belongs to no stack, and is Enabled"),
    Broken(
        "inventory.no-key-is-outside-the-stacks",
        lambda w: key(w, "mac").tags.clear(),
        "1 keys of the stacks are not found by the tag",
    ),
    Broken(
        "inventory.every-key-says-what-it-is-for",
        lambda w: vars(key(w, "pq")).update(description=" "),
        "the key pq has no description",
    ),
    Broken(
        "inventory.every-key-says-what-it-is-for",
        lambda w: vars(key(w, "pq")).update(description="KMS Lab: mac"),
        "shares its description with another: KMS Lab: mac",
    ),
    Broken(
        "inventory.the-last-use-is-on-record",
        last_used(at=datetime(2026, 5, 1, tzinfo=UTC)),
        "the key s3 was last used at 2026-05-01",
    ),
    Broken(
        "inventory.the-last-use-is-on-record",
        last_used(at=datetime.now(UTC) + timedelta(days=1)),
        "the key s3 was last used at",
    ),
    Broken(
        "inventory.the-last-use-is-on-record",
        last_used(at=datetime.now(UTC) + timedelta(minutes=30)),
        "the key s3 was last used at",
    ),
    Broken("inventory.the-last-use-is-on-record", last_used(), "KMS does not watch the use of the key s3"),
    Broken(
        "inventory.an-aws-managed-key-is-not-ours",
        managed_gives_way("PutKeyPolicy"),
        "operator could call kms:PutKeyPolicy",
    ),
    Broken(
        "inventory.an-aws-managed-key-is-not-ours",
        managed_gives_way("EnableKeyRotation"),
        "operator could call kms:EnableKeyRotation",
    ),
    Broken(
        "inventory.an-aws-managed-key-is-not-ours",
        lambda w: vars(kms_of(w).find("alias/aws/s3")).update(manager="CUSTOMER"),
        "alias/aws/s3 is managed by CUSTOMER",
    ),
]


def test_keys_of_checks_and_keys_on_their_way_out_are_no_finding() -> None:
    world = good_lab()
    arn = leave_key(world)
    stray_key(world)
    world.kms.keys[key_arn("stray")].state = "PendingDeletion"
    verdict = judge("inventory.no-key-is-outside-the-stacks", world)
    assert verdict.outcome is Outcome.PASS, verdict
    assert "1 of checks" in verdict.summary
    assert world.kms.aliases["alias/kms-lab/temporary-run-0"] == arn
    assert judge("inventory.no-other-name-leads-to-a-key", world).outcome is Outcome.PASS


def test_keys_of_an_earlier_lab_let_its_auditor_look_and_not_the_operator() -> None:
    world = good_lab()
    stray_key(world)
    world.refuses("kms:DescribeKey", Persona.OPERATOR)
    going = {"KeyMetadata": {"KeyId": "stray", "KeyState": "PendingDeletion"}}
    world.answers("kms:DescribeKey", going, Persona.AUDITOR)
    assert judge("inventory.no-key-is-outside-the-stacks", world).outcome is Outcome.PASS


def test_every_page_of_a_list_is_read() -> None:
    world = good_lab()
    stray_name(world)
    whole = world.kms.ListAliases(Request(Persona.AUDITOR, "kms:ListAliases", {}))["Aliases"]
    pages = {
        "": {"Aliases": whole[:-1], "Truncated": True, "NextMarker": "1"},
        "1": {"Aliases": whole[-1:], "Truncated": False},
    }
    world.answers("kms:ListAliases", lambda request: pages[request.get("Marker", "")])
    assert "looks like one" in judge("inventory.no-other-name-leads-to-a-key", world).summary
    tags = [{"Key": "kmslab:prefix", "Value": "kms-lab"}]
    mapped = [{"ResourceARN": arn, "Tags": tags} for arn in world.kms.keys if arn != key_arn("aws-s3")]
    halves = {
        "": {"ResourceTagMappingList": mapped[:-1], "PaginationToken": "1"},
        "1": {"ResourceTagMappingList": mapped[-1:], "PaginationToken": ""},
    }
    world.answers("resourcegroupstaggingapi:GetResources", lambda request: halves[request["PaginationToken"]])
    assert "belongs to no stack" in judge("inventory.no-key-is-outside-the-stacks", world).summary


def test_a_clock_that_is_minutes_behind_makes_no_future_of_the_last_use() -> None:
    world = good_lab()
    last_used(at=datetime.now(UTC) + timedelta(minutes=4))(world)
    verdict = judge("inventory.the-last-use-is-on-record", world)
    assert verdict.outcome is Outcome.PASS, verdict.summary
