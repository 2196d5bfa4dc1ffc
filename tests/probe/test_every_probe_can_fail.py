"""No probe passes on a target that agrees to everything, refuses everything, lacks everything, or is away."""

from __future__ import annotations

import pytest

from kmslab.probe import bench, runner
from kmslab.probe.capabilities import capabilities
from kmslab.probe.model import Outcome
from tests.probe.conftest import agrees, is_away, lacks_everything, refuses_but_who_i_am, world_of


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = bench.Bench.wait
    monkeypatch.setattr(
        bench.Bench, "wait", lambda self, look, what, **_: patient(self, look, what, seconds=0.01)
    )


@pytest.mark.parametrize("answer", [agrees, refuses_but_who_i_am, lacks_everything, is_away])
def test_nothing_is_as_documented(answer: object) -> None:
    results = runner.run_all(world_of(answer), runner.catalogue())  # type: ignore[arg-type]  # one of the functions above
    passed = [one.probe.id for one in results if one.outcome is Outcome.AS_DOCUMENTED]
    assert passed == []
    assert capabilities(results) == frozenset()


@pytest.mark.parametrize("answer", [lacks_everything, is_away])
def test_what_is_not_there_could_not_be_looked_at(answer: object) -> None:
    results = runner.run_all(world_of(answer), runner.catalogue())  # type: ignore[arg-type]  # one of the functions above
    assert {one.outcome for one in results} == {Outcome.COULD_NOT_LOOK}, [
        (one.probe.id, one.seen) for one in results if one.outcome is not Outcome.COULD_NOT_LOOK
    ]
