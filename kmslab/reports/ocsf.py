"""The report for Security Hub and SIEMs: OCSF Compliance Findings (class 2003), one for each check.

What a field may hold is decided by ``py-ocsf-models``, which follows https://schema.ocsf.io. A check that
could not look, or whose target does not enforce what it needs, is a Warning: no result, never a Pass.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from py_ocsf_models.events.findings.activity_id import ActivityID
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.events.findings.compliance_finding_type_id import ComplianceFindingTypeID
from py_ocsf_models.events.findings.severity_id import SeverityID
from py_ocsf_models.events.findings.status_id import StatusID
from py_ocsf_models.objects.analytic import Analytic
from py_ocsf_models.objects.check import Check
from py_ocsf_models.objects.compliance import Compliance
from py_ocsf_models.objects.compliance_status import StatusID as ComplianceStatus
from py_ocsf_models.objects.evidence_artifacts import EvidenceArtifacts
from py_ocsf_models.objects.finding_info import FindingInformation
from py_ocsf_models.objects.group import Group
from py_ocsf_models.objects.metadata import Metadata
from py_ocsf_models.objects.product import Product
from py_ocsf_models.objects.remediation import Remediation
from py_ocsf_models.objects.resource_details import ResourceDetails

from kmslab.model.controls import controls
from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from kmslab.reports.report import Report, Result

STATUS = {
    Outcome.PASS: ComplianceStatus.Pass,
    Outcome.FAIL: ComplianceStatus.Fail,
    Outcome.ERROR: ComplianceStatus.Warning,
    Outcome.UNPROVABLE: ComplianceStatus.Warning,
}
SEVERITY = {
    Outcome.PASS: SeverityID.Informational,
    Outcome.FAIL: SeverityID.High,
    Outcome.ERROR: SeverityID.Unknown,
    Outcome.UNPROVABLE: SeverityID.Unknown,
}
RULE = 1
"""OCSF's analytic type for a rule."""


def render(report: Report) -> str:
    """Return the findings as a JSON array, as Security Hub's and prowler's readers take it."""
    findings = [
        _finding(report, result).model_dump(mode="json", exclude_none=True) for result in report.results
    ]
    return json.dumps(findings, indent=2, ensure_ascii=False) + "\n"


def _finding(report: Report, result: Result) -> ComplianceFinding:
    verdict = result.verdict
    milliseconds = int(report.started.timestamp() * 1000)
    status, severity = STATUS[verdict.outcome], SEVERITY[verdict.outcome]
    return ComplianceFinding(
        activity_id=ActivityID.Create,
        activity_name=ActivityID.Create.name,
        type_uid=ComplianceFindingTypeID.Create,
        type_name=f"Compliance Finding: {ComplianceFindingTypeID.Create.name}",
        time=milliseconds,
        time_dt=report.started,
        severity_id=severity,
        severity=severity.name,
        status_id=StatusID.New,
        status=StatusID.New.name,
        status_code=str(verdict.outcome),
        status_detail=verdict.summary,
        message=f"{result.title} {verdict.summary}",
        metadata=Metadata(
            event_code=result.id,
            product=Product(name="KMS Lab", vendor_name="KMS Lab", version=report.version),
            profiles=["cloud", "datetime"],
        ),
        finding_info=FindingInformation(
            uid=f"kmslab:{report.account}:{report.region}:{report.prefix}:{result.id}",
            title=result.title,
            desc=result.explanation or result.title,
            types=["Encryption"],
            created_time=milliseconds,
            created_time_dt=report.started,
            analytic=Analytic(
                name=result.id, uid=result.id, type="Rule", type_id=RULE, version=report.version
            ),
        ),
        compliance=_compliance(result, status),
        remediation=Remediation(
            desc=f"{result.explanation} Guide {result.guide} shows how it is meant to be.".strip(),
            references=[f"lab_guides/{result.guide}.md"],
        ),
        resources=_resources(report, result),
        evidences=[EvidenceArtifacts(name=call.action, data=asdict(call)) for call in verdict.evidence],
        unmapped={
            "target": report.target,
            "endpoint": report.endpoint,
            "lab": report.prefix,
            "seconds": round(verdict.seconds, 3),
            "needs": list(result.needs),
        },
    )


def _compliance(result: Result, status: ComplianceStatus) -> Compliance:
    named = [controls()[control] for control in result.controls if control in controls()]
    standards = list(dict.fromkeys(str(control.framework) for control in named)) or ["KMS Lab"]
    return Compliance(
        control=result.id,
        desc=result.title,
        requirements=list(result.controls),
        standards=standards,
        status_id=status,
        checks=[
            Check(
                uid=result.id,
                name=result.title,
                desc=result.explanation or None,
                standards=standards,
                status=status.name,
                status_id=status,
            )
        ],
    )


def _resources(report: Report, result: Result) -> list[ResourceDetails]:
    """What the calls were about, each once; the account where they named nothing."""
    named = {
        call.resource: call.action.partition(":")[0] for call in result.verdict.evidence if call.resource
    }
    partition = _partition(report)
    labels = [f"account:{report.account}", f"lab:{report.prefix}"]
    return [
        ResourceDetails(
            uid=resource,
            name=resource.rpartition("/")[2],
            type=service,
            group=Group(name=service),
            region=report.region,
            cloud_partition=partition,
            labels=labels,
        )
        for resource, service in (named or {f"arn:{partition}:iam::{report.account}:root": "account"}).items()
    ]


def _partition(report: Report) -> str:
    """The partition of a Region, as its name tells."""
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for prefix, name in prefixes.items() if report.region.startswith(prefix)), "aws")
