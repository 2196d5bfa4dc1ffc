"""What a seat whose account cannot be entered is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from kmslab.classroom.desk import Desk, SeatAccess
from kmslab.classroom.seats import Seat
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import TargetKind
from tests.checks.fakes import FakeAccess, World

if TYPE_CHECKING:
    from typing import NoReturn

SEAT = Seat("a", "222233334444", "ap-east-2")


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "so it says"}}, "GetCallerIdentity")


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        ("AccessDenied", "Account 222233334444 of seat a cannot be entered", "must trust account"),
        (
            "InvalidClientTokenId",
            "ap-east-2 is not switched on for this account.",
            "aws account enable-region",
        ),
    ],
)
def test_a_region_that_the_seats_account_has_not_switched_on_is_no_role_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, code: str, said: str, hint: str
) -> None:
    def refused(_: object) -> NoReturn:
        raise error(code)

    def client(_: object, *__: Any, region: str = "", **___: Any) -> Any:
        assert region == "us-east-1"
        return SimpleNamespace(get_caller_identity=lambda: {"Account": SEAT.account})

    monkeypatch.setattr(SeatAccess, "account", property(refused))
    monkeypatch.setattr(SeatAccess, "client", client)
    with pytest.raises(LabError) as caught:
        Desk(FakeAccess(World(), kind=TargetKind.AWS)).sit(SEAT)
    assert caught.value.message.startswith(said)
    assert hint in caught.value.hint
    assert caught.value.exit_code is ExitCode.TARGET
