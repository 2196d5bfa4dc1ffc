"""What a page copies from tested files: kept the same by ``python -m kmslab.guides --include`` and a test.

A comment above a fence says what the fence holds. GitHub does not show the comment; the fence is there to be read:

- ``<!-- include: stacks/storage.py StorageStack._bucket -->``: a function, class or method, as it is written;
- ``<!-- include: stacks/storage.py StorageStack.__init__ data -->``: the statement in it that makes ``data``;
- ``<!-- include: cdk.json -->``: a whole file;
- ``<!-- policy: keys App UseWithTheEncryptionContext -->``: statements, by their Sids, of the policy that the template
  of the stack ``keys`` gives to ``App``; without Sids, the whole policy. Templates are those that
  ``tests/stacks/test_snapshots.py`` compares with what the lab synthesizes, so nothing needs to be synthesized here.
  What CloudFormation fills in is written ``${...}``.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

from kmslab.guides.page import PageError, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kmslab.guides.page import Include

TEMPLATES = "tests/stacks/__snapshots__/test_snapshots"
"""Where the templates are: one of each stack as ``cdk.json`` has it, and one with every option."""

_POLICIES = ("KeyPolicy", "PolicyDocument", "ResourcePolicy", "AssumeRolePolicyDocument")
_SYMBOLS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_HASH = r"(?:[0-9A-F]{8})?"
"""What CDK may append to a logical id."""


class IncludeError(Exception):
    """What an include names is not there; the message says so in one line."""


def refresh(path: Path, root: Path) -> bool:
    """Write the page again with every include as it is today.

    Returns: whether anything had changed.

    Raises:
        PageError: an include names something that is not there, or the page breaks the markup.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    for include in reversed(read(path).includes):
        first = include.line - 1
        lines[first : first + include.length] = current(path, include, root).split("\n")
    text = "\n".join(lines)
    if text == path.read_text(encoding="utf-8"):
        return False
    path.write_text(text, encoding="utf-8")
    return True


def stale(path: Path, root: Path) -> list[str]:
    """Return ``file:line: place`` of every include that is not what it names any more.

    Raises:
        PageError: as `refresh`.
    """
    return [
        f"{path}:{include.line}: {include.place}"
        for include in read(path).includes
        if include.text != current(path, include, root)
    ]


def current(path: Path, include: Include, root: Path) -> str:
    """Return what an include should hold.

    Raises:
        PageError: it names something that is not there.
    """
    words = include.place.split()
    try:
        text = _policy(root, *words) if include.what == "policy" else _source(root, *words)
    except (IncludeError, OSError, TypeError) as error:
        raise PageError(f"{path}:{include.line}: {include.what}: {include.place}: {error}") from error
    return text.strip("\n")


def _source(root: Path, file: str, symbol: str = "", made: str = "") -> str:
    text = (root / file).read_text(encoding="utf-8")
    if not symbol:
        return text
    node: ast.AST = ast.parse(text)
    for name in symbol.split("."):
        node = _child(node, name)
    if made:
        node = _assignment(node, made)
    assert isinstance(node, ast.stmt)  # noqa: S101  # what _child and _assignment return
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno]))


def _child(node: ast.AST, name: str) -> ast.AST:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SYMBOLS) and child.name == name:
            return child
        if isinstance(child, ast.Assign | ast.AnnAssign) and name in _targets(child):
            return child
    raise IncludeError(f"there is no {name}")


def _assignment(node: ast.AST, name: str) -> ast.AST:
    for child in ast.walk(node):
        if isinstance(child, ast.Assign | ast.AnnAssign) and name in _targets(child):
            return child
    raise IncludeError(f"nothing in it makes {name}")


def _targets(node: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {ast.unparse(target) for target in targets}


def _policy(root: Path, stack: str, resource: str, *sids: str) -> str:
    for name in (f"test_template[{stack}].json", f"test_template_with_every_option[{stack}].json"):
        file = root / TEMPLATES / name
        if not file.exists():
            continue
        resources = json.loads(file.read_text(encoding="utf-8"))["Resources"]
        found = [given for given in resources if re.fullmatch(re.escape(resource) + _HASH, given)]
        if found:
            return json.dumps(_chosen(resources[found[0]]["Properties"], sids), indent=2)
    raise IncludeError(f"no template of the stack {stack} has a resource {resource}")


def _chosen(properties: dict[str, Any], sids: tuple[str, ...]) -> Any:
    document = next((properties[name] for name in _POLICIES if name in properties), None)
    if document is None:
        raise IncludeError("the resource has no policy")
    if not sids:
        return _readable(document)
    by_sid = {statement.get("Sid"): statement for statement in document["Statement"]}
    if missing := [sid for sid in sids if sid not in by_sid]:
        raise IncludeError(f"the policy has no statement {missing[0]}; it has {', '.join(map(str, by_sid))}")
    statements = [_readable(by_sid[sid]) for sid in sids]
    return statements[0] if len(statements) == 1 else statements


def _readable(value: Any) -> Any:
    """Write what CloudFormation computes as a reader would: ``arn:${AWS::Partition}:iam::...``."""
    if isinstance(value, list):
        return [_readable(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    computed = next((_COMPUTED[name](value[name]) for name in value if name in _COMPUTED), None)
    return computed or {key: _readable(inner) for key, inner in value.items()}


def _imported(export: str) -> str:
    """``kms-lab-keys:ExportsOutputFnGetAttS3Arn0A1B2C3D`` is what the stack calls ``S3.Arn``."""
    match = re.fullmatch(r".*:ExportsOutputFnGetAtt(\w+?)(Arn|GroupId)[0-9A-F]{8}", export)
    return f"${{{match[1]}.{match[2]}}}" if match else f"${{{export}}}"


_COMPUTED: dict[str, Callable[[Any], str]] = {
    "Ref": lambda name: f"${{{name}}}",
    "Fn::GetAtt": lambda path: f"${{{'.'.join(path)}}}",
    "Fn::Join": lambda argument: argument[0].join(map(str, _readable(argument[1]))),
    "Fn::Sub": str,
    "Fn::ImportValue": lambda export: _imported(str(_readable(export))),
}
"""Functions of CloudFormation, and how to write what they give."""
