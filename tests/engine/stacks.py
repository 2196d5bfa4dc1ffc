"""Deploying stacks as the CDK CLI does: as the bootstrap's execution role, and waiting for the end."""

from __future__ import annotations

import json
import time
import uuid
import zipfile
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack
from tests.engine.conftest import allow, policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.engine.conftest import Engine

TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudformation.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
POLL_SECONDS = 0.02
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
ORDER = (
    LabStack.KEYS,
    LabStack.NETWORK,
    LabStack.IDENTITY,
    LabStack.STORAGE,
    LabStack.VOLUMES,
    LabStack.SECRETS,
    LabStack.AUDIT,
)
"""In which the lab's stacks are made: none before what it refers to."""


def execution_role(engine: Engine, *statements: dict[str, Any], name: str = "") -> str:
    """A role that CloudFormation may act as; an administrator unless statements are given. Returns its ARN."""
    iam, name = engine.client("iam"), name or f"execution-{uuid.uuid4().hex[:12]}"
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(TRUST))["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name, PolicyName="identity", PolicyDocument=policy(*(statements or (allow("*"),)))
    )
    return str(made)


def status(engine: Engine, name: str) -> str:
    """The stack's status once it is no longer in progress."""
    cloudformation = engine.client("cloudformation")
    while True:
        found = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        if not found.endswith("IN_PROGRESS"):
            return found
        time.sleep(POLL_SECONDS)


def reasons(engine: Engine, name: str) -> dict[str, str]:
    """Why resources failed, by logical id."""
    events = engine.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
    return {event["LogicalResourceId"]: event.get("ResourceStatusReason", "") for event in failed}


def create(
    engine: Engine, template: dict[str, Any], *, name: str = "", role: str = "", **parameters: Any
) -> str:
    """Create a stack, wait for the end and return its name; whether it succeeded is `status`'s to say."""
    name = name or f"stack-{uuid.uuid4().hex[:10]}"
    given = {"RoleARN": role} if role else {}
    engine.client("cloudformation").create_stack(
        StackName=name, TemplateBody=_body(template), Capabilities=CAPABILITIES, **given, **parameters
    )
    status(engine, name)
    return name


def _body(template: dict[str, Any]) -> str:
    """The template without whitespace: CloudFormation takes 51,200 bytes in a request."""
    return json.dumps(template, separators=(",", ":"))


def update(engine: Engine, name: str, template: dict[str, Any]) -> str:
    """Update a stack and return its status at the end."""
    engine.client("cloudformation").update_stack(
        StackName=name, TemplateBody=_body(template), Capabilities=CAPABILITIES
    )
    return status(engine, name)


def delete(engine: Engine, name: str) -> str:
    """Delete a stack and return its status at the end."""
    cloudformation = engine.client("cloudformation")
    stack_id = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack_id)
    return status(engine, stack_id)


@contextmanager
def deployed(engine: Engine, template: dict[str, Any], **parameters: Any) -> Iterator[str]:
    """A stack that has been created without failure, deleted at the end."""
    name = create(engine, template, **parameters)
    try:
        assert status(engine, name) == "CREATE_COMPLETE", reasons(engine, name)
        yield name
    finally:
        delete(engine, name)


def outputs(engine: Engine, name: str) -> dict[str, str]:
    """The stack's outputs."""
    found = engine.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in found}


def template(outputs: dict[str, Any] | None = None, **resources: dict[str, Any]) -> dict[str, Any]:
    """A template of these resources, each ``resource(type, ...)``, and outputs by name."""
    found: dict[str, Any] = {"Resources": resources}
    return (
        {**found, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
        if outputs
        else found
    )


def resource(kind: str, /, **properties: Any) -> dict[str, Any]:
    """One resource of a template."""
    return {"Type": kind, "Properties": properties}


def ref(logical_id: str) -> dict[str, str]:
    """``Ref``."""
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str = "Arn") -> dict[str, list[str]]:
    """``Fn::GetAtt``."""
    return {"Fn::GetAtt": [logical_id, name]}


@contextmanager
def deployed_lab(
    engine: Engine,
    templates: Mapping[LabStack, dict[str, Any]],
    *,
    prefix: str,
    role: str,
    **parameters: Any,
) -> Iterator[dict[LabStack, str]]:
    """Every stack of a lab, created by a role and deleted by it at the end; yields their names."""
    names: dict[LabStack, str] = {}
    try:
        for stack in ORDER:
            names[stack] = stack_name(prefix, stack)
            create(engine, templates[stack], name=names[stack], role=role, **parameters)
            assert status(engine, names[stack]) == "CREATE_COMPLETE", reasons(engine, names[stack])
        yield names
    finally:
        ended = {stack: delete(engine, name) for stack, name in reversed(list(names.items()))}
        assert set(ended.values()) == {"DELETE_COMPLETE"}, ended


def publish_functions(engine: Engine, assembly: Path, bucket: str) -> None:
    """Put the functions of a cloud assembly where its templates expect them."""
    for folder in assembly.glob("asset.*"):
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, file.name)
        name = f"{folder.name.removeprefix('asset.')}.zip"
        engine.client("s3").put_object(Bucket=bucket, Key=name, Body=packed.getvalue())
