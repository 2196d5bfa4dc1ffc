"""What happens in a class: an append-only file of JSON lines that many processes write and the board reads."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "events.jsonl"

KINDS = frozenset(
    {
        "deploy.started",
        "deploy.done",
        "deploy.failed",
        "verify.started",
        "verify.topic",
        "verify.done",
        "verify.failed",
        "broken",
        "repaired",
        "reset.started",
        "reset.done",
        "reset.failed",
        "down.started",
        "down.done",
        "down.failed",
        "nudge",
    }
)
"""What an event can be."""


def event(seat: str, kind: str, **more: Any) -> dict[str, Any]:
    """Return an event of now.

    Args:
        seat: the seat's name.
        kind: one of `KINDS`.
        more: ``seconds`` (float), ``why`` (one line), ``topic``, ``verdicts``, ``failed``, ``fault``, ``text``;
            nothing secret.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind} is no kind of event")
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"at": at, "seat": seat, "kind": kind, **more}


def append(folder: Path, one: Mapping[str, Any]) -> None:
    """Add one event to the class's file; safe for threads and processes at once.

    One ``write`` to a file that was opened with O_APPEND goes whole to its end (POSIX.1-2017, write).

    Args:
        folder: the class's; made with mode 0700 if it is not there.
        one: as `event` makes it.

    Raises:
        OSError: the file cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = json.dumps(dict(one), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError(f"{folder / FILE} took only a part of an event: is the disk full?")
    finally:
        os.close(descriptor)


def read(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read the events from a place of the file on.

    Args:
        folder: the class's.
        offset: bytes that have been read; one beyond the end of the file begins anew, since the file is another.

    Returns: the events, and the offset to go on from. An unfinished last line is left for later; a line that
        is no event, left by a full disk, is passed over. No file: no events.
    """
    try:
        with (folder / FILE).open("rb") as file:
            if offset > os.fstat(file.fileno()).st_size:
                offset = 0
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    found = (_parsed(line) for line in whole.split(b"\n"))
    return [one for one in found if one is not None], offset + len(whole)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        one = json.loads(line)
    except ValueError:
        return None
    return one if isinstance(one, dict) and {"at", "seat", "kind"} <= one.keys() else None
