"""The condition keys of one request: what was given, and what follows from the principal and the time.

Source: IAM User Guide, "AWS global condition context keys".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kmslab.authorization.model import IDENTITIES, PrincipalKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        self._keys = request.keys

    def values(self, key: str) -> tuple[str, ...]:
        """The values of a condition key; empty when the request has none."""
        name = key.lower()
        found = self._keys.get(name)
        if found is None:
            found = self.principal.keys.get(name)
        if found is None:
            follows = _FOLLOWING.get(name)
            value = follows(self) if follows else ""
            return (value,) if value else ()
        return (found,) if isinstance(found, str) else found


def account_of(arn: str) -> str:
    """The account of an ARN; empty where it names none (S3 buckets, AWS's own policies)."""
    fields = arn.split(":", 5)
    account = fields[4] if len(fields) > 5 else ""  # noqa: PLR2004  # an ARN has six fields
    return account if len(account) == _ACCOUNT_DIGITS and account.isdecimal() else ""


def _is_service(context: Context) -> bool:
    return context.principal.kind is PrincipalKind.SERVICE


_FOLLOWING: Mapping[str, Callable[[Context], str]] = {
    "aws:currenttime": lambda _: datetime.now(UTC).isoformat(timespec="seconds"),
    "aws:epochtime": lambda _: str(int(datetime.now(UTC).timestamp())),
    "aws:principalaccount": lambda context: context.principal.account,
    "aws:principalarn": lambda context: context.principal.arn if context.principal.kind in IDENTITIES else "",
    "aws:principalisawsservice": lambda context: str(_is_service(context)).lower(),
    "aws:principalservicename": lambda context: context.principal.arn if _is_service(context) else "",
    "aws:principaltype": lambda context: _TYPES.get(context.principal.kind, ""),
    "aws:resourceaccount": lambda context: context.owner,
}
"""Condition keys that nobody gives: name in lower case to value, empty where the request has none."""
