"""``kmslab engine at-rest``: what the engine's disk holds of something, and which key opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.engine import inspection
from kmslab.project import find_project
from kmslab.terminal import out, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.engine.inspection import Stored

SHOWN = 256
"""Bytes of the content in the dump."""
_ROW = 16
_PRINTABLE = range(0x20, 0x7F)


def at_rest(name: str) -> None:
    """Show where something is stored, its first bytes, its encrypted data key and whose key that is under.

    Args:
        name: as `kmslab.engine.inspection.find` takes it.

    Raises:
        LabError: nothing of this name is stored.
    """
    for number, stored in enumerate(inspection.find(find_project().home, name)):
        if number:
            out.print()
        for line in _lines(stored):
            say(out, line)


def _lines(stored: Stored) -> Iterator[str]:
    """The description of one thing, line by line."""
    yield stored.what
    yield f"  stored in   {stored.where}" + (
        ", sealed once more under the lab's secret" if stored.sealed_again else ""
    )
    yield f"  encryption  {stored.kind}"
    yield f"  key         {stored.key}"
    for name, value in stored.context.items():
        yield f"  context     {name} = {value}"
    if stored.data_key:
        yield f"  data key    encrypted, {len(stored.data_key)} bytes: {stored.data_key[-_ROW:].hex(' ')} at its end"
    if not stored.content:
        yield (
            "  content     not shown: it is not encrypted"
            if stored.kind == "not encrypted"
            else "  content     none"
        )
        return
    yield f"  content     {len(stored.content)} bytes, the first {min(SHOWN, len(stored.content))}:"
    yield from dump(stored.content[:SHOWN])


def dump(content: bytes) -> Iterator[str]:
    """Bytes in rows of 16, as ``hexdump -C`` shows them."""
    for at in range(0, len(content), _ROW):
        row = content[at : at + _ROW]
        text = "".join(chr(byte) if byte in _PRINTABLE else "." for byte in row)
        yield f"  {at:08x}  {row.hex(' '):<{3 * _ROW}} |{text}|"
