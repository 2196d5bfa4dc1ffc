from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kmslab.account import clock
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State
from kmslab.targets import require_sandbox
from tests.account.conftest import NAMED, dated

if TYPE_CHECKING:
    from tests.account.conftest import Account
    from tests.checks.fakes import FakeAccess


def apart(account: Account, **by: int) -> None:
    """Have AWS's clock be ahead of ours."""
    account.world.answers("sts:GetCallerIdentity", lambda _: dated(datetime.now(UTC) + timedelta(**by)))


@pytest.mark.parametrize("seconds", [0, 20, -20])
def test_a_clock_that_is_right(access: FakeAccess, account: Account, seconds: int) -> None:
    apart(account, seconds=seconds)
    assert clock.look(access).fine


@pytest.mark.parametrize(("minutes", "said"), [(4, "min .* s behind AWS's"), (-4, "min .* s ahead of AWS's")])
def test_a_clock_that_is_wrong(access: FakeAccess, account: Account, minutes: int, said: str) -> None:
    apart(account, minutes=minutes)
    found = clock.look(access)
    assert (found.state, found.code) == (State.WRONG, ExitCode.TARGET)
    assert said.rpartition("s ")[2] in found.seen
    assert found.remedy.startswith("Set it")


def test_an_answer_without_a_date_says_nothing(access: FakeAccess, account: Account) -> None:
    account.world.answers("sts:GetCallerIdentity", {"Account": "111122223333"})
    assert clock.look(access).state is State.UNSEEN
    assert clock.warning(clock.ahead(access)) == ""


def test_no_answer_says_nothing(access: FakeAccess, account: Account) -> None:
    account.world.unreachable("sts:GetCallerIdentity")
    assert clock.look(access).state is State.UNSEEN


def test_every_command_in_an_account_tells_it(
    access: FakeAccess, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    require_sandbox(access, NAMED, "")
    assert capsys.readouterr().err == ""
    apart(account, minutes=-3)
    require_sandbox(access, NAMED, "")
    assert capsys.readouterr().err.startswith("The clock of this machine is ")


def test_a_class_does_not_hear_it_for_each_seat(
    access: FakeAccess, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    apart(account, minutes=-3)
    require_sandbox(access, NAMED, "", reader=access)
    assert capsys.readouterr().err == ""
