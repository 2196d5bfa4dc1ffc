"""The settings of a command: cdk.json, the ``-c`` values given now, and those that the lab was deployed with."""

from __future__ import annotations

import json
import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kmslab.model.errors import LabError
from kmslab.model.settings import CONTEXT, LabSettings
from kmslab.project import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.project import Project

_CONTEXT_FILE = "context.json"


def load_settings(project: Project) -> LabSettings:
    """Return the settings that the lab was last deployed with."""
    return LabSettings.from_project(project.root, deployed_context(project))


def parse_context(values: Sequence[str]) -> dict[str, str]:
    """Read ``KEY=VALUE`` options: the context ``kmslab`` and its ``kmslab.<key>`` overrides, nothing else.

    Raises:
        LabError: one has no ``=``, or is not a setting of the lab.
    """
    context: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if key.partition(".")[0] != CONTEXT:
            raise LabError(f"-c {value} is not a setting of the lab.", hint=_meant(key))
        if not equals:
            raise LabError(f"-c {value} has no value.", hint=f"Write -c {key}=VALUE.")
        context[key] = text
    return context


def _meant(key: str) -> str:
    """Guess which setting somebody had in mind: the word ``kmslab`` misspelt, or left out."""
    head, dot, rest = key.partition(".")
    if get_close_matches(head, [CONTEXT]):
        return f"Did you mean {CONTEXT}{dot}{rest}?"
    if settings := get_close_matches(head, LabSettings.model_fields, 1):
        return f"Did you mean {CONTEXT}.{settings[0]}{dot}{rest}?"
    return f"For example: -c {CONTEXT}.prefix=class-7."


def context_for(project: Project, values: Sequence[str]) -> dict[str, str]:
    """Return what the lab was deployed with, and over it what is given now.

    The whole object ``kmslab`` stands alone: single settings of an earlier ``kmslab up`` would win over it.

    Raises:
        LabError: see `parse_context`.
    """
    given = parse_context(values)
    return given if CONTEXT in given else {**deployed_context(project), **given}


def as_typed(command: str, values: Sequence[str], *others: str) -> str:
    """Return the command line on AWS with these ``-c`` values, for a hint to repeat."""
    context = [part for value in values for part in ("-c", value)]
    return shlex.join(["kmslab", command, "--target", "aws", *others, *context])


def deployed_context(project: Project) -> dict[str, str]:
    """Return the ``-c`` values of the last ``kmslab up``."""
    try:
        context = json.loads((project.home / _CONTEXT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in context.items()}


def keep_context(project: Project, context: dict[str, str]) -> None:
    """Remember the ``-c`` values for the commands that come after ``kmslab up``."""
    write_private(project.ensure_home() / _CONTEXT_FILE, json.dumps(context))


def forget_context(project: Project) -> None:
    """Forget them: the lab that they described is destroyed, and the next one follows cdk.json again."""
    (project.home / _CONTEXT_FILE).unlink(missing_ok=True)
