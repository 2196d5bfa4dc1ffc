"""The labs that are in account and Region already: whose, since when, in what state, with what faults."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kmslab.account import refusals
from kmslab.deployed import OPTIONAL_STACKS, read_stacks
from kmslab.faults.ledger import Ledger
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.finding import fine, refused, unseen, wrong
from kmslab.model.naming import PREFIX_TAG, stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.deployed import Stack
    from kmslab.lab import Access
    from kmslab.model.finding import Finding

CREATIONS = ("CreateStack", "CreateChangeSet")
"""Calls that make a stack: ``kmslab up`` uses the first, a plain ``cdk deploy`` the second."""
HISTORY = timedelta(days=90)
"""How far back LookupEvents reaches (CloudTrail API Reference; botocore 1.43.106)."""
_BEFORE, _AFTER = timedelta(minutes=1), timedelta(minutes=10)

_LAB, _WHO, _FAULTS, _OTHERS = "Lab", "Deployed by", "Faults", "Other labs"
_GO_ON = "`kmslab up --target aws` goes on from there; `kmslab down --target aws` removes what is left."


@dataclass(frozen=True, slots=True)
class Listed:
    """A stack of the account with a lab's tag.

    Attributes:
        name: its name.
        prefix: of its lab.
        created: when.
    """

    name: str
    prefix: str
    created: datetime


def listed(access: Access) -> list[Listed]:
    """Return every stack in the Region with the tag of a lab, the oldest first; asks once.

    Raises:
        ClientError, BotoCoreError: they could not be listed.
    """
    return access.once("account: labs", lambda: _list(access))


def _list(access: Access) -> list[Listed]:
    pages = access.client(Persona.OPERATOR, "cloudformation").get_paginator("describe_stacks").paginate()
    found = [
        Listed(stack["StackName"], tag["Value"], stack["CreationTime"])
        for page in pages
        for stack in page["Stacks"]
        for tag in stack.get("Tags", ())
        if tag["Key"] == PREFIX_TAG and stack["StackStatus"] != "DELETE_COMPLETE"
    ]
    return sorted(found, key=lambda stack: stack.created)


def look(access: Access) -> list[Finding]:
    """Look at the lab of this prefix, its faults, and labs of other prefixes."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        stacks = read_stacks(access)
        found = listed(access)
    except LabError as error:
        return [refused(_LAB, error)]
    except (ClientError, BotoCoreError) as error:
        return [
            unseen(
                _LAB,
                f"whether one is here could not be looked at ({refusals.why(error)})",
                refusals.mend(error, "Allow cloudformation:DescribeStacks."),
            )
        ]
    own = [stack for stack in found if stack.prefix == access.prefix]
    findings = [_standing(access, stacks, own)]
    if own:
        findings += [_deployer(access, own[0]), _faults(access)]
    others = Counter(stack.prefix for stack in found if stack.prefix != access.prefix)
    if others:
        named = ", ".join(
            f"{prefix} ({_count(number, 'stack')})" for prefix, number in sorted(others.items())
        )
        findings.append(fine(_OTHERS, named, "They are left alone: their prefix is another."))
    return findings


def _standing(access: Access, stacks: Mapping[str, Stack], own: list[Listed]) -> Finding:
    region = access.target.region
    if not stacks:
        return fine(_LAB, f"none with the prefix {access.prefix} in {region}")
    for stack in stacks.values():
        if stack.in_progress:
            return wrong(
                _LAB,
                f"stack {stack.name} is {stack.status}: somebody works on it",
                "Wait, then look again.",
                ExitCode.DEPLOYMENT,
            )
    for stack in stacks.values():
        if not stack.complete:
            reason = f": {' '.join(stack.reason.split())}" if stack.reason else ""
            return wrong(_LAB, f"stack {stack.name} is {stack.status}{reason}", _GO_ON, ExitCode.DEPLOYMENT)
    needed = {stack_name(access.prefix, stack) for stack in LabStack if stack not in OPTIONAL_STACKS}
    if missing := sorted(needed - stacks.keys()):
        return wrong(_LAB, f"half deployed: {', '.join(missing)} missing", _GO_ON, ExitCode.DEPLOYMENT)
    since = f", since {_utc(own[0].created)}" if own else ""
    return fine(_LAB, f"{access.prefix} stands in {region}: {len(stacks)} stacks{since}")


def _deployer(access: Access, oldest: Listed) -> Finding:
    """Look in the event history who made the lab's first stack."""
    from botocore.exceptions import BotoCoreError, ClientError

    if datetime.now(UTC) - oldest.created > HISTORY:
        return unseen(
            _WHO, f"made over {HISTORY.days} days ago, before the event history", "Ask in the account."
        )
    try:
        for event in _creations(access, oldest):
            return fine(_WHO, f"{event['userIdentity'].get('arn', '?')}, {_utc(oldest.created)}")
    except (ClientError, BotoCoreError) as error:
        return unseen(
            _WHO,
            f"could not be looked at ({refusals.why(error)})",
            refusals.mend(error, "Allow cloudtrail:LookupEvents."),
        )
    return unseen(
        _WHO,
        f"the event history does not show who made {oldest.name}",
        "Events come up to a quarter of an hour late: look again.",
    )


def _creations(access: Access, stack: Listed) -> Iterator[Mapping[str, Any]]:
    client = access.client(Persona.OPERATOR, "cloudtrail")
    for name in CREATIONS:
        pages = client.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}],
            StartTime=stack.created - _BEFORE,
            EndTime=stack.created + _AFTER,
        )
        for page in pages:
            for found in page["Events"]:
                event = json.loads(found["CloudTrailEvent"])
                # AWS writes stackName; other targets leave it as the request had it.
                asked = {key.lower(): value for key, value in (event.get("requestParameters") or {}).items()}
                if asked.get("stackname") == stack.name and not event.get("errorCode"):
                    yield event


def _faults(access: Access) -> Finding:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        entries = Ledger(access).entries()
    except LabError as error:
        return refused(_FAULTS, error)
    except (ClientError, BotoCoreError) as error:
        return unseen(
            _FAULTS,
            f"could not be looked at ({refusals.why(error)})",
            refusals.mend(error, "Allow ssm:GetParametersByPath."),
        )
    if not entries:
        return fine(_FAULTS, "none in place")
    return wrong(
        _FAULTS,
        f"{_count(len(entries), 'fault')} in place, the oldest since {entries[0].since}",
        "`kmslab repair --target aws` puts things right, and so does `kmslab up --target aws`.",
        ExitCode.NOT_PROVEN,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
