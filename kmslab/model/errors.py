"""What goes wrong in a way the user can mend: one line, what to do next, an exit code."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit code of ``kmslab`` says; the README documents the same list."""

    OK = 0
    NOT_PROVEN = 1
    """A check answered FAIL or ERROR; of two runs something got worse; doctor could not see something."""
    BAD_INPUT = 2
    """A wrong option, context value or file."""
    TOOLCHAIN = 3
    """Node.js, the CDK CLI or the virtual environment is missing, or there is no network to bring it."""
    ENGINE = 4
    """The local engine did not start, died, or its port is taken."""
    TARGET = 5
    """Credentials are missing or expired, or the account or stack is not ours to touch."""
    DEPLOYMENT = 6
    """A deployment or destruction did not finish, or by what doctor saw would not."""
    FAULT = 70
    """A fault of kmslab itself; 70 is EX_SOFTWARE of sysexits.h."""
    INTERRUPTED = 130
    """Ctrl-C."""


class LabError(Exception):
    """A problem with a remedy.

    Attributes:
        message: what is wrong, in one line.
        hint: what to do next, in one line; may be empty.
        exit_code: what the process ends with.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: ExitCode = ExitCode.BAD_INPUT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
