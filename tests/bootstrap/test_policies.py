"""The least-privilege bootstrap, judged by an evaluator that is not ours: what it allows, and what not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.outputs import LabStack
from kmslab.model.settings import LabSettings
from stacks.identity import boundary
from tests.bootstrap.handlers import (
    EC2,
    IAM,
    KEY,
    KMS,
    NEW_TAG,
    NOT_NEEDED,
    NOT_NEEDED_BY,
    TAG,
    calls,
    permissions,
)
from tests.bootstrap.policies import (
    ACCOUNT,
    BOUNDARY,
    LONGEST,
    PARAMETERS,
    PREFIX,
    REGION,
    ROLE,
    Policies,
    filled,
    template,
)

if TYPE_CHECKING:
    from tests.bootstrap.handlers import Call
    from tests.stacks.template import Assembly

MANAGED_POLICY_CHARACTERS = 6144
"""Without whitespace (IAM User Guide, "IAM and AWS STS quotas")."""
POLICIES_OF_A_ROLE = 10
"""Managed policies attached to a role, by default (same page)."""
BOUNDED = {"iam:PermissionsBoundary": BOUNDARY}
OTHERS_TAG = {"aws:ResourceTag/kmslab:prefix": "another-lab"}
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"


def every_call(lab: Assembly) -> list[Call]:
    return [
        call
        for stack in lab.stacks()
        for name, resource in lab.template(stack)["Resources"].items()
        if not resource["Type"].startswith("Custom::")
        for call in calls(stack, name, resource)
    ]


def test_every_policy_fits_into_a_managed_policy_and_all_into_a_role() -> None:
    documents = Policies.read(LONGEST).documents
    lengths = {name: len(json.dumps(one, separators=(",", ":"))) for name, one in documents.items()}
    assert {name for name, length in lengths.items() if length > MANAGED_POLICY_CHARACTERS} == set()
    assert len(documents) - 1 <= POLICIES_OF_A_ROLE


def test_the_template_makes_managed_policies_and_nothing_else() -> None:
    assert {one["Type"] for one in template()["Resources"].values()} == {"AWS::IAM::ManagedPolicy"}


def test_every_execution_policy_is_among_those_to_bootstrap_with() -> None:
    _, listed = template()["Outputs"]["ExecutionPolicies"]["Value"]["Fn::Join"]
    assert {one["Ref"] for one in listed} == set(template()["Resources"]) - {"Boundary"}


def test_the_boundary_is_the_one_that_the_lab_makes_itself(policies: Policies) -> None:
    """Statement by statement; but CloudFormation's role may write what its own policies name."""
    written = [
        filled(one, PARAMETERS) for one in boundary(LabSettings(permissions_boundary=f"{PREFIX}-boundary"))
    ]
    assert written[-1]["Sid"] == "NoCredentialsOfOthers"
    execution_roles = f"{IAM}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-*"
    written[-1]["Condition"] = {"ArnNotLike": {"aws:PrincipalArn": execution_roles}}
    assert policies.boundary["Statement"] == written


def test_every_statement(policies: Policies, snapshot: Any) -> None:
    assert {name: one["Statement"] for name, one in policies.documents.items()} == snapshot


def test_every_call_of_the_handlers_is_allowed(policies: Policies, bounded: Assembly) -> None:
    asked = every_call(bounded)
    refused = {
        f"{call.kind}: {call.action} on {call.resource} with {dict(call.keys)}"
        for call in asked
        if not policies.decides(call.action, call.resource, call.keys)
    }
    assert refused == set()
    assert {call.kind for call in asked} == {
        one["Type"]
        for stack in LabStack
        for one in bounded.template(stack)["Resources"].values()
        if not one["Type"].startswith("Custom::")
    }


def test_what_is_said_to_be_unneeded_is_refused_and_still_asked_for(
    policies: Policies, bounded: Assembly
) -> None:
    """A reason that has lost its permission goes; so does one for what is allowed after all."""
    kinds = {call.kind for call in every_call(bounded)}
    asked = {kind: {one for handler in permissions(kind).values() for one in handler} for kind in kinds}
    assert set(NOT_NEEDED) <= set().union(*asked.values())
    assert {pair for pair in NOT_NEEDED_BY if pair[1] not in asked.get(pair[0], ())} == set()
    own_bucket = f"arn:aws:s3:::{PREFIX}-storage-data"
    anything = {"s3": own_bucket, "iam": f"{IAM}:role/{PREFIX}-data-owner", "ec2": f"{EC2}:volume/vol-0a1b"}
    allowed = {
        action
        for action in NOT_NEEDED
        if policies.decides(action, anything.get(action.partition(":")[0], "*"), {**BOUNDED, **TAG})
    }
    assert allowed == set()


def test_the_custom_resources_are_called(policies: Policies) -> None:
    """Not in any schema: CloudFormation invokes the function of a custom resource as its role."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{PREFIX}-storage-CustomS3AutoDelete-1A2B"
    assert policies.decides("lambda:InvokeFunction", function)


def test_secrets_are_made_under_the_key_through_secrets_manager(policies: Policies) -> None:
    """Not in any schema: Secrets Manager asks KMS with the permissions of the role."""
    via = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        assert policies.decides(action, KEY, via)


REFUSED: list[tuple[str, str, dict[str, str]]] = [
    # Keys: no use, no way round the key policies, no key of others.
    ("kms:Decrypt", KEY, TAG),
    ("kms:Encrypt", KEY, TAG),
    ("kms:GenerateDataKey", KEY, TAG),
    ("kms:Decrypt", KEY, {**TAG, "kms:ViaService": f"s3.{REGION}.amazonaws.com"}),
    ("kms:Sign", KEY, TAG),
    ("kms:CreateGrant", KEY, TAG),
    ("kms:CreateGrant", KEY, {**TAG, "kms:ViaService": f"ec2.{REGION}.amazonaws.com"}),
    ("kms:ReplicateKey", KEY, TAG),
    ("kms:ImportKeyMaterial", KEY, TAG),
    ("kms:DeleteImportedKeyMaterial", KEY, TAG),
    ("kms:CreateKey", "*", {}),
    ("kms:CreateKey", "*", {"aws:RequestTag/kmslab:prefix": "another-lab"}),
    ("kms:CreateKey", "*", {**NEW_TAG, "kms:BypassPolicyLockoutSafetyCheck": "true"}),
    ("kms:TagResource", KEY, {**NEW_TAG, **OTHERS_TAG}),
    ("kms:TagResource", KEY, {}),
    *[
        (f"kms:{action}", KEY, tags)
        for action in (
            *("CancelKeyDeletion", "DisableKey", "DisableKeyRotation", "EnableKey", "PutKeyPolicy"),
            *("ScheduleKeyDeletion", "UntagResource", "UpdateKeyDescription"),
        )
        for tags in ({}, OTHERS_TAG)
    ],
    ("kms:CreateAlias", f"{KMS}:alias/others/app", {}),
    ("kms:DeleteAlias", f"{KMS}:alias/others/app", {}),
    # IAM: nobody without the boundary, nobody else's, no other path.
    ("iam:CreateRole", f"{IAM}:role/{PREFIX}-data-owner", {}),
    ("iam:CreateRole", f"{IAM}:role/{PREFIX}-data-owner", {"iam:PermissionsBoundary": f"{IAM}:policy/other"}),
    ("iam:CreateRole", f"{IAM}:role/Admin", BOUNDED),
    ("iam:CreateRole", f"{IAM}:role/team/{PREFIX}-data-owner", BOUNDED),
    ("iam:CreateUser", f"{IAM}:user/kenya-one", {}),
    ("iam:CreateUser", f"{IAM}:user/mallory", BOUNDED),
    ("iam:PutRolePolicy", f"{IAM}:role/{PREFIX}-data-owner", {}),
    ("iam:PutRolePolicy", ROLE, BOUNDED),
    (
        "iam:AttachRolePolicy",
        f"{IAM}:role/{PREFIX}-data-owner",
        {**BOUNDED, "iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"},
    ),
    ("iam:AttachRolePolicy", ROLE, {**BOUNDED, "iam:PolicyARN": f"{IAM}:policy/{PREFIX}-identity-1"}),
    ("iam:PutRolePermissionsBoundary", ROLE, BOUNDED),
    ("iam:DeleteRolePermissionsBoundary", ROLE, BOUNDED),
    ("iam:DeleteRolePermissionsBoundary", f"{IAM}:role/{PREFIX}-data-owner", BOUNDED),
    ("iam:DeleteUserPermissionsBoundary", f"{IAM}:user/kenya-one", BOUNDED),
    ("iam:UpdateAssumeRolePolicy", ROLE, BOUNDED),
    ("iam:CreateAccessKey", f"{IAM}:user/kenya-one", BOUNDED),
    ("iam:CreateLoginProfile", f"{IAM}:user/mallory", {}),
    ("iam:AddUserToGroup", f"{IAM}:group/Admins", {}),
    ("iam:PutGroupPolicy", f"{IAM}:group/{PREFIX}-identity-Administrators-1", {}),
    ("iam:AttachUserPolicy", f"{IAM}:user/kenya-one", BOUNDED),
    ("iam:CreatePolicyVersion", BOUNDARY, {}),
    ("iam:DeletePolicy", BOUNDARY, {}),
    ("iam:CreatePolicyVersion", f"{IAM}:policy/{PREFIX}-execution-identity", {}),
    ("iam:CreatePolicy", f"{IAM}:policy/other", {}),
    ("iam:SetDefaultPolicyVersion", f"{IAM}:policy/{PREFIX}-identity-RequireMfa-1", {}),
    ("iam:PassRole", f"{IAM}:role/{PREFIX}-storage-1", {"iam:PassedToService": "ec2.amazonaws.com"}),
    ("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    ("iam:CreateServiceLinkedRole", f"{IAM}:role/aws-service-role/x", {}),
    ("sts:AssumeRole", f"{IAM}:role/{PREFIX}-data-owner", {}),
    # What is stored: settings of the lab's own things, and no content.
    ("s3:GetObject", f"arn:aws:s3:::{PREFIX}-storage-data/secret.txt", {}),
    ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-storage-data/secret.txt", {}),
    ("s3:PutObject", f"arn:aws:s3:::cdk-hnb659fds-assets-{ACCOUNT}-{REGION}/code.zip", {}),
    ("s3:PutBucketPolicy", "arn:aws:s3:::others-data", {}),
    ("s3:DeleteBucket", "arn:aws:s3:::others-data", {}),
    ("secretsmanager:GetSecretValue", f"{SECRET}:App-1A2B-a1b2c3", {}),
    ("secretsmanager:GetSecretValue", f"{SECRET}:App-1A2B-a1b2c3", OTHERS_TAG),
    ("secretsmanager:GetSecretValue", f"{SECRET}:production-a1b2c3", TAG),
    ("secretsmanager:TagResource", f"{SECRET}:production-a1b2c3", NEW_TAG),
    # The rest of the account.
    ("cloudtrail:StopLogging", f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/organization", {}),
    ("cloudtrail:DeleteTrail", f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/organization", {}),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payroll", {}),
    ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payroll", {}),
    ("ec2:DeleteVolume", f"{EC2}:volume/vol-0a1b", {}),
    ("ec2:TerminateInstances", f"{EC2}:instance/i-0a1b", OTHERS_TAG),
    ("ec2:CreateVolume", f"{EC2}:volume/*", {}),
    ("ec2:CreateTags", f"{EC2}:volume/vol-0a1b", NEW_TAG),
    ("ec2:RunInstances", f"{EC2}:instance/*", {**NEW_TAG, "ec2:InstanceType": "p5.48xlarge"}),
    ("ec2:DisableEbsEncryptionByDefault", "*", {}),
    ("sns:Subscribe", f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-alarms", {}),
    ("ssm:GetParameters", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{PREFIX}/secure-string", {}),
    ("cloudformation:CreateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/other/1", {}),
    ("organizations:LeaveOrganization", "*", {}),
    ("account:CloseAccount", "*", {}),
]


@pytest.mark.parametrize(("action", "resource", "keys"), REFUSED)
def test_what_the_lab_does_not_need_is_refused(
    policies: Policies, for_several: Policies, action: str, resource: str, keys: dict[str, str]
) -> None:
    assert not policies.decides(action, resource, keys)
    assert not for_several.decides(action, resource, keys)


def beside(value: str) -> str:
    """The same of a second lab, whose prefix begins alike."""
    kept = value.replace(BOUNDARY, "<boundary>")
    named = kept.replace(PREFIX, f"{PREFIX}-b").replace("user/kenya-one", "user/kenya-two")
    return named.replace("<boundary>", BOUNDARY)


def test_several_labs_are_served_whose_prefixes_begin_alike(
    policies: Policies, for_several: Policies, bounded: Assembly
) -> None:
    asked = [
        (call.action, beside(call.resource), {key: beside(value) for key, value in call.keys.items()})
        for call in every_call(bounded)
    ]
    assert [one for one in asked if not for_several.decides(*one)] == []
    assert sum(not policies.decides(*one) for one in asked) > len(asked) / 2, "one prefix is served, not two"


def test_the_policies_themselves_are_of_no_lab(for_several: Policies) -> None:
    """Their names begin with the prefix as well."""
    for name in ("boundary", *(f"execution-{part}" for part in ("compute", "identity", "keys", "storage"))):
        for action in ("iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion"):
            assert not for_several.decides(action, f"{IAM}:policy/{PREFIX}-{name}")


@pytest.mark.parametrize(
    ("prefix", "taken"),
    [
        ("kms-lab", True),
        ("kms-lab*", True),
        ("kms-*", True),
        ("ab1", True),
        ("a", False),
        ("*", False),
        ("cd*", False),
        ("cdk*", False),
        ("ss*", False),
        ("kms-", False),
        ("kms*lab", False),
        ("kms-lab**", False),
        ("p" * 20, True),
        ("p" * 19 + "*", True),
        ("p" * 20 + "*", False),
    ],
)
def test_a_prefix_that_would_serve_more_than_labs_is_not_taken(prefix: str, *, taken: bool) -> None:
    pattern = template()["Parameters"]["Prefix"]["AllowedPattern"]
    assert (re.fullmatch(pattern, prefix) is not None) is taken


@pytest.mark.parametrize(
    ("action", "resource", "keys"),
    [
        ("iam:CreateRole", f"{IAM}:role/Admin", {}),
        ("iam:CreateUser", f"{IAM}:user/mallory", {}),
        ("iam:AttachRolePolicy", f"{IAM}:role/Admin", {}),
        ("iam:PutUserPolicy", f"{IAM}:user/mallory", {"iam:PermissionsBoundary": f"{IAM}:policy/other"}),
        ("iam:PutRolePermissionsBoundary", ROLE, {"iam:PermissionsBoundary": f"{IAM}:policy/other"}),
        ("iam:DeleteRolePermissionsBoundary", ROLE, {}),
        ("iam:CreatePolicyVersion", BOUNDARY, {}),
        ("iam:DeletePolicy", BOUNDARY, {}),
    ],
)
def test_the_boundary_holds_whatever_the_role_is_given(
    policies: Policies, action: str, resource: str, keys: dict[str, str]
) -> None:
    """Whoever attaches AdministratorAccess to the role, as the standard bootstrap does, gets no further."""
    assert policies.decides("iam:ListUsers", "*", administrator=True)
    assert not policies.decides(action, resource, keys, administrator=True)


def test_the_admin_user_writes_no_trust_policy_and_cloudformation_does(policies: Policies) -> None:
    change = ("iam:UpdateAssumeRolePolicy", f"{IAM}:role/{PREFIX}-data-owner", BOUNDED)
    assert policies.decides(*change)
    assert not policies.decides(*change, administrator=True, principal=f"{IAM}:user/kenya-one")
