"""Where MiniStack reaches KMS: its handler, its record functions, its persistence, its trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization.caller import CALLER, REQUEST_ID
from kmslab.engine.kms import (  # noqa: F401  # importing a room registers its operations
    agreement,
    aliases,
    encryption,
    grants,
    imported,
    keys,
    macs,
    policies,
    records,
    replicas,
    rotation,
    service,
    signing,
    tags,
)
from kmslab.engine.kms.errors import KmsError

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

_STORES = ("keys", "aliases", "alias_dates", "grants")


def install() -> None:
    """Apply the hooks."""
    from ministack import app
    from ministack.services import kms

    from kmslab.engine.hooks import extend

    extend(kms, "handle_request", "method", "path", "headers", "body", "query_params")(service.handle_request)
    extend(kms, "_create_key", "data")(create_key)
    extend(kms, "_schedule_key_deletion", "data")(schedule_key_deletion)
    extend(kms, "_resolve_key", "key_id_or_arn")(resolve_key)
    extend(kms, "_key_metadata", "rec")(key_metadata)
    extend(kms, "_check_key_state", "rec")(check_key_state)
    extend(kms, "key_policy_for_arn", "resource_arn")(key_policy)
    extend(kms, "get_state")(get_state)
    extend(kms, "load_persisted_state", "data")(load_state)
    extend(app, "_maybe_record_cloudtrail", "service")(record_once)
    extend(
        app, "_dispatch_service_request", "method", "path", "headers", "body", "query_params", "request_id"
    )(remember_request_id)


def create_key(_stock: Any, data: dict[str, Any]) -> Any:
    """Create keys as records of ours, for whoever in MiniStack asks."""
    return _answer("CreateKey", data)


def schedule_key_deletion(_stock: Any, data: dict[str, Any]) -> Any:
    """Schedule deletion by our rules, for whoever in MiniStack asks."""
    return _answer("ScheduleKeyDeletion", data)


def _answer(operation: str, data: dict[str, Any]) -> Any:
    try:
        return service._answer(200, service.perform(operation, data, access_key=CALLER.get()))
    except KmsError as failure:
        return service.error_answer(failure.refusal)


def resolve_key(_stock: Any, key_id_or_arn: str) -> KeyRecord | None:
    """Find keys by all four names, also those of other accounts."""
    return records.resolve(key_id_or_arn)


def key_metadata(_stock: Any, rec: KeyRecord) -> dict[str, Any]:
    """Describe keys as KMS does."""
    return keys.metadata(rec)


def check_key_state(_stock: Any, rec: KeyRecord) -> Any:
    """Judge key states by our table."""
    refusal = records.unusable(rec, "Updating")
    return service.error_answer(refusal) if refusal else None


def key_policy(_stock: Any, resource_arn: str) -> tuple[str, str] | None:
    """Find the policy of keys of any account."""
    key = records.resolve(resource_arn)
    return (key["Policy"], records.account_of(key)) if key else None


def get_state(_stock: Any) -> dict[str, Any]:
    """Save our records as they are: they hold nothing but JSON values and bytes."""
    from ministack.services import kms

    return {name: getattr(kms, f"_{name}") for name in _STORES}


def load_state(_stock: Any, data: dict[str, Any]) -> None:
    """Restore what we saved."""
    from ministack.services import kms

    for name in _STORES:
        getattr(kms, f"_{name}").update(data[name])


def record_once(stock: Any, service_name: str, *args: Any, **kwargs: Any) -> None:
    """Leave KMS calls out of MiniStack's own trail: the KMS room publishes each with its outcome."""
    if service_name != "kms":
        stock(service_name, *args, **kwargs)


async def remember_request_id(
    stock: Any, method: str, path: str, headers: Any, body: bytes, query_params: Any, request_id: str
) -> Any:
    """Let the trail's records carry the id that the client sees in the answer."""
    REQUEST_ID.set(request_id)
    return await stock(method, path, headers, body, query_params, request_id)
