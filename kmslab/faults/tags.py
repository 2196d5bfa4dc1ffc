"""Faults of the inventory: what belongs to the lab is no longer marked as the lab's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.registry import fault
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change, Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import Output


@fault(
    guide="02-first-key", noticed_by=("keys.every-key-is-tagged", "inventory.no-key-is-outside-the-stacks")
)
def a_key_has_lost_its_tag() -> Change:
    """The RSA key has lost the tag that says whose it is.

    Who cleans up an account by tags passes it over, and so does every cost report and every policy
    that goes by tags.
    """
    return KeyTagRemoved(LabOutputs.key_rsa, PREFIX_TAG)


class KeyTagRemoved:
    """A tag of a key is gone."""

    def __init__(self, key: Output, tag: str) -> None:
        self.key = key
        self.tag = tag

    def save(self, workshop: Workshop) -> Json:
        """Read the tag's value."""
        key = workshop.outputs.value_of(self.key)
        tags = workshop.client("kms", persona=Persona.AUDITOR).list_resource_tags(KeyId=key)["Tags"]
        return {"value": next(tag["TagValue"] for tag in tags if tag["TagKey"] == self.tag)}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Remove it."""
        del saved
        kms = workshop.client("kms", persona=Persona.KEY_ADMINISTRATOR)
        kms.untag_resource(KeyId=workshop.outputs.value_of(self.key), TagKeys=[self.tag])

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Set it again."""
        tags = [{"TagKey": self.tag, "TagValue": saved["value"]}]
        kms = workshop.client("kms", persona=Persona.KEY_ADMINISTRATOR)
        kms.tag_resource(KeyId=workshop.outputs.value_of(self.key), Tags=tags)

    def in_template(self, templates: Templates) -> bool:
        """Remove it from the key's tags."""
        properties = templates.resource(self.key).properties
        properties["Tags"] = [tag for tag in properties["Tags"] if tag["Key"] != self.tag]
        return True
