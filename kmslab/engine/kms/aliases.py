"""Aliases. Permissions are needed on the alias (identity policy) and on each key (key policy).

Sources: API reference, CreateAlias and UpdateAlias; the messages are those of the AWS responses that public
test suites recorded (LocalStack, 2023; moto, ``test_kms_boto3.py``).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kmslab.engine.kms import records, specs
from kmslab.engine.kms.errors import KmsError, invalid
from kmslab.engine.kms.paging import page
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

ALIASES_PER_KEY = 50


def _dates() -> Any:
    from ministack.services import kms

    return kms._alias_dates


def point(alias_arn: str, key: KeyRecord) -> None:
    """Let an alias name a key, and note when."""
    now = round(time.time(), 3)
    created = (_dates().get(alias_arn) or {}).get("CreationDate", now)
    records.aliases()[alias_arn] = key["KeyId"]
    _dates()[alias_arn] = {"CreationDate": created, "LastUpdatedDate": now}


def _checked_name(call: Call) -> str:
    name: str = call.get("AliasName")
    if not name.startswith("alias/"):
        raise invalid(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name.startswith("alias/aws/"):
        raise KmsError("NotAuthorizedException")
    if ":" in name:
        # The model's pattern lets a colon pass.
        raise invalid(f"{name} contains invalid characters for an alias")
    if name == "alias/" and call.operation == "CreateAlias":
        raise KmsError("InvalidAliasNameException", "The alias has no name.")
    return name


def _target(call: Call) -> KeyRecord:
    """The key that an alias is to name: not an alias itself, and not on its way out."""
    reference: str = call.get("TargetKeyId")
    if reference.startswith("alias/") or ":alias/" in reference:
        raise invalid("Aliases must refer to keys. Not aliases")
    key = call.key("TargetKeyId", aliases_allowed=False)
    if key["KeyManager"] == "AWS":
        raise KmsError("NotAuthorizedException")
    records.require_state(key, "Disabled", "PendingImport", "Unavailable", "Updating")
    return key


def _existing(call: Call) -> tuple[str, KeyRecord | None]:
    alias_arn = records.arn(call.get("AliasName"))
    if alias_arn not in records.aliases():
        raise KmsError("NotFoundException", f"Alias {alias_arn} is not found.")
    return alias_arn, records.resolve(records.aliases()[alias_arn])


@operation("CreateAlias")
def create_alias(call: Call) -> dict[str, Any]:
    """A name for a key, unique in the account and Region."""
    alias_arn = records.arn(_checked_name(call))
    call.allow_without_key(alias_arn)
    key = _target(call)
    if alias_arn in records.aliases():
        raise KmsError("AlreadyExistsException", f"An alias with the name {alias_arn} already exists")
    if len(records.alias_names(key)) >= ALIASES_PER_KEY:
        raise KmsError("LimitExceededException", f"{key['Arn']} has {ALIASES_PER_KEY} aliases already.")
    point(alias_arn, key)
    return {}


@operation("UpdateAlias")
def update_alias(call: Call) -> dict[str, Any]:
    """Let an existing alias name another key of the same type and usage."""
    _checked_name(call)
    alias_arn, current = _existing(call)
    call.allow_without_key(alias_arn)
    if current:
        call.allow(current)
    key = _target(call)
    if current and _kind(current) != _kind(key):
        raise invalid(f"Alias {alias_arn} cannot be changed to point to a key of another type or usage.")
    point(alias_arn, key)
    return {}


def _kind(key: KeyRecord) -> tuple[bool, str]:
    """What an alias may not change: symmetric, asymmetric or HMAC, and the usage, which tells HMAC apart."""
    return records.spec_of(key).asymmetric, key["KeyUsage"]


@operation("DeleteAlias")
def delete_alias(call: Call) -> dict[str, Any]:
    """Remove a name; the key stays."""
    _checked_name(call)
    alias_arn, current = _existing(call)
    call.allow_without_key(alias_arn)
    if current:
        call.allow(current)
    forget(alias_arn)
    return {}


def forget(alias_arn: str) -> None:
    """Remove an alias from the store."""
    records.aliases().pop(alias_arn, None)
    _dates().pop(alias_arn, None)


@operation("ListAliases")
def list_aliases(call: Call) -> dict[str, Any]:
    """The account's aliases in the Region, or one key's."""
    call.allow_without_key()
    only = records.require(call.get("KeyId"), aliases_allowed=False)["KeyId"] if call.get("KeyId") else ""
    named = dict(records.aliases().items())
    if not only:
        # AWS's own aliases are there from the beginning, without a key until somebody uses them.
        named = {records.arn(f"alias/aws/{service}"): None for service in specs.MANAGED_SERVICES} | named
    entries = [
        {
            "AliasName": alias_arn.split(":", 5)[5],
            "AliasArn": alias_arn,
            **({"TargetKeyId": key_id} if key_id else {}),
            **(_dates().get(alias_arn) or {}),
        }
        for alias_arn, key_id in sorted(named.items())
        if not only or key_id == only
    ]
    return page(call, entries, "Aliases", default=50, maximum=100)
