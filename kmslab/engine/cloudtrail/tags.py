"""A trail's tags: given when it is made, kept within limits, gone with it.

CloudTrail API Reference, "CreateTrail" (TagsList), "AddTags" and "Tag"; which code is for what is in botocore's
service model.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.services import cloudtrail

from kmslab.engine.hooks import extend, extend_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Stock = Callable[[dict[str, Any]], Any]

MOST = 50
LONGEST_KEY, LONGEST_VALUE = 128, 256
RESERVED = "aws:"
"""How the keys of AWS's own tags begin, which do not count."""


def refusal(tags: Sequence[Mapping[str, Any]], before: Mapping[str, str]) -> Any:
    """CloudTrail's answer to tags that a trail cannot be given; None when it can.

    Args:
        tags: as in ``TagsList``.
        before: those that the trail has.
    """
    keys = [str(tag.get("Key", "")) for tag in tags]
    if len(set(keys)) < len(keys):
        return cloudtrail._err("InvalidTagParameterException", "The tags have a key twice.")
    for key, tag in zip(keys, tags, strict=True):
        if not 1 <= len(key) <= LONGEST_KEY or len(str(tag.get("Value") or "")) > LONGEST_VALUE:
            why = f"A key has 1 to {LONGEST_KEY} characters and a value at most {LONGEST_VALUE}."
            return cloudtrail._err("InvalidTagParameterException", why)
    if sum(not one.startswith(RESERVED) for one in {*before, *keys}) > MOST:
        return cloudtrail._err("TagsLimitExceededException", f"A trail has at most {MOST} tags.")
    return None


def reserved(tags: Sequence[Mapping[str, Any]]) -> Any:
    """CloudTrail's answer to somebody who gives tags that only AWS gives, as CloudFormation does; None to others."""
    if any(str(tag.get("Key", "")).lower().startswith(RESERVED) for tag in tags):
        return cloudtrail._err(
            "InvalidTagParameterException", f"Keys that begin with {RESERVED} are reserved."
        )
    return None


def keep(trail_arn: str, tags: Sequence[Mapping[str, Any]]) -> None:
    """Add to the tags that a trail has."""
    before = cloudtrail._trail_tags.get(trail_arn) or {}
    cloudtrail._trail_tags[trail_arn] = {**before, **{tag["Key"]: tag.get("Value") or "" for tag in tags}}


def _add_tags(stock: Stock, body: dict[str, Any]) -> Any:
    """Check them; MiniStack takes anything, and fails over a tag without a value."""
    trail_arn, given = str(body.get("ResourceId", "")).strip(), body.get("TagsList") or []
    answer = stock({**body, "TagsList": []})
    if answer[0] != HTTPStatus.OK:  # no such trail
        return answer
    if refused := refusal(given, cloudtrail._trail_tags.get(trail_arn) or {}):
        return refused
    keep(trail_arn, given)
    return answer


def _asked_add_tags(stock: Stock, body: dict[str, Any]) -> Any:
    """Leave AWS's own tags to AWS."""
    return reserved(body.get("TagsList") or []) or stock(body)


def install() -> None:
    """Take over the operation that adds tags, for whoever asks and for CloudFormation, which calls it itself."""
    extend(cloudtrail, "_add_tags", "body")(_add_tags)
    extend_entry(cloudtrail, "_DISPATCH", "AddTags")(_asked_add_tags)
