"""Findings that the library accepts, and that say what the report says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from kmslab.model.verdict import Outcome, Verdict
from kmslab.reports import ocsf
from tests.reports.conftest import report, result

if TYPE_CHECKING:
    from kmslab.reports.report import Report


def findings(of: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ocsf.render(of))
    return found


@pytest.mark.parametrize("which", ["mixed", "whole", "hostile"])
def test_the_library_reads_every_finding_and_loses_nothing(
    which: str, request: pytest.FixtureRequest
) -> None:
    for finding in findings(request.getfixturevalue(which)):
        read = ComplianceFinding.model_validate(finding)
        assert json.loads(read.model_dump_json(exclude_none=True)) == finding


def test_a_check_is_one_compliance_finding(mixed: Report) -> None:
    found = findings(mixed)
    assert [one["metadata"]["event_code"] for one in found] == [one.id for one in mixed.results]
    failed = found[1]
    assert (failed["class_uid"], failed["category_uid"], failed["type_uid"], failed["activity_id"]) == (
        2003,
        2,
        200301,
        1,
    )
    assert failed["time"] == 1795298400000  # milliseconds since 1970
    assert failed["finding_info"]["uid"] == "kmslab:123456789012:eu-central-1:kms-lab:keys.states"
    assert failed["compliance"]["requirements"] == ["KMS.4", "S3.17"]
    assert failed["compliance"]["standards"] == ["AWS Security Hub CSPM"]
    assert failed["remediation"]["desc"] == "Because. Guide 05-s3 shows how it is meant to be."
    assert failed["resources"] == [
        {
            "uid": "bucket/key",
            "name": "key",
            "type": "s3",
            "group": {"name": "s3"},
            "region": "eu-central-1",
            "cloud_partition": "aws",
            "labels": ["account:123456789012", "lab:kms-lab"],
        }
    ]
    assert failed["evidences"][0]["data"]["result"] == "AccessDenied"
    assert failed["status_detail"] == "a disabled key still opens"


def test_what_was_not_observed_is_a_warning_and_never_a_pass(mixed: Report) -> None:
    said = {
        one["status_code"]: (
            one["compliance"]["status_id"],
            one["compliance"]["checks"][0]["status"],
            one["severity"],
        )
        for one in findings(mixed)
    }
    assert said == {
        "PASS": (1, "Pass", "Informational"),
        "FAIL": (3, "Fail", "High"),
        "ERROR": (2, "Warning", "Unknown"),
        "UNPROVABLE": (2, "Warning", "Unknown"),
    }


def test_a_finding_without_controls_and_calls_is_about_the_account() -> None:
    bare = replace(
        result("a.b", Outcome.PASS), controls=(), explanation="", verdict=Verdict(Outcome.PASS, "seen")
    )
    (found,) = findings(replace(report(bare), region="cn-north-1"))
    assert found["compliance"]["standards"] == ["KMS Lab"]
    assert found["resources"][0]["uid"] == "arn:aws-cn:iam::123456789012:root"
    assert found["finding_info"]["desc"] == "Claim of a.b"
