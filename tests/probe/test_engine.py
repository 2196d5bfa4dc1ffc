"""The suite on the real engine: what it says of itself, and that nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.engine.capabilities import CAPABILITIES
from kmslab.probe import runner
from kmslab.probe.capabilities import NEEDED, capabilities
from kmslab.probe.model import Outcome
from kmslab.probe.world import ROLE_PATH, World

if TYPE_CHECKING:
    from kmslab.model.target import Credentials, Target


@pytest.mark.xdist_group("probes")
def test_the_engine_enforces_what_it_declares(target: Target, neighbour: Credentials | None) -> None:
    world = World(target, "kms-lab", neighbour)
    results = runner.run_all(world, runner.catalogue(NEEDED))
    wrong = {one.probe.id: one.seen for one in results if one.outcome is not Outcome.AS_DOCUMENTED}
    assert capabilities(results) == CAPABILITIES, wrong


@pytest.mark.xdist_group("probes")
def test_everything_is_as_documented_and_nothing_is_left(
    target: Target, neighbour: Credentials | None
) -> None:
    world = World(target, "kms-lab", neighbour)
    results = runner.run_all(world, runner.catalogue())
    wrong = {one.probe.id: one.seen for one in results if one.outcome is not Outcome.AS_DOCUMENTED}
    assert wrong == {}
    assert world.problems == []
    kms = world.client("kms")
    pages = kms.get_paginator("list_keys").paginate()
    keys = [entry["KeyId"] for page in pages for entry in page["Keys"]]
    about = [kms.describe_key(KeyId=key)["KeyMetadata"] for key in keys]
    assert {one["KeyState"] for one in about if one["KeyManager"] == "CUSTOMER"} <= {
        "PendingDeletion",
        "PendingReplicaDeletion",
    }
    assert world.client("iam").list_roles(PathPrefix=ROLE_PATH)["Roles"] == []
    assert world.client("s3").list_buckets()["Buckets"] == []
