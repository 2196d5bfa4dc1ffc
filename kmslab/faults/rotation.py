"""Faults of rotation: off, or so rare that it is as good as off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.keys import Rotation
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "04-rotation"
ON = "keys.rotation-is-on-where-it-can-be"
PERIOD = "rotation.the-period-is-the-stacks"
DUE = "rotation.the-next-rotation-is-due-in-time"


@fault(guide=GUIDE, noticed_by=(ON, PERIOD, DUE))
def the_s3_key_is_not_rotated() -> Change:
    """The key of the data bucket is not rotated any more.

    Somebody feared that old objects would not open after a rotation, and switched it off. They would: KMS
    keeps every material that a key ever had.
    """
    return Rotation(LabOutputs.key_s3, None)


@fault(guide=GUIDE, noticed_by=(ON, PERIOD, DUE))
def the_ebs_key_is_not_rotated() -> Change:
    """The key of the volumes is not rotated any more.

    The switch was left off when the key was replaced in a copy of the template: rotation is off unless one
    asks for it.
    """
    return Rotation(LabOutputs.key_ebs, None)


@fault(guide=GUIDE, noticed_by=(ON, PERIOD, DUE))
def the_trail_key_is_not_rotated() -> Change:
    """The key of the trail is not rotated any more.

    Nobody looks at the key of the log files: an audit finds it a year later, in the account that the audit is
    about.
    """
    return Rotation(LabOutputs.key_trail, None)


@fault(guide=GUIDE, noticed_by=(PERIOD,))
def the_app_key_is_rotated_every_seven_years() -> Change:
    """The app key is rotated every 2,560 days.

    The longest period that KMS accepts: rotation is "on", every tool that asks for no more is content, and the
    same key material serves for seven years.
    """
    return Rotation(LabOutputs.key_app, 2560)


@fault(guide=GUIDE, noticed_by=(PERIOD,))
def the_s3_key_is_rotated_more_rarely_than_asked() -> Change:
    """The key of the data bucket is rotated every year, though the lab asks for every 180 days.

    Changed by hand in the console, so that the template and the key say different things. The next deployment
    does not mend it: CloudFormation compares templates, not keys.
    """
    return Rotation(LabOutputs.key_s3, 365)
