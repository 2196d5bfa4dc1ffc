"""Faults of EBS: volumes and snapshots that the lab's key does not protect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.change import Both, Change
from kmslab.faults.changes.policies import KeyPolicy, persona_policy, role
from kmslab.faults.changes.statements import THE_ACCOUNT, add, drop, drop_conditions
from kmslab.faults.changes.volumes import SecondVolume, SharedSnapshot, VolumeTag, VolumeType
from kmslab.faults.noticing import KEYS_IN_IAM, LIMITS, NEW_VOLUMES, SERVICES
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.model.outputs import Output

GUIDE = "06-ebs"
EVERY_VOLUME = "volumes.every-volume-is-under-the-labs-key"
STRAY = "teardown.everything-tagged-belongs-to-a-stack"
"""What may see a volume or a snapshot that no stack made."""
ANOTHER_ACCOUNT = "111122223333"
USE = {
    "Sid": "TemporaryAccess",
    "Effect": "Allow",
    "Action": [
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ],
    "Resource": "*",
}


@fault(
    guide=GUIDE,
    noticed_by=(EVERY_VOLUME,),
    also=(STRAY,),
)
def a_volume_is_not_encrypted() -> Change:
    """The data volume was rebuilt without encryption; the old one is still there.

    EBS cannot change a volume's encryption, so a rebuild makes another volume, and the hurried one leaves
    out two lines. Whoever may snapshot it reads it: there is no key to refuse them.
    """
    return SecondVolume("data1-rebuilt", encrypted=False)


@fault(
    guide=GUIDE,
    noticed_by=(EVERY_VOLUME,),
    also=(STRAY,),
)
def a_volume_is_under_the_managed_key() -> Change:
    """The data volume was rebuilt under the AWS managed key aws/ebs; the old one is still there.

    "Encrypted: yes", and every scanner is content. But that key's policy lets everybody in the account use it
    through EBS, and a snapshot under it can never be shared, not even with whom it should be.
    """
    return SecondVolume("data1-managed", encrypted=True)


@fault(
    guide=GUIDE,
    noticed_by=(EVERY_VOLUME,),
    also=(STRAY,),
)
def a_volume_is_under_a_foreign_key() -> Change:
    """The data volume was rebuilt under a key that somebody made for themselves; the old one is still there.

    The lab's key policy no longer says who may read the data; whoever deletes that key deletes the data.
    """
    return SecondVolume("data1-own-key", encrypted=True, foreign_key=True)


@fault(
    guide=GUIDE,
    noticed_by=(
        EVERY_VOLUME,
        "volumes.every-snapshot-is-under-the-labs-key",
        "volumes.no-snapshot-is-shared",
    ),
    also=(STRAY,),
)
def a_snapshot_is_public() -> Change:
    """A snapshot of an unencrypted volume is shared with everybody.

    EBS refuses to make an encrypted snapshot public, which is why the volume's encryption is the last lock.
    There are people who look through public snapshots for a living.
    """
    return SecondVolume("data1-public", encrypted=False, public_snapshot=True)


@fault(
    guide=GUIDE,
    noticed_by=("volumes.no-snapshot-is-shared",),
    also=(STRAY,),
)
def a_snapshot_is_shared() -> Change:
    """A snapshot of the lab's volume is shared with another account.

    Their principals can copy it as soon as the key's policy, or a grant, lets them use the key: one of the two
    locks is open, and nobody in this account sees who tries.
    """
    return SharedSnapshot("data1-for-a-partner", ANOTHER_ACCOUNT)


@fault(
    guide=GUIDE,
    noticed_by=(EVERY_VOLUME,),
    also=(
        "ebs.snapshot-inherits-the-key",
        "ebs.copy-changes-the-key",
        "ebs.volume-from-snapshot-needs-the-key",
        "ebs.copy-needs-the-key",
        "ebs.disabled-key-stops-new-volumes",
        "volumes.every-snapshot-is-under-the-labs-key",
        "volumes.no-snapshot-is-shared",
        "volumes.an-encrypted-snapshot-cannot-become-public",
        "volumes.a-snapshot-under-the-managed-key-cannot-be-shared",
        "volumes.a-copy-cannot-be-unencrypted",
    ),
)
def the_volume_has_lost_its_tag() -> Change:
    """The data volume has lost the tag that says whose it is.

    Whatever goes by tags, the bill, the clean-up, the check for volumes without encryption, passes it over. So do
    permissions: the data owner, who has the lab's volumes only, cannot take a snapshot of it any more.
    """
    return VolumeTag()


@fault(guide=GUIDE, noticed_by=("ebs.volume-is-under-the-labs-key",))
def the_volume_is_of_an_older_type() -> Change:
    """The data volume is a gp2 volume.

    Its encryption is the same, and it costs a quarter more: nobody looks any more at what is deployed.
    """
    return VolumeType("gp2")


@fault(
    guide=GUIDE,
    noticed_by=(
        *KEYS_IN_IAM,
        LIMITS,
        "ebs.volume-from-snapshot-needs-the-key",
        "ebs.blocks-need-the-key",
        "ebs.writing-blocks-needs-the-key",
    ),
)
def the_storage_operator_has_the_key() -> Change:
    """The storage operator may use the key for volumes, through EC2 and EBS.

    All of EBS and the key: who runs the storage makes a volume of any snapshot and reads its blocks.
    """
    return Both(_lent(LabOutputs.key_ebs), _permitted())


@fault(
    guide=GUIDE,
    noticed_by=(
        *KEYS_IN_IAM,
        LIMITS,
        "ebs.copy-needs-the-key",
        "ebs.volume-from-snapshot-needs-the-key",
    ),
    also=("ebs",),
)
def the_storage_operator_moves_snapshots() -> Change:
    """The storage operator may use two keys through EC2: the one for volumes, and the application's.

    For a migration, "for copying only". A copy is decrypted under the one key and encrypted under the other:
    who can move a snapshot can read it.
    """
    return Both(_lent(LabOutputs.key_ebs), _lent(LabOutputs.key_app), _permitted())


def _lent(key: Output) -> Change:
    """The key's policy lets the storage operator use it, through EC2 and EBS."""
    services = [f"{service}.${{AWS::Region}}.amazonaws.com" for service in ("ec2", "ebs")]
    through_ebs = {
        "ArnEquals": {"aws:PrincipalArn": role(Persona.STORAGE_OPERATOR)},
        "StringEquals": {"kms:ViaService": services},
    }
    return KeyPolicy(key, add({**USE, "Principal": THE_ACCOUNT, "Condition": through_ebs}))


def _permitted() -> Change:
    """The storage operator's own policy lets them use keys."""
    return persona_policy(Persona.STORAGE_OPERATOR, add(USE), stack=LabStack.VOLUMES)


@fault(guide=GUIDE, noticed_by=NEW_VOLUMES)
def ebs_may_not_hold_a_grant() -> Change:
    """The key's policy no longer lets EBS hold a grant on it.

    A condition was thought too wide and the whole statement went. Volumes that are attached work on; the next
    one that is made or attached fails, at night.
    """
    return KeyPolicy(LabOutputs.key_ebs, drop("LetEbsHoldAGrant"))


@fault(guide=GUIDE, noticed_by=(LIMITS,))
def grants_are_not_for_ebs_only() -> Change:
    """Who may let EBS hold a grant on the key may now give grants to anybody.

    kms:GrantIsForAWSResource is what tells a grant for a volume from one for a person. Without it
    the permission to make volumes is the permission to hand out the key.
    """
    return KeyPolicy(LabOutputs.key_ebs, drop_conditions("LetEbsHoldAGrant", "Bool"))


@fault(guide=GUIDE, noticed_by=(SERVICES,))
def the_key_works_outside_ebs() -> Change:
    """The key for volumes can be used directly, without EC2 or EBS.

    kms:ViaService is gone from the statement. Whoever may attach a volume can also decrypt its data key
    themselves, and the trail says nothing of a volume.
    """
    return KeyPolicy(LabOutputs.key_ebs, drop_conditions("UseThroughEbs", "StringEquals", "kms:ViaService"))
