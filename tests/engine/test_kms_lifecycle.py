"""The end of a deletion window, as time passes: the key goes, and its aliases and grants with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine.kms import lifecycle, service
from kmslab.engine.kms.errors import KmsError

if TYPE_CHECKING:
    from kmslab.engine.identity import Identity

DAY = 86400.0


def call(inside: Identity, operation: str, **parameters: Any) -> dict[str, Any]:
    """Call KMS as the account's root user."""
    return service.perform(operation, parameters, access_key=inside.access_key_id)


def describe(inside: Identity, key: str) -> dict[str, Any]:
    return dict(call(inside, "DescribeKey", KeyId=key)["KeyMetadata"])


def gone(inside: Identity, key: str) -> bool:
    with pytest.raises(KmsError) as caught:
        describe(inside, key)
    return caught.value.refusal.code == "NotFoundException"


def test_a_key_goes_when_its_window_ends(inside: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = call(inside, "CreateKey")["KeyMetadata"]["Arn"]
    key_id = arn.rsplit("/", 1)[-1]
    call(inside, "CreateAlias", AliasName=f"alias/{key_id}", TargetKeyId=key_id)
    root = f"arn:aws:iam::{inside.account_id}:root"
    call(inside, "CreateGrant", KeyId=key_id, GranteePrincipal=root, Operations=["Encrypt"])
    end = call(inside, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)["DeletionDate"]

    monkeypatch.setattr(time, "time", lambda: end - 1)
    assert describe(inside, key_id)["KeyState"] == "PendingDeletion"
    monkeypatch.setattr(time, "time", lambda: end)
    assert gone(inside, key_id)
    assert gone(inside, f"alias/{key_id}")
    assert arn not in [entry["KeyArn"] for entry in call(inside, "ListKeys")["Keys"]]
    from ministack.services import kms

    assert not [grant for grant in kms._grants.all_values() if grant["KeyId"] == arn]


def test_a_primarys_window_starts_when_its_last_replica_is_gone(inside: Identity) -> None:
    from ministack.core.responses import request_scope

    from kmslab.engine.kms import records, transitions

    key_id = call(inside, "CreateKey", MultiRegion=True)["KeyMetadata"]["KeyId"]
    call(inside, "ReplicateKey", KeyId=key_id, ReplicaRegion="eu-west-1")
    primary = records.require(key_id)
    for member in records.members(primary):
        transitions.finish(member)
    call(inside, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=10)
    with request_scope(inside.account_id, "eu-west-1"):
        end = call(inside, "ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)["DeletionDate"]

    lifecycle.advance(primary, end - 1)
    assert primary["KeyState"] == "PendingReplicaDeletion"
    lifecycle.advance(primary, end)
    assert (primary["KeyState"], primary["DeletionDate"]) == ("PendingDeletion", round(end + 10 * DAY, 3))
    assert describe(inside, key_id)["MultiRegionConfiguration"]["ReplicaKeys"] == []
    with request_scope(inside.account_id, "eu-west-1"):
        assert gone(inside, key_id)
