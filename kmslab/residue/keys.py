"""Keys of the lab and when they are gone: from KMS where it lets one look, else from who asked for the deletion.

Most keys of the lab let only their administrators and the root user look. Their administrator's role goes with
the lab, so after ``kmslab down`` the operator asks three witnesses in turn: KMS itself, the trail, in which KMS
writes each ScheduleKeyDeletion, and CloudFormation, which says when it was done with the key.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kmslab.checks.membership import DELETED, KEY, READERS
from kmslab.checks.temporary import LEAVING
from kmslab.lab import DENIED
from kmslab.model.evidence import code_of
from kmslab.model.naming import TEMPORARY_TAG
from kmslab.model.persona import Persona
from kmslab.residue.model import Found, State, Why
from kmslab.residue.stacks import ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kmslab.lab import Access
    from kmslab.residue.stacks import Membership, Owned

    Tags = Mapping[str, str]

AS_OWNER = "asked as the root user"


@dataclass(frozen=True, slots=True)
class _Word:
    """What a witness says of a key; the fields are those of `Found`."""

    state: State
    until: datetime | None
    said_by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Event:
    """What the trail says last of a key: when, and until when it waits; None: its deletion was called off."""

    at: datetime
    until: datetime | None


class Keys:
    """The keys of one account and Region."""

    def __init__(
        self,
        access: Access,
        membership: Membership,
        unseen: list[str],
        region: str = "",
        owner: Access | None = None,
    ) -> None:
        """Take what is looked at.

        Args:
            access: with the operator's credentials.
            membership: what the lab's stacks own and owned.
            unseen: gets a line for each witness that does not answer.
            region: another Region than the target's.
            owner: as the account's root user, where that is somebody's to play: the local engine forgets events
                and deleted stacks earlier than AWS does, so there the owner is the last witness.
        """
        self._access = access
        self._membership = membership
        self._unseen = unseen
        self._region = region
        self._owner = owner
        self._kms = access.client(Persona.OPERATOR, "kms", region=region)

    def found(self, tagged: Mapping[str, Tags], ours: Callable[[Tags], bool]) -> Iterator[Found]:
        """Yield every key of the lab that is not gone.

        Args:
            tagged: the tags of keys that the tagging service told, by ARN.
            ours: whether tags are the lab's.
        """
        listed = {
            one["KeyArn"] for page in self._kms.get_paginator("list_keys").paginate() for one in page["Keys"]
        }
        told = {arn.rpartition("/")[2]: tags for arn, tags in tagged.items()}
        with ThreadPoolExecutor(READERS, thread_name_prefix="keys") as pool:
            yield from filter(None, pool.map(lambda arn: self._one(arn, told, ours), sorted(listed)))

    def tagged(self, arn: str, *, temporary: bool) -> Found | None:
        """A key that the tagging service names; None: it is gone."""
        return self._standing(arn, (Why.TAG,), None, temporary=temporary)

    def _one(self, arn: str, told: Mapping[str, Tags], ours: Callable[[Tags], bool]) -> Found | None:
        key_id = arn.rpartition("/")[2]
        owned = self._membership.find(KEY, key_id)
        tags = told.get(key_id) or self._tags(key_id)
        why = (*((Why.TAG,) if ours(tags) else ()), *((Why.STACK,) if owned else ()))
        if not why:
            return None
        return self._standing(arn, why, owned, temporary=TEMPORARY_TAG in tags)

    def _tags(self, key_id: str) -> Tags:
        """A key's tags, as KMS tells them; a key that does not let us look is one that the tagging service knows."""
        from botocore.exceptions import ClientError

        try:
            pages = self._kms.get_paginator("list_resource_tags").paginate(KeyId=key_id)
            return {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}
        except ClientError as error:
            if code_of(error) in DENIED | {"NotFoundException"}:
                return {}
            raise

    def _standing(
        self, arn: str, why: tuple[Why, ...], owned: Owned | None, *, temporary: bool
    ) -> Found | None:
        """How a key of the lab stands; None: it is gone."""
        from botocore.exceptions import ClientError

        try:
            about = self._kms.describe_key(KeyId=arn)["KeyMetadata"]
        except ClientError as error:
            code = code_of(error)
            if code == "NotFoundException":
                return None
            if code not in DENIED:
                raise
            word = self._by_others(arn.rpartition("/")[2], owned)
        else:
            if about["KeyState"] in LEAVING:
                word = _Word(State.GOING, about.get("DeletionDate"), "kms")
            else:
                word = _Word(_alive(owned), None, "kms", about["KeyState"])
        return Found("kms:key", arn, why, word.state, stamp(word.until), word.said_by, word.note, temporary)

    def _by_others(self, key_id: str, owned: Owned | None) -> _Word:
        """What the trail, or else CloudFormation, says of a key that lets nobody look."""
        if owned and owned.standing:
            return _Word(State.STANDS, None, "cloudformation")
        if event := self._trail.get(key_id):
            if event.until is None:
                return _Word(State.LEFT, None, "cloudtrail", "its deletion was called off")
            return _Word(State.GOING, event.until, "cloudtrail")
        if owned and owned.status == DELETED:
            window = self._window(owned)
            until = owned.changed + timedelta(days=window) if owned.changed and window else None
            return _Word(State.GOING, until, "cloudformation", "the trail does not tell of it yet")
        if self._owner:
            return self._by_the_owner(self._owner, key_id, owned)
        return _Word(State.UNSEEN, None, "", "its policy lets nobody look, and the trail does not tell of it")

    def _by_the_owner(self, owner: Access, key_id: str, owned: Owned | None) -> _Word:
        kms = owner.client(Persona.OPERATOR, "kms", region=self._region)
        about = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        if about["KeyState"] in LEAVING:
            return _Word(State.GOING, about.get("DeletionDate"), "kms", AS_OWNER)
        return _Word(_alive(owned), None, "kms", f"{about['KeyState']}, {AS_OWNER}")

    @cached_property
    def _trail(self) -> dict[str, _Event]:
        """What the trail says last of each key whose deletion was scheduled or called off."""
        from botocore.exceptions import BotoCoreError, ClientError

        last: dict[str, _Event] = {}
        cloudtrail = self._access.client(Persona.OPERATOR, "cloudtrail", region=self._region)
        try:
            for name in ("ScheduleKeyDeletion", "CancelKeyDeletion"):
                wanted = [{"AttributeKey": "EventName", "AttributeValue": name}]
                for page in cloudtrail.get_paginator("lookup_events").paginate(LookupAttributes=wanted):
                    for one in page["Events"]:
                        for key_id, event in _told(json.loads(one["CloudTrailEvent"])):
                            # Of one second: what is called off was scheduled before.
                            if key_id not in last or last[key_id].at <= event.at:
                                last[key_id] = event
        except (BotoCoreError, ClientError) as error:
            self._unseen.append(f"cloudtrail:LookupEvents: {code_of(error)}")
        return last

    def _window(self, owned: Owned) -> int:
        """Days that the template of a key's stack names; 0: CloudFormation does not tell."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            template = self._template(owned.stack_id)
        except (BotoCoreError, ClientError):
            return 0
        properties = template.get("Resources", {}).get(owned.logical_id, {}).get("Properties", {})
        return int(properties.get("PendingWindowInDays", 0))

    def _template(self, stack_id: str) -> Mapping[str, Any]:
        cloudformation = self._access.client(Persona.OPERATOR, "cloudformation")

        def read() -> Mapping[str, Any]:
            body: Mapping[str, Any] = cloudformation.get_template(StackName=stack_id)["TemplateBody"]
            return body

        return self._access.once(("template of", stack_id), read)

    def aliases(self) -> Iterator[Found]:
        """Yield aliases that a stack of the lab owns or owned, or that lead to a key of one."""
        for page in self._kms.get_paginator("list_aliases").paginate():
            for one in page["Aliases"]:
                owned = self._membership.find(ALIAS, one["AliasName"])
                target = self._membership.find(KEY, one.get("TargetKeyId", ""))
                why = (*((Why.STACK,) if owned else ()), *((Why.KEY,) if target else ()))
                # Somebody's own alias of an old name leads to a key that was never the lab's.
                if target is not None:
                    state = State.STANDS if owned and owned.standing else State.LEFT
                    yield Found("kms:alias", one["AliasName"], why, state)


def _told(event: Mapping[str, Any]) -> Iterator[tuple[str, _Event]]:
    """What one event of the trail says of which key; nothing of a call that was refused.

    The date in ``responseElements`` is written for people ("Apr 12, 2021 18:58:30 PM", KMS Developer Guide,
    "ScheduleKeyDeletion", read 2026-11-22), so it is computed from the window that was asked for.
    """
    if event.get("errorCode"):
        return
    asked = event.get("requestParameters") or {}
    key_id = str(asked.get("keyId", "")).rpartition("/")[2]
    at = datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if event["eventName"] == "CancelKeyDeletion":
        yield key_id, _Event(at, None)
    else:
        yield key_id, _Event(at, at + timedelta(days=int(asked.get("pendingWindowInDays") or 30)))


def _alive(owned: Owned | None) -> State:
    return State.STANDS if owned and owned.standing else State.LEFT


def stamp(moment: datetime | None) -> str:
    """A moment in UTC as it is printed; empty for None."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""
