"""Website configurations that S3 refuses. The engine serves no websites.

Recorded from S3 (LocalStack's ``test_s3.py``, test_validate_website_configuration).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import s3

from kmslab.engine.hooks import extend
from kmslab.engine.s3.errors import error
from kmslab.engine.s3.markup import children, name_of, parsed

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from kmslab.engine.s3.errors import Response

INDEX, TO, RULES = "IndexDocument", "RedirectAllRequestsTo", "RoutingRules"
PROTOCOLS = ("http", "https")


def _invalid(name: str, value: str, message: str) -> Any:
    return error("InvalidArgument", message, 400, ArgumentName=name, ArgumentValue=value)


def _protocol(node: Element) -> Any:
    if children(node).get("Protocol", "http") in PROTOCOLS:
        return None
    message = "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically."
    return error("InvalidRequest", message)


def _unfit_rule(rule: Element) -> Any:
    """S3's answer to a rule that it does not take; None to any other."""
    parts = {name_of(node): node for node in rule}
    if "Redirect" not in parts:
        return error("MalformedXML", s3._MALFORMED_XML)
    redirect = children(parts["Redirect"])
    if "ReplaceKeyPrefixWith" in redirect and "ReplaceKeyWith" in redirect:
        return error("InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    if "Condition" in parts and not len(parts["Condition"]):
        message = (
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't "
            "be present."
        )
        return error("InvalidRequest", message)
    return _protocol(parts["Redirect"])


def _unfit(root: Element) -> Any:
    """S3's answer to a configuration that it does not take; None to any other."""
    parts = {name_of(node): node for node in root}
    if TO in parts:
        if len(parts) > 1:
            message = f"{TO} cannot be provided in conjunction with other Routing Rules."
            return _invalid(TO, "not null", message)
        return _protocol(parts[TO])
    if INDEX not in parts:
        return _invalid(INDEX, "null", f"A value for {INDEX} Suffix must be provided if {TO} is empty")
    suffix = children(parts[INDEX]).get("Suffix", "")
    if not suffix or "/" in suffix:
        return _invalid(INDEX, suffix, f"The {INDEX} Suffix is not well formed")
    if RULES in parts and not len(parts[RULES]):
        return error("MalformedXML", s3._MALFORMED_XML)
    return next(filter(None, map(_unfit_rule, parts.get(RULES, ()))), None)


def _put(stock: Callable[..., Response], name: str, body: bytes) -> Any:
    """Refuse what is no configuration of a website."""
    root = parsed(body)
    if name not in s3._buckets:
        return stock(name, body)
    refused = error("MalformedXML", s3._MALFORMED_XML) if root is None else _unfit(root)
    return refused or stock(name, body)


def install() -> None:
    """Take over where websites are configured."""
    extend(s3, "_put_bucket_website", "name", "body")(_put)
