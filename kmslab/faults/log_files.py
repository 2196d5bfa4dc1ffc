"""Faults of the record: what CloudTrail wrote is not what lies there."""

from __future__ import annotations

from kmslab.faults.change import Both, Change
from kmslab.faults.changes.log_files import DigestTampered
from kmslab.faults.changes.trail import TrailLogging
from kmslab.faults.registry import fault

GUIDE = "06-asymmetric-and-envelope"


@fault(guide=GUIDE, noticed_by=("log-files.the-digests-have-no-gap",))
def a_digest_is_gone() -> Change:
    """The newest digest of the trail was deleted.

    Without it nobody can show that the log files of its hour are what CloudTrail wrote. The next digest names
    it, with its hash: the gap is what gives it away.
    """
    return DigestTampered(gone=True)


@fault(
    guide=GUIDE,
    noticed_by=(
        "audit.trail-is-logging",
        "log-files.a-digest-proves-them-unchanged",
        "log-files.what-was-done-is-in-them",
    ),
    also=("log-files", "audit.alarm-arrives"),
)
def the_last_digest_was_rewritten() -> Change:
    """Somebody stopped the trail and wrote over its last digest.

    So that no later digest gives them away. The file can be replaced; CloudTrail's signature over it cannot.
    """
    return Both(TrailLogging(), DigestTampered(gone=False))
