from __future__ import annotations

from datetime import UTC, datetime

import pytest

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
        guide="04-s3",
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
    return report(attack)
