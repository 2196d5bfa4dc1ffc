from __future__ import annotations

import json
from typing import Any

import pytest

from kmslab.engine.cloudtrail.entry import Entry

KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
RECORD: dict[str, Any] = {
    "eventID": "id-1",
    "eventName": "Decrypt",
    "eventSource": "kms.amazonaws.com",
    "readOnly": True,
    "userIdentity": {"accessKeyId": "ASIA1", "arn": "arn:aws:sts::111122223333:assumed-role/a/b"},
    "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}],
    "requestParameters": {"encryptionContext": {"naïve": "Ω" * 200}},
}


def test_an_event_is_shown_as_it_was_recorded() -> None:
    shown = Entry.of(RECORD, "b", 1.5).shown()
    assert json.loads(shown.pop("CloudTrailEvent")) == RECORD
    assert shown == {
        "EventId": "id-1",
        "EventName": "Decrypt",
        "EventSource": "kms.amazonaws.com",
        "EventTime": 1.5,
        "AccessKeyId": "ASIA1",
        "Username": "b",
        "ReadOnly": "true",
        "Resources": [{"ResourceType": "AWS::KMS::Key", "ResourceName": KEY}],
    }


@pytest.mark.parametrize(
    ("attribute", "value", "there"),
    [
        ("EventName", "Decrypt", True),
        ("EventName", "Encrypt", False),
        ("ReadOnly", "true", True),
        ("ReadOnly", "false", False),
        ("Username", "b", True),
        ("AccessKeyId", "ASIA2", False),
        ("ResourceName", KEY, True),
        ("ResourceName", "AWS::KMS::Key", False),
        ("ResourceType", "AWS::KMS::Key", True),
        ("ResourceType", KEY, False),
    ],
)
def test_an_event_is_found_by_what_it_has(attribute: str, value: str, *, there: bool) -> None:
    assert Entry.of(RECORD, "b", 1.5).has(attribute, value) is there


def test_a_record_is_kept_smaller_than_it_is() -> None:
    entry = Entry.of(RECORD, "b", 1.5)
    assert len(entry.packed) < len(json.dumps(RECORD)) / 2
    assert not hasattr(entry, "__dict__")


def test_an_event_without_an_access_key_has_none() -> None:
    by_a_service = {**RECORD, "readOnly": False, "userIdentity": {"invokedBy": "s3.amazonaws.com"}}
    shown = Entry.of(by_a_service, "", 1.5).shown()
    assert (shown["AccessKeyId"], shown["ReadOnly"]) == ("", "false")
