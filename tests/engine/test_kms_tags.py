"""Tags: on new keys, on present ones, and what KMS says about those that it refuses (recorded from AWS, 2023)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, refused
from tests.engine.kms_calls import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"TagKey": name, "TagValue": value} for name, value in pairs.items()]


REFUSED = [
    (tags(a="1") + tags(a="2"), "Duplicate tag keys"),
    (tags(**{"aws:mine": "1"}), "Tags beginning with aws: are reserved"),
    (tags(**{"AWS:mine": "1"}), "Tags beginning with aws: are reserved"),
    (tags(**{f"key{number}": "1" for number in range(51)}), "Too many tags"),
]


@pytest.mark.parametrize(("wrong", "message"), REFUSED, ids=["twice", "aws:", "AWS:", "51"])
def test_a_refused_tag_is_told_in_awss_words(
    kms: Any, make_key: Callable[..., str], wrong: list[dict[str, str]], message: str
) -> None:
    assert told(kms.create_key, Tags=wrong) == ("TagException", message)
    assert told(kms.tag_resource, KeyId=make_key(), Tags=wrong) == ("TagException", message)


def test_a_key_has_50_tags_counting_those_that_it_has(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key(Tags=tags(**{f"key{number}": "1" for number in range(49)}))
    kms.tag_resource(KeyId=key, Tags=tags(key0="other", last=""))
    assert told(kms.tag_resource, KeyId=key, Tags=tags(more="")) == ("TagException", "Too many tags")
    assert len(kms.list_resource_tags(KeyId=key)["Tags"]) == 50


def test_awss_tags_cannot_be_removed(kms: Any, make_key: Callable[..., str]) -> None:
    assert told(kms.untag_resource, KeyId=make_key(), TagKeys=["aws:cloudformation:stack-name"]) == (
        "TagException",
        "Tags beginning with aws: are reserved",
    )


def test_tags_are_added_replaced_and_partly_removed(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key(Tags=tags(tag1="value1", tag2="value2", tag3="value3"))
    kms.tag_resource(KeyId=key, Tags=tags(tag4="value4", tag2="updated", tag5="value5"))
    kms.untag_resource(KeyId=key, TagKeys=["tag3", "absent"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == tags(
        tag1="value1", tag2="updated", tag4="value4", tag5="value5"
    )


def test_tags_are_listed_page_by_page(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key(Tags=tags(**{f"key{number}": "" for number in range(5)}))
    pages = [
        [tag["TagKey"] for tag in page["Tags"]]
        for page in kms.get_paginator("list_resource_tags").paginate(
            KeyId=key, PaginationConfig={"PageSize": 2}
        )
    ]
    assert pages == [["key0", "key1"], ["key2", "key3"], ["key4"]]
    assert told(kms.list_resource_tags, KeyId=key, Limit=51) == (
        "ValidationException",
        "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value "
        "less than or equal to 50",
    )


def test_a_marker_belongs_to_the_operation_that_gave_it(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key(Tags=tags(a="", b=""))
    marker = kms.list_resource_tags(KeyId=key, Limit=1)["NextMarker"]
    assert kms.list_resource_tags(KeyId=key, Marker=marker)["Tags"] == tags(b="")
    for wrong in (marker[:-4], f"{marker}!", "bGlzdDox", "LTU=", "ä"):
        assert told(kms.list_resource_tags, KeyId=key, Marker=wrong)[0] == "InvalidMarkerException"
    assert told(kms.list_keys, Marker=marker)[0] == "InvalidMarkerException"


def test_a_key_with_tags_needs_the_permission_to_tag(engine: Engine) -> None:
    maker = engine.client("kms", engine.role(allow("kms:CreateKey")))
    tagger = engine.client("kms", engine.role(allow("kms:CreateKey", "kms:TagResource")))
    assert maker.create_key()["KeyMetadata"]["Enabled"]
    assert tagger.create_key(Tags=tags(team="blue"))["KeyMetadata"]["Enabled"]
    with refused("AccessDeniedException", "kms:TagResource"):
        maker.create_key(Tags=tags(team="blue"))


def test_request_tags_are_conditions_of_create_key(engine: Engine) -> None:
    condition = {
        "StringEquals": {"aws:RequestTag/team": "blue"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    tagger = engine.role(allow("kms:CreateKey", "kms:TagResource", Condition=condition))
    kms = engine.client("kms", tagger)
    kms.create_key(Tags=[{"TagKey": "team", "TagValue": "blue"}])
    for wrong in (
        [{"TagKey": "team", "TagValue": "red"}],
        [],
        [{"TagKey": "team", "TagValue": "blue"}, {"TagKey": "x", "TagValue": ""}],
    ):
        with refused("AccessDeniedException", "kms:CreateKey"):
            kms.create_key(Tags=wrong)
