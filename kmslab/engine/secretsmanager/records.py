"""Secrets and their versions: what is kept of them, how they are found, how labels move.

They live in MiniStack's own stores, by account, Region and name, so that they are saved and restored with
everything else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypedDict

from ministack.core.responses import get_account_id, get_region
from ministack.services import secretsmanager

from kmslab.engine.secretsmanager.errors import (
    SecretsError,
    invalid_request,
    marked_for_deletion,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
KEPT_VERSIONS = 100
KEPT_SECONDS = 86400
"""Secrets Manager keeps the 100 most recent versions, and every version of the last 24 hours."""
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_+=.@!")
_ARN_FIELDS = 7
_DAY = 86400


class Copy(TypedDict):
    """A version's value under one KMS key.

    Attributes:
        Key: the KMS key's ARN.
        WrappedKey: the data key under it.
        Ciphertext: the value under the data key.
    """

    Key: str
    WrappedKey: bytes
    Ciphertext: bytes


class Version(TypedDict):
    """One version of a secret.

    Attributes:
        Member: how the value came, ``SecretString`` or ``SecretBinary``; empty while rotation has put none.
        Copies: the value under each key that opens it, the newest first.
        Stages: its labels, sorted.
        CreatedDate: seconds since the epoch.
        LastAccessedDate: the day, in seconds since the epoch; 0 when it was never read.
    """

    Member: str
    Copies: list[Copy]
    Stages: list[str]
    CreatedDate: float
    LastAccessedDate: float


class Secret(TypedDict, total=False):
    """A secret. Members are those of DescribeSecret, but for the following.

    Attributes:
        Versions: by id, in the order they were made.
        PrimaryArn: of a replica's primary secret.
    """

    ARN: str
    Name: str
    Description: str
    KmsKeyId: str
    Tags: list[dict[str, str]]
    CreatedDate: float
    LastChangedDate: float
    LastAccessedDate: float
    LastRotatedDate: float
    NextRotationDate: float
    DeletedDate: float
    RotationEnabled: bool
    RotationLambdaARN: str
    RotationRules: dict[str, Any]
    ReplicationStatus: list[dict[str, Any]]
    Versions: dict[str, Version]
    PrimaryArn: str


def now() -> float:
    """The time to the millisecond, as Secrets Manager tells it."""
    return round(time.time(), 3)


def today() -> float:
    """The beginning of the day, to which accesses are rounded."""
    return float(int(time.time()) // _DAY * _DAY)


def owner(secret: Secret) -> tuple[str, str]:
    """The account and the Region of a secret."""
    _, _, _, region, account, _, _ = secret["ARN"].split(":", _ARN_FIELDS - 1)
    return account, region


def is_foreign(secret: Secret) -> bool:
    """Whether another account than the caller's owns it."""
    return bool(owner(secret)[0] != get_account_id())


def _check_name(name: str) -> None:
    if not name or not _NAME.issuperset(name):
        raise SecretsError(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )


def by_name(name: str) -> Secret | None:
    """The caller's own secret of a name, in the request's Region.

    Raises:
        SecretsError: the name cannot be one.
    """
    _check_name(name)
    return _alive(secretsmanager._secrets.get(name))


def look_up(secret_id: str) -> Secret | None:
    """Find a secret by name, ARN or the ARN without its last six characters; ARNs reach other accounts.

    Raises:
        SecretsError: it cannot be the name of a secret.
    """
    if not secret_id.startswith("arn:"):
        return by_name(secret_id)
    fields = secret_id.split(":", _ARN_FIELDS - 1)
    if len(fields) < _ARN_FIELDS or fields[2] != "secretsmanager" or fields[3] != get_region():
        return None
    candidates: list[Secret] = secretsmanager._secrets.values_scoped(fields[4], fields[3])
    named = next((one for one in candidates if secret_id in (one["ARN"], one["ARN"][:-7])), None)
    return _alive(named)


def find(secret_id: str) -> Secret:
    """The secret, also one that is about to be deleted.

    Raises:
        SecretsError: there is none.
    """
    found = look_up(secret_id)
    if found is None:
        raise not_found()
    return found


def find_usable(secret_id: str) -> Secret:
    """The secret, unless it is about to be deleted.

    Raises:
        SecretsError: there is none, or its recovery window runs.
    """
    found = find(secret_id)
    if "DeletedDate" in found:
        raise marked_for_deletion()
    return found


def find_primary(secret_id: str) -> Secret:
    """The secret to change: not one that is about to be deleted, and no replica.

    Raises:
        SecretsError: it is one of those, or there is none.
    """
    found = find_usable(secret_id)
    refuse_replica(found)
    return found


def refuse_replica(secret: Secret) -> None:
    """Fail for a replica.

    Raises:
        SecretsError: it is one.
    """
    if "PrimaryArn" in secret:
        raise invalid_request(
            "Operation not permitted on a replica secret. Call must be made in primary secret's region."
        )


def _alive(secret: Secret | None) -> Secret | None:
    """Forget a secret whose recovery window is over."""
    if secret is not None and secret.get("DeletedDate", float("inf")) <= now():
        forget(secret)
        return None
    return secret


def forget(secret: Secret) -> None:
    """Remove a secret and its policy."""
    secretsmanager._secrets.pop_scoped(*owner(secret), secret["Name"], None)
    secretsmanager._resource_policies.pop_scoped(*owner(secret), secret["ARN"], None)


def every_secret() -> Iterator[Secret]:
    """The caller's secrets of the Region, in the order they were made."""
    for secret in sorted(secretsmanager._secrets.values(), key=lambda one: float(one["CreatedDate"])):
        if alive := _alive(secret):
            yield alive


def version_with(secret: Secret, label: str) -> str:
    """Id of the version that carries a label, empty when none does."""
    return next((key for key, one in secret["Versions"].items() if label in one["Stages"]), "")


def touch(secret: Secret) -> None:
    """Note that the secret was changed, always later than before."""
    secret["LastChangedDate"] = max(now(), round(secret.get("LastChangedDate", 0) + 0.001, 3))


def move_labels(secret: Secret, version_id: str, labels: Iterable[str]) -> None:
    """Give a version labels, each of which leaves the version that had it; AWSPREVIOUS follows AWSCURRENT."""
    for label in labels:
        before = version_with(secret, label)
        if before == version_id:
            continue
        _take(secret, before, label)
        _give(secret, version_id, label)
        if label == CURRENT and before:
            _take(secret, version_with(secret, PREVIOUS), PREVIOUS)
            _give(secret, before, PREVIOUS)
            _take(secret, before, PENDING)  # what is no longer current waits for nothing
            if secret.get("RotationEnabled") and PENDING in secret["Versions"][version_id]["Stages"]:
                secret["LastRotatedDate"] = now()
        if label not in (PENDING, PREVIOUS):
            secretsmanager._emit_secret_label_updated(secret, label, version_id)
    _drop_outdated(secret)


def take_label(secret: Secret, version_id: str, label: str) -> None:
    """Take a label from a version; without any, it is outdated."""
    _take(secret, version_id, label)
    _drop_outdated(secret)


def _give(secret: Secret, version_id: str, label: str) -> None:
    version = secret["Versions"][version_id]
    version["Stages"] = sorted({*version["Stages"], label})


def _take(secret: Secret, version_id: str, label: str) -> None:
    if version := secret["Versions"].get(version_id):
        version["Stages"] = [one for one in version["Stages"] if one != label]


def _drop_outdated(secret: Secret) -> None:
    without = [key for key, one in secret["Versions"].items() if not one["Stages"]]
    for key in without[:-KEPT_VERSIONS]:
        if secret["Versions"][key]["CreatedDate"] < now() - KEPT_SECONDS:
            del secret["Versions"][key]
