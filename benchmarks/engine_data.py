"""What encryption under the engine's keys costs: data keys used here, and objects that S3 encrypts."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING, Any

from benchmarks.engine_calls import of_target, own_engine
from benchmarks.timing import Figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 64 * 2**20
ENVELOPE = 1.3
"""A data key and 64 MiB of AES-GCM may take so much of what AES-GCM alone takes."""
OBJECTS = 0.7
"""The rate of objects under a KMS key against unencrypted ones."""
NONCE = 12


def seconds(do: Callable[[], object]) -> float:
    """Wall time of a call."""
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def envelope(kms: Any, key: str, body: bytes) -> float:
    """How much longer envelope encryption takes than AES-256-GCM alone."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    def alone() -> bytes:
        return AESGCM(b"k" * 32).encrypt(os.urandom(NONCE), body, b"")

    def under_a_data_key() -> bytes:
        data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
        return AESGCM(data_key).encrypt(os.urandom(NONCE), body, b"")

    # Not once each: a gust of whatever else the machine does would decide.
    return min(seconds(under_a_data_key) for _ in range(3)) / min(seconds(alone) for _ in range(3))


def objects(s3: Any, key: str, body: bytes) -> tuple[float, float]:
    """Rates of PUT and GET under a KMS key, each as a share of the rate without."""
    sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}

    def get() -> bytes:
        content: bytes = s3.get_object(Bucket="bench", Key="object")["Body"].read()
        return content

    def rates(**more: str) -> tuple[float, float]:
        put = seconds(lambda: s3.put_object(Bucket="bench", Key="object", Body=body, **more))
        return put, seconds(get)

    plain, encrypted = rates(), rates(**sse)
    return plain[0] / encrypted[0], plain[1] / encrypted[1]


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:  # noqa: ARG001  # same shape for every module
    """Both on one fresh engine; plain and encrypted in turns."""
    body = os.urandom(SIZE)
    shares: list[float] = []
    puts: list[float] = []
    gets: list[float] = []
    with own_engine() as (_, target):
        kms, s3 = of_target("kms", target), of_target("s3", target)
        key = kms.create_key()["KeyMetadata"]["Arn"]
        s3.create_bucket(Bucket="bench")
        envelope(kms, key, body)
        objects(s3, key, body)  # connections, imports, page cache
        for _ in range(repeat):
            shares.append(envelope(kms, key, body))
            put, get = objects(s3, key, body)
            puts.append(put)
            gets.append(get)
            note(f"envelope {shares[-1]:.2f} x, PUT {put:.2f} x, GET {get:.2f} x")
    named = "64 MiB: {} of an object under a KMS key, rate against without"
    return [
        Figure(
            "64 MiB: GenerateDataKey and AES-GCM against AES-GCM alone",
            statistics.median(shares),
            "x",
            ENVELOPE,
            tuple(shares),
        ),
        Figure(named.format("PUT"), statistics.median(puts), "x", OBJECTS, tuple(puts), least=True),
        Figure(named.format("GET"), statistics.median(gets), "x", OBJECTS, tuple(gets), least=True),
    ]
