from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kmslab.model.capability import Capability
from kmslab.model.inventory import Inventory, KeyFacts, Protected, Thing
from kmslab.model.matrix import AccessMatrix, Cell
from kmslab.model.persona import Persona
from kmslab.model.verdict import Call, Outcome, Verdict
from kmslab.reports.report import Report, Result

HOSTILE = """<script>alert("x")</script><img src=http://evil.example/a.png>&'"]]>\x07"""


def result(check_id: str, outcome: Outcome, summary: str = "seen", *, detail: str = "") -> Result:
    call = Call(Persona.DATA_READER, "s3:GetObject", "bucket/key", "AccessDenied", detail)
    return Result(
        id=check_id,
        title=f"Claim of {check_id}",
        explanation="Because.",
        guide="05-s3",
        controls=("KMS.4", "S3.17"),
        needs=("iam",),
        verdict=Verdict(outcome, summary, (call,), 0.25),
    )


def report(*results: Result) -> Report:
    return Report(
        version="0.1.0",
        target="local",
        endpoint="https://127.0.0.1:4566",
        region="eu-central-1",
        account="123456789012",
        prefix="kms-lab",
        started=datetime(2026, 11, 21, 22, 0, 0, tzinfo=UTC),
        seconds=3.14159,
        results=results,
    )


@pytest.fixture
def mixed() -> Report:
    """One check of each verdict, in two topics."""
    return report(
        result("keys.rotation", Outcome.PASS, "every 180 days"),
        result("keys.states", Outcome.FAIL, "a disabled key still opens"),
        result("s3.reader", Outcome.ERROR, "could not look: throttled"),
        result("s3.sse-c", Outcome.UNPROVABLE, "this target does not enforce sse-c-blocking"),
    )


@pytest.fixture
def hostile() -> Report:
    """Every text that comes from a target or a docstring is an attack."""
    call = Call(Persona.OPERATOR, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    attack = Result(
        "s3.attack",
        HOSTILE,
        HOSTILE,
        HOSTILE,
        (HOSTILE,),
        (HOSTILE,),
        Verdict(Outcome.FAIL, HOSTILE, (call,), 0.1),
    )
    hostile_key = replace(S3, name=HOSTILE, arn=HOSTILE, spec=HOSTILE, state=HOSTILE)
    return replace(
        report(attack),
        matrix=AccessMatrix(
            (HOSTILE,), (HOSTILE,), (Cell(HOSTILE, HOSTILE, HOSTILE, HOSTILE, allowed=True, reason=HOSTILE),)
        ),
        inventory=Inventory(
            (hostile_key,),
            (
                Protected(Thing.BUCKET, HOSTILE, HOSTILE, HOSTILE),
                Protected(Thing.BUCKET, HOSTILE, "?", HOSTILE),
            ),
            (HOSTILE,),
        ),
        unread=(HOSTILE,),
    )


def key(name: str, **facts: Any) -> KeyFacts:
    """An enabled symmetric key that rotates yearly, unless told otherwise."""
    symmetric: dict[str, Any] = {
        "arn": f"arn:aws:kms:eu-central-1:123456789012:key/{name}",
        "aliases": (f"alias/kms-lab/{name}",),
        "spec": "SYMMETRIC_DEFAULT",
        "usage": "ENCRYPT_DECRYPT",
        "origin": "AWS_KMS",
        "state": "Enabled",
        "rotation_days": 365,
        "multi_region": False,
    }
    return KeyFacts(name=name, **{**symmetric, **facts})


S3, APP = key("s3", rotation_days=180), key("app")
IMPORTED = key("imported", origin="EXTERNAL", state="PendingImport", rotation_days=None)
INVENTORY = Inventory(
    keys=(S3, APP, IMPORTED),
    things=(
        Protected(Thing.BUCKET, "kms-lab-data", S3.arn, "SSE-KMS, Bucket Key"),
        Protected(Thing.BUCKET, "kms-lab-managed", "alias/aws/s3", "SSE-KMS"),
        Protected(Thing.BUCKET, "kms-lab-logs", "", "SSE-S3"),
        Protected(Thing.VOLUME, "vol-1", "", "not encrypted"),
    ),
    unread=("sns:GetTopicAttributes: AuthorizationError",),
)
MATRIX = AccessMatrix(
    principals=("data-owner", "key-administrator", "outsider"),
    keys=("s3", "app"),
    cells=(
        Cell("data-owner", "s3", "Decrypt", "", allowed=False, reason="nothing allows it", observed=False),
        Cell(
            "data-owner", "s3", "Decrypt", "s3", allowed=True, reason="UseThroughS3 allows it", observed=True
        ),
        Cell(
            "data-owner", "app", "Decrypt", "", allowed=True, reason="UseByTheOwner allows it", observed=False
        ),
        Cell("data-owner", "app", "Encrypt", "", allowed=True, reason="UseByTheOwner allows it"),
        Cell("data-owner", "app", "CreateGrant", "", allowed=True, reason="OwnerMayGrant allows it"),
        Cell("key-administrator", "app", "DescribeKey", "", allowed=True, reason="Administration allows it"),
        Cell("key-administrator", "app", "DisableKey", "", allowed=True, reason="Administration allows it"),
        Cell("key-administrator", "s3", "DescribeKey", "", allowed=True, reason="Administration allows it"),
        Cell("outsider", "s3", "Decrypt", "", allowed=False, reason="nothing allows it"),
    ),
)


@pytest.fixture
def whole(mixed: Report) -> Report:
    """A report with everything in it."""
    return replace(
        mixed,
        capabilities=frozenset({Capability.IAM, Capability.GRANTS}),
        matrix=MATRIX,
        inventory=INVENTORY,
        unread=("iam:GetAccountAuthorizationDetails: AccessDenied",),
    )
