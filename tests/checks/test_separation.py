from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.lab import SETTLE_SECONDS
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import judge, key_arn
from tests.checks.lab_world import given, good_lab, kms_of
from tests.checks.table import Broken

if TYPE_CHECKING:
    import pytest


ADMINISTRATOR = Persona.KEY_ADMINISTRATOR


BROKEN = [
    *(
        Broken(
            "separation.the-administrator-cannot-use-the-key",
            given(operation, ADMINISTRATOR),
            f"key-administrator could call kms:{operation}",
        )
        for operation in ("Encrypt", "Decrypt", "GenerateDataKey")
    ),
    Broken(
        "separation.the-administrator-cannot-rewrite-the-policy",
        given("PutKeyPolicy", ADMINISTRATOR),
        "key-administrator could call kms:PutKeyPolicy",
    ),
    Broken(
        "separation.the-administrator-cannot-create-a-grant",
        lambda w: w.answers("kms:CreateGrant", {}, ADMINISTRATOR),
        "key-administrator could call kms:CreateGrant",
    ),
    Broken(
        "separation.the-administrator-cannot-turn-an-alias",
        given("UpdateAlias", ADMINISTRATOR),
        "key-administrator could call kms:UpdateAlias",
    ),
    Broken(
        "separation.the-administrator-cannot-replicate",
        lambda w: w.answers("kms:ReplicateKey", {}, ADMINISTRATOR),
        "key-administrator could call kms:ReplicateKey",
    ),
    Broken(
        "separation.the-administrator-cannot-replicate",
        lambda w: w.refuses(
            "kms:ReplicateKey", ADMINISTRATOR, code="UnsupportedOperationException", message="one Region only"
        ),
        "key-administrator is not refused for want of kms:ReplicateKey, but for: one Region only",
    ),
    Broken(
        "separation.the-administrator-stops-and-restarts-a-key",
        lambda w: w.refuses("kms:DisableKey"),
        "key-administrator is refused kms:DisableKey",
    ),
    Broken(
        "separation.the-administrator-stops-and-restarts-a-key",
        lambda w: setattr(kms_of(w), "usable", kms_of(w).find),
        "data-owner could call kms:Decrypt",
    ),
    Broken(
        "separation.the-administrator-stops-and-restarts-a-key",
        lambda w: setattr(kms_of(w).find("alias/kms-lab/app"), "state", "Disabled"),
        "could not call kms:Encrypt",
        Outcome.ERROR,
    ),
    Broken(
        "separation.the-auditor-reads-policies-not-data",
        given("Decrypt", Persona.AUDITOR),
        "auditor could call kms:Decrypt",
    ),
    Broken(
        "separation.the-auditor-reads-policies-not-data",
        lambda w: w.refuses(
            "kms:GetKeyPolicy", Persona.AUDITOR, when=lambda request: request["KeyId"] == key_arn("mac")
        ),
        "auditor is refused kms:GetKeyPolicy, which it should have",
    ),
]


def test_a_permitted_dry_run_is_no_refusal() -> None:
    world = good_lab()
    given("CreateGrant", ADMINISTRATOR)(world)
    verdict = judge("separation.the-administrator-cannot-create-a-grant", world)
    assert verdict.outcome is Outcome.FAIL
    assert "key-administrator could call kms:CreateGrant" in verdict.summary


def test_a_key_may_return_to_service_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 30.0)
    world = good_lab()
    world.kms.settles_late(world, "EnableKey", "Decrypt", code="DisabledException")
    verdict = judge("separation.the-administrator-stops-and-restarts-a-key", world)
    assert verdict.outcome is Outcome.PASS, verdict
    assert [call.result for call in verdict.evidence].count("DisabledException") == 2
