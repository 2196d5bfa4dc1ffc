"""Encrypt and Decrypt through boto3 on one connection: ours against stock MiniStack, in turns, with the same TLS.

Stock MiniStack runs as it comes, without authorization: it verifies no signature and asks no policy. Ours does,
and records every call.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.stock import stock_engine
from benchmarks.timing import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = 400
"""Of each operation in a sample: a second or so."""
AS_MANY = 1.0


@contextmanager
def own_engine() -> Iterator[tuple[Path, Any]]:
    """A fresh engine of ours: its home, and a function that returns a client of its administrator."""
    from kmslab.engine import control

    with tempfile.TemporaryDirectory(prefix="kmslab-bench-") as folder:
        home = Path(folder)
        control.start(home)
        target = control.target(home)
        try:
            yield home, target
        finally:
            control.stop(home)


def client(
    service: str, endpoint: str, bundle: str, credentials: tuple[str, str, str | None], **more: Any
) -> Any:
    """A boto3 client without retries."""
    import boto3
    from botocore.config import Config

    key, secret, token = credentials
    return boto3.client(  # type: ignore[call-overload]  # the name of the service is a variable
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        verify=bundle,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **more),
    )


def of_target(service: str, target: Any, **more: Any) -> Any:
    """A client of our engine's administrator."""
    who = target.credentials
    return client(
        service,
        target.endpoint_url,
        str(target.ca_bundle),
        (who.access_key_id, who.secret_access_key, who.session_token),
        **more,
    )


def calls_a_second(kms: Any, key: str) -> tuple[float, float]:
    """Encrypt and Decrypt calls a second, one after the other."""
    started = time.perf_counter()
    for _ in range(CALLS):
        blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 64)["CiphertextBlob"]
    middle = time.perf_counter()
    for _ in range(CALLS):
        kms.decrypt(CiphertextBlob=blob)
    return CALLS / (middle - started), CALLS / (time.perf_counter() - middle)


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:  # noqa: ARG001  # same shape for every module
    """Let both answer in turns, so that whatever else the machine does meets both."""
    ratios: dict[str, list[float]] = {"Encrypt": [], "Decrypt": []}
    with own_engine() as (home, target), stock_engine(home) as (endpoint, bundle):
        ours = of_target("kms", target)
        theirs = client("kms", endpoint, bundle, ("test", "test", None))
        keys = [kms.create_key()["KeyMetadata"]["KeyId"] for kms in (ours, theirs)]
        for kms, key in zip((ours, theirs), keys, strict=True):
            calls_a_second(kms, key)  # connections, imports
        for _ in range(repeat):
            own, stock = calls_a_second(ours, keys[0]), calls_a_second(theirs, keys[1])
            for name, mine, other in zip(ratios, own, stock, strict=True):
                note(f"{name}: {mine:.0f} calls/s, stock MiniStack {other:.0f} calls/s")
                ratios[name].append(mine / other)
    return [
        Figure(
            f"{name} calls a second against stock MiniStack",
            statistics.median(seen),
            "x",
            AS_MANY,
            tuple(seen),
            least=True,
        )
        for name, seen in ratios.items()
    ]
