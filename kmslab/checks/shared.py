"""What several checks of a run look at and none of them changes: asked once, shown by each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.model.persona import Persona
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from kmslab.lab import Lab


def read_once(lab: Lab, action: str, key: str, **parameters: Any) -> Any:
    """Read a setting of a key as the auditor, or return what another check of this run has just read.

    Only for what no check changes: spec, policy, tags. A key's state is read anew.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    known = len(lab.calls)
    answer = lab.access.once(
        ("read", lab.run_id, action, key), lambda: lab.read(action, KeyId=key, **parameters)
    )
    if len(lab.calls) == known:
        lab.calls.append(Call(Persona.AUDITOR, action, key, "ok", "asked once for several checks"))
    return answer
