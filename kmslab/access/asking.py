"""From words to permissions: what ``read`` or ``decrypt`` takes, of a key and of what a key protects."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kmslab.access import questions
from kmslab.access.matrix import context_of
from kmslab.access.operations import (
    MULTI_REGION,
    PERMISSIONS,
    SERVICES,
    means_something,
    of_connection,
    takes_context,
)
from kmslab.access.questions import Question, Step
from kmslab.access.roles import assuming, on_identity
from kmslab.access.things import Kind
from kmslab.authorization.keys import text as as_text
from kmslab.authorization.model import Request
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kmslab.access.reading import Reading
    from kmslab.access.things import Thing

ACTS: Mapping[Kind, Mapping[str, Sequence[str]]] = {
    Kind.OBJECT: {
        "read": ("s3:GetObject", "kms:Decrypt"),
        "write": ("s3:PutObject", "kms:GenerateDataKey"),
    },
    Kind.VOLUME: {
        "attach": ("ec2:AttachVolume", "kms:CreateGrant"),
        # What the key has to allow, whichever of EC2's and EBS's own operations is used.
        "read": ("kms:Decrypt", "kms:CreateGrant"),
        "write": ("ec2:CreateVolume", "kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant"),
    },
    Kind.SECRET: {
        "read": ("secretsmanager:GetSecretValue", "kms:Decrypt"),
        "write": ("secretsmanager:PutSecretValue", "kms:GenerateDataKey"),
    },
}
"""What an act with a protected thing takes: the service's permission, and those on the key through the service."""
_MEANT = {"decrypt": "read", "encrypt": "write", "generate-data-key": "write", "create": "write"}
"""Words about the key that people use about the thing it protects."""


def question(
    found: Reading, word: str, thing: Thing, *, via: str = "", context: Mapping[str, str] | None = None
) -> Question:
    """The permissions that an act takes.

    Args:
        found: the policies.
        word: ``decrypt``, ``put-key-policy``, ``kms:Decrypt``, ``read``, ``attach``.
        thing: with what.
        via: through which service; for a key only, since another thing's service is known.
        context: the encryption context; None for the lab's, or the one that the service brings.

    Raises:
        LabError: there is no such operation, or it means nothing here; the hint has similar ones.
    """
    if via and via not in SERVICES:
        raise LabError(f"--via {via}: that service is not known.", hint=f"Choose from {', '.join(SERVICES)}.")
    if thing.kind is Kind.KEY:
        return _with_key(found, word, thing, via, context)
    if via and via != thing.via:
        raise LabError(
            f"--via {via}: a {thing.kind} is used through {thing.via or 'its own service'}.",
            hint="Leave it out.",
        )
    actions = _actions(word, thing)
    steps = [step for action in actions for step in _steps(found, action, thing, context)]
    if not steps:
        raise LabError(f"{word} takes a KMS key, and none protects {thing.name}.", hint=" ".join(thing.notes))
    return Question(f"{word} {thing.name}", tuple(steps), thing.notes)


def _with_key(
    found: Reading, word: str, thing: Thing, via: str, context: Mapping[str, str] | None
) -> Question:
    key = thing.key
    if key is None:  # a thing that is a key has itself
        raise ValueError(thing.name)
    operation = permission(word)
    notes = []
    if operation in MULTI_REGION and not key.metadata.get("MultiRegion"):
        # Who is allowed to is asked all the same: a key policy that allows it is copied from key to key.
        notes.append(f"{key.name} is a single-Region key: KMS refuses {operation}, whoever is allowed to.")
    elif not means_something(operation, key):
        kind = f"{key.metadata['KeySpec']}, {key.metadata['KeyUsage']}, {key.metadata['Origin']}"
        raise LabError(
            f"{operation} means nothing for the key {key.name} ({kind}).",
            hint="`kmslab who-can all all` shows what can be asked about each key.",
        )
    if takes_context(operation, key) or operation == "CreateGrant":
        context = context_of(found, key, via) if context is None else context
        pairs = ", ".join(f"{name}={value}" for name, value in context.items())
        whose = "The request brings" if operation != "CreateGrant" else "The grant is constrained to"
        notes.append(f"{whose} the encryption context {pairs or '(none)'}; --encryption-context changes it.")
    step = questions.on_key(found, operation, key, via=via, context=context or {})
    return Question(f"{operation} {thing.name}{f' through {via}' if via else ''}", (step,), tuple(notes))


def permission(word: str) -> str:
    """The permission on a key that a word means: ``put-key-policy`` and ``kms:PutKeyPolicy`` are PutKeyPolicy.

    Raises:
        LabError: there is no such permission on a key; the hint has similar ones.
    """
    known = {_kebab(name): name for name in PERMISSIONS}
    wanted = _kebab(word.removeprefix("kms:"))
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, known, n=3, cutoff=0.5)
    raise LabError(
        f"{word} is nothing that one does with a key.",
        hint=f"Did you mean {' or '.join(near)}?" if near else "For example: decrypt, sign, put-key-policy.",
    )


def _actions(word: str, thing: Thing) -> Sequence[str]:
    """The permissions that a word means for a thing that is no key."""
    acts = ACTS.get(thing.kind, {})
    if word.startswith("kms:") and thing.key:
        return (f"kms:{permission(word)}",)
    if ":" in word:
        # What the service needs is asked about together with what it needs of the key.
        return next((actions for actions in acts.values() if actions[0].lower() == word.lower()), (word,))
    act = word if word in acts else _MEANT.get(word, word)
    if act not in acts:
        near = get_close_matches(word, [*acts, *_MEANT], n=2, cutoff=0.5)
        known = ", ".join(acts) or "an action such as iam:PassRole"
        hint = f"Did you mean {' or '.join(near)}?" if near else f"For a {thing.kind}: {known}."
        raise LabError(f"{word} is nothing that one does with a {thing.kind}.", hint=hint)
    return acts[act]


def _steps(found: Reading, action: str, thing: Thing, context: Mapping[str, str] | None) -> Sequence[Step]:
    service, _, name = action.partition(":")
    if service == "kms":
        if thing.key is None:
            return ()
        given = thing.context if context is None else context
        return (questions.on_key(found, name, thing.key, via=thing.via, context=given),)
    if action.lower() == "sts:assumerole":
        role = next((one for one in found.identities if one.arn == thing.arn), None)
        return (assuming(found, role),) if role else (on_identity(found, action, thing.arn),)
    keys = {name: as_text(value) for name, value in of_connection(found).items()}
    for tag, value in thing.tags.items():
        # What is made like the thing gets the same tags.
        keys |= {f"aws:{whose}tag/{tag}".lower(): as_text(value) for whose in ("resource", "request")}
    return (Step(Request(action, thing.arn, keys), thing.policy, why=action),)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
