from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.model.persona import Persona
from tests.checks import verdicts
from tests.checks.lab_world import LabWorld
from tests.checks.table import Broken, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.fake_kms import FakeKms
    from tests.checks.fakes import World


def kms_of(world: World) -> FakeKms:
    assert isinstance(world, LabWorld)
    return world.kms


def given(operation: str, persona: Persona) -> Callable[[World], object]:
    """Break the world by letting a persona through."""
    return lambda world: world.answers(f"kms:{operation}", getattr(kms_of(world), operation), persona)


def listed(**change: object) -> Callable[[World], object]:
    """Break what ListGrants says."""

    def changed(world: World) -> object:
        return [{**grant, **change} for grant in kms_of(world).grants.values()]

    return lambda world: world.answers(
        "kms:ListGrants", lambda _: {"Grants": changed(world)}, Persona.AUDITOR
    )


BROKEN = [
    Broken("grants.a-grant-opens-one-record", given("Decrypt", Persona.OUTSIDER), "could call kms:Decrypt"),
    Broken("grants.a-grant-opens-one-record", given("Encrypt", Persona.OUTSIDER), "could call kms:Encrypt"),
    Broken(
        "grants.a-grant-opens-one-record",
        lambda w: w.refuses("kms:Decrypt", Persona.OUTSIDER),
        "outsider is refused kms:Decrypt",
    ),
    Broken(
        "grants.a-revoked-grant-stops",
        lambda w: w.answers("kms:RevokeGrant", {}),
        "outsider could call kms:Decrypt",
    ),
    Broken(
        "grants.a-grant-without-a-context-is-refused",
        lambda w: w.answers(
            "kms:CreateGrant", {"GrantId": "x", "GrantToken": "x"}, when=lambda r: not r.get("Constraints")
        ),
        "data-owner could call kms:CreateGrant",
    ),
    Broken("grants.a-grant-is-on-record", listed(Operations=["Encrypt"]), "the list names ['Encrypt']"),
    Broken("grants.a-grant-is-on-record", listed(GranteePrincipal="other"), "names another grantee"),
    Broken("grants.a-grant-is-on-record", listed(Constraints={}), "names other constraints"),
]


@pytest.mark.parametrize("check", checks_of("grants"))
def test_passes_in_a_good_lab(check: str) -> None:
    verdicts.passes(check)


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices(row: Broken) -> None:
    verdicts.fails(row)


@pytest.mark.parametrize("check", checks_of("grants"))
def test_is_unable_to_look(check: str) -> None:
    verdicts.is_unable_to_look(check)


def test_every_check_is_shown_red() -> None:
    assert never_red("grants", BROKEN) == set()
