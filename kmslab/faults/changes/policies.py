"""What can be changed about the policies of keys, roles and the admin user."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.faults.changes.setting import Setting
from kmslab.faults.changes.statements import edited, filled, find, names, names_in
from kmslab.model.naming import stack_name
from kmslab.model.outputs import LabStack

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.changes.statements import Edit, Statement, Which, Words
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import Output
    from kmslab.model.persona import Persona


def role(persona: Persona) -> str:
    """ARN of a persona's role, as a policy's text names it."""
    return f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/${{Prefix}}-{persona}"


def only(persona: Persona) -> Json:
    """Condition: the caller is this persona."""
    return {"ArnEquals": {"aws:PrincipalArn": role(persona)}}


def allow(
    sid: str, *actions: str, to: Json | str | None = None, on: Any = "*", when: Json | None = None
) -> Statement:
    """Return a statement that allows.

    Args:
        sid: its name.
        actions: that it allows.
        to: the principal, in a resource policy.
        on: the resource; None in a trust policy.
        when: its conditions.
    """
    principal = {"Principal": to} if to else {}
    resource = {"Resource": on} if on else {}
    condition = {"Condition": when} if when else {}
    return {"Sid": sid, "Effect": "Allow", **principal, "Action": [*actions], **resource, **condition}


def add_actions(which: Which, *actions: str) -> Edit:
    """Let a statement speak about more actions."""

    def edit(statements: list[Statement], words: Words) -> None:
        del words
        statement = find(statements, which)
        statement["Action"] = [*_listed(statement["Action"]), *actions]

    return edit


def drop_actions(which: Which, *actions: str) -> Edit:
    """Let a statement speak about these actions no more."""

    def edit(statements: list[Statement], words: Words) -> None:
        del words
        statement = find(statements, which)
        left = _listed(statement["Action"])
        for action in actions:
            left.remove(action)
        statement["Action"] = left

    return edit


def nothing_but(*given: Statement) -> Edit:
    """Put other statements in the place of all."""

    def edit(statements: list[Statement], words: Words) -> None:
        statements[:] = filled([*given], words)

    return edit


class KeyPolicy(Setting):
    """A key policy has other statements."""

    def __init__(self, key: Output, *edits: Edit) -> None:
        self.key = key
        self.edits = edits

    def read(self, workshop: Workshop) -> Any:
        """Return the policy, parsed."""
        key = workshop.outputs.value_of(self.key)
        return json.loads(workshop.owner("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the policy."""
        key = workshop.outputs.value_of(self.key)
        workshop.owner("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(value))

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Edit its statements."""
        return edited(value, self.edits, names(workshop, workshop.outputs.value_of(self.key)))

    def in_template(self, templates: Templates) -> bool:
        """Edit the statements of the key's property."""
        policy = templates.resource(self.key).properties["KeyPolicy"]
        edited(policy, self.edits, names_in(templates))
        return True


class RoleTrust(Setting):
    """A persona's role trusts others, or under other conditions."""

    def __init__(self, persona: Persona, *edits: Edit) -> None:
        self.persona = persona
        self.edits = edits

    def read(self, workshop: Workshop) -> Any:
        """Return the trust policy."""
        found = workshop.client("iam").get_role(RoleName=workshop.role_name(self.persona))
        return found["Role"]["AssumeRolePolicyDocument"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the trust policy."""
        workshop.client("iam").update_assume_role_policy(
            RoleName=workshop.role_name(self.persona), PolicyDocument=json.dumps(value)
        )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Edit its statements."""
        return edited(value, self.edits, names(workshop))

    def in_template(self, templates: Templates) -> bool:
        """Edit the statements of the role's property."""
        policy = templates.role(self.persona).properties["AssumeRolePolicyDocument"]
        edited(policy, self.edits, names_in(templates))
        return True


class ManagedPolicy(Setting):
    """A managed policy of the lab has other statements, in a new default version."""

    def __init__(self, logical_id: str, *edits: Edit, stack: LabStack = LabStack.IDENTITY) -> None:
        """Take the policy by its name in the template of its stack, and what happens to its statements."""
        self.logical_id = logical_id
        self.edits = edits
        self.stack = stack

    def read(self, workshop: Workshop) -> Any:
        """Return the default version's document."""
        version = self._version(workshop)
        return workshop.client("iam").get_policy_version(**version)["PolicyVersion"]["Document"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Make a new default version, and delete the one before: a policy has five versions at most."""
        iam, before = workshop.client("iam"), self._version(workshop)
        iam.create_policy_version(
            PolicyArn=before["PolicyArn"], PolicyDocument=json.dumps(value), SetAsDefault=True
        )
        iam.delete_policy_version(**before)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Edit its statements."""
        return edited(value, self.edits, names(workshop))

    def in_template(self, templates: Templates) -> bool:
        """Edit the statements of its document."""
        policy = templates.resource(self.logical_id, self.stack).properties["PolicyDocument"]
        edited(policy, self.edits, names_in(templates))
        return True

    def _version(self, workshop: Workshop) -> dict[str, str]:
        """The parameters that name the default version."""
        arn = physical_id(workshop, self.stack, self.logical_id)
        found = workshop.client("iam").get_policy(PolicyArn=arn)["Policy"]
        return {"PolicyArn": arn, "VersionId": found["DefaultVersionId"]}


def persona_policy(persona: Persona, *edits: Edit, stack: LabStack = LabStack.IDENTITY) -> ManagedPolicy:
    """Change the policy that a stack attached to a persona's role."""
    name = "".join(part.capitalize() for part in persona.split("-"))
    return ManagedPolicy(f"{name}Policy", *edits, stack=stack)


def physical_id(workshop: Workshop, stack: LabStack, logical_id: str) -> str:
    """Return the name or ARN that CloudFormation gave to a resource of a stack."""
    found = workshop.client("cloudformation").describe_stack_resource(
        StackName=stack_name(workshop.prefix, stack), LogicalResourceId=logical_id
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list) else [value]
