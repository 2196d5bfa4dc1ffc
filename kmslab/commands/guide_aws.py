"""``make guide-aws``: the pages of the course, run in a sandbox account as the test suite runs them on the local lab."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.commands.on_aws import CONTEXT, SECOND, saved
from kmslab.commands.settings import as_typed, context_for
from kmslab.guides.course import PAGES
from kmslab.guides.page import PageError, read
from kmslab.guides.runner import STEP_SECONDS, run
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.settings import LabSettings
from kmslab.model.target import Credentials, Target, TargetKind
from kmslab.project import find_project
from kmslab.targets import aws_errors_in_one_line, choose_target, require_sandbox
from kmslab.terminal import show_error

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOWER = 10
"""How much longer than the local lab AWS may take for a step: permissions spread, and the trail is late."""


def main(arguments: list[str] | None = None) -> int:
    """Run the pages that are named, or all of them; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="make guide-aws", description="Run every command of the course in a sandbox account."
    )
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--second",
        default="",
        metavar="PROFILE",
        help="of the AWS CLI: the administrator of a second sandbox account; without it, what needs one is not run",
    )
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    options = parser.parse_args(arguments)
    try:
        return _run(options.pages, options.context, options.second)
    except LabError as error:
        show_error(error)
        return error.exit_code
    except (PageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT


def _run(named: Sequence[Path], values: Sequence[str], second: str) -> int:
    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, values))
    target = choose_target(project, TargetKind.AWS)
    access = Access(target, settings.prefix)
    with aws_errors_in_one_line():
        require_sandbox(access, settings, as_typed("verify", values))
        if second:
            _require_second(access, second, settings, values)
    planned = (project.root / "lab_guides" / f"{stem}.md" for stem in PAGES)
    wrong = False
    with tempfile.TemporaryDirectory(prefix="kmslab-guide-") as folder:
        environment = _environment(Path(folder), target.region, values, second)
        for path in named or [path for path in planned if path.exists()]:
            work = Path(folder, path.stem)
            work.mkdir()
            page = read(path)
            result = run(
                page,
                work,
                environment,
                timeout=STEP_SECONDS * SLOWER,
                on_aws=True,
                second_account=bool(second),
            )
            wrong |= bool(result.problems)
            sys.stdout.write(
                "".join(
                    f"{path}:{step.line}: not run: needs a second account: {step.second}\n"
                    for step in result.left_out
                )
            )
            sys.stdout.write("".join(f"{problem}\n" for problem in result.problems))
            sys.stdout.write(
                f"{page.name}: {result.ran} of {len(page.steps)} steps in {result.seconds:.0f} s\n"
            )
    return ExitCode.NOT_PROVEN if wrong else ExitCode.OK


def _require_second(access: Access, profile: str, settings: LabSettings, values: Sequence[str]) -> None:
    """Refuse a second account that is the first one, or that is no sandbox.

    Raises:
        LabError: it is either, or the profile gives no credentials.
        BotoCoreError: likewise.
    """
    import botocore.session

    found = botocore.session.Session(profile=profile).get_credentials()
    keys = found and found.get_frozen_credentials()
    if not keys or not keys.access_key or not keys.secret_key:
        raise LabError(f"The profile {profile} has no credentials.", exit_code=ExitCode.TARGET)
    theirs = Credentials(keys.access_key, keys.secret_key, keys.token)
    other = Access(Target(TargetKind.AWS, access.target.region, credentials=theirs), settings.prefix)
    if other.account == access.account:
        raise LabError(
            f"The profile {profile} is of account {other.account}, which is the lab's.",
            hint="Name a profile of another sandbox account, or leave it out.",
            exit_code=ExitCode.TARGET,
        )
    require_sandbox(other, settings, as_typed("verify", values))


def _environment(folder: Path, region: str, values: Sequence[str], second: str) -> dict[str, str]:
    """Return the variables of a page's shell: ``kmslab`` in it means the lab on AWS."""
    stand_in = folder / "bin" / "kmslab"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kmslab.commands.on_aws "$@"\n')
    stand_in.chmod(0o700)
    aws_cli = Path(sys.prefix).parent / ".kmslab" / "aws-cli" / "bin"
    path = (
        str(stand_in.parent),
        str(Path(sys.executable).parent),
        os.environ.get("PATH", os.defpath),
        str(aws_cli),
    )
    return {
        **os.environ,
        **saved(os.environ),
        CONTEXT: shlex.join(values),
        SECOND: second,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "PATH": os.pathsep.join(path),
    }


if __name__ == "__main__":
    sys.exit(main())
