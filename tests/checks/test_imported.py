from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import imported
from kmslab.lab import SETTLE_SECONDS
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fake_pairs import signs_with_another_key
from tests.checks.fakes import Refusal, Request, World, judge
from tests.checks.lab_world import good_lab, ignores_state, kms_of
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable


TAKEN_BACK = "imported.imported-material-can-be-taken-back"
WRAPPED = "imported.material-travels-wrapped-for-one-key"
EXPIRES = "imported.material-expires"
ROTATES = "imported.imported-material-rotates-on-demand-only"
HMAC = "imported.an-imported-hmac-key-is-the-owners"
SIGNING = "imported.an-imported-signing-key-is-the-owners"
THERE = "imported.the-labs-material-is-there-or-was-never"
BRINGS = "imported.only-the-administrator-brings-material"


def be_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken KMS never does is not waited for."""
    monkeypatch.setattr(imported, "EXPIRY_SECONDS", 2.5)


def forgives(code: str) -> Callable[[World], object]:
    """A KMS that takes material which it should refuse with this code."""

    def how(world: World) -> None:
        real = kms_of(world).ImportKeyMaterial

        def take(request: Request) -> dict[str, object]:
            try:
                return real(request)
            except Refusal as refusal:
                if refusal.code != code:
                    raise
                return {}

        world.answers("kms:ImportKeyMaterial", take)

    return how


def keeps_for_ever(world: World) -> None:
    """A KMS that forgets when material ends."""
    real = kms_of(world).ImportKeyMaterial

    def take(request: Request) -> dict[str, object]:
        parameters = {name: value for name, value in request.parameters.items() if name != "ValidTo"}
        return real(Request(request.persona, request.action, parameters))

    world.answers("kms:ImportKeyMaterial", take)


def says_end_and_keeps(world: World) -> None:
    """A KMS that shows when material ends, and keeps it."""
    shown: dict[str, Any] = {}
    keeps_for_ever(world)
    taking = world.reply_to

    def take(request: Request) -> Any:
        if "ValidTo" in request.parameters:
            shown["ValidTo"] = request["ValidTo"]
        return taking(request)

    world.reply_to = take  # type: ignore[method-assign]  # that is the break
    real = kms_of(world).DescribeKey
    world.answers("kms:DescribeKey", lambda r: {"KeyMetadata": {**real(r)["KeyMetadata"], **shown}})


def material(**entry: object) -> Callable[[World], object]:
    """What the list of the lab's imported materials says."""
    one = {"KeyMaterialId": "a" * 64, "ImportState": "IMPORTED", **entry}
    return lambda world: world.answers("kms:ListKeyRotations", {"Rotations": [one]})


def rotates_by_itself(world: World) -> None:
    world.answers("kms:EnableKeyRotation", {})


def same_material(world: World) -> None:
    """A KMS that says yes to a rotation, and goes on with the old material."""
    world.answers("kms:RotateKeyOnDemand", {})


def forgets_old_material(world: World) -> None:
    """A KMS that names the material in use, whatever opened a ciphertext."""
    kms = kms_of(world)
    world.answers("kms:Decrypt", lambda r: {**kms.Decrypt(r), "KeyMaterialId": kms.key_of(r).current})


def rotates_without_material(world: World) -> None:
    real = kms_of(world).RotateKeyOnDemand

    def rotate(request: Request) -> dict[str, object]:
        key = kms_of(world).find(request["KeyId"])
        key.waiting = key.waiting or secrets.token_bytes(32)
        return real(request)

    world.answers("kms:RotateKeyOnDemand", rotate)


BROKEN = [
    Broken(TAKEN_BACK, ignores_state, "could call kms:Decrypt"),
    Broken(TAKEN_BACK, forgives("IncorrectKeyMaterialException"), "could call kms:ImportKeyMaterial"),
    Broken(WRAPPED, forgives("InvalidImportTokenException"), "could call kms:ImportKeyMaterial"),
    Broken(WRAPPED, forgives("InvalidCiphertextException"), "could call kms:ImportKeyMaterial"),
    Broken(EXPIRES, keeps_for_ever, "KMS says None"),
    Broken(EXPIRES, says_end_and_keeps, "the end of the material did not happen", Outcome.ERROR),
    Broken(EXPIRES, ignores_state, "could call kms:Decrypt"),
    Broken(ROTATES, rotates_by_itself, "could call kms:EnableKeyRotation"),
    Broken(ROTATES, same_material, "the rotation to the new material did not happen", Outcome.ERROR),
    Broken(ROTATES, forgets_old_material, "not opened with the old material"),
    Broken(ROTATES, rotates_without_material, "could call kms:RotateKeyOnDemand"),
    Broken(HMAC, lambda w: w.answers("kms:GenerateMac", {"Mac": bytes(32)}), "KMS makes other codes"),
    Broken(SIGNING, signs_with_another_key, "does not verify with the imported key's own public key"),
    Broken(SIGNING, forgives("IncorrectKeyMaterialException"), "could call kms:ImportKeyMaterial"),
    Broken(
        BRINGS,
        lambda w: w.refuses("kms:GetParametersForImport", Persona.KEY_ADMINISTRATOR),
        "key-administrator is refused kms:GetParametersForImport",
    ),
    *(
        Broken(
            BRINGS,
            lambda w, persona=persona: w.answers("kms:GetParametersForImport", {}, persona),  # type: ignore[misc]  # mypy sees no default of a lambda
            f"{persona} could call kms:GetParametersForImport",
        )
        for persona in (Persona.DATA_OWNER, Persona.OPERATOR, Persona.STORAGE_OPERATOR)
    ),
    Broken(THERE, material(ImportState="PENDING_IMPORT"), "1 material(s) of the imported key were deleted"),
    Broken(THERE, material(ValidTo=datetime.now(UTC) - timedelta(minutes=1)), "expired at"),
]


def test_a_key_may_be_ready_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 30.0)
    world = good_lab()
    code = "KMSInvalidStateException"
    world.kms.settles_late(world, "ImportKeyMaterial", "Encrypt", "Decrypt", code=code)
    verdict = judge(TAKEN_BACK, world)
    assert verdict.outcome is Outcome.PASS, verdict
    said = [call.result for call in verdict.evidence if call.action == "kms:Decrypt"]
    assert said == ["ok", code, code, "ok"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({}, "1 material(s), all there"),
        ({"ValidTo": datetime(2999, 1, 1, tzinfo=UTC)}, "the first ends 2999-01-01"),
    ],
)
def test_material_that_is_there_is_told(entry: dict[str, object], says: str) -> None:
    world = good_lab()
    material(**entry)(world)
    verdict = judge(THERE, world)
    assert (verdict.outcome, says in verdict.summary) == (Outcome.PASS, True), verdict


@pytest.mark.parametrize("check", [TAKEN_BACK, WRAPPED, EXPIRES, ROTATES, HMAC, SIGNING])
def test_material_is_never_sent_in_plain_nor_kept(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    real = secrets.token_bytes

    def token_bytes(length: int) -> bytes:
        made.append(real(length))
        return made[-1]

    monkeypatch.setattr(secrets, "token_bytes", token_bytes)
    world = good_lab()
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.PASS, verdict
    sent = [request["EncryptedKeyMaterial"] for request in world.asked("kms:ImportKeyMaterial")]
    keys = [one for one in made if len(one) == 32]
    assert keys
    assert not any(key in blob for key in keys for blob in sent)
    assert not any(key.hex() in str(verdict) or str(key) in str(verdict) for key in keys)


def test_material_that_ended_before_it_was_used_is_imported_again_for_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imported, "LIFETIMES_SECONDS", (-5.0, 2.0))
    world = good_lab()
    verdict = judge(EXPIRES, world)
    assert verdict.outcome is Outcome.PASS, verdict
    assert len(world.asked("kms:ImportKeyMaterial")) == 2


def test_material_that_always_ends_too_soon_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imported, "LIFETIMES_SECONDS", (-5.0, -5.0))
    verdict = judge(EXPIRES, good_lab())
    assert (verdict.outcome, "could not be used" in verdict.summary) == (Outcome.ERROR, True), verdict


@pytest.mark.parametrize(("check", "imports"), [(TAKEN_BACK, 3), (ROTATES, 2), (SIGNING, 2), (WRAPPED, 3)])
def test_one_public_key_and_token_serve_all_imports_into_a_key(check: str, imports: int) -> None:
    world = good_lab()
    assert judge(check, world).outcome is Outcome.PASS
    assert len(world.asked("kms:GetParametersForImport")) == 1
    assert len(world.asked("kms:ImportKeyMaterial")) == imports
