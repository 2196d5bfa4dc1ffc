"""No upgrade replaces what holds data: seen in the templates, before anything is deployed."""

from __future__ import annotations

import json
import shutil
import subprocess
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.outputs import LabStack
from tests.beside import STACKS
from tests.upgrades.keep import HERE, SNAPSHOTS, keep
from tests.upgrades.losses import STATEFUL, losses, missing_exports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT = HERE.parents[1]
RELEASES = sorted(path.name for path in HERE.iterdir() if path.name.startswith("20"))
ALLOWED: dict[tuple[str, str], str] = {}
"""Losses that are meant: the release's folder and the line, each with its reason and what people are told."""


def kept(release: str) -> dict[LabStack, Any]:
    return {stack: json.loads((HERE / release / f"{stack}.json").read_text()) for stack in STACKS}


@pytest.fixture(scope="module")
def today() -> dict[LabStack, Any]:
    """The templates of this tree: a test of `tests/stacks` holds that the snapshots are them."""
    return {
        stack: json.loads((ROOT / SNAPSHOTS / f"test_template[{stack}].json").read_text()) for stack in STACKS
    }


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_stateful_is_replaced(release: str, today: dict[LabStack, Any]) -> None:
    found = {(release, line) for line in losses(kept(release), today)}
    assert found - ALLOWED.keys() == set()
    assert {entry for entry in ALLOWED if entry[0] == release} - found == set(), "no longer true"


@pytest.mark.parametrize("release", RELEASES)
def test_no_export_in_use_is_dropped(release: str, today: dict[LabStack, Any]) -> None:
    assert missing_exports(kept(release), today) == set()


def test_every_stateful_type_is_in_the_lab(today: dict[LabStack, Any]) -> None:
    types = {one["Type"] for template in today.values() for one in template["Resources"].values()}
    assert set(STATEFUL) <= types


def change(stack: LabStack, kind: str, how: Callable[[dict[str, Any]], object]) -> Callable[[Any], str]:
    """Change the first resource of a type; returns where it is."""

    def apply(templates: Any) -> str:
        resources = templates[stack]["Resources"]
        name = next(name for name, one in resources.items() if one["Type"] == kind)
        how(resources[name])
        return f"{stack}/{name}"

    return apply


def rename(templates: Any) -> str:
    """Another logical id, as a construct that was renamed or moved gets."""
    resources = templates[LabStack.STORAGE]["Resources"]
    name = next(name for name, one in resources.items() if one["Type"] == "AWS::S3::Bucket")
    resources["Moved"] = resources.pop(name)
    return f"{LabStack.STORAGE}/{name}"


def put(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda resource: resource["Properties"].update({name: value})


@pytest.mark.parametrize(
    ("mutation", "line"),
    [
        (rename, "gone"),
        (
            change(LabStack.KEYS, "AWS::KMS::Key", lambda one: one.update(Type="AWS::KMS::ReplicaKey")),
            "now AWS::KMS::ReplicaKey",
        ),
        (change(LabStack.KEYS, "AWS::KMS::Key", put("KeySpec", "RSA_2048")), "KeySpec"),
        (change(LabStack.KEYS, "AWS::KMS::Key", put("MultiRegion", "true")), "MultiRegion"),
        (change(LabStack.STORAGE, "AWS::S3::Bucket", put("BucketName", "data")), "BucketName"),
        (change(LabStack.VOLUMES, "AWS::EC2::Volume", put("KmsKeyId", "alias/aws/ebs")), "KmsKeyId"),
        (change(LabStack.SECRETS, "AWS::SecretsManager::Secret", put("Name", "app")), "Name"),
        (change(LabStack.AUDIT, "AWS::CloudTrail::Trail", put("TrailName", "trail")), "TrailName"),
        (change(LabStack.IDENTITY, "AWS::IAM::User", put("UserName", "kenya-two")), "UserName"),
        (
            change(LabStack.STORAGE, "AWS::S3::Bucket", lambda one: one.update(UpdateReplacePolicy="Retain")),
            "UpdateReplacePolicy",
        ),
    ],
)
def test_a_replacement_is_seen(today: dict[LabStack, Any], mutation: Callable[[Any], str], line: str) -> None:
    mutated = deepcopy(today)
    where = mutation(mutated)
    assert list(losses(today, mutated)) == [f"{where}: {line}"]


def test_what_may_change_is_no_loss(today: dict[LabStack, Any]) -> None:
    mutated = deepcopy(today)
    change(LabStack.KEYS, "AWS::KMS::Key", put("Description", "another"))(mutated)
    change(LabStack.VOLUMES, "AWS::EC2::Volume", put("Size", 2))(mutated)
    change(LabStack.IDENTITY, "AWS::IAM::Group", put("GroupName", "others"))(mutated)
    assert list(losses(today, mutated)) == []


def test_a_dropped_export_is_seen(today: dict[LabStack, Any]) -> None:
    mutated = deepcopy(today)
    outputs = mutated[LabStack.KEYS]["Outputs"]
    name = next(name for name, one in outputs.items() if "Export" in one)
    export = outputs.pop(name)["Export"]["Name"]
    assert missing_exports(today, mutated) == {export}


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a clone")
def test_a_set_is_made_of_a_revision(tmp_path: Path) -> None:
    made = keep("HEAD", tmp_path)
    day = subprocess.run(
        ["/usr/bin/env", "git", "log", "-1", "--format=%cs"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert made.name == day.stdout.strip()
    assert {file.stem for file in made.iterdir()} == set(STACKS)
    assert "\n" not in (made / "keys.json").read_text()
