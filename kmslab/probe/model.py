"""What a probe is, what it can conclude, and the register of all probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

Look = Callable[["Bench"], None]
"""Observes a behaviour on the bench, from both sides; raises NotAsDocumented or CouldNotLook otherwise."""

REGISTRY: dict[str, Probe] = {}
"""Every probe by its id."""

AREAS = {
    "keys": "keys",
    "states": "states",
    "cryptography": "cryptography",
    "signing": "signing",
    "macs": "macs",
    "agreement": "agreement",
    "rotation": "rotation",
    "imported-material": "imported material",
    "multi-region": "multi-Region",
    "grants": "grants",
    "key-policies": "key policies",
    "condition-keys": "condition keys",
    "aliases": "aliases",
    "tags": "tags",
    "errors": "errors",
    "pagination": "pagination",
    "dry-runs": "dry runs",
    "s3": "S3",
    "ebs": "EBS",
    "secrets-manager": "Secrets Manager",
    "parameter-store": "Parameter Store",
    "cloudtrail": "CloudTrail",
    "cloudformation": "CloudFormation",
    "accounts": "accounts",
}
"""Every area, in the order in which it is shown, with its name for people."""


class Outcome(StrEnum):
    """What a probe concludes. Only the first counts as passed."""

    AS_DOCUMENTED = "as documented"
    NOT_AS_DOCUMENTED = "not as documented"
    """Observed, and otherwise than AWS documents."""
    COULD_NOT_LOOK = "could not look"
    """The operation is missing, the target failed or did not answer, or the preparation did not succeed."""


class NotAsDocumented(Exception):  # noqa: N818  # reads as the outcome it becomes
    """The behaviour was observed, and it is another one."""


class CouldNotLook(Exception):  # noqa: N818  # reads as the outcome it becomes
    """Something kept the probe from observing."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One behaviour that AWS documents.

    Attributes:
        id: ``<area>.<what>`` in kebab case.
        behaviour: what AWS documents, in one sentence.
        expected: what is seen where it holds, from both sides.
        source: URL of the page of AWS's documentation that says so.
        look: what observes it.
        slow: waits for something; it begins before the others.
    """

    id: str
    behaviour: str
    expected: str
    source: str
    look: Look
    slow: bool = False

    @property
    def area(self) -> str:
        """The part of AWS that the probe is about: ``key-policies``."""
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """What one probe concluded.

    Attributes:
        probe: which.
        outcome: one of the three.
        seen: what was observed, or what was in the way, in one line.
        seconds: how long it took.
    """

    probe: Probe
    outcome: Outcome
    seen: str
    seconds: float


def register(
    area: str, name: str, behaviour: str, expected: str, source: str, look: Look, *, slow: bool = False
) -> None:
    """Register one probe, as a row of a table does.

    Raises:
        ValueError: another probe has this id.
    """
    probe_id = f"{area}.{name}"
    if probe_id in REGISTRY:
        raise ValueError(f"two probes are called {probe_id}")
    REGISTRY[probe_id] = Probe(probe_id, behaviour, expected, source, look, slow)


def probe(source: str, *, slow: bool = False) -> Callable[[Look], Look]:
    """Register a function as a probe.

    The name of its module begins with the area, and its own name is the behaviour's. The first line of its docstring is what AWS documents,
    the rest what is seen where it holds.
    """

    def registered(look: Look) -> Look:
        module = look.__module__.rpartition(".")[2].replace("_", "-")
        area = next(one for one in AREAS if f"{module}-".startswith(f"{one}-"))
        behaviour, _, rest = (look.__doc__ or "").strip().partition("\n")
        name = look.__name__.replace("_", "-")
        register(area, name, behaviour, " ".join(rest.split()), source, look, slow=slow)
        return look

    return registered


def kebab(name: str) -> str:
    """``GenerateDataKey`` or ``ECC_NIST_P256`` as part of an id: ``generate-data-key``, ``ecc-nist-p256``."""
    if "_" in name or name.isupper():
        return name.lower().replace("_", "-")
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
