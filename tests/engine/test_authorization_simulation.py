"""IAM's policy simulator: it decides by the context that it is given, and within the boundary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

MFA = "aws:MultiFactorAuthPresent"
LIST_KEYS = {"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}
WITHOUT_MFA = {
    "Effect": "Deny",
    "Action": "*",
    "Resource": "*",
    "Condition": {"BoolIfExists": {MFA: "false"}},
}


def decisions(answer: Any) -> dict[tuple[str, str], str]:
    return {
        (r["EvalActionName"], r["EvalResourceName"]): r["EvalDecision"] for r in answer["EvaluationResults"]
    }


@pytest.mark.parametrize(("present", "decision"), [("true", "allowed"), ("false", "explicitDeny")])
def test_a_custom_policy_is_judged_in_the_given_context(engine: Engine, present: str, decision: str) -> None:
    answer = engine.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps({"Version": "2012-10-17", "Statement": [LIST_KEYS, WITHOUT_MFA]})],
        ActionNames=["kms:ListKeys"],
        ContextEntries=[{"ContextKeyName": MFA, "ContextKeyValues": [present], "ContextKeyType": "boolean"}],
    )
    assert decisions(answer) == {("kms:ListKeys", "*"): decision}


def test_a_missing_context_key_fulfils_if_exists(engine: Engine) -> None:
    answer = engine.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps({"Version": "2012-10-17", "Statement": [LIST_KEYS, WITHOUT_MFA]})],
        ActionNames=["kms:ListKeys"],
    )
    assert decisions(answer) == {("kms:ListKeys", "*"): "explicitDeny"}


def test_a_principal_is_judged_within_its_boundary_on_each_resource(engine: Engine) -> None:
    bucket = "arn:aws:s3:::one"
    role = engine.role(
        {"Effect": "Allow", "Action": ["kms:ListKeys", "s3:*"], "Resource": "*"},
        boundary=[{"Effect": "Allow", "Action": "s3:*", "Resource": bucket}],
    )
    answer = engine.client("iam").simulate_principal_policy(
        PolicySourceArn=role.arn,
        ActionNames=["s3:ListBucket", "kms:ListKeys", "ec2:DescribeVolumes"],
        ResourceArns=[bucket, "arn:aws:s3:::two"],
    )
    found = decisions(answer)
    assert found.pop(("s3:ListBucket", bucket)) == "allowed"
    assert set(found.values()) == {"implicitDeny"}
    assert len(found) == 5
