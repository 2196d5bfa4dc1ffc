"""Headers that take one of a few words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import refused


@pytest.mark.parametrize("kind", ["metadata", "tagging"])
def test_a_copy_copies_or_replaces(s3: Any, bucket: str, kind: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    copy = {"Bucket": bucket, "Key": "b", "CopySource": f"{bucket}/a"}
    with refused("InvalidArgument", f"Unknown {kind} directive.") as told:
        s3.copy_object(**copy, **{f"{kind.title()}Directive": "MOVE"})
    assert (told["ArgumentName"], told["ArgumentValue"]) == (f"x-amz-{kind}-directive", "MOVE")
    s3.copy_object(**copy, **{f"{kind.title()}Directive": "REPLACE"})


def test_only_attributes_that_there_are_are_told(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a")
    with refused("InvalidArgument", "Invalid attribute name specified.") as told:
        s3.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=["ETag", "Colour"])
    assert told["ArgumentName"] == "x-amz-object-attributes"
    assert (
        s3.get_object_attributes(Bucket=bucket, Key="a", ObjectAttributes=["ETag", "ObjectSize"])[
            "ObjectSize"
        ]
        == 0
    )


def test_checksums_are_told_or_not(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**where)
    with refused("InvalidRequest", "Value for x-amz-checksum-mode header is invalid."):
        s3.get_object(**where, ChecksumMode="SOMETIMES")
    with pytest.raises(ClientError, match="400"):
        s3.head_object(**where, ChecksumMode="SOMETIMES")
