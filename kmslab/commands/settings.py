"""The settings of a command: cdk.json, the ``-c`` values given now, and those that the lab was deployed with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kmslab.model.errors import LabError
from kmslab.model.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.project import Project

_CONTEXT_FILE = "context.json"


def load_settings(project: Project) -> LabSettings:
    """Return the settings that the lab was last deployed with."""
    return LabSettings.from_project(project.root, deployed_context(project))


def parse_context(values: Sequence[str]) -> dict[str, str]:
    """Read ``KEY=VALUE`` options.

    Raises:
        LabError: one has no ``=``, or is not a setting of the lab.
    """
    context: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key.startswith("kmslab"):
            raise LabError(f"-c {value} is not a setting.", hint="For example: -c kmslab.prefix=class-7.")
        context[key] = text
    return context


def deployed_context(project: Project) -> dict[str, str]:
    """Return the ``-c`` values of the last ``kmslab up``."""
    try:
        context = json.loads((project.home / _CONTEXT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in context.items()}


def keep_context(project: Project, context: dict[str, str]) -> None:
    """Remember the ``-c`` values for the commands that come after ``kmslab up``."""
    (project.ensure_home() / _CONTEXT_FILE).write_text(json.dumps(context), encoding="utf-8")
