"""What several checks of a run look at and none of them changes: asked once, shown by each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kmslab.access.reader import shared_name
from kmslab.checks.samples import read_if_any
from kmslab.lab import Inconclusive
from kmslab.model.errors import LabError
from kmslab.model.evidence import subject_of
from kmslab.model.persona import Persona
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.access.reading import Reading
    from kmslab.lab import Lab

T = TypeVar("T")


def read_once(
    lab: Lab, action: str, *, persona: Persona = Persona.AUDITOR, absent: str = "", **parameters: Any
) -> Any:
    """Read a setting, as the auditor unless told otherwise, or return what this run has read.

    Only for what no check changes: a key's spec and policy, the policies of buckets and personas, the trail. A
    key's state is read anew, and so is what the check itself has changed.

    Args:
        lab: the check's lab.
        action: ``service:Operation``.
        persona: who reads.
        absent: the error code with which the service says that there is none; the answer is then empty.
        parameters: of the call.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    given: dict[str, Any] = {"persona": persona, **parameters}
    look = partial(read_if_any, lab, action, absent) if absent else partial(lab.read, action)
    return asked_once(lab, persona, action, partial(look, **given), absent=absent, **parameters)


def asked_once(
    lab: Lab,
    persona: Persona,
    action: str,
    ask: Callable[[], T],
    *,
    absent: str = "",
    **parameters: Any,
) -> T:
    """Return what was answered to a call in this run, asking if nobody has; the evidence says which.

    The policies of the account are read in the same way (`kmslab.access.reader`): what they took is here.

    Args:
        lab: the check's lab.
        persona: who asks.
        action: ``service:Operation``.
        ask: makes the call, or the calls that its pages take.
        absent: what the evidence says of an empty answer.
        parameters: of the call: the same ones have the same answer.
    """
    known = len(lab.calls)
    answer = lab.access.once(shared_name(lab.run_id, lab.region, persona, action, parameters), ask)
    if len(lab.calls) == known:
        what = subject_of(parameters) or next(
            (one for one in parameters.values() if isinstance(one, str)), ""
        )
        result = absent if absent and not answer else "ok"
        lab.calls.append(Call(persona, action, what, result, "asked once for several checks"))
    return answer


def described(lab: Lab, key: str) -> dict[str, Any]:
    """What cannot change of a key, the lab's or AWS's: spec, usage, origin, manager, ARN, description.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    metadata: dict[str, Any] = read_once(lab, "kms:DescribeKey", KeyId=key)["KeyMetadata"]
    return metadata


def public_key(lab: Lab, key: str, persona: Persona = Persona.AUDITOR) -> Any:
    """Export a key pair's public part, as the auditor unless told otherwise: it is no secret, and never changes.

    Returns: the key as the ``cryptography`` library represents its kind.

    Raises:
        Inconclusive: as `Lab.read`.
    """
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    answer = read_once(lab, "kms:GetPublicKey", persona=persona, KeyId=key)
    return load_der_public_key(answer["PublicKey"])


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
