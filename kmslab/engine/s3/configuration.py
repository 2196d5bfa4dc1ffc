"""What a bucket's encryption configuration says (PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption).

Amazon S3 API Reference: every bucket has a default; a configuration has one rule. Recorded from S3: the errors,
and that the answer tells ``BucketKeyEnabled`` and ``BlockedEncryptionTypes`` also where the request did not.
Unproven: what a rule without a default changes of it; here nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.headers import KMS_KINDS, SSE_S3
from kmslab.engine.s3.markup import name_of, parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.s3.errors import Response

SSE_C = "SSE-C"
NOTHING = "NONE"
BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Encryption:
    """A bucket's default encryption and what it refuses.

    Attributes:
        algorithm: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``.
        key: the configured key in whatever form it was given; empty for the AWS managed key.
        bucket_key: whether an S3 Bucket Key is used.
        blocked: encryption types that no new object may have. Without a word in the configuration
            SSE-C is blocked, as on buckets made since April 2026 (Amazon S3 User Guide, "Blocking or
            unblocking SSE-C for a general purpose bucket").
    """

    algorithm: str = SSE_S3
    key: str = ""
    bucket_key: bool = False
    blocked: frozenset[str] = field(default=frozenset({SSE_C}))


class _MalformedError(Exception):
    """The request's body is not what the schema says."""


def encryption_of(bucket: str) -> Encryption:
    """The encryption configuration of a bucket of the request's account."""
    stored = s3._bucket_encryption.get(bucket)
    return _parse(stored) if stored else Encryption()


@lru_cache(maxsize=256)
def _parse(configuration: str) -> Encryption:
    # It was checked and written here, or by MiniStack's CloudFormation, which knows the same elements.
    return _read(configuration.encode(), Encryption())


def _children(node: Element | None) -> dict[str, Element]:
    return {name_of(child): child for child in node} if node is not None else {}


def _text(node: Element | None) -> str:
    return (node.text or "").strip() if node is not None else ""


def _read(body: bytes, before: Encryption) -> Encryption:
    """The configuration that a request's body makes of an earlier one.

    Raises:
        _MalformedError: it is not XML, has not exactly one rule, or a value is none of those allowed.
    """
    root = parsed(body)
    if root is None:
        raise _MalformedError
    rules = [_children(node) for node in root if name_of(node) == "Rule"]
    if len(rules) != 1 or not rules[0].keys() & {
        "ApplyServerSideEncryptionByDefault",
        "BlockedEncryptionTypes",
    }:
        raise _MalformedError
    rule, after = rules[0], before
    if (default := rule.get("ApplyServerSideEncryptionByDefault")) is not None:
        members = _children(default)
        after = Encryption(
            _text(members.get("SSEAlgorithm")), _text(members.get("KMSMasterKeyID")), blocked=before.blocked
        )
        if after.algorithm not in (SSE_S3, *KMS_KINDS):
            raise _MalformedError
    if "BucketKeyEnabled" in rule:
        after = replace(after, bucket_key=_boolean(_text(rule["BucketKeyEnabled"])))
    if "BlockedEncryptionTypes" in rule:
        after = replace(after, blocked=_blocked([_text(node) for node in rule["BlockedEncryptionTypes"]]))
    return after


def _boolean(text: str) -> bool:
    if text.lower() not in BOOLEANS:
        raise _MalformedError
    return BOOLEANS[text.lower()]


def _blocked(types: list[str]) -> frozenset[str]:
    if not types or not {SSE_C, NOTHING}.issuperset(types):
        raise _MalformedError
    return frozenset(types) - {NOTHING}


def document(encryption: Encryption) -> str:
    """The configuration as GetBucketEncryption shows it, in XML."""
    root = Element("ServerSideEncryptionConfiguration", xmlns=s3.S3_NS)
    rule = SubElement(root, "Rule")
    default = SubElement(rule, "ApplyServerSideEncryptionByDefault")
    SubElement(default, "SSEAlgorithm").text = encryption.algorithm
    if encryption.key:
        SubElement(default, "KMSMasterKeyID").text = encryption.key
    SubElement(rule, "BucketKeyEnabled").text = str(encryption.bucket_key).lower()
    blocked = SubElement(rule, "BlockedEncryptionTypes")
    for kind in sorted(encryption.blocked) or [NOTHING]:
        SubElement(blocked, "EncryptionType").text = kind
    text: bytes = s3._xml_body(root)
    return text.decode()


def _put(stock: Callable[[str, bytes], Response], name: str, body: bytes) -> Any:
    """Check a configuration and keep it; what it leaves out of the blocked types stays as it was."""
    if name not in s3._buckets:
        return stock(name, body)
    try:
        wanted = _read(body, encryption_of(name))
    except _MalformedError:
        return error("MalformedXML", s3._MALFORMED_XML)
    if wanted.key and wanted.algorithm not in KMS_KINDS:
        message = (
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        )
        return error("InvalidArgument", message, ArgumentName="ApplyServerSideEncryptionByDefault")
    s3._bucket_encryption[name] = document(wanted)
    return 200, {}, b""


def _get(stock: Callable[[str], Response], name: str) -> Any:
    """Report the configuration of every bucket, in full."""
    if name not in s3._buckets:
        return stock(name)
    return 200, {"Content-Type": "application/xml"}, document(encryption_of(name))


def install() -> None:
    """Take over what is put and what is reported."""
    extend(s3, "_put_bucket_encryption", "name", "body")(_put)
    extend(s3, "_get_bucket_encryption", "name")(_get)
