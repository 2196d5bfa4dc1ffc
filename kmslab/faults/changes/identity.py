"""What can be changed about the personas' roles, the admin user and the group of administrators."""

from __future__ import annotations

import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.faults.change import NothingSaved
from kmslab.faults.changes.policies import physical_id
from kmslab.faults.changes.setting import Setting, read_if_any
from kmslab.faults.changes.statements import document, filled, names, names_in
from kmslab.faults.workshop import FAULT_TAG
from kmslab.model.outputs import LabOutputs, LabStack

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.changes.statements import Statement
    from kmslab.faults.templates import Resource, Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.persona import Persona

INLINE_NAME = "temporary-access"
"""What people call a policy that they mean to take away again."""
GROUP = "Administrators"
"""The admin user's group in the template of the identity stack."""
AWS_POLICY = "arn:${AWS::Partition}:iam::aws:policy/"
"""How the ARNs of AWS's own managed policies begin."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has policies: a persona's role, the admin user, or the group of administrators.

    Attributes:
        kind: ``role``, ``user`` or ``group``, as IAM's operations spell it.
        persona: of a role.
    """

    kind: str
    persona: Persona | None = None

    def named(self, workshop: Workshop) -> dict[str, str]:
        """The parameter that names it in every IAM call."""
        if self.persona:
            return {"RoleName": workshop.role_name(self.persona)}
        if self.kind == "user":
            return {"UserName": workshop.outputs.admin_user}
        return {"GroupName": physical_id(workshop, LabStack.IDENTITY, GROUP)}

    def resource(self, templates: Templates) -> Resource:
        """What makes it in the templates."""
        if self.persona:
            return templates.role(self.persona)
        return templates.resource(LabOutputs.admin_user if self.kind == "user" else GROUP)

    def call(self, workshop: Workshop, operation: str, **parameters: Any) -> Any:
        """Call ``put_{}_policy`` or the like of IAM with it."""
        method = getattr(workshop.client("iam"), operation.format(self.kind))
        return method(**self.named(workshop), **parameters)


ADMIN = Holder("user")
ADMINISTRATORS = Holder("group")


def role_of(persona: Persona) -> Holder:
    """A persona's role."""
    return Holder("role", persona)


class InlinePolicy(Setting):
    """Somebody has a policy of their own beside those of the stacks."""

    def __init__(self, holder: Holder, *statements: Statement) -> None:
        self.holder = holder
        self.statements = [*statements]

    def read(self, workshop: Workshop) -> Any:
        """Return the policy; None: there is none."""
        iam = workshop.client("iam")
        return read_if_any(
            getattr(iam, f"get_{self.holder.kind}_policy"),
            "NoSuchEntity",
            "PolicyDocument",
            PolicyName=INLINE_NAME,
            **self.holder.named(workshop),
        )

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the policy, or delete it."""
        if value is not None:
            text = json.dumps(value)
            self.holder.call(workshop, "put_{}_policy", PolicyName=INLINE_NAME, PolicyDocument=text)
        elif self.read(workshop) is not None:
            self.holder.call(workshop, "delete_{}_policy", PolicyName=INLINE_NAME)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the policy."""
        del value
        return document(*filled(self.statements, names(workshop)))

    def in_template(self, templates: Templates) -> bool:
        """Add the policy to the holder's."""
        policy = document(*filled(self.statements, names_in(templates)))
        policies = self.holder.resource(templates).properties.setdefault("Policies", [])
        policies.append({"PolicyName": INLINE_NAME, "PolicyDocument": policy})
        return True


class _Attached(Setting):
    """Which managed policies are attached to somebody; the value is their ARNs."""

    def __init__(self, holder: Holder, policy: str) -> None:
        """Take who, and the policy: an ARN with words in braces, or a name in the identity stack's template."""
        self.holder = holder
        self.policy = policy

    def arn(self, workshop: Workshop) -> str:
        """ARN of the policy."""
        if self.policy.startswith("arn:"):
            return str(filled(self.policy, names(workshop)))
        return physical_id(workshop, LabStack.IDENTITY, self.policy)

    def in_list(self, templates: Templates) -> Any:
        """What stands for the policy in a template."""
        if self.policy.startswith("arn:"):
            return filled(self.policy, names_in(templates))
        return {"Ref": self.policy}

    def read(self, workshop: Workshop) -> Any:
        """Return what is attached."""
        found = self.holder.call(workshop, "list_attached_{}_policies")["AttachedPolicies"]
        return sorted(policy["PolicyArn"] for policy in found)

    def write(self, workshop: Workshop, value: Any) -> None:
        """Attach what is missing and detach what is too much."""
        now = self.read(workshop)
        for arn in set(value) - set(now):
            self.holder.call(workshop, "attach_{}_policy", PolicyArn=arn)
        for arn in set(now) - set(value):
            self.holder.call(workshop, "detach_{}_policy", PolicyArn=arn)


class Attached(_Attached):
    """A managed policy more is attached to somebody."""

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Add it."""
        return [*value, self.arn(workshop)]

    def in_template(self, templates: Templates) -> bool:
        """Add it."""
        attached = self.holder.resource(templates).properties.setdefault("ManagedPolicyArns", [])
        attached.append(self.in_list(templates))
        return True


class Detached(_Attached):
    """A managed policy is attached to somebody no more."""

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Take it out."""
        arn = self.arn(workshop)
        return [policy for policy in value if policy != arn]

    def in_template(self, templates: Templates) -> bool:
        """Take it out."""
        self.holder.resource(templates).properties["ManagedPolicyArns"].remove(self.in_list(templates))
        return True


class _OfAdmin(Setting):
    """A setting of the admin user, which CloudFormation knows as a property."""

    @abstractmethod
    def property_changed(self, properties: Json, templates: Templates) -> None:
        """Make the change in the user's properties."""

    def in_template(self, templates: Templates) -> bool:
        """Make the change."""
        self.property_changed(ADMIN.resource(templates).properties, templates)
        return True


class AdminBoundary(_OfAdmin):
    """The admin user's permissions boundary is another policy, or there is none."""

    def __init__(self, policy: str = "") -> None:
        """Take the policy's ARN, with words in braces; empty: none."""
        self.policy = policy

    def read(self, workshop: Workshop) -> Any:
        """Return the boundary's ARN; None: there is none."""
        user = ADMIN.call(workshop, "get_{}")["User"]
        return user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the boundary on, or take it off."""
        if value:
            ADMIN.call(workshop, "put_{}_permissions_boundary", PermissionsBoundary=value)
        else:
            ADMIN.call(workshop, "delete_{}_permissions_boundary")

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other one."""
        del value
        return filled(self.policy, names(workshop)) or None

    def property_changed(self, properties: Json, templates: Templates) -> None:
        """Put the other one, or none."""
        if self.policy:
            properties["PermissionsBoundary"] = filled(self.policy, names_in(templates))
        else:
            del properties["PermissionsBoundary"]


class AdminInNoGroup(_OfAdmin):
    """The admin user is in no group."""

    def read(self, workshop: Workshop) -> Any:
        """Return the names of the user's groups."""
        found = ADMIN.call(workshop, "list_groups_for_{}")["Groups"]
        return sorted(group["GroupName"] for group in found)

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the user into these groups, and out of all others."""
        now = self.read(workshop)
        for group in set(value) - set(now):
            ADMIN.call(workshop, "add_{}_to_group", GroupName=group)
        for group in set(now) - set(value):
            ADMIN.call(workshop, "remove_{}_from_group", GroupName=group)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return no group."""
        del workshop, value
        return []

    def property_changed(self, properties: Json, templates: Templates) -> None:
        """Leave the groups out."""
        del templates
        del properties["Groups"]


class PasswordKept(_OfAdmin):
    """The first password need not be changed at the first sign-in."""

    def read(self, workshop: Workshop) -> Any:
        """Return whether it must be changed."""
        return ADMIN.call(workshop, "get_login_profile")["LoginProfile"]["PasswordResetRequired"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Demand a change, or not."""
        ADMIN.call(workshop, "update_login_profile", PasswordResetRequired=value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Do not demand it."""
        del workshop, value
        return False

    def property_changed(self, properties: Json, templates: Templates) -> None:
        """Do not demand it."""
        del templates
        properties["LoginProfile"]["PasswordResetRequired"] = False


class AdminAccessKey:
    """The admin user has an access key. Its secret is thrown away: nobody can use it, but it is there."""

    def save(self, workshop: Workshop) -> Json:
        """Read which access keys there are."""
        return {"keys": self._keys(workshop)}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make one more."""
        del saved
        ADMIN.call(workshop, "create_access_key")

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Delete what was not there before."""
        for key in set(self._keys(workshop)) - set(saved["keys"]):
            ADMIN.call(workshop, "delete_access_key", AccessKeyId=key)

    def in_template(self, templates: Templates) -> bool:
        """Add an AWS::IAM::AccessKey."""
        user = ADMIN.resource(templates)
        templates.by_stack[user.stack]["Resources"]["AdminAccessKey"] = {
            "Type": "AWS::IAM::AccessKey",
            "Properties": {"UserName": {"Ref": user.logical_id}},
        }
        return True

    @staticmethod
    def _keys(workshop: Workshop) -> list[str]:
        found = ADMIN.call(workshop, "list_access_keys")["AccessKeyMetadata"]
        return [key["AccessKeyId"] for key in found]


class SecondAdministrator(NothingSaved):
    """A user whom the lab does not know is in the group of administrators."""

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make the user, who has no credentials, and put them into the group."""
        del saved
        name, tags = self._name(workshop), [{"Key": FAULT_TAG, "Value": workshop.prefix}]
        workshop.client("iam").create_user(UserName=name, Tags=tags)
        ADMINISTRATORS.call(workshop, "add_user_to_{}", UserName=name)

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Delete the user, if they are there."""
        del saved
        iam, name = workshop.client("iam"), self._name(workshop)
        groups = read_if_any(iam.list_groups_for_user, "NoSuchEntity", "Groups", UserName=name)
        if groups is None:
            return
        for group in groups:
            iam.remove_user_from_group(UserName=name, GroupName=group["GroupName"])
        iam.delete_user(UserName=name)

    def in_template(self, templates: Templates) -> bool:
        """Add an AWS::IAM::User."""
        group = ADMINISTRATORS.resource(templates)
        templates.by_stack[group.stack]["Resources"]["Contractor"] = {
            "Type": "AWS::IAM::User",
            "Properties": {
                "UserName": f"{templates.prefix}-contractor",
                "Groups": [{"Ref": group.logical_id}],
            },
        }
        return True

    @staticmethod
    def _name(workshop: Workshop) -> str:
        return f"{workshop.prefix}-contractor"
