"""Where things stand in the picture of keys and what lies under them; the template only draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.model.inventory import Inventory, KeyFacts, Protected

WIDTH = 820
KEY_WIDTH, KEY_HEIGHT = 262, 50
THING_X, THING_WIDTH, THING_HEIGHT = 352, WIDTH - 352, 34
GAP, ROW_GAP = 8, 16
PER_CHARACTER = 7.6
"""Width of a character of 13 units, with some room: fonts differ. What does not fit is cut; the table has it all."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with two lines of text; lengths are units of the picture.

    Attributes:
        x: left edge.
        y: upper edge.
        width: to the right.
        height: downwards.
        title: the upper line.
        text: the lower line; may be empty.
        style: a class of the style sheet: ``key``, ``stopped``, ``foreign`` or ``thing``.
    """

    x: float
    y: float
    width: float
    height: float
    title: str
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole drawing.

    Attributes:
        width: of the view box.
        height: of the view box.
        boxes: keys and things.
        lines: from the right edge of a key to the left edge of a thing: x, y, x, y.
        heading: where the words over the keys that protect no stored thing stand; None without such keys.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[tuple[float, float, float, float], ...]
    heading: float | None


def draw(inventory: Inventory) -> Picture:
    """Put every key beside what lies under it, then the things of other keys, then the keys for direct use."""
    boxes: list[Box] = []
    lines: list[tuple[float, float, float, float]] = []
    y = 1.0
    for (title, text, style), things in _groups(inventory):
        height = max(KEY_HEIGHT, len(things) * (THING_HEIGHT + GAP) - GAP)
        key = Box(1, y + (height - KEY_HEIGHT) / 2, KEY_WIDTH, KEY_HEIGHT, title, text, style)
        boxes.append(key)
        first = y + (height - (len(things) * (THING_HEIGHT + GAP) - GAP)) / 2
        for number, thing in enumerate(things):
            top = first + number * (THING_HEIGHT + GAP)
            boxes.append(_thing(thing, top))
            lines.append((1 + KEY_WIDTH, key.y + KEY_HEIGHT / 2, THING_X, top + THING_HEIGHT / 2))
        y += height + ROW_GAP
    direct = [key for key in inventory.keys if not inventory.under(key)]
    heading = y + 10 if direct else None
    if direct:
        y += 20
        boxes += _grid(direct, y)
        y += -(-len(direct) // 3) * (KEY_HEIGHT + GAP)
    return Picture(WIDTH, y, tuple(boxes), tuple(lines), heading)


def rotation(key: KeyFacts) -> str:
    """How often KMS rotates a key, in words."""
    if key.rotation_days is None:
        return "not rotated by KMS"
    return f"rotates every {key.rotation_days} days" if key.rotation_days else "rotation off"


def owner(thing: Protected) -> str:
    """Whose key a thing is under that is under none of the lab's."""
    if thing.key.startswith("alias/aws/"):
        return f"AWS managed key {thing.key.removeprefix('alias/')}"
    if thing.key:
        return f"another key: {thing.key}"
    return "no key" if thing.how == "not encrypted" else "AWS owned key"


def _groups(inventory: Inventory) -> Iterable[tuple[tuple[str, str, str], Sequence[Protected]]]:
    for key in inventory.keys:
        if under := inventory.under(key):
            yield _lines(key), under
    for whose in dict.fromkeys(map(owner, inventory.elsewhere)):
        yield (
            (whose, "not the lab's to rule", "foreign"),
            [t for t in inventory.elsewhere if owner(t) == whose],
        )


def _lines(key: KeyFacts) -> tuple[str, str, str]:
    fine = key.state == "Enabled"
    text = rotation(key) if fine and key.rotation_days is not None else key.state
    return f"{key.name} · {key.spec}", text, "key" if fine else "stopped"


def _grid(keys: Sequence[KeyFacts], top: float) -> Iterable[Box]:
    width = (WIDTH - 2 - 2 * GAP) / 3
    for number, key in enumerate(keys):
        row, column = divmod(number, 3)
        y = top + row * (KEY_HEIGHT + GAP)
        yield Box(1 + column * (width + GAP), y, width, KEY_HEIGHT, *_lines(key))


def _thing(thing: Protected, y: float) -> Box:
    title = f"{thing.kind} {thing.name}"
    fits = int((THING_WIDTH - 30) / PER_CHARACTER) - len(thing.how)
    if len(title) > fits:
        title = f"{title[: fits - 1]}…"
    return Box(THING_X, y, THING_WIDTH - 1, THING_HEIGHT, title, thing.how, "thing")
