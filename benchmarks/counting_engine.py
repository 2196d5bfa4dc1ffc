"""The engine, counting what AWS would charge for: `python -m benchmarks.requests` starts it.

Requests are counted where they arrive, and uses of KMS keys where CloudTrail would record them: a service's use
on behalf of its caller is a request to KMS too. On SIGUSR1 the counts since the last one are written to a file.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kmslab.engine.events import KeyEvent

COUNTS = "counts.json"
"""Written beside the engine's own files, whole or not at all."""
ASYMMETRIC_USE = frozenset(
    {"Sign", "Verify", "Encrypt", "Decrypt", "ReEncrypt", "GetPublicKey", "DeriveSharedSecret"}
)
"""Operations that AWS KMS pricing prices by the kind of the key, where the key is asymmetric."""
S3_WRITES = frozenset({"PUT", "POST"})
"""S3 prices these and listings alike; DELETE is free, and the rest is priced as GET (Amazon S3 pricing)."""
LISTINGS = ("list-type", "versions", "uploads", "prefix", "delimiter", "max-keys")
JSON_SERVICES = {"secretsmanager": "secretsmanager-request"}

_counts: Counter[str] = Counter()
_lock = threading.Lock()


def count(item: str, quantity: float = 1) -> None:
    """Add to an item of the price table."""
    with _lock:
        _counts[item] += quantity  # type: ignore[assignment]  # a Counter holds floats as well


def key_event(event: KeyEvent) -> None:
    """Count one request to KMS, and what it makes that costs by the hour: a key, a rotation."""
    count(kms_item(event.operation, _spec(event), dict(event.parameters or {})))
    if event.error is None and event.operation in {"CreateKey", "ReplicateKey"}:
        count("kms-key-made")
    if event.error is None and event.operation == "RotateKeyOnDemand":
        count("kms-rotation-made")


def kms_item(operation: str, spec: str, parameters: dict[str, Any]) -> str:
    """The item of the price table that a request to KMS is charged as.

    Args:
        operation: botocore's name.
        spec: KeySpec of the key; empty when there is none.
        parameters: in CloudTrail's spelling.
    """
    if operation.startswith("GenerateDataKeyPair"):
        pair = str(parameters.get("keyPairSpec", parameters.get("KeyPairSpec", "")))
        return "kms-rsa-data-key-pair" if pair.startswith("RSA") else "kms-ecc-data-key-pair"
    if operation in ASYMMETRIC_USE and spec.startswith(("RSA", "ECC", "ML_DSA", "SM2")):
        return "kms-rsa-2048-request" if spec == "RSA_2048" else "kms-asymmetric-request"
    return "kms-request"


def _spec(event: KeyEvent) -> str:
    from kmslab.engine.kms import records

    key = records.resolve(event.resources[0]) if event.resources else None
    return records.spec_of(key).name if key else ""


def http_item(method: str, path: str, query: str, headers: dict[str, str]) -> str:
    """The item that a request to another service is charged as; empty when it costs nothing or is not priced.

    Args:
        method: of HTTP.
        path: decoded.
        query: undecoded.
        headers: lower-case names.
    """
    service = _service(headers, query)
    if service == "ebs":
        if path.endswith(("/blocks", "/changedblocks")):
            return "ebs-direct-list"
        return (
            {"GET": "ebs-direct-get", "PUT": "ebs-direct-put"}.get(method, "") if "/blocks/" in path else ""
        )
    if service == "s3":
        if method == "DELETE":
            return ""
        listed = method == "GET" and (
            path == "/" or any(name in parse_qs(query, keep_blank_values=True) for name in LISTINGS)
        )
        return "s3-write" if method in S3_WRITES or listed else "s3-read"
    return JSON_SERVICES.get(service, "")


def _service(headers: dict[str, str], query: str) -> str:
    """The service in the signature's scope; S3's presigned URLs have it in the query."""
    scope = headers.get("authorization", "") or parse_qs(query).get("X-Amz-Credential", [""])[0]
    parts = scope.split("Credential=")[-1].split(",")[0].split("/")
    return parts[3] if len(parts) > 4 else ""  # noqa: PLR2004  # key, date, Region, service, aws4_request


def counting(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Count what passes."""

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
            }
            query = scope["query_string"].decode("latin-1")
            if item := http_item(scope["method"], scope["path"], query, headers):
                count(item)
            if headers.get("x-amz-target", "") == "secretsmanager.CreateSecret":
                count("secret-made")
        await app(scope, receive, send)

    return counted


def _write(folder: Path) -> None:
    with _lock:
        found = dict(_counts)
        _counts.clear()
    new = folder / f"{COUNTS}.new"
    new.write_text(json.dumps(found), encoding="utf-8")
    new.replace(folder / COUNTS)


def main() -> int:
    """Run the engine as `python -m kmslab.engine` would, with the same arguments."""
    from kmslab.engine import __main__ as engine
    from kmslab.engine import events, server

    stock = server.application
    server.application = lambda: counting(stock())
    events.register(key_event)
    folder = Path(sys.argv[sys.argv.index("--home") + 1])
    signal.signal(signal.SIGUSR1, lambda *_: _write(folder))
    return engine.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
