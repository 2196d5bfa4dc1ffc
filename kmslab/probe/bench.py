"""What a probe works with: calls whose outcome counts, preparations that do not, and what is removed afterwards."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from kmslab.lab import DENIED
from kmslab.model.evidence import code_of
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.probe.failures import failures, refusals, silences
from kmslab.probe.model import CouldNotLook, NotAsDocumented

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.probe.world import Principal, World

T = TypeVar("T")

PROBE_SECONDS = 40.0
"""How long one probe may take: what has not been seen by then could not be looked at."""
MISSING = frozenset(
    {
        "ActionNotFound",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InvalidAction",
        "NotImplemented",
        "NotImplementedException",
        "ServiceNotAvailable",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedOperation",
    }
)
"""How emulators say that they lack an operation, or that they broke: no answer to the question.
KMS's own UnsupportedOperationException is an answer, and is not among them."""
SERVER_ERROR = 500


class Bench:
    """One probe's view of the target; leaving it removes what the probe made, in reverse order.

    Attributes:
        world: what the probes of a run share.
        trace: what was observed, in order: the probe's evidence.
        positive: how often something worked, or was there, that should.
        negative: how often something was refused, absent or different that should be.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.trace: list[str] = []
        self.positive = self.negative = 0
        self._undo: list[Callable[[], object]] = []
        self._deadline = time.monotonic() + PROBE_SECONDS

    # --- what the target is

    @property
    def account(self) -> str:
        """The operator's account, 12 digits."""
        return self.world.account

    @property
    def region(self) -> str:
        """The target's Region."""
        return self.world.target.region

    @property
    def partition(self) -> str:
        """``aws`` and the like."""
        return self.world.partition

    @property
    def other_region(self) -> str:
        """Another Region of the same partition."""
        return self.world.other_region

    # --- calls

    def client(
        self, service: str, who: Principal | None = None, *, region: str = "", plain_http: bool = False
    ) -> Any:
        """A client for what the other methods cannot express: the operator's unless somebody is named."""
        credentials = who.credentials if who else self.world.target.credentials
        return self.world.clients.get(service, credentials, region=region, plain_http=plain_http)

    def make(self, action: str, who: Principal | None = None, *, region: str = "", **parameters: Any) -> Any:
        """Prepare something; whatever goes wrong, the probe could not look.

        Args:
            action: an operation of KMS, or ``service:Operation``.
            who: the operator unless somebody else is named.
            region: another Region than the target's.
            parameters: of the call.

        Returns: the response.

        Raises:
            CouldNotLook: the call failed.
        """
        try:
            return self._call(action, who, region, parameters)
        except failures() as error:
            raise CouldNotLook(f"{_named(action)} failed: {_said(error)}") from error

    def works(
        self,
        action: str,
        who: Principal | None = None,
        *,
        region: str = "",
        plain_http: bool = False,
        **parameters: Any,
    ) -> Any:
        """Call what AWS documents to succeed. See `make` for the arguments.

        Raises:
            NotAsDocumented: the target refuses it.
            CouldNotLook: the operation is missing, the target broke or does not answer.
        """
        try:
            answer = self._call(action, who, region, parameters, plain_http=plain_http)
        except refusals() as error:
            _unless_an_answer(action, error)
            raise NotAsDocumented(f"{_named(action)} is refused: {_said(error)}") from error
        except silences() as error:
            raise CouldNotLook(f"{_named(action)} failed: {_said(error)}") from error
        self.positive += 1
        self._saw(f"{_named(action)} works")
        return answer

    def refuses(
        self,
        codes: str | frozenset[str] | tuple[str, ...],
        action: str,
        who: Principal | None = None,
        *,
        says: str = "",
        region: str = "",
        plain_http: bool = False,
        **parameters: Any,
    ) -> str:
        """Call what AWS documents to be refused, and return the message. See `make` for the other arguments.

        ``codes`` is the documented error code, or several of which one must come; ``says`` are words that the
        message must hold.

        Raises:
            NotAsDocumented: it succeeds, or the error is another one.
            CouldNotLook: the operation is missing, the target broke or does not answer.
        """
        wanted = {codes} if isinstance(codes, str) else set(codes)
        expected = " or ".join(sorted(wanted))
        try:
            self._call(action, who, region, parameters, plain_http=plain_http)
        except refusals() as error:
            code = code_of(error)
            if code not in wanted:
                _unless_an_answer(action, error)
                raise NotAsDocumented(
                    f"{_named(action)} is refused with {_said(error)}, not with {expected}"
                ) from error
            message = " ".join(str(error.response["Error"].get("Message", "")).split())
            if says and says not in message:
                raise NotAsDocumented(f"{_named(action)}: {code} says “{message}”, not “{says}”") from error
        except silences() as error:
            raise CouldNotLook(f"{_named(action)} failed: {_said(error)}") from error
        else:
            raise NotAsDocumented(f"{_named(action)} is accepted, not refused with {expected}")
        self.negative += 1
        self._saw(f"{_named(action)}: {code}")
        return message

    def denies(self, action: str, who: Principal | None = None, **parameters: Any) -> str:
        """Call what AWS documents to be denied for want of permission; see `refuses`."""
        return self.refuses(DENIED, action, who, **parameters)

    # --- observations

    def sees(self, what: str, holds: object) -> None:
        """Say what should be there, and whether it is: the positive side."""
        if not holds:
            raise NotAsDocumented(f"not so: {what}")
        self.positive += 1
        self._saw(what)

    def equal(self, what: str, found: object, expected: object) -> None:
        """Compare what was found with what is documented: the positive side. Not for secrets: both are shown."""
        if found != expected:
            raise NotAsDocumented(f"{what} is {found!r}, not {expected!r}")
        self.positive += 1
        self._saw(f"{what} is {expected!r}" if expected != "" else f"{what} is empty")

    def contrasts(self, what: str, holds: object) -> None:
        """Say what is different where it should be, and whether it is: the negative side."""
        if not holds:
            raise NotAsDocumented(f"not so: {what}")
        self.negative += 1
        self._saw(what)

    def wait(self, condition: Callable[[], T], what: str, *, seconds: float = 15.0) -> T:
        """Poll until the condition is truthy and return its value.

        Raises:
            NotAsDocumented: it does not come true in time.
        """
        deadline = time.monotonic() + seconds
        pause = 0.05
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise NotAsDocumented(f"within {seconds:.0f} s there is no {what}")
            self._in_time()
            self.world.stopping.wait(pause)
            pause = min(pause * 1.5, 0.5)
        return value

    # --- things of its own

    def undo(self, action: Callable[[], object]) -> None:
        """Run this when the probe ends, however it ends."""
        self._undo.append(action)

    def key(self, *statements: dict[str, Any], **parameters: Any) -> str:
        """Make a key of the probe's own and return its ARN.

        Args:
            statements: of its key policy, beside the one that hands the decision to IAM; none: KMS's own default policy.
            parameters: of CreateKey.
        """
        if statements:
            parameters["Policy"] = self.world.policy(self.world.delegation, *statements)
        region = parameters.pop("region", "")
        made = self.make("CreateKey", region=region, Tags=self.key_tags, **parameters)["KeyMetadata"]
        arn = str(made["Arn"])
        self.discard_later(arn)
        return arn

    def discard_later(self, arn: str) -> None:
        """Schedule the deletion of a key, in whichever Region, when the probe ends."""
        self.undo(lambda: self.world.discard(arn))

    def shared_key(self, spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT") -> str:
        """The run's own key of a kind, whose state no probe changes. Returns its ARN.

        Raises:
            CouldNotLook: the target cannot make it.
        """
        return self.world.shared_key(spec, usage)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of what a probe makes: a sweep finds by them what a crash left."""
        return {TEMPORARY_TAG: self.world.run_id, PREFIX_TAG: self.world.prefix}

    @property
    def key_tags(self) -> list[dict[str, str]]:
        """The same in KMS's spelling."""
        return [{"TagKey": name, "TagValue": value} for name, value in self.tags.items()]

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The same in the spelling of most other services."""
        return [{"Key": name, "Value": value} for name, value in self.tags.items()]

    def close(self) -> list[str]:
        """Remove what the probe made; returns what could not be removed, one line each."""
        problems = []
        while self._undo:
            try:
                self._undo.pop()()
            except failures() as error:
                problems.append(_said(error))
        return problems

    # --- the inside

    def _call(
        self,
        action: str,
        who: Principal | None,
        region: str,
        parameters: dict[str, Any],
        *,
        plain_http: bool = False,
    ) -> Any:
        from botocore import xform_name

        self._in_time()
        service, _, operation = action.rpartition(":")
        client = self.client(service or "kms", who, region=region, plain_http=plain_http)
        return getattr(client, xform_name(operation))(**parameters)

    def _in_time(self) -> None:
        if self.world.stopping.is_set():
            raise CouldNotLook("stopped before it could be observed")
        if time.monotonic() > self._deadline:
            raise CouldNotLook(f"took longer than {PROBE_SECONDS:.0f} s")

    def _saw(self, what: str) -> None:
        if what not in self.trace:
            self.trace.append(what)


def _named(action: str) -> str:
    return action.rpartition(":")[2]


def _unless_an_answer(action: str, error: Any) -> None:
    """Raise CouldNotLook if an error only says that the target lacks the operation or broke."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code_of(error) in MISSING or status >= SERVER_ERROR:
        raise CouldNotLook(f"{_named(action)} is missing or broken: {_said(error)}") from error


def _said(error: Exception) -> str:
    """What came back, in one line, without what was sent."""
    response = getattr(error, "response", None)
    if not response:
        return type(error).__name__
    said = " ".join(str(response["Error"].get("Message", "")).split())
    code = response["Error"].get("Code", "?")
    return f"{code} ({said[:160]})" if said and said != code else str(code)
