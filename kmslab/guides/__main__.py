"""Run guide pages against the lab that is up: ``python -m kmslab.guides lab_guides/02-first-key.md``.

With ``--labs 2`` they run on two labs that are made for them: the whole course, on both cores.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kmslab.guides.includes import refresh
from kmslab.guides.page import Kind, PageError, read
from kmslab.guides.runner import run
from kmslab.guides.side_by_side import run_on_labs
from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from kmslab.guides.page import Page


def main(arguments: list[str] | None = None) -> int:
    """Run the pages that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kmslab.guides",
        description="Run every command of a guide page in one shell, and compare what is seen with what it says.",
    )
    parser.add_argument(
        "pages", nargs="+", type=Path, metavar="PAGE", help="such as lab_guides/02-first-key.md"
    )
    parser.add_argument(
        "--shown-only", action="store_true", help="run nothing: list the commands that no run executes"
    )
    parser.add_argument(
        "--include", action="store_true", help="run nothing: copy again what the pages include"
    )
    parser.add_argument(
        "--labs",
        type=int,
        choices=range(1, 9),
        metavar="N",
        help="deploy N labs for it, run the pages side by side, each on one of them, and remove the labs",
    )
    options = parser.parse_args(arguments)
    act = _list_shown_only if options.shown_only else _include if options.include else _run
    try:
        if options.labs and act is _run:
            right = [run_on_labs(options.pages, options.labs, _environment(), _say)]
        else:
            right = [act(page) for page in map(read, options.pages)]
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (PageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.BAD_INPUT
    except LabError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code
    return ExitCode.OK if all(right) else ExitCode.NOT_PROVEN


def _list_shown_only(page: Page) -> bool:
    for step in page.steps:
        if step.kind in {Kind.SHOWN, Kind.AWS}:
            sys.stdout.write(f"{page.path}:{step.line}: {step.why}\n")
    return True


def _include(page: Page) -> bool:
    if refresh(page.path, Path.cwd()):
        sys.stdout.write(f"{page.path}: its includes are fresh again\n")
    return True


def _run(page: Page) -> bool:
    with tempfile.TemporaryDirectory(prefix="kmslab-guide-") as folder:
        result = run(page, Path(folder), _environment())
    sys.stdout.write("".join(f"{problem}\n" for problem in result.problems))
    sys.stdout.write(f"{page.name}: {result.ran} of {len(page.steps)} steps in {result.seconds:.1f} s\n")
    return not result.problems


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _environment() -> dict[str, str]:
    """Return this process's variables, with the lab's commands on the PATH even if no one activated .venv.

    The AWS CLI that `make test` brings comes last: a machine's own is preferred.
    """
    scripts = Path(sys.executable).parent
    aws_cli = Path(sys.prefix).parent / ".kmslab" / "aws-cli" / "bin"
    path = os.pathsep.join((str(scripts), os.environ.get("PATH", os.defpath), str(aws_cli)))
    return {**os.environ, "PATH": path}


if __name__ == "__main__":
    sys.exit(main())
