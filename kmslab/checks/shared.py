"""What several checks of a run look at and none of them changes: asked once, shown by each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.lab import Inconclusive
from kmslab.model.errors import LabError
from kmslab.model.persona import Persona
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from kmslab.access.reading import Reading
    from kmslab.lab import Lab


def read_once(lab: Lab, action: str, **parameters: Any) -> Any:
    """Read a setting as the auditor, or return what another check of this run has just read.

    Only for what no check changes: a key's spec and policy, the policies of the personas. A key's state is
    read anew.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    known = len(lab.calls)
    answer = lab.access.once(
        ("read", lab.run_id, action, *sorted(parameters.items())), lambda: lab.read(action, **parameters)
    )
    if len(lab.calls) == known:
        what = next(iter(parameters.values()))
        lab.calls.append(Call(Persona.AUDITOR, action, what, "ok", "asked once for several checks"))
    return answer


def described(lab: Lab, key: str) -> dict[str, Any]:
    """What cannot change of a key of the lab: spec, usage, origin, manager, ARN, description.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    metadata: dict[str, Any] = read_once(lab, "kms:DescribeKey", KeyId=key)["KeyMetadata"]
    return metadata


def read_aliases(lab: Lab) -> dict[str, str]:
    """Every alias of the Region, to the id of its key; those of AWS managed keys not used yet have none.

    Asked anew each time: checks make aliases and turn them.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    found: dict[str, str] = {}
    more: dict[str, Any] = {}
    while True:
        page = lab.read("kms:ListAliases", **more)
        found |= {alias["AliasName"]: alias.get("TargetKeyId", "") for alias in page["Aliases"]}
        if not page.get("Truncated"):
            return found
        more = {"Marker": page["NextMarker"]}


def state_of(lab: Lab, key: str) -> str:
    """Read the state of a key that has the lab's tag and may belong to no stack.

    An earlier lab of this prefix leaves its keys pending deletion, and their policies let the auditor look, not the
    operator. A key that somebody made by hand may know the operator only.

    Raises:
        Inconclusive: neither may look.
    """
    try:
        found = lab.read("kms:DescribeKey", KeyId=key)
    except Inconclusive:
        found = lab.read("kms:DescribeKey", persona=Persona.OPERATOR, KeyId=key)
    return str(found["KeyMetadata"]["KeyState"])


def read_policies(lab: Lab) -> Reading:
    """Read the policies of the account and of the lab's things, or return what this run has read.

    Raises:
        Inconclusive: some of it could not be read: half the policies answer no question.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from kmslab.access.matrix import read_once

    try:
        found = read_once(lab.access, lab.outputs, lab.run_id)
    except LabError as problem:
        raise Inconclusive(problem.message) from problem
    except (ClientError, BotoCoreError) as error:
        raise Inconclusive(f"nobody could read the policies: {type(error).__name__}") from error
    lab.note(
        "policies read",
        f"{len(found.identities)} users and roles of the account, {len(found.keys)} keys with their grants",
    )
    return found
