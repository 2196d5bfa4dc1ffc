"""Draws a plot as SVG: ``python -m kmslab.guides.plot bars requests.csv --title "..." --unit requests > plot.svg``.

For the plots of the course, which the commands of a page make from what they measured. A plot needs no script and no
font of its own, is light or dark as its reader's system is, and says all its numbers in words too.

The first row of the CSV file names the series, the first column what each row is: a label for ``bars``, a number for
``lines``. An empty cell is a value that there is not. ``lines`` has a logarithmic scale on both sides.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

from kmslab.model.errors import ExitCode

WIDTH = 720
MARGIN = 24
TITLE = 56
"""Where the plot begins below its title."""
BAR = 26
GAP = 18
LABELS = 168
"""How wide the labels on the left are."""
HEIGHT = 300
"""Of what the lines are drawn in."""
KEY = 26
"""How high a row of the key is."""
NAMES = 190
"""How wide the names at the ends of the lines are."""

STYLE = """
svg { --page: #ffffff; --ink: #20243b; --soft: #565b78; --rule: #d5d8e6; --s0: #3949ab; --s1: #b3541e; --s2: #2e7d4f; \
--s3: #8e24aa; }
@media (prefers-color-scheme: dark) { svg { --page: #1e2029; --ink: #eceef8; --soft: #b4b8d0; --rule: #3b4058; \
--s0: #9fa8f5; --s1: #f0a36e; --s2: #7bd88f; --s3: #dd9be8; } }
text { font-family: system-ui, sans-serif; font-size: 14px; fill: var(--ink); }
.title { font-size: 16px; font-weight: 600; }
.soft { fill: var(--soft); font-size: 13px; }
.rule { stroke: var(--rule); }
path { fill: none; stroke-width: 2.5; }
"""
DASHES = ("", "7 4", "2 4", "11 4 2 4")
"""Each line has a pattern besides its colour: colours alone do not tell lines apart for everyone."""


class PlotError(Exception):
    """What should be drawn cannot be; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured.

    Attributes:
        series: the names of the columns but the first.
        rows: of each row its label and its values.
    """

    series: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]

    @property
    def highest(self) -> float:
        """The highest value."""
        return max(value for _, values in self.rows for value in values if value is not None)


def main(arguments: list[str] | None = None) -> int:
    """Draw the plot that the command line describes on standard output; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kmslab.guides.plot", description="Draw a plot as SVG.")
    parser.add_argument("kind", choices=("bars", "lines"))
    parser.add_argument("file", type=Path, metavar="CSV")
    parser.add_argument("--title", required=True)
    parser.add_argument("--unit", required=True, help="of the values")
    parser.add_argument("--across", default="", help="for lines: what the first column is")
    options = parser.parse_args(arguments)
    try:
        table = read(options.file)
        drawn = (
            bars(table, options.title, options.unit)
            if options.kind == "bars"
            else lines(table, options.title, options.unit, options.across)
        )
    except (PlotError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    sys.stdout.write(drawn)
    return ExitCode.OK


def read(path: Path) -> Table:
    """Read a CSV file.

    Raises:
        PlotError: it is not what can be drawn.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if row] or [[]]
    if not rows or not 1 < len(head) <= 1 + len(DASHES) or {len(row) for row in rows} != {len(head)}:
        raise PlotError(
            f"{path}: it needs a row of names, rows as long as that, and 1 to {len(DASHES)} series"
        )
    try:
        values = [tuple(float(cell) if cell else None for cell in cells) for _, *cells in rows]
    except ValueError as error:
        raise PlotError(f"{path}: {error}") from error
    known = [value for row in values for value in row if value is not None]
    if not known or min(known) < 0:
        raise PlotError(f"{path}: values are numbers from 0 on, and there must be one")
    return Table(tuple(head[1:]), tuple((row[0], cells) for row, cells in zip(rows, values, strict=True)))


def bars(table: Table, title: str, unit: str) -> str:
    """Draw horizontal bars, one group a row, each with its value at its end."""
    longest = WIDTH - LABELS - 2 * MARGIN - 60  # room for the value
    scale = longest / (table.highest or 1)
    drawn = _key(table.series, TITLE) if len(table.series) > 1 else []
    y = TITLE + (KEY if drawn else 0)
    for label, values in table.rows:
        middle = y + BAR * len(values) / 2
        drawn.append(_text(LABELS + MARGIN - 12, middle + 5, label, anchor="end"))
        for number, value in enumerate(values):
            if value is not None:
                width = max(value * scale, 1)
                drawn.append(
                    f'<rect x="{LABELS + MARGIN}" y="{y + 2:g}" width="{width:.1f}" height="{BAR - 4}" rx="2" '
                    f'fill="var(--s{number})"/>'
                )
                drawn.append(_text(LABELS + MARGIN + width + 8, y + BAR / 2 + 5, _said(value)))
            y += BAR
        y += GAP
    return _svg(table, title, unit, y + MARGIN - GAP, drawn)


def lines(table: Table, title: str, unit: str, across: str) -> str:
    """Draw a line for each series, both scales logarithmic, each line with its name at its end.

    Raises:
        PlotError: a number is not above 0, or there are fewer than two rows: there is no logarithm, or no line.
    """
    try:
        places = [math.log10(float(label)) for label, _ in table.rows]
        logs = [[None if value is None else math.log10(value) for value in row] for _, row in table.rows]
    except ValueError:
        raise PlotError("lines need numbers above 0, in the first column too") from None
    if len(set(places)) < 2:  # noqa: PLR2004  # two points make a line
        raise PlotError("lines need two rows")
    known = [value for row in logs for value in row if value is not None]
    low, high = math.floor(min(known)), math.ceil(max(known) + 1e-9)
    left, top = MARGIN + 56, TITLE + 4
    wide = WIDTH - left - NAMES - MARGIN

    def x(place: float) -> float:
        return left + wide * (place - places[0]) / (places[-1] - places[0])

    def y(value: float) -> float:
        return top + HEIGHT * (high - value) / (high - low)

    drawn = []
    for power in range(low, high + 1):
        drawn.append(
            f'<line class="rule" x1="{left}" y1="{y(power):.1f}" x2="{left + wide}" y2="{y(power):.1f}"/>'
        )
        drawn.append(_text(left - 8, y(power) + 5, _said(10.0**power), anchor="end", style="soft"))
    for place, (label, _) in zip(places, table.rows, strict=True):
        drawn.append(_text(x(place), top + HEIGHT + 20, _said(float(label)), anchor="middle", style="soft"))
    drawn.append(_text(left + wide / 2, top + HEIGHT + 42, across, anchor="middle", style="soft"))
    ends = []
    for number, name in enumerate(table.series):
        line = [
            (x(place), y(value))
            for place, row in zip(places, logs, strict=True)
            if (value := row[number]) is not None
        ]
        path = " L".join(f"{across_:.1f} {up:.1f}" for across_, up in line)
        drawn.append(f'<path d="M{path}" stroke="var(--s{number})" stroke-dasharray="{DASHES[number]}"/>')
        drawn += [
            f'<circle cx="{across_:.1f}" cy="{up:.1f}" r="3.5" fill="var(--s{number})"/>'
            for across_, up in line
        ]
        if line:
            ends.append((line[-1][1], name, number))
    drawn += _names(sorted(ends), left + wide + 12)
    return _svg(table, title, unit, top + HEIGHT + 42 + MARGIN, drawn)


def _names(ends: list[tuple[float, str, int]], x: float) -> list[str]:
    """The names of the lines on the right, as high as they end, and never one upon another."""
    drawn: list[str] = []
    lowest = 0.0
    for end, name, number in ends:
        lowest = max(end + 5, lowest + 20)
        drawn.append(
            f'<line x1="{x:g}" y1="{lowest - 5:.1f}" x2="{x + 24:g}" y2="{lowest - 5:.1f}" stroke="var(--s{number})" '
            f'stroke-width="3" stroke-dasharray="{DASHES[number]}"/>'
        )
        drawn.append(_text(x + 32, lowest, name))
    return drawn


def _key(series: tuple[str, ...], y: float) -> list[str]:
    drawn: list[str] = []
    wide = (WIDTH - 2 * MARGIN) / len(series)
    for number, name in enumerate(series):
        x = MARGIN + number * wide
        drawn.append(
            f'<rect x="{x:g}" y="{y - 13:g}" width="14" height="14" rx="2" fill="var(--s{number})"/>'
        )
        drawn.append(_text(x + 22, y, name))
    return drawn


def _svg(table: Table, title: str, unit: str, height: float, drawn: list[str]) -> str:
    said = "; ".join(
        f"{label}: "
        + ", ".join(
            f"{name} {_said(value)}"
            for name, value in zip(table.series, values, strict=True)
            if value is not None
        )
        for label, values in table.rows
    )
    body = "\n".join(drawn)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="title said">
<title id="title">{escape(title)}</title>
<desc id="said">In {escape(unit)}. {escape(said)}.</desc>
<style>{STYLE}</style>
<rect width="{WIDTH}" height="{height:g}" rx="6" fill="var(--page)"/>
{_text(MARGIN, 30, title, style="title")}
{_text(WIDTH - MARGIN, 30, unit, anchor="end", style="soft")}
{body}
</svg>
"""


def _text(x: float, y: float, text: str, *, anchor: str = "start", style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _said(value: float) -> str:
    """A number as people write it: 4,096 and 0.25, with three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  # three digits


if __name__ == "__main__":
    sys.exit(main())
