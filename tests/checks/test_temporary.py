from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from kmslab.checks.temporary import discard, scratch_key, scratch_key_of_kind, temporary_key
from kmslab.lab import Inconclusive
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from tests.checks.fakes import PREFIX, RUN, FakeAccess, key_arn, open_lab
from tests.checks.lab_world import LabWorld, good_lab


@pytest.fixture
def world() -> LabWorld:
    return good_lab()


def test_a_temporary_key_is_tagged_and_leaves_with_its_check(world: LabWorld) -> None:
    with open_lab(world) as lab:
        key = world.kms.keys[temporary_key(lab, "a test")]
        assert key.state == "Enabled"
        assert key.tags == [
            {"TagKey": TEMPORARY_TAG, "TagValue": RUN},
            {"TagKey": PREFIX_TAG, "TagValue": PREFIX},
        ]
        assert [call.action for call in lab.calls] == ["kms:CreateKey"]
    assert key.state == "PendingDeletion"


def test_a_run_has_one_key_of_each_kind(world: LabWorld) -> None:
    lab = open_lab(world)
    pair = scratch_key_of_kind(lab, "ECC_NIST_P384", "SIGN_VERIFY")
    assert scratch_key_of_kind(lab, "ECC_NIST_P384", "SIGN_VERIFY") == pair
    assert scratch_key_of_kind(lab, "ECC_NIST_P384", "KEY_AGREEMENT") != pair
    assert world.kms.keys[pair].spec == "ECC_NIST_P384"
    assert scratch_key(lab) == scratch_key(lab) != scratch_key(lab, "second")


def test_a_key_that_cannot_be_made_is_no_finding(world: LabWorld) -> None:
    world.refuses("kms:CreateKey")
    with pytest.raises(Inconclusive, match="operator could not call kms:CreateKey: AccessDeniedException"):
        scratch_key(open_lab(world))


@pytest.mark.parametrize("state", ["PendingDeletion", "PendingReplicaDeletion"])
def test_a_key_on_its_way_out_is_discarded_already(world: LabWorld, state: str) -> None:
    world.kms.add(key_arn("old"), state=state)
    discard(FakeAccess(world), key_arn("old"))
    assert world.kms.keys[key_arn("old")].state == state


def test_a_key_that_cannot_leave_yet_is_told(world: LabWorld) -> None:
    world.kms.add(key_arn("new"), state="Creating")
    world.refuses("kms:ScheduleKeyDeletion", code="KMSInvalidStateException")
    with pytest.raises(ClientError, match="KMSInvalidStateException"):
        discard(FakeAccess(world), key_arn("new"))


def test_a_key_is_discarded_in_its_own_region(world: LabWorld) -> None:
    there = key_arn("far").replace("eu-central-1", "us-west-2")
    world.kms.add(there)
    discard(FakeAccess(world), there)
    assert [request.region for request in world.asked("kms:ScheduleKeyDeletion")] == ["us-west-2"]
