"""What can be changed about a key of the lab that is not its policy: state, rotation, alias, grants."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kmslab.faults.change import NothingSaved
from kmslab.faults.changes.policies import KeyPolicy, allow
from kmslab.faults.changes.setting import Setting, read_if_any
from kmslab.faults.changes.statements import THE_ACCOUNT, add, document, filled, names_in
from kmslab.faults.workshop import FAULT_TAG
from kmslab.model.naming import alias_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.faults.change import Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import Output

SHORTEST_WINDOW_DAYS = 7
"""The shortest deletion window that KMS accepts (KMS Developer Guide, "Deleting AWS KMS keys")."""
GRANT_NAME = "temporary-access"


def administrator(workshop: Workshop) -> Any:
    """Return the key administrator's KMS client: disabling and rotating is their task, on AWS too."""
    return workshop.client("kms", persona=Persona.KEY_ADMINISTRATOR)


class Rotation(Setting):
    """A key is rotated with another period, or not any more."""

    def __init__(self, key: Output, days: int | None) -> None:
        """Take the key and the period in days; None: rotation is off."""
        self.key = key
        self.days = days

    def read(self, workshop: Workshop) -> Any:
        """Return the period in days; None: rotation is off."""
        key = workshop.outputs.value_of(self.key)
        status = administrator(workshop).get_key_rotation_status(KeyId=key)
        return status["RotationPeriodInDays"] if status["KeyRotationEnabled"] else None

    def write(self, workshop: Workshop, value: Any) -> None:
        """Rotate with this period, or not at all."""
        kms, key = administrator(workshop), workshop.outputs.value_of(self.key)
        if value is None:
            kms.disable_key_rotation(KeyId=key)
        else:
            kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other period."""
        del workshop, value
        return self.days

    def in_template(self, templates: Templates) -> bool:
        """Set the other period, or switch rotation off."""
        properties = templates.resource(self.key).properties
        if self.days is None:
            del properties["EnableKeyRotation"], properties["RotationPeriodInDays"]
        else:
            properties["RotationPeriodInDays"] = self.days
        return True


class Description(Setting):
    """A key has another description."""

    def __init__(self, key: Output, text: str) -> None:
        self.key = key
        self.text = text

    def read(self, workshop: Workshop) -> Any:
        """Return the description."""
        key = workshop.outputs.value_of(self.key)
        return administrator(workshop).describe_key(KeyId=key)["KeyMetadata"]["Description"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Set the description."""
        key = workshop.outputs.value_of(self.key)
        administrator(workshop).update_key_description(KeyId=key, Description=value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other one."""
        del workshop, value
        return self.text

    def in_template(self, templates: Templates) -> bool:
        """Set the other one."""
        templates.resource(self.key).properties["Description"] = self.text
        return True


class Disabled(NothingSaved):
    """A key is disabled."""

    def __init__(self, key: Output) -> None:
        self.key = key

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Disable it."""
        del saved
        administrator(workshop).disable_key(KeyId=workshop.outputs.value_of(self.key))

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Enable it."""
        del saved
        administrator(workshop).enable_key(KeyId=workshop.outputs.value_of(self.key))

    def in_template(self, templates: Templates) -> bool:
        """Disable it."""
        templates.resource(self.key).properties["Enabled"] = False
        return True


class Doomed(NothingSaved):
    """A key waits for its deletion: it cannot be used, and in some days it will be gone for good."""

    def __init__(self, key: Output) -> None:
        self.key = key

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Schedule the deletion."""
        del saved
        administrator(workshop).schedule_key_deletion(
            KeyId=workshop.outputs.value_of(self.key), PendingWindowInDays=SHORTEST_WINDOW_DAYS
        )

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Cancel the deletion, and enable the key: cancelling alone leaves it disabled."""
        del saved
        kms, key = administrator(workshop), workshop.outputs.value_of(self.key)
        if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion":
            kms.cancel_key_deletion(KeyId=key)
        kms.enable_key(KeyId=key)


class Alias(Setting):
    """A key's alias points to another key of the lab, or is gone; the value is the key's id."""

    def __init__(self, key: Output, to: Output | None) -> None:
        """Take the key whose alias it is, and where it points; None: there is no such alias."""
        self.key = key
        self.to = to

    def name(self, prefix: str) -> str:
        """Name of the alias."""
        return alias_name(prefix, self.key.name.removeprefix("key_").replace("_", "-"))

    def read(self, workshop: Workshop) -> Any:
        """Return the ARN of the key that it points to; None: there is no such alias."""
        look, alias = workshop.owner("kms").describe_key, self.name(workshop.prefix)
        found = read_if_any(look, "NotFoundException", "KeyMetadata", KeyId=alias)
        return found and found["Arn"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Point it there, or delete it."""
        kms, alias, now = workshop.owner("kms"), self.name(workshop.prefix), self.read(workshop)
        if value is None:
            if now is not None:
                kms.delete_alias(AliasName=alias)
        elif now is None:
            kms.create_alias(AliasName=alias, TargetKeyId=value)
        else:
            kms.update_alias(AliasName=alias, TargetKeyId=value)

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other key, or none."""
        del value
        return workshop.outputs.value_of(self.to) if self.to else None

    def in_template(self, templates: Templates) -> bool:
        """Point it there, or leave it out."""
        alias = templates.about(self.key, "AWS::KMS::Alias", "TargetKeyId")
        if self.to:
            alias.properties["TargetKeyId"] = {"Ref": templates.resource(self.to).logical_id}
        else:
            del templates.by_stack[alias.stack]["Resources"][alias.logical_id]
        return True


class Replaced(Alias):
    """A key's alias points to a new key that somebody made, under KMS's default key policy."""

    def __init__(self, key: Output, **parameters: Any) -> None:
        """Take the key whose alias it is, and the parameters of CreateKey."""
        super().__init__(key, None)
        self.parameters = parameters

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make the key, marked as a fault's, and turn the alias to it."""
        del saved
        made = workshop.client("kms").create_key(
            Tags=[{"TagKey": FAULT_TAG, "TagValue": workshop.prefix}],
            Description=self.name(workshop.prefix),
            **self.parameters,
        )
        self.write(workshop, made["KeyMetadata"]["Arn"])

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Turn the alias back, and schedule the deletion of every key that this fault made."""
        super().restore(workshop, saved)
        kms = workshop.client("kms")
        for arn in self._made(workshop):
            found = kms.describe_key(KeyId=arn)["KeyMetadata"]
            if found["Description"] == self.name(workshop.prefix) and found["KeyState"] != "PendingDeletion":
                kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=SHORTEST_WINDOW_DAYS)

    def in_template(self, templates: Templates) -> bool:
        """Add the key, with what KMS would give it as policy, and turn the alias to it."""
        alias = templates.about(self.key, "AWS::KMS::Alias", "TargetKeyId")
        everything = filled(allow("Everything", "kms:*", to=THE_ACCOUNT), names_in(templates))
        properties = {**self.parameters, "KeyPolicy": document(everything)}
        templates.by_stack[alias.stack]["Resources"]["NewKey"] = {
            "Type": "AWS::KMS::Key",
            "Properties": properties,
        }
        alias.properties["TargetKeyId"] = {"Ref": "NewKey"}
        return True

    @staticmethod
    def _made(workshop: Workshop) -> list[str]:
        pages = workshop.client("resourcegroupstaggingapi").get_paginator("get_resources")
        return [
            resource["ResourceARN"]
            for page in pages.paginate(
                TagFilters=[{"Key": FAULT_TAG, "Values": [workshop.prefix]}], ResourceTypeFilters=["kms:key"]
            )
            for resource in page["ResourceTagMappingList"]
        ]


class StandingGrant(KeyPolicy):
    """A grant stays on a key after the key policy that let somebody create it is what it was.

    The owner of the key policies lets themselves create grants for a moment: in the lab nobody may that has a
    reason to, and who once could put a key policy leaves a grant, because audits read policies.
    """

    def __init__(self, key: Output, grantee: Persona, *operations: str, **parameters: Any) -> None:
        """Take the key, who gets the grant, its operations, and more parameters of CreateGrant."""
        root_user = {"ArnEquals": {"aws:PrincipalArn": THE_ACCOUNT["AWS"]}}
        statement = allow("ForAMoment", "kms:CreateGrant", "kms:RevokeGrant", to=THE_ACCOUNT, when=root_user)
        super().__init__(key, add(statement))
        self.grantee = grantee
        self.operations = operations
        self.parameters = parameters

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Create the grant."""
        with self._allowed(workshop, saved):
            workshop.owner("kms").create_grant(
                KeyId=workshop.outputs.value_of(self.key),
                GranteePrincipal=workshop.role_arn(self.grantee),
                Operations=[*self.operations],
                Name=GRANT_NAME,
                **self.parameters,
            )

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Revoke it, and see that the key policy is what it was."""
        kms, key = workshop.owner("kms"), workshop.outputs.value_of(self.key)
        with self._allowed(workshop, saved):
            for grant in kms.get_paginator("list_grants").paginate(KeyId=key).search("Grants[]"):
                if grant.get("Name") == GRANT_NAME:
                    kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])

    def in_template(self, templates: Templates) -> bool:
        """CloudFormation knows no grants."""
        del templates
        return False

    @contextmanager
    def _allowed(self, workshop: Workshop, saved: Json) -> Iterator[None]:
        super().apply(workshop, saved)
        try:
            yield
        finally:
            super().restore(workshop, saved)
