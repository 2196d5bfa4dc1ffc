"""Member accounts of the lab's organization: entered once they are members, and by the lab's account alone."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from ministack.core import lambda_runtime

from kmslab.engine import identity
from kmslab.engine.cloudformation import functions
from tests.engine.conftest import refused

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.engine.conftest import Engine

MEMBER = "712345678901"


def _role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"


def test_members_are_written_down_for_nobody_else(tmp_path: Path) -> None:
    assert identity.members(tmp_path) == frozenset()
    identity.add_members(tmp_path, ["2" * 12])
    identity.add_members(tmp_path, ["1" * 12, "2" * 12])
    assert identity.members(tmp_path) == {"1" * 12, "2" * 12}
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_running_engine_lets_the_lab_into_a_new_member(engine: Engine) -> None:
    sts = engine.client("sts")
    with refused("AccessDenied"):
        sts.assume_role(RoleArn=_role(MEMBER), RoleSessionName="x")
    identity.add_members(engine.home / "engine", [MEMBER])
    given = engine.assume(_role(MEMBER))
    assert engine.client("sts", given).get_caller_identity()["Account"] == MEMBER
    for arn in (_role("7" + "0" * 11), f"arn:aws:iam::{MEMBER}:role/Other"):
        with refused("AccessDenied"):
            sts.assume_role(RoleArn=arn, RoleSessionName="x")


class _Worker:
    def __init__(self, last_used: float, *, in_use: bool = False) -> None:
        self.last_used, self.in_use = last_used, in_use


def test_only_the_last_functions_stay_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = [_Worker(float(number), in_use=number == 0) for number in range(functions.KEPT_WARM + 3)]
    pools = {f"account:region:{number}:$LATEST": [worker] for number, worker in enumerate(workers)}
    monkeypatch.setattr(lambda_runtime, "_workers", pools)
    assert functions._beyond_those_kept_warm() == [workers[2], workers[1]]
    assert [worker for pool in pools.values() for worker in pool] == [workers[0], *workers[3:]]
    assert functions._beyond_those_kept_warm() == []


def test_a_functions_processes_end_in_its_own_account_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pools = {f"{account}:r:f:$LATEST": [account] for account in ("1" * 12, "2" * 12)}
    ended: list[str] = []
    monkeypatch.setattr(lambda_runtime, "_workers", pools)
    monkeypatch.setattr(lambda_runtime, "kill_workers", ended.extend)
    monkeypatch.setattr(functions, "get_account_id", lambda: "1" * 12)
    functions.invalidate_own_workers("f")
    assert ended == ["1" * 12]
