"""What one run asks once: whoever asks, and shown as evidence by everybody who looks at it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.access.reader import Reader
from kmslab.checks.samples import read_if_any
from kmslab.checks.shared import asked_once, read_once
from kmslab.checks.sweep import sweep
from kmslab.lab import Inconclusive, Lab
from kmslab.model.capability import ALL
from kmslab.model.persona import Persona
from tests.checks.fakes import OUTPUTS, RUN, FakeAccess, World, key_arn
from tests.checks.lab_world import good_lab, key
from tests.checks.test_sweep import nothing_left_behind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.checks.fakes import Request

APP = key_arn("app")
SHARED = "asked once for several checks"


def two_labs(world: World, second_run: str = RUN) -> tuple[Lab, Lab]:
    """Two checks on one access; of one run unless told otherwise."""
    access = FakeAccess(world)
    return Lab(access, OUTPUTS, ALL, RUN), Lab(access, OUTPUTS, ALL, second_run)


def tags(world: World) -> int:
    return len(world.asked("kms:ListResourceTags"))


def test_what_one_check_has_read_the_next_shows_as_evidence() -> None:
    world = good_lab()
    first, second = two_labs(world)
    answers = [read_once(lab, "kms:ListResourceTags", KeyId=APP) for lab in (first, second)]
    assert answers[0] == answers[1]
    assert tags(world) == 1
    assert [(c.persona, c.action, c.resource, c.result, c.detail) for c in first.calls + second.calls] == [
        (Persona.AUDITOR, "kms:ListResourceTags", APP, "ok", detail) for detail in ("", SHARED)
    ]


@pytest.mark.parametrize("other", ["run", "persona", "parameters"])
def test_another_run_persona_or_question_is_asked_anew(other: str) -> None:
    world = good_lab()
    first, second = two_labs(world, "run-0002" if other == "run" else RUN)
    read_once(first, "kms:DescribeKey", KeyId=APP)
    persona = Persona.DATA_OWNER if other == "persona" else Persona.AUDITOR
    arn = key_arn("s3") if other == "parameters" else APP
    read_once(second, "kms:DescribeKey", persona=persona, KeyId=arn)
    assert [(one.persona, one["KeyId"]) for one in world.asked("kms:DescribeKey")] == [
        (Persona.AUDITOR, APP),
        (persona, arn),
    ]
    assert second.calls[0].detail == ""


def test_another_region_is_asked_anew() -> None:
    world = World().answers("kms:ListAliases", {"Aliases": []})
    lab, _ = two_labs(world)
    for where in (lab, lab.in_region("eu-west-1"), lab):
        read_once(where, "kms:ListAliases")
    assert [request.region for request in world.asked("kms:ListAliases")] == ["", "eu-west-1"]


def test_what_could_not_be_read_is_asked_again() -> None:
    world = World().answers("kms:DescribeKey", {"KeyMetadata": {"KeyId": APP}})
    world.refuses("kms:DescribeKey", when=lambda _: len(world.asked("kms:DescribeKey")) == 1)
    first, second = two_labs(world)
    with pytest.raises(Inconclusive, match="could not call kms:DescribeKey"):
        read_once(first, "kms:DescribeKey", KeyId=APP)
    assert read_once(second, "kms:DescribeKey", KeyId=APP)["KeyMetadata"]["KeyId"] == APP


def test_that_there_is_none_is_an_answer_too() -> None:
    absent = "NoSuchBucketPolicy"
    world = World().refuses("s3:GetBucketPolicy", code=absent)
    labs = two_labs(world)
    for lab in labs:
        assert read_once(lab, "s3:GetBucketPolicy", absent=absent, Bucket="some-bucket") == {}
    assert len(world.asked("s3:GetBucketPolicy")) == 1
    assert [lab.calls[0].result for lab in labs] == [absent, absent]
    assert read_if_any(labs[0], "s3:GetBucketPolicy", absent, Bucket="some-bucket") == {}


def test_a_positive_control_may_be_anothers_read_by_the_same_persona() -> None:
    world = good_lab()
    first, second = two_labs(world)
    policy: dict[str, Any] = {"KeyId": APP, "PolicyName": "default"}
    read_once(first, "kms:GetKeyPolicy", **policy)
    reading = partial(second.allowed, Persona.AUDITOR, "kms:GetKeyPolicy", **policy)
    asked_once(second, Persona.AUDITOR, "kms:GetKeyPolicy", reading, **policy)
    assert len(world.asked("kms:GetKeyPolicy")) == 1
    assert (second.calls[0].action, second.calls[0].result) == ("kms:GetKeyPolicy", "ok")


def test_who_reads_the_policies_and_the_checks_share_what_they_ask() -> None:
    world = good_lab()
    lab, _ = two_labs(world)
    reader = Reader(lab.access, RUN)
    read_once(lab, "kms:DescribeKey", KeyId=APP)
    assert reader.ask("kms:DescribeKey", KeyId=APP)["KeyMetadata"]["Arn"] == APP
    assert reader.all_of("kms:ListResourceTags", "Tags", KeyId=APP)["Tags"]
    assert read_once(lab, "kms:ListResourceTags", KeyId=APP)["Tags"]
    assert (len(world.asked("kms:DescribeKey")), tags(world)) == (1, 1)
    assert lab.calls[-1].detail == SHARED


def test_a_reading_for_no_run_shares_nothing() -> None:
    world = good_lab()
    access = FakeAccess(world)
    for _ in range(2):
        Reader(access).ask("kms:DescribeKey", KeyId=APP)
    assert len(world.asked("kms:DescribeKey")) == 2


def test_the_tags_that_a_sweep_has_read_are_not_asked_for_again() -> None:
    world = nothing_left_behind(good_lab())
    lab, later = two_labs(world, "run-0002")
    sweep(lab.access, OUTPUTS, run_id=RUN)
    asked = tags(world)
    assert read_once(lab, "kms:ListResourceTags", KeyId=APP)["Tags"] == key(world, "app").tags
    assert tags(world) == asked
    read_once(later, "kms:ListResourceTags", KeyId=APP)
    assert tags(world) == asked + 1


def test_the_tags_of_a_key_that_the_sweep_restarts_are_asked_for_again() -> None:
    world = nothing_left_behind(good_lab())
    key(world, "app").tags.append({"TagKey": "kmslab:stopped", "TagValue": "run-0"})
    lab, _ = two_labs(world)
    sweep(lab.access, OUTPUTS, run_id=RUN)
    seen = read_once(lab, "kms:ListResourceTags", KeyId=APP)["Tags"]
    assert "kmslab:stopped" not in {tag["TagKey"] for tag in seen}


def test_parameters_may_be_lists() -> None:
    asked: list[str] = []

    def answer(request: Request) -> Mapping[str, object]:
        asked.extend(request["VolumeIds"])
        return {"Volumes": []}

    labs = two_labs(World().answers("ec2:DescribeVolumes", answer))
    for volume in ("vol-1", "vol-2"):
        for lab in labs:
            read_once(lab, "ec2:DescribeVolumes", VolumeIds=[volume])
    assert asked == ["vol-1", "vol-2"]
