"""``kmslab env``: what a shell needs to use the local lab."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from kmslab.cdk import local_environment
from kmslab.model.errors import LabError
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.project import find_project
from kmslab.targets import aws_errors_in_one_line, choose_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.model.target import Target

_OVERRIDING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""Variables that would win over credentials in the environment, in the CDK CLI at least."""


def run(persona: Persona, *, neighbour: bool = False) -> None:
    """Print ``export`` lines; with them goes an ``unset`` of a profile that would win over them.

    Args:
        persona: whose credentials.
        neighbour: those of the administrator of the account beside the lab's instead.

    Raises:
        LabError: a persona of the neighbour is asked for, or the engine does not answer.
    """
    project = find_project()
    target = choose_target(project, TargetKind.LOCAL)
    if neighbour:
        if persona is not Persona.OPERATOR:
            raise LabError("The neighbour has no personas.", hint="Leave out --persona or --neighbour.")
        from kmslab.engine import control

        target = control.neighbour(project.home)
    elif persona is not Persona.OPERATOR:
        from kmslab.commands.settings import load_settings
        from kmslab.lab import Access

        access = Access(target, load_settings(project).prefix)
        with aws_errors_in_one_line():
            target = replace(target, credentials=access.credentials(persona))
    show(target)


def show(target: Target, more: Mapping[str, str] | None = None) -> None:
    """Print the lines for a target, and those of other variables."""
    lines = [f"unset {name}" for name in _OVERRIDING if name in os.environ]
    variables = {**local_environment(target, os.environ), **(more or {})}
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    sys.stdout.write("\n".join(lines) + "\n")
