"""Another lab in the account and Region of a deployed one, from templates and without the CDK CLI: quick.

The templates of another prefix are those of the deployed lab with other names in them: a prefix is in names, tags
and conditions, and in nothing else that is synthesized.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.lab import Access
from kmslab.model.naming import PREFIX_TAG, secure_string_name, stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.model.outputs import LabOutputs
    from tests.conftest import DeployedLab

    Templates = Mapping[LabStack, str]

STACKS = tuple(stack for stack in LabStack if stack is not LabStack.NETWORK)
"""In the order of their deployment."""
POLL_SECONDS = 0.02


def current_templates(lab: DeployedLab) -> Templates:
    """The text of the templates that a lab was deployed from."""
    assembly = lab.home / "cdk.out"
    return {stack: (assembly / f"kms-lab-{stack}.template.json").read_text() for stack in STACKS}


class LabBeside:
    """A lab of another prefix on the engine of a deployed one.

    Attributes:
        access: to it, as every persona.
        prefix: its prefix.
    """

    def __init__(self, lab: DeployedLab, prefix: str) -> None:
        self.prefix = prefix
        self.access = Access(control.target(lab.home), prefix)
        self._cloudformation = self.access.client(Persona.OPERATOR, "cloudformation")

    def deploy(self, templates: Templates) -> None:
        """Create every stack, or update it, as the bootstrap's execution role; and what the tooling makes."""
        for stack in STACKS:
            name = stack_name(self.prefix, stack)
            self._change(name, self._named(templates[stack]))
            assert self._status(name) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, self._reasons(name)
        self.access.client(Persona.OPERATOR, "ssm").put_parameter(
            Name=secure_string_name(self.prefix),
            Value="of the test",
            Type="SecureString",
            KeyId=self.outputs().key_secrets,
            Overwrite=True,
        )

    def destroy(self) -> None:
        """Delete every stack that is there, and what the tooling made."""
        self.access.client(Persona.OPERATOR, "ssm").delete_parameters(Names=[secure_string_name(self.prefix)])
        for stack in reversed(STACKS):
            name = stack_name(self.prefix, stack)
            found = self._described(name)
            if found:
                self._cloudformation.delete_stack(StackName=found["StackId"])
                assert self._status(found["StackId"]) == "DELETE_COMPLETE", self._reasons(found["StackId"])

    def outputs(self) -> LabOutputs:
        """What the stacks export."""
        return read_outputs(self.access)

    def physical_ids(self) -> dict[tuple[LabStack, str], str]:
        """The physical id of every resource, by stack and logical id."""
        return {
            (stack, one["LogicalResourceId"]): one["PhysicalResourceId"]
            for stack in STACKS
            for one in self._cloudformation.describe_stack_resources(
                StackName=stack_name(self.prefix, stack)
            )["StackResources"]
        }

    def _named(self, template: str) -> str:
        return template.replace("kms-lab", self.prefix).replace("kenya-one", f"{self.prefix}-admin")

    def _change(self, name: str, template: str) -> None:
        from botocore.exceptions import ClientError

        cloudformation = self._cloudformation
        change = cloudformation.update_stack if self._described(name) else cloudformation.create_stack
        region, account = self.access.target.region, self.access.account
        role = f"arn:aws:iam::{account}:role/cdk-hnb659fds-cfn-exec-role-{account}-{region}"
        try:
            change(
                StackName=name,
                TemplateBody=template,
                Capabilities=["CAPABILITY_NAMED_IAM"],
                RoleARN=role,
                Tags=[{"Key": PREFIX_TAG, "Value": self.prefix}],
            )
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise

    def _described(self, name: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return {}
        return found

    def _status(self, name: str) -> str:
        while (status := str(self._described(name)["StackStatus"])).endswith("_IN_PROGRESS"):
            time.sleep(POLL_SECONDS)
        return status

    def _reasons(self, name: str) -> dict[str, str]:
        events = self._cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [one for one in reversed(events) if one["ResourceStatus"].endswith("_FAILED")]
        return {one["LogicalResourceId"]: one.get("ResourceStatusReason", "") for one in failed}
