"""The report for programs; its shape is in ``report.schema.json`` and has a version of its own.

Fields are added without a new version; one that is renamed, removed or means something else makes one.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmslab.model.inventory import Inventory
    from kmslab.model.matrix import AccessMatrix
    from kmslab.reports.report import Report, Result

SCHEMA_VERSION = 2
"""Version of the shape; ``report.schema.json`` says the same."""


def render(report: Report) -> str:
    """Return the report as JSON text, two spaces deep, ending with a newline."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "kmslab_version": report.version,
        "lab": {
            "target": report.target,
            "endpoint": report.endpoint,
            "region": report.region,
            "account": report.account,
            "prefix": report.prefix,
        },
        "started": report.started.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
        "failed": report.failed,
        "counts": {str(outcome): count for outcome, count in report.counts.items()},
        "capabilities": sorted(report.capabilities),
        "results": [_result(result) for result in report.results],
        "matrix": _matrix(report.matrix) if report.matrix else None,
        "inventory": _inventory(report.inventory) if report.inventory else None,
        "unread": [*report.unread, *(report.inventory.unread if report.inventory else ())],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(result: Result) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "id": result.id,
        "title": result.title,
        "explanation": result.explanation,
        "guide": result.guide,
        "controls": list(result.controls),
        "needs": list(result.needs),
        "outcome": str(verdict.outcome),
        "summary": verdict.summary,
        "seconds": round(verdict.seconds, 3),
        "evidence": [asdict(call) for call in verdict.evidence],
    }


def _matrix(matrix: AccessMatrix) -> dict[str, Any]:
    return {
        "principals": list(matrix.principals),
        "keys": list(matrix.keys),
        "cells": [asdict(cell) for cell in matrix.cells],
    }


def _inventory(inventory: Inventory) -> dict[str, Any]:
    return {
        "keys": [asdict(key) for key in inventory.keys],
        "things": [asdict(thing) for thing in inventory.things],
    }
