"""Automatic rotation, rotation on demand, and its history."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import NOT_FOUND, UNSUPPORTED, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import PLAINTEXT, alias_name
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

ROTATED_SECONDS = 10.0
"""How long an emulator may take to rotate; on AWS it happens in the background as well."""


def _rotations(bench: Bench, key: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = bench.make("ListKeyRotations", KeyId=key)["Rotations"]
    return found


def _rotate(bench: Bench, key: str) -> None:
    before = len(_rotations(bench, key))
    bench.works("RotateKeyOnDemand", KeyId=key)
    bench.wait(
        lambda: len(_rotations(bench, key)) > before, "rotation in the history", seconds=ROTATED_SECONDS
    )


@probe(api("EnableKeyRotation"))
def rotation_can_be_switched(bench: Bench) -> None:
    """Automatic rotation is off in a new key, and is switched on and off.

    GetKeyRotationStatus says false, true and false again.
    """
    key = bench.key()
    status = bench.works("GetKeyRotationStatus", KeyId=key)
    bench.contrasts("it is off at first", status["KeyRotationEnabled"] is False)
    bench.works("EnableKeyRotation", KeyId=key)
    status = bench.works("GetKeyRotationStatus", KeyId=key)
    bench.equal("KeyRotationEnabled", status["KeyRotationEnabled"], expected=True)
    bench.works("DisableKeyRotation", KeyId=key)
    status = bench.works("GetKeyRotationStatus", KeyId=key)
    bench.contrasts("it is off again", status["KeyRotationEnabled"] is False)


@probe(api("EnableKeyRotation"))
def the_period_is_365_days_unless_told(bench: Bench) -> None:
    """The rotation period is 365 days, or what EnableKeyRotation is told.

    Without a period the status says 365 days, with 180 it says 180.
    """
    key = bench.key()
    periods: dict[int, dict[str, Any]] = {365: {}, 180: {"RotationPeriodInDays": 180}}
    for days, extra in periods.items():
        bench.works("EnableKeyRotation", KeyId=key, **extra)
        found = bench.make("GetKeyRotationStatus", KeyId=key)["RotationPeriodInDays"]
        see = bench.contrasts if extra else bench.sees
        see(f"the period is {days} days", found == days)


@probe(api("GetKeyRotationStatus"))
def the_next_rotation_has_a_date(bench: Bench) -> None:
    """The status of a key with rotation tells when it rotates next.

    It is the period ahead; without rotation there is no date.
    """
    from datetime import UTC, datetime, timedelta

    key = bench.key()
    status = bench.works("GetKeyRotationStatus", KeyId=key)
    bench.contrasts("without rotation there is no date", "NextRotationDate" not in status)
    bench.works("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    ahead = bench.make("GetKeyRotationStatus", KeyId=key)["NextRotationDate"] - datetime.now(UTC)
    bench.sees("the next rotation is 90 days ahead", timedelta(days=88) < ahead < timedelta(days=92))


@probe(api("EnableKeyRotation"))
def the_period_is_90_to_2560_days(bench: Bench) -> None:
    """The rotation period is from 90 to 2,560 days.

    90 and 2,560 days work; 89 and 2,561 are ValidationException.
    """
    key = bench.key()
    for days in (90, 2560):
        bench.works("EnableKeyRotation", KeyId=key, RotationPeriodInDays=days)
    for days in (89, 2561):
        bench.refuses(VALIDATION, "EnableKeyRotation", KeyId=key, RotationPeriodInDays=days)


UNROTATED = (
    ("RSA_2048", "ENCRYPT_DECRYPT"),
    ("ECC_NIST_P256", "SIGN_VERIFY"),
    ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ("ML_DSA_44", "SIGN_VERIFY"),
)


def _unrotated(operation: str, spec: str, usage: str, bench: Bench) -> None:
    bench.works(operation, KeyId=bench.key())
    bench.refuses(UNSUPPORTED, operation, KeyId=bench.shared_key(spec, usage))


for _operation in ("EnableKeyRotation", "RotateKeyOnDemand"):
    for _spec, _usage in UNROTATED:
        register(
            "rotation",
            f"{kebab(_operation)}-refuses-{kebab(_spec)}",
            f"{_operation} takes symmetric encryption keys, not keys of {_spec}.",
            f"On a symmetric encryption key it works; on one of {_spec} it is UnsupportedOperationException.",
            guide("rotate-keys"),
            partial(_unrotated, _operation, _spec, _usage),
        )


@probe(api("EnableKeyRotation"))
def imported_keys_do_not_rotate_by_themselves(bench: Bench) -> None:
    """A key of origin EXTERNAL has no automatic rotation.

    EnableKeyRotation works on a key of origin AWS_KMS; on the other it is UnsupportedOperationException.
    """
    bench.works("EnableKeyRotation", KeyId=bench.key())
    bench.refuses(UNSUPPORTED, "EnableKeyRotation", KeyId=bench.key(Origin="EXTERNAL"))


@probe(api("RotateKeyOnDemand"))
def a_rotated_key_opens_what_it_sealed(bench: Bench) -> None:
    """After a rotation on demand new material encrypts, and what the old encrypted still opens.

    Both ciphertexts decrypt, each under its own key material id, and the key's current one has changed.
    """
    key = bench.key()
    old = bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    _rotate(bench, key)
    new = bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    opened = [bench.works("Decrypt", CiphertextBlob=blob) for blob in (old, new)]
    bench.sees("both ciphertexts open", all(one["Plaintext"] == PLAINTEXT for one in opened))
    bench.contrasts(
        "each under material of its own", opened[0]["KeyMaterialId"] != opened[1]["KeyMaterialId"]
    )
    current = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    bench.contrasts("the newer is the current one", current == opened[1]["KeyMaterialId"])


@probe(api("ListKeyRotations"))
def the_history_tells_of_rotations(bench: Bench) -> None:
    """ListKeyRotations tells when and how a key was rotated.

    A new key has no rotations; after one on demand there is one, of the type ON_DEMAND.
    """
    key = bench.key()
    bench.contrasts("a new key has none", _rotations(bench, key) == [])
    _rotate(bench, key)
    found = _rotations(bench, key)
    bench.equal("the number of rotations", len(found), 1)
    bench.equal("RotationType", found[0]["RotationType"], "ON_DEMAND")
    bench.sees("it has a date", bool(found[0].get("RotationDate")))


@probe(api("ListKeyRotations"))
def the_history_can_show_all_material(bench: Bench) -> None:
    """With ALL_KEY_MATERIAL ListKeyRotations shows the first material too.

    After one rotation it lists two materials, one CURRENT and one NON_CURRENT; without it one rotation.
    """
    key = bench.key()
    _rotate(bench, key)
    request: dict[str, Any] = {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
    found = bench.works("ListKeyRotations", **request)["Rotations"]
    states = sorted(one["KeyMaterialState"] for one in found)
    bench.equal("the states", states, ["CURRENT", "NON_CURRENT"])
    bench.contrasts("without it there is one entry", len(_rotations(bench, key)) == 1)


@probe(guide("rotating-keys-on-demand"))
def a_key_rotates_25_times_on_demand(bench: Bench) -> None:
    """A key can be rotated on demand 25 times.

    25 rotations work; the next is LimitExceededException.
    """
    key = bench.key()
    for _ in range(25):
        _rotate(bench, key)
    bench.refuses("LimitExceededException", "RotateKeyOnDemand", KeyId=key)


@probe(api("RotateKeyOnDemand"))
def rotating_on_demand_leaves_the_schedule_alone(bench: Bench) -> None:
    """A rotation on demand changes neither switch nor period of automatic rotation.

    After it the status is still what it was: on with 200 days, and off in another key.
    """
    on, off = bench.key(), bench.key()
    bench.make("EnableKeyRotation", KeyId=on, RotationPeriodInDays=200)
    for key in (on, off):
        _rotate(bench, key)
    status = bench.make("GetKeyRotationStatus", KeyId=on)
    bench.equal("the period", (status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 200))
    status = bench.make("GetKeyRotationStatus", KeyId=off)
    bench.contrasts("it is still off in the other", status["KeyRotationEnabled"] is False)


@probe(guide("rotate-keys"))
def rotation_changes_no_name(bench: Bench) -> None:
    """Rotation changes the key material, and not the key.

    ARN and creation date stay, the key material id does not.
    """
    key = bench.key()
    before = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]
    _rotate(bench, key)
    after = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]
    same = before["Arn"] == after["Arn"] and before["CreationDate"] == after["CreationDate"]
    bench.sees("ARN and creation date stay", same)
    bench.contrasts(
        "the material is another", before["CurrentKeyMaterialId"] != after["CurrentKeyMaterialId"]
    )


@probe(guide("rotating-keys-enable"))
def rotation_is_not_set_by_alias(bench: Bench) -> None:
    """EnableKeyRotation takes a key id or key ARN, not an alias.

    By id it works; by an alias of the same key it is refused.
    """
    key, alias = bench.key(), alias_name(bench)
    bench.make("CreateAlias", AliasName=alias, TargetKeyId=key)
    bench.works("EnableKeyRotation", KeyId=key.rpartition("/")[2])
    codes = ("InvalidArnException", NOT_FOUND, VALIDATION)
    bench.refuses(codes, "EnableKeyRotation", KeyId=alias)
