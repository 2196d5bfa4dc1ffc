"""One bash for a whole page, as a learner has one terminal: variables, functions and the folder persist."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

# A failing command ends its block, as with `set -e`, but not the shell: the trap returns from the sourced file.
# It fires once more for the sourcing itself, which must not hide the command that failed.
_PRELUDE = """\
set -o pipefail
trap '__status=$?; __failed=${__failed:-$BASH_COMMAND}; return $__status' ERR
"""


class ShellError(Exception):
    """The shell cannot go on: a step took too long, or ended the shell itself."""


class Shell:
    """A persistent, non-interactive bash. Use as a context manager: leaving it ends bash and its children.

    Args:
        folder: an existing folder where it starts. A page may well remove it.
        environment: the whole environment.

    Raises:
        LabError: this machine has no bash.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        bash = shutil.which("bash", path=environment.get("PATH"))
        if bash is None:
            raise LabError("the guides need bash, and there is none", exit_code=ExitCode.TOOLCHAIN)
        self._kept = tempfile.TemporaryDirectory(prefix="kmslab-steps-")
        self._scripts = Path(self._kept.name)
        self._count = 0
        self._answers, write_end = os.pipe()
        self._bash = subprocess.Popen(  # noqa: S603  # the project's own pages, run as a learner would
            [bash, "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=dict(environment),
            pass_fds=(write_end,),
            start_new_session=True,
            text=True,
        )
        os.close(write_end)
        self._answer_fd = write_end
        self._send(_PRELUDE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, script: str, *, timeout: float) -> tuple[int, str, str]:
        """Run one block; it stops at its first failing command.

        Args:
            script: what the block says.
            timeout: seconds.

        Returns: exit code, standard output and error as they came, and the command that failed (else empty).

        Raises:
            ShellError: it took too long or ended the shell; the message holds what it printed until then.
        """
        if self._answers < 0:
            raise ShellError("the shell has ended")
        self._count += 1
        source = self._scripts / f"{self._count}.sh"
        output = self._scripts / f"{self._count}.out"
        source.write_text(script + "\n", encoding="utf-8")
        self._send(
            f"__status=0 __failed=; . '{source}' >'{output}' 2>&1 </dev/null\n"
            f'printf "%s %s\\0" "$__status" "$__failed" >&{self._answer_fd}\n'
        )
        try:
            status, _, failed = self._answer(timeout).partition(" ")
        except ShellError as error:
            printed = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
            self.close()
            raise ShellError(f"{error}; until then it printed:\n{printed}") from None
        return int(status), output.read_text(encoding="utf-8", errors="replace"), failed

    def close(self) -> None:
        """End bash and everything it started."""
        if self._answers < 0:
            return
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()
        os.close(self._answers)
        self._answers = -1
        self._kept.cleanup()

    def _send(self, text: str) -> None:
        assert self._bash.stdin  # noqa: S101  # a pipe, as asked for
        try:
            self._bash.stdin.write(text)
            self._bash.stdin.flush()
        except BrokenPipeError:
            raise ShellError("the shell has ended") from None

    def _answer(self, timeout: float) -> str:
        received = b""
        deadline = time.monotonic() + timeout
        while not received.endswith(b"\0"):
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ShellError(f"it took longer than {timeout:g} s")
            chunk = os.read(self._answers, 65536)
            if not chunk:
                raise ShellError("it ended the shell")
            received += chunk
        return received[:-1].decode(errors="replace")
