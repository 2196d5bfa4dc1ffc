from __future__ import annotations

import pytest

from kmslab.model.persona import Persona
from tests.checks import verdicts
from tests.checks.fakes import ACCOUNT, OUTPUTS, policy_document
from tests.checks.lab_world import BOUNDARY, NO_MFA, TRUST, policies
from tests.checks.table import Broken, checks_of, never_red


def without(action: str) -> list[dict[str, object]]:
    """The boundary with a hole: it says nothing about one action."""
    return [
        {**s, "Action": [a for a in s["Action"] if a != action]} if isinstance(s["Action"], list) else s
        for s in BOUNDARY
        if s["Action"] != action
    ]


def allowed(*actions: str, resource: str = "*") -> dict[str, object]:
    return {"Sid": "Wide", "Effect": "Allow", "Action": list(actions), "Resource": resource}


USER = {"Path": "/", "UserName": "kenya-one", "UserId": "AIDA", "CreateDate": "2026-11-21"}
DECISION = "EvalActionName", "EvalDecision"

BROKEN = [
    Broken(
        "identity.the-admin-is-a-user-without-access-keys",
        lambda w: w.answers("iam:ListAccessKeys", {"AccessKeyMetadata": [{"AccessKeyId": "AKIAEXAMPLE"}]}),
        "1 access key",
    ),
    Broken(
        "identity.the-admin-is-a-user-without-access-keys",
        lambda w: w.answers("iam:GetUser", {"User": {**USER, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}}),
        "is not an IAM user",
    ),
    Broken(
        "identity.admin-rights-come-from-a-group",
        lambda w: w.answers("iam:ListUserPolicies", {"PolicyNames": ["mine"]}),
        "policies of its own: ['mine']",
    ),
    Broken(
        "identity.admin-rights-come-from-a-group",
        lambda w: w.answers("iam:ListGroupsForUser", {"Groups": []}),
        "in no group",
    ),
    Broken(
        "identity.admin-rights-come-from-a-group",
        lambda w: w.answers("iam:ListAttachedGroupPolicies", {"AttachedPolicies": []}),
        "no group gives administrator access",
    ),
    Broken(
        "identity.the-admin-has-a-boundary",
        lambda w: w.answers("iam:GetUser", {"User": {**USER, "Arn": "arn:aws:iam::1:user/kenya-one"}}),
        "no boundary",
    ),
    *(
        Broken(
            "identity.the-boundary-protects-itself",
            lambda w, action=action: policies(w, boundary=without(action)),  # type: ignore[misc]
            f"does not deny {action}",
        )
        for action in ("iam:CreatePolicyVersion", "iam:DeleteUserPermissionsBoundary")
    ),
    Broken(
        "identity.the-boundary-protects-itself",
        lambda w: policies(w, boundary=without("iam:PutUserPermissionsBoundary")),
        "lets itself be replaced",
    ),
    Broken(
        "identity.nothing-without-mfa",
        lambda w: policies(w, mfa=[allowed("iam:ListUsers")]),
        "no policy of the admin user's groups denies",
    ),
    Broken(
        "identity.nothing-without-mfa",
        lambda w: policies(
            w, mfa=[{**NO_MFA, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}]
        ),
        "no policy of the admin user's groups denies",
    ),
    Broken(
        "identity.nothing-without-mfa",
        lambda w: policies(w, mfa=[{**NO_MFA, "NotAction": ["iam:*"]}]),
        "without MFA iam:AttachUserPolicy is not denied",
    ),
    Broken(
        "identity.nothing-without-mfa",
        lambda w: policies(w, mfa=[{**NO_MFA, "NotAction": ["iam:ListMFADevices"]}]),
        "cannot even set MFA up",
    ),
    Broken(
        "identity.iam-says-no-without-mfa",
        lambda w: w.answers(
            "iam:SimulatePrincipalPolicy",
            lambda r: {
                "EvaluationResults": [
                    dict(zip(DECISION, (a, "allowed"), strict=True)) for a in r["ActionNames"]
                ]
            },
        ),
        "without MFA: allowed, not explicitDeny",
    ),
    Broken(
        "identity.iam-says-the-boundary-stays",
        lambda w: w.answers(
            "iam:SimulatePrincipalPolicy",
            lambda r: {
                "EvaluationResults": [
                    dict(zip(DECISION, (a, "allowed"), strict=True)) for a in r["ActionNames"]
                ]
            },
        ),
        "iam:CreatePolicyVersion: allowed, not explicitDeny",
    ),
    Broken(
        "identity.the-first-password-is-temporary",
        lambda w: w.answers("iam:GetLoginProfile", {"LoginProfile": {"PasswordResetRequired": False}}),
        "may be kept",
    ),
    Broken(
        "identity.the-first-password-is-temporary",
        lambda w: w.answers("secretsmanager:DescribeSecret", {"ARN": OUTPUTS.admin_password_secret}),
        "kept under aws/secretsmanager",
    ),
    Broken(
        "identity.every-persona-can-be-assumed",
        lambda w: w.answers(
            "sts:GetCallerIdentity", {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/x"}
        ),
        "as key-administrator the caller is",
    ),
    Broken(
        "identity.every-persona-can-be-assumed",
        lambda w: w.refuses("sts:AssumeRole", code="AccessDenied"),
        "operator is refused sts:AssumeRole",
    ),
    Broken(
        "identity.no-persona-becomes-another",
        lambda w: w.answers("sts:AssumeRole", {}, Persona.STORAGE_OPERATOR),
        "storage-operator could call sts:AssumeRole",
    ),
    Broken(
        "identity.the-outsider-can-do-nothing",
        lambda w: w.answers("iam:ListUsers", {}, Persona.OUTSIDER),
        "outsider could call iam:ListUsers",
    ),
    *(
        Broken(
            "identity.roles-trust-this-account-only",
            lambda w, principal=principal: w.answers(  # type: ignore[misc]
                "iam:GetRole",
                {"Role": {"AssumeRolePolicyDocument": policy_document({**TRUST, "Principal": principal})}},
            ),
            says,
        )
        for principal, says in (
            ("*", "everyone can become"),
            ({"AWS": "999999999999"}, "AWS:999999999999 can become"),
            ({"AWS": ["arn:aws:iam::999999999999:role/x"]}, "role/x can become"),
        )
    ),
    *(
        Broken(
            "identity.no-persona-has-all-keys",
            lambda w, action=action: policies(w, persona=[allowed(action)]),  # type: ignore[misc]
            "with every key (Wide)",
        )
        for action in ("kms:*", "kms:Decr*", "*")
    ),
]


@pytest.mark.parametrize("check", checks_of("identity"))
def test_passes_in_a_good_lab(check: str) -> None:
    verdicts.passes(check)


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices(row: Broken) -> None:
    verdicts.fails(row)


@pytest.mark.parametrize("check", checks_of("identity"))
def test_is_unable_to_look(check: str) -> None:
    verdicts.is_unable_to_look(check)


def test_every_check_is_shown_red() -> None:
    assert never_red("identity", BROKEN) == set()
