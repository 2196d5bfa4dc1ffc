"""The condition keys of one request: what was given, and what follows from the principal and the time.

Source: IAM User Guide, "AWS global condition context keys".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kmslab.authorization.model import PrincipalKind

if TYPE_CHECKING:
    from kmslab.authorization.model import Principal, Request

_TYPES = {
    PrincipalKind.ROLE: "AssumedRole",
    PrincipalKind.USER: "User",
    PrincipalKind.ROOT: "Account",
    PrincipalKind.ANONYMOUS: "Anonymous",
}
_ACCOUNT_DIGITS = 12


class Context:
    """A request with its condition keys at hand.

    Attributes:
        principal: who calls.
        action: what.
        resource: on what.
        owner: the account that the resource belongs to; empty when unknown.
        foreign: whether that is another account than the principal's.
        given: the condition keys of the request, as they were spelled.
    """

    __slots__ = ("_keys", "action", "foreign", "given", "owner", "principal", "resource")

    def __init__(self, principal: Principal, request: Request, owner: str = "") -> None:
        self.principal = principal
        self.action = request.action
        self.resource = request.resource
        self.given = request.condition_keys
        self.owner = owner or account_of(request.resource) or principal.account
        self.foreign = self.owner not in ("", principal.account) and bool(principal.account)
        self._keys: dict[str, str | tuple[str, ...]] = _follows(principal, self.owner)
        for given in (principal.condition_keys, request.condition_keys):
            self._keys |= {name.lower(): value for name, value in given.items()}

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a condition key; empty when the request has none."""
        name = key.lower()
        found = self._keys.get(name)
        if found is None:
            return _clock(name)
        return (found,) if isinstance(found, str) else found


def account_of(arn: str) -> str:
    """The account of an ARN; empty where it names none (S3 buckets, AWS's own policies)."""
    fields = arn.split(":", 5)
    account = fields[4] if len(fields) > 5 else ""  # noqa: PLR2004  # an ARN has six fields
    return account if len(account) == _ACCOUNT_DIGITS and account.isdecimal() else ""


def _follows(principal: Principal, owner: str) -> dict[str, str | tuple[str, ...]]:
    """Condition keys that follow from who calls on whose resource, in lower case."""
    service = principal.kind is PrincipalKind.SERVICE
    found = {
        "aws:principalisawsservice": str(service).lower(),
        "aws:principalservicename": principal.arn if service else "",
        "aws:principalarn": principal.arn if principal.kind in _IDENTITIES else "",
        "aws:principalaccount": principal.account,
        "aws:principaltype": _TYPES.get(principal.kind, ""),
        "aws:resourceaccount": owner,
    }
    return {name: value for name, value in found.items() if value}


_IDENTITIES = (PrincipalKind.ROLE, PrincipalKind.USER, PrincipalKind.ROOT)


def _clock(name: str) -> tuple[str, ...]:
    now = datetime.now(UTC)
    if name == "aws:currenttime":
        return (now.isoformat(timespec="seconds"),)
    return (str(int(now.timestamp())),) if name == "aws:epochtime" else ()
