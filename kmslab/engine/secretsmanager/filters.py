"""Which secrets a filter of ListSecrets and BatchGetSecretValue lets through.

Secrets Manager API Reference, "Filter": names, tags and descriptions are compared from their beginning, a
description and ``all`` word by word and without regard to case; ``!`` turns a value around.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kmslab.engine.secretsmanager.errors import SecretsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kmslab.engine.secretsmanager.records import Secret

_WORD = re.compile(r"[^\s/_+=.@-]+")


def _begins(texts: Iterable[str], value: str) -> bool:
    return any(text.startswith(value) for text in texts)


def _has_words(texts: Iterable[str], value: str) -> bool:
    words = [word.lower() for text in texts for word in _WORD.findall(text)]
    return all(_begins(words, wanted.lower()) for wanted in value.split())


def _tags(secret: Secret, member: str) -> list[str]:
    return [tag[member] for tag in secret.get("Tags", ()) if member in tag]


def _everything(secret: Secret) -> list[str]:
    return [
        *(secret["Name"], secret.get("Description", "")),
        *(_tags(secret, "Key") + _tags(secret, "Value")),
    ]


_MATCH: dict[str, Callable[[Secret, str], bool]] = {
    "all": lambda secret, value: _has_words(_everything(secret), value),
    "description": lambda secret, value: _has_words([secret.get("Description", "")], value),
    "name": lambda secret, value: _begins([secret["Name"]], value),
    "owning-service": lambda _secret, _value: False,
    "primary-region": lambda secret, value: _begins(
        [(secret.get("PrimaryArn") or secret["ARN"]).split(":")[3]], value
    ),
    "tag-key": lambda secret, value: _begins(_tags(secret, "Key"), value),
    "tag-value": lambda secret, value: _begins(_tags(secret, "Value"), value),
}


def passes(secret: Secret, filters: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a secret passes every filter; of a filter's values one has to fit.

    Raises:
        SecretsError: a filter has an unknown key.
    """
    return all(_passes(secret, one.get("Key", ""), one.get("Values") or ()) for one in filters)


def _passes(secret: Secret, key: str, values: Iterable[str]) -> bool:
    if key not in _MATCH:
        allowed = ", ".join(sorted(_MATCH))
        raise SecretsError(
            "ValidationException",
            f"1 validation error detected: Value '{key}' at 'filters.1.member.key' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{allowed}]",
        )
    return any(
        not _MATCH[key](secret, value[1:]) if value.startswith("!") else _MATCH[key](secret, value)
        for value in values
    )
