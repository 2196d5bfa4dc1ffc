"""Key policies changed by CloudFormation, where nobody plays the root user: on AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.authorization.decide import decide
from kmslab.authorization.model import Policy, Principal, PrincipalKind, Request
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.lab import Access

WHOLE = "kmslab:KeyPolicy"
"""Metadata of a key whose policy was changed: what its template said before, and the policy that this made."""


class OwnerNeededError(LabError):
    """Something that only CloudFormation or the root user may change, and we are neither."""


class KeyPolicies:
    """Those two calls of a KMS client that read and write key policies, made as CloudFormation makes them.

    The stack of the keys is updated with its own template, in which one policy is another. UpdateStack acts
    with the role that deployed the stack, which each key policy of the lab permits (CloudFormation API
    Reference, UpdateStack, ``RoleARN``). It has been seen to work on the local engine; not on AWS.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._stack = stack_name(access.prefix, LabStack.KEYS)

    def get_key_policy(self, **parameters: str) -> Any:
        """Return the policy of a key, as the auditor reads it: ``KeyId``, ``PolicyName``."""
        return self._access.client(Persona.AUDITOR, "kms").get_key_policy(**parameters)

    def put_key_policy(self, **parameters: str) -> None:
        """Give a key another policy: ``KeyId`` (an ARN), ``PolicyName``, ``Policy``. The present one: nothing.

        Raises:
            OwnerNeededError: CloudFormation could not put it back.
            LabError: the stack could not be updated.
        """
        from botocore.exceptions import WaiterError

        key, wanted = parameters["KeyId"], json.loads(parameters["Policy"])
        present = json.loads(self.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        if wanted == present:
            return
        client = self._access.client(Persona.OPERATOR, "cloudformation")
        stack = client.describe_stacks(StackName=self._stack)["Stacks"][0]
        if "RoleARN" in stack and not _may_put(stack["RoleARN"], key, parameters["Policy"]):
            raise owner_needed("a policy that locks CloudFormation out")
        template = client.get_template(StackName=self._stack, TemplateStage="Original")["TemplateBody"]
        template = template if isinstance(template, dict) else json.loads(template)
        _change(template["Resources"][self._logical_id(key)], present, wanted)
        client.update_stack(
            StackName=self._stack,
            TemplateBody=json.dumps(template, separators=(",", ":")),
            Parameters=[
                {"ParameterKey": name, "UsePreviousValue": True} for name in template.get("Parameters", {})
            ],
        )
        try:
            client.get_waiter("stack_update_complete").wait(
                StackName=self._stack, WaiterConfig={"Delay": 2, "MaxAttempts": 150}
            )
        except WaiterError as error:
            raise LabError(
                f"CloudFormation did not change the policy of {key}.",
                hint=f"The events of the stack {self._stack} say why.",
                exit_code=ExitCode.DEPLOYMENT,
            ) from error

    def __getattr__(self, name: str) -> Any:
        """Refuse every other call of a KMS client.

        Raises:
            OwnerNeededError: always.
        """
        raise owner_needed(name)

    def _logical_id(self, key: str) -> str:
        found = self._access.client(Persona.OPERATOR, "cloudformation").describe_stack_resources(
            StackName=self._stack
        )["StackResources"]
        return next(
            str(one["LogicalResourceId"])
            for one in found
            if one["PhysicalResourceId"] == key.rpartition("/")[2]
        )


def _may_put(role: str, key: str, policy: str) -> bool:
    """Whether a role that IAM permits everything could change a key's policy again, if it were this one."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    account = role.split(":")[4]
    return decide(
        Principal(role, account, PrincipalKind.ROLE, policies=(Policy.parse("its own", everything),)),
        Request("kms:PutKeyPolicy", key),
        resource_policy=Policy.parse("key policy", policy),
        resource_policy_required=True,
    ).allowed


def owner_needed(what: str) -> OwnerNeededError:
    """Say that only the root user may call something."""
    return OwnerNeededError(
        f"On this target only the root user may change the lab so ({what}).",
        hint="Choose another fault, or break the local lab: --target local.",
        exit_code=ExitCode.TARGET,
    )


def _change(resource: Json, present: Json, wanted: Json) -> None:
    """Give a key of the template the wanted policy; the first one comes back as it was written there."""
    metadata = resource.setdefault("Metadata", {})
    whole = metadata.pop(WHOLE, {"written": resource["Properties"]["KeyPolicy"], "policy": present})
    if wanted == whole["policy"]:
        resource["Properties"]["KeyPolicy"] = whole["written"]
    else:
        resource["Properties"]["KeyPolicy"] = wanted
        metadata[WHOLE] = whole
    if not metadata:
        del resource["Metadata"]
