"""AWS::IAM::Group, AWS::IAM::UserToGroupAddition, and the permissions boundary of AWS::IAM::Role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import iam
from ministack.services.cloudformation import provisioners

from kmslab.engine.cloudformation.resources import call, document, query, register
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.cloudformation.resources import Place, Properties, Provisioned


class Group:
    """A group with its managed and inline policies."""

    def create(self, place: Place, properties: Properties) -> Provisioned:
        """CreateGroup, then its policies; a group whose policies are refused is removed again."""
        name = properties.get("GroupName") or place.generated_name()
        call(iam._create_group, query({"GroupName": name, "Path": properties.get("Path")}))
        try:
            self._reconcile(name, {}, properties)
        except ValueError:
            self.delete(name, properties)
            raise
        return name, {"Arn": iam._groups[name]["Arn"]}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Attach, detach, put and delete what changed."""
        self._reconcile(physical_id, old, new)
        return physical_id, {"Arn": iam._groups[physical_id]["Arn"]}

    def delete(self, physical_id: str, _properties: Properties) -> None:
        """DeleteGroup, after its policies and members have left it."""
        if group := iam._groups.get(physical_id):
            for arn in list(group["AttachedPolicies"]):
                call(iam._detach_group_policy, query({"GroupName": physical_id, "PolicyArn": arn}))
            call(iam._delete_group, query({"GroupName": physical_id}))

    def _reconcile(self, name: str, old: Properties, new: Properties) -> None:
        before, after = set(old.get("ManagedPolicyArns") or ()), set(new.get("ManagedPolicyArns") or ())
        for arn in sorted(before - after):
            call(iam._detach_group_policy, query({"GroupName": name, "PolicyArn": arn}), missing_is_fine=True)
        for arn in sorted(after - before):
            call(iam._attach_group_policy, query({"GroupName": name, "PolicyArn": arn}))
        had, wanted = _inline_policies(old), _inline_policies(new)
        for policy in sorted(had.keys() - wanted.keys()):
            request = query({"GroupName": name, "PolicyName": policy})
            call(iam._delete_group_policy, request, missing_is_fine=True)
        for policy, text in wanted.items():
            request = query({"GroupName": name, "PolicyName": policy, "PolicyDocument": text})
            call(iam._put_group_policy, request)


def _inline_policies(properties: Properties) -> dict[str, str]:
    return {p["PolicyName"]: document(p["PolicyDocument"]) for p in properties.get("Policies") or ()}


class UserToGroupAddition:
    """Membership of users in a group; the physical id is generated."""

    def create(self, place: Place, properties: Properties) -> Provisioned:
        """AddUserToGroup for each user."""
        for user in properties["Users"]:
            call(iam._add_user_to_group, _membership(properties, user))
        return place.generated_name(), {}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Move users in and out; another group is an update without interruption too."""
        same_group = old["GroupName"] == new["GroupName"]
        for user in old["Users"]:
            if not (same_group and user in new["Users"]):
                call(iam._remove_user_from_group, _membership(old, user), missing_is_fine=True)
        for user in new["Users"]:
            call(iam._add_user_to_group, _membership(new, user))
        return physical_id, {}

    def delete(self, _physical_id: str, properties: Properties) -> None:
        """RemoveUserFromGroup for each user."""
        for user in properties["Users"]:
            call(iam._remove_user_from_group, _membership(properties, user), missing_is_fine=True)


def _membership(properties: Properties, user: str) -> dict[str, Any]:
    return query({"GroupName": properties["GroupName"], "UserName": user})


def _bound(name: str, properties: Properties) -> None:
    role = iam._roles[name]
    if boundary := properties.get("PermissionsBoundary"):
        role["PermissionsBoundary"] = boundary
    else:
        role.pop("PermissionsBoundary", None)


def _create_role(
    stock: Callable[..., Provisioned], logical_id: str, props: Properties, stack_name: str
) -> Provisioned:
    """Keep a role's permissions boundary."""
    made = stock(logical_id, props, stack_name)
    _bound(made[0], props)
    return made


def _update_role(
    stock: Callable[..., Provisioned],
    physical_id: str,
    old_props: Properties,
    new_props: Properties,
    *rest: str,
) -> Provisioned:
    """Keep a changed permissions boundary."""
    updated = stock(physical_id, old_props, new_props, *rest)
    _bound(updated[0], new_props)
    return updated


def install() -> None:
    """Serve both types, and keep boundaries."""
    register("AWS::IAM::Group", Group(), replaced_by=("GroupName",))
    register("AWS::IAM::UserToGroupAddition", UserToGroupAddition())
    extend(provisioners, "_iam_role_create", "logical_id", "props", "stack_name")(_create_role)
    extend(provisioners, "_iam_role_update", "physical_id", "old_props", "new_props")(_update_role)
    role = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
    role.update(create=provisioners._iam_role_create, update=provisioners._iam_role_update)
