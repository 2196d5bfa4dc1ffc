"""Log files: a trail's events as gzipped JSON in its bucket, under its key, with a signed digest.

AWS delivers about every five minutes. The engine delivers when somebody asks for the trail's status, or for the
keys that digests are signed with, and before a trail stops: whoever waits for a file asks for the status, as the
checks do, and ``aws cloudtrail validate-logs`` begins with the keys.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
import string
import time
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, request_scope
from ministack.services import cloudtrail, s3

from kmslab.engine import state
from kmslab.engine.cloudtrail.digests import ALGORITHM, digest, object_key, stamp
from kmslab.engine.cloudtrail.selectors import selected
from kmslab.engine.cloudtrail.trails import bucket_refusal, key_refusal
from kmslab.engine.hooks import extend, extend_entry
from kmslab.engine.s3.headers import CONTEXT, KEY, SSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kmslab.engine.cloudtrail.entry import Entry

    Trail = dict[str, Any]
    Stock = Callable[[dict[str, Any]], Any]

CHAINS: Any = AccountRegionScopedDict()
"""Of the account and the trail's home Region, by name of the trail: what was delivered last.

``last``: the last event of each Region; ``digests``: the last digest of each Region.
"""
NAME_LETTERS = string.ascii_letters + string.digits
REFUSALS = {"S3BucketDoesNotExistException": "NoSuchBucket"}
"""How a delivery's failure is told, where S3 has a word of its own; else it is AccessDenied."""


def deliver(trail: Trail) -> None:
    """Write what the trail recorded since the last delivery, and a digest of it in each Region."""
    with request_scope(
        get_account_id(), trail["HomeRegion"]
    ):  # a shadow trail's request is of another Region
        _deliver(trail)


def _deliver(trail: Trail) -> None:
    chain = CHAINS.setdefault(trail["Name"], {"last": {}})
    if refusal := _refusal(trail):
        chain["error"] = refusal
        return
    chain.pop("error", None)
    now = time.time()
    files = {
        region: _write_log_file(trail, region, events, now)
        for region, events in _recorded(trail, chain["last"], now)
    }
    if not files:
        return
    chain["delivered"] = now
    if trail.get("LogFileValidationEnabled"):
        # Two digests of a Region never end in the same second: a digest's name holds its end, and it must not
        # replace an earlier one, of a broken chain neither. Where deliveries are frequent, ends run ahead.
        end = chain["end"] = max(now, chain.get("end", 0.0) + 1)
        for region, file in files.items():
            _write_digest(trail, chain, region, file, end)
        chain["digested"] = now
    else:
        chain["digests"], chain["undigested"] = {}, now
    CHAINS[trail["Name"]] = chain


def _write_digest(
    trail: Trail, chain: dict[str, Any], region: str, file: Mapping[str, Any], end: float
) -> None:
    """Write a digest of what was delivered of one Region, linked to the one of that Region before it."""
    before = chain.setdefault("digests", {}).get(region, {})
    start = before.get("end") or max(trail.get("_StartedAt", 0.0), chain.get("undigested", 0.0))
    with request_scope(get_account_id(), region):  # whose key signs
        made, content = digest(trail, [file], before, (start, end))
    _write(trail, made["object"], content, {"signature": made["signature"], "signature-algorithm": ALGORITHM})
    chain["digests"][region] = made


def _refusal(trail: Trail) -> str:
    """Why CloudTrail may not write; empty when it may."""
    arn, bucket = trail["TrailARN"], trail["S3BucketName"]
    refused = bucket_refusal(bucket, trail.get("S3KeyPrefix", ""), arn)
    if refused is None and trail.get("KmsKeyId"):
        refused = key_refusal(trail["KmsKeyId"], bucket, arn)
    if refused is None:
        return ""
    return REFUSALS.get(json.loads(refused[2])["__type"], "AccessDenied")


def _recorded(trail: Trail, last: dict[str, str], until: float) -> Iterator[tuple[str, Sequence[Entry]]]:
    """The trail's new events of each Region; ``last`` then names the last one of each."""
    for (account, region, _), queue in list(cloudtrail._events.all_items()):
        if account != get_account_id() or not (trail["IsMultiRegionTrail"] or region == trail["HomeRegion"]):
            continue
        new = _after(last.get(region, ""), queue)
        if new:
            last[region] = new[-1].event_id
        since = trail.get("_StartedAt", 0)
        chosen = [one for one in new if since <= one.time <= until and selected(trail, one)]
        if chosen:
            yield region, chosen


def _after(last: str, queue: Sequence[Entry]) -> list[Entry]:
    """The events that follow one, oldest first; all of them when that one is not among them any more."""
    found = list(takewhile(lambda event: event.event_id != last, reversed(list(queue))))
    return found[::-1]


def _write_log_file(trail: Trail, region: str, events: Sequence[Entry], now: float) -> dict[str, Any]:
    """Write one file; returns its entry in the digest."""
    unique = "".join(secrets.choice(NAME_LETTERS) for _ in range(16))
    ending = f"{time.strftime('%Y%m%dT%H%MZ', time.gmtime(now))}_{unique}"
    key = object_key("CloudTrail", trail, region, now, ending)
    records = ",".join(event.record for event in events)
    content = f'{{"Records":[{records}]}}'.encode()
    _write(trail, key, content, {})
    times = [json.loads(events[which].record)["eventTime"] for which in (0, -1)]
    return {
        "s3Bucket": trail["S3BucketName"],
        "s3Object": key,
        "hashValue": hashlib.sha256(content).hexdigest(),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": times[-1],
        "oldestEventTime": times[0],
    }


def _write(trail: Trail, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
    """Put a file into the trail's bucket, under its key with its ARN in the encryption context.

    Without a key of its own it is SSE-S3, whatever the bucket's default (CloudTrail User Guide, "Encrypting
    CloudTrail log files, digest files, and event data stores with AWS KMS keys").
    """
    headers = {"content-type": "application/json", "content-encoding": "gzip", SSE: "AES256"}
    if key_arn := trail.get("KmsKeyId"):
        context = json.dumps({"aws:cloudtrail:arn": trail["TrailARN"]}).encode()
        headers |= {SSE: "aws:kms", KEY: key_arn, CONTEXT: base64.b64encode(context).decode()}
    headers |= {f"x-amz-meta-{name}": value for name, value in metadata.items()}
    s3._put_object(trail["S3BucketName"], key, gzip.compress(content, 1), headers)


def _get_trail_status(stock: Stock, body: dict[str, Any]) -> Any:
    """Deliver first, then tell when something was delivered, or why nothing is."""
    _, _, trail = _found(body)
    if trail is not None and trail.get("IsLogging"):
        deliver(trail)
    response = stock(body)
    if trail is None:
        return response
    chain = CHAINS.get_scoped(get_account_id(), trail["HomeRegion"], trail["Name"]) or {}
    told = {
        "LatestDeliveryTime": chain.get("delivered"),
        "LatestDigestDeliveryTime": chain.get("digested"),
        "LatestDeliveryError": chain.get("error"),
    }
    if delivered := chain.get("delivered"):  # told in words too, in members that are not documented any more
        told |= dict.fromkeys(
            ("LatestDeliveryAttemptTime", "LatestDeliveryAttemptSucceeded"), stamp(delivered)
        )
    status = {**json.loads(response[2]), **{name: value for name, value in told.items() if value}}
    return cloudtrail._ok(status)


def _list_public_keys(stock: Stock, body: dict[str, Any]) -> Any:
    """Deliver what there is to validate."""
    for _, _, trail in list(cloudtrail._visible_trail_items(include_shadow_trails=True)):
        if trail.get("IsLogging"):
            deliver(trail)
    return stock(body)


def _stop_logging(stock: Stock, body: dict[str, Any]) -> Any:
    """Deliver what was recorded until now."""
    _, _, trail = _found(body)
    if trail is not None and trail.get("IsLogging"):
        deliver(trail)
    return stock(body)


def _delete_trail(stock: Stock, body: dict[str, Any]) -> Any:
    """The chain ends with the trail."""
    _, _, trail = _found(body)
    if trail is not None:
        CHAINS.pop(trail["Name"], None)
    return stock(body)


def _found(body: Mapping[str, Any]) -> tuple[str, str, Trail | None]:
    try:
        found: tuple[str, str, Trail | None] = cloudtrail._find_visible_trail(
            str(body.get("Name", "")).strip()
        )
    except ValueError:
        return "", "", None
    return found


def install() -> None:
    """Take over the operations that deliver."""
    state.keep("cloudtrail-chains", CHAINS)
    extend(cloudtrail, "_get_trail_status", "body")(_get_trail_status)
    extend_entry(cloudtrail, "_DISPATCH", "ListPublicKeys")(_list_public_keys)
    extend(cloudtrail, "_stop_logging", "body")(_stop_logging)
    extend(cloudtrail, "_delete_trail", "body")(_delete_trail)
