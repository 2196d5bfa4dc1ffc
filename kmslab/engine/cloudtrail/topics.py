"""Who publishes to an encrypted topic needs its key.

SNS Developer Guide, "Configure AWS KMS permissions": ``kms:GenerateDataKey*`` and ``kms:Decrypt``; codes of
botocore's service model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import sns

from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.events import Refusal

    Stock = Callable[[Mapping[str, Any]], Any]

CODES = {
    "AccessDeniedException": "KMSAccessDenied",
    "DisabledException": "KMSDisabled",
    "NotFoundException": "KMSNotFound",
}
"""How SNS calls what KMS refuses; everything else is KMSInvalidState."""


def refusal(topic_arn: str, **principal: Any) -> Refusal | None:
    """Why a message may not be encrypted for a topic, None when it may or the topic has no key.

    Args:
        topic_arn: of a topic that exists.
        principal: who publishes, when it is a service, and its condition keys, as `use_key` takes them.
    """
    key = sns._topic_by_arn_any_scope(topic_arn)["attributes"].get("KmsMasterKeyId")
    for operation in ("GenerateDataKey", "Decrypt") if key else ():
        _, refused = use_key("sns", operation, key, {"aws:sns:topicArn": topic_arn}, **principal)
        if refused:
            return refused
    return None


def _publish(stock: Stock, params: Mapping[str, Any]) -> Any:
    """Ask KMS for the message's data key as the caller."""
    topic_arn = sns._normalize_arn(sns._p(params, "TopicArn") or sns._p(params, "TargetArn"))
    if topic_arn and sns._topic_by_arn_any_scope(topic_arn) and (refused := refusal(topic_arn)):
        return sns._error(CODES.get(refused.code, "KMSInvalidState"), refused.message, 400)
    return stock(params)


def install() -> None:
    """Guard both ways to publish."""
    extend(sns, "_publish", "params")(_publish)
    extend(sns, "_publish_batch", "params")(_publish)
