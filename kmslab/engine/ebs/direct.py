"""The EBS direct APIs: write and read the blocks of a snapshot without an instance.

Shapes, limits and error codes are those of botocore's service model ``ebs`` (2019-11-02). Reading an
encrypted block needs ``kms:Decrypt``; starting an encrypted snapshot needs what a new volume needs
(EBS User Guide, "Control access to EBS direct APIs using IAM"). The sentences, and what a wrong count or checksum
leads to, are those that users who tried it on AWS wrote into their tests (read 2026-11-22); how the checksum of a
whole snapshot is made, AWS's own coldsnap.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id
from ministack.services import ec2

from kmslab.engine.ebs import blocks, snapshots
from kmslab.engine.ebs.keys import NEW, use
from kmslab.engine.ebs.volumes import INTEGER, LINEAGE, lineage, wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.ebs.keys import Response

TOKEN_SECONDS = 7 * 24 * 3600
"""How long a block token is good for: the list's ExpiryTime."""
FEWEST, MOST = 100, 10_000
"""The bounds of MaxResults."""
SHORTEST, LONGEST = 10, 4320
"""The bounds of StartSnapshot's Timeout in minutes."""
GIVEN_OUT = r"snap-([0-9a-f]{8}|0[0-9a-f]{16})"
"""Ids that EC2 may have given out; another one is not valid, though the service model allows it."""
WRITTEN = "kmslab:written"
"""Where a snapshot of MiniStack keeps the indexes of the blocks that were written into it, its parent's not among them."""
BASE64 = re.compile(r"[A-Za-z0-9+/=]{1,64}")
HASHED = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-aggregation-method": "LINEAR"}
"""The only way to hash, of a block and of all."""
TOKEN = "kmslab:client-token"  # noqa: S105  # the name of a member
"""Where a snapshot of MiniStack keeps the request that started it."""
START_MEMBERS: dict[str, tuple[type, int, str]] = {
    "ClientToken": (str, 255, r"\S+"),
    "Description": (str, 255, r".+"),
    "Encrypted": (bool, 0, ""),
    "KmsKeyArn": (str, 2048, r"arn:aws[a-z-]*:kms:.*:[0-9]{12}:key/.*"),
    "ParentSnapshotId": (str, 64, r"snap-[0-9a-f]+"),
    "Tags": (list, 0, ""),
    "Timeout": (int, 0, ""),
}
"""Type, length and pattern of StartSnapshot's members."""
REASONS = {
    "KmsKeyArn": "INVALID_CUSTOMER_KEY",
    "ParentSnapshotId": "INVALID_SNAPSHOT_ID",
    "Tags": "INVALID_TAG",
}
"""Reasons of a ValidationException that is not about a parameter's value in general."""


class EbsError(Exception):
    """An error of the EBS direct APIs.

    Attributes:
        code: as in the service model.
        status: HTTP's.
        reason: the enumerated reason; may be empty.
    """

    def __init__(self, code: str, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code, self.status, self.reason = code, status, reason


def _invalid(message: str, reason: str = "INVALID_PARAMETER_VALUE") -> EbsError:
    return EbsError("ValidationException", 400, message, reason)


def malformed() -> EbsError:
    """What the service model does not allow: refused without a word, before anything is looked at."""
    return EbsError("ValidationException", 400, "")


def _snapshot(snapshot_id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = ec2._snapshots.get(snapshot_id)
    if found is None and not re.fullmatch(GIVEN_OUT, snapshot_id):
        words = f"Value ({snapshot_id}) for parameter snapshotId is invalid. Expected: 'snap-...'."
        raise _invalid(words, "INVALID_SNAPSHOT_ID")
    if found is None:
        raise EbsError(
            "ResourceNotFoundException",
            404,
            f"The snapshot '{snapshot_id}' does not exist.",
            "SNAPSHOT_NOT_FOUND",
        )
    return found


def _writable(snapshot_id: str) -> dict[str, Any]:
    snapshot = _snapshot(snapshot_id)
    if snapshot["State"] != "pending":
        raise EbsError("ConflictException", 409, f"The snapshot '{snapshot_id}' is already completed.")
    return snapshot


def _readable(snapshot_id: str) -> dict[str, Any]:
    snapshot = _snapshot(snapshot_id)
    if snapshot["State"] != "completed":
        raise _invalid(f"The snapshot '{snapshot_id}' is not completed.", "INVALID_SNAPSHOT_ID")
    return snapshot


def _use_key(operations: tuple[str, ...], key: str, snapshot_id: str) -> str:
    arn, refusal = use(operations, key, snapshot_id)
    if refusal is None:
        return arn
    if refusal.denied:
        raise EbsError("AccessDeniedException", 403, refusal.message, "DEPENDENCY_ACCESS_DENIED")
    raise _invalid(refusal.message or f"The KMS key is not usable: {refusal.code}", "INVALID_CUSTOMER_KEY")


def start_snapshot(members: Mapping[str, Any]) -> Response:
    """StartSnapshot: pending until it is completed; the same request under the same token starts one snapshot."""
    _check_members(members)
    if started := _started_before(members):
        return _json(201, started)
    size = members.get("VolumeSize")
    if not isinstance(size, int) or not 1 <= size <= 65_536:  # noqa: PLR2004  # GiB, from the model
        raise _invalid("VolumeSize must be between 1 and 65536 GiB.", "INVALID_VOLUME_SIZE")
    parent = _readable(members["ParentSnapshotId"]) if members.get("ParentSnapshotId") else None
    if parent and ("Encrypted" in members or "KmsKeyArn" in members):
        raise _invalid("Encrypted and KmsKeyArn cannot be given with ParentSnapshotId.")
    if members.get("KmsKeyArn") and not members.get("Encrypted"):
        raise _invalid("KmsKeyArn requires Encrypted.")
    asked = {
        "Encrypted": str(members.get("Encrypted", False)).lower(),
        "KmsKeyId": members.get("KmsKeyArn", ""),
    }
    encrypted, key_ref = wanted(asked, parent)
    snapshot_id = ec2._new_snapshot_id()
    key = _use_key(NEW, key_ref, snapshot_id) if encrypted else ""
    record = snapshots.record(
        snapshot_id, size, description=members.get("Description", ""), key=key, state="pending"
    )
    if tags := members.get("Tags"):
        ec2._tags[snapshot_id] = tags
    blocks.start(snapshot_id, key)
    if parent:
        record[LINEAGE] = lineage(parent)
        blocks.share(parent["SnapshotId"], snapshot_id)
    answer = {
        "SnapshotId": snapshot_id,
        "Description": record["Description"],
        "OwnerId": get_account_id(),
        "Status": "pending",
        "StartTime": time.time(),
        "VolumeSize": size,
        "BlockSize": blocks.SIZE,
        "Tags": members.get("Tags", []),
        **({"ParentSnapshotId": parent["SnapshotId"]} if parent else {}),
        "SseType": "sse-kms" if key else "none",
        **({"KmsKeyArn": key} if key else {}),
    }
    if token := members.get("ClientToken"):
        record[TOKEN] = {"token": token, "members": dict(members), "answer": answer}
    return _json(201, answer)


def _check_members(members: Mapping[str, Any]) -> None:
    """Types, lengths and patterns of StartSnapshot as in the service model."""
    for name, (kind, most, pattern) in START_MEMBERS.items():
        value = members.get(name)
        if value is None:
            continue
        reason = REASONS.get(name, "INVALID_PARAMETER_VALUE")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _invalid(f"{name} is not of type {kind.__name__}.", reason)
        if isinstance(value, str) and (len(value) > most or not re.fullmatch(pattern, value, re.DOTALL)):
            raise _invalid(f"The value of {name} is not valid.", reason)
    if not SHORTEST <= members.get("Timeout", LONGEST) <= LONGEST:
        raise _invalid(f"Timeout must be between {SHORTEST} and {LONGEST} minutes.")


def _started_before(members: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer that the request's token was given before.

    Raises:
        EbsError: ConflictException, when the other members were others.
    """
    token = members.get("ClientToken")
    kept = (snapshot.get(TOKEN) or {} for snapshot in ec2._snapshots.values())
    before = next((one for one in kept if token and one.get("token") == token), None)
    if before and before["members"] != dict(members):
        raise EbsError("ConflictException", 409, "The client token was used with other parameters before.")
    answer: dict[str, Any] | None = before and before["answer"]
    return answer


def put_snapshot_block(snapshot_id: str, index: int, headers: Mapping[str, str], body: bytes) -> Response:
    """PutSnapshotBlock: the checksum has to be the data's, the block inside the volume."""
    snapshot, given = _writable(snapshot_id), headers.get("x-amz-checksum", "")
    if headers.get("x-amz-checksum-algorithm") != HASHED["x-amz-checksum-algorithm"]:
        raise malformed()
    if not 0 <= index < snapshot["VolumeSize"] * 2048:
        raise _invalid(f"Block index {index} is beyond the volume size extent", "INVALID_BLOCK")
    if headers.get("x-amz-data-length") != str(blocks.SIZE) or len(body) != blocks.SIZE:
        raise _invalid(f"A block has {blocks.SIZE} bytes.", "INVALID_BLOCK")
    if given != (checksum := _checksum(body)):
        words = "The value passed in as x-amz-Checksum does not match the computed checksum."
        told = f"{words} Computed checksum: {checksum} expected checksum: {given}"
        raise EbsError("InvalidSignatureException", 403, told)
    if key := snapshot.get("KmsKeyId"):
        _use_key(("Decrypt",), key, snapshot_id)
    blocks.write(snapshot_id, index, body)
    if index not in (written := snapshot.setdefault(WRITTEN, [])):
        written.append(index)
    return 201, {"x-amz-Checksum": checksum, "x-amz-Checksum-Algorithm": "SHA256"}, b""


def complete_snapshot(snapshot_id: str, headers: Mapping[str, str]) -> Response:
    """CompleteSnapshot: the snapshot can be read and restored from now on.

    EBS compares what it is told with what was written after it has answered: then the snapshot ends in the state
    ``error``. The checksum is of all written blocks' checksums, as bytes, in the order of their indexes.
    """
    count, given = headers.get("x-amz-changedblockscount", ""), headers.get("x-amz-checksum")
    if not INTEGER.fullmatch(count) or (given is not None and not BASE64.fullmatch(given)):
        raise malformed()
    if any(headers.get(name, only) != only for name, only in HASHED.items()):
        raise malformed()
    snapshot = _writable(snapshot_id)
    written = sorted(snapshot.get(WRITTEN, ()))
    whole = int(count) == len(written)
    if whole and given is not None:
        hashes = (_digest(blocks.read(snapshot_id, index) or b"") for index in written)
        whole = given == _checksum(b"".join(hashes))
    if not whole:
        snapshot["State"] = "error"
        return _json(202, {"Status": "pending"})
    snapshot.update(State="completed", Progress="100%")
    return _json(202, {"Status": "completed"})


def list_snapshot_blocks(snapshot_id: str, query: Mapping[str, str]) -> Response:
    """ListSnapshotBlocks: indexes and tokens, in pages."""
    asked = _Page.of(query)
    snapshot = _readable(snapshot_id)
    page, token = asked.take(blocks.indexes(snapshot_id))
    found = [{"BlockIndex": index, "BlockToken": _token(snapshot_id, index)} for index in page]
    return _json(200, {"Blocks": found, **_list_facts(snapshot, token)})


def list_changed_blocks(second_id: str, query: Mapping[str, str]) -> Response:
    """ListChangedBlocks: what differs between two snapshots of the same lineage."""
    asked = _Page.of(query)
    second = _readable(second_id)
    if not (first_id := query.get("firstSnapshotId", "")):
        raise _invalid("FirstSnapshotId is required.", "INVALID_SNAPSHOT_ID")
    if lineage(_readable(first_id)) != lineage(second):
        raise _invalid("The snapshots are not of one volume or lineage.", "UNRELATED_SNAPSHOTS")
    everywhere = sorted({*blocks.indexes(first_id), *blocks.indexes(second_id)})
    differing = [i for i in everywhere if blocks.read(first_id, i) != blocks.read(second_id, i)]
    page, token = asked.take(differing)
    changed = []
    for index in page:
        entry: dict[str, Any] = {"BlockIndex": index}
        for name, snapshot_id in (("FirstBlockToken", first_id), ("SecondBlockToken", second_id)):
            if blocks.read(snapshot_id, index) is not None:
                entry[name] = _token(snapshot_id, index)
        changed.append(entry)
    return _json(200, {"ChangedBlocks": changed, **_list_facts(second, token)})


def get_snapshot_block(snapshot_id: str, index: int, query: Mapping[str, str]) -> Response:
    """GetSnapshotBlock: the plaintext, for who may use the snapshot's key."""
    snapshot = _readable(snapshot_id)
    if query.get("blockToken") != _token(snapshot_id, index):
        raise _invalid(f"The block token {query.get('blockToken', '')} is invalid.", "INVALID_BLOCK_TOKEN")
    if key := snapshot.get("KmsKeyId"):
        _use_key(("Decrypt",), key, snapshot_id)
    data = blocks.read(snapshot_id, index)
    if data is None:
        raise _invalid("The snapshot has no such block.", "INVALID_BLOCK")
    headers = {
        "Content-Type": "application/octet-stream",
        "x-amz-Data-Length": str(len(data)),
        "x-amz-Checksum": _checksum(data),
        "x-amz-Checksum-Algorithm": "SHA256",
    }
    return 200, headers, data


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _checksum(data: bytes) -> str:
    return base64.b64encode(_digest(data)).decode()


def _token(snapshot_id: str, index: int) -> str:
    return _checksum(f"{snapshot_id}/{index}".encode())


@dataclass(frozen=True, slots=True)
class _Page:
    """Which part of a list is asked for.

    Attributes:
        size: most entries.
        start: the first index.
        token: what the start was told with; empty when by a number, or not.
    """

    size: int
    start: int
    token: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> _Page:
        """Read the query, before anything is looked at."""
        try:
            size, start = int(query.get("maxResults") or MOST), int(query.get("startingBlockIndex") or 0)
        except ValueError as error:
            raise malformed() from error
        if not FEWEST <= size <= MOST or start < 0:
            raise malformed()
        return cls(size, start, query.get("pageToken", ""))

    def take(self, indexes: list[int]) -> tuple[list[int], str | None]:
        """The part, and the token of the next one; None: there is none."""
        start = self.start
        if self.token:
            try:
                start = int(base64.b64decode(self.token, validate=True))
            except ValueError as error:
                words = f"The pagination token {self.token} is invalid."
                raise _invalid(words, "INVALID_PAGE_TOKEN") from error
        rest = [index for index in indexes if index >= start]
        size = self.size
        following = base64.b64encode(str(rest[size]).encode()).decode() if len(rest) > size else None
        return rest[:size], following


def _list_facts(snapshot: Mapping[str, Any], token: str | None) -> dict[str, Any]:
    return {
        "ExpiryTime": time.time() + TOKEN_SECONDS,
        "VolumeSize": snapshot["VolumeSize"],
        "BlockSize": blocks.SIZE,
        **({"NextToken": token} if token else {}),
    }


def _json(status: int, answer: Mapping[str, Any]) -> Response:
    return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()
