"""A setting of something in the lab: what it was is saved, something else is put in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from kmslab.model.evidence import code_of

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop


class Setting(ABC):
    """A change whose thing can be read whole and written whole; the value is JSON, None where it is not set."""

    @abstractmethod
    def read(self, workshop: Workshop) -> Any:
        """Return the setting as it stands."""

    @abstractmethod
    def write(self, workshop: Workshop, value: Any) -> None:
        """Put a value in place of whatever stands."""

    @abstractmethod
    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return what the fault makes of a value, which is a copy."""

    @abstractmethod
    def in_template(self, templates: Templates) -> bool:
        """Make the same change in synthesized templates."""

    def save(self, workshop: Workshop) -> Json:
        """Read the setting."""
        return {"was": self.read(workshop)}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Write the broken one."""
        self.write(workshop, self.broken(workshop, deepcopy(saved["was"])))

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Write what was saved."""
        self.write(workshop, saved["was"])


def read_if_any(look: Any, absent: str, member: str, **parameters: Any) -> Any:
    """Call a client's method and return one member of its answer; None where the service says that there is none.

    Args:
        look: the method.
        absent: the error code with which the service says that there is none.
        member: of the answer.
        parameters: of the call.
    """
    from botocore.exceptions import ClientError

    try:
        return look(**parameters)[member]
    except ClientError as error:
        if code_of(error) != absent:
            raise
        return None
