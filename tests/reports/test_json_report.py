from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kmslab.reports
from kmslab.reports import json_report

if TYPE_CHECKING:
    from kmslab.reports.report import Report

SCHEMA = Path(kmslab.reports.__file__).with_name("report.schema.json")


def test_the_whole_document(mixed: Report) -> None:
    document = json.loads(json_report.render(mixed))
    results = document.pop("results")
    assert document == {
        "schema_version": 1,
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
    }
    assert results[1] == {
        "id": "keys.states",
        "title": "Claim of keys.states",
        "explanation": "Because.",
        "guide": "04-s3",
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


def test_the_schema_file_describes_exactly_what_is_written(mixed: Report) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema["properties"]["schema_version"] == {"const": json_report.SCHEMA_VERSION}
    assert _fields(json.loads(json_report.render(mixed)), schema) == []


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
    if "enum" in schema:
        return [] if value in schema["enum"] else [path]
    kinds = {"string": str, "number": int | float, "integer": int, "boolean": bool}
    return [] if isinstance(value, kinds.get(schema.get("type", ""), object)) else [path]
