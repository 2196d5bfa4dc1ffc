"""A fake account with the policies of `account_policies`, and a KMS that permits by the table there.

A test breaks one of the two.
"""

from __future__ import annotations

import io
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import KEYS
from kmslab.model.persona import ROLES, Persona
from tests.checks.account_policies import (
    ADMINISTRATOR_ACCESS,
    BOUNDARY,
    EXECUTION_ROLE,
    IN_STATES,
    OPERATOR,
    OWNER,
    READER,
    SCRATCH,
    TRUST,
    USE,
    administration,
    identity_policy,
    permitted,
    use,
)
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, Request, World, key_arn, policy_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.checks.fakes import Statement


class AccountWorld(World):
    """A world with an account in it.

    Attributes:
        policies: statements of each key's policy, by the key's name.
        identities: statements of each identity policy, by the name of its role or user.
        trust: statements of each role's trust policy, by role name.
        permitted: what KMS permits by direct calls.
        states: KeyState of each key.
        grants: of each key, as ListGrants shows them.
        managed: ARNs of the managed policies attached to roles and users beside their own, by name.
        boundary: ARN of the admin user's boundary; empty for none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.policies = {key.name: [*administration(), *use(key.name)] for key in KEYS}
        self.identities = {f"{PREFIX}-{persona}": identity_policy(persona) for persona in ROLES}
        self.trust: dict[str, list[Statement]] = defaultdict(lambda: [TRUST])
        self.permitted = permitted()
        self.states = {key.name: "PendingImport" if key.name in IN_STATES else "Enabled" for key in KEYS}
        self.grants: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.managed: dict[str, list[str]] = {
            "deployer": [ADMINISTRATOR_ACCESS],
            EXECUTION_ROLE.rpartition("/")[2]: [ADMINISTRATOR_ACCESS],
        }
        self.others: list[str] = []
        self.boundary = OUTPUTS.admin_boundary
        _iam(self)
        _keys(self)
        _tries(self)
        _s3(self)
        self.answers("secretsmanager:GetResourcePolicy", {})

    def key_name(self, arn: str) -> str:
        """Name of the key with an ARN."""
        return next(key.name for key in KEYS if key_arn(key.name) == arn)


def _iam(world: AccountWorld) -> None:
    def detail(name: str) -> dict[str, Any]:
        own = world.identities.get(name, [])
        arns = world.managed.get(name, [])
        return {
            "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
            "RoleName": name,
            "RoleId": f"AROA{name}",
            "Path": "/",
            "CreateDate": "2026-11-22",
            "AssumeRolePolicyDocument": policy_document(*world.trust[name]),
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": policy_document(*own)}] if own else [],
            "AttachedManagedPolicies": [{"PolicyArn": arn, "PolicyName": arn} for arn in arns],
        }

    def details(_: Request) -> Mapping[str, Any]:
        names = [*(f"{PREFIX}-{persona}" for persona in ROLES), *world.managed, *world.others]
        own = world.identities.get("kenya-one", [])
        user: dict[str, Any] = {
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/kenya-one",
            "UserName": "kenya-one",
            "UserId": "AIDA",
            "Path": "/",
            "CreateDate": "2026-11-22",
            "GroupList": ["admins"],
            "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": policy_document(*own)}] if own else [],
        }
        if world.boundary:
            user["PermissionsBoundary"] = {"PermissionsBoundaryArn": world.boundary}
        group = {
            "Arn": f"arn:aws:iam::{ACCOUNT}:group/admins",
            "GroupName": "admins",
            "GroupId": "AGPA",
            "Path": "/",
            "CreateDate": "2026-11-22",
            "AttachedManagedPolicies": [
                {"PolicyArn": ADMINISTRATOR_ACCESS, "PolicyName": "AdministratorAccess"}
            ],
        }
        boundary = {
            "Arn": OUTPUTS.admin_boundary,
            "PolicyName": "admin-boundary",
            "PolicyVersionList": [
                {"Document": policy_document(*BOUNDARY), "VersionId": "v1", "IsDefaultVersion": True}
            ],
        }
        return {
            "UserDetailList": [user],
            "GroupDetailList": [group],
            "RoleDetailList": [detail(name) for name in dict.fromkeys(names)],
            "Policies": [boundary],
        }

    def simulated(request: Request) -> Mapping[str, Any]:
        name = request["PolicySourceArn"].rpartition("/")[2]
        allowing = [
            (action, arn)
            for statement in world.identities.get(name, [])
            for action in statement["Action"]
            for arn in statement["Resource"]
        ]
        return {
            "EvaluationResults": [
                {
                    "EvalActionName": action,
                    "EvalResourceName": arn,
                    "EvalDecision": "allowed" if (action, arn) in allowing else "implicitDeny",
                }
                for action in request["ActionNames"]
                for arn in request["ResourceArns"]
            ]
        }

    world.answers("iam:GetAccountAuthorizationDetails", details)
    world.answers("iam:GetPolicy", {"Policy": {"DefaultVersionId": "v1"}})
    everything = policy_document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    world.answers("iam:GetPolicyVersion", {"PolicyVersion": {"Document": everything}})
    world.answers("iam:SimulatePrincipalPolicy", simulated)
    world.refuses("iam:UpdateAssumeRolePolicy", code="AccessDenied")


def _keys(world: AccountWorld) -> None:
    def metadata(name: str) -> dict[str, Any]:
        key = next(one for one in KEYS if one.name == name)
        return {
            "Arn": key_arn(name),
            "KeyId": key_arn(name).rpartition("/")[2],
            "KeySpec": key.spec,
            "KeyUsage": key.usage,
            "Origin": key.origin,
            "MultiRegion": key.multi_region,
            "KeyState": world.states[name],
            "SigningAlgorithms": ["ECDSA_SHA_256"],
            "MacAlgorithms": ["HMAC_SHA_256"],
        }

    def listed(_: Request) -> Mapping[str, Any]:
        aliases = [
            {"AliasName": f"alias/{PREFIX}/{key.name}", "TargetKeyId": key_arn(key.name).rpartition("/")[2]}
            for key in KEYS
        ]
        return {"Aliases": aliases}

    def described(request: Request) -> Mapping[str, Any]:
        if request["KeyId"] == SCRATCH:
            return {"KeyMetadata": {"Arn": SCRATCH, "KeyState": "Enabled"}}
        return {"KeyMetadata": metadata(world.key_name(request["KeyId"]))}

    def policy(request: Request) -> Mapping[str, Any]:
        known = request["KeyId"] != SCRATCH
        statements = world.policies[world.key_name(request["KeyId"])] if known else [TRUST]
        return {"Policy": policy_document(*statements)}

    world.answers("kms:ListAliases", listed)
    world.answers("kms:ListResourceTags", {"Tags": []})
    world.answers(
        "kms:ListGrants", lambda request: {"Grants": world.grants[world.key_name(request["KeyId"])]}
    )
    world.answers("kms:DescribeKey", described)
    world.answers("kms:GetKeyPolicy", policy)
    world.answers("kms:CreateKey", {"KeyMetadata": {"Arn": SCRATCH, "KeyId": SCRATCH}})
    world.answers("kms:PutKeyPolicy", {}).refuses("kms:PutKeyPolicy", when=_of_lab)
    world.refuses("kms:UpdateAlias").refuses("kms:ReplicateKey")


def _of_lab(request: Request) -> bool:
    return bool(request.get("KeyId") != SCRATCH)


def _tries(world: AccountWorld) -> None:
    """Dry runs end as dry runs do, but where the table does not permit them."""

    def may_not(request: Request) -> bool:
        operation = request.action.partition(":")[2]
        name = world.key_name(request["KeyId"])
        wide = operation == "CreateGrant" and "Constraints" not in request.parameters
        return wide or operation not in world.permitted[name, request.persona]

    def stopped(request: Request) -> bool:
        return world.states[world.key_name(request["KeyId"])] != "Enabled"

    for operation in (*USE, "Sign", "GenerateMac", "DeriveSharedSecret", "CreateGrant"):
        world.refuses(f"kms:{operation}", code="DryRunOperationException")
    world.refuses("kms:Verify", code="KMSInvalidSignatureException")
    world.refuses("kms:VerifyMac", code="KMSInvalidMacException")
    world.answers("kms:GetPublicKey", {})
    for operation in USE:
        world.refuses(f"kms:{operation}", code="KMSInvalidStateException", when=stopped)
    tried = (*USE, "Sign", "Verify", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "CreateGrant")
    for operation in (*tried, "GetPublicKey"):
        world.refuses(f"kms:{operation}", when=may_not)
    world.refuses("kms:DescribeKey", when=lambda request: _of_lab(request) and may_not(request))


def _s3(world: AccountWorld) -> None:
    world.answers("s3:GetBucketPolicy", {"Policy": policy_document()})
    world.answers("s3:PutObject", {}).answers("s3:GetObject", lambda _: {"Body": io.BytesIO(b"")})
    world.answers("s3:ListObjectVersions", {})
    for action, allowed in (("PutObject", {OWNER}), ("GetObject", {OWNER, READER})):
        by_key = {Persona.STORAGE_OPERATOR, OPERATOR} | ({READER} & allowed)
        refused = [one for one in Persona if one not in allowed]
        world.refuses(
            f"s3:{action}",
            *refused,
            code="AccessDenied",
            message=f"no identity-based policy allows s3:{action}",
        )
        operation = "kms:GenerateDataKey" if action == "PutObject" else "kms:Decrypt"
        world.refuses(
            f"s3:{action}",
            *(by_key - allowed),
            code="AccessDenied",
            message=f"not authorized to perform: {operation} on this resource",
        )


def account(world: World) -> AccountWorld:
    """The world as what it is, to break it."""
    assert isinstance(world, AccountWorld)
    return world
