"""Runs the real CDK CLI: its environment on each target, its progress, its log, its failures."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.regions import lacks
from kmslab.project import private
from kmslab.targets import gave_out
from kmslab.toolchain import cdk_script, require_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kmslab.model.target import Target
    from kmslab.progress import Progress
    from kmslab.project import Project
    from kmslab.toolchain import Node

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_EVENT = re.compile(r"^(?P<stack>\S+) +\| +(?P<done>\d+)(?:/\d+)? +\| .*?\| (?P<status>[A-Z_]+) +\|")
_BEGUN = re.compile(r"^(?P<stack>[\w-]+): (?P<doing>deploying|destroying)\.\.\.")
_ENDED = re.compile(r"^\s*(?P<mark>✅|❌)\s+(?P<stack>[\w-]+)(?P<rest>.*)$")
_TELLING = re.compile(
    r"❌|_FAILED|^error|[Ee]rror:|failed|not authorized|AccessDenied|Unable to|is not ", re.MULTILINE
)

LOCK = "cdk.lock"
"""File in the lab's home that every process of the CDK CLI holds a lock on until it has ended."""
EXCERPT_LINES = 8
"""How much of the CDK CLI's output a failure shows; the whole is in the log."""


class CdkError(LabError):
    """The CDK CLI failed.

    Attributes:
        excerpt: the lines of its output that tell most.
    """

    def __init__(self, message: str, excerpt: Iterable[str], log: Path) -> None:
        self.excerpt = tuple(excerpt)
        hint = f"The whole output is in {log}."
        lines = (message, *self.excerpt)
        if gave := next(filter(None, (gave_out("", line) for line in lines)), None):
            hint = f"{gave.message} {gave.hint} It goes on where it stopped. {hint}"
        elif any(lacks(line) for line in lines):
            hint = f"This Region does not have it: `kmslab down`, then set AWS_REGION to another. {hint}"
        super().__init__(message, hint=hint, exit_code=ExitCode.DEPLOYMENT)


def local_environment(target: Target, given: Mapping[str, str]) -> dict[str, str]:
    """Return variables with which the AWS CLI, boto3 and the CDK CLI use an endpoint of our own.

    Args:
        target: with endpoint, CA bundle and credentials.
        given: the caller's environment; what must be added to, not replaced, is taken from it.
    """
    variables = {
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": ",".join(
            filter(None, (given.get("NO_PROXY") or given.get("no_proxy"), "127.0.0.1", "localhost"))
        ),
    }
    if target.endpoint_url:
        variables["AWS_ENDPOINT_URL"] = target.endpoint_url
    if target.ca_bundle:
        variables["AWS_CA_BUNDLE"] = variables["NODE_EXTRA_CA_CERTS"] = str(target.ca_bundle)
    if target.credentials:
        variables["AWS_ACCESS_KEY_ID"] = target.credentials.access_key_id
        variables["AWS_SECRET_ACCESS_KEY"] = target.credentials.secret_access_key
        variables["AWS_SESSION_TOKEN"] = target.credentials.session_token or ""
    return variables


class CdkCli:
    """The CDK CLI for one target.

    Raises:
        LabError: Node.js or the CDK CLI is not installed, from the constructor.
    """

    def __init__(self, project: Project, target: Target) -> None:
        self._project = project
        self._node: Node = require_node()
        self._script = cdk_script(project.root)
        self._environment = self._variables(target)
        self._running: set[subprocess.Popen[str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs: a thread of ours may be waiting for it when Ctrl-C comes."""
        for process in tuple(self._running):
            _end_group(process)

    def _variables(self, target: Target) -> dict[str, str]:
        inherited = dict(os.environ)
        if target.endpoint_url:
            # The CLI caches accounts and plugins under its home; the lab's are not the caller's.
            inherited["CDK_HOME"] = str(self._project.home / "cdk")
            inherited |= local_environment(target, os.environ)
        else:
            inherited["AWS_REGION"] = target.region
        places = (
            str(Path(sys.executable).parent),
            str(self._node.executable.parent),
            inherited.get("PATH", ""),
        )
        return inherited | {
            "PATH": os.pathsep.join(places),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_DISABLE_VERSION_CHECK": "1",
            "NO_COLOR": "1",
            "FORCE_COLOR": "0",
        }

    def run(
        self,
        *arguments: str,
        log: Path,
        folder: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Run one command to its end.

        The child has a process group of its own, so that Ctrl-C reaches it through us, once, and no
        process of it is left behind.

        Args:
            arguments: the command and its options.
            log: where its output goes, line by line.
            folder: where it runs; None: the project's, whose ``cdk.json`` names the app.
            on_line: told each line, without colours.

        Raises:
            CdkError: it failed.
        """
        command = [str(self._node.executable), str(self._script), *arguments, "--no-notices"]
        lines: list[str] = []
        lock = self._project.home / LOCK
        with (
            open(log, "a", encoding="utf-8", opener=private) as kept,
            open(lock, "w", opener=private) as held,
        ):
            fcntl.flock(held, fcntl.LOCK_SH)
            kept.write(f"$ cdk {' '.join(arguments)}\n")
            with subprocess.Popen(  # noqa: S603  # our own command, no shell
                command,
                cwd=folder or self._project.root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                pass_fds=(held.fileno(),),
                process_group=0,
            ) as process:
                self._running.add(process)
                try:
                    for raw in process.stdout or ():
                        line = _ESCAPES.sub("", raw.rstrip())
                        kept.write(line + "\n")
                        kept.flush()
                        lines.append(line)
                        if on_line:
                            on_line(line)
                    process.wait()
                except BaseException:
                    _end_group(process)
                    raise
                finally:
                    self._running.discard(process)
        if process.returncode != 0:
            raise CdkError(_what_failed(arguments[0], lines), _excerpt(lines), log)


def left_running(home: Path) -> bool:
    """Whether a CDK CLI still works that a killed command began: it goes on until it has something to say."""
    with open(home / LOCK, "w", opener=private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _end_group(process: subprocess.Popen[str]) -> None:
    import signal

    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return


def follow(line: str, progress: Progress, resources: Mapping[str, int]) -> None:
    """Read one line of ``cdk deploy`` or ``cdk destroy`` and tell what it means for which stack.

    Args:
        line: without colours.
        progress: told.
        resources: how many resources each of our stacks has; lines about other stacks mean nothing.
    """
    if (event := _EVENT.match(line)) and event["stack"] in resources:
        progress.advance(event["stack"], int(event["done"]), resources[event["stack"]])
    elif (start := _BEGUN.match(line)) and start["stack"] in resources:
        progress.begin(start["stack"], start["doing"])
    elif (end := _ENDED.match(line)) and end["mark"] == "✅" and end["stack"] in resources:
        rest = end["rest"].strip(" :()")
        progress.end(end["stack"], {"": "deployed", "no changes": "unchanged"}.get(rest, rest))


def _what_failed(command: str, lines: list[str]) -> str:
    for line in lines:
        end = _ENDED.match(line)
        if end and end["mark"] == "❌":
            return f"Stack {end['stack']}{end['rest']}"
    telling = [line for line in lines if _TELLING.search(line)]
    return f"cdk {command} failed: {' '.join((telling or lines or ['it said nothing'])[-1].split())}"


def _excerpt(lines: list[str]) -> list[str]:
    telling = [line for line in lines if _TELLING.search(line)] or [line for line in lines if line.strip()]
    return telling[-EXCERPT_LINES:]
