"""``kmslab who-can``: who may do something with a key or with what it protects."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

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
from kmslab.terminal import err, out, print_json, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kmslab.access.questions import Answer, Question
    from kmslab.access.reading import Identity, Reading
    from kmslab.model.matrix import AccessMatrix, Cell
    from kmslab.model.target import TargetKind

EVERYTHING = "all"
NOTHING = "-"
ALLOWED, REFUSED = "allowed", "refused"
HINT = "`kmslab explain PRINCIPAL ACTION THING` says why, and what would change it. Users are taken to have signed in with MFA."


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
    table.add_column("principal", min_width=max(len(answer.identity.name) for answer in answers))
    table.add_column("", min_width=len(REFUSED))
    table.add_column("decided by", overflow="fold")
    for answer in sorted(answers, key=lambda one: not one.allowed):
        verdict = Text(ALLOWED, "green") if answer.allowed else Text(REFUSED, "dim")
        table.add_row(Text(answer.identity.name), verdict, Text(in_brief(answer)))
    actions = " and ".join(step.request.action for step in question.steps)
    say(out, f"Who may {question.text}? It takes {actions}.\n")
    out.print(table)
    out.print()
    for answer in beside:
        may = f"may: {in_brief(answer)}" if answer.allowed else "may not"
        say(out, f"{answer.identity.name[0].upper()}{answer.identity.name[1:]} {may}.")
    for note in (*question.notes, HINT):
        say(err, note, "dim")


def in_brief(answer: Answer) -> str:
    """The statement that decided, or what was missing, on one line."""
    decision = answer.decided_by
    reason = decision.reasons[0]
    if reason.effect:
        return (f"{reason.sid} of the {reason.policy}" if reason.sid else reason.policy) or reason.text
    nearest = f"; nearest: {reason.sid}" if reason.sid else ""
    where = f"nothing in the {reason.policy}" if reason.policy else f"no {reason.side}"
    return f"{where}{nearest}"


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
    """One operation: a column for each key. Every operation: a line for each principal and key."""
    from rich.table import Table

    shown = Table(box=None, padding=(0, 1), header_style="bold")
    for column in ("principal", *(table.keys if operation else ("key", "may"))):
        shown.add_column(column, overflow="fold")
    for principal in table.principals:
        words = [
            _in_words(table.by_place.get((principal, key), ()), named=not operation) for key in table.keys
        ]
        if operation:
            shown.add_row(principal, *words)
            continue
        lines = [(key, word) for key, word in zip(table.keys, words, strict=True) if word != NOTHING]
        for number, (key, word) in enumerate(lines or [("", "nothing")]):
            shown.add_row("" if number else principal, key, word)
    say(out, f"Who may {operation or 'do what'}, with which key?\n")
    out.print(shown)
    say(err, HINT, "dim")


def _in_words(cells: Sequence[Cell], *, named: bool) -> str:
    """What is allowed, each once: ``Decrypt via s3`` where operations are named, ``via s3`` or ``yes`` otherwise."""
    words = []
    for one in cells:
        if one.allowed:
            route = f"via {one.route}" if one.route else ""
            words.append(" ".join(filter(None, (one.operation, route))) if named else route or "yes")
    return ", ".join(dict.fromkeys(words)) or NOTHING
