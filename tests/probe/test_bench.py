"""What counts as seen, as not as documented, and as not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.probe import bench as bench_module
from kmslab.probe import runner
from kmslab.probe.bench import Bench
from kmslab.probe.model import CouldNotLook, NotAsDocumented, Outcome, Probe
from tests.probe.conftest import agrees, is_away, refusal, world_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.probe.model import Look


def bench_of(answer: Callable[[str, Any, dict[str, Any]], Any]) -> Bench:
    return Bench(world_of(answer))


def error(code: str, *, status: int = 400, message: str = "no") -> Bench:
    def answer(operation: str, *_: Any) -> Any:
        raise refusal(code, operation, status=status, message=message)

    return bench_of(answer)


def outcome(look: Look, answer: Callable[[str, Any, dict[str, Any]], Any] = agrees) -> tuple[Outcome, str]:
    found = runner.run(world_of(answer), Probe("keys.one", "It is.", "It is.", "https://aws", look))
    return found.outcome, found.seen


def test_what_works_is_seen() -> None:
    bench = bench_of(agrees)
    assert bench.works("ListKeys")["Keys"]
    assert (bench.positive, bench.negative, bench.trace) == (1, 0, ["ListKeys works"])


def test_what_should_work_and_is_refused_is_not_as_documented() -> None:
    with pytest.raises(NotAsDocumented, match="ListKeys is refused: AccessDeniedException"):
        error("AccessDeniedException").works("ListKeys")


@pytest.mark.parametrize(
    ("code", "status"),
    [("UnknownOperationException", 400), ("InternalFailure", 200), ("Odd", 500), ("501", 501)],
)
@pytest.mark.parametrize("method", ["works", "denies"])
def test_a_missing_or_broken_operation_is_no_answer(method: str, code: str, status: int) -> None:
    with pytest.raises(CouldNotLook, match="missing or broken"):
        getattr(error(code, status=status), method)("ListKeys")


@pytest.mark.parametrize("method", ["works", "denies", "make"])
def test_nobody_there_is_no_answer(method: str) -> None:
    with pytest.raises(CouldNotLook, match="EndpointConnectionError"):
        getattr(bench_of(is_away), method)("ListKeys")


def test_a_preparation_that_is_refused_is_no_answer() -> None:
    with pytest.raises(CouldNotLook, match="CreateKey failed"):
        error("AccessDeniedException").make("CreateKey")


def test_the_documented_refusal_is_seen() -> None:
    bench = error("NotFoundException", message="Key 'x' does not exist")
    assert bench.refuses("NotFoundException", "DescribeKey", says="does not exist")
    assert (bench.positive, bench.negative) == (0, 1)


def test_what_is_accepted_was_to_be_refused() -> None:
    with pytest.raises(NotAsDocumented, match="accepted, not refused with NotFoundException"):
        bench_of(agrees).refuses("NotFoundException", "DescribeKey")


def test_another_refusal_is_not_as_documented() -> None:
    with pytest.raises(NotAsDocumented, match="not with NotFoundException"):
        error("ValidationException").refuses("NotFoundException", "DescribeKey")


def test_another_message_is_not_as_documented() -> None:
    with pytest.raises(NotAsDocumented, match="says"):
        error("NotFoundException", message="gone").refuses("NotFoundException", "DescribeKey", says="exist")


def test_comparisons_show_what_was_found() -> None:
    bench = bench_of(agrees)
    bench.equal("KeyState", "Enabled", "Enabled")
    bench.sees("it is there", holds=True)
    bench.contrasts("the other is not", holds=True)
    assert (bench.positive, bench.negative) == (2, 1)
    with pytest.raises(NotAsDocumented, match="KeyState is 'Disabled', not 'Enabled'"):
        bench.equal("KeyState", "Disabled", "Enabled")
    for look in (bench.sees, bench.contrasts):
        with pytest.raises(NotAsDocumented, match="not so: it is there"):
            look("it is there", holds=False)


def test_what_does_not_come_in_time_is_not_as_documented() -> None:
    with pytest.raises(NotAsDocumented, match="there is no event"):
        bench_of(agrees).wait(lambda: False, "event", seconds=0.1)


def both_sides(bench: Bench) -> None:
    bench.sees("one side", holds=True)
    bench.contrasts("the other", holds=True)


def test_both_sides_are_as_documented() -> None:
    assert outcome(both_sides) == (Outcome.AS_DOCUMENTED, "one side; the other")


@pytest.mark.parametrize("side", ["sees", "contrasts"])
def test_one_side_alone_proves_nothing(side: str) -> None:
    found = outcome(lambda bench: getattr(bench, side)("one side", holds=True))
    assert found == (Outcome.COULD_NOT_LOOK, "the probe looked at one side only")


def test_an_answer_without_its_member_is_not_as_documented() -> None:
    def look(bench: Bench) -> None:
        bench.works("DescribeKey")["KeyMetadata"]["NoSuchMember"]

    found, seen = outcome(look)
    assert found is Outcome.NOT_AS_DOCUMENTED
    assert "lacks 'NoSuchMember'" in seen


def test_a_probe_that_breaks_could_not_look_and_keeps_its_secrets() -> None:
    def look(_: Bench) -> None:
        raise ValueError("the plaintext")

    found, seen = outcome(look)
    assert found is Outcome.COULD_NOT_LOOK
    assert "ValueError at test_bench.py" in seen
    assert "plaintext" not in seen


def test_a_probe_that_takes_too_long_could_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "PROBE_SECONDS", -1.0)
    found, seen = outcome(lambda bench: bench.works("ListKeys"))
    assert found is Outcome.COULD_NOT_LOOK
    assert "took longer" in seen


def test_what_was_made_is_removed_though_one_removal_fails() -> None:
    removed: list[int] = []
    bench = error("AccessDeniedException", message="mine")
    bench.undo(lambda: removed.append(1))
    bench.undo(lambda: bench.client("kms").disable_key(KeyId="x"))
    bench.undo(lambda: removed.append(2))
    assert bench.close() == ["AccessDeniedException (mine)"]
    assert removed == [2, 1]
    assert bench.close() == []


def test_what_a_probe_makes_can_be_found_again() -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def answer(operation: str, model: Any, parameters: dict[str, Any]) -> Any:
        asked.append((operation, parameters))
        return agrees(operation, model, parameters)

    bench = bench_of(answer)
    bench.key(Description="mine")
    bench.close()
    made = dict(asked)["CreateKey"]
    assert {tag["TagKey"] for tag in made["Tags"]} == {"kmslab:temporary", "kmslab:prefix"}
    assert [operation for operation, _ in asked][-1] == "ScheduleKeyDeletion"
