"""Where seats are worked on, one after the other: the clients stay, the credentials are the seat's.

Making a lab's 64 clients costs half a second of processor time, and each connection a TLS handshake. A desk makes
them once. Who sits down brings credentials: of the role through which the trainer's account enters the seat's,
and of the lab's personas there.
"""

from __future__ import annotations

import threading
import time
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
    from collections.abc import Callable, Hashable, Mapping

    from kmslab.classroom.seats import Seat
    from kmslab.model.target import Credentials

ENTRY_ROLE = "OrganizationAccountAccessRole"
"""The role of a member account that AWS Organizations makes, and that its management account may assume (AWS
Organizations User Guide, "Accessing member accounts in an organization", read 2026-11-22)."""
SESSION_SECONDS = 3600
"""Life of a session: a role assumed by a role has an hour at most (IAM User Guide, "Role chaining")."""
RENEWED_BEFORE_SECONDS = 300.0
"""How long before its end a session is renewed."""


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
        self._badges: dict[Persona, Badge] = {}
        self._sitting: SeatAccess | None = None

    def sit(self, seat: Seat) -> SeatAccess:
        """Return access to a seat's lab as its operator and its personas; the one before ends.

        Raises:
            LabError: the seat's account cannot be entered.
        """
        access = SeatAccess(self, seat)
        self._sitting = access
        for persona, badge in self._badges.items():
            badge.change(access.assume(persona))
        access.enter()
        return access

    def badge(self, persona: Persona) -> Badge:
        """Return the credentials that clients of a persona sign with, whoever sits."""
        if persona not in self._badges:
            if self._sitting is None:
                raise RuntimeError("nobody sits at the desk")
            self._badges[persona] = Badge(self._sitting.assume(persona))
        return self._badges[persona]

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

    def assume(self, persona: Persona) -> Callable[[], Mapping[str, Any]]:
        """Return what assumes the persona's role in this seat's account."""
        return self._enter_account if persona is Persona.OPERATOR else lambda: self._assume(persona)

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
        return self._desk.badge(persona).credentials

    def _make(self, persona: Persona, service: str, *, plain_http: bool, region: str) -> Any:
        where = region or self.target.region
        known = (persona, service, plain_http, where)
        # The persona's role is assumed now, so that whoever cannot be assumed is told apart from a refusal.
        self._desk.badge(persona).get_frozen_credentials()
        if known not in self._desk.made:
            with self._desk.lock:
                if known not in self._desk.made:
                    self._desk.made[known] = self._client(
                        persona, service, plain_http=plain_http, region=region
                    )
        return self._desk.made[known]

    def _client(self, persona: Persona, service: str, *, plain_http: bool, region: str) -> Any:
        client = super()._make(persona, service, plain_http=plain_http, region=region)
        client.meta.events.unregister("before-send", self._refuse_when_closed)
        client.meta.events.register("before-send", self._desk.refuse_when_closed)
        if self.target.endpoint_url:
            endpoint = client._endpoint  # shared by all seats too: see Access
            endpoint.http_session = self._desk.made.setdefault("connections", endpoint.http_session)
        if service == "cloudformation" and self.target.kind is TargetKind.AWS:
            use_lab_names(client, self.prefix)
        return client

    def _session(self, persona: Persona) -> Any:
        from botocore.loaders import create_loader

        loader = self._desk.made.setdefault("loader", create_loader())
        return sessions.with_credentials(loader, self.target.region, self._desk.badge(persona))


class Badge:
    """Credentials of a role that is assumed when they are needed, and again before they end.

    botocore's clients ask for `get_frozen_credentials` whenever they sign, and, when they are made, for a function
    that knows the account.
    """

    method = "kmslab-class"
    account_id = None
    """botocore puts it into endpoints of services that have one for each account; the lab uses none."""

    def __init__(self, assume: Callable[[], Mapping[str, Any]]) -> None:
        """Take what assumes the role; see `change`."""
        self._lock = threading.Lock()
        self.change(assume)

    def change(self, assume: Callable[[], Mapping[str, Any]]) -> None:
        """Be another's from now on.

        Args:
            assume: returns the ``Credentials`` of an AssumeRole response.
        """
        with self._lock:
            self._assume = assume
            self._frozen: Any = None
            self._ends = 0.0

    def get_frozen_credentials(self) -> Any:
        """Return botocore's ``ReadOnlyCredentials``.

        Raises:
            CredentialRetrievalError: the role cannot be assumed; nobody takes that for a refusal of a call.
        """
        from botocore.credentials import ReadOnlyCredentials
        from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

        with self._lock:
            if self._frozen is None or time.time() > self._ends - RENEWED_BEFORE_SECONDS:
                try:
                    given = self._assume()
                except (ClientError, BotoCoreError) as error:
                    raise CredentialRetrievalError(provider="AssumeRole", error_msg=str(error)) from error
                self._ends = given["Expiration"].timestamp()
                self._frozen = ReadOnlyCredentials(
                    given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
                )
            return self._frozen

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Return what looks at a property when it is needed."""
        return lambda: getattr(self, name)

    @property
    def credentials(self) -> Credentials:
        """The same in the lab's words."""
        from kmslab.model.target import Credentials

        frozen = self.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    @property
    def access_key(self) -> str:
        """The access key id, which botocore's S3 client looks at."""
        return str(self.get_frozen_credentials().access_key)

    @property
    def secret_key(self) -> str:
        """The secret key."""
        return str(self.get_frozen_credentials().secret_key)

    @property
    def token(self) -> str:
        """The session token."""
        return str(self.get_frozen_credentials().token)
