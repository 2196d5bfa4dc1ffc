"""The seats of a class from AWS Organizations: an account of an organizational unit is a seat."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kmslab.classroom.seats import Seat
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.lab import Access

_OU = re.compile(r"(ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|r-[0-9a-z]{4,32})")
"""An organizational unit or a root (Organizations API Reference, ``ListAccountsForParent``)."""


def seats_of(access: Access, ou: str) -> tuple[Seat, ...]:
    """Return a seat for each active account of an organizational unit and of those below it.

    Args:
        access: of the organization's management account, or of one to which Organizations is delegated.
        ou: id of the unit.

    Raises:
        LabError: it is no id of one, or has no account.
        ClientError, BotoCoreError: Organizations does not answer.
    """
    if not _OU.fullmatch(ou):
        raise LabError(f"{ou} is no organizational unit.", hint="Its id looks like ou-ab12-34cd56ef.")
    organizations = access.client(Persona.OPERATOR, "organizations")
    management = organizations.describe_organization()["Organization"]["MasterAccountId"]
    seats: list[Seat] = []
    for account in _accounts(organizations, ou):
        # ``State`` takes the place of ``Status``, which is deprecated (botocore's model).
        active = (account.get("State") or account.get("Status")) == "ACTIVE"
        if active and account["Id"] != management:
            seats.append(Seat(_name(account, seats), account["Id"], "", account["Name"][:80]))
    if not seats:
        raise LabError(
            f"{ou} has no active account that could be a seat.",
            hint="Move accounts into it, or name another one.",
            exit_code=ExitCode.TARGET,
        )
    return tuple(sorted(seats, key=lambda seat: seat.name))


def _accounts(organizations: Any, parent: str) -> Iterator[dict[str, Any]]:
    for page in organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=parent):
        yield from page["Accounts"]
    units = organizations.get_paginator("list_organizational_units_for_parent")
    for page in units.paginate(ParentId=parent):
        for unit in page["OrganizationalUnits"]:
            yield from _accounts(organizations, unit["Id"])


def _name(account: dict[str, Any], before: list[Seat]) -> str:
    """Return a seat's name: of the account's, and its number where that is no name or is taken."""
    name = re.sub(r"[^a-z0-9]+", "-", account["Name"].lower()).strip("-")[:20]
    return account["Id"] if not name or any(seat.name == name for seat in before) else name
