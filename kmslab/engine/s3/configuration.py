"""What a bucket's encryption configuration says (PutBucketEncryption, GetBucketEncryption)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import fromstring

from ministack.services import s3

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable

SSE_C = "SSE-C"


@dataclass(frozen=True, slots=True)
class Encryption:
    """A bucket's default encryption and what it refuses.

    Attributes:
        algorithm: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``.
        key: the configured key in whatever form it was given; empty for the AWS managed key.
        bucket_key: whether an S3 Bucket Key is used.
        blocked: encryption types that no new object may have. Without a word in the configuration
            SSE-C is blocked, as on buckets made since April 2026 (KMS_FACTS.md).
    """

    algorithm: str = "AES256"
    key: str = ""
    bucket_key: bool = False
    blocked: frozenset[str] = field(default=frozenset({SSE_C}))


def encryption_of(bucket: str) -> Encryption:
    """The encryption configuration of a bucket of the request's account."""
    stored = s3._bucket_encryption.get(bucket)
    return _parse(stored) if stored else Encryption()


@lru_cache(maxsize=256)
def _parse(configuration: str) -> Encryption:
    root = fromstring(configuration)  # noqa: S314  # MiniStack's parser accepted it before it was stored
    found: dict[str, list[str]] = {}
    for node in root.iter():
        found.setdefault(node.tag.rsplit("}", 1)[-1], []).append((node.text or "").strip())
    first = {name: texts[0] for name, texts in found.items()}
    blocked = found.get("EncryptionType", [SSE_C])
    return Encryption(
        algorithm=first.get("SSEAlgorithm") or "AES256",
        key=first.get("KMSMasterKeyID", ""),
        bucket_key=first.get("BucketKeyEnabled", "").lower() == "true",
        blocked=frozenset(blocked) - {"NONE"},
    )


BLOCKED = f"<BlockedEncryptionTypes><EncryptionType>{SSE_C}</EncryptionType></BlockedEncryptionTypes>"


def install() -> None:
    """Report the blocked encryption types of a bucket that was never configured."""

    @extend(s3, "_get_bucket_encryption", "name")
    def get_bucket_encryption(
        stock: Callable[[str], tuple[Any, Any, Any]], name: str
    ) -> tuple[Any, Any, Any]:
        """Name SSE-C among what a new bucket blocks."""
        status, headers, body = stock(name)
        if status == HTTPStatus.OK and name not in s3._bucket_encryption:
            body = body.replace("</BucketKeyEnabled></Rule>", f"</BucketKeyEnabled>{BLOCKED}</Rule>")
        return status, headers, body
