"""Uploads by a browser's form: signed with a policy, and encrypted as PutObject would.

S3 API Reference, "POST Object", "POST Policy" and "Authenticating Requests in Browser-Based Uploads Using POST".
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.config import Config

from tests.engine.conftest import allow, policy, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine, Principal

S3_ALL = allow("s3:*")
KEY_USE = allow("kms:GenerateDataKey", "kms:Decrypt")
SSE_S3: dict[str, Any] = {"": "AES256"}


def send(engine: Engine, bucket: str, fields: dict[str, str], data: bytes = b"tea") -> tuple[int, str]:
    """Send a form as a browser does; returns the status and S3's error code."""
    mark = uuid.uuid4().hex
    parts = [f'form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    parts.append(b'form-data; name="file"; filename="f.txt"\r\n\r\n' + data)
    lines = b"".join(b"--%s\r\nContent-Disposition: %s\r\n" % (mark.encode(), part) for part in parts)
    url = urlparse(engine.info.endpoint_url)
    trusted = ssl.create_default_context(cafile=str(engine.info.ca_bundle))
    connection = http.client.HTTPSConnection(str(url.hostname), url.port, context=trusted)
    try:
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        connection.request("POST", f"/{bucket}", lines + b"--%s--\r\n" % mark.encode(), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return response.status, ET.fromstring(body).findtext("Code", "") if body else ""  # noqa: S314  # our own engine


def form(
    engine: Engine, who: Principal, bucket: str, *, seconds: int = 60, version: str = "s3v4", **sse: Any
) -> dict[str, str]:
    """The fields of a form that somebody signed for the object ``a``."""
    fields = {f"x-amz-server-side-encryption{name}": value for name, value in sse.items()}
    conditions = [*({name: value} for name, value in fields.items()), ["content-length-range", 1, 10]]
    given = who.credentials
    signer: Any = boto3.client(
        "s3",
        region_name=engine.region,
        endpoint_url=engine.info.endpoint_url,
        aws_access_key_id=given.access_key_id,
        aws_secret_access_key=given.secret_access_key,
        aws_session_token=given.session_token,
        config=Config(signature_version=version),
    )
    signed: dict[str, str] = signer.generate_presigned_post(
        bucket, "a", Fields=fields, Conditions=conditions, ExpiresIn=seconds
    )["fields"]
    return signed


def under(key: str) -> dict[str, Any]:
    return {"": "aws:kms", "-aws-kms-key-id": key}


def test_a_signed_form_stores_an_object_under_the_key_that_it_names(
    engine: Engine, s3: Any, bucket: str, key: str
) -> None:
    for who in (engine.role(S3_ALL, KEY_USE), engine.user(S3_ALL, KEY_USE)):
        assert send(engine, bucket, form(engine, who, bucket, **under(key))) == (204, "")
        found = s3.get_object(Bucket=bucket, Key="a")
        assert (found["SSEKMSKeyId"], found["Body"].read()) == (key, b"tea")
        s3.delete_object(Bucket=bucket, Key="a")


def test_a_form_that_asks_for_nothing_gets_the_buckets_default(
    engine: Engine, s3: Any, bucket: str, key: str
) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert send(engine, bucket, form(engine, engine.role(S3_ALL, KEY_USE), bucket)) == (204, "")
    assert s3.head_object(Bucket=bucket, Key="a")["SSEKMSKeyId"] == key


def test_the_signers_permissions_on_the_key_decide(
    engine: Engine, s3: Any, kms: Any, bucket: str, key: str
) -> None:
    nobody = engine.role(S3_ALL)
    assert send(engine, bucket, form(engine, nobody, bucket, **under(key))) == (403, "AccessDenied")
    signer = engine.role(S3_ALL, KEY_USE)
    kms.disable_key(KeyId=key)
    assert send(engine, bucket, form(engine, signer, bucket, **under(key)))[1] == "KMS.DisabledException"
    stored_nothing(s3, bucket)


def stored_nothing(s3: Any, bucket: str) -> None:
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="a")


def test_the_signers_permissions_on_the_bucket_decide(engine: Engine, s3: Any, bucket: str) -> None:
    reader = engine.role(allow("s3:GetObject"))
    assert send(engine, bucket, form(engine, reader, bucket)) == (403, "AccessDenied")
    signer = engine.role(S3_ALL)
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(deny))
    assert send(engine, bucket, form(engine, signer, bucket)) == (403, "AccessDenied")
    stored_nothing(s3, bucket)
    assert send(engine, bucket, form(engine, signer, bucket, **SSE_S3)) == (204, "")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
        ({"x-amz-signature": None}, 400, "InvalidArgument"),
        ({"x-amz-security-token": "another"}, 400, "InvalidToken"),
        ({"x-amz-security-token": None}, 400, "InvalidToken"),
        ({"x-amz-date": "20200101T000000Z"}, 400, "InvalidArgument"),
        ({"key": "b"}, 403, "AccessDenied"),
        ({"x-amz-server-side-encryption": "AES256"}, 403, "AccessDenied"),
        ({"acl": "private"}, 403, "AccessDenied"),
    ],
)
def test_a_form_is_taken_as_it_was_signed_or_not_at_all(
    engine: Engine, s3: Any, bucket: str, key: str, changed: dict[str, str | None], status: int, code: str
) -> None:
    signer = engine.role(S3_ALL, KEY_USE)
    fields = {**form(engine, signer, bucket, **under(key)), **changed}
    given = {name: value for name, value in fields.items() if value is not None}
    assert send(engine, bucket, given) == (status, code)
    stored_nothing(s3, bucket)


def test_a_policy_that_was_changed_was_not_signed(engine: Engine, s3: Any, bucket: str) -> None:
    fields = form(engine, engine.role(S3_ALL), bucket)
    document = json.loads(base64.b64decode(fields["policy"]))
    document["conditions"] = [["starts-with", "$key", ""]]
    fields["policy"] = base64.b64encode(json.dumps(document).encode()).decode()
    assert send(engine, bucket, fields) == (403, "SignatureDoesNotMatch")
    stored_nothing(s3, bucket)


def test_a_form_expires_and_has_its_limits(engine: Engine, s3: Any, bucket: str) -> None:
    signer = engine.role(S3_ALL)
    assert send(engine, bucket, form(engine, signer, bucket, seconds=-1)) == (403, "AccessDenied")
    fields = form(engine, signer, bucket)
    assert send(engine, bucket, fields, b"eleven bytes") == (400, "EntityTooLarge")
    assert send(engine, bucket, fields, b"") == (400, "EntityTooSmall")
    stored_nothing(s3, bucket)


def test_a_form_that_nobody_signed_is_refused(engine: Engine, s3: Any, bucket: str) -> None:
    assert send(engine, bucket, {"key": "a"}) == (403, "AccessDenied")
    of_version_2 = form(engine, engine.user(S3_ALL), bucket, version="s3")
    assert {"AWSAccessKeyId", "signature"} <= of_version_2.keys()
    assert send(engine, bucket, of_version_2) == (403, "AccessDenied")
    stored_nothing(s3, bucket)


def test_a_field_named_like_a_signature_opens_nothing(engine: Engine, s3: Any, bucket: str) -> None:
    for name in ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "X-Amz-Signature"):
        assert send(engine, bucket, {"key": "a", name: "x"})[0] in (400, 403)
    stored_nothing(s3, bucket)
