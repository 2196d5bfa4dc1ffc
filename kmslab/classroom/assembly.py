"""The lab's templates as a class deploys them: read once from the cloud assembly, the same for every account.

They stand alone: what a template takes from the account's CDK bootstrap (the code of the function that empties
buckets, and the version that is asked for) is put into it, since a class's accounts need no bootstrap, and since
StackSets cannot put files into a bucket of each account.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

INLINE_CHARACTERS = 4 * 1024 * 1024
"""Most that a function's code in a template may have: 4 MB (CloudFormation Template Reference,
``AWS::Lambda::Function`` ``Code``, ``ZipFile``; aws-cdk-lib's ``InlineCode`` refuses more)."""
BODY_BYTES = 51_200
"""Most that a template in a request may have (CloudFormation User Guide, "Understand CloudFormation quotas")."""
_VERSION = "BootstrapVersion"
_RULE = "CheckBootstrapVersion"
_BUCKET = "cdk-hnb659fds-assets-"
EXECUTION_ROLE = "cdk-hnb659fds-cfn-exec-role-${AWS::AccountId}-${AWS::Region}"
"""How the templates name the role as which CloudFormation acts: the standard bootstrap's."""


@dataclass(frozen=True, slots=True)
class Template:
    """One stack of the lab.

    Attributes:
        name: of the stack.
        body: JSON; the same for every account and Region.
        needs: names of the stacks that must stand before it.
        tags: of the stack.
    """

    name: str
    body: str
    needs: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)


def read(folder: Path) -> tuple[Template, ...]:
    """Read the templates of a cloud assembly.

    Args:
        folder: what ``cdk synth`` wrote.

    Raises:
        LabError: a template cannot stand alone.
    """
    manifest = _json(folder / "manifest.json")["artifacts"]
    stacks = {key: one for key, one in manifest.items() if one["type"] == "aws:cloudformation:stack"}
    code: dict[str, Path] = {}
    for one in manifest.values():
        if one["type"] == "cdk:asset-manifest":
            code |= _code(folder, folder / one["properties"]["file"])
    return tuple(
        Template(
            name=stack["properties"].get("stackName", key),
            body=standing_alone(_json(folder / stack["properties"]["templateFile"]), code),
            needs=frozenset(
                stacks[needed]["properties"].get("stackName", needed)
                for needed in stack.get("dependencies", ())
                if needed in stacks
            ),
            tags=stack["properties"].get("tags", {}),
        )
        for key, stack in stacks.items()
    )


def waves(templates: Iterable[Template]) -> list[tuple[Template, ...]]:
    """Group templates so that each needs those of earlier groups only."""
    left = {template.name: template for template in templates}
    found: list[tuple[Template, ...]] = []
    while left:
        ready = tuple(one for one in left.values() if not one.needs & left.keys())
        if not ready:
            raise LabError(f"The stacks {', '.join(left)} need each other.", exit_code=ExitCode.FAULT)
        found.append(ready)
        for one in ready:
            del left[one.name]
    return found


def digest(templates: Iterable[Template]) -> str:
    """Return what tells these templates from others."""
    parts = [(one.name, one.body, sorted(one.tags.items())) for one in templates]
    return sha256(json.dumps(sorted(parts)).encode()).hexdigest()


def executed_by(templates: Iterable[Template], role: str) -> tuple[Template, ...]:
    """Name another role as the one as which CloudFormation acts.

    Args:
        templates: whose key policies name the standard bootstrap's.
        role: name of a role, or a pattern with ``*``: policies compare it with ``aws:PrincipalArn``.
    """
    return tuple(
        Template(one.name, one.body.replace(EXECUTION_ROLE, role), one.needs, one.tags) for one in templates
    )


def standing_alone(template: dict[str, Any], code: Mapping[str, Path]) -> str:
    """Return a template that needs no bootstrap, as JSON.

    Args:
        template: parsed; left as it is.
        code: folders of functions' code, by the key that their asset has in the bootstrap's bucket.

    Raises:
        LabError: it needs a file that cannot be put into it, or it is too large for a request.
    """
    made: dict[str, Any] = {**template, "Resources": {}}
    for name, resource in template["Resources"].items():
        made["Resources"][name] = _with_code(name, resource, code)
    for section, member in (("Parameters", _VERSION), ("Rules", _RULE)):
        if rest := {key: value for key, value in template.get(section, {}).items() if key != member}:
            made[section] = rest
        else:
            made.pop(section, None)
    body = json.dumps(made, separators=(",", ":"))
    if _BUCKET in body:
        raise LabError(
            f"The template “{template.get('Description', '')}” takes a file from the CDK bootstrap's bucket, "
            "which a class's accounts do not have.",
            hint="Deploy it with `kmslab up` in each account.",
            exit_code=ExitCode.DEPLOYMENT,
        )
    if len(body.encode()) > BODY_BYTES:
        raise LabError(
            f"The template “{template.get('Description', '')}” has {len(body.encode())} bytes; "
            f"a request takes {BODY_BYTES}.",
            hint="Leave out an option of the lab: -c kmslab.network=false.",
            exit_code=ExitCode.DEPLOYMENT,
        )
    return body


def _with_code(name: str, resource: dict[str, Any], code: Mapping[str, Path]) -> dict[str, Any]:
    given = resource.get("Properties", {}).get("Code", {})
    if resource["Type"] != "AWS::Lambda::Function" or given.get("S3Key") not in code:
        return resource
    properties = resource["Properties"]
    source = _source(name, code[given["S3Key"]], properties)
    return {**resource, "Properties": {**properties, "Code": {"ZipFile": source}}}


def _source(name: str, folder: Path, properties: dict[str, Any]) -> str:
    """Return the code of a function of one file, which CloudFormation calls ``index.js``."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    inline = str(properties["Runtime"]).startswith("nodejs") and str(properties["Handler"]).startswith(
        "index."
    )
    if not inline or [file.name for file in files] != ["index.js"]:
        raise LabError(
            f"The function {name} is more than one file of JavaScript, so its code cannot be in the template.",
            hint="Deploy this lab with `kmslab up` in each account.",
            exit_code=ExitCode.DEPLOYMENT,
        )
    source = files[0].read_text(encoding="utf-8")
    if len(source) > INLINE_CHARACTERS:
        raise LabError(
            f"The function {name} has {len(source)} characters; a template holds {INLINE_CHARACTERS}.",
            exit_code=ExitCode.DEPLOYMENT,
        )
    return source


def _code(folder: Path, manifest: Path) -> dict[str, Path]:
    found = {}
    for file in _json(manifest).get("files", {}).values():
        if file["source"].get("packaging") == "zip":
            for destination in file["destinations"].values():
                found[destination["objectKey"]] = folder / file["source"]["path"]
    return found


def _json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise LabError(
            f"The cloud assembly cannot be read: {file}.",
            hint="Remove its folder; it is written again.",
            exit_code=ExitCode.DEPLOYMENT,
        ) from error
