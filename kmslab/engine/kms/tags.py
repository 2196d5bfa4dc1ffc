"""Tags. Source: API reference, TagResource; KMS Developer Guide, "Tags in AWS KMS"."""

from __future__ import annotations

from typing import Any

from kmslab.engine.kms import records
from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.paging import page
from kmslab.engine.kms.service import Call, operation

TAGS_PER_KEY = 50


def check(tag_list: list[dict[str, str]]) -> None:
    """Refuse tags that KMS refuses.

    Raises:
        KmsError: TagException.
    """
    names = [tag["TagKey"] for tag in tag_list]
    if len(set(names)) < len(names):
        raise KmsError("TagException", "Duplicate tag keys")
    _check_reserved(names)
    if len(names) > TAGS_PER_KEY:
        raise KmsError("TagException", "Too many tags")


def _check_reserved(names: list[str]) -> None:
    if any(name.lower().startswith("aws:") for name in names):
        raise KmsError("TagException", "Tags beginning with aws: are reserved")


@operation("TagResource")
def tag_resource(call: Call) -> dict[str, Any]:
    """Add tags; a tag with the same key gets the new value."""
    key = call.key(aliases_allowed=False)
    records.require_state(key, "Disabled", "PendingImport", "Unavailable", "Updating")
    check(call.get("Tags"))
    merged = {tag["TagKey"]: tag for tag in [*key["Tags"], *call.get("Tags")]}
    # The aws: tags that CloudFormation set in labs of an earlier engine are kept, and do not count.
    check([tag for tag in merged.values() if not tag["TagKey"].lower().startswith("aws:")])
    key["Tags"] = list(merged.values())
    return {}


@operation("UntagResource")
def untag_resource(call: Call) -> dict[str, Any]:
    """Remove tags; a key that is not there is no error."""
    key = call.key(aliases_allowed=False)
    records.require_state(key, "Disabled", "PendingImport", "Unavailable", "Updating")
    _check_reserved(call.get("TagKeys"))
    key["Tags"] = [tag for tag in key["Tags"] if tag["TagKey"] not in call.get("TagKeys")]
    return {}


@operation("ListResourceTags")
def list_resource_tags(call: Call) -> dict[str, Any]:
    """The key's tags."""
    key = call.key(aliases_allowed=False)
    return page(call, key["Tags"], "Tags", default=50, maximum=50)
