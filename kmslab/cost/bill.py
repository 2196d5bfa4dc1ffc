"""What of a lab is charged for, by its settings: what stands, and what is done.

A test compares it with the synthesized templates, type by type: a stack that gets a resource which nobody counts
fails it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.model.outputs import LabOutputs, LabStack

if TYPE_CHECKING:
    from kmslab.model.settings import LabSettings

EMPTIED_BUCKETS = sum(output.name.endswith("_bucket") for output in LabOutputs.all())
"""Buckets that CDK's functions empty; each asks a function when it is made and when it is deleted."""
SECRETS = sum(output.name.endswith("_secret") for output in LabOutputs.all())
ROTATIONS_CHARGED = 2
"""Rotations of a key that cost; each later one is free."""


def keys(settings: LabSettings) -> tuple[str, ...]:
    """Names of the lab's customer managed keys: the optional one if the settings ask for it."""
    of_keys = [output for output in LabOutputs.all() if output.stack is LabStack.KEYS]
    return tuple(
        output.name.removeprefix("key_") for output in of_keys if settings.global_key or not output.optional
    )


def schedules(settings: LabSettings) -> int:
    """Schedules that delete a forgotten lab, one a stack; each is charged when it runs."""
    return (len(LabStack) - (not settings.network)) if settings.ttl_hours else 0


@dataclass(frozen=True, slots=True)
class Counted:
    """So much of an item.

    Attributes:
        item: of the price table; one that is not there is shown as not priced.
        quantity: how many units; None where that depends on what one does.
        what: in words, where the price table has none.
        why: why it is not counted.
    """

    item: str
    quantity: float | None
    what: str = ""
    why: str = ""


def standing(settings: LabSettings) -> tuple[Counted, ...]:
    """What is charged for every hour that the lab stands; quantities are units, as in the price table."""
    found = [
        Counted("kms-key", len(keys(settings))),
        Counted("secret", SECRETS),
        Counted("ebs-gp3", settings.volume_count * settings.volume_size_gib),
        Counted("parameter", 1),
        Counted("trail", 1),
        Counted("event-rule", 1),
    ]
    if settings.network:
        found.append(Counted("interface-endpoint", 1))
    if settings.instance:
        found.append(Counted("ec2-t3-nano", 1))
    return tuple(found)


def not_counted(settings: LabSettings) -> tuple[Counted, ...]:
    """What is charged for as well, and depends on what one does and for how long."""
    found = [
        Counted("s3-storage", None, why="samples and log files: megabytes in a class"),
        Counted("ebs-snapshot", None, why="page 6 makes them and removes them"),
        Counted("trail-further-copy", None, why="nothing in an account whose only trail is the lab's"),
        Counted("sns-request", None, why="one message for each dangerous use of a key"),
        Counted("lambda-time", None, why="seconds, when a lab is destroyed"),
        Counted("log-groups", None, what="log groups of the functions that empty buckets", why="kilobytes"),
    ]
    if settings.network:
        found.append(Counted("interface-endpoint-data", None, why="requests and answers of KMS: kilobytes"))
    if settings.instance:
        found.append(
            Counted(
                "root-volume",
                None,
                what="root volume of the instance",
                why="its size is the image's of the day",
            )
        )
    return tuple(found)


def rotation_days(settings: LabSettings, days: float) -> float:
    """Days that are charged for rotated key material in a lab that stands for so many days: one a rotation and day."""
    periods: list[int] = [
        getattr(settings.rotation_days, name)
        for name in type(settings.rotation_days).model_fields
        if settings.global_key or name != "multi_region"
    ]
    return sum(max(0.0, days - nth * period) for period in periods for nth in range(1, ROTATIONS_CHARGED + 1))
