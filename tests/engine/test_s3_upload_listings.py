"""Listings of uploads that are under way, as recorded from S3."""

from __future__ import annotations

from typing import Any

from tests.engine.conftest import refused


def begin(s3: Any, bucket: str, *keys: str) -> list[str]:
    return [s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"] for key in keys]


def shown(answer: dict[str, Any]) -> list[str]:
    return [upload["UploadId"] for upload in answer.get("Uploads", [])]


def test_uploads_of_a_key_come_in_the_order_in_which_they_were_begun(s3: Any, bucket: str) -> None:
    c, b, *of_a = begin(s3, bucket, "c", "b", *["a"] * 5)
    answer = s3.list_multipart_uploads(Bucket=bucket)
    assert shown(answer) == [*of_a, b, c]
    assert (answer["NextKeyMarker"], answer["NextUploadIdMarker"]) == ("c", c)
    assert all(upload["Initiated"].microsecond == 0 for upload in answer["Uploads"])
    seen: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **marker)
        seen += shown(page)
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert seen == [*of_a, b, c]
    after_a = s3.list_multipart_uploads(Bucket=bucket, KeyMarker="a")
    assert shown(after_a) == [b, c]
    assert shown(s3.list_multipart_uploads(Bucket=bucket, UploadIdMarker=of_a[2])) == [*of_a, b, c]


def test_a_marker_is_an_upload_of_its_key(s3: Any, bucket: str) -> None:
    c, b = begin(s3, bucket, "c", "b")
    with refused("InvalidArgument", "Invalid uploadId marker") as told:
        s3.list_multipart_uploads(Bucket=bucket, KeyMarker="c", UploadIdMarker=b)
    assert (told["ArgumentName"], told["ArgumentValue"]) == ("upload-id-marker", b)
    empty = s3.list_multipart_uploads(Bucket=bucket, KeyMarker="c", UploadIdMarker=c)
    assert (empty["NextKeyMarker"], empty["NextUploadIdMarker"], empty["IsTruncated"]) == ("", "", False)


def test_uploads_with_the_same_prefix_are_told_as_one(s3: Any, bucket: str) -> None:
    begin(s3, bucket, "folder/ü/1", "folder/ü/2", "folder/a b")
    asked = {"Bucket": bucket, "Prefix": "folder/", "Delimiter": "/"}
    answer = s3.list_multipart_uploads(**asked)
    assert answer["CommonPrefixes"] == [{"Prefix": "folder/ü/"}]
    assert [upload["Key"] for upload in answer["Uploads"]] == ["folder/a b"]
    assert "EncodingType" not in answer
    encoded = s3.list_multipart_uploads(**asked, EncodingType="url", KeyMarker="folder/a a")
    assert encoded["EncodingType"] == "url"
    assert encoded["CommonPrefixes"] == [{"Prefix": "folder/%C3%BC/"}]
    assert encoded["Uploads"][0]["Key"] == encoded["NextKeyMarker"] == "folder/a%20b"
    assert encoded["KeyMarker"] == "folder/a%20a"
    within = s3.list_multipart_uploads(**asked, KeyMarker="folder/ü/1")
    assert not within.keys() & {"CommonPrefixes", "Uploads"}
