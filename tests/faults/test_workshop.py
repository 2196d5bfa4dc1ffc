from __future__ import annotations

import pytest

from kmslab.faults.cloudformation import OwnerNeededError
from kmslab.faults.workshop import Workshop
from kmslab.model.errors import ExitCode
from kmslab.model.persona import Persona
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, FakeAccess, World


def test_the_owner_and_the_operator_and_a_persona_act_each_for_themselves() -> None:
    worlds = [World().answers("kms:ListKeys", {"Keys": []}) for _ in range(2)]
    workshop = Workshop(FakeAccess(worlds[0]), OUTPUTS, FakeAccess(worlds[1]))
    workshop.client("kms").list_keys()
    workshop.client("kms", persona=Persona.AUDITOR, region="eu-west-1").list_keys()
    assert [(r.persona, r.region) for r in worlds[0].requests] == [
        (Persona.OPERATOR, ""),
        (Persona.AUDITOR, "eu-west-1"),
    ]
    workshop.owner("kms").list_keys()
    assert len(worlds[1].requests) == 1


def test_where_the_root_user_is_nobodys_to_play_the_owner_is_refused() -> None:
    with pytest.raises(OwnerNeededError) as caught:
        Workshop(FakeAccess(World()), OUTPUTS).owner("iam")
    assert caught.value.exit_code is ExitCode.TARGET
    assert "--target local" in caught.value.hint


def test_names_follow_from_the_lab() -> None:
    workshop = Workshop(FakeAccess(World()), OUTPUTS)
    assert (workshop.prefix, workshop.account, workshop.partition, workshop.region) == (
        PREFIX,
        ACCOUNT,
        "aws",
        REGION,
    )
    assert workshop.role_name(Persona.DATA_OWNER) == f"{PREFIX}-data-owner"
    assert workshop.role_arn(Persona.DATA_OWNER) == f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-data-owner"
