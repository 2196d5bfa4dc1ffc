"""What ``kmslab`` means in a page that ``make guide-aws`` runs: the lab in the sandbox account.

``kmslab env`` gives back the operator's own credentials, those of a persona, or a profile of the second account; every
other command acts on AWS as the operator, whoever the shell is at the moment.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING

from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from kmslab.model.target import Credentials

CONTEXT = "KMSLAB_GUIDE_CONTEXT"
"""The variable with the ``-c`` values that ``make guide-aws`` was given."""
SECOND = "KMSLAB_GUIDE_SECOND"
"""The variable with the profile of a second sandbox account; missing: ``make guide-aws`` was given none."""
_OPERATORS = "KMSLAB_GUIDE_OPERATOR_"
_IDENTITY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)
_WITH_TARGET = frozenset(
    {"verify", "break", "repair", "faults", "who-can", "explain", "status", "up", "down"}
)
_WITHOUT_CONTEXT = frozenset({"status"})


def saved(variables: Mapping[str, str]) -> dict[str, str]:
    """Return copies of the variables that say who the operator is, under names that no page changes."""
    return {f"{_OPERATORS}{name}": variables[name] for name in _IDENTITY if name in variables}


def as_operator(variables: MutableMapping[str, str]) -> None:
    """Put the operator's variables back."""
    for name in _IDENTITY:
        variables.pop(name, None)
        if f"{_OPERATORS}{name}" in variables:
            variables[name] = variables[f"{_OPERATORS}{name}"]


def exports(variables: Mapping[str, str], credentials: Credentials | None) -> str:
    """Return what a shell evaluates to be somebody: with these credentials, or else the operator."""
    if credentials is None:
        given = {name: variables.get(f"{_OPERATORS}{name}") for name in _IDENTITY}
    else:
        parts = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
        given = dict(zip(_IDENTITY, (*parts, None, None), strict=True))
    return "".join(
        f"unset {name}\n" if value is None else f"export {name}={shlex.quote(value)}\n"
        for name, value in given.items()
    )


def exports_of_profile(profile: str) -> str:
    """Return what a shell evaluates to be who the profile says."""
    given = "".join(f"unset {name}\n" for name in _IDENTITY if name != "AWS_PROFILE")
    return f"{given}export AWS_PROFILE={shlex.quote(profile)}\n"


def on_aws(arguments: list[str], context: list[str]) -> list[str]:
    """Return a command line of kmslab as one would type it for the lab on AWS."""
    if not arguments or arguments[0] not in _WITH_TARGET:
        return arguments
    values = [] if arguments[0] in _WITHOUT_CONTEXT else [part for value in context for part in ("-c", value)]
    return [*arguments, "--target", "aws", *values]


def main() -> None:
    """Stand in for ``kmslab``."""
    arguments = sys.argv[1:]
    as_operator(os.environ)
    if arguments[:1] == ["env"]:
        parser = argparse.ArgumentParser(prog="kmslab env")
        parser.add_argument("--persona", type=Persona, default=Persona.OPERATOR)
        parser.add_argument("--neighbour", action="store_true")
        options = parser.parse_args(arguments[1:])
        if options.neighbour and not os.environ.get(SECOND):
            parser.error("there is no second account; name the profile of one: make guide-aws SECOND=profile")
        if options.neighbour:
            sys.stdout.write(exports_of_profile(os.environ[SECOND]))
        else:
            sys.stdout.write(exports(os.environ, _credentials(options.persona)))
        return
    from kmslab import cli

    sys.argv[1:] = on_aws(arguments, shlex.split(os.environ.get(CONTEXT, "")))
    cli.main()


def _credentials(persona: Persona) -> Credentials | None:
    from kmslab.commands.settings import load_settings
    from kmslab.lab import Access
    from kmslab.model.target import TargetKind
    from kmslab.project import find_project
    from kmslab.targets import choose_target

    project = find_project()
    access = Access(choose_target(project, TargetKind.AWS), load_settings(project).prefix)
    return access.credentials(persona)


if __name__ == "__main__":
    main()
