"""Identities: an admin user instead of the root user, and personas that are nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.identity_policies import (
    admin_groups,
    admin_user,
    attached_policies,
    managed_policy,
    own_policies,
    role_named,
    statements_of,
)
from kmslab.checks.policy import ALLOW, DENY, account_of, is_everyone, statements
from kmslab.checks.registry import check
from kmslab.checks.shared import read_once
from kmslab.model.capability import Capability
from kmslab.model.naming import role_name
from kmslab.model.persona import ROLES, Persona

if TYPE_CHECKING:
    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

GUIDE = "01-orientation"
MFA = "aws:MultiFactorAuthPresent"
ESCAPES = (
    "iam:CreatePolicyVersion",
    "iam:SetDefaultPolicyVersion",
    "iam:DeletePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeleteUserPermissionsBoundary",
)
"""What a user could do to change their own permissions boundary or to take it off."""
SETTING_MFA_UP = frozenset(
    {
        "iam:ChangePassword",  # the first sign-in demands it, before a device can be enrolled
        "iam:CreateVirtualMFADevice",
        "iam:EnableMFADevice",
        "iam:GetAccountPasswordPolicy",
        "iam:GetMFADevice",
        "iam:GetUser",
        "iam:ListMFADevices",
        "iam:ListVirtualMFADevices",
        "iam:ResyncMFADevice",
    }
)
"""What a session without MFA must be left, and all that it may be left but `PROVING_MFA`."""
PROVING_MFA = frozenset({"sts:GetSessionToken"})
"""May be left too: it is the call that takes the MFA code, and a session without one is denied like any other."""


@check(
    guide=GUIDE,
    controls=(
        "prowler:iam_user_no_setup_initial_access_key",
        "IAM.3",
        "config:access-keys-rotated",
        "cis:2.12",
        "prowler:iam_rotate_access_key_90_days",
    ),
)
def the_admin_is_a_user_without_access_keys(lab: Lab) -> str:
    """The lab is administered by an IAM user, not by the root user, and it has no access key.

    The root user cannot be limited by any policy, so nobody works as root. A long-lived access key
    is the credential that leaks most often: the admin user signs in to the console and assumes
    roles from there.
    """
    name = lab.outputs.admin_user
    arn = read_once(lab, "iam:GetUser", UserName=name)["User"]["Arn"]
    lab.expect(
        arn.split(":")[4:] == [lab.account, f"user/{name}"], f"{arn} is not an IAM user of this account"
    )
    keys = lab.read("iam:ListAccessKeys", UserName=name)["AccessKeyMetadata"]
    lab.expect(not keys, f"the admin user has {len(keys)} access key(s)")
    return f"{name} is an IAM user of the account and has no access key"


@check(
    guide=GUIDE,
    controls=(
        "IAM.2",
        "prowler:iam_policy_attached_only_to_group_or_roles",
        "config:iam-user-no-policies-check",
        "cis:2.13",
        "cdk-nag:NIST.800.53.R5-IAMUserNoPolicies",
    ),
)
def admin_rights_come_from_a_group(lab: Lab) -> str:
    """The admin user's rights come from membership in a group, none is attached to the user.

    Whoever looks at the group sees all administrators; taking somebody out takes every right away.
    The user is alone in the group: anybody else there is an administrator whom nobody bounds.
    """
    name = lab.outputs.admin_user
    own = own_policies(admin_user(lab))
    lab.expect(not own, f"the user has policies of its own: {', '.join(own)}")
    groups = [group["GroupName"] for group in admin_groups(lab)]
    lab.expect(groups, "the admin user is in no group")
    rights = [policy for group in admin_groups(lab) for policy in attached_policies(group)]
    lab.expect("AdministratorAccess" in rights, f"no group gives administrator access: {', '.join(rights)}")
    for group in groups:
        members = [user["UserName"] for user in lab.read("iam:GetGroup", GroupName=group)["Users"]]
        lab.expect(members == [name], f"{group} is not {name}'s alone: {', '.join(members)}")
    return f"{name} alone has its rights from {', '.join(groups)}"


@check(guide=GUIDE)
def the_admin_has_a_boundary(lab: Lab) -> str:
    """The admin user works inside the lab's permissions boundary.

    A boundary gives nothing. It is the most that any policy attached later can give.
    """
    user = read_once(lab, "iam:GetUser", UserName=lab.outputs.admin_user)["User"]
    found = user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "no boundary")
    lab.expect(found == lab.outputs.admin_boundary, f"the admin user's boundary is {found}")
    return f"the boundary is {found}"


@check(guide=GUIDE)
def the_boundary_protects_itself(lab: Lab) -> str:
    """The permissions boundary forbids the user it binds to change it or to take it off.

    Without this an administrator edits the boundary first and is free. The document must deny each
    way without any condition.
    """
    document = managed_policy(lab, lab.outputs.admin_boundary)
    for action in ESCAPES:
        denied = any(
            s.effect == DENY and s.covers(action) and not s.conditions and _reaches(lab, s, action)
            for s in document
        )
        lab.expect(denied, f"the boundary does not deny {action}")
    replacing = [s for s in document if s.effect == DENY and s.covers("iam:PutUserPermissionsBoundary")]
    lab.expect(
        any(
            not s.conditions
            or s.values("iam:PermissionsBoundary", "StringNotEquals", "ArnNotEquals")
            == (lab.outputs.admin_boundary,)
            for s in replacing
        ),
        "the boundary lets itself be replaced by another one",
    )
    return f"{len(ESCAPES)} ways to change it or take it off are denied, and so is replacing it"


def _reaches(lab: Lab, statement: Statement, action: str) -> bool:
    """Whether a statement is about the thing that an act is done to: the policy, or the user."""
    policy, user = lab.outputs.admin_boundary, f":user/{lab.outputs.admin_user}"
    about_user = action == "iam:DeleteUserPermissionsBoundary"
    return any(
        resource == "*" or (resource.endswith(user) if about_user else resource == policy)
        for resource in statement.resources
    )


@check(guide=GUIDE)
def nothing_without_mfa(lab: Lab) -> str:
    """A policy denies the admin user everything without MFA but setting MFA up.

    It must use BoolIfExists: requests signed with an access key carry no MFA information at all,
    and a plain Bool would let them pass.
    """
    given = (statement for group in admin_groups(lab) for statement in statements_of(lab, group))
    denials = [s for s in given if s.effect == DENY and _without_mfa(s)]
    lab.expect(denials, "no policy of the admin user's groups denies requests without MFA")
    sweeping = [s for s in denials if s.not_actions and s.resources == ("*",)]
    lab.expect(sweeping, "what is denied without MFA is a list: everything else is allowed")
    for statement in sweeping:
        left = {action.lower() for action in statement.not_actions}
        more = left - {action.lower() for action in SETTING_MFA_UP | PROVING_MFA}
        lab.expect(not more, f"without MFA the user is not denied {', '.join(sorted(more))}")
    for action in sorted(SETTING_MFA_UP):
        lab.expect(
            not any(s.covers(action) and "*" in s.resources for s in denials),
            f"without MFA the user cannot even set MFA up: {action} is denied",
        )
    return f"denied without MFA: everything but {len(SETTING_MFA_UP)} actions that set MFA up (BoolIfExists)"


def _without_mfa(statement: Statement) -> bool:
    return statement.conditions == {("boolifexists", MFA.lower()): ("false",)}


@check(guide=GUIDE, needs={Capability.POLICY_SIMULATION})
def iam_says_no_without_mfa(lab: Lab) -> str:
    """IAM's own policy simulator allows the admin user's requests with MFA and denies them without.

    This judges the policies together, as a request would: the group's rights, the boundary and
    the denial. A request signed with an access key does not say whether there was MFA: it is denied too.
    """
    actions = ["kms:ListKeys", "s3:ListAllMyBuckets", "ec2:DescribeVolumes"]
    for present, said, wanted in (
        (True, "with MFA", "allowed"),
        (False, "without MFA", "explicitDeny"),
        (None, "without a word on MFA", "explicitDeny"),
    ):
        for action, decision in _simulate(lab, actions, mfa=present).items():
            lab.expect(decision == wanted, f"{action} {said}: {decision}, not {wanted}")
    return "allowed with MFA, explicitDeny without: " + ", ".join(actions)


@check(guide=GUIDE, needs={Capability.POLICY_SIMULATION})
def iam_says_the_boundary_stays(lab: Lab) -> str:
    """IAM's own policy simulator denies the admin user, even with MFA, to touch the boundary.

    The same simulation allows the user other acts of IAM administration, so the denial is about
    the boundary.
    """
    usual = _simulate(lab, ["iam:ListUsers"], mfa=True)
    lab.expect(set(usual.values()) == {"allowed"}, f"the admin user is no administrator: {usual}")
    user = f"arn:{lab.access.partition}:iam::{lab.account}:user/{lab.outputs.admin_user}"
    on_policy = [action for action in ESCAPES if "Policy" in action]
    decisions = {
        **_simulate(lab, on_policy, mfa=True, resource=lab.outputs.admin_boundary),
        **_simulate(lab, ["iam:DeleteUserPermissionsBoundary"], mfa=True, resource=user),
    }
    for action, decision in decisions.items():
        lab.expect(decision == "explicitDeny", f"{action}: {decision}, not explicitDeny")
    return "explicitDeny for " + ", ".join(decisions)


@check(guide=GUIDE)
def the_first_password_is_temporary(lab: Lab) -> str:
    """The admin user's first password must be changed at the first sign-in.

    Nobody chose it and nobody typed it: Secrets Manager generated it, under the lab's key. Once the
    user has signed in and changed it, IAM demands no further change.
    """
    name = lab.outputs.admin_user
    temporary = lab.read("iam:GetLoginProfile", UserName=name)["LoginProfile"].get("PasswordResetRequired")
    signed_in = read_once(lab, "iam:GetUser", UserName=name)["User"].get("PasswordLastUsed")
    lab.expect(temporary or signed_in, "the first password may be kept")
    secret = lab.read(
        "secretsmanager:DescribeSecret", persona=Persona.OPERATOR, SecretId=lab.outputs.admin_password_secret
    )
    found = secret.get("KmsKeyId", "aws/secretsmanager")
    lab.expect(
        found == lab.outputs.key_secrets, f"the password is kept under {found}, not under the lab's key"
    )
    when = "to be changed at first use" if temporary else "already changed: the user has signed in"
    return f"{when}; kept in Secrets Manager under the lab's key"


@check(guide=GUIDE)
def every_persona_can_be_assumed(lab: Lab) -> str:
    """The operator becomes each persona, and each one is who it says.

    Every other check rests on this: what a persona may and must not do is tried as that persona.
    """
    for persona in ROLES:
        role = f"arn:{lab.access.partition}:iam::{lab.account}:role/{role_name(lab.prefix, persona)}"
        lab.allowed(Persona.OPERATOR, "sts:AssumeRole", RoleArn=role, RoleSessionName=f"kmslab-{lab.run_id}")
        arn = lab.allowed(persona, "sts:GetCallerIdentity")["Arn"]
        lab.expect(
            f":assumed-role/{role_name(lab.prefix, persona)}/" in arn, f"as {persona} the caller is {arn}"
        )
    return f"{len(ROLES)} personas: {', '.join(ROLES)}"


@check(guide=GUIDE, needs={Capability.IAM})
def no_persona_becomes_another(lab: Lab) -> str:
    """A persona cannot assume the role of another.

    Separate duties would be worth nothing if one role led to the next. The operator assumes the data
    owner's role first; key administrator, storage operator and outsider are refused the same.
    """
    call: dict[str, Any] = {
        "RoleArn": lab.outputs.role_data_owner,
        "RoleSessionName": f"kmslab-{lab.run_id}",
    }
    lab.allowed(Persona.OPERATOR, "sts:AssumeRole", **call)
    for persona in (Persona.KEY_ADMINISTRATOR, Persona.STORAGE_OPERATOR, Persona.OUTSIDER):
        lab.refused(persona, "sts:AssumeRole", **call)
    return "the operator becomes the data owner; three personas are refused"


@check(guide=GUIDE, needs={Capability.IAM})
def the_outsider_can_do_nothing(lab: Lab) -> str:
    """A principal of the account without permissions sees nothing.

    Belonging to the account is no permission. The outsider's role has no policy. The operator makes
    each call first.
    """
    given = own_policies(role_named(lab, role_name(lab.prefix, Persona.OUTSIDER)))
    lab.expect(not given, f"the outsider has policies: {', '.join(given)}")
    calls: dict[str, dict[str, Any]] = {
        "kms:ListKeys": {},
        "s3:ListBuckets": {},
        "iam:ListUsers": {},
        "secretsmanager:ListSecrets": {},
    }
    for action, parameters in calls.items():
        lab.allowed(Persona.OPERATOR, action, **parameters)
        lab.refused(Persona.OUTSIDER, action, **parameters)
    return "refused to the outsider: " + ", ".join(calls)


@check(guide=GUIDE)
def roles_trust_this_account_only(lab: Lab) -> str:
    """Every persona's role trusts principals of this account, and nobody else.

    A trust policy with a wildcard or another account's number opens the role to strangers. One without the
    exception for the personas leaves it to identity policies whether one of them becomes another.
    """
    personas = {
        f"arn:{lab.access.partition}:iam::{lab.account}:role/{role_name(lab.prefix, one)}" for one in ROLES
    }
    for persona in ROLES:
        role = role_named(lab, role_name(lab.prefix, persona))
        allowing = [s for s in statements(role["AssumeRolePolicyDocument"]) if s.effect == ALLOW]
        lab.expect(allowing, f"nobody can become {persona}")
        for principal in (p for s in allowing for p in s.principals):
            lab.expect(not is_everyone(principal), f"everyone can become {persona}")
            lab.expect(account_of(principal) == lab.account, f"{principal} can become {persona}")
        for statement in allowing:
            kept_out = set(statement.values("aws:PrincipalArn", "ArnNotEquals", "StringNotEquals"))
            lab.expect(personas <= kept_out, f"{statement.sid} keeps no persona from becoming {persona}")
    return f"{len(ROLES)} roles trust account {lab.account} only, without the personas"


@check(
    guide=GUIDE,
    controls=(
        "KMS.2",
        "prowler:iam_inline_policy_no_full_access_to_kms",
        "config:iam-inline-policy-blocked-kms-actions",
    ),
)
def no_persona_has_all_keys(lab: Lab) -> str:
    """No persona's policy gives kms:*, or decryption with every key.

    A key policy that delegates to IAM, perhaps somebody else's in the same account, would open to
    such a persona.
    """
    count = 0
    for persona in ROLES:
        for statement in statements_of(lab, role_named(lab, role_name(lab.prefix, persona))):
            count += 1
            if statement.effect != ALLOW or not _every_key(statement):
                continue
            for action in ("kms:Decrypt", "kms:ReEncryptFrom", "kms:PutKeyPolicy"):
                lab.expect(
                    not statement.covers(action), f"{persona} has {action} with every key ({statement.sid})"
                )
    lab.expect(count, "the personas have no policies at all")
    return f"{count} statements of {len(ROLES)} personas: none gives decryption with every key"


def _every_key(statement: Statement) -> bool:
    """Whether a statement is about all keys: by ``*``, by ``key/*``, or by naming only exceptions."""
    return not statement.resources or any(
        resource == "*" or resource.endswith(":key/*") for resource in statement.resources
    )


def _simulate(lab: Lab, actions: list[str], *, mfa: bool | None, resource: str = "*") -> dict[str, str]:
    """Ask IAM's policy simulator about the admin user; returns the decision of each action.

    Args:
        lab: the check's lab.
        actions: that the user would take.
        mfa: whether the session had MFA; None: the request does not say.
        resource: what they would be done to.
    """
    entry = {"ContextKeyName": MFA, "ContextKeyValues": [str(mfa).lower()], "ContextKeyType": "boolean"}
    answer = lab.read(
        "iam:SimulatePrincipalPolicy",
        PolicySourceArn=f"arn:{lab.access.partition}:iam::{lab.account}:user/{lab.outputs.admin_user}",
        ActionNames=actions,
        ResourceArns=[resource],
        ContextEntries=[] if mfa is None else [entry],
    )
    return {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}
