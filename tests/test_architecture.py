"""Who may import whom: dependencies point one way, and what is judged never supplies its own verdict."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
OURS = ("kmslab", "stacks", "app")
HEAVY = (
    "boto3",
    "botocore",
    "aws_cdk",
    "ministack",
    "cryptography",
    "aws_encryption_sdk",
    "jinja2",
    "starlette",
)

MAY_IMPORT = {
    "app": ("stacks", "kmslab.model"),
    "stacks": ("stacks", "kmslab.model"),
    "kmslab.model": ("kmslab.model",),
    "kmslab.sessions": ("kmslab.model",),
    "kmslab.lab": ("kmslab.sessions", "kmslab.model"),
    "kmslab.authorization": ("kmslab.authorization", "kmslab.model"),
    "kmslab.access": ("kmslab.access", "kmslab.authorization", "kmslab.lab", "kmslab.model"),
    "kmslab.checks": (
        "kmslab.checks",
        "kmslab.access",
        "kmslab.authorization",
        "kmslab.lab",
        "kmslab.model",
    ),
    "kmslab.account": (
        "kmslab.account",
        "kmslab.bootstrapping",
        "kmslab.cost",
        "kmslab.deployed",
        "kmslab.faults",
        "kmslab.lab",
        "kmslab.model",
    ),
    "kmslab.faults": ("kmslab.faults", "kmslab.authorization", "kmslab.lab", "kmslab.model"),
    "kmslab.engine": ("kmslab.engine", "kmslab.authorization", "kmslab.model"),
    "kmslab.guides": ("kmslab.guides", "kmslab.model"),
    "kmslab.cost": ("kmslab.cost", "kmslab.model"),
    "kmslab.residue": (
        "kmslab.residue",
        "kmslab.checks.membership",
        "kmslab.checks.temporary",
        "kmslab.checks.versions",
        "kmslab.faults.workshop",
        "kmslab.lab",
        "kmslab.model",
    ),
    "kmslab.probe": (
        "kmslab.probe",
        "kmslab.checks.runner",
        "kmslab.checks.sweep",
        "kmslab.checks.temporary",
        "kmslab.lab",
        "kmslab.sessions",
        "kmslab.model",
    ),
}
"""The modules below a name, and the only names of ours that they import from.

The command line (``kmslab.cli`` and what serves it) is above all of these and imports any but stacks.
"""
REPORTS_MAY_IMPORT = ("kmslab.reports", "kmslab.checks", "kmslab.lab", "kmslab.model")


def _modules() -> dict[str, ast.Module]:
    files = [PROJECT / "app.py", *PROJECT.glob("stacks/**/*.py"), *PROJECT.glob("kmslab/**/*.py")]
    return {_name(file): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def _name(file: Path) -> str:
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = _modules()


def _below(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def _imports(node: ast.AST) -> list[str]:
    """Names that one statement imports; relative imports are not used here (ruff TID252).

    The bare package ``kmslab`` holds nothing: importing it is asking where it lies.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name != "kmslab"]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        whole = [f"{module}.{alias.name}" for alias in node.names]
        return [name if name in MODULES else module for name in whole]
    return []


def _all_imports(module: str) -> set[str]:
    return {name for node in ast.walk(MODULES[module]) for name in _imports(node)}


def _imports_at_start(module: str) -> set[str]:
    """What is imported when the module is: not in functions, not for type checkers."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(MODULES[module].body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        found.update(_imports(node))
        waiting += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_dependencies_point_one_way(room: str) -> None:
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if _below(module, room)
        for name in _all_imports(module)
        if any(_below(name, ours) for ours in OURS)
        and not any(_below(name, allowed) for allowed in MAY_IMPORT[room])
    }
    assert wrong == set()


def test_reports_know_verdicts_and_checks_only() -> None:
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if _below(module, "kmslab.reports")
        for name in _all_imports(module)
        if any(_below(name, ours) for ours in OURS)
        and not any(_below(name, allowed) for allowed in REPORTS_MAY_IMPORT)
    }
    assert wrong == set()


def test_nothing_of_kmslab_imports_stacks() -> None:
    """Stacks come to kmslab as deployed outputs only."""
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if _below(module, "kmslab")
        for name in _all_imports(module)
        if _below(name, "stacks") or _below(name, "app")
    }
    assert wrong == set()


def test_there_are_no_circles() -> None:
    graph = {
        module: {name for name in _imports_at_start(module) if name in MODULES and name != module}
        for module in MODULES
    }
    remaining = dict(graph)
    while free := {module for module, needs in remaining.items() if not needs & remaining.keys()}:
        for module in free:
            del remaining[module]
    assert remaining == {}


@pytest.mark.parametrize(
    "room", ["kmslab.model", "kmslab.lab", "kmslab.cli", "kmslab.checks.registry", "kmslab.authorization"]
)
def test_what_every_start_needs_is_light(room: str) -> None:
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if _below(module, room)
        for name in _imports_at_start(module)
        if any(_below(name, heavy) for heavy in HEAVY)
    }
    assert wrong == set()


def test_the_application_talks_to_no_one() -> None:
    """Synthesis makes no call: no boto3, no network, no subprocess of ours."""
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if _below(module, "stacks") or module == "app"
        for name in _all_imports(module)
        if any(_below(name, it) for it in ("boto3", "botocore", "socket", "subprocess", "urllib", "http"))
    }
    assert wrong == set()


def test_policies_are_evaluated_without_asking_anyone() -> None:
    """The evaluator is pure: what it needs is given to it, whichever target it was read from."""
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        if _below(module, "kmslab.authorization")
        for name in _all_imports(module)
        if any(_below(name, it) for it in (*HEAVY, "socket", "subprocess", "urllib", "http", "os"))
    }
    assert wrong == set()


@pytest.mark.parametrize(
    "module", ["app", "stacks.keys", "kmslab.lab", "kmslab.cli", "kmslab.checks.registry"]
)
def test_the_rules_look_at_real_modules(module: str) -> None:
    assert module in MODULES
    assert any(_below(name, "kmslab") for name in _all_imports(module)) or module == "app"
