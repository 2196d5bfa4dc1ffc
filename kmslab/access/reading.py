"""The policies of an account and of the lab's things, read once.

Identities come from GetAccountAuthorizationDetails, which every target that knows IAM answers; policies that
it attaches but does not show (AWS's own, on some targets) are read one by one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.access.reader import Reader, UnreadableError
from kmslab.authorization.keys import Grant
from kmslab.authorization.model import Policy, Principal, PrincipalKind
from kmslab.model.deployers import EXECUTION_ROLE
from kmslab.model.naming import role_name
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import ROLES, Persona

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kmslab.lab import Access

ADMINISTRATOR_ACCESS = ":policy/AdministratorAccess"
"""How the ARN of AWS's managed policy for administrators ends."""
_BOOTSTRAP = re.compile(
    r":role/cdk-[a-z0-9]+-(deploy|file-publishing|image-publishing|lookup)-role-\d{12}-[a-z0-9-]+$"
)
"""ARNs of the bootstrap's roles beside CloudFormation's."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A user or role of the account.

    Attributes:
        name: a persona's name (``data-owner``), ``operator``, or the name that IAM knows.
        principal: as the evaluator takes it, with all its policies.
        trust: who may assume the role; None for users.
        managed: ARNs of the managed policies attached to it or its groups.
    """

    name: str
    principal: Principal
    trust: Policy | None = None
    managed: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """Its IAM ARN."""
        return self.principal.arn

    @property
    def administers_the_account(self) -> bool:
        """Whether AWS's AdministratorAccess is attached, which a boundary may still narrow."""
        return any(arn.endswith(ADMINISTRATOR_ACCESS) for arn in self.managed)

    @property
    def deploys(self) -> bool:
        """Whether it is CloudFormation's execution role, or another role of the standard ``cdk bootstrap``."""
        return self.is_execution_role or _BOOTSTRAP.search(self.arn) is not None

    @property
    def is_execution_role(self) -> bool:
        """Whether CloudFormation acts as this role."""
        return EXECUTION_ROLE.fullmatch(self.arn) is not None


@dataclass(frozen=True, slots=True)
class Key:
    """A KMS key and all that decides about it.

    Attributes:
        arn: of the key.
        name: ``app`` for a key of the lab, else its alias (``aws/s3``), or its id when it has none.
        metadata: KeyMetadata of DescribeKey.
        policy: its key policy.
        aliases: names of its aliases.
        tags: its tags.
        grants: its grants.
    """

    arn: str
    name: str
    metadata: Mapping[str, Any]
    policy: Policy
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Attributes:
        prefix: the lab's.
        account: its 12 digits.
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
        region: of the keys.
        identities: the personas and the operator first, then everyone else in the account.
        keys: the lab's, in the order of its outputs.
        bucket_policies: of the lab's buckets that keep data, by bucket name.
        secret_policies: resource policies of the lab's secrets, by secret ARN.
    """

    prefix: str
    account: str
    partition: str
    region: str
    identities: tuple[Identity, ...]
    keys: tuple[Key, ...]
    bucket_policies: Mapping[str, Policy] = field(default_factory=dict)
    secret_policies: Mapping[str, Policy] = field(default_factory=dict)

    @property
    def root(self) -> Identity:
        """The account's root user."""
        arn = f"arn:{self.partition}:iam::{self.account}:root"
        return Identity("root user", Principal(arn, self.account, PrincipalKind.ROOT))

    @property
    def personas(self) -> tuple[Identity, ...]:
        """The roles of the lab's personas."""
        return tuple(one for one in self.identities if one.name in ROLES)

    def key(self, name: str) -> Key:
        """The lab's key of that name, which must be there."""
        return next(key for key in self.keys if key.name == name)


def read(access: Access, outputs: LabOutputs, run_id: str = "") -> Reading:
    """Read the policies of the account and of the lab.

    Args:
        access: to the target.
        outputs: of the lab.
        run_id: of the run of the checks that it is for: it shares what they ask; empty when it is for no run.

    Raises:
        UnreadableError: some of it could not be read; nothing is answered from a half of the policies.
        botocore.exceptions.BotoCoreError, ClientError: the operator's credentials do not work at all.
    """
    account, partition = access.account, access.partition
    reader = Reader(access, run_id)
    keys = [
        (output.name.removeprefix("key_"), outputs.value_of(output))
        for output in LabOutputs.all()
        if output.name.startswith("key_") and outputs.value_of(output)
    ]
    buckets = (outputs.data_bucket, outputs.dsse_bucket, outputs.trail_bucket)
    secrets = (outputs.app_secret,)
    aliases = aliases_of(reader)
    return Reading(
        prefix=access.prefix,
        account=account,
        partition=partition,
        region=access.target.region,
        identities=tuple(read_identities(reader)),
        keys=tuple(reader.each(lambda key: read_key(reader, key[1], aliases, name=key[0]), keys)),
        bucket_policies=dict(
            zip(buckets, reader.each(lambda one: bucket_policy(reader, one), buckets), strict=True)
        ),
        secret_policies=dict(
            zip(secrets, reader.each(lambda one: secret_policy(reader, one), secrets), strict=True)
        ),
    )


# --- keys and the things they protect


def aliases_of(reader: Reader) -> Mapping[str, tuple[str, ...]]:
    """Names of the account's aliases, by key id."""
    found: dict[str, tuple[str, ...]] = {}
    for alias in reader.all_of("kms:ListAliases", "Aliases")["Aliases"]:
        target = str(alias.get("TargetKeyId", ""))
        found[target] = (*found.get(target, ()), str(alias["AliasName"]))
    return found


def read_key(
    reader: Reader, reference: str, aliases: Mapping[str, tuple[str, ...]], *, name: str = ""
) -> Key:
    """Read one key: by ARN, id or alias.

    Raises:
        UnreadableError: there is no such key, or nobody may look at it.
    """
    metadata = reader.ask("kms:DescribeKey", KeyId=reference)["KeyMetadata"]
    arn = str(metadata["Arn"])
    of_key = aliases.get(str(metadata["KeyId"]), ())
    name = name or (of_key[0].removeprefix("alias/") if of_key else str(metadata["KeyId"]))
    called = of_key[0] if of_key else arn
    document = reader.ask("kms:GetKeyPolicy", KeyId=arn, PolicyName="default")["Policy"]
    tags = reader.all_of("kms:ListResourceTags", "Tags", KeyId=arn)["Tags"]
    grants = reader.all_of("kms:ListGrants", "Grants", KeyId=arn)["Grants"]
    return Key(
        arn=arn,
        name=name,
        metadata=metadata,
        policy=_parsed(f"key policy of {called}", document),
        aliases=of_key,
        tags={tag["TagKey"]: tag["TagValue"] for tag in tags},
        grants=tuple(Grant.from_entry(entry) for entry in grants),
    )


def bucket_policy(reader: Reader, bucket: str) -> Policy:
    """Read a bucket's policy; empty when it has none."""
    found = reader.ask("s3:GetBucketPolicy", absent="NoSuchBucketPolicy", Bucket=bucket)
    return _parsed(f"policy of bucket {bucket}", found.get("Policy") or {})


def secret_policy(reader: Reader, secret: str) -> Policy:
    """Read a secret's resource policy; empty when it has none."""
    found = reader.ask("secretsmanager:GetResourcePolicy", SecretId=secret)
    return _parsed(
        f"resource policy of secret {secret.rpartition(':')[2]}", found.get("ResourcePolicy") or {}
    )


def _parsed(name: str, document: str | Mapping[str, Any]) -> Policy:
    try:
        return Policy.parse(name, document)
    except (ValueError, AttributeError) as problem:
        raise UnreadableError(f"The {name} is no policy: {problem}") from problem


# --- identities


def read_identities(reader: Reader) -> Iterable[Identity]:
    """Read every user and role of the account with their policies: the personas and the operator first."""
    lists = reader.all_of(
        "iam:GetAccountAuthorizationDetails",
        "UserDetailList",
        "GroupDetailList",
        "RoleDetailList",
        "Policies",
    )
    managed = _managed(reader, lists)
    groups = {group["GroupName"]: group for group in lists["GroupDetailList"]}
    found = [
        *(_identity(reader, role, "role", (), managed) for role in lists["RoleDetailList"]),
        *(
            _identity(reader, user, "user", [groups[name] for name in user.get("GroupList", ())], managed)
            for user in lists["UserDetailList"]
        ),
    ]
    order = [*ROLES, Persona.OPERATOR]
    return sorted(found, key=lambda one: order.index(Persona(one.name)) if one.name in order else len(order))


def _identity(
    reader: Reader,
    detail: Mapping[str, Any],
    kind: str,
    groups: Iterable[Mapping[str, Any]],
    managed: Mapping[str, Policy],
) -> Identity:
    arn, name = str(detail["Arn"]), str(detail[f"{kind.capitalize()}Name"])
    inline, attached = [*_inline(detail, kind, name)], _attached(detail)
    for group in groups:
        inline += _inline(group, "group", group["GroupName"])
        attached += _attached(group)
    boundary = detail.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    tags = {f"aws:PrincipalTag/{tag['Key']}": tag["Value"] for tag in detail.get("Tags", ())}
    keys = {"aws:username": name, "aws:userid": detail["UserId"]} if kind == "user" else {}
    trust = detail.get("AssumeRolePolicyDocument")
    return Identity(
        name=_called(reader.access, arn, name),
        principal=Principal(
            arn=arn,
            account=reader.access.account,
            kind=PrincipalKind(kind),
            policies=(*inline, *(managed[one] for one in attached)),
            boundary=managed[boundary] if boundary else None,
            condition_keys={**tags, **keys},
        ),
        trust=_parsed(f"trust policy of role {name}", trust) if trust else None,
        managed=tuple(attached),
    )


def _called(access: Access, arn: str, name: str) -> str:
    """A persona's name, ``operator``, or the name that IAM knows."""
    for persona in ROLES:
        if name == role_name(access.prefix, persona):
            return persona
    caller = access.caller["Arn"]
    role = caller.partition(":assumed-role/")[2].partition("/")[0]
    if caller == arn or (":role/" in arn and name == role):
        return Persona.OPERATOR
    return arn.rpartition(":")[2] if name in {*Persona} else name


def _inline(detail: Mapping[str, Any], kind: str, name: str) -> list[Policy]:
    return [
        _parsed(f"inline policy {policy['PolicyName']} of {kind} {name}", policy["PolicyDocument"])
        for policy in detail.get(f"{kind.capitalize()}PolicyList", ())
    ]


def _attached(detail: Mapping[str, Any]) -> list[str]:
    return [str(policy["PolicyArn"]) for policy in detail.get("AttachedManagedPolicies", ())]


def _managed(reader: Reader, lists: Mapping[str, list[Any]]) -> Mapping[str, Policy]:
    """Every managed policy that is attached or a boundary, by ARN, in its default version."""
    found = {
        str(policy["Arn"]): _parsed(
            f"policy {policy['PolicyName']}",
            next(one["Document"] for one in policy["PolicyVersionList"] if one["IsDefaultVersion"]),
        )
        for policy in lists["Policies"]
        if policy.get("PolicyVersionList")
    }
    wanted = {
        arn
        for name in ("UserDetailList", "GroupDetailList", "RoleDetailList")
        for detail in lists[name]
        for arn in (
            *_attached(detail),
            *filter(None, [detail.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")]),
        )
    }
    missing = sorted(wanted - found.keys())
    return {
        **found,
        **dict(zip(missing, reader.each(lambda arn: _one_policy(reader, arn), missing), strict=True)),
    }


def _one_policy(reader: Reader, arn: str) -> Policy:
    version = reader.ask("iam:GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = reader.ask("iam:GetPolicyVersion", PolicyArn=arn, VersionId=version)["PolicyVersion"]
    document = found["Document"]
    return _parsed(
        f"policy {arn.rpartition('/')[2]}", json.loads(document) if isinstance(document, str) else document
    )
