"""On the deployed lab: what each building block breaks is seen, and is put back exactly.

Also after half of it, also twice: a repair does not know how far its break came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.faults.changes.identity import (
    ADMIN,
    ADMINISTRATORS,
    AWS_POLICY,
    AdminAccessKey,
    AdminBoundary,
    AdminInNoGroup,
    Attached,
    Detached,
    InlinePolicy,
    PasswordKept,
    SecondAdministrator,
    role_of,
)
from kmslab.faults.changes.keys import Alias, Disabled, Doomed, Replaced, Rotation, StandingGrant
from kmslab.faults.changes.policies import KeyPolicy, ManagedPolicy, RoleTrust, allow, persona_policy
from kmslab.faults.changes.statements import drop
from kmslab.faults.workshop import Workshop
from kmslab.lab import Access
from kmslab.model.naming import alias_name
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona
from kmslab.project import Project
from kmslab.targets import owner_access

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.faults.change import Change
    from tests.conftest import DeployedLab

    Look = Callable[[Workshop], Any]

S3, MAC, SIGNING = LabOutputs.key_s3, LabOutputs.key_mac, LabOutputs.key_signing
SIGNER = Persona.SIGNER


@pytest.fixture(scope="module")
def workshop(deployed_lab: DeployedLab) -> Workshop:
    access = Access(control.target(deployed_lab.home), "kms-lab")
    owner = owner_access(Project(deployed_lab.root, deployed_lab.home), access)
    return Workshop(access, read_outputs(access), owner)


def _key(workshop: Workshop) -> Any:
    """State, rotation, policy, grants and alias of the keys that are broken here."""
    kms, seen = workshop.owner("kms"), []
    for output in (S3, MAC, SIGNING):
        key = workshop.outputs.value_of(output)
        alias = alias_name(workshop.prefix, output.name.removeprefix("key_"))
        aliases = kms.get_paginator("list_aliases").paginate().search("Aliases[]")
        seen.append(
            (
                kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"],
                kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"],
                [one["TargetKeyId"] for one in aliases if one["AliasName"] == alias],
                [grant["Name"] for grant in kms.list_grants(KeyId=key)["Grants"]],
            )
        )
    status = kms.get_key_rotation_status(KeyId=workshop.outputs.key_s3)
    return seen, status["KeyRotationEnabled"], status.get("RotationPeriodInDays")


def _attached(holder: Any) -> list[str]:
    return sorted(policy["PolicyArn"] for policy in holder["AttachedManagedPolicies"])


def _identities(workshop: Workshop) -> Any:
    """Everything of the account's users, groups, roles and their policies, but ids of versions and dates."""
    iam = workshop.client("iam")
    found: dict[str, Any] = {}
    for page in iam.get_paginator("get_account_authorization_details").paginate(
        Filter=["User", "Group", "Role", "LocalManagedPolicy"]
    ):
        for user in page["UserDetailList"]:
            keys = iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]
            found[user["Arn"]] = (
                user.get("GroupList"),
                user.get("UserPolicyList", []),
                _attached(user),
                user.get("PermissionsBoundary"),
                sorted(key["AccessKeyId"] for key in keys),
            )
        for group in page["GroupDetailList"]:
            found[group["Arn"]] = (group.get("GroupPolicyList", []), _attached(group))
        for role in page["RoleDetailList"]:
            found[role["Arn"]] = (
                role["AssumeRolePolicyDocument"],
                role.get("RolePolicyList", []),
                _attached(role),
            )
        for policy in page["Policies"]:
            versions = policy["PolicyVersionList"]
            found[policy["Arn"]] = (
                [one["Document"] for one in versions if one["VersionId"] == policy["DefaultVersionId"]],
                len(versions),
            )
    profile = iam.get_login_profile(UserName=workshop.outputs.admin_user)["LoginProfile"]
    return found, profile["PasswordResetRequired"]


CHANGES: dict[str, tuple[Change, Look]] = {
    "key policy": (KeyPolicy(MAC, drop("MakeAndVerifyCodes")), _key),
    "rotation off": (Rotation(S3, None), _key),
    "rotation rare": (Rotation(S3, 2560), _key),
    "disabled": (Disabled(SIGNING), _key),
    "doomed": (Doomed(MAC), _key),
    "alias turned": (Alias(S3, LabOutputs.key_app), _key),
    "alias gone": (Alias(SIGNING, None), _key),
    "key replaced": (Replaced(SIGNING, KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY"), _key),
    "grant left": (StandingGrant(S3, Persona.OUTSIDER, "Decrypt"), _key),
    "trust": (RoleTrust(SIGNER, drop("BecomeThisPersona")), _identities),
    "managed policy": (persona_policy(SIGNER, drop("Sign")), _identities),
    "boundary edited": (ManagedPolicy("AdminBoundaryPolicy", drop("NoCredentialsOfOthers")), _identities),
    "inline policy of a role": (InlinePolicy(role_of(SIGNER), allow("All", "s3:*")), _identities),
    "inline policy of the user": (InlinePolicy(ADMIN, allow("All", "s3:*")), _identities),
    "policy attached to a role": (Attached(role_of(SIGNER), f"{AWS_POLICY}PowerUserAccess"), _identities),
    "policy attached to the user": (Attached(ADMIN, f"{AWS_POLICY}PowerUserAccess"), _identities),
    "policy detached from the group": (Detached(ADMINISTRATORS, "RequireMfa"), _identities),
    "no boundary": (AdminBoundary(), _identities),
    "another boundary": (AdminBoundary(f"{AWS_POLICY}AdministratorAccess"), _identities),
    "no group": (AdminInNoGroup(), _identities),
    "password kept": (PasswordKept(), _identities),
    "access key": (AdminAccessKey(), _identities),
    "second administrator": (SecondAdministrator(), _identities),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_breaks_and_is_put_back(workshop: Workshop, what: str) -> None:
    change, look = CHANGES[what]
    before = look(workshop)
    saved = change.save(workshop)
    assert look(workshop) == before, "reading changed something"
    change.restore(workshop, saved)
    assert look(workshop) == before, "a repair of what was never broken changed something"
    try:
        change.apply(workshop, saved)
        assert look(workshop) != before, "nothing was broken"
    finally:
        change.restore(workshop, saved)
    assert look(workshop) == before
    change.restore(workshop, saved)
    assert look(workshop) == before, "the second repair changed something"


def test_the_key_that_replaced_another_goes_with_the_repair(workshop: Workshop) -> None:
    change = Replaced(SIGNING, KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    kms, alias = workshop.client("kms"), alias_name(workshop.prefix, "signing")
    saved = change.save(workshop)
    try:
        change.apply(workshop, saved)
        made = workshop.owner("kms").describe_key(KeyId=alias)["KeyMetadata"]
        assert (made["KeySpec"], made["KeyState"]) == ("ECC_NIST_P384", "Enabled")
    finally:
        change.restore(workshop, saved)
    assert kms.describe_key(KeyId=made["Arn"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_a_left_grant_is_for_whom_it_says_and_the_policy_is_what_it_was(workshop: Workshop) -> None:
    change = StandingGrant(S3, Persona.OUTSIDER, "Decrypt")
    kms, key = workshop.owner("kms"), workshop.outputs.key_s3
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    saved = change.save(workshop)
    try:
        change.apply(workshop, saved)
        (grant,) = [one for one in kms.list_grants(KeyId=key)["Grants"] if one["Name"] == "temporary-access"]
        assert (grant["GranteePrincipal"], grant["Operations"]) == (
            workshop.role_arn(Persona.OUTSIDER),
            ["Decrypt"],
        )
        assert kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"] == policy
    finally:
        change.restore(workshop, saved)
