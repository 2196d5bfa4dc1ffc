"""Edits of statements about actions, and what a change of a policy makes of the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.faults.changes.policies import (
    KeyPolicy,
    ManagedPolicy,
    RoleTrust,
    add_actions,
    allow,
    drop_actions,
    nothing_but,
    only,
    persona_policy,
    role,
)
from kmslab.faults.changes.statements import THE_ACCOUNT, add, drop
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.templates import Templates

WORDS = {"AWS::Partition": "aws", "AWS::AccountId": "111122223333", "Prefix": "kms-lab"}
OWNER = "arn:aws:iam::111122223333:role/kms-lab-data-owner"


def _statements() -> list[dict[str, Any]]:
    return [
        {"Sid": "One", "Effect": "Allow", "Action": "kms:Sign"},
        {"Sid": "Two", "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"]},
    ]


@pytest.mark.parametrize(
    ("sid", "actions"), [("One", ["kms:Sign", "kms:X"]), ("Two", ["kms:Encrypt", "kms:Decrypt", "kms:X"])]
)
def test_actions_are_added_to_one_statement(sid: str, actions: list[str]) -> None:
    statements = _statements()
    add_actions(sid, "kms:X")(statements, WORDS)
    wanted = _statements()
    next(one for one in wanted if one["Sid"] == sid)["Action"] = actions
    assert statements == wanted


def test_actions_are_dropped_from_one_statement() -> None:
    statements = _statements()
    drop_actions("Two", "kms:Encrypt")(statements, WORDS)
    assert statements == [_statements()[0], {**_statements()[1], "Action": ["kms:Decrypt"]}]


def test_an_action_that_is_not_there_cannot_be_dropped() -> None:
    """Or a fault that the lab has outgrown would break nothing, and be noticed by nobody."""
    with pytest.raises(ValueError, match="not in list"):
        drop_actions("Two", "kms:Sign")(_statements(), WORDS)
    with pytest.raises(ValueError, match="not enough values"):
        drop_actions("Three", "kms:Sign")(_statements(), WORDS)


def test_a_policy_can_be_nothing_but_what_is_given() -> None:
    statements = _statements()
    nothing_but(allow("All", "kms:*", to=THE_ACCOUNT))(statements, WORDS)
    assert statements == [
        {
            "Sid": "All",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": ["kms:*"],
            "Resource": "*",
        }
    ]


def test_a_statement_has_what_it_is_given_and_no_more() -> None:
    statements: list[dict[str, Any]] = []
    owner = Persona.DATA_OWNER
    add(allow("Trust", "sts:AssumeRole", to={"AWS": role(owner)}, on=None))(statements, WORDS)
    add(allow("Own", "kms:Sign", "kms:Verify", when=only(owner)))(statements, WORDS)
    assert statements == [
        {"Sid": "Trust", "Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": ["sts:AssumeRole"]},
        {
            "Sid": "Own",
            "Effect": "Allow",
            "Action": ["kms:Sign", "kms:Verify"],
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:PrincipalArn": OWNER}},
        },
    ]


def test_in_templates_cloudformation_fills_in_the_account(templates: Templates) -> None:
    statement = allow("Reports", "kms:Decrypt", to={"AWS": role(Persona.DATA_READER)})
    assert KeyPolicy(LabOutputs.key_app, add(statement)).in_template(templates)
    added = templates.resource(LabOutputs.key_app).properties["KeyPolicy"]["Statement"][-1]
    assert added["Principal"] == {"AWS": templates.role_arn(Persona.DATA_READER)}


def test_the_trust_of_one_role_changes(templates: Templates) -> None:
    before = templates.copy()
    assert RoleTrust(Persona.SIGNER, drop("BecomeThisPersona")).in_template(templates)
    assert templates.role(Persona.SIGNER).properties["AssumeRolePolicyDocument"]["Statement"] == []
    assert (
        templates.role(Persona.AUDITOR).properties["AssumeRolePolicyDocument"]
        == before.role(Persona.AUDITOR).properties["AssumeRolePolicyDocument"]
    )


@pytest.mark.parametrize(
    ("change", "stack", "logical_id", "sid"),
    [
        (
            ManagedPolicy("AdminBoundaryPolicy", drop("LeaveTheBoundaryAsItIs")),
            LabStack.IDENTITY,
            "AdminBoundaryPolicy",
            "LeaveTheBoundaryAsItIs",
        ),
        (
            persona_policy(Persona.DATA_OWNER, drop("EncryptDirectly")),
            LabStack.IDENTITY,
            "DataOwnerPolicy",
            "EncryptDirectly",
        ),
        (
            persona_policy(Persona.AUDITOR, drop("ReadTheAlarms"), stack=LabStack.AUDIT),
            LabStack.AUDIT,
            "AuditorPolicy",
            "ReadTheAlarms",
        ),
    ],
)
def test_a_managed_policy_of_a_stack_changes(
    templates: Templates, change: ManagedPolicy, stack: LabStack, logical_id: str, sid: str
) -> None:
    def sids() -> list[str]:
        document = templates.resource(logical_id, stack).properties["PolicyDocument"]
        return [statement["Sid"] for statement in document["Statement"]]

    before = sids()
    assert sid in before
    assert change.in_template(templates)
    assert sids() == [one for one in before if one != sid]
