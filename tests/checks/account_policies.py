"""The lab's identities and key policies as the README describes them, and a table of who can do what.

Written apart from each other: the checks compare what the evaluator makes of the policies with what the table permits.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import KEYS
from kmslab.model.persona import Persona
from tests.checks.fakes import ACCOUNT, OUTPUTS, REGION, Statement, key_arn, role_arn

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-{REGION}"
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


def administration() -> list[Statement]:
    """What every key's policy says about its administration."""
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


def use(name: str) -> list[Statement]:
    """What a key's policy says about its use, by the key's name."""
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


def identity_policy(persona: Persona) -> list[Statement]:
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


def permitted() -> dict[tuple[str, Persona], set[str]]:
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
