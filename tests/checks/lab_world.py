"""A fake lab in good order: its keys with their policies, who may do what with them, and its identities.

Written from the README, as the checks are; nothing here looks at `stacks`.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import KEYS
from kmslab.model.persona import Persona
from tests.checks.fake_identities import identities
from tests.checks.fake_kms import FakeKey, FakeKms
from tests.checks.fakes import (
    ACCOUNT,
    OUTPUTS,
    PREFIX,
    REGION,
    Request,
    Statement,
    World,
    key_arn,
    policy_document,
    role_arn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-cfn-exec-role-{ACCOUNT}-eu-central-1"
CONTEXT = {"kmslab": "training"}
USE = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    }
)
LOOK = frozenset(
    {
        "DescribeKey",
        "GetKeyPolicy",
        "GetKeyLastUsage",
        "GetKeyRotationStatus",
        "ListGrants",
        "ListKeyRotations",
        "ListResourceTags",
    }
)
ADMINISTER = frozenset(
    {"EnableKey", "DisableKey", "TagResource", "UntagResource", "DescribeKey", "GetParametersForImport"}
)
NOBODY = frozenset({"PutKeyPolicy", "UpdateAlias", "ReplicateKey", "ScheduleKeyDeletion"})
THROUGH = {"s3": "s3", "ebs": "ec2", "secrets": "secretsmanager"}
"""Keys that are used through one service."""
USED = ("kms:Encrypt", "kms:Decrypt")


class LabWorld(World):
    """A world with a lab in it.

    Attributes:
        kms: its keys.
        objects: what is in its buckets, by (bucket, key).
    """

    def __init__(self) -> None:
        super().__init__()
        self.kms = FakeKms(self)
        self.objects: dict[tuple[str, str], bytes] = {}


def kms_of(world: World) -> FakeKms:
    """The world's KMS, to break it."""
    assert isinstance(world, LabWorld)
    return world.kms


def key(world: World, name: str) -> FakeKey:
    """One of the lab's keys, to break it."""
    return kms_of(world).keys[key_arn(name)]


def changed(name: str, **attributes: object) -> Callable[[World], object]:
    """Break one key of the lab: other attributes than the good lab's."""
    return lambda world: vars(key(world, name)).update(attributes)


def ignores_state(world: World) -> None:
    """A KMS that decrypts whatever state a key is in."""
    kms_of(world).usable = kms_of(world).find  # type: ignore[method-assign]  # that is the break


def given(operation: str, persona: Persona) -> Callable[[World], object]:
    """Break the world by letting a persona through."""
    return lambda world: world.answers(f"kms:{operation}", getattr(kms_of(world), operation), persona)


def good_lab() -> LabWorld:
    """Return a world in which every check passes."""
    world = LabWorld()
    for expected in KEYS:
        world.kms.add(
            key_arn(expected.name),
            f"alias/{PREFIX}/{expected.name}",
            spec=expected.spec,
            usage=expected.usage,
            origin=expected.origin,
            description=f"KMS Lab: {expected.name}",
            multi_region=expected.multi_region,
            rotation_days=365 if expected.rotates else 0,
            state="Enabled" if expected.origin == "AWS_KMS" else "PendingImport",
            tags=[{"TagKey": "kmslab:prefix", "TagValue": PREFIX}],
            policy=policy_document(*key_policy(expected.name)),
        )
    world.kms.add(key_arn("aws-s3"), "alias/aws/s3", manager="AWS", policy=policy_document(for_account(USED)))
    lab_keys = frozenset(world.kms.keys)
    for operation in USE | LOOK | ADMINISTER | NOBODY | {"CreateGrant", "RevokeGrant", "RetireGrant"}:
        world.refuses(f"kms:{operation}", when=lambda request: not _permitted(world, lab_keys, request))
    _s3(world)
    identities(world)
    _stacks(world)
    world.answers("resourcegroupstaggingapi:GetResources", partial(tagged, world))
    return world


def tagged(world: LabWorld, request: Request) -> dict[str, Any]:
    """The tagging service of a Region: its keys that have every tag asked for."""

    def asked(key: FakeKey) -> bool:
        tags = {tag["TagKey"]: tag["TagValue"] for tag in key.tags}
        return all(
            wanted["Key"] in tags and tags[wanted["Key"]] in wanted.get("Values", tags.values())
            for wanted in request["TagFilters"]
        )

    return {
        "ResourceTagMappingList": [
            {
                "ResourceARN": arn,
                "Tags": [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in one.tags],
            }
            for arn, one in world.kms.keys.items()
            if asked(one) and arn.split(":")[3] == (request.region or REGION)
        ]
    }


def _stacks(world: LabWorld) -> None:
    """The stack of the keys, as deployed: each key that rotates with its period."""
    keys = {expected.name: key_arn(expected.name).rpartition("/")[2] for expected in KEYS}
    period = {expected.name: {"RotationPeriodInDays": 365} for expected in KEYS if expected.rotates}
    resources = {
        name: {"Type": "AWS::KMS::Key", "Properties": {"Description": name, **period.get(name, {})}}
        for name in keys
    }
    world.answers("cloudformation:GetTemplate", {"TemplateBody": {"Resources": resources}})
    listed = [
        {"LogicalResourceId": name, "PhysicalResourceId": key_id, "ResourceType": "AWS::KMS::Key"}
        for name, key_id in keys.items()
    ]
    world.answers("cloudformation:DescribeStackResources", {"StackResources": listed})


def key_policy(name: str) -> list[Statement]:
    """The policy of a key: administration by name, use by the owner or through one service."""
    in_context = {f"kms:EncryptionContext:{pair}": value for pair, value in CONTEXT.items()}
    statements = [
        for_account(("kms:PutKeyPolicy", "kms:DisableKey", "kms:ScheduleKeyDeletion"), ROOT, EXECUTION_ROLE),
        for_account(("kms:DescribeKey", "kms:EnableKey", "kms:DisableKey"), role_arn("key-administrator")),
    ]
    if name in THROUGH:
        service, principals = THROUGH[name], () if name == "secrets" else (role_arn("data-owner"),)
        use = for_account(("kms:Decrypt", "kms:GenerateDataKey"), *principals)
        statements.append(when(use, **through(service)))
    if name == "ebs":
        grant = for_account(("kms:CreateGrant",), role_arn("data-owner"))
        grant["Condition"]["Bool"] = {"kms:GrantIsForAWSResource": "true"}
        statements.append(when(grant, **through("ec2")))
    if name == "trail":
        statements.append(cloudtrail())
    if name in {"app", "global"}:
        use = for_account(("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"), role_arn("data-owner"))
        grant = for_account(("kms:CreateGrant",), role_arn("data-owner"))
        grant["Condition"]["ForAllValues:StringEquals"] = {"kms:GrantOperations": ["Decrypt"]}
        limits = {
            "kms:GrantConstraintType": "EncryptionContextEquals",
            "kms:GranteePrincipal": role_arn("outsider"),
        }
        statements += [when(use, **in_context), when(grant, **in_context, **limits)]
    if name in THROUGH or name in {"app", "global", "trail"}:
        return statements
    return [
        *statements,
        for_account(("kms:Decrypt", "kms:GenerateDataKey", "kms:Sign"), role_arn("data-owner")),
    ]


def through(service: str) -> dict[str, str]:
    """As a condition: this account's principals, through one service."""
    return {"kms:ViaService": f"{service}.eu-central-1.amazonaws.com", "kms:CallerAccount": ACCOUNT}


def when(statement: Statement, **equal: str) -> Statement:
    """The statement under further conditions."""
    condition = statement.setdefault("Condition", {})
    condition["StringEquals"] = {**condition.get("StringEquals", {}), **equal}
    return statement


def for_account(actions: tuple[str, ...], *principals: str) -> Statement:
    """A statement for the account, narrowed to principals unless none is given."""
    statement: Statement = {
        "Sid": "Test",
        "Effect": "Allow",
        "Principal": {"AWS": ROOT},
        "Action": list(actions),
        "Resource": "*",
    }
    if principals:
        statement["Condition"] = {"ArnEquals": {"aws:PrincipalArn": list(principals)}}
    return statement


def cloudtrail() -> Statement:
    """What lets CloudTrail encrypt the log files of the lab's trail."""
    return {
        "Sid": "CloudTrail",
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "kms:GenerateDataKey*",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:SourceArn": OUTPUTS.trail},
            "StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*:trail/*"},
        },
    }


def _permitted(world: LabWorld, lab_keys: frozenset[str], request: Request) -> bool:
    """Who may do what with the lab's keys; temporary keys are the operator's."""
    operation = request.action.partition(":")[2]
    who = request.persona
    if operation == "RetireGrant":
        grant = world.kms.grants[request.get("GrantId") or request["GrantToken"]]
        own = grant["GranteePrincipal"] == role_arn(who) and "RetireGrant" in grant["Operations"]
        return own or grant.get("RetiringPrincipal") == role_arn(who)
    about = world.kms.key_of(request)
    if about.arn == key_arn("aws-s3"):
        return who is Persona.OPERATOR and operation in LOOK
    if about.arn not in lab_keys:
        return who is Persona.OPERATOR
    if operation in USE:
        context = request.get("EncryptionContext", {}).items()
        owner = who is Persona.DATA_OWNER and CONTEXT.items() <= context
        return about.arn == key_arn("app") and (owner or _granted(world, request, operation))
    if operation == "CreateGrant":
        to = {role_arn("data-reader"), role_arn("outsider")}
        narrow = (
            bool(request.get("Constraints"))
            and request["GranteePrincipal"] in to
            and "CreateGrant" not in request["Operations"]
        )
        return who is Persona.DATA_OWNER and narrow
    return (
        (operation in LOOK and who in {Persona.AUDITOR, Persona.DATA_OWNER})
        or (operation in ADMINISTER and who is Persona.KEY_ADMINISTRATOR)
        or (operation == "RevokeGrant" and who is Persona.DATA_OWNER)
    )


def _granted(world: LabWorld, request: Request, operation: str) -> bool:
    context = request.get("EncryptionContext", {})
    return any(
        grant["GranteePrincipal"] == role_arn(request.persona)
        and operation in grant["Operations"]
        and (
            grant["Constraints"].get("EncryptionContextEquals") == context
            or grant["Constraints"].get("EncryptionContextSubset", {"": ""}).items() <= context.items()
        )
        for grant in world.kms.grants.values()
    )


def _s3(world: LabWorld) -> None:
    def put(request: Request) -> Mapping[str, Any]:
        world.objects[request["Bucket"], request["Key"]] = request["Body"]
        return {}

    def get(request: Request) -> Mapping[str, Any]:
        return {"Body": io.BytesIO(world.objects[request["Bucket"], request["Key"]])}

    def versions(request: Request) -> Mapping[str, Any]:
        found = [k for b, k in world.objects if b == request["Bucket"] and k.startswith(request["Prefix"])]
        return {"Versions": [{"Key": k, "VersionId": "1"} for k in found]}

    def delete_all(request: Request) -> Mapping[str, Any]:
        for named in request["Delete"]["Objects"]:
            del world.objects[request["Bucket"], named["Key"]]
        return {}

    world.answers("s3:PutObject", put).answers("s3:GetObject", get)
    world.answers("s3:ListObjectVersions", versions).answers("s3:DeleteObjects", delete_all)
