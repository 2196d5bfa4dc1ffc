from __future__ import annotations

import pytest

from kmslab.checks import REGISTRY
from kmslab.checks.catalogue import catalogue, topic
from kmslab.model.errors import LabError


def ids(*only: str) -> list[str]:
    return [check.id for check in catalogue(only)]


def test_without_words_every_check_in_guide_order() -> None:
    checks = catalogue()
    assert {check.id for check in checks} == set(REGISTRY)
    assert [check.guide for check in checks] == sorted(check.guide for check in checks)
    of_guide_two = [topic(check) for check in checks if check.guide == "02-first-key"]
    assert list(dict.fromkeys(of_guide_two)) == ["keys", "inventory", "direct"]


def test_a_topic_selects_its_checks_and_no_others() -> None:
    assert {topic(check) for check in catalogue(["keys"])} == {"keys"}  # not key-policies
    assert {topic(check) for check in catalogue(["s3"])} == {"s3"}


def test_the_beginning_of_ids_selects() -> None:
    assert ids("keys.rotation") == [
        "keys.rotation-is-on-where-it-can-be",
        "keys.rotation-is-refused-where-it-cannot-be",
    ]


def test_a_guide_page_selects() -> None:
    assert {check.guide for check in catalogue(["03-key-policies"])} == {"03-key-policies"}


def test_an_id_selects_itself() -> None:
    assert ids("direct.at-most-4096-bytes") == ["direct.at-most-4096-bytes"]


def test_words_add_up_without_doubles_in_catalogue_order() -> None:
    both = ids("s3", "identity", "identity.the-admin-has-a-boundary")
    assert both == ids("identity") + ids("s3")


@pytest.mark.parametrize(
    ("word", "near"),
    [("rotatoin", "rotation"), ("keys.rotatoin", "keys.rotation-is"), ("key-polices", "key-policies")],
)
def test_a_word_that_names_nothing_is_told_with_similar_ones(word: str, near: str) -> None:
    with pytest.raises(LabError, match=f"--only {word}") as told:
        catalogue(["s3", word])
    assert near in told.value.hint


def test_a_word_like_nothing_points_to_the_list() -> None:
    with pytest.raises(LabError) as told:
        catalogue(["xyzzy123"])
    assert "--list" in told.value.hint
