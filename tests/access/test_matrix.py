from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.access import matrix, observing
from kmslab.model.persona import Persona
from tests.checks.account_world import AccountWorld
from tests.checks.fakes import OUTPUTS, FakeAccess

if TYPE_CHECKING:
    from kmslab.access.reading import Reading


def test_rows_and_columns(found: Reading) -> None:
    table = matrix.of(found)
    assert table.principals == (
        *(one.value for one in Persona if one is not Persona.OPERATOR),
        "operator",
        "kenya-one",
    )
    assert table.keys == tuple(key.name for key in found.keys)
    assert len(table.cells) == len(table.principals) * sum(
        len(list(matrix.questions_of(found, key))) for key in found.keys
    )


def test_cells_say_who_may_what_by_which_route(found: Reading) -> None:
    cells = {(one.principal, one.key, one.operation, one.route): one for one in matrix.of(found).cells}
    assert cells["data-owner", "app", "Decrypt", ""].allowed
    assert not cells["data-reader", "app", "Decrypt", ""].allowed
    assert cells["data-reader", "s3", "Decrypt", "s3"].allowed
    assert not cells["data-reader", "s3", "Decrypt", ""].allowed
    assert cells["auditor", "trail", "Decrypt", "s3"].allowed
    assert cells["data-owner", "app", "CreateGrant", ""].allowed
    assert not cells["key-administrator", "app", "PutKeyPolicy", ""].allowed
    assert ("data-owner", "app", "Sign", "") not in cells
    assert (
        "AllowDecrypt of the key policy of alias/kms-lab/app"
        in cells["data-owner", "app", "Decrypt", ""].reason
    )
    assert all(one.observed is None for one in cells.values())


def test_other_operations_when_they_are_given(found: Reading) -> None:
    table = matrix.of(found, operations=("ScheduleKeyDeletion",))
    assert {one.operation for one in table.cells} == {"ScheduleKeyDeletion"}
    assert {one.principal for one in table.cells if one.allowed} == {"key-administrator"}


def test_without_a_run_the_policies_are_read_and_nothing_was_observed() -> None:
    world = AccountWorld()
    table = matrix.build(FakeAccess(world), OUTPUTS)
    assert len(world.asked("iam:GetAccountAuthorizationDetails")) == 1
    assert table.differences == ()
    assert {one.observed for one in table.cells} == {None}


def test_the_last_run_is_in_the_matrix() -> None:
    access = FakeAccess(AccountWorld())
    place = ("data-reader", "app", "Decrypt", "")
    matrix.notes(access, "first").observed[place] = False
    matrix.notes(access, "second").observed[place] = True
    table = matrix.build(access, OUTPUTS)
    assert [(one.principal, one.key, one.operation) for one in table.differences] == [place[:3]]


def test_a_run_reads_once() -> None:
    world = AccountWorld()
    access = FakeAccess(world)
    assert matrix.read_once(access, OUTPUTS, "run") is matrix.read_once(access, OUTPUTS, "run")
    assert matrix.read_once(access, OUTPUTS, "next") is not matrix.read_once(access, OUTPUTS, "run")
    assert len(world.asked("iam:GetAccountAuthorizationDetails")) == 2


def test_what_is_tried_is_what_was_computed(found: Reading) -> None:
    """The parameters that policies see are the same in the question and in the call."""
    for key in found.keys:
        for question in matrix.questions_of(found, key):
            if question.route or question.operation not in observing.OBSERVABLE:
                continue
            call = observing.call_of(question.operation, key, matrix.grantee(found))
            keys = question.step.request.condition_keys
            for parameter, condition in (
                ("EncryptionAlgorithm", "kms:EncryptionAlgorithm"),
                ("SigningAlgorithm", "kms:SigningAlgorithm"),
                ("MacAlgorithm", "kms:MacAlgorithm"),
                ("GranteePrincipal", "kms:GranteePrincipal"),
            ):
                assert call.get(parameter) == keys.get(condition), (key.name, question.operation)
            context = call.get("EncryptionContext") or call.get("Constraints", {}).get(
                "EncryptionContextEquals", {}
            )
            assert {f"kms:EncryptionContext:{name}": value for name, value in context.items()} == {
                name: value for name, value in keys.items() if name.startswith("kms:EncryptionContext:")
            }
