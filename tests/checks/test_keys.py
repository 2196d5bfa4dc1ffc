from __future__ import annotations

import pytest

from kmslab.lab import SETTLE_SECONDS
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import World, judge, key_arn
from tests.checks.lab_world import changed, good_lab, ignores_state, kms_of
from tests.checks.table import Broken


def cancelling_enables(world: World) -> None:
    """A KMS that puts a key back into service when its deletion is called off."""
    world.answers("kms:CancelKeyDeletion", kms_of(world).EnableKey)


def w_aliases(world: World) -> dict[str, str]:
    return kms_of(world).aliases


BROKEN = [
    Broken(
        "keys.every-key-has-its-spec-and-usage",
        changed("rsa", spec="RSA_2048"),
        "the key rsa is RSA_2048 for ENCRYPT_DECRYPT, not RSA_4096",
    ),
    Broken(
        "keys.every-key-has-its-spec-and-usage",
        changed("agreement", usage="SIGN_VERIFY"),
        "the key agreement is ECC_NIST_P256 for SIGN_VERIFY",
    ),
    Broken("keys.every-key-is-customer-managed", changed("s3", manager="AWS"), "s3 is managed by AWS"),
    Broken("keys.every-key-is-customer-managed", changed("app", multi_region=True), "app is a multi-Region"),
    Broken(
        "keys.every-key-is-customer-managed",
        changed("global", multi_region=False),
        "global is not a multi",
    ),
    Broken(
        "keys.key-material-has-its-origin",
        changed("imported", origin="AWS_KMS"),
        "imported has origin AWS_KMS",
    ),
    Broken("keys.every-key-is-in-service", changed("trail", state="Disabled"), "the key trail is Disabled"),
    Broken("keys.every-key-is-in-service", changed("app", state="PendingDeletion"), "app is PendingDeletion"),
    Broken(
        "keys.every-key-has-its-alias",
        lambda w: w_aliases(w).update({"alias/kms-lab/app": key_arn("s3")}),
        f"alias/kms-lab/app points to {key_arn('s3').rpartition('/')[2]}",
    ),
    Broken(
        "keys.every-key-has-its-alias",
        lambda w: w_aliases(w).pop("alias/kms-lab/rsa"),
        "there is no alias/kms-lab/rsa",
    ),
    Broken("keys.every-key-is-tagged", changed("mac", tags=[]), "the key mac has no tag"),
    Broken("keys.rotation-is-on-where-it-can-be", changed("ebs", rotation_days=0), "ebs is not rotated"),
    Broken(
        "keys.rotation-is-on-where-it-can-be",
        changed("ebs", rotation_days=30),
        "rotation period of 30 days",
    ),
    Broken(
        "keys.rotation-is-refused-where-it-cannot-be",
        lambda w: w.answers("kms:EnableKeyRotation", {}),
        "could call kms:EnableKeyRotation",
    ),
    Broken("keys.a-disabled-key-stops", ignores_state, "could call kms:Decrypt"),
    Broken("keys.deletion-can-be-called-off", ignores_state, "could call kms:Decrypt"),
    Broken(
        "keys.deletion-can-be-called-off",
        cancelling_enables,
        "the key is Enabled, not Disabled",
    ),
    Broken(
        "keys.rotation-is-refused-where-it-cannot-be",
        lambda w: w.answers("kms:RotateKeyOnDemand", {}),
        "could call kms:RotateKeyOnDemand",
    ),
]


@pytest.mark.parametrize(
    ("check", "change", "operations", "code"),
    [
        ("a-disabled-key-stops", "EnableKey", ["Decrypt"], "DisabledException"),
    ],
)
def test_a_key_may_return_to_service_late(
    monkeypatch: pytest.MonkeyPatch, check: str, change: str, operations: list[str], code: str
) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 30.0)
    world = good_lab()
    world.kms.settles_late(world, change, *operations, code=code)
    verdict = judge(f"keys.{check}", world)
    assert verdict.outcome is Outcome.PASS, verdict
    said = [call.result for call in verdict.evidence if call.action == "kms:Decrypt"]
    assert said == ["ok", code, code, "ok"]
