from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from kmslab.checks import REGISTRY, TOPICS
from kmslab.checks.catalogue import topic, topic_of_module
from kmslab.checks.registry import Check, check, run
from kmslab.guides.course import PAGES
from kmslab.lab import Failed, Inconclusive, NotOffered
from kmslab.model.capability import Capability
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import World, open_lab

if TYPE_CHECKING:
    from kmslab.lab import Lab

CONTROL = re.compile(
    r"[A-Za-z0-9]+\.\d+|CT\.KMS\.PR\.\d+|cis:[\d.]+|(prowler|config|cdk-nag):[A-Za-z0-9_.-]+"
)


def outcome_of(function: object, *, needs: frozenset[Capability] = frozenset()) -> Outcome:
    one = Check("t.x", "", "", "", function, needs)  # type: ignore[arg-type]  # also what no check should be
    return run(one, open_lab(World(), capabilities=frozenset())).outcome


def raising(error: Exception) -> object:
    def look(lab: Lab) -> str:
        raise error

    return look


def test_what_was_seen_is_a_pass() -> None:
    assert outcome_of(lambda _: "seen") is Outcome.PASS


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Failed("not so"), Outcome.FAIL),
        (Inconclusive("could not look"), Outcome.ERROR),
        (NotOffered("not here"), Outcome.UNPROVABLE),
        (ClientError({"Error": {"Code": "UnknownOperationException"}}, "Sign"), Outcome.UNPROVABLE),
        (ClientError({"Error": {"Code": "Throttling"}}, "Sign"), Outcome.ERROR),
        (KeyError("a surprise"), Outcome.ERROR),
        (AssertionError("a surprise"), Outcome.ERROR),
    ],
)
def test_every_exception_is_a_verdict(error: Exception, outcome: Outcome) -> None:
    assert outcome_of(raising(error)) is outcome


def test_beyond_the_targets_capabilities_a_check_does_not_even_run() -> None:
    def fails(lab: Lab) -> str:
        raise Failed("must not run")

    assert outcome_of(fails, needs=frozenset({Capability.GRANTS})) is Outcome.UNPROVABLE


def test_a_check_that_breaks_says_where_and_not_what() -> None:
    def breaks(lab: Lab) -> str:
        raise ValueError("a secret plaintext")

    verdict = run(Check("t.x", "", "", "", breaks), open_lab(World()))
    assert re.fullmatch(r"the check itself broke: ValueError at test_registry\.py:\d+", verdict.summary)


def test_a_verdict_carries_the_calls_and_the_clean_up() -> None:
    world = World().answers("kms:ListKeys", {}).answers("kms:ListAliases", {})

    def look(lab: Lab) -> str:
        lab.undo(lambda: lab.read("kms:ListAliases"))
        lab.read("kms:ListKeys")
        return "seen\n  and said"

    verdict = run(Check("t.x", "", "", "", look), open_lab(world))
    assert [call.action for call in verdict.evidence] == ["kms:ListKeys", "kms:ListAliases"]
    assert {call.persona for call in verdict.evidence} == {Persona.AUDITOR}
    assert verdict.summary == "seen and said"
    assert verdict.seconds > 0


def test_ids_follow_from_module_and_function(monkeypatch: pytest.MonkeyPatch) -> None:
    register: dict[str, Check] = {}
    monkeypatch.setattr("kmslab.checks.registry.REGISTRY", register)

    def reader_without_key_is_refused(lab: Lab) -> str:
        """Reading needs the key.

        Not only
        the bucket.
        """
        return ""

    reader_without_key_is_refused.__module__ = "kmslab.checks.key_policies"
    check(guide="05-s3")(reader_without_key_is_refused)
    made = register["key-policies.reader-without-key-is-refused"]
    assert (made.title, made.explanation) == ("Reading needs the key.", "Not only the bucket.")
    with pytest.raises(ValueError, match="two checks are called"):
        check(guide="05-s3")(reader_without_key_is_refused)


@pytest.mark.parametrize("one", REGISTRY.values(), ids=lambda one: one.id)
def test_a_learner_can_read_every_check(one: Check) -> None:
    assert one.title.endswith("."), "the first line of the docstring is a sentence"
    assert len(one.title) <= 120
    assert one.guide in PAGES
    assert all(CONTROL.fullmatch(control) for control in one.controls), one.controls


def test_every_module_of_checks_is_a_topic_and_has_checks() -> None:
    assert {topic(one) for one in REGISTRY.values()} == {topic_of_module(m.__name__) for m in TOPICS}
    assert len(REGISTRY) >= 45
