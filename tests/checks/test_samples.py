from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kmslab.checks.samples import read_if_any, refused_soon, sample_object, soon
from kmslab.checks.sweep import remove_objects
from kmslab.lab import SETTLE_SECONDS, Failed, Inconclusive, Lab
from kmslab.model.capability import ALL
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from tests.checks.fake_s3 import FakeS3
from tests.checks.fakes import OUTPUTS, RUN, FakeAccess, World, open_lab
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target takes a while until a change is seen everywhere."""
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 5.0)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("problem", [Failed, Inconclusive])
def test_soon_looks_again_while_it_fails(problem: type[Exception]) -> None:
    looks: Iterator[Exception | str] = iter([problem("not yet"), problem("not yet"), "seen"])

    def look() -> str:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    assert soon(open_lab(World()), look) == "seen"


@pytest.mark.parametrize("problem", [Failed, Inconclusive])
def test_soon_gives_up_where_changes_are_seen_at_once(problem: type[Exception]) -> None:
    looks = []

    def look() -> None:
        looks.append(1)
        raise problem("never")

    with pytest.raises(problem, match="never"):
        soon(open_lab(World()), look)
    assert len(looks) == 1


def test_soon_returns_what_is_empty_as_well() -> None:
    assert soon(open_lab(World()), lambda: "") == ""


@pytest.mark.usefixtures("slow")
def test_a_refusal_may_take_a_while() -> None:
    world = World().answers("kms:Decrypt", {"Plaintext": b"x"})
    world.refuses("kms:Decrypt", when=lambda _: len(world.asked("kms:Decrypt")) > 2)
    lab = open_lab(world)
    lab.allowed(Persona.DATA_OWNER, "kms:Decrypt", CiphertextBlob=b"x")
    assert "kms:Decrypt" in refused_soon(lab, Persona.DATA_OWNER, "kms:Decrypt", CiphertextBlob=b"x")
    assert [call.result for call in lab.calls] == ["ok", "ok", "AccessDeniedException"]


def test_a_setting_that_is_not_there_is_an_empty_answer() -> None:
    lab = open_lab(World().refuses("s3:GetBucketPolicy", code="NoSuchBucketPolicy"))
    assert read_if_any(lab, "s3:GetBucketPolicy", "NoSuchBucketPolicy", Bucket="some-bucket") == {}


def test_a_setting_that_may_not_be_read_is_inconclusive() -> None:
    lab = open_lab(World().refuses("s3:GetBucketPolicy", code="AccessDenied"))
    with pytest.raises(Inconclusive, match="AccessDenied"):
        read_if_any(lab, "s3:GetBucketPolicy", "NoSuchBucketPolicy", Bucket="some-bucket")


def test_every_version_of_a_runs_samples_is_removed_at_once_and_nothing_else() -> None:
    world = World()
    s3 = FakeS3(world)
    access = FakeAccess(world)
    other = sample_object(Lab(access, OUTPUTS, ALL, "run-0002"))
    other.put()
    with Lab(access, OUTPUTS, ALL, RUN) as lab:
        for sample in (sample_object(lab), sample_object(lab)):
            for _ in range(3):
                sample.put()
    assert len(s3.left) == 3
    remove_objects(access, RUN)
    assert s3.left == [other.key]
    (asked,) = world.asked("s3:DeleteObjects")
    assert len(asked["Delete"]["Objects"]) == 6


def test_samples_have_names_and_contents_of_their_own() -> None:
    lab = open_lab(World())
    first, second = sample_object(lab), sample_object(lab, OUTPUTS.dsse_bucket)
    assert first.key != second.key
    assert first.body != second.body
    assert (first.bucket, second.bucket) == (OUTPUTS.data_bucket, OUTPUTS.dsse_bucket)


def test_the_encryption_sdk_is_imported_in_one_place() -> None:
    """Threads that import its modules in different orders run into a deadlock: seen, once in four runs."""
    importing = [
        path.name
        for path in (ROOT / "kmslab" / "checks").rglob("*.py")
        if re.search(r"^\s*(import|from) aws_encryption_sdk", path.read_text(), re.MULTILINE)
    ]
    assert importing == ["samples.py"]
