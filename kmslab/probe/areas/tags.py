"""Tags of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import NOT_FOUND, VALIDATION
from kmslab.probe.model import probe
from kmslab.probe.samples import alias_name
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

TAG_ERRORS = ("TagException", VALIDATION)


def _tags(bench: Bench, key: str) -> dict[str, str]:
    listed = bench.works("ListResourceTags", KeyId=key)["Tags"]
    return {one["TagKey"]: one["TagValue"] for one in listed}


def _tag(name: str, value: str = "a") -> list[dict[str, Any]]:
    return [{"TagKey": name, "TagValue": value}]


@probe(api("TagResource"))
def a_tag_can_be_added_and_removed(bench: Bench) -> None:
    """TagResource adds a tag, UntagResource removes it.

    ListResourceTags shows it between the two, and not after.
    """
    key = bench.key()
    bench.works("TagResource", KeyId=key, Tags=_tag("Team"))
    bench.equal("Team", _tags(bench, key).get("Team"), "a")
    bench.works("UntagResource", KeyId=key, TagKeys=["Team"])
    bench.contrasts("it is gone", "Team" not in _tags(bench, key))


@probe(api("TagResource"))
def a_tag_has_one_value(bench: Bench) -> None:
    """TagResource with a key that is there replaces its value.

    The new value is there, the old is not, and other tags stay.
    """
    key = bench.key()
    bench.make("TagResource", KeyId=key, Tags=_tag("Team") + _tag("Owner"))
    bench.works("TagResource", KeyId=key, Tags=_tag("Team", "b"))
    found = _tags(bench, key)
    bench.equal("Owner", found.get("Owner"), "a")
    bench.contrasts("the old value is gone", found.get("Team") == "b")


@probe(api("CreateKey"))
def a_key_is_created_with_tags(bench: Bench) -> None:
    """CreateKey takes tags.

    The key has them; another key has not.
    """
    made = bench.works("CreateKey", Tags=bench.key_tags + _tag("Team"))["KeyMetadata"]["Arn"]
    bench.discard_later(made)
    bench.equal("Team", _tags(bench, made).get("Team"), "a")
    bench.contrasts("another key has none", "Team" not in _tags(bench, bench.key()))


@probe(guide("tagging-keys"))
def the_prefix_aws_is_reserved(bench: Bench) -> None:
    """Tag keys that begin with aws: are AWS's own.

    Another key works; aws:probe is TagException.
    """
    key = bench.key()
    bench.works("TagResource", KeyId=key, Tags=_tag("probe"))
    bench.refuses(TAG_ERRORS, "TagResource", KeyId=key, Tags=_tag("aws:probe"))


@probe(guide("tagging-keys"))
def a_key_has_50_tags_at_most(bench: Bench) -> None:
    """A key has up to 50 tags.

    The fiftieth works; one more is refused.
    """
    key = bench.key()
    have = len(_tags(bench, key))
    more = [tag for number in range(50 - have) for tag in _tag(f"tag-{number}")]
    bench.works("TagResource", KeyId=key, Tags=more)
    bench.refuses(("LimitExceededException", *TAG_ERRORS), "TagResource", KeyId=key, Tags=_tag("one-more"))


@probe(api("TagResource"))
def a_tag_has_a_length(bench: Bench) -> None:
    """Tag keys have 1 to 128 characters, values up to 256.

    The longest work; 129 characters of key and 257 of value are refused.
    """
    key = bench.key()
    bench.works("TagResource", KeyId=key, Tags=_tag("k" * 128, "v" * 256))
    bench.refuses(TAG_ERRORS, "TagResource", KeyId=key, Tags=_tag("k" * 129))
    bench.refuses(TAG_ERRORS, "TagResource", KeyId=key, Tags=_tag("other", "v" * 257))


@probe(api("TagResource"))
def a_value_may_be_empty(bench: Bench) -> None:
    """The value of a tag may be empty, its key may not.

    An empty value is kept; an empty key is refused.
    """
    key = bench.key()
    bench.works("TagResource", KeyId=key, Tags=_tag("Team", ""))
    bench.equal("Team", _tags(bench, key).get("Team"), "")
    bench.refuses(TAG_ERRORS, "TagResource", KeyId=key, Tags=_tag(""))


@probe(api("TagResource"))
def a_request_names_a_tag_once(bench: Bench) -> None:
    """One request names each tag key once.

    Two keys work; one key twice is TagException.
    """
    key = bench.key()
    bench.works("TagResource", KeyId=key, Tags=_tag("Team") + _tag("Owner"))
    bench.refuses(TAG_ERRORS, "TagResource", KeyId=key, Tags=_tag("Team") + _tag("Team", "b"))


@probe(api("TagResource"))
def tags_are_not_set_by_alias(bench: Bench) -> None:
    """TagResource takes a key id or key ARN, not an alias.

    By id it works; by an alias of the same key it is refused.
    """
    key, alias = bench.key(), alias_name(bench)
    bench.make("CreateAlias", AliasName=alias, TargetKeyId=key)
    bench.works("TagResource", KeyId=key.rpartition("/")[2], Tags=_tag("Team"))
    codes = ("InvalidArnException", NOT_FOUND, VALIDATION)
    bench.refuses(codes, "TagResource", KeyId=alias, Tags=_tag("Team"))
