"""The access matrix: personas, the operator and the admin user against the lab's keys and their operations."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kmslab.access import observing, questions, reading
from kmslab.access.operations import means_something
from kmslab.model.matrix import AccessMatrix, Cell
from kmslab.model.naming import ENCRYPTION_CONTEXT, role_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kmslab.access.questions import Step
    from kmslab.access.reading import Identity, Key, Reading
    from kmslab.lab import Access
    from kmslab.model.outputs import LabOutputs

DIRECT = (*observing.OBSERVABLE, "PutKeyPolicy", "ScheduleKeyDeletion")
"""What is asked about direct calls, where it means something for the key."""
ROUTES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "s3": {"s3": ("GenerateDataKey", "Decrypt")},
    "trail": {"s3": ("Decrypt",)},
    "ebs": {"ec2": ("GenerateDataKeyWithoutPlaintext", "CreateGrant")},
    "app": {"ec2": ("GenerateDataKeyWithoutPlaintext", "CreateGrant")},
    "secrets": {"secretsmanager": ("GenerateDataKey", "Decrypt"), "ssm": ("Encrypt", "Decrypt")},
}
"""Through which services each key is used, and with which operations."""

Place = tuple[str, str, str, str]
"""Principal, key, operation and route: what tells a cell from the others."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about every principal.

    Attributes:
        key: the key.
        operation: the permission without ``kms:``.
        route: the service that calls for its caller; empty for a direct call.
        step: the permission as the evaluator takes it.
    """

    key: Key
    operation: str
    route: str
    step: Step


@dataclass(slots=True)
class Notes:
    """What one run of the checks learnt.

    Attributes:
        reading: the policies, once they were read.
        observed: what principals could really do.
    """

    reading: Reading | None = None
    observed: dict[Place, bool] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def notes(access: Access, run_id: str) -> Notes:
    """The notes of a run; they outlive it, for `build`."""

    def begun() -> Notes:
        access.once("access: runs", list[str]).append(run_id)
        return Notes()

    return access.once(("access: notes", run_id), begun)


def read_once(access: Access, outputs: LabOutputs, run_id: str) -> Reading:
    """Read the policies, or return what this run has read.

    Raises:
        UnreadableError: some of it could not be read.
    """
    kept = notes(access, run_id)
    with kept.lock:
        if kept.reading is None:
            kept.reading = reading.read(access, outputs, run_id)
        return kept.reading


def build(access: Access, outputs: LabOutputs) -> AccessMatrix:
    """Compute the matrix, with what the last run of the checks on this access observed.

    Raises:
        UnreadableError: the policies could not be read.
    """
    runs = access.once("access: runs", list[str])
    run_id = runs[-1] if runs else ""
    return of(read_once(access, outputs, run_id), notes(access, run_id).observed)


def of(
    found: Reading, observed: Mapping[Place, bool] | None = None, *, operations: Sequence[str] = ()
) -> AccessMatrix:
    """The matrix of a reading.

    Args:
        found: the policies.
        observed: what was tried.
        operations: the only ones asked about; the usual ones when empty.
    """
    rows, known = principals(found), observed or {}
    asked = [question for key in found.keys for question in questions_of(found, key, operations)]
    return AccessMatrix(
        principals=tuple(identity.name for identity in rows),
        keys=tuple(key.name for key in found.keys),
        cells=tuple(
            cell(found, identity, question, known.get(place(identity, question)))
            for identity in rows
            for question in asked
        ),
    )


def principals(found: Reading) -> tuple[Identity, ...]:
    """The rows: the personas, the operator if the account knows them, and every user of the account."""
    return tuple(
        one for one in found.identities if one.name in {*Persona} or one.principal.kind.value == "user"
    )


def questions_of(found: Reading, key: Key, operations: Sequence[str] = ()) -> Iterator[Question]:
    """What is asked about one key, direct calls first; other operations than the usual when they are given."""
    for operation in operations or DIRECT:
        if means_something(operation, key):
            step = questions.on_key(found, operation, key, grantee=grantee(found))
            yield Question(key, operation, "", step)
    for route, wanted in ROUTES.get(key.name, {}).items():
        for operation in (one for one in wanted if not operations or one in operations):
            context = context_of(found, key, route)
            step = questions.on_key(found, operation, key, via=route, context=context)
            yield Question(key, operation, route, step)


def grantee(found: Reading) -> str:
    """ARN of whom a grant of the matrix is for: the data reader, to whom the lab lets the data owner grant."""
    return f"arn:{found.partition}:iam::{found.account}:role/{role_name(found.prefix, Persona.DATA_READER)}"


def cell(found: Reading, identity: Identity, question: Question, observed: bool | None = None) -> Cell:
    """The answer for one principal."""
    answer = questions.ask(found, identity, [question.step])
    return Cell(
        principal=identity.name,
        key=question.key.name,
        operation=question.operation,
        route=question.route,
        allowed=answer.allowed,
        reason=answer.reason,
        observed=observed,
    )


def place(identity: Identity, question: Question) -> Place:
    """What tells a cell from the others."""
    return identity.name, question.key.name, question.operation, question.route


def context_of(found: Reading, key: Key, route: str) -> Mapping[str, str]:
    """The encryption context that a request brings: the lab's directly, else the service's own.

    CloudTrail's log files bring CloudTrail's, which names the trail. The others name the thing; no policy of
    the lab looks at it.
    """
    if not route:
        return ENCRYPTION_CONTEXT
    if key.name == "trail":
        trail = f"arn:{found.partition}:cloudtrail:{found.region}:{found.account}:trail/{found.prefix}"
        return {"aws:cloudtrail:arn": trail}
    return {
        "s3": of_s3(found),
        "ec2": {"aws:ebs:id": "vol-0"},
        "secretsmanager": {"SecretARN": next(iter(found.secret_policies), "")},
        "ssm": {
            "PARAMETER_ARN": f"arn:{found.partition}:ssm:{found.region}:{found.account}:parameter/{found.prefix}"
        },
    }.get(route, {})


def of_s3(found: Reading) -> dict[str, str]:
    """The encryption context that S3 brings for an object of the data bucket, which has a Bucket Key."""
    return {"aws:s3:arn": f"arn:{found.partition}:s3:::{next(iter(found.bucket_policies), '')}"}
