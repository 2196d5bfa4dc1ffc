"""A fake account with the lab's identities and key policies, and a KMS that permits by a table of its own.

Policies and table are written from DESIGN.md, apart from each other: the checks compare what the evaluator makes
of the policies with what the table permits. A test breaks one of the two.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import KEYS
from kmslab.model.persona import ROLES, Persona
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, Request, World, key_arn, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

Statement = dict[str, Any]

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/deployer"
ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
SCRATCH = key_arn("scratch")
OWNER, READER, SIGNER = Persona.DATA_OWNER, Persona.DATA_READER, Persona.SIGNER
ADMINISTRATOR, AUDITOR, OPERATOR = Persona.KEY_ADMINISTRATOR, Persona.AUDITOR, Persona.OPERATOR
CONTEXT = {"kms:EncryptionContext:kmslab": "training"}
USE = ("Decrypt", "Encrypt", "GenerateDataKey")
IN_STATES = ("imported",)
"""Keys without material: whoever is permitted sees the state."""


def allow(
    *actions: str, to: str | tuple[str, ...] = (), sid: str = "", **conditions: Mapping[str, Any]
) -> Statement:
    """A statement of a key policy for the account, held to principals if any are named."""
    named = (to,) if isinstance(to, str) else to
    only = {"ArnEquals": {"aws:PrincipalArn": [*named]}} if named else {}
    return {
        "Sid": sid or f"Allow{actions[0]}",
        "Effect": "Allow",
        "Principal": {"AWS": ROOT},
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",
        "Condition": {**only, **conditions},
    }


def through(*services: str) -> dict[str, Any]:
    """Condition: one of the services calls."""
    return {"StringEquals": {"kms:ViaService": [f"{one}.{REGION}.amazonaws.com" for one in services]}}


def service(name: str, conditions: Mapping[str, str], *actions: str) -> Statement:
    """A statement of a key policy for an AWS service."""
    return {
        "Sid": name,
        "Effect": "Allow",
        "Principal": {"Service": f"{name}.amazonaws.com"},
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",
        "Condition": {"StringEquals": dict(conditions)},
    }


def role(persona: Persona) -> str:
    """ARN of a persona's role."""
    return role_arn(str(persona))


def _administration() -> list[Statement]:
    above = (ROOT, EXECUTION_ROLE)
    ways = (
        "PutKeyPolicy",
        "CreateAlias",
        "UpdateAlias",
        "DeleteAlias",
        "ReplicateKey",
        "UpdatePrimaryRegion",
    )
    return [
        allow(*ways, "DescribeKey", "DisableKey", "ScheduleKeyDeletion", to=above, sid="Deploy"),
        allow(
            "DescribeKey",
            "DisableKey",
            "ScheduleKeyDeletion",
            "TagResource",
            to=role(ADMINISTRATOR),
            sid="Administer",
        ),
        allow("DescribeKey", "GetKeyPolicy", to=role(AUDITOR), sid="Audit"),
    ]


def _use(name: str) -> list[Statement]:
    owner, for_service = role(OWNER), {"kms:GrantIsForAWSResource": "true"}
    return {
        "s3": [
            allow("GenerateDataKey", "Decrypt", to=owner, **through("s3")),
            allow("Decrypt", to=role(READER), **through("s3")),
        ],
        "ebs": [
            allow("Decrypt", "GenerateDataKey", to=(owner, EXECUTION_ROLE), **through("ec2", "ebs")),
            allow("CreateGrant", to=(owner, EXECUTION_ROLE), Bool=for_service, **through("ec2")),
        ],
        "secrets": [allow("Decrypt", "GenerateDataKey", **through("secretsmanager", "ssm"))],
        "trail": [
            allow(
                "Decrypt",
                to=role(AUDITOR),
                sid="ReadLogFiles",
                Null={"kms:EncryptionContext:aws:cloudtrail:arn": "false"},
                **through("s3"),
            ),
            service("cloudtrail", {"aws:SourceArn": OUTPUTS.trail}, "GenerateDataKey"),
            service(
                "events",
                {"kms:EncryptionContext:aws:sns:topicArn": OUTPUTS.alarm_topic},
                "GenerateDataKey",
                "Decrypt",
            ),
        ],
        "app": [
            allow(*USE, to=owner, StringEquals=CONTEXT),
            allow("DescribeKey", to=owner),
            allow(
                "CreateGrant",
                to=owner,
                StringEquals={
                    **CONTEXT,
                    "kms:GrantConstraintType": "EncryptionContextEquals",
                    "kms:GranteePrincipal": [role(READER), role(Persona.OUTSIDER)],
                },
            ),
        ],
        "imported": [
            allow(*USE, "DescribeKey", to=owner),
            allow("ImportKeyMaterial", "GetParametersForImport", to=role(ADMINISTRATOR), sid="Import"),
        ],
        "signing": [allow("Sign", to=role(SIGNER)), allow("Verify", "GetPublicKey")],
        "pq": [allow("Sign", to=role(SIGNER)), allow("Verify", "GetPublicKey")],
        "rsa": [allow("Decrypt", to=owner), allow("Encrypt", "GetPublicKey")],
        "agreement": [allow("DeriveSharedSecret", to=owner), allow("GetPublicKey")],
        "mac": [allow("GenerateMac", "VerifyMac", to=owner)],
        "global": [allow(*USE, to=owner, StringEquals=CONTEXT)],
    }[name]


def _identity(persona: Persona) -> list[Statement]:
    """What a persona's own policy allows."""

    def on(names: tuple[str, ...], *actions: str) -> Statement:
        return {
            "Effect": "Allow",
            "Action": [f"kms:{action}" for action in actions],
            "Resource": [key_arn(name) for name in names],
        }

    everything = tuple(key.name for key in KEYS)
    public = on(("signing", "pq", "rsa", "agreement"), "Verify", "GetPublicKey")
    decrypting = ("s3", "ebs", "secrets", "app", "imported", "rsa", "global")
    policies: dict[Persona, list[Statement]] = {
        OWNER: [
            on(decrypting, "Encrypt", "Decrypt", "GenerateDataKey", "CreateGrant"),
            on(("app", "imported"), "DescribeKey"),
            on(("agreement",), "DeriveSharedSecret"),
            on(("mac",), "GenerateMac", "VerifyMac"),
            public,
        ],
        READER: [on(("s3",), "Decrypt"), public],
        SIGNER: [on(("signing", "pq"), "Sign"), public],
        AUDITOR: [on(everything, "DescribeKey", "GetKeyPolicy"), on(("trail",), "Decrypt"), public],
        ADMINISTRATOR: [
            on(everything, "DescribeKey", "DisableKey", "ScheduleKeyDeletion", "TagResource"),
            on(("imported",), "ImportKeyMaterial", "GetParametersForImport"),
            public,
        ],
        Persona.STORAGE_OPERATOR: [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, public],
    }
    return policies.get(persona, [])


BOUNDARY: list[Statement] = [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {
        "Sid": "NobodyWithoutTheBoundary",
        "Effect": "Deny",
        "Action": [
            "iam:AttachRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
        ],
        "Resource": "*",
    },
]
TRUST: Statement = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}


def _permitted() -> dict[tuple[str, Persona], set[str]]:
    """Who can do what by direct calls; written down, not computed."""
    found: dict[tuple[str, Persona], set[str]] = defaultdict(set)
    for key in KEYS:
        for persona in (ADMINISTRATOR, AUDITOR):
            found[key.name, persona].add("DescribeKey")
    found["app", OWNER] = {*USE, "DescribeKey", "CreateGrant"}
    found["imported", OWNER] = {*USE, "DescribeKey"}
    found["global", OWNER] = {*USE}
    found["rsa", OWNER] = {"Decrypt", "Encrypt"}
    found["agreement", OWNER] = {"DeriveSharedSecret"}
    found["mac", OWNER] = {"GenerateMac", "VerifyMac"}
    found["signing", SIGNER] = {"Sign"}
    found["pq", SIGNER] = {"Sign"}
    for name in ("signing", "pq", "rsa", "agreement"):
        for persona in Persona:
            if persona is not Persona.OUTSIDER:
                found[name, persona] |= {"GetPublicKey"}
                found[name, persona] |= {"Verify"} if name in ("signing", "pq") else set()
    found["rsa", OPERATOR] |= {"Encrypt"}
    return found


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
        self.policies = {key.name: [*_administration(), *_use(key.name)] for key in KEYS}
        self.identities = {f"{PREFIX}-{persona}": _identity(persona) for persona in ROLES}
        self.trust: dict[str, list[Statement]] = defaultdict(lambda: [TRUST])
        self.permitted = _permitted()
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


def _policy(statements: list[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


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
            "AssumeRolePolicyDocument": _policy(world.trust[name]),
            "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": _policy(own)}] if own else [],
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
            "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": _policy(own)}] if own else [],
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
                {"Document": _policy(BOUNDARY), "VersionId": "v1", "IsDefaultVersion": True}
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
    everything = _policy([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    world.answers("iam:GetPolicyVersion", {"PolicyVersion": {"Document": everything}})
    world.answers("iam:GetRole", {"Role": {"AssumeRolePolicyDocument": _policy([TRUST])}})
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
        return {
            "Policy": _policy(world.policies[world.key_name(request["KeyId"])]) if known else _policy([TRUST])
        }

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
    world.answers("s3:GetBucketPolicy", {"Policy": _policy([])})
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
