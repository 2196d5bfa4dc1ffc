from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

import kmslab.reports
from kmslab.reports import json_report

if TYPE_CHECKING:
    from kmslab.reports.report import Report

SCHEMA: dict[str, Any] = json.loads(
    Path(kmslab.reports.__file__).with_name("report.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_whole_document(mixed: Report) -> None:
    document = json.loads(json_report.render(mixed))
    results = document.pop("results")
    assert document == {
        "schema_version": 2,
        "kmslab_version": "0.1.0",
        "lab": {
            "target": "local",
            "endpoint": "https://127.0.0.1:4566",
            "region": "eu-central-1",
            "account": "123456789012",
            "prefix": "kms-lab",
        },
        "started": "2026-11-21T22:00:00+00:00",
        "seconds": 3.142,
        "failed": True,
        "counts": {"PASS": 1, "FAIL": 1, "ERROR": 1, "UNPROVABLE": 1},
        "capabilities": [],
        "matrix": None,
        "inventory": None,
        "unread": [],
    }
    assert results[1] == {
        "id": "keys.states",
        "title": "Claim of keys.states",
        "explanation": "Because.",
        "guide": "05-s3",
        "controls": ["KMS.4", "S3.17"],
        "needs": ["iam"],
        "outcome": "FAIL",
        "summary": "a disabled key still opens",
        "seconds": 0.25,
        "evidence": [
            {
                "persona": "data-reader",
                "action": "s3:GetObject",
                "resource": "bucket/key",
                "result": "AccessDenied",
                "detail": "",
            }
        ],
    }
    assert [one["outcome"] for one in results] == ["PASS", "FAIL", "ERROR", "UNPROVABLE"]


def test_keys_and_access_are_in_the_document(whole: Report) -> None:
    document = json.loads(json_report.render(whole))
    assert document["capabilities"] == ["grants", "iam"]
    assert document["matrix"]["principals"] == ["data-owner", "key-administrator", "outsider"]
    assert document["matrix"]["cells"][0] == {
        "principal": "data-owner",
        "key": "s3",
        "operation": "Decrypt",
        "route": "",
        "allowed": False,
        "reason": "nothing allows it",
        "observed": False,
    }
    assert document["inventory"]["keys"][0]["rotation_days"] == 180
    assert document["inventory"]["things"][0]["how"] == "SSE-KMS, Bucket Key"
    assert document["unread"] == [
        "iam:GetAccountAuthorizationDetails: AccessDenied",
        "sns:GetTopicAttributes: AuthorizationError",
    ]


@pytest.mark.parametrize("which", ["mixed", "whole", "hostile"])
def test_the_document_follows_the_published_schema(which: str, request: pytest.FixtureRequest) -> None:
    document = json.loads(json_report.render(request.getfixturevalue(which)))
    if which == "hostile":  # its check would be refused by its id alone
        document["results"][0]["id"] = "s3.attack"
    VALIDATOR.validate(document)


def test_the_schema_is_one_and_refuses_what_is_not_a_report(mixed: Report) -> None:
    VALIDATOR.check_schema(SCHEMA)
    document = json.loads(json_report.render(mixed))
    assert SCHEMA["properties"]["schema_version"] == {"const": json_report.SCHEMA_VERSION}
    broken: tuple[dict[str, Any], ...] = (
        {"schema_version": 1},
        {"counts": {"PASS": 1}},
        {"results": [{**document["results"][0], "outcome": "FINE"}]},
        {"matrix": {"principals": []}},
    )
    for wrong in broken:
        assert list(VALIDATOR.iter_errors({**document, **wrong})) != []


def test_the_schema_describes_every_field(whole: Report) -> None:
    assert _fields(json.loads(json_report.render(whole)), SCHEMA) == []


def test_hostile_text_survives_the_round_trip(hostile: Report) -> None:
    document = json.loads(json_report.render(hostile))
    assert document["results"][0]["summary"] == hostile.results[0].verdict.summary


def _fields(value: Any, schema: dict[str, Any], path: str = "$") -> list[str]:
    """Paths whose fields differ from what the schema requires and describes."""
    if isinstance(value, dict) and "properties" in schema:
        wrong = [path] if not set(value) == set(schema["properties"]) == set(schema["required"]) else []
        return wrong + [
            found
            for name, inner in value.items()
            for found in _fields(inner, schema["properties"].get(name, {}), f"{path}.{name}")
        ]
    if isinstance(value, list):
        return [found for inner in value for found in _fields(inner, schema["items"], f"{path}[]")]
    return []
