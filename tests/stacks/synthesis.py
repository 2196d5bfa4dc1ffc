"""Synthesizes the lab once for all tests: as it is by default, with every option, and with a fault in it.

``python -m tests.stacks.synthesis FOLDER`` does so into the folder; the tests' fixture runs it once for
all pytest workers. Its result is what the tests look at: templates and validation reports, as files.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aws_cdk import App, Stack, Validations
from aws_cdk import aws_kms as kms
from cdk_nag import AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks

from app import compose
from kmslab.model.settings import LabSettings

PROJECT = Path(__file__).parents[2]
EVERY_OPTION: dict[str, Any] = {
    "network": True,
    "instance": True,
    "global_key": True,
    "volume_count": 2,
    "operators": ["arn:aws:iam::111122223333:role/class-*"],
}
BOUNDARY = "kms-lab-boundary"
"""The boundary that ``bootstrap/least-privilege.yaml`` makes for the default prefix."""
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
"""When the tests' labs are synthesized: a time to live counts from it."""
PACKS = (AwsSolutionsChecks, NIST80053R5Checks, HIPAASecurityChecks, PCIDSS321Checks)


def context(**settings: Any) -> dict[str, Any]:
    """The context of ``cdk.json`` with other settings."""
    read: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return {**read, **{f"kmslab.{key}": value for key, value in settings.items()}}


def synthesize(folder: Path, *, faulty: bool = False, **settings: Any) -> None:
    """Write the cloud assembly and ``validation-report.json`` with cdk-nag's findings into a folder."""
    given = context(**settings)
    # The report is what the tests read; without this a finding would end the program before the next app.
    app = App(context={**given, "@aws-cdk/core:failSynthOnValidationErrors": False}, outdir=str(folder))
    compose(app, LabSettings.from_context(given), NOW)
    if faulty:
        kms.CfnKey(Stack(app, "faulty"), "NeverRotates", key_policy={"Version": "2012-10-17"})
    Validations.of(app).add_plugins(*(pack(app) for pack in PACKS))
    app.synth()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    synthesize(target / "default")
    synthesize(target / "every-option", **EVERY_OPTION)
    synthesize(target / "bounded", permissions_boundary=BOUNDARY, ttl_hours=8, **EVERY_OPTION)
    synthesize(target / "mortal", ttl_hours=8)
    synthesize(target / "faulty", faulty=True)
