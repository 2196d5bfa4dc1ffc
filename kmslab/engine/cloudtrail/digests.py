"""Digest files: what was delivered, hashed, and signed in a chain that shows every gap and every change.

CloudTrail User Guide, "CloudTrail digest file structure" and "Custom implementations of CloudTrail log file
integrity validation"; the AWS CLI's ``cloudtrail validate-logs`` is the judge (tests). Each Region has a chain
of its own, signed with its own key. AWS writes a digest every hour, the engine one with every delivery.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import cloudtrail

from kmslab.engine import state
from kmslab.engine.hooks import add_entry
from kmslab.engine.kms import rsa_pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALGORITHM = "SHA256withRSA"
BITS = 2048
YEARS = 10 * 365 * 86400.0
"""How long the engine's one key is said to be valid, in seconds; AWS changes its keys from time to time."""
SIGNING: Any = AccountRegionScopedDict()
"""Of the Region: ``key``, the private key in PEM, and ``since``, when it was made."""
CLOUDTRAIL = "000000000000"
"""Stands for the account that the keys belong to: every account's digests of a Region are signed with the Region's key
(CloudTrail API Reference, "ListPublicKeys": "a private key unique to its Region", read 2026-11-22). Engines before this
one gave each account a key of its own; who has one keeps it, so that old digests verify."""


def stamp(when: float) -> str:
    """A time as in CloudTrail's files: ``2026-11-22T02:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def object_key(kind: str, trail: Mapping[str, Any], region: str, when: float, ending: str) -> str:
    """Where a file goes: ``AWSLogs/<account>/CloudTrail[-Digest]/<region>/2026/11/22/<ending>``."""
    account, prefix = get_account_id(), trail.get("S3KeyPrefix")
    day = time.strftime("%Y/%m/%d", time.gmtime(when))
    path = f"AWSLogs/{account}/{kind}/{region}/{day}/{account}_{kind}_{region}_{ending}.json.gz"
    return f"{prefix}/{path}" if prefix else path


def digest(
    trail: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    previous: Mapping[str, Any],
    covers: tuple[float, float],
) -> tuple[dict[str, Any], bytes]:
    """Make a digest of the files delivered of the current Region since the one before it.

    Args:
        trail: MiniStack's record of it.
        files: entries of ``logFiles``.
        previous: what this function returned before for the Region; empty at the beginning of a chain.
        covers: when its time begins and ends, in seconds since the epoch; the next one begins where it ends.

    Returns: what the next one has to know (bucket, object, hash, signature, end), and the file's content.
    """
    key_in_pem, _ = _signing()
    public, private = _key_pair(key_in_pem)
    start, end = covers
    name = trail["Name"]
    ending = f"{name}_{trail['HomeRegion']}_{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(end))}"
    key = object_key("CloudTrail-Digest", trail, get_region(), end, ending)
    times = [one[which] for one in files for which in ("oldestEventTime", "newestEventTime")]
    body = {
        "awsAccountId": get_account_id(),
        "digestStartTime": stamp(start),
        "digestEndTime": stamp(end),
        "digestS3Bucket": trail["S3BucketName"],
        "digestS3Object": key,
        "digestPublicKeyFingerprint": fingerprint(public),
        "digestSignatureAlgorithm": ALGORITHM,
        "newestEventTime": max(times, default=None),
        "oldestEventTime": min(times, default=None),
        "previousDigestS3Bucket": previous.get("bucket"),
        "previousDigestS3Object": previous.get("object"),
        "previousDigestHashValue": previous.get("hash"),
        "previousDigestHashAlgorithm": "SHA-256" if previous else None,
        "previousDigestSignature": previous.get("signature"),
        "logFiles": list(files),
    }
    content = json.dumps(body).encode()
    hashed = hashlib.sha256(content).hexdigest()
    to_sign = "\n".join(
        (
            body["digestEndTime"],
            f"{body['digestS3Bucket']}/{key}",
            hashed,
            previous.get("signature") or "null",
        )
    )
    made = {
        "bucket": trail["S3BucketName"],
        "object": key,
        "hash": hashed,
        "signature": _sign(private, to_sign.encode()),
        "end": end,
    }
    return made, content


def fingerprint(public: bytes) -> str:
    """How CloudTrail names a public key: 32 hexadecimal digits."""
    return hashlib.md5(public, usedforsecurity=False).hexdigest()


def _signing() -> tuple[bytes, float]:
    """The Region's private key in PEM, and since when there is one."""
    from cryptography.hazmat.primitives import serialization

    region = get_region()
    owner = next(
        (one for one in (get_account_id(), CLOUDTRAIL) if SIGNING.contains_scoped(one, region, "key")), ""
    )
    if not owner:
        owner, made = CLOUDTRAIL, rsa_pool.take(BITS)
        key = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        SIGNING.set_scoped(owner, region, "since", time.time())
        SIGNING.set_scoped(owner, region, "key", key)
    return SIGNING.get_scoped(owner, region, "key"), SIGNING.get_scoped(owner, region, "since")


def _key_pair(key: bytes) -> tuple[bytes, Any]:
    """The public key in DER (PKCS #1), and the private key, of one in PEM."""
    from cryptography.hazmat.primitives import serialization

    # Ours, and checked when it was made: checking it again takes a tenth of a second.
    private = serialization.load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True)
    encoding, kind = serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    return private.public_key().public_bytes(encoding, kind), private


def _sign(private: Any, data: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return str(private.sign(data, PKCS1v15(), SHA256()).hex())


def _list_public_keys(_body: Mapping[str, Any]) -> Any:
    """The public key of the Region, which has one before anything was signed with it."""
    key, since = _signing()
    public, _ = _key_pair(key)
    shown = {
        "Value": base64.b64encode(public).decode(),
        "ValidityStartTime": since - 1,
        "ValidityEndTime": since + YEARS,
        "Fingerprint": fingerprint(public),
    }
    return cloudtrail._ok({"PublicKeyList": [shown]})


def install() -> None:
    """Serve ListPublicKeys, and keep the key."""
    state.keep("cloudtrail-signing", SIGNING)
    add_entry(cloudtrail, "_DISPATCH", "ListPublicKeys", _list_public_keys, "keys of digest files")
