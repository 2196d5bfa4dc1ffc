"""Asking a target, as whoever may look: the lab's auditor, its key administrator, the operator."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kmslab.lab import DENIED
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.evidence import code_of
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from kmslab.lab import Access

T = TypeVar("T")
U = TypeVar("U")

WORKERS = 8
"""Requests at a time: a reading is some sixty small ones, and KMS lets 1,000 a second look at key policies."""

_LOOKING = {
    # The operator is not named in the lab's key policies, whatever IAM says; the auditor reads no whole account.
    "kms": (Persona.AUDITOR, Persona.KEY_ADMINISTRATOR, Persona.OPERATOR),
    "iam": (Persona.OPERATOR, Persona.AUDITOR),
}
_OTHERS = (Persona.AUDITOR, Persona.OPERATOR)
"""Who is asked to look, in turn, until one of them may."""


class UnreadableError(LabError):
    """What has to be known to answer could not be read."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint, exit_code=ExitCode.TARGET)


def shared_name(
    run_id: str, region: str, persona: Persona, action: str, parameters: Mapping[str, Any]
) -> Hashable:
    """The name under which `Access.once` keeps a look that those who look in one run of the checks share."""
    return ("read", run_id, region, persona, action, repr(sorted(parameters.items())))


class Reader:
    """Reads from one target, a few things at a time.

    Attributes:
        access: sessions and clients.
        run_id: of the run of the checks that the reading is for, which share what it has asked; may be empty.
    """

    def __init__(self, access: Access, run_id: str = "") -> None:
        self.access = access
        self.run_id = run_id

    def each(self, look: Callable[[U], T], things: Iterable[U]) -> list[T]:
        """Look at several things side by side; the results are in the order of the things.

        Raises:
            UnreadableError: one of them could not be read.
        """
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="reading") as pool:
            return list(pool.map(look, things))

    def ask(self, action: str, *, absent: str = "", **parameters: Any) -> Any:
        """Return the response of a call; empty when the service says ``absent``: there is no such thing.

        Raises:
            UnreadableError: nobody may look, or the call failed otherwise.
        """
        return self._ask(action, parameters, absent, getattr)

    def all_of(self, action: str, *members: str, **parameters: Any) -> Mapping[str, list[Any]]:
        """Return the lists of every page of a call, joined.

        Raises:
            UnreadableError: as `ask`.
        """

        def paged(client: Any, method: str) -> Callable[..., Any]:
            def joined(**given: Any) -> dict[str, list[Any]]:
                pages = list(client.get_paginator(method).paginate(**given))
                return {member: [item for page in pages for item in page[member]] for member in members}

            return joined

        found: Mapping[str, list[Any]] = self._ask(action, parameters, "", paged)
        return found

    def _ask(
        self, action: str, parameters: dict[str, Any], absent: str, calling: Callable[[Any, str], Any]
    ) -> Any:
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        service, _, operation = action.partition(":")
        readers, refusals = _LOOKING.get(service, _OTHERS), []
        for persona in readers:
            try:
                look = partial(
                    calling(self.access.client(persona, service), xform_name(operation)), **parameters
                )
                if not self.run_id:
                    return look()
                region = self.access.target.region
                return self.access.once(shared_name(self.run_id, region, persona, action, parameters), look)
            except (BotoCoreError, ClientError) as error:
                code = code_of(error)
                if absent and code == absent:
                    return {}
                if code not in DENIED:
                    raise UnreadableError(_failed(action, parameters, code)) from error
                refusals.append(error)
        raise UnreadableError(
            f"{_failed(action, parameters, 'not permitted')} as {' or '.join(readers)}",
            hint="Use credentials that may read IAM and assume the lab's roles.",
        ) from refusals[-1]


def _failed(action: str, parameters: Mapping[str, Any], why: str) -> str:
    about = next((f" of {value}" for value in parameters.values() if isinstance(value, str)), "")
    return f"Could not read {action}{about}: {why}"
