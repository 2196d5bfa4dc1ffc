"""AWS::SNS::Topic: the attributes that MiniStack's CloudFormation drops, KmsMasterKeyId above all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ministack.services import sns
from ministack.services.cloudformation import provisioners

from kmslab.engine.cloudformation.resources import document
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.cloudformation.resources import Properties, Provisioned

ATTRIBUTES = (
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
    "ContentBasedDeduplication",
    "FifoThroughputScope",
    "ArchivePolicy",
    "DeliveryStatusLogging",
    "DataProtectionPolicy",
)
"""Properties of the type that are topic attributes of the same name; absent ones are not reported."""


def _apply(topic_arn: str, properties: Properties) -> None:
    attributes = sns._topics[topic_arn]["attributes"]
    for name in ATTRIBUTES:
        if properties.get(name) is None:
            attributes.pop(name, None)
        else:
            value = properties[name]
            attributes[name] = document(value) if isinstance(value, dict | list) else _text(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def install() -> None:
    """Keep what the template says of a topic."""
    topic = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]

    @extend(provisioners, "_sns_create", "logical_id", "props", "stack_name")
    def create(
        stock: Callable[..., Provisioned], logical_id: str, props: Properties, stack_name: str
    ) -> Provisioned:
        """Keep the encryption key and the other attributes of a new topic."""
        made = stock(logical_id, props, stack_name)
        _apply(made[0], props)
        return made

    @extend(provisioners, "_sns_update", "physical_id", "old_props", "new_props", "stack_name")
    def update(
        stock: Callable[..., Provisioned],
        physical_id: str,
        old_props: Properties,
        new_props: Properties,
        stack_name: str,
        logical_id: str | None = None,
    ) -> Provisioned:
        """Bring the attributes of a topic to the template."""
        updated = stock(physical_id, old_props, new_props, stack_name, logical_id)
        _apply(updated[0], new_props)
        return updated

    topic.update(create=provisioners._sns_create, update=provisioners._sns_update)
