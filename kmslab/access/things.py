"""What a question is about: a key, or something that a key protects."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kmslab.access import reading
from kmslab.access.reader import UnreadableError
from kmslab.model.errors import LabError
from kmslab.model.naming import alias_name
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.access.reader import Reader
    from kmslab.access.reading import Key, Reading
    from kmslab.authorization.model import Policy

_KEY_ID = re.compile(r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_KMS_KINDS = ("aws:kms", "aws:kms:dsse")


class Kind(StrEnum):
    """What a thing is."""

    KEY = "key"
    OBJECT = "object"
    VOLUME = "volume"
    SECRET = "secret"  # noqa: S105  # the kind of thing, not a secret
    OTHER = "resource"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a question is about.

    Attributes:
        kind: what it is.
        name: what people call it.
        arn: its ARN.
        key: the KMS key, itself or what protects it; None where no KMS key takes part.
        via: the service that uses the key for its caller; empty for a key.
        context: the encryption context that the service brings.
        policy: its resource policy, where its kind has one.
        tags: that policies speak about; volumes only.
        notes: what was found or assumed, a sentence each.
    """

    kind: Kind
    name: str
    arn: str
    key: Key | None = None
    via: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    policy: Policy | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Finder:
    """Finds things by what people call them.

    Attributes:
        reader: of the target.
        found: the policies that were read.
        outputs: of the lab.
    """

    def __init__(self, reader: Reader, found: Reading, outputs: LabOutputs) -> None:
        self.reader = reader
        self.found = found
        self.outputs = outputs

    def find(self, text: str) -> Thing:
        """Return the thing of that name.

        Args:
            text: alias (``app``, ``alias/kms-lab/app``), key id, ``s3://bucket/key``, a bucket of the lab, volume id,
                name of a secret, or an ARN.

        Raises:
            LabError: there is no such thing; the hint has similar names.
            UnreadableError: it cannot be looked at.
        """
        look = self._how(text)
        if look is None:
            near = get_close_matches(text, self.known(), n=3, cutoff=0.5)
            hint = (
                f"Did you mean {' or '.join(near)}?"
                if near
                else f"For example: {', '.join(self.known()[:3])}."
            )
            raise LabError(f"{text} is no key, object, volume or secret.", hint=hint)
        return look(text)

    def known(self) -> list[str]:
        """Names that can be asked about."""
        names = [key.name for key in self.found.keys]
        return [*names, self.outputs.data_volume, self._own_secret, *self._buckets()]

    @property
    def _own_secret(self) -> str:
        """Name of the lab's secret: the ARN adds six characters to it."""
        return re.sub(r"-\w{6}$", "", self.outputs.app_secret.rpartition(":secret:")[2])

    def _how(self, text: str) -> Callable[[str], Thing] | None:
        service = text.split(":")[2] if text.startswith("arn:") and text.count(":") >= 5 else ""  # noqa: PLR2004  # an ARN has six fields
        if service == "kms" or text.startswith("alias/") or _KEY_ID.fullmatch(text) or self._named(text):
            return self._key
        if text.startswith("s3://") or service == "s3" or text in self._buckets():
            return self._object
        if text.startswith("vol-") or (service == "ec2" and ":volume/" in text):
            return self._volume
        if service == "secretsmanager" or text == self._own_secret or ("/" in text and not service):
            return self._secret
        return (lambda arn: Thing(Kind.OTHER, arn, arn)) if service else None

    def _buckets(self) -> list[str]:
        return [self.outputs.value_of(one) for one in LabOutputs.all() if one.name.endswith("_bucket")]

    def _named(self, text: str) -> Key | None:
        """A key of the lab, by its name, alias, id or ARN."""
        return next(
            (
                key
                for key in self.found.keys
                if text in (key.name, key.arn, key.arn.rpartition("/")[2], *key.aliases)
                or text.endswith(f":{alias_name(self.found.prefix, key.name)}")
            ),
            None,
        )

    def _read_key(self, reference: str) -> Key:
        return self._named(reference) or reading.read_key(
            self.reader, reference, reading.aliases_of(self.reader)
        )

    def _key(self, text: str) -> Thing:
        key = self._read_key(text)
        return Thing(Kind.KEY, key.aliases[0] if key.aliases else key.arn, key.arn, key, policy=key.policy)

    def _object(self, text: str) -> Thing:
        bucket, _, name = text.removeprefix("s3://").rpartition(":")[2].partition("/")
        notes = []
        stored = self.reader.ask("s3:HeadObject", absent="404", Bucket=bucket, Key=name) if name else {}
        algorithm, reference = stored.get("ServerSideEncryption", ""), stored.get("SSEKMSKeyId", "")
        shared = bool(stored.get("BucketKeyEnabled"))
        if not stored:
            if name:
                notes.append("There is no such object: this is about one that is written without a header.")
            algorithm, reference, shared = self._default_encryption(bucket)
        whole = f"arn:{self.found.partition}:s3:::{bucket}"
        arn = f"{whole}/{name or 'any-object'}"
        key = None
        if algorithm in _KMS_KINDS:
            key = self._read_key(reference or "alias/aws/s3")
            scope = (
                "with a Bucket Key, the bucket's ARN" if shared else "without a Bucket Key, the object's ARN"
            )
            notes.append(f"Under the key {key.name} ({algorithm}); its encryption context is, {scope}.")
        else:
            notes.append("No KMS key takes part: S3 encrypts with a key of its own (SSE-S3).")
        return Thing(
            kind=Kind.OBJECT,
            name=f"s3://{bucket}/{name or '*'}",
            arn=arn,
            key=key,
            via="s3",
            context={"aws:s3:arn": whole if shared else arn},
            policy=self.found.bucket_policies.get(bucket) or reading.bucket_policy(self.reader, bucket),
            notes=tuple(notes),
        )

    def _default_encryption(self, bucket: str) -> tuple[str, str, bool]:
        found = self.reader.ask("s3:GetBucketEncryption", Bucket=bucket)["ServerSideEncryptionConfiguration"]
        rule = found["Rules"][0]
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        algorithm = str(default.get("SSEAlgorithm", ""))
        shared = bool(rule.get("BucketKeyEnabled")) and algorithm == "aws:kms"
        return algorithm, str(default.get("KMSMasterKeyID", "")), shared

    def _volume(self, text: str) -> Thing:
        volume = text.rpartition("/")[2]
        described: list[Mapping[str, Any]] = self.reader.ask(
            "ec2:DescribeVolumes", absent="InvalidVolume.NotFound", VolumeIds=[volume]
        ).get("Volumes", [])
        if not described:
            raise UnreadableError(
                f"There is no volume {volume}", hint=f"The lab's is {self.outputs.data_volume}."
            )
        reference = described[0].get("KmsKeyId", "")
        key = self._read_key(reference) if reference else None
        grants = [one for one in key.grants if one.covers("kms:Decrypt")] if key else []
        found = self.found
        return Thing(
            kind=Kind.VOLUME,
            name=volume,
            arn=f"arn:{found.partition}:ec2:{found.region}:{found.account}:volume/{volume}",
            key=key,
            via="ec2",
            context={"aws:ebs:id": volume},
            tags={tag["Key"]: tag["Value"] for tag in described[0].get("Tags", [])},
            notes=(
                f"Under the key {key.name}; {len(grants)} grants of it allow Decrypt now."
                if key
                else "The volume is not encrypted: no KMS key takes part.",
                "Attaching takes the instance's side as well, which is not asked about here.",
            ),
        )

    def _secret(self, text: str) -> Thing:
        described = self.reader.ask(
            "secretsmanager:DescribeSecret", absent="ResourceNotFoundException", SecretId=text
        )
        if not described:
            raise LabError(f"There is no secret {text}.", hint=f"The lab's is {self._own_secret}.")
        arn = str(described["ARN"])
        key = self._read_key(described.get("KmsKeyId") or "alias/aws/secretsmanager")
        return Thing(
            kind=Kind.SECRET,
            name=str(described["Name"]),
            arn=arn,
            key=key,
            via="secretsmanager",
            context={"SecretARN": arn},
            policy=self.found.secret_policies.get(arn) or reading.secret_policy(self.reader, arn),
            notes=(f"Under the key {key.name}.",),
        )
