"""An open lab: sessions per persona, calls with evidence, waits. The only place that makes clients."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from kmslab import sessions
from kmslab.model.evidence import code_of, message_of, subject_of
from kmslab.model.naming import role_name
from kmslab.model.persona import Persona
from kmslab.model.regions import lacking
from kmslab.model.target import Credentials, Target, TargetKind
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from types import TracebackType

    from kmslab.model.capability import Capability
    from kmslab.model.outputs import LabOutputs

T = TypeVar("T")

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "403",  # S3 HeadObject has no body, hence no code
    }
)
"""Error codes with which AWS services say that the caller may not."""

SETTLE_SECONDS = {TargetKind.AWS: 90.0, TargetKind.LOCAL: 0.0, TargetKind.ENDPOINT: 10.0}
"""How long a permitted call may be refused before that counts: IAM, key policies and grants settle late."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds between two tries of what may settle late; each pause is twice the one before."""


def patience(target: Target) -> float:
    """How long a target may take until a change of a key or a permission is seen everywhere."""
    return max(SETTLE_SECONDS[target.kind], target.settle_seconds)


STOPPED = "stopped before it could be observed"


class Failed(Exception):  # noqa: N818  # reads as the verdict it becomes
    """The thing was observed and is not as claimed: the verdict is FAIL."""


class Inconclusive(Exception):  # noqa: N818  # reads as the verdict it becomes
    """Something kept the check from observing: the verdict is ERROR."""


class NotOffered(Inconclusive):
    """The target does not have what the check needs: the verdict is UNPROVABLE."""


class Access:
    """Sessions and clients of one target, each made once and shared by every check; thread-safe.

    Attributes:
        target: where the calls go.
        prefix: the lab's prefix, from which role names follow.
        stopping: set on Ctrl-C and at the deadline; waits end early, so that checks clean up at once.
        closed: set when there is no time to clean up either; no request is sent any more.
    """

    def __init__(self, target: Target, prefix: str) -> None:
        self.target = target
        self.prefix = prefix
        self.stopping = threading.Event()
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._made: dict[Hashable, Any] = {}

    @property
    def account(self) -> str:
        """The 12-digit id of the account that the operator's credentials belong to."""
        return str(self.caller["Account"])

    @property
    def caller(self) -> dict[str, str]:
        """Who the operator is: ``Account``, ``Arn`` and ``UserId`` of GetCallerIdentity."""
        sts = self.client(Persona.OPERATOR, "sts")
        return cast("dict[str, str]", self.once("caller", sts.get_caller_identity))

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, from the operator's ARN."""
        return self.caller["Arn"].split(":")[1]

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` made under this name, making it at the first call only.

        Threads that want the same thing wait for it; threads that want others do not.
        If ``make`` raises, the next call tries again.
        """
        if name not in self._made:
            with self._lock:
                lock = self._locks.setdefault(name, threading.Lock())
            with lock:
                if name not in self._made:
                    self._made[name] = make()
        return cast("T", self._made[name])

    def client(self, persona: Persona, service: str, *, plain_http: bool = False, region: str = "") -> Any:
        """Return the persona's boto3 client for a service.

        Args:
            persona: whose credentials sign the calls.
            service: botocore's name: ``kms``, ``s3``, ``ebs``.
            plain_http: without TLS, to show that a policy refuses it.
            region: another Region than the target's; needed for multi-Region keys.
        """
        region = "" if region == self.target.region else region
        return self.once(
            ("client", persona, service, plain_http, region),
            lambda: self._make(persona, service, plain_http=plain_http, region=region),
        )

    def _make(self, persona: Persona, service: str, *, plain_http: bool, region: str) -> Any:
        target = self.target
        if plain_http and not target.plain_http_url and target.kind is not TargetKind.AWS:
            raise Inconclusive(
                "this target has no plain HTTP endpoint"
            )  # and AWS's is not for its credentials
        credentials = self._credentials_of(persona)
        shared = self.once(
            ("shared", service, plain_http, region),
            lambda: self._shared(service, plain_http=plain_http, region=region),
        )
        return sessions.acting_as(shared, credentials)

    def _shared(self, service: str, *, plain_http: bool, region: str) -> Any:
        """Make the client of a service that all personas share."""
        target = self.target
        # A boto3 session is not thread-safe while it makes a client.
        with self.once("making clients", threading.Lock):
            session = self.once("session", lambda: sessions.of_whoever_calls(target.region))
            client = session.client(
                service,
                region_name=region or target.region,
                endpoint_url=target.plain_http_url if plain_http else target.endpoint_url,
                use_ssl=not plain_http,  # for AWS's own endpoints; any other URL says it itself
                verify=str(target.ca_bundle) if target.ca_bundle else None,
                config=self.once(
                    ("config", service == "s3"),
                    lambda: sessions.client_config(target, for_s3=service == "s3"),
                ),
            )
            client.meta.events.register("before-send", self._refuse_when_closed)
            service_id = client.meta.service_model.service_id.hyphenize()
            # Under the service's own name: botocore's handler is there, and whoever is named closer answers first.
            client.meta.events.register_first(f"needs-retry.{service_id}", sessions.delay)
            if target.endpoint_url:  # one host for all: they share connections, each costs a TLS handshake
                endpoint = client._endpoint  # botocore has no parameter for it
                endpoint.http_session = self.once("connections", lambda: endpoint.http_session)
            return client

    def _refuse_when_closed(self, **_: Any) -> None:
        """Send nothing more: a handler of botocore's ``before-send``, which tries nothing again after this."""
        if self.closed.is_set():
            raise Inconclusive("the run's deadline has passed")

    def _credentials_of(self, persona: Persona) -> Any:
        return self.once(("credentials of", persona), lambda: self._bearer(persona))

    def _bearer(self, persona: Persona) -> Any:
        """Return a persona's credentials as clients ask for them; a role is assumed now.

        So whoever cannot be assumed is told apart from a refusal.
        """
        if persona is Persona.OPERATOR:
            return sessions.of_operator(self.target.credentials)
        return sessions.of_role(lambda: self._assume(persona))

    def credentials(self, persona: Persona) -> Credentials | None:
        """Return a persona's credentials for one hour; None: boto3's default chain, which is the operator's."""
        if persona is Persona.OPERATOR:
            return self.target.credentials
        given = self._assume(persona)
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def _assume(self, persona: Persona) -> Mapping[str, Any]:
        """Assume the persona's role; one that was made or changed a moment ago may be refused until that settles.

        It is waited for once in a run: whoever cannot be assumed after that cannot be assumed.
        """
        from botocore.exceptions import ClientError

        sts = self.client(Persona.OPERATOR, "sts")
        until = self.once(("assumed by", persona), lambda: time.monotonic() + patience(self.target))
        pause = FIRST_PAUSE
        while True:
            try:
                answer: Mapping[str, Any] = sts.assume_role(
                    RoleArn=f"arn:{self.partition}:iam::{self.account}:role/{role_name(self.prefix, persona)}",
                    RoleSessionName=f"kmslab-{persona}",
                    DurationSeconds=3600,
                )["Credentials"]
            except ClientError as error:
                late = time.monotonic() + pause > until
                if code_of(error) not in DENIED or late or self.stopping.wait(pause):
                    raise
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                return answer


class Lab:
    """The lab as one check sees it: shared access, its own evidence and its own things to clean up.

    Use as a context manager: leaving it undoes what the check made, in reverse order.

    Attributes:
        access: shared sessions and clients.
        outputs: what the stacks exported.
        capabilities: what the target enforces.
        run_id: value of the temporary tag on what this run creates.
        calls: the evidence, in order.
    """

    def __init__(
        self, access: Access, outputs: LabOutputs, capabilities: frozenset[Capability], run_id: str
    ) -> None:
        self.access = access
        self.outputs = outputs
        self.capabilities = capabilities
        self.run_id = run_id
        self.calls: list[Call] = []
        self._undo = ExitStack()
        self._region = access.target.region

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._undo.close()
        except (ClientError, BotoCoreError) as error:
            if value is None:
                raise Inconclusive(f"could not clean up after itself: {message_of(error)}") from error
            self.calls.append(Call(Persona.OPERATOR, "clean-up", "", code_of(error), message_of(error)))

    @property
    def prefix(self) -> str:
        """The lab's prefix."""
        return self.access.prefix

    @property
    def region(self) -> str:
        """The Region that is called: the target's, unless this is the lab `in_region`."""
        return self._region

    def in_region(self, region: str) -> Lab:
        """Return the same check's lab in another Region: evidence and clean-up are shared."""
        there = copy(self)
        there._region = region
        return there

    @property
    def account(self) -> str:
        """The 12-digit account id."""
        return self.access.account

    def client(self, persona: Persona, service: str) -> Any:
        """Return a client for what ``read`` and the others cannot express (paginators, waiters)."""
        return self.access.client(persona, service, region=self._region)

    def undo(self, action: Callable[[], object]) -> None:
        """Run ``action`` when the check ends, however it ends."""
        self._undo.callback(action)

    def read(self, action: str, *, persona: Persona = Persona.AUDITOR, **parameters: Any) -> Any:
        """Look at something, as the auditor unless told otherwise.

        Returns: the response.

        Raises:
            Inconclusive: the look-up itself was refused or failed; NotOffered: the target does not have it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._call(persona, action, parameters)
        except (ClientError, BotoCoreError) as error:
            raise _unclear(error, f"{persona} could not call {action}: {code_of(error)}") from error

    def allowed(self, persona: Persona, action: str, *, plain_http: bool = False, **parameters: Any) -> Any:
        """Call what the persona is meant to be able to do; this is also the positive control of `refused`.

        Returns: the response.

        Raises:
            Failed: access was denied, also after the target had time to settle (decision 0017).
            Inconclusive: anything else went wrong.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        deadline = time.monotonic() + patience(self.access.target)
        pause = FIRST_PAUSE
        while True:
            try:
                return self._call(persona, action, parameters, plain_http=plain_http)
            except ClientError as error:
                if code_of(error) not in DENIED:
                    raise _unclear(
                        error, f"{persona} could not call {action}: {message_of(error)}"
                    ) from error
                if time.monotonic() + pause > deadline:
                    raise Failed(f"{persona} is refused {action}, which it should have") from error
            except BotoCoreError as error:
                raise _unclear(error, f"{persona} could not call {action}: {code_of(error)}") from error
            self._pause(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def refused(
        self,
        persona: Persona,
        action: str,
        *,
        codes: frozenset[str] | set[str] = DENIED,
        by: str = "",
        plain_http: bool = False,
        unproven_is_fine: bool = False,
        **parameters: Any,
    ) -> str:
        """Call what must be refused, after somebody's same call succeeded in this check.

        Args:
            persona: who must be refused.
            action: ``service:Operation``.
            codes: error codes that count as the refusal.
            by: a word the refusal's message must hold, such as ``kms:Decrypt``: who refused.
            plain_http: without TLS.
            unproven_is_fine: for a call whose success would do harm, so that no positive
                control exists (PutKeyPolicy); the check says in its docstring what stands in.
            parameters: of the call.

        Returns: what the service said.

        Raises:
            Failed: the call succeeded.
            Inconclusive: no permitted call succeeded before, or another error came back.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        if not unproven_is_fine and not any(c.action == action and c.result == "ok" for c in self.calls):
            raise Inconclusive(f"nobody succeeded with {action} before {persona} was to be refused")
        try:
            self._call(persona, action, parameters, plain_http=plain_http)
        except ClientError as error:
            message = message_of(error)
            if code_of(error) not in codes:
                raise _unclear(error, f"{action} failed, but not as a refusal: {message}") from error
            if by and by not in message:
                raise Inconclusive(f"{action} was refused, but not by {by}: {message}") from error
            return message
        except BotoCoreError as error:
            raise _unclear(error, f"{persona} could not call {action}: {code_of(error)}") from error
        raise Failed(f"{persona} could call {action}, which must be refused")

    def expect(self, condition: object, otherwise: str) -> None:
        """FAIL with ``otherwise`` unless the condition holds."""
        if not condition:
            raise Failed(otherwise)

    def note(self, what: str, detail: str) -> None:
        """Keep something that was shown outside AWS (an offline verification) as evidence."""
        self.calls.append(Call(Persona.OPERATOR, what, "", "ok", detail))

    def wait_until(
        self, condition: Callable[[], Any], what: str, *, seconds: float = 30.0, longest_pause: float = 2.0
    ) -> Any:
        """Poll until the condition is truthy and return its value.

        Args:
            condition: what to look at.
            what: what is waited for, for the message.
            seconds: the deadline.
            longest_pause: in seconds; the first is 0.05, and each twice the one before.

        Raises:
            Inconclusive: the deadline passed.
        """
        deadline = time.monotonic() + seconds
        pause = 0.05
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise Inconclusive(f"{what} did not happen within {seconds:.0f} s")
            self._pause(pause)
            pause = min(pause * 2, longest_pause)
        return value

    def _pause(self, seconds: float) -> None:
        if self.access.stopping.wait(seconds):
            raise Inconclusive(STOPPED)

    def _call(
        self, persona: Persona, action: str, parameters: dict[str, Any], *, plain_http: bool = False
    ) -> Any:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        if self.access.stopping.is_set():
            raise Inconclusive(STOPPED)
        service, _, operation = action.partition(":")
        try:
            client = self.access.client(persona, service, plain_http=plain_http, region=self._region)
        except (ClientError, BotoCoreError) as error:  # who cannot be assumed is not "refused" the action
            raise Inconclusive(f"nobody could act as {persona}: {message_of(error)}") from error
        subject = subject_of(parameters)
        try:
            answer = getattr(client, xform_name(operation))(**parameters)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "DryRunOperationException":  # so KMS says: permitted, and not done
                self.calls.append(Call(persona, action, subject, "ok", "dry run"))
                return {}
            self.calls.append(Call(persona, action, subject, code_of(error), message_of(error)))
            raise
        self.calls.append(Call(persona, action, subject, "ok"))
        return answer


def _unclear(error: Exception, otherwise: str) -> Inconclusive:
    """What an error means that is neither an answer nor a refusal: that the target lacks something, or else."""
    missing = lacking(error)
    return NotOffered(missing) if missing else Inconclusive(otherwise)
