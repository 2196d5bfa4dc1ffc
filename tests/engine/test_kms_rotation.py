"""Rotation: who can, when, how often, and what still opens afterwards."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from kmslab.engine.kms import lifecycle, material, records, service
from kmslab.engine.kms.errors import KmsError
from tests.engine.conftest import eventually, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.identity import Identity
    from kmslab.engine.kms.records import KeyRecord

MINUTE = datetime.timedelta(minutes=1)
DAY = 86400.0


def test_on_demand_rotation_keeps_old_ciphertexts_open(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    before = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    assert kms.rotate_key_on_demand(KeyId=key.rsplit("/", 1)[-1])["KeyId"] == key
    after = kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert after != before
    opened = kms.decrypt(CiphertextBlob=blob)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"old", before)
    fresh = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=fresh)["KeyMaterialId"] == after


def test_rotations_are_listed_with_date_and_type(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    assert kms.list_key_rotations(KeyId=key)["Rotations"] == []
    kms.rotate_key_on_demand(KeyId=key)
    kms.rotate_key_on_demand(KeyId=key)
    listed = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [(item["RotationType"], item["KeyMaterialState"]) for item in listed] == [
        ("ON_DEMAND", "NON_CURRENT"),
        ("ON_DEMAND", "CURRENT"),
    ]
    everything = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=2)
    assert everything["Truncated"]
    assert "RotationDate" not in everything["Rotations"][0]


def test_a_key_rotates_on_demand_25_times(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key)
    with refused("LimitExceededException", "on-demand rotations limit", key):
        kms.rotate_key_on_demand(KeyId=key)


def test_automatic_rotation_has_period_and_next_date(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    status = kms.get_key_rotation_status(KeyId=key)
    assert status["KeyRotationEnabled"] is False
    assert not {"RotationPeriodInDays", "NextRotationDate"} & set(status)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyId"], status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (key, True, 180)
    due = status["NextRotationDate"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=179) < due <= datetime.timedelta(days=180)
    kms.disable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False


def test_the_default_period_is_a_year(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    kms.enable_key_rotation(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 365


@pytest.mark.parametrize("days", [89, 2561])
def test_a_period_is_90_to_2560_days(kms: Any, make_key: Callable[..., str], days: int) -> None:
    with refused("ValidationException", "rotationPeriodInDays"):
        kms.enable_key_rotation(KeyId=make_key(), RotationPeriodInDays=days)


@pytest.mark.parametrize(
    "parameters",
    [
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
        {"Origin": "EXTERNAL"},
    ],
)
def test_keys_that_cannot_rotate_by_themselves_say_so(
    kms: Any, make_key: Callable[..., str], parameters: dict[str, str]
) -> None:
    with refused("UnsupportedOperationException"):
        kms.enable_key_rotation(KeyId=make_key(**parameters))


@pytest.mark.parametrize("operation", ["enable_key_rotation", "rotate_key_on_demand", "list_key_rotations"])
def test_an_asymmetric_key_has_no_rotation(kms: Any, make_key: Callable[..., str], operation: str) -> None:
    key = make_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    with refused("UnsupportedOperationException") as told:
        getattr(kms, operation)(KeyId=key)
    assert told["Message"] == ""
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False


def test_the_state_is_told_before_the_kind(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        kms.rotate_key_on_demand(KeyId=key)
    empty = make_key(Origin="EXTERNAL")
    with refused("KMSInvalidStateException", f"{empty} is pending import."):
        kms.rotate_key_on_demand(KeyId=empty)
    with refused("UnsupportedOperationException", f"{empty} origin is EXTERNAL"):
        kms.enable_key_rotation(KeyId=empty)


def test_a_rotation_on_demand_shows_while_it_lasts(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    kms.enable_key_rotation(KeyId=key)
    due = kms.get_key_rotation_status(KeyId=key)["NextRotationDate"]
    kms.rotate_key_on_demand(KeyId=key)
    status = kms.get_key_rotation_status(KeyId=key)
    assert abs(status["OnDemandRotationStartDate"] - datetime.datetime.now(datetime.UTC)) < MINUTE
    assert status["NextRotationDate"] == due
    eventually(lambda: "OnDemandRotationStartDate" not in kms.get_key_rotation_status(KeyId=key))


def test_on_demand_makes_way_for_automatic_rotation(inside: Identity) -> None:
    given = {"access_key": inside.access_key_id}
    key = service.perform("CreateKey", {}, **given)["KeyMetadata"]["KeyId"]
    service.perform("EnableKeyRotation", {"KeyId": key, "RotationPeriodInDays": 90}, **given)
    record = records.require(key)
    record["rotation_start"] = time.time() - 90 * DAY + 21 * 60
    service.perform("RotateKeyOnDemand", {"KeyId": key}, **given)
    record["rotation_start"] = time.time() - 90 * DAY + 19 * 60
    with pytest.raises(KmsError) as told:
        service.perform("RotateKeyOnDemand", {"KeyId": key}, **given)
    assert told.value.refusal.code == "ConflictException"


def test_a_disabled_key_does_not_rotate(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        kms.rotate_key_on_demand(KeyId=key)
    with refused("DisabledException"):
        kms.enable_key_rotation(KeyId=key)


def stored_key() -> KeyRecord:
    """A symmetric key as it is stored, created at the beginning of 1970."""
    return cast(
        "KeyRecord",
        {
            "KeyId": "key",
            "Arn": "arn:aws:kms:us-east-1:111122223333:key/key",
            "KeyState": "Enabled",
            "Enabled": True,
            "KeySpec": "SYMMETRIC_DEFAULT",
            "Origin": "AWS_KMS",
            "CreationDate": 0.0,
            "KeyRotationEnabled": True,
            "RotationPeriodInDays": 90,
            "rotation_start": 0.0,
            "materials": [material.new_material("key")],
        },
    )


def test_time_rotates_a_key_once_for_each_period() -> None:
    key = stored_key()
    lifecycle.advance(key, 90 * DAY - 1)
    assert len(key["materials"]) == 1
    lifecycle.advance(key, 185 * DAY)
    assert [(item["state"], item.get("rotation"), item.get("rotated")) for item in key["materials"]] == [
        ("NON_CURRENT", None, None),
        ("NON_CURRENT", "AUTOMATIC", 90 * DAY),
        ("CURRENT", "AUTOMATIC", 180 * DAY),
    ]
    assert lifecycle.next_rotation(key) == 270 * DAY


def test_a_disabled_key_waits_with_its_rotation() -> None:
    key = stored_key()
    key["KeyState"] = "Disabled"
    lifecycle.advance(key, 100 * DAY)
    assert len(key["materials"]) == 1


def test_the_use_of_a_replica_rotates_the_whole_set_when_it_is_due(inside: Identity) -> None:
    given = {"access_key": inside.access_key_id}
    key = service.perform("CreateKey", {"MultiRegion": True}, **given)["KeyMetadata"]["KeyId"]
    service.perform("EnableKeyRotation", {"KeyId": key, "RotationPeriodInDays": 90}, **given)
    service.perform("ReplicateKey", {"KeyId": key, "ReplicaRegion": "eu-west-1"}, **given)
    primary = records.require(key)
    replica = next(member for member in records.members(primary) if records.is_replica(member))
    due = lifecycle.next_rotation(primary)
    lifecycle.advance(replica, due - 1)
    assert len(primary["materials"]) == len(replica["materials"]) == 1
    lifecycle.advance(replica, due)
    assert [item["state"] for item in replica["materials"]] == ["NON_CURRENT", "CURRENT"]
    assert [item["id"] for item in replica["materials"]] == [item["id"] for item in primary["materials"]]
