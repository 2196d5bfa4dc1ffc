"""Permissions in S3's old form: what S3 says of those that it does not take."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.engine.conftest import refused

LOGS = "http://acs.amazonaws.com/groups/s3/LogDelivery"
NOBODY = "http://acs.amazonaws.com/groups/s3/FakeGroup"
TO_LOGS = {"Grantee": {"Type": "Group", "URI": LOGS}, "Permission": "WRITE"}


@pytest.fixture
def open_bucket(s3: Any) -> str:
    """The name of a bucket with permissions in the old form, with an object ``a``."""
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    s3.put_object(Bucket=name, Key="a")
    return name


def argument(told: dict[str, Any]) -> tuple[str, str]:
    return told["ArgumentName"], told["ArgumentValue"]


def test_a_canned_acl_that_is_none_is_named(s3: Any, open_bucket: str) -> None:
    where = {"Bucket": open_bucket, "Key": "a"}
    for call, given in (
        (s3.put_bucket_acl, {"Bucket": open_bucket}),
        (s3.put_object_acl, where),
        (s3.put_object, where),
    ):
        with refused("InvalidArgument") as told:
            call(**given, ACL="fake")
        assert (argument(told), told["Message"] or "") == (("x-amz-acl", "fake"), "")


@pytest.mark.parametrize(
    ("grant", "message", "name", "value"),
    [
        (f'uri="{NOBODY}"', "Invalid group uri", "uri", NOBODY),
        ('id="wrong"', "Invalid id", "id", "wrong"),
        ('fake="1"', "Argument format not recognized", "x-amz-grant-read", 'fake="1"'),
    ],
)
def test_a_grant_to_nobody_is_named(
    s3: Any, open_bucket: str, grant: str, message: str, name: str, value: str
) -> None:
    with refused("InvalidArgument", message) as told:
        s3.put_object_acl(Bucket=open_bucket, Key="a", GrantRead=grant)
    assert argument(told) == (name, value)


def test_a_document_is_held_to_its_form(s3: Any, open_bucket: str) -> None:
    owner = s3.get_bucket_acl(Bucket=open_bucket)["Owner"]
    malformed: list[dict[str, Any]] = [
        {},
        {"Grants": [TO_LOGS]},
        {"Owner": owner, "Grants": [{**TO_LOGS, "Permission": "WRONG"}]},
        {"Owner": owner, "Grants": [{"Permission": "READ"}]},
    ]
    for document in malformed:
        with refused("MalformedACLError"):
            s3.put_bucket_acl(Bucket=open_bucket, AccessControlPolicy=document)
    to_nobody = {"Grantee": {"Type": "Group", "URI": NOBODY}, "Permission": "READ"}
    to_wrong = {"Grantee": {"Type": "CanonicalUser", "ID": "wrong"}, "Permission": "READ"}
    for document, name in (
        ({"Owner": {"ID": "wrong"}, "Grants": [TO_LOGS]}, "CanonicalUser/ID"),
        ({"Owner": owner, "Grants": [to_wrong]}, "CanonicalUser/ID"),
        ({"Owner": owner, "Grants": [to_nobody]}, "Group/URI"),
    ):
        with refused("InvalidArgument") as told:
            s3.put_bucket_acl(Bucket=open_bucket, AccessControlPolicy=document)
        assert told["ArgumentName"] == name
    s3.put_bucket_acl(Bucket=open_bucket, AccessControlPolicy={"Owner": owner, "Grants": [TO_LOGS]})
    assert s3.get_bucket_acl(Bucket=open_bucket)["Grants"] == [TO_LOGS]


def test_one_of_three_forms_is_given(s3: Any, open_bucket: str) -> None:
    owner = s3.get_bucket_acl(Bucket=open_bucket)["Owner"]
    with refused("MissingSecurityHeader") as told:
        s3.put_bucket_acl(Bucket=open_bucket)
    assert told["MissingHeaderName"] == "x-amz-acl"
    with refused("InvalidRequest", "both Canned ACLs and Header Grants"):
        s3.put_bucket_acl(Bucket=open_bucket, ACL="private", GrantRead=f'uri="{LOGS}"')
    document = {"Owner": owner, "Grants": [TO_LOGS]}
    with refused("UnexpectedContent"):
        s3.put_bucket_acl(Bucket=open_bucket, ACL="private", AccessControlPolicy=document)
