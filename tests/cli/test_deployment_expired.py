"""Credentials that expire in the middle of `up` and `down`, at any call: one line, and the next run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.model.errors import ExitCode, LabError
from kmslab.targets import aws_errors_in_one_line
from tests.checks.fakes import PREFIX, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kmslab.deployment import Deployment
    from tests.checks.fakes import Request
    from tests.cli.cloud import Cloud

MOST = 200
"""More calls than either command makes here."""


class Session:
    """Lets so many calls through, until somebody signs in again."""

    def __init__(self, cloud: Cloud) -> None:
        self.left = MOST
        self._answer: Callable[[Request], Mapping[str, Any]] = cloud.world.reply_to

    def reply_to(self, request: Request) -> Mapping[str, Any]:
        if not self.left:
            raise Refusal("ExpiredToken", "The security token included in the request is expired", 403)
        self.left -= 1
        return self._answer(request)


@pytest.fixture
def session(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Session:
    made = Session(cloud)
    monkeypatch.setattr(cloud.world, "reply_to", made.reply_to)
    return made


def calls(session: Session, command: Callable[[], object]) -> int:
    """Count what an undisturbed run calls."""
    session.left = MOST
    command()
    return MOST - session.left


def cut_short(session: Session, command: Callable[[], object], after: int) -> None:
    session.left = after
    with pytest.raises(LabError) as caught, aws_errors_in_one_line():
        command()
    assert (caught.value.message, caught.value.exit_code) == (
        "The credentials have expired.",
        ExitCode.TARGET,
    )
    session.left = MOST


def stand(cloud: Cloud) -> set[str]:
    return {name for name in cloud.stacks if name.startswith(PREFIX)}


def test_up_goes_on_wherever_the_session_ended(cloud: Cloud, lab: Deployment, session: Session) -> None:
    total = calls(session, lab.up)
    whole, parameters = stand(cloud), dict(cloud.parameters)
    assert total > 5
    for after in range(total):
        session.left = MOST
        lab.down()
        assert stand(cloud) == set()
        cut_short(session, lab.up, after)
        lab.up()
        assert stand(cloud) == whole, f"after {after} calls"
        assert cloud.parameters.keys() == parameters.keys(), f"after {after} calls"
        assert not lab.up()


def test_down_goes_on_wherever_the_session_ended(cloud: Cloud, lab: Deployment, session: Session) -> None:
    lab.up()
    total = calls(session, lab.down)
    assert total > 5
    for after in range(total):
        lab.up()
        cut_short(session, lab.down, after)
        lab.down()
        assert stand(cloud) == set(), f"after {after} calls"
        assert cloud.parameters == {}, f"after {after} calls"
        session.left = MOST
