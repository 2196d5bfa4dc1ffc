from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks import REGISTRY, run
from kmslab.lab import Lab
from kmslab.model.capability import ALL
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fake_identities import BOUNDARY, NO_MFA, TRUST, account, policies
from tests.checks.fakes import (
    ACCOUNT,
    OUTPUTS,
    RUN,
    FakeAccess,
    Request,
    World,
    judge,
    key_arn,
    policy_document,
    role_arn,
)
from tests.checks.lab_world import good_lab
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def without(action: str) -> list[dict[str, object]]:
    """The boundary with a hole: it says nothing about one action."""
    return [
        {**s, "Action": [a for a in s["Action"] if a != action]} if isinstance(s["Action"], list) else s
        for s in BOUNDARY
        if s["Action"] != action
    ]


def told(world: World, **broken: Any) -> World:
    """IAM lists an account that is broken somewhere."""
    return world.answers("iam:GetAccountAuthorizationDetails", account(**broken))


def allowed(*actions: str, resource: str = "*") -> dict[str, object]:
    return {"Sid": "Wide", "Effect": "Allow", "Action": list(actions), "Resource": resource}


NOT_THE_APP_KEY = {"Sid": "But", "Effect": "Allow", "NotResource": key_arn("app")}
USER = {"Path": "/", "UserName": "kenya-one", "UserId": "AIDA", "CreateDate": "2026-11-21"}


def simulated(world: World, decide: Callable[[list[str]], str]) -> None:
    """Let IAM's simulator decide by what it is told about MFA alone; an empty list: nothing."""

    def simulate(request: Request) -> dict[str, object]:
        mfa = [value for entry in request["ContextEntries"] for value in entry["ContextKeyValues"]]
        results = [{"EvalActionName": name, "EvalDecision": decide(mfa)} for name in request["ActionNames"]]
        return {"EvaluationResults": results}

    world.answers("iam:SimulatePrincipalPolicy", simulate)


def signed_in(world: World) -> World:
    """The user has signed in once and changed the first password."""
    user = {**USER, "Arn": f"arn:aws:iam::{ACCOUNT}:user/kenya-one", "PasswordLastUsed": "2026-11-21"}
    world.answers("iam:GetLoginProfile", {"LoginProfile": {"PasswordResetRequired": False}})
    return world.answers("iam:GetUser", {"User": user})


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
        lambda w: told(w, user_inline=["mine"]),
        "policies of its own: mine",
    ),
    Broken(
        "identity.admin-rights-come-from-a-group",
        lambda w: told(w, groups=[]),
        "in no group",
    ),
    Broken(
        "identity.admin-rights-come-from-a-group",
        lambda w: told(w, rights=[], group_inline=["AdministratorAccess"]),
        "no group gives administrator access",
    ),
    Broken(
        "identity.admin-rights-come-from-a-group",
        lambda w: w.answers(
            "iam:GetGroup", {"Users": [{"UserName": "kenya-one"}, {"UserName": "contractor"}]}
        ),
        "is not kenya-one's alone: kenya-one, contractor",
    ),
    Broken(
        "identity.the-admin-has-a-boundary",
        lambda w: w.answers("iam:GetUser", {"User": {**USER, "Arn": "arn:aws:iam::1:user/kenya-one"}}),
        "no boundary",
    ),
    *(
        Broken(
            "identity.the-boundary-protects-itself",
            lambda w, action=action: policies(w, boundary=without(action)),  # type: ignore[misc]  # mypy sees no default of a lambda
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
    *(
        Broken(
            "identity.nothing-without-mfa",
            lambda w, more=more: policies(w, mfa=[{**NO_MFA, "NotAction": [*NO_MFA["NotAction"], more]}]),  # type: ignore[misc]  # mypy sees no default of a lambda
            f"without MFA the user is not denied {more.lower()}",
        )
        for more in ("ec2:*", "iam:*", "kms:Decrypt", "iam:DeactivateMFADevice")
    ),
    *(
        Broken(
            "identity.nothing-without-mfa",
            lambda w, less=less: policies(  # type: ignore[misc]  # mypy sees no default of a lambda
                w, mfa=[{**NO_MFA, "NotAction": [a for a in NO_MFA["NotAction"] if a != less]}]
            ),
            f"cannot even set MFA up: {less} is denied",
        )
        for less in ("iam:EnableMFADevice", "iam:ChangePassword")
    ),
    Broken(
        "identity.nothing-without-mfa",
        lambda w: policies(
            w, mfa=[{"Sid": "List", **NO_MFA, "NotAction": [], "Action": ["ec2:*", "kms:*", "s3:*"]}]
        ),
        "without MFA is a list",
    ),
    Broken(
        "identity.iam-says-no-without-mfa", lambda w: simulated(w, lambda _: "allowed"), "without MFA: al"
    ),
    Broken(
        "identity.iam-says-no-without-mfa",
        lambda w: simulated(w, lambda mfa: "explicitDeny" if mfa == ["false"] else "allowed"),
        "kms:ListKeys without a word on MFA: allowed, not explicitDeny",
    ),
    Broken(
        "identity.iam-says-the-boundary-stays",
        lambda w: simulated(w, lambda _: "allowed"),
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
        lambda w: told(w, outsider=["all-of-s3"]),
        "the outsider has policies: all-of-s3",
    ),
    Broken(
        "identity.the-outsider-can-do-nothing",
        lambda w: told(w, outsider_inline=["kms"]),
        "the outsider has policies: kms",
    ),
    Broken(
        "identity.the-outsider-can-do-nothing",
        lambda w: w.answers("iam:ListUsers", {}, Persona.OUTSIDER),
        "outsider could call iam:ListUsers",
    ),
    *(
        Broken(
            "identity.roles-trust-this-account-only",
            lambda w, principal=principal: told(w, trust={**TRUST, "Principal": principal}),  # type: ignore[misc]  # mypy sees no default of a lambda
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
            "identity.roles-trust-this-account-only",
            lambda w, condition=condition: told(  # type: ignore[misc]  # mypy sees no default of a lambda
                w, trust={**TRUST, "Sid": "Open", "Condition": condition}
            ),
            "Open keeps no persona from becoming",
        )
        for condition in (
            {},
            {"ArnNotEquals": {"aws:PrincipalArn": [role_arn("outsider")]}},
            {"ArnEquals": TRUST["Condition"]["ArnNotEquals"]},
        )
    ),
    *(
        Broken(
            "identity.no-persona-has-all-keys",
            lambda w, action=action: policies(w, persona=[allowed(action)]),  # type: ignore[misc]  # mypy sees no default of a lambda
            "with every key (Wide)",
        )
        for action in ("kms:*", "kms:Decr*", "*")
    ),
    Broken(
        "identity.no-persona-has-all-keys",
        lambda w: policies(w, persona=[allowed("kms:Decrypt", resource="arn:aws:kms:*:*:key/*")]),
        "with every key (Wide)",
    ),
    Broken(
        "identity.no-persona-has-all-keys",
        lambda w: policies(w, persona=[{**NOT_THE_APP_KEY, "Action": "kms:Decrypt"}]),
        "with every key (But)",
    ),
]


def test_a_first_password_that_was_changed_is_fine() -> None:
    verdict = judge("identity.the-first-password-is-temporary", signed_in(good_lab()))
    assert (verdict.outcome, "already changed" in verdict.summary) == (Outcome.PASS, True)


def test_the_call_that_takes_the_mfa_code_may_be_open() -> None:
    left = [*NO_MFA["NotAction"], "sts:GetSessionToken"]
    world = policies(good_lab(), mfa=[{**NO_MFA, "NotAction": left}])
    assert judge("identity.nothing-without-mfa", world).outcome is Outcome.PASS


def test_inline_policies_are_looked_at_as_attached_ones_are() -> None:
    wide = {"PolicyName": "wide", "PolicyDocument": policy_document(allowed("kms:*"))}
    told_of = dict(account())
    told_of["RoleDetailList"] = [{**one, "RolePolicyList": [dict(wide)]} for one in told_of["RoleDetailList"]]
    world = good_lab().answers("iam:GetAccountAuthorizationDetails", told_of)
    verdict = judge("identity.no-persona-has-all-keys", world)
    assert (verdict.outcome, "with every key (Wide)" in verdict.summary) == (Outcome.FAIL, True)


def test_a_long_list_of_identities_is_read_to_its_end() -> None:
    def pages(request: Request) -> Mapping[str, Any]:
        whole = account()
        if "Marker" not in request.parameters:
            return {"UserDetailList": whole["UserDetailList"], "IsTruncated": True, "Marker": "more"}
        return {**whole, "UserDetailList": []}

    world = good_lab().answers("iam:GetAccountAuthorizationDetails", pages)
    for check in ("identity.nothing-without-mfa", "identity.no-persona-has-all-keys"):
        assert judge(check, world).outcome is Outcome.PASS


def test_an_identity_that_iam_does_not_list_is_no_answer() -> None:
    world = good_lab().answers("iam:GetAccountAuthorizationDetails", {"UserDetailList": []})
    for check in ("identity.nothing-without-mfa", "identity.no-persona-has-all-keys"):
        verdict = judge(check, world)
        assert (verdict.outcome, "IAM lists no" in verdict.summary) == (Outcome.ERROR, True)


def test_the_policies_of_all_personas_are_asked_for_once() -> None:
    world = good_lab()
    access = FakeAccess(world)
    for check in ("identity.no-persona-has-all-keys", "identity.roles-trust-this-account-only"):
        assert run(REGISTRY[check], Lab(access, OUTPUTS, ALL, RUN)).outcome is Outcome.PASS
    assert [one.action for one in world.requests] == ["iam:GetAccountAuthorizationDetails"]
