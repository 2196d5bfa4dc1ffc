"""Run guide pages against the lab that is up: ``python -m kmslab.guides lab_guides/02-first-key.md``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from kmslab.guides.page import Kind, PageError, read
from kmslab.guides.runner import run
from kmslab.model.errors import ExitCode, LabError


def main(arguments: list[str]) -> int:
    """Run the pages named, or list what is not run in them (``--shown-only``); return the exit code."""
    say = sys.stdout.write
    only_list = "--shown-only" in arguments
    paths = [Path(name) for name in arguments if name != "--shown-only"]
    if not paths:
        say("usage: python -m kmslab.guides [--shown-only] PAGE...\n")
        return ExitCode.BAD_INPUT
    code = ExitCode.OK
    try:
        for page in map(read, paths):
            shown = [step for step in page.steps if step.kind is Kind.SHOWN]
            if only_list:
                say("".join(f"{page.path}:{step.line}: {step.why}\n" for step in shown))
                continue
            with tempfile.TemporaryDirectory(prefix="kmslab-guide-") as folder:
                result = run(page, Path(folder), os.environ)
            say("".join(f"{problem}\n" for problem in result.problems))
            say(f"{page.name}: {result.ran} steps in {result.seconds:.1f} s, {len(shown)} shown only\n")
            if result.problems:
                code = ExitCode.NOT_PROVEN
    except (PageError, OSError) as error:
        say(f"{error}\n")
        return ExitCode.BAD_INPUT
    except LabError as error:
        say(f"{error.message}\n")
        return error.exit_code
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
