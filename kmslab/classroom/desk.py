"""Where seats are worked on, one after the other: the clients stay, the credentials are the seat's.

Making a lab's clients costs a third of a second of processor time, and each connection a TLS handshake. A desk makes
them once. Who sits down brings credentials: of the role through which the trainer's account enters the seat's,
and of the lab's personas there.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kmslab import sessions
from kmslab.account.caller import region_off
from kmslab.classroom.renaming import use_lab_names
from kmslab.lab import Access
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from kmslab.classroom.seats import Seat
    from kmslab.model.target import Credentials

ENTRY_ROLE = "OrganizationAccountAccessRole"
"""The role of a member account that AWS Organizations makes, and that its management account may assume (AWS
Organizations User Guide, "Accessing member accounts in an organization", read 2026-11-22)."""
SESSION_SECONDS = 3600
"""Life of a session: a role assumed by a role has an hour at most (IAM User Guide, "Role chaining")."""


class Desk:
    """Clients of one target, for one seat at a time. The threads of that seat's checks share them.

    Attributes:
        hub: access as the trainer, whose account may enter the seats'.
        entry_role: name of the role that is assumed in the seat's account.
    """

    def __init__(self, hub: Access, entry_role: str = ENTRY_ROLE) -> None:
        self.hub = hub
        self.entry_role = entry_role
        self.made: dict[Hashable, Any] = {}
        self.lock = threading.Lock()
        self._sitting: SeatAccess | None = None

    def sit(self, seat: Seat) -> SeatAccess:
        """Return access to a seat's lab as its operator and its personas; the one before ends.

        Raises:
            LabError: the seat's account cannot be entered.
        """
        access = SeatAccess(self, seat)
        self._sitting = access
        access.enter()
        return access

    def refuse_when_closed(self, **more: Any) -> None:
        """Send nothing more once the seat's run is over: a handler of botocore's ``before-send``."""
        if self._sitting is not None:
            self._sitting._refuse_when_closed(**more)


class SeatAccess(Access):
    """Access to the lab of one seat, by the clients of a desk.

    Attributes:
        seat: whose.
    """

    def __init__(self, desk: Desk, seat: Seat) -> None:
        """Take a seat; `Desk.sit` does it."""
        hub = desk.hub
        target = replace(hub.target, region=seat.region or hub.target.region, credentials=None)
        super().__init__(target, hub.prefix)
        self.seat = seat
        self._desk = desk

    def enter(self) -> None:
        """Assume the role in the seat's account, and make sure that it is that account.

        Raises:
            LabError: the role cannot be assumed, or leads elsewhere.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            account = self.account
        except (ClientError, BotoCoreError) as error:
            raise region_off(self, error) or LabError(
                f"Account {self.seat.account} of seat {self.seat.name} cannot be entered: {' '.join(str(error).split())}",
                hint=f"Its role {self._desk.entry_role} must trust account {self._desk.hub.account}.",
                exit_code=ExitCode.TARGET,
            ) from error
        if account != self.seat.account:
            raise LabError(
                f"Seat {self.seat.name} is account {self.seat.account}, but its role leads to {account}.",
                exit_code=ExitCode.TARGET,
            )

    def _enter_account(self) -> Mapping[str, Any]:
        hub = self._desk.hub
        answer: Mapping[str, Any] = hub.client(Persona.OPERATOR, "sts").assume_role(
            RoleArn=f"arn:{hub.partition}:iam::{self.seat.account}:role/{self._desk.entry_role}",
            RoleSessionName=f"kmslab-class-{self.seat.name}",
            DurationSeconds=SESSION_SECONDS,
        )["Credentials"]
        return answer

    def credentials(self, persona: Persona) -> Credentials | None:
        """Return a persona's credentials in this seat's account, the operator's too."""
        from kmslab.model.target import Credentials

        frozen = self._credentials_of(persona).get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def _bearer(self, persona: Persona) -> Any:
        """Of the role through which the trainer's account enters the seat's, and of the lab's personas there."""
        if persona is Persona.OPERATOR:
            return sessions.of_role(self._enter_account)
        return super()._bearer(persona)

    def _shared(self, service: str, *, plain_http: bool, region: str) -> Any:
        known = (service, plain_http, region or self.target.region)
        with self._desk.lock:
            if known not in self._desk.made:
                self._desk.made[known] = self._client(service, plain_http=plain_http, region=region)
            return self._desk.made[known]

    def _client(self, service: str, *, plain_http: bool, region: str) -> Any:
        client = super()._shared(service, plain_http=plain_http, region=region)
        client.meta.events.unregister("before-send", self._refuse_when_closed)
        client.meta.events.register("before-send", self._desk.refuse_when_closed)
        if self.target.endpoint_url:
            endpoint = client._endpoint  # shared by all seats too: see Access
            endpoint.http_session = self._desk.made.setdefault("connections", endpoint.http_session)
        if service == "cloudformation" and self.target.kind is TargetKind.AWS:
            use_lab_names(client, self.prefix)
        return client
