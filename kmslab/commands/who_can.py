"""``kmslab who-can``: who may do something with a key or with what it protects."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.access import asking, matrix, questions, reading
from kmslab.access.operations import SERVICES
from kmslab.access.reader import Reader
from kmslab.access.things import Finder
from kmslab.commands.settings import context_for
from kmslab.deployed import read_outputs
from kmslab.lab import Access
from kmslab.model.errors import LabError
from kmslab.model.settings import LabSettings
from kmslab.project import find_project
from kmslab.targets import aws_errors_in_one_line, choose_target
from kmslab.terminal import err, out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kmslab.access.questions import Answer, Question
    from kmslab.access.reading import Identity, Reading
    from kmslab.model.matrix import AccessMatrix, Cell
    from kmslab.model.target import TargetKind

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a question is asked, and how the request would be made.

    Attributes:
        kind: of the target.
        endpoint_url: another emulator instead.
        values: ``-c`` options.
        via: through which service; empty for a direct call.
        pairs: ``KEY=VALUE`` of the encryption context; None for the lab's.
    """

    kind: TargetKind
    endpoint_url: str
    values: Sequence[str]
    via: str
    pairs: Sequence[str] | None

    @property
    def context(self) -> Mapping[str, str] | None:
        """The encryption context; None for the lab's, or the service's own.

        Raises:
            LabError: one is no pair.
        """
        if self.pairs is None:
            return None
        given = [pair.partition("=") for pair in self.pairs if pair]
        for name, equals, _ in given:
            if not (name and equals):
                raise LabError(
                    f"--encryption-context {name} has no value.",
                    hint="Write --encryption-context KEY=VALUE; --encryption-context '' for none.",
                )
        return {name: value for name, _, value in given}


@contextmanager
def opened(asked: Asked) -> Iterator[tuple[Reading, Finder]]:
    """Read the policies of the deployed lab.

    Raises:
        LabError: there is no lab, or its policies cannot be read.
    """
    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, asked.values))
    access = Access(choose_target(project, asked.kind, asked.endpoint_url), settings.prefix)
    with aws_errors_in_one_line():
        outputs = read_outputs(access)
        found = reading.read(access, outputs)
        yield found, Finder(Reader(access), found, outputs)


def run(asked: Asked, operation: str, thing: str, *, everyone: bool, as_json: bool) -> None:
    """Answer, and print the answers.

    Raises:
        LabError: the words name nothing, or the target cannot be read.
    """
    context = asked.context  # a slip of the pen is told before anything is read
    if asked.via and asked.via not in SERVICES:
        raise LabError(
            f"--via {asked.via}: that service is not known.", hint=f"Choose from {', '.join(SERVICES)}."
        )
    if thing == EVERYTHING:
        wanted = "" if operation == EVERYTHING else asking.permission(operation)
        with opened(asked) as (found, _):
            _show_matrix(found, wanted, as_json=as_json)
        return
    if operation == EVERYTHING:
        raise LabError("all operations are shown for all keys only.", hint="`kmslab who-can all all`.")
    with opened(asked) as (found, finder):
        question = asking.question(found, operation, finder.find(thing), via=asked.via, context=context)
        answers = [questions.ask(found, one, question.steps) for one in _rows(found, everyone=everyone)]
        beside = [questions.ask(found, one, question.steps) for one in questions.anyone(found)]
        _show(question, answers, beside, as_json=as_json)


def _rows(found: Reading, *, everyone: bool) -> list[Identity]:
    """Who is asked about: the rows of the matrix, and who is above them; or the whole account."""
    listed = list(found.identities) if everyone else list(matrix.principals(found))
    above = [one for one in found.identities if one.is_execution_role and one not in listed]
    return [*listed, *above, found.root]


def _show(question: Question, answers: Sequence[Answer], beside: Sequence[Answer], *, as_json: bool) -> None:
    if as_json:
        everyone = [described(question, answer) for answer in answers]
        anyone = [described(question, answer) for answer in beside]
        steps = [
            {"action": step.request.action, "resource": step.request.resource} for step in question.steps
        ]
        print_json(
            {
                "question": question.text,
                "steps": steps,
                "notes": [*question.notes],
                "principals": everyone,
                "anyone": anyone,
            }
        )
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="bold")
    for column in ("principal", "", "why"):
        table.add_column(column, overflow="fold")
    for answer in sorted(answers, key=lambda one: not one.allowed):
        table.add_row(answer.identity.name, _word(allowed=answer.allowed), answer.reason)
    out.print(
        f"Who may {' and '.join(step.request.action for step in question.steps)}: {question.text}\n",
        markup=False,
        highlight=False,
    )
    out.print(table)
    for answer in beside:
        verb = "may, too" if answer.allowed else "may not"
        reason = f": {answer.reason}" if answer.allowed else "."
        out.print(
            f"{answer.identity.name.capitalize()} {verb}{reason}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    for note in question.notes:
        err.print(note, style="dim", markup=False, highlight=False, soft_wrap=True)


def described(question: Question, answer: Answer) -> dict[str, Any]:
    """One answer as JSON says it."""
    return {
        "principal": answer.identity.name,
        "arn": answer.identity.arn,
        "allowed": answer.allowed,
        "steps": [
            {
                "action": step.request.action,
                "resource": step.request.resource,
                "allowed": decision.allowed,
                "explicit_deny": decision.explicit,
                "reasons": [
                    {"policy": one.policy, "statement": one.sid, "effect": one.effect, "text": one.text}
                    for one in decision.reasons
                ],
                "remedy": decision.remedy,
            }
            for step, decision in zip(question.steps, answer.decisions, strict=False)
        ],
    }


def print_json(value: Any) -> None:
    """Print what a program reads, on standard output."""
    out.print(json.dumps(value, indent=2), markup=False, highlight=False, soft_wrap=True)


def _word(*, allowed: bool) -> str:
    return "[green]allowed[/]" if allowed else "[dim]refused[/]"


# --- the whole matrix


def _show_matrix(found: Reading, operation: str, *, as_json: bool) -> None:
    table = matrix.of(found, operations=(operation,) if operation else ())
    if as_json:
        print_json(
            {"principals": table.principals, "keys": table.keys, "cells": [_cell(one) for one in table.cells]}
        )
        return
    _print_matrix(table, operation)


def _cell(one: Cell) -> dict[str, Any]:
    return {
        "principal": one.principal,
        "key": one.key,
        "operation": one.operation,
        "route": one.route,
        "allowed": one.allowed,
        "reason": one.reason,
    }


def _print_matrix(table: AccessMatrix, operation: str) -> None:
    from rich.table import Table

    shown = Table(box=None, padding=(0, 1), header_style="bold")
    for column in ("principal", *table.keys):
        shown.add_column(column, overflow="fold")
    for principal in table.principals:
        shown.add_row(
            principal,
            *(_in_words(table.by_place.get((principal, key), ()), operation) for key in table.keys),
        )
    out.print(f"Who may {operation or 'do what'}, with which key\n", markup=False, highlight=False)
    out.print(shown)


def _in_words(cells: Sequence[Cell], operation: str) -> str:
    """What is allowed, each once: ``yes``, ``via s3``; ``Decrypt, DescribeKey`` where every operation is asked about."""
    if not cells:
        return ""
    words = dict.fromkeys(
        (one.operation if not operation else "yes" if not one.route else "")
        + (f"{' ' if not operation else ''}via {one.route}" if one.route else "")
        for one in cells
        if one.allowed
    )
    return ", ".join(words) or "-"
