"""A fake account's CloudFormation, Parameter Store and MFA devices, and a CDK CLI that changes stacks."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kmslab.model.outputs import LabOutputs, LabStack
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, Refusal, Request, World
from tests.residue.fakes import nothing_to_sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kmslab.project import Project

PARAMETER = f"/{PREFIX}/secure-string"


class Cloud:
    """CloudFormation and Parameter Store of a fake account, and the CDK CLI that changes them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.stacks: dict[str, dict[str, Any]] = {}
        self.parameters: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.devices: list[str] = []
        self.users: dict[str, dict[str, str]] = {}
        self.commands: list[list[str]] = []
        self.during: Callable[[str], None] = lambda _: None
        self.ended = threading.Event()
        self.creations = 0
        self.world = World()
        self.world.answers("cloudformation:DescribeStacks", self._describe_stacks)
        self.world.answers("cloudformation:ListStacks", self._list_stacks)
        self.world.answers("cloudformation:ListStackResources", {"StackResourceSummaries": []})
        nothing_to_sweep(self.world)
        self.world.answers("ssm:GetParameter", self._get_parameter)
        self.world.answers("ssm:DescribeParameters", self._describe_parameters)
        self.world.answers("ssm:PutParameter", self._put_parameter)
        self.world.answers("ssm:DeleteParameter", self._delete)
        self.world.answers("ssm:DeleteParameters", self._delete)
        self.world.answers("iam:ListUserTags", self._list_user_tags)
        self.world.answers("iam:ListMFADevices", self._list_devices)
        self.world.answers("iam:DeactivateMFADevice", self._deactivate_device)
        self.world.answers("iam:DeleteVirtualMFADevice", {})

    def add(
        self, name: str, status: str = "CREATE_COMPLETE", *, tags: Mapping[str, str] | None = None
    ) -> None:
        self.creations += 1
        part = name.removeprefix(f"{PREFIX}-")
        outputs = [
            {"OutputKey": output.logical_id, "OutputValue": OUTPUTS.value_of(output)}
            for output in LabOutputs.all()
            if output.stack == part and status.endswith("COMPLETE")
        ]
        tags = {"kmslab:prefix": PREFIX} if tags is None else tags
        self.stacks[name] = {
            "StackName": name,
            "StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{self.creations}",
            "StackStatus": status,
            "Outputs": outputs,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def add_all(self) -> None:
        for stack in LabStack:
            if stack is not LabStack.NETWORK:
                self.add(f"{PREFIX}-{stack}")

    def run(self, *arguments: str, log: Path, folder: Path | None = None, **_: Any) -> None:
        self.commands.append([*arguments, *([f"in {folder.name}"] if folder else [])])
        log.touch()
        self.during(arguments[0])
        if arguments[0] == "bootstrap":
            self.add("CDKToolkit", tags={})
        elif arguments[0] == "synth":
            self.project.assembly.mkdir(parents=True)
            template = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "template.json"}}
            names = [f"{PREFIX}-{stack}" for stack in LabStack if stack is not LabStack.NETWORK]
            (self.project.assembly / "template.json").write_text('{"Resources": {}}')
            (self.project.assembly / "manifest.json").write_text(
                json.dumps({"artifacts": dict.fromkeys(names, template)})
            )
        elif arguments[0] == "deploy":
            self.add_all()
        elif arguments[0] == "destroy":
            self.stacks = {name: stack for name, stack in self.stacks.items() if name == "CDKToolkit"}

    def _describe_stacks(self, request: Request) -> dict[str, Any]:
        wanted = request.get("StackName")
        wanted = next((one["StackName"] for one in self.stacks.values() if one["StackId"] == wanted), wanted)
        if wanted and wanted not in self.stacks:
            raise Refusal("ValidationError", f"Stack with id {wanted} does not exist")
        return {"Stacks": [self.stacks[wanted]] if wanted else list(self.stacks.values())}

    def _list_stacks(self, _: Request) -> dict[str, Any]:
        created = datetime(2026, 11, 21, tzinfo=UTC)
        told = ("StackName", "StackId", "StackStatus")
        return {
            "StackSummaries": [
                {"CreationTime": created, **{name: one[name] for name in told}}
                for one in self.stacks.values()
            ]
        }

    def _get_parameter(self, request: Request) -> dict[str, Any]:
        if request["Name"] not in self.notes:
            raise Refusal("ParameterNotFound")
        return {"Parameter": {"Name": request["Name"], "Value": self.notes[request["Name"]]}}

    def _list_devices(self, request: Request) -> dict[str, Any]:
        enabled = datetime(2026, 11, 21, tzinfo=UTC)
        user = request["UserName"]
        return {
            "MFADevices": [
                {"UserName": user, "SerialNumber": serial, "EnableDate": enabled} for serial in self.devices
            ]
        }

    def _list_user_tags(self, request: Request) -> dict[str, Any]:
        if request["UserName"] not in self.users:
            raise Refusal("NoSuchEntity", f"The user with name {request['UserName']} cannot be found.")
        return {"Tags": [{"Key": k, "Value": v} for k, v in self.users[request["UserName"]].items()]}

    def _deactivate_device(self, request: Request) -> dict[str, Any]:
        self.devices.remove(request["SerialNumber"])
        return {}

    def _describe_parameters(self, _: Request) -> dict[str, Any]:
        return {"Parameters": [{"Name": name, "KeyId": key} for name, key in self.parameters.items()]}

    def _put_parameter(self, request: Request) -> dict[str, Any]:
        if request["Type"] == "SecureString":
            self.parameters[request["Name"]] = request["KeyId"]
        else:
            self.notes[request["Name"]] = request["Value"]
        return {"Version": 1}

    def _delete(self, request: Request) -> dict[str, Any]:
        for name in request.get("Names") or [request["Name"]]:
            self.parameters.pop(name, None)
            self.notes.pop(name, None)
        return {}


def did(cloud: Cloud) -> list[str]:
    """The CDK CLI's commands since the last time; sorted, since some run side by side."""
    names = sorted(command[0] for command in cloud.commands if command != ["ended"])
    cloud.commands.clear()
    return names
