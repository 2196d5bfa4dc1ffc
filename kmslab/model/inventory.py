"""What is deployed, as the target's API tells it: the keys, and what lies under each of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Thing(StrEnum):
    """What a key protects, as a word for people."""

    BUCKET = "bucket"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    SECRET = "secret"  # noqa: S105  # a word, not a secret
    PARAMETER = "parameter"
    TRAIL = "trail"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """One KMS key.

    Attributes:
        name: the last part of its alias, ``s3``; the key id where no alias of the lab leads to it.
        arn: of the key.
        aliases: every alias of the lab that points to it; empty where none does.
        spec: ``SYMMETRIC_DEFAULT``, ``RSA_4096``, as KMS names it.
        usage: ``ENCRYPT_DECRYPT``, as KMS names it.
        origin: ``AWS_KMS``, or ``EXTERNAL`` for imported material.
        state: ``Enabled``, ``PendingImport``, as KMS names it.
        rotation_days: the period of automatic rotation; 0: it is off, None: KMS does not rotate such a key.
        multi_region: whether it is a multi-Region key.
    """

    name: str
    arn: str
    aliases: tuple[str, ...]
    spec: str
    usage: str
    origin: str
    state: str
    rotation_days: int | None
    multi_region: bool


@dataclass(frozen=True, slots=True)
class Protected:
    """One thing that holds data at rest.

    Attributes:
        kind: what it is.
        name: as its service names it.
        key: ARN of the key that it is under; else what stands there: an alias such as ``alias/aws/s3``,
            or the empty string for a key that AWS owns and does not name.
        how: how it is encrypted, in a few words: ``SSE-KMS, Bucket Key``; may be empty.
    """

    kind: Thing
    name: str
    key: str
    how: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The keys of the lab and what is under them.

    Attributes:
        keys: in the order of the lab's outputs.
        things: by kind, in the order of `Thing`.
        unread: what could not be read, each with the reason in one line.
    """

    keys: tuple[KeyFacts, ...]
    things: tuple[Protected, ...]
    unread: tuple[str, ...] = ()

    def under(self, key: KeyFacts) -> tuple[Protected, ...]:
        """What lies under a key."""
        return tuple(thing for thing in self.things if thing.key == key.arn)

    @property
    def elsewhere(self) -> tuple[Protected, ...]:
        """What lies under none of these keys."""
        known = {key.arn for key in self.keys}
        return tuple(thing for thing in self.things if thing.key not in known)
