from __future__ import annotations

import pytest

from kmslab.access.reader import Reader, UnreadableError
from kmslab.model.errors import ExitCode
from kmslab.model.persona import Persona
from tests.checks.fakes import FakeAccess, World


def reader_of(world: World) -> Reader:
    return Reader(FakeAccess(world))


def test_who_may_not_look_is_followed_by_who_may() -> None:
    world = World().answers("kms:DescribeKey", {"KeyMetadata": {"KeyId": "1"}})
    world.refuses("kms:DescribeKey", Persona.AUDITOR)
    assert reader_of(world).ask("kms:DescribeKey", KeyId="1")["KeyMetadata"] == {"KeyId": "1"}
    assert [request.persona for request in world.requests] == [Persona.AUDITOR, Persona.KEY_ADMINISTRATOR]


def test_who_may_look_is_not_asked_twice() -> None:
    world = World().answers("s3:GetBucketPolicy", {"Policy": "{}"})
    reader_of(world).ask("s3:GetBucketPolicy", Bucket="b")
    assert [request.persona for request in world.requests] == [Persona.AUDITOR]


def test_the_account_is_read_by_the_operator_first() -> None:
    world = World().answers("iam:GetPolicy", {"Policy": {}})
    reader_of(world).ask("iam:GetPolicy", PolicyArn="arn:aws:iam::aws:policy/A")
    assert [request.persona for request in world.requests] == [Persona.OPERATOR]


def test_nobody_may_look_is_one_clear_line() -> None:
    world = World().refuses("kms:GetKeyPolicy")
    with pytest.raises(UnreadableError) as told:
        reader_of(world).ask("kms:GetKeyPolicy", KeyId="1234", PolicyName="default")
    message = (
        "Could not read kms:GetKeyPolicy of 1234: not permitted as auditor or key-administrator or operator"
    )
    assert told.value.message == message
    assert told.value.hint
    assert told.value.exit_code is ExitCode.TARGET


def test_another_error_is_not_tried_as_somebody_else() -> None:
    world = World().refuses("kms:DescribeKey", code="ThrottlingException")
    with pytest.raises(UnreadableError, match="of 1234: ThrottlingException"):
        reader_of(world).ask("kms:DescribeKey", KeyId="1234")
    assert {request.persona for request in world.requests} == {Persona.AUDITOR}


def test_no_network_is_told_too() -> None:
    with pytest.raises(UnreadableError, match="EndpointConnectionError"):
        reader_of(World().unreachable()).ask("kms:DescribeKey", KeyId="1234")


def test_what_is_absent_is_empty_and_nothing_else_is() -> None:
    world = World().refuses("s3:GetBucketPolicy", code="NoSuchBucketPolicy")
    reader = reader_of(world)
    assert reader.ask("s3:GetBucketPolicy", absent="NoSuchBucketPolicy", Bucket="b") == {}
    with pytest.raises(UnreadableError):
        reader.ask("s3:GetBucketPolicy", absent="NoSuchBucket", Bucket="b")


def test_every_page_is_joined() -> None:
    pages = {
        None: {"Grants": [{"GrantId": "1"}], "Truncated": True, "NextMarker": "more"},
        "more": {"Grants": [{"GrantId": "2"}], "Truncated": False},
    }
    world = World().answers("kms:ListGrants", lambda request: pages[request.get("Marker")])
    assert reader_of(world).all_of("kms:ListGrants", "Grants", KeyId="k")["Grants"] == [
        {"GrantId": "1"},
        {"GrantId": "2"},
    ]


def test_each_keeps_the_order() -> None:
    assert reader_of(World()).each(lambda number: number * 2, range(20)) == [n * 2 for n in range(20)]
