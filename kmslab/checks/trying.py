"""Trying what was computed: cell by cell of the access matrix, as the personas and the operator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.access import matrix, observing, questions
from kmslab.checks.samples import soon
from kmslab.checks.shared import read_policies
from kmslab.lab import DENIED, Failed, Inconclusive
from kmslab.model.evidence import code_of, message_of
from kmslab.model.persona import Persona
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.access.matrix import Question
    from kmslab.access.reading import Identity, Key, Reading
    from kmslab.lab import Lab

WORKERS = 8
"""Tries at a time in one check."""
WAITING = "PendingImport"
"""State of a key without material: nobody can use it, permitted or not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one principal could really do.

    Attributes:
        identity: who tried.
        question: what.
        permitted: whether it could be done.
    """

    identity: Identity
    question: Question
    permitted: bool


def as_computed(lab: Lab, names: Sequence[str]) -> str:
    """Try every cell of some keys that can be tried, and compare; returns what was seen in one line.

    Raises:
        Failed, Inconclusive: as `compared`.
    """
    found = read_policies(lab)
    keys = [key for key in found.keys if key.name in names]
    pairs = [(identity, key) for identity in actors(found) for key in keys]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="matrix") as pool:
        tried = list(pool.map(lambda pair: _tried(lab, found, *pair), pairs))
    return compared(lab, found, [one for some in tried for one in some])


def _tried(lab: Lab, found: Reading, identity: Identity, key: Key) -> list[Seen]:
    """Try everything that can be tried with one key as one persona."""
    seen: list[Seen] = []
    said = []
    for question in matrix.questions_of(found, key):
        if question.route or not observing.is_worth_trying(question.operation, key):
            continue
        code, permitted = _attempt(lab, found, identity, question)
        said.append(f"{question.operation} {code}")
        if permitted is None and key.metadata["KeyState"] != WAITING and _computed(found, identity, question):
            permitted = (
                False  # the policies allow it, and it cannot be done: the matrix is wrong about this key
            )
        if permitted is not None:
            seen.append(Seen(identity, question, permitted))
    lab.calls.append(Call(Persona(identity.name), "kms:*", key.arn, "ok", ", ".join(said)))
    return seen


def _attempt(lab: Lab, found: Reading, identity: Identity, question: Question) -> tuple[str, bool | None]:
    persona, grantee = Persona(identity.name), matrix.grantee(found)
    return observing.attempt(lab.access, persona, question.operation, question.key, grantee)


def through_s3(lab: Lab, identity: Identity, method: str, parameters: dict[str, Any]) -> bool | None:
    """Call S3; None: S3 refused, so that KMS was not asked.

    Raises:
        Inconclusive: another error came back.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    persona = Persona(identity.name)
    try:
        getattr(lab.client(persona, "s3"), method)(**parameters)
    except ClientError as error:
        code, message = code_of(error), message_of(error)
        lab.calls.append(Call(persona, f"s3:{method}", parameters["Key"], code, message))
        if code not in DENIED:
            raise Inconclusive(f"s3:{method} as {persona}: {code}") from error
        return False if "kms:" in message else None
    except BotoCoreError as error:
        raise Inconclusive(f"s3:{method} as {persona}: {code_of(error)}") from error
    lab.calls.append(Call(persona, f"s3:{method}", parameters["Key"], "ok"))
    return True


def compared(lab: Lab, found: Reading, seen: Sequence[Seen]) -> str:
    """Keep what was seen for the report, and compare it with what was computed.

    Raises:
        Failed: naming the cells that differ, also after the target had time to settle.
        Inconclusive: nobody was permitted anything.
    """
    notes = matrix.notes(lab.access, lab.run_id).observed
    different = []
    for one in seen:
        notes[matrix.place(one.identity, one.question)] = one.permitted
        if _computed(found, one.identity, one.question) is not one.permitted:
            different.append(one)
    if not any(one.permitted for one in seen):
        raise Inconclusive("nobody was permitted anything, so that no refusal counts")
    if different:
        soon(lab, lambda: _still_different(lab, found, different))
    refused = sum(1 for one in seen if not one.permitted)
    return f"{len(seen)} cells as computed: {len(seen) - refused} permitted, {refused} refused"


def _still_different(lab: Lab, found: Reading, cells: Sequence[Seen]) -> None:
    lines = []
    for identity, question in ((one.identity, one.question) for one in cells):
        computed = _computed(found, identity, question)
        code, permitted = ("", None) if question.route else _attempt(lab, found, identity, question)
        if permitted is not computed:
            through = f" through {question.route}" if question.route else ""
            lines.append(
                f"{identity.name} kms:{question.operation} with the key {question.key.name}{through}: "
                f"the policies say {word(computed)}, it was not so{f' ({code})' if code else ''}"
            )
    if lines:
        more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""  # noqa: PLR2004  # what a line can hold
        raise Failed("; ".join(lines[:3]) + more)


def _computed(found: Reading, identity: Identity, question: Question) -> bool:
    return bool(questions.who(found, [identity], question.step))


def word(allowed: bool) -> str:
    """How the sentences say it."""
    return "allowed" if allowed else "refused"


def actors(found: Reading) -> list[Identity]:
    """Who can be tried: the personas, and the operator where IAM knows them."""
    return [one for one in found.identities if one.name in {*Persona}]
