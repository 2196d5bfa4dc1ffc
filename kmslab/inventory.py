"""Reads what is deployed from a target's API: the lab's keys, and what lies under each of them.

Nothing here comes from the templates: the outputs say which things are the lab's, the services say
how each of them is encrypted.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.model.evidence import code_of
from kmslab.model.inventory import Inventory, KeyFacts, Protected, Thing
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG, alias_name, secure_string_name
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kmslab.lab import Access

READERS = 8
"""Calls at a time."""

CANNOT_ROTATE = "UnsupportedOperationException"
"""What KMS answers when it is asked how often it rotates an asymmetric or HMAC key."""

_ALGORITHMS = {"aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS", "AES256": "SSE-S3"}


def read_inventory(access: Access, outputs: LabOutputs) -> Inventory:
    """Ask the target, as the auditor, for every key of the lab and everything that lies under one.

    What cannot be read is left out and named in ``Inventory.unread``; nothing is raised for it.
    """
    return _Reader(access, outputs).read()


class _Reader:
    def __init__(self, access: Access, outputs: LabOutputs) -> None:
        self._access = access
        self._outputs = outputs
        self._unread: list[str] = []

    def read(self) -> Inventory:
        aliases = self._try("kms:ListAliases", self._aliases) or {}
        arns = [getattr(self._outputs, o.name) for o in LabOutputs.all() if o.name.startswith("key_")]
        jobs: list[tuple[str, Callable[[], Any]]] = [
            (f"kms:DescribeKey {arn}", partial(self._key, arn, aliases)) for arn in arns if arn
        ]
        jobs += self._things()
        with ThreadPoolExecutor(READERS, thread_name_prefix="inventory") as pool:
            found = list(pool.map(lambda job: self._try(*job), jobs))
        keys = [one for one in found if isinstance(one, KeyFacts)]
        things = [thing for several in found if isinstance(several, list) for thing in several]
        return Inventory(
            tuple(keys),
            tuple(_named(thing, keys, aliases) for thing in things),
            tuple(sorted(self._unread)),
        )

    def _things(self) -> list[tuple[str, Callable[[], Any]]]:
        out = self._outputs
        buckets = (
            out.data_bucket,
            out.dsse_bucket,
            out.aws_managed_bucket,
            out.sse_s3_bucket,
            out.access_log_bucket,
            out.trail_bucket,
        )
        return [
            *((f"s3:GetBucketEncryption {name}", partial(self._bucket, name)) for name in buckets),
            ("ec2:DescribeVolumes", self._volumes_and_snapshots),
            *(
                (f"secretsmanager:DescribeSecret {arn}", partial(self._secret, arn))
                for arn in (out.app_secret, out.admin_password_secret)
            ),
            ("ssm:DescribeParameters", self._parameters),
            ("cloudtrail:GetTrail", self._trail),
            ("sns:GetTopicAttributes", self._topic),
        ]

    def _try(self, what: str, look: Callable[[], Any]) -> Any:
        """Return what there is; None, and a line about it, where it cannot be seen."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return look()
        except (BotoCoreError, ClientError) as error:
            self._unread.append(f"{what}: {code_of(error)}")
        return None

    def _client(self, service: str) -> Any:
        return self._access.client(Persona.AUDITOR, service)

    def _aliases(self) -> dict[str, str]:
        """Key id of every alias of the account."""
        pages = self._client("kms").get_paginator("list_aliases").paginate()
        return {
            alias["AliasName"]: alias["TargetKeyId"]
            for page in pages
            for alias in page["Aliases"]
            if "TargetKeyId" in alias
        }

    def _key(self, arn: str, aliases: Mapping[str, str]) -> KeyFacts:
        facts = self._client("kms").describe_key(KeyId=arn)["KeyMetadata"]
        ours = alias_name(self._access.prefix, "")
        leading = sorted(
            alias for alias, key in aliases.items() if key == facts["KeyId"] and alias.startswith(ours)
        )
        return KeyFacts(
            name=leading[0].removeprefix(ours) if leading else facts["KeyId"],
            arn=facts["Arn"],
            aliases=tuple(leading),
            spec=facts["KeySpec"],
            usage=facts["KeyUsage"],
            origin=facts["Origin"],
            state=facts["KeyState"],
            rotation_days=self._rotation(facts),
            multi_region=bool(facts.get("MultiRegion")),
        )

    def _rotation(self, facts: Mapping[str, Any]) -> int | None:
        from botocore.exceptions import ClientError

        # Of a key pair or an HMAC key KMS says that it does not rotate, not that it cannot.
        if facts["Origin"] != "AWS_KMS" or facts["KeySpec"] != "SYMMETRIC_DEFAULT":
            return None
        try:
            status = self._client("kms").get_key_rotation_status(KeyId=facts["Arn"])
        except ClientError as error:
            if code_of(error) == CANNOT_ROTATE:
                return None
            raise
        days: int = status.get("RotationPeriodInDays", 365)  # KMS's own default, where a target leaves it out
        return days if status["KeyRotationEnabled"] else 0

    def _bucket(self, name: str) -> list[Protected]:
        found = self._client("s3").get_bucket_encryption(Bucket=name)
        rule = found["ServerSideEncryptionConfiguration"]["Rules"][0]
        default = rule["ApplyServerSideEncryptionByDefault"]
        algorithm = default["SSEAlgorithm"]
        key = default.get("KMSMasterKeyID", "alias/aws/s3" if algorithm != "AES256" else "")
        how = _ALGORITHMS.get(algorithm, algorithm)
        with_bucket_key = algorithm == "aws:kms" and rule.get("BucketKeyEnabled")
        return [Protected(Thing.BUCKET, name, key, f"{how}, Bucket Key" if with_bucket_key else how)]

    def _volumes_and_snapshots(self) -> list[Protected]:
        ec2 = self._client("ec2")
        tagged = {"Name": f"tag:{PREFIX_TAG}", "Values": [self._access.prefix]}
        volumes = list(_lasting(ec2, "describe_volumes", "Volumes", Filters=[tagged]))
        ids = [volume["VolumeId"] for volume in volumes]
        of_these = {"Name": "volume-id", "Values": ids}
        snapshots = (
            list(_lasting(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=[of_these]))
            if ids
            else []
        )
        return [
            *(_block_storage(Thing.VOLUME, "VolumeId", one) for one in volumes),
            *(_block_storage(Thing.SNAPSHOT, "SnapshotId", one) for one in snapshots),
        ]

    def _secret(self, arn: str) -> list[Protected]:
        found = self._client("secretsmanager").describe_secret(SecretId=arn)
        return [Protected(Thing.SECRET, found["Name"], found.get("KmsKeyId", "alias/aws/secretsmanager"))]

    def _parameters(self) -> list[Protected]:
        name = secure_string_name(self._access.prefix)
        only = {"Key": "Name", "Option": "Equals", "Values": [name]}
        found = self._client("ssm").describe_parameters(ParameterFilters=[only])["Parameters"]
        return [
            Protected(Thing.PARAMETER, one["Name"], one.get("KeyId", ""), one.get("Type", ""))
            for one in found
        ]

    def _trail(self) -> list[Protected]:
        trail = self._client("cloudtrail").get_trail(Name=self._outputs.trail)["Trail"]
        validated = (
            "log file validation" if trail.get("LogFileValidationEnabled") else "no log file validation"
        )
        return [Protected(Thing.TRAIL, trail["Name"], trail.get("KmsKeyId", ""), validated)]

    def _topic(self) -> list[Protected]:
        arn = self._outputs.alarm_topic
        attributes = self._client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
        return [Protected(Thing.TOPIC, arn.rpartition(":")[2], attributes.get("KmsMasterKeyId", ""))]


def _lasting(ec2: Any, operation: str, member: str, **parameters: Any) -> Iterable[Mapping[str, Any]]:
    """What EC2 lists, without what a check made for itself."""
    for page in ec2.get_paginator(operation).paginate(**parameters):
        for one in page[member]:
            if not any(tag["Key"] == TEMPORARY_TAG for tag in one.get("Tags", ())):
                yield one


def _block_storage(kind: Thing, identifier: str, found: Mapping[str, Any]) -> Protected:
    key = found.get("KmsKeyId", "") if found.get("Encrypted") else ""
    return Protected(kind, found[identifier], key, "" if found.get("Encrypted") else "not encrypted")


def _named(thing: Protected, keys: Sequence[KeyFacts], aliases: Mapping[str, str]) -> Protected:
    """The same thing with its key's ARN, where the service gave an alias or a bare key id."""
    key_id = aliases.get(thing.key, thing.key)
    for key in keys:
        if key_id in {key.arn, key.arn.rpartition("/")[2]}:
            return Protected(thing.kind, thing.name, key.arn, thing.how)
    return thing
