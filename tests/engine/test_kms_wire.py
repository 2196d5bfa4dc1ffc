"""What goes over the wire: AWS JSON 1.1 as KMS speaks it, and nothing but its own errors for bad bodies."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.kms_calls import post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine


def test_an_answer_has_kmss_headers(engine: Engine) -> None:
    answer = post(engine, "TrentService.ListKeys", {})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert answer.headers["cache-control"] == "no-cache, no-store, must-revalidate, private"
    assert (answer.headers["expires"], answer.headers["pragma"]) == ("0", "no-cache")
    assert str(uuid.UUID(answer.headers["x-amzn-requestid"])) == answer.headers["x-amzn-requestid"]


def test_an_error_names_its_type_in_the_body_and_spells_message_in_lower_case(engine: Engine) -> None:
    """The recorded errors have ``message`` as a member of their own, which only that spelling gives."""
    answer = post(engine, "TrentService.DescribeKey", {"KeyId": "nonsense"})
    assert answer.status == 400
    assert answer.members == {"__type": "NotFoundException", "message": "Invalid keyId 'nonsense'"}
    assert "x-amzn-requestid" in answer.headers
    assert "x-amzn-errortype" not in answer.headers


def test_an_error_without_a_message_has_none(engine: Engine, make_key: Callable[..., str]) -> None:
    answer = post(engine, "TrentService.Decrypt", {"CiphertextBlob": "eHg="})
    assert (answer.status, answer.members) == (400, {"__type": "InvalidCiphertextException"})


def test_an_operation_without_output_answers_with_an_empty_body(
    engine: Engine, make_key: Callable[..., str]
) -> None:
    key = make_key()
    answer = post(engine, "TrentService.UpdateKeyDescription", {"KeyId": key, "Description": "new"})
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
    cancelled = post(engine, "TrentService.ScheduleKeyDeletion", {"KeyId": key})
    assert set(cancelled.members) == {"KeyId", "KeyState", "PendingWindowInDays", "DeletionDate"}


def test_dates_are_seconds_with_thousandths(engine: Engine, make_key: Callable[..., str]) -> None:
    body = post(engine, "TrentService.DescribeKey", {"KeyId": make_key()}).body.decode()
    assert re.search(r'"CreationDate": \d{10}\.\d{1,3}[,}]', body), body


@pytest.mark.parametrize(
    "target",
    ["TrentService.FlyKeys", "TrentService.", "ListKeys", "TrentService.listkeys", "TrentService.X.ListKeys"],
)
def test_an_unknown_operation_is_refused(engine: Engine, target: str) -> None:
    answer = post(engine, target, {})
    assert (answer.status, answer.members) == (400, {"__type": "UnknownOperationException"})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' * 100_000,
        b'{"Limit": NaN}',
        b'{"Limit": Infinity}',
        b'{"Limit": -Infinity}',
        b'{"Limit": ' + b"9" * 5000 + b"}",
    ],
    ids=["broken", "bytes", "deep list", "deep object", "nan", "infinity", "minus infinity", "long number"],
)
def test_what_is_no_json_is_refused(engine: Engine, body: bytes) -> None:
    answer = post(engine, "TrentService.ListKeys", body)
    assert (answer.status, answer.members) == (400, {"__type": "SerializationException"})


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("ListKeys", [], "Expected structure or null"),
        ("ListKeys", {"Limit": "many"}, "STRING_VALUE can not be converted to an Integer"),
        ("ListKeys", {"Limit": True}, "TRUE_VALUE can not be converted to an Integer"),
        ("DescribeKey", {"KeyId": 1}, "NUMBER_VALUE can not be converted to a String"),
        ("DescribeKey", {"KeyId": []}, "Start of list found where not expected"),
        ("DescribeKey", {"KeyId": {}}, "Start of structure or map found where not expected."),
        ("TagResource", {"KeyId": "k", "Tags": "t"}, "Expected list or null"),
    ],
)
def test_a_wrong_type_is_told_as_the_front_end_tells_it(
    engine: Engine, operation: str, parameters: Any, message: str
) -> None:
    answer = post(engine, f"TrentService.{operation}", parameters)
    assert (answer.status, answer.members) == (400, {"__type": "SerializationException", "message": message})


def test_an_empty_body_and_null_members_are_no_parameters(engine: Engine) -> None:
    assert post(engine, "TrentService.ListKeys", b"").status == 200
    assert post(engine, "TrentService.ListKeys", {"Limit": None, "Marker": None}).status == 200
