"""Keys as MiniStack stores them, and how a reference finds one.

The store is ``ministack.services.kms``'s: other services, tagging and the persistence read it there.
A key id, a key ARN, an alias name and an alias ARN are accepted everywhere.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, TypedDict

from kmslab.engine.events import Refusal
from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.specs import KEY_SPECS, SYMMETRIC, KeySpec

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY_ID = re.compile(r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")
_ARN_FIELDS = 6


class Material(TypedDict, total=False):
    """One generation of symmetric key material.

    Attributes:
        id: 64 hexadecimal digits, as in ``KeyMaterialId``.
        key: 32 bytes; None once it is deleted or has expired.
        state: CURRENT, NON_CURRENT or PENDING_ROTATION.
        rotated: when it became current by rotation, seconds since 1970.
        rotation: AUTOMATIC or ON_DEMAND.
        description: KeyMaterialDescription of imported material.
        expiration_model: of imported material.
        valid_to: when imported material expires, seconds since 1970.
    """

    id: str
    key: bytes | None
    state: str
    rotated: float
    rotation: str
    description: str
    expiration_model: str
    valid_to: float


class KeyRecord(TypedDict, total=False):
    """A key. Members in capitals are the API's; the others never leave the engine."""

    KeyId: str
    Arn: str
    KeyState: str
    Enabled: bool
    KeySpec: str
    KeyUsage: str
    KeyManager: str
    Description: str
    CreationDate: float
    DeletionDate: float
    Origin: str
    Tags: list[dict[str, str]]
    Policy: str
    MultiRegion: bool
    KeyRotationEnabled: bool
    RotationPeriodInDays: int
    materials: list[Material]
    private_key: bytes
    public_key: bytes
    hmac_key: bytes
    rotation_start: float
    pending_window: int
    primary_region: str
    regions: list[str]
    expiration_model: str
    valid_to: float
    imports: dict[str, dict[str, Any]]
    fingerprint: str
    last_usage: dict[str, Any]
    settles_to: str
    settles_at: float
    on_demand_started: float


def store() -> Any:
    """The account's and Region's keys by id: MiniStack's ``AccountRegionScopedDict``."""
    from ministack.services import kms

    return kms._keys


def aliases() -> Any:
    """The account's and Region's aliases: alias ARN to key id."""
    from ministack.services import kms

    return kms._aliases


def spec_of(key: KeyRecord) -> KeySpec:
    """The key's spec."""
    return KEY_SPECS[key["KeySpec"]]


def account_of(key: KeyRecord) -> str:
    """The account that owns the key."""
    return key["Arn"].split(":")[4]


def region_of(key: KeyRecord) -> str:
    """The Region that the key is in."""
    return key["Arn"].split(":")[3]


def is_symmetric(key: KeyRecord) -> bool:
    """Whether the key is a symmetric encryption key."""
    return key["KeySpec"] == SYMMETRIC


def arn(resource: str) -> str:
    """ARN of ``key/...`` or ``alias/...`` in the request's account and Region."""
    from ministack.core.responses import get_account_id, get_region

    return f"arn:aws:kms:{get_region()}:{get_account_id()}:{resource}"


def resolve(reference: str | None) -> KeyRecord | None:
    """Find a key by any of its four names; None when there is none.

    An ARN finds keys of other accounts in the request's Region. The alias of an AWS managed key
    (``alias/aws/s3``) makes the key on first use, as AWS does.
    """
    if not reference:
        return None
    if reference.startswith("arn:"):
        return _by_arn(reference)
    if reference.startswith("alias/"):
        found = store().get(_key_of_alias(arn(reference)))
        if found is None and reference.startswith("alias/aws/"):
            from kmslab.engine.kms.managed import managed_key

            found = managed_key(reference)
    else:
        found = store().get(reference)
    return fresh(found)


def _by_arn(reference: str) -> KeyRecord | None:
    from ministack.core.responses import get_region

    fields = reference.split(":", _ARN_FIELDS - 1)
    if len(fields) < _ARN_FIELDS or fields[2] != "kms" or fields[3] != get_region():
        return None
    account, region, resource = fields[4], fields[3], fields[5]
    if resource.startswith("alias/aws/") and reference == arn(resource):
        return resolve(resource)
    if resource.startswith("alias/"):
        key_id = _key_of_alias(reference)
    else:
        key_id = resource.removeprefix("key/") if resource.startswith("key/") else None
    return fresh(store().get_scoped(account, region, key_id))


def _key_of_alias(alias_arn: str) -> str | None:
    """The id of the key that an alias leads to, once that counts; None: there is no such alias."""
    from kmslab.engine.authorization.settling import key_of_alias

    region, account = alias_arn.split(":")[3:5]
    now = aliases().get_scoped(account, region, alias_arn)
    return key_of_alias(account, region, alias_arn, now)


def fresh(key: KeyRecord | None) -> KeyRecord | None:
    """Bring a key to the present: expire imported material, rotate what is due, end a deletion window."""
    if key is None:
        return None
    from kmslab.engine.kms.lifecycle import advance

    return advance(key, time.time())


def require(reference: str | None, *, aliases_allowed: bool = True) -> KeyRecord:
    """Find a key or fail as KMS does.

    Raises:
        KmsError: NotFoundException in the wording that fits the reference.
    """
    reference = reference or ""
    if not aliases_allowed and "alias/" in reference:
        raise KmsError("NotFoundException", f"Invalid keyId '{reference}'")
    key = resolve(reference)
    if key is None:
        raise KmsError("NotFoundException", not_found_message(reference))
    return key


def not_found_message(reference: str) -> str:
    """What KMS says about a reference that finds no key."""
    from ministack.core.responses import get_region

    if reference.startswith("arn:"):
        fields = reference.split(":", _ARN_FIELDS - 1)
        if len(fields) < _ARN_FIELDS or fields[2] != "kms":
            return f"Invalid arn {reference}"
        if fields[3] != get_region():
            return f"Invalid arn {fields[3]}"
        reference, shown = fields[5].removeprefix("key/"), reference
    elif reference.startswith("alias/"):
        shown = arn(reference)
    else:
        shown = arn(f"key/{reference}")
    if reference.startswith("alias/"):
        return f"Alias {shown} is not found."
    return f"Key '{shown}' does not exist" if _KEY_ID.fullmatch(reference) else f"Invalid keyId '{reference}'"


_UNUSABLE = {
    "Disabled": ("DisabledException", "is disabled."),
    "PendingDeletion": ("KMSInvalidStateException", "is pending deletion."),
    "PendingReplicaDeletion": ("KMSInvalidStateException", "is pending replica deletion."),
    "PendingImport": ("KMSInvalidStateException", "is pending import."),
    "Unavailable": ("KMSInvalidStateException", "is unavailable."),
    "Creating": ("KMSInvalidStateException", "is creating."),
    "Updating": ("KMSInvalidStateException", "is updating."),
}
"""Key state to error code and words. Source: KMS Developer Guide, "Key states of AWS KMS keys"."""


def unusable(key: KeyRecord, *but: str) -> Refusal | None:
    """Why the key's state forbids its use, or None.

    Args:
        key: the key.
        but: states that the operation accepts beside Enabled.
    """
    state = key["KeyState"]
    if state == "Enabled" or state in but:
        return None
    code, words = _UNUSABLE[state]
    return Refusal(code, f"{key['Arn']} {words}")


def require_state(key: KeyRecord, *but: str) -> None:
    """Fail unless the key is Enabled or in one of the states that the operation accepts beside it."""
    refusal = unusable(key, *but)
    if refusal:
        raise KmsError(refusal.code, refusal.message)


def note_use(key: KeyRecord, operation: str, *, event_id: str, request_id: str) -> None:
    """Remember the key's last cryptographic use, for GetKeyLastUsage.

    Args:
        key: the key.
        operation: as KMS performed it, for a caller or for a service that acts for one.
        event_id: of the trail's record.
        request_id: of the request to KMS.
    """
    key["last_usage"] = {
        "Operation": operation,
        "Timestamp": round(time.time(), 3),
        "CloudTrailEventId": event_id,
        "KmsRequestId": request_id,
    }


def set_state(key: KeyRecord, state: str) -> None:
    """Change the key's state and what follows from it."""
    key["KeyState"] = state
    key["Enabled"] = state == "Enabled"


def members(key: KeyRecord) -> list[KeyRecord]:
    """The key and its multi-Region relatives; the key alone when it is single-Region."""
    if not key.get("MultiRegion"):
        return [key]
    account = account_of(key)
    found = (store().get_scoped(account, region, key["KeyId"]) for region in key["regions"])
    return [member for member in found if member is not None]


def is_replica(key: KeyRecord) -> bool:
    """Whether the key is a multi-Region key and not the primary of its set."""
    return bool(key.get("MultiRegion")) and region_of(key) != key["primary_region"]


def primary_of(key: KeyRecord) -> KeyRecord:
    """The primary of the key's multi-Region set; the key itself when it is single-Region."""
    return next((member for member in members(key) if not is_replica(member)), key)


def every_key() -> Iterator[KeyRecord]:
    """The keys of the request's account and Region, oldest first."""
    for key in sorted(store().values(), key=lambda record: (record["CreationDate"], record["KeyId"])):
        if advanced := fresh(key):
            yield advanced


def alias_names(key: KeyRecord) -> list[str]:
    """The names of the key's aliases: ``alias/app``."""
    there = aliases().items_scoped(account_of(key), region_of(key))
    return [alias.split(":", _ARN_FIELDS - 1)[5] for alias, target in there if target == key["KeyId"]]
