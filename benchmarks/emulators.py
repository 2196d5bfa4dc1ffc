"""Show the probe suite to the local engine and to the emulators that install from PyPI: `python -m benchmarks.emulators`.

Each emulator is installed on first use into an environment of its own, from a hash-locked list, started on
127.0.0.1 with its defaults but those named here, probed with `kmslab probe`, and stopped. Written are
`docs/fidelity.md`, the table of the README, and the results in `benchmarks/fidelity.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.environments import install
from benchmarks.progress import note
from benchmarks.timing import machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROJECT = Path(__file__).resolve().parent.parent
PAGE = PROJECT / "docs" / "fidelity.md"
README = PROJECT / "README.md"
KEPT = PROJECT / "benchmarks" / "fidelity.json"
ENGINE = "kmslab engine"
SEEN_CHARACTERS = 160
"""What is kept of what was seen otherwise."""
NEWEST_PYTHON = 14
"""The minor version up to which an interpreter is looked for."""
START_SECONDS = 90.0
STOP_SECONDS = 10.0
MARKS = {"as documented": "yes", "not as documented": "no", "could not look": "?"}
BEGIN, END = "<!-- fidelity: begin -->", "<!-- fidelity: end -->"


@dataclass(frozen=True, slots=True)
class Emulator:
    """One emulator of PyPI.

    Attributes:
        name: of the package.
        command: its executable and arguments; ``{port}`` is filled in.
        settings: environment variables beside the inherited ones; ``{port}`` is filled in.
        remark: what is not its default, for the reader.
        python: the oldest Python that it runs on, where that is newer than ours.
    """

    name: str
    command: tuple[str, ...]
    settings: Mapping[str, str]
    remark: str = ""
    python: tuple[int, int] = (3, 11)


EMULATORS = (
    Emulator(
        "ministack",
        ("ministack",),
        {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": "{port}", "AUTH": "true"},
        "with `AUTH=true`, its enforcement of IAM",
    ),
    Emulator(
        "localemu",
        ("localemu", "start", "--host", "127.0.0.1", "--port", "{port}"),
        # Under enforcement it takes only callers that it knows; these are the two that the probes sign as.
        {"IAM_ENFORCEMENT": "1", "ROOT_ACCESS_KEYS": "test,222222222222"},
        "with `IAM_ENFORCEMENT=1`, its enforcement of IAM, on Python 3.13 or newer",
        python=(3, 13),
    ),
    Emulator("moto", ("moto_server", "-H", "127.0.0.1", "-p", "{port}"), {}),
)


def main() -> int:
    """Probe, write the page and the table; 1 unless the engine is as documented throughout."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.emulators", description=__doc__)
    names = [one.name for one in EMULATORS]
    parser.add_argument("--only", action="append", choices=names, help="of the emulators; may be repeated")
    parser.add_argument(
        "--render", action="store_true", help="write page and table again from the results of the last run"
    )
    arguments = parser.parse_args()
    kept = KEPT
    if arguments.render:
        found = json.loads(kept.read_text(encoding="utf-8"))
    else:
        found = _measure(arguments.only or names)
        kept.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(found), encoding="utf-8")
    README.write_text(within(README.read_text(encoding="utf-8"), table(found)), encoding="utf-8")
    print(table(found))
    ours = found["targets"][0]["results"].values()
    return 0 if all(one["outcome"] == "as documented" for one in ours) else 1


def _measure(names: Sequence[str]) -> dict[str, Any]:
    chosen = [one for one in EMULATORS if one.name in names]
    tools = [_tools(one) for one in chosen]  # what cannot be installed fails before minutes of probing
    targets = [_engine()]
    for one, folder in zip(chosen, tools, strict=True):
        note(f"probing {one.name}")
        targets.append(_emulator(one, folder))
    return {"machine": machine(), "targets": targets}


def _engine() -> dict[str, Any]:
    """Probe the local engine, in a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _kmslab(home, "engine", "start").check_returncode()
        try:
            note(f"probing {ENGINE}")
            found = _probe(home, Path(folder))
        finally:
            _kmslab(home, "engine", "stop")
    return {"name": ENGINE, "version": found["kmslab"], "remark": "", **_told(found)}


def _tools(one: Emulator) -> Path:
    return install(PROJECT, one.name, f"{one.name} for the probes", note, interpreter=python_for(one))


def _emulator(one: Emulator, tools: Path) -> dict[str, Any]:
    version = subprocess.run(  # noqa: S603  # the interpreter that we installed
        [tools / "python", "-c", f"import importlib.metadata as m; print(m.version({one.name!r}))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, _running(one, tools, Path(folder)) as port:
        url = ("--endpoint-url", f"http://127.0.0.1:{port}", "--test-credentials")
        found = _probe(Path(folder) / "home", Path(folder), *url)
    return {"name": one.name, "version": version, "remark": one.remark, **_told(found)}


def python_for(one: Emulator) -> str:
    """The oldest Python on the path that an emulator runs on; empty: the checkout's own will do.

    LocalEmu 1.3.2 says that it runs on Python 3.10 and imports what 3.13 brought: on an older one it
    starts, and answers `InternalError` to every call of KMS.

    Raises:
        RuntimeError: there is none.
    """
    if sys.version_info >= one.python:
        return ""
    names = [f"python3.{minor}" for minor in range(one.python[1], NEWEST_PYTHON + 1)]
    for path in filter(None, map(shutil.which, names)):
        # pyenv's stand-ins are on the path for versions that are not chosen, and fail.
        if subprocess.run([path, "-c", ""], check=False, capture_output=True).returncode == 0:  # noqa: S603  # as found
            return path
    raise RuntimeError(f"{one.name} needs one of {', '.join(names)} on the path")


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    results = {
        one["id"]: {"outcome": one["outcome"]}
        | ({} if one["outcome"] == "as documented" else {"seen": one["seen"][:SEEN_CHARACTERS]})
        for one in found["results"]
    }
    return {"seconds": found["seconds"], "capabilities": found["capabilities"], "results": results}


def _probe(home: Path, folder: Path, *arguments: str) -> Any:
    done = _kmslab(home, "probe", "--output", str(folder), *arguments)
    file = folder / "fidelity.json"
    if not file.exists():
        raise RuntimeError(f"kmslab probe wrote no result: {done.stderr[-500:]}")
    return json.loads(file.read_text(encoding="utf-8"))


def _kmslab(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**inherited, "KMSLAB_HOME": str(home), "AWS_REGION": "us-east-1", "COLUMNS": "160"}
    command = [str(PROJECT / ".venv" / "bin" / "kmslab"), *arguments]
    return subprocess.run(  # noqa: S603  # our own script
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )


@contextmanager
def _running(one: Emulator, tools: Path, folder: Path) -> Iterator[int]:
    """Run an emulator on a free port of 127.0.0.1, in a folder of its own."""
    port = _free_port()
    settings = {name: value.format(port=port) for name, value in one.settings.items()}
    command = [str(tools / one.command[0]), *(word.format(port=port) for word in one.command[1:])]
    path = os.pathsep.join((str(tools), os.environ["PATH"]))
    environment = {"HOME": str(folder), "TMPDIR": str(folder), "PATH": path, **settings}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # the executable that we installed
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as one:
            one.settimeout(1)
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the emulator does not listen on port {port}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _titles(found: Mapping[str, Any]) -> str:
    return " | ".join(f"{one['name']} {one['version']}" for one in found["targets"])


def table(found: Mapping[str, Any]) -> str:
    """The table of the README: how many behaviours of each area are as documented."""
    from kmslab.probe import runner
    from kmslab.probe.model import AREAS

    about, targets = found["machine"], found["targets"]
    lines = [
        f"Measured {about['date']} with `python -m benchmarks.emulators`: of each area, how many of the probed "
        "behaviours are as documented.",
        "",
        f"| area | probes | {_titles(found)} |",
        f"|---|---{'|---' * len(targets)}|",
    ]
    for area, title in [*AREAS.items(), ("", "**all**")]:
        mine = [one.id for one in runner.catalogue() if not area or one.area == area]
        good = [sum(_as_documented(target, name) for name in mine) for target in targets]
        lines.append(f"| {title} | {len(mine)} | {' | '.join(map(str, good))} |")
    remarks = [f"{one['name']} runs {one['remark']}" for one in targets if one["remark"]]
    if remarks:
        lines += ["", f"{'; '.join(remarks)}. The others run with their defaults."]
    return "\n".join(lines)


def _as_documented(target: Mapping[str, Any], name: str) -> bool:
    return bool(target["results"].get(name, {}).get("outcome") == "as documented")


def page(found: Mapping[str, Any]) -> str:
    """The page: every behaviour with its source, and what each target does."""
    from kmslab.probe import runner
    from kmslab.probe.model import AREAS
    from kmslab.probe.table import cell

    probes = runner.catalogue()
    lines = [
        "# Fidelity: what AWS documents, and what emulators do",
        "",
        "<!-- Generated by `python -m benchmarks.emulators`; held to the probes by tests/probe/test_page.py. -->",
        "",
        f"{len(probes)} behaviours, each with the page of AWS's documentation that says so, and each looked at "
        "from two sides: something works, and the same thing is refused or different. *yes*: as documented. *no*: seen, "
        "and otherwise. *?*: could not be looked at, since an operation is missing or the target failed; it never counts.",
        "",
        "No account of AWS was asked: what AWS itself does is its documentation's word. An emulator of yours is probed "
        "with [one command](probing-other-emulators.md).",
        "",
        table(found),
    ]
    for area, title in AREAS.items():
        lines += ["", f"## {title}", ""]
        lines += [
            f"| behaviour | expected | {_titles(found)} |",
            f"|---|---{'|---' * len(found['targets'])}|",
        ]
        for one in probes:
            if one.area == area:
                marks = [MARKS[target["results"][one.id]["outcome"]] for target in found["targets"]]
                what = f"[{cell(one.behaviour)}]({one.source})<br>`{one.id}`"
                lines.append(f"| {what} | {cell(one.expected)} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def within(text: str, content: str) -> str:
    """Replace what stands between the two marks of the README.

    Raises:
        ValueError: the marks are not there.
    """
    pattern = re.compile(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{README.name} has no {BEGIN}")
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


if __name__ == "__main__":
    sys.exit(main())
