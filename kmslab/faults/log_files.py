"""Faults of the record: what CloudTrail wrote is not what lies there."""

from __future__ import annotations

from kmslab.faults.change import Both, Change
from kmslab.faults.changes.log_files import DigestTampered
from kmslab.faults.changes.policies import KeyPolicy
from kmslab.faults.changes.statements import THE_ACCOUNT, add
from kmslab.faults.changes.trail import TrailLogging
from kmslab.faults.noticing import DELEGATED, NOBODY_ELSE, WITHOUT_CONTEXT
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

GUIDE = "12-audit"


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


@fault(
    guide=GUIDE,
    noticed_by=(
        WITHOUT_CONTEXT,
        NOBODY_ELSE,
        "key-policies.the-trail-key-serves-one-trail",
        DELEGATED,
        "log-files.only-the-auditor-reads-them",
        "trail.only-the-auditor-opens-log-files",
    ),
)
def everyone_reads_the_log_files_through_s3() -> Change:
    """The trail's key decrypts through S3 for whoever in the account may read the bucket.

    An alarm had to be looked into at night, and the auditor could not be reached. Since then an administrator of
    the account, whom the log is about, reads what was seen of them.
    """
    return KeyPolicy(
        LabOutputs.key_trail,
        add(
            {
                "Sid": "ReadLogFilesAtNight",
                "Effect": "Allow",
                "Principal": THE_ACCOUNT,
                "Action": "kms:Decrypt",
                "Resource": "*",
                "Condition": {"StringEquals": {"kms:ViaService": "s3.${AWS::Region}.amazonaws.com"}},
            }
        ),
    )
