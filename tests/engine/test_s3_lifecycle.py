"""Rules of a bucket's lifecycle: what S3 refuses, and when it says that an object expires."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zlib import crc32

import pytest

from tests.engine.conftest import refused

RULE: dict[str, Any] = {"ID": "a rule", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 3}}
TAG = {"Key": "a", "Value": "b"}


def put(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)})


def without(name: str) -> dict[str, Any]:
    return {member: value for member, value in RULE.items() if member != name}


@pytest.mark.parametrize(
    ("rule", "code", "words"),
    [
        (without("Filter"), "MalformedXML", ""),
        (without("Status"), "MalformedXML", ""),
        ({**RULE, "NoncurrentVersionExpiration": {}}, "MalformedXML", ""),
        ({**RULE, "Filter": {"And": {"Prefix": "a"}, "Prefix": "b"}}, "MalformedXML", ""),
        ({**RULE, "Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML", ""),
        ({**RULE, "Expiration": {"Days": "x"}}, "MalformedXML", ""),
        ({**RULE, "Filter": {"And": {"Tags": [TAG, TAG]}}}, "InvalidRequest", "Duplicate Tag Keys"),
        ({**RULE, "Expiration": {"Date": "2030-01-01T05:00:00Z"}}, "InvalidArgument", "at midnight GMT"),
    ],
)
def test_a_rule_that_is_none_is_refused(
    s3: Any, bucket: str, rule: dict[str, Any], code: str, words: str
) -> None:
    put(s3, bucket, RULE)
    with refused(code, words):
        put(s3, bucket, rule)
    (kept,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert kept == RULE


def test_a_rule_without_an_id_gets_one(s3: Any, bucket: str) -> None:
    put(s3, bucket, without("ID"))
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["ID"]


def test_an_object_tells_when_it_expires(s3: Any, bucket: str) -> None:
    before = s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    assert "Expiration" not in before
    put(s3, bucket, RULE, {**RULE, "ID": "later", "Expiration": {"Days": 5}})
    head = s3.head_object(Bucket=bucket, Key="a")
    _, date, _, rule, _ = head["Expiration"].split('"')
    midnight = datetime.combine(head["LastModified"].date() + timedelta(days=4), time(), UTC)
    assert (parsedate_to_datetime(date), rule) == (midnight, "a%20rule")
    for answer in (s3.get_object(Bucket=bucket, Key="a"), s3.put_object(Bucket=bucket, Key="a", Body=b"x")):
        assert "Expiration" in answer
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="a")["VersionId"]
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="a", VersionId=version)


DOCUMENT = """\
<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>odd</ID><Status>Enabled</Status>\
<Filter><Prefix></Prefix></Filter><Expiration>{expiration}</Expiration></Rule></LifecycleConfiguration>"""


@pytest.mark.parametrize(
    ("expiration", "expires"),
    [
        ("<Date>2030-01-01</Date>", datetime(2030, 1, 1, tzinfo=UTC)),
        ("<Date>2030-01-01T02:00:00+02:00</Date>", datetime(2030, 1, 1, tzinfo=UTC)),
        ("<Days>2147483647</Days>", None),
    ],
)
def test_a_date_that_no_client_of_ours_writes_is_no_fault_of_the_server(
    s3: Any, bucket: str, expiration: str, expires: datetime | None
) -> None:
    """The SDK writes dates in one way: another document takes its place before it is signed."""
    body = DOCUMENT.format(expiration=expiration).encode()

    def write(params: dict[str, Any], **_: object) -> None:
        params["body"] = body
        params["headers"]["x-amz-checksum-crc32"] = base64.b64encode(crc32(body).to_bytes(4)).decode()

    s3.meta.events.register("before-call.s3.PutBucketLifecycleConfiguration", write)
    try:
        put(s3, bucket, RULE)
    finally:
        s3.meta.events.unregister("before-call.s3.PutBucketLifecycleConfiguration", write)
    told = s3.put_object(Bucket=bucket, Key="a", Body=b"x").get("Expiration")
    assert (parsedate_to_datetime(told.split('"')[1]) if told else None) == expires
    assert s3.head_object(Bucket=bucket, Key="a").get("Expiration") == told


@pytest.mark.parametrize(
    ("chosen", "falls_under"),
    [
        ({"Prefix": "a"}, True),
        ({"Prefix": "b"}, False),
        ({"Tag": TAG}, True),
        ({"Tag": {**TAG, "Value": "c"}}, False),
        ({"ObjectSizeGreaterThan": 3}, True),
        ({"ObjectSizeGreaterThan": 4}, False),
        ({"ObjectSizeLessThan": 4}, False),
        ({"And": {"Prefix": "a", "Tags": [TAG], "ObjectSizeLessThan": 5}}, True),
        ({"And": {"Prefix": "a", "Tags": [TAG, {"Key": "c", "Value": "d"}]}}, False),
    ],
)
def test_a_rule_is_of_the_objects_that_it_chooses(
    s3: Any, bucket: str, chosen: dict[str, Any], falls_under: bool
) -> None:
    put(s3, bucket, {**RULE, "Filter": chosen})
    put_object = s3.put_object(Bucket=bucket, Key="a", Body=b"1234", Tagging="a=b")
    assert ("Expiration" in put_object) is falls_under
