"""Who acts in the lab: roles with permissions written by hand, and the principal that deployed it."""

from __future__ import annotations

from enum import StrEnum


class Persona(StrEnum):
    """A principal of the lab. The value is the last part of its role name: ``<prefix>-<value>``."""

    OPERATOR = "operator"
    """Not a role of the lab: whoever deploys and verifies it, with their own credentials."""
    KEY_ADMINISTRATOR = "key-administrator"
    DATA_OWNER = "data-owner"
    DATA_READER = "data-reader"
    STORAGE_OPERATOR = "storage-operator"
    SIGNER = "signer"
    AUDITOR = "auditor"
    OUTSIDER = "outsider"


ROLES: tuple[Persona, ...] = tuple(p for p in Persona if p is not Persona.OPERATOR)
"""The personas that the identity stack creates as IAM roles."""
