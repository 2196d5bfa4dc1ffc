"""What a command says while it works: rows that move on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.progress import TaskID


class Progress(Protocol):
    """Named pieces of work that begin, get on and end; thread-safe."""

    def begin(self, what: str, doing: str) -> None:
        """Say that a piece of work begins."""

    def advance(self, what: str, done: int, total: int) -> None:
        """Say how far it is."""

    def end(self, what: str, outcome: str) -> None:
        """Say how it ended, in a few words."""


class Lines:
    """For logs and pipes: one line when a piece of work begins, one when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._since: dict[str, float] = {}

    def begin(self, what: str, doing: str) -> None:
        """Print the beginning, once."""
        if what not in self._since:
            self._since[what] = time.monotonic()
            self._console.print(f"  {what}: {doing} ...", highlight=False, markup=False)

    def advance(self, what: str, done: int, total: int) -> None:
        """Nothing: a log needs no moving bar."""

    def end(self, what: str, outcome: str) -> None:
        """Print the end and the seconds it took."""
        since = self._since.pop(what, None)
        took = "" if since is None else f" ({time.monotonic() - since:.1f} s)"
        self._console.print(f"  {what}: {outcome}{took}", highlight=False, markup=False)


class Rows:
    """For a terminal: a row for each piece of work, with a bar and the time it takes."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self.bars = RichProgress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.fields[what]}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.description}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def begin(self, what: str, doing: str) -> None:
        """Add the row, or change what it says it is doing."""
        if what not in self._tasks:
            self._tasks[what] = self.bars.add_task(doing, total=None, what=what)
        self.bars.update(self._tasks[what], description=doing)

    def advance(self, what: str, done: int, total: int) -> None:
        """Move the bar."""
        self.begin(what, f"{done}/{total}")
        self.bars.update(self._tasks[what], completed=done, total=max(total, done, 1))

    def end(self, what: str, outcome: str) -> None:
        """Fill the bar."""
        self.begin(what, outcome)
        self.bars.update(self._tasks[what], completed=1, total=1, description=outcome)


@contextmanager
def shown_on(console: Console) -> Iterator[Progress]:
    """Show progress on the console for as long as the context lasts."""
    if not console.is_terminal:
        yield Lines(console)
        return
    rows = Rows(console)
    with rows.bars:
        yield rows


@contextmanager
def counted(console: Console, what: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show one moving bar, and beside it the latest of what is counted; in a log, nothing.

    Args:
        console: a terminal or a log.
        what: is going on, a word.
        total: how many there will be.

    Yields: what is to be called with each one's line, in rich's markup.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn(what),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with RichProgress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda line: bar.update(task, advance=1, description=line)
