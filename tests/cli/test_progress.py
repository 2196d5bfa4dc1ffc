from __future__ import annotations

import io
import re

from rich.console import Console

from kmslab.progress import Lines, Rows, shown_on


def work(console: Console) -> str:
    with shown_on(console) as progress:
        progress.begin("engine", "starting")
        progress.begin("engine", "still starting")
        progress.advance("kms-lab-keys", 3, 22)
        progress.end("engine", "listens at [1]")
        progress.end("string", "created")
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_log_gets_a_line_for_each_beginning_and_end() -> None:
    said = work(Console(file=io.StringIO(), force_terminal=False, width=100))
    assert [re.sub(r"\d+\.\d s", "0.0 s", line) for line in said.splitlines()] == [
        "  engine: starting ...",
        "  engine: listens at [1] (0.0 s)",
        "  string: created",
    ]


def test_a_terminal_gets_a_row_for_each_piece_of_work() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    said = work(console)
    for row in ("engine", "kms-lab-keys", "string", "3/22", "listens at [1]"):
        assert row in said


def test_which_of_the_two_follows_from_the_console() -> None:
    with shown_on(Console(file=io.StringIO(), force_terminal=True)) as rows:
        assert isinstance(rows, Rows)
    with shown_on(Console(file=io.StringIO(), force_terminal=False)) as lines:
        assert isinstance(lines, Lines)


def test_a_bar_moves_and_fills() -> None:
    rows = Rows(Console(file=io.StringIO(), force_terminal=True))
    rows.advance("keys", 3, 22)
    assert [(task.completed, task.total, task.description) for task in rows.bars.tasks] == [(3, 22, "3/22")]
    rows.advance("keys", 23, 22)
    assert rows.bars.tasks[0].total == 23
    rows.end("keys", "deployed")
    assert rows.bars.finished
    assert rows.bars.tasks[0].description == "deployed"
