"""The account's settings for EBS in a Region: noted before a lab is deployed, put back when it goes.

The lab changes none of them. People at its exercises do, and each is the whole account's: a default key that
went with the lab would refuse every new volume of the Region. The note is an SSM parameter in the target, so
that any machine can put back what was (decision 0035).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kmslab.checks.membership import KEY
from kmslab.model.evidence import code_of
from kmslab.model.naming import PREFIX_TAG, account_note_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.lab import Access
    from kmslab.residue.stacks import Membership

UNBLOCKED = "unblocked"


@dataclass(frozen=True, slots=True)
class EbsSettings:
    """What an account has set for EBS in one Region.

    Attributes:
        encrypts: whether a volume that asks for nothing is encrypted.
        key: the key for what names none, as EC2 tells it: an ARN or an alias.
        sharing: the state of block public access for snapshots: ``unblocked``, ``block-all-sharing`` ...
    """

    encrypts: bool
    key: str
    sharing: str


def read_settings(access: Access) -> EbsSettings:
    """Ask EC2.

    Raises:
        ClientError, BotoCoreError: it does not answer.
    """
    ec2 = access.client(Persona.OPERATOR, "ec2")
    return EbsSettings(
        bool(ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]),
        str(ec2.get_ebs_default_kms_key_id()["KmsKeyId"]),
        str(ec2.get_snapshot_block_public_access_state()["State"]),
    )


def note(access: Access) -> None:
    """Keep the settings as they are now, unless an earlier ``kmslab up`` of this lab has kept them.

    Raises:
        ClientError, BotoCoreError: they cannot be read or kept.
    """
    if noted(access) is None:
        access.client(Persona.OPERATOR, "ssm").put_parameter(
            Name=account_note_name(access.prefix),
            Description="KMS Lab: the account's settings for EBS before the lab; `kmslab down` puts them back",
            Value=json.dumps(asdict(read_settings(access))),
            Type="String",
            Tags=[{"Key": PREFIX_TAG, "Value": access.prefix}],
        )


def noted(access: Access) -> EbsSettings | None:
    """The settings that were kept; None: nobody kept them, or what is there is no note."""
    from botocore.exceptions import ClientError

    try:
        found = access.client(Persona.OPERATOR, "ssm").get_parameter(Name=account_note_name(access.prefix))
        return EbsSettings(**json.loads(found["Parameter"]["Value"]))
    except ClientError as error:
        if code_of(error) != "ParameterNotFound":
            raise
    except (ValueError, TypeError):
        pass
    return None


def put_back(access: Access, membership: Membership) -> Iterator[str]:
    """Put back what differs from the note, and drop the note; yield a line for each change.

    Without a note one thing is certain all the same: a default key that was the lab's must not stay.

    Raises:
        ClientError, BotoCoreError: a setting cannot be read or put back; the note is still there.
    """
    ec2 = access.client(Persona.OPERATOR, "ec2")
    before, now = noted(access), read_settings(access)
    if before is None and membership.find(KEY, now.key.rpartition("/")[2]):
        ec2.reset_ebs_default_kms_key_id()
        yield "the default key for EBS was the lab's: it is AWS's own again"
    elif before is not None:
        yield from _put_back(ec2, before, now)
    access.client(Persona.OPERATOR, "ssm").delete_parameters(Names=[account_note_name(access.prefix)])


def _put_back(ec2: Any, before: EbsSettings, now: EbsSettings) -> Iterator[str]:
    if before.key != now.key:
        ec2.reset_ebs_default_kms_key_id()
        if ec2.get_ebs_default_kms_key_id()["KmsKeyId"] != before.key:
            ec2.modify_ebs_default_kms_key_id(KmsKeyId=before.key)
        yield f"the default key for EBS is {before.key} again"
    if before.encrypts != now.encrypts:
        if before.encrypts:
            ec2.enable_ebs_encryption_by_default()
        else:
            ec2.disable_ebs_encryption_by_default()
        yield f"EBS encryption by default is {'on' if before.encrypts else 'off'} again"
    if before.sharing != now.sharing:
        if before.sharing == UNBLOCKED:
            ec2.disable_snapshot_block_public_access()
        else:
            ec2.enable_snapshot_block_public_access(State=before.sharing)
        yield f"block public access for snapshots is {before.sharing} again"
