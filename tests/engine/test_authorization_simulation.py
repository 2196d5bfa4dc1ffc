"""IAM's policy simulator: it decides by the context that it is given, and within the boundary."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy

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


def matched(answer: Any) -> list[list[str]]:
    return [[one["SourcePolicyId"] for one in r["MatchedStatements"]] for r in answer["EvaluationResults"]]


def test_the_policies_that_decided_are_named(engine: Engine) -> None:
    answer = engine.client("iam").simulate_custom_policy(
        PolicyInputList=[
            json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in (WITHOUT_MFA, LIST_KEYS)
        ],
        ActionNames=["kms:ListKeys", "kms:CreateKey"],
        ContextEntries=[{"ContextKeyName": MFA, "ContextKeyValues": ["true"], "ContextKeyType": "boolean"}],
    )
    assert decisions(answer) == {("kms:ListKeys", "*"): "allowed", ("kms:CreateKey", "*"): "implicitDeny"}
    assert matched(answer) == [["PolicyInputList.2"], []]


def test_a_custom_boundary_and_a_resource_policy_count(engine: Engine) -> None:
    bucket, caller = "arn:aws:s3:::one", f"arn:aws:iam::{engine.account}:user/somebody"

    def text(**elements: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": {"Action": "s3:*", **elements}})

    def simulated(effect: str, limit: str = "s3:*") -> str:
        written = text(Effect=effect, Principal={"AWS": caller}, Resource="*")
        answer = engine.client("iam").simulate_custom_policy(
            PolicyInputList=[text(Effect="Allow", Resource="*")],
            PermissionsBoundaryPolicyInputList=[text(Effect="Allow", Action=limit, Resource="*")],
            CallerArn=caller,
            ActionNames=["s3:GetObject"],
            ResourceArns=[bucket],
            **({"ResourcePolicy": written} if effect else {}),
        )
        return decisions(answer)["s3:GetObject", bucket]

    assert simulated("Allow") == "allowed"
    assert simulated("Deny") == "explicitDeny"
    assert simulated("", limit="ec2:*") == "implicitDeny"
    # The resource policy names the user, whom a boundary does not limit there.
    assert simulated("Allow", limit="ec2:*") == "allowed"


def test_a_principals_policies_are_called_by_their_names(engine: Engine) -> None:
    """AWS CLI, example of ``simulate-principal-policy``."""
    iam, user = engine.client("iam"), engine.user(allow("kms:ListKeys"))
    name = f"group-{user.name}"
    iam.create_group(GroupName=name)
    iam.put_group_policy(
        GroupName=name, PolicyName="of-the-group", PolicyDocument=policy(allow("kms:ListAliases"))
    )
    iam.add_user_to_group(GroupName=name, UserName=user.name)
    iam.attach_user_policy(UserName=user.name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    answer = iam.simulate_principal_policy(
        PolicySourceArn=user.arn, ActionNames=["kms:ListKeys", "kms:ListAliases", "kms:Decrypt"]
    )
    assert [sorted(found) for found in matched(answer)] == [
        ["ReadOnlyAccess", "identity"],
        ["ReadOnlyAccess", "of-the-group"],
        [],
    ]
    role = engine.role(allow("kms:ListKeys"))
    answer = iam.simulate_principal_policy(PolicySourceArn=role.arn, ActionNames=["kms:ListKeys"])
    assert matched(answer) == [["identity"]]
