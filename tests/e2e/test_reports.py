"""The reports of a deployed lab: what the target's API says is in them, and two runs can be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

import kmslab.reports
from kmslab.checks.catalogue import catalogue

if TYPE_CHECKING:
    from tests.conftest import DeployedLab

SCHEMA = json.loads(Path(kmslab.reports.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(deployed_lab: DeployedLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over one topic, in every format that is a file."""
    where = tmp_path_factory.mktemp("reports")
    done = deployed_lab.kmslab(
        "verify", "--only", "mac", "--format", "json,html,ocsf", "--output", str(where)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return where


@pytest.fixture(scope="module")
def document(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return read


def test_the_report_of_a_real_run_follows_the_schema(document: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA).validate(document)
    assert document["unread"] == []


def test_the_inventory_is_what_is_deployed(document: dict[str, Any]) -> None:
    keys = {key["name"]: key for key in document["inventory"]["keys"]}
    assert set(keys) >= {"s3", "ebs", "secrets", "trail", "app", "imported", "signing", "rsa", "mac", "pq"}
    assert keys["s3"]["rotation_days"] == 180
    assert keys["mac"]["spec"] == "HMAC_256"
    arns = {key["arn"]: name for name, key in keys.items()}
    under = {
        (thing["kind"], arns.get(thing["key"], thing["key"])) for thing in document["inventory"]["things"]
    }
    assert under == {
        ("bucket", "s3"),
        ("bucket", "alias/aws/s3"),
        ("bucket", ""),
        ("bucket", "trail"),
        ("volume", "ebs"),
        ("secret", "secrets"),
        ("parameter", "secrets"),
        ("trail", "trail"),
        ("topic", "trail"),
    }


def test_the_matrix_tells_the_personas_apart(document: dict[str, Any]) -> None:
    allowed = {
        (cell["principal"], cell["key"], cell["operation"], cell["route"])
        for cell in document["matrix"]["cells"]
        if cell["allowed"]
    }
    assert ("data-owner", "s3", "Decrypt", "s3") in allowed
    assert ("data-owner", "s3", "Decrypt", "") not in allowed
    assert ("signer", "signing", "Sign", "") in allowed
    assert not [one for one in allowed if one[0] == "outsider"]


def test_the_page_of_a_real_run_is_small(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert '<svg class="picture"' in page
    assert '<table class="matrix">' in page
    assert len(page) < 500_000


def test_every_finding_is_read_by_the_library(folder: Path) -> None:
    findings = json.loads((folder / "report.ocsf.json").read_text(encoding="utf-8"))
    read = [ComplianceFinding.model_validate(finding) for finding in findings]
    assert [finding.metadata.event_code for finding in read] == [check.id for check in catalogue(["mac"])]


def test_a_run_compared_with_itself_got_no_worse(deployed_lab: DeployedLab, folder: Path) -> None:
    report = str(folder / "report.json")
    done = deployed_lab.kmslab("diff", report, report)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Nothing got worse.")
