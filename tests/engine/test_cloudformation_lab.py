"""The lab's own templates on the engine: every property deployed as written, every bucket emptied at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.outputs import LabStack
from kmslab.toolchain import require_node
from tests.engine.deployed import differences
from tests.engine.stacks import (
    ORDER,
    deployed_lab,
    execution_role,
    outputs,
    publish_functions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine

ROOT = Path(__file__).parents[2]
PREFIX = "engine-lab"
SETTINGS = {
    "prefix": PREFIX,
    "network": True,
    "instance": True,
    "global_key": True,
    "admin_user": f"{PREFIX}-admin",
}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly of the whole lab, options included, synthesized without the CLI."""
    folder = tmp_path_factory.mktemp("assembly")
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    context["kmslab"] |= SETTINGS
    path = f"{require_node().executable.parent}{os.pathsep}{os.environ['PATH']}"
    given = {"CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context), "PATH": path}
    environment = {**os.environ, **given}
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, check=True)  # our own app
    return folder


def template(assembly: Path, stack: LabStack) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((assembly / f"{PREFIX}-{stack}.template.json").read_text())
    return found


@pytest.fixture(scope="module")
def lab(engine: Engine, assembly: Path) -> Iterator[dict[LabStack, str]]:
    """Every stack deployed as the bootstrap's execution role; deleted at the end."""
    bootstrap(engine, assembly)
    role = execution_role(engine, name=f"cdk-hnb659fds-cfn-exec-role-{engine.account}-{engine.region}")
    templates = {stack: template(assembly, stack) for stack in ORDER}
    try:
        with deployed_lab(engine, templates, prefix=PREFIX, role=role) as names:
            yield names
    finally:
        engine.client("ssm").delete_parameter(Name="/cdk-bootstrap/hnb659fds/version")


def bootstrap(engine: Engine, assembly: Path) -> None:
    """What the templates need of the CDK's bootstrap stack: its version, and the published functions."""
    engine.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="99", Type="String")
    bucket = f"cdk-hnb659fds-assets-{engine.account}-{engine.region}"
    engine.client("s3").create_bucket(Bucket=bucket)
    publish_functions(engine, assembly, bucket)


@pytest.mark.parametrize("stack", ORDER)
def test_every_property_is_deployed_as_written(
    engine: Engine, assembly: Path, lab: dict[LabStack, str], stack: LabStack
) -> None:
    assert differences(engine, lab[stack], template(assembly, stack)) == []


def test_a_deployment_of_the_same_templates_changes_nothing(
    engine: Engine, assembly: Path, lab: dict[LabStack, str]
) -> None:
    cloudformation, before = engine.client("cloudformation"), outputs(engine, lab[LabStack.KEYS])
    change = {"StackName": lab[LabStack.KEYS], "ChangeSetName": "again"}
    body = json.dumps(template(assembly, LabStack.KEYS))
    cloudformation.create_change_set(**change, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    shown = cloudformation.describe_change_set(**change)
    assert (shown["Status"], shown["Changes"]) == ("FAILED", [])
    assert "didn't contain changes" in shown["StatusReason"]
    cloudformation.delete_change_set(**change)
    assert outputs(engine, lab[LabStack.KEYS]) == before


def test_versioned_buckets_are_emptied_when_the_stack_goes(engine: Engine, lab: dict[LabStack, str]) -> None:
    """The fixture asserts that the stack is deleted, which AWS and the engine refuse for a bucket with objects."""
    bucket = outputs(engine, lab[LabStack.STORAGE])["SseS3Bucket"]
    s3 = engine.client("s3")
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="a", Body=body)
    s3.delete_object(Bucket=bucket, Key="a")
    versions = s3.list_object_versions(Bucket=bucket)
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (2, 1)
