"""The grants that EC2 makes for an instance on the keys of its volumes.

KMS Developer Guide, "Examining grants": EC2's infrastructure may decrypt the data key of one volume, as a role
session that is called like the instance. The grant is there from the attachment to the detachment.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ministack.core.responses import get_account_id, new_uuid
from ministack.services import kms

from kmslab.engine import events
from kmslab.engine.events import KeyEvent

SERVICE = "ec2.amazonaws.com"
EBS_ACCOUNT = "123456789012"
"""Stands for the account of AWS that may retire the grants; the guide's example hides the true one."""


def grantee(instance_id: str) -> str:
    """Who decrypts for an instance."""
    return f"arn:aws:sts::{get_account_id()}:assumed-role/aws:ec2-infrastructure/{instance_id}"


def give(key_arn: str, volume_id: str, instance_id: str) -> None:
    """Let an instance decrypt a volume's data key; that the caller may make the grant was asked before."""
    _, _, _, region, account, _ = key_arn.split(":", 5)
    grant_id = os.urandom(32).hex()
    grant = {
        "KeyId": key_arn,
        "GrantId": grant_id,
        "Name": new_uuid(),
        "CreationDate": round(time.time(), 3),
        "GranteePrincipal": grantee(instance_id),
        "RetiringPrincipal": f"arn:aws:iam::{EBS_ACCOUNT}:root",
        "IssuingAccount": f"arn:aws:iam::{get_account_id()}:root",
        "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"aws:ebs:id": volume_id}},
        "_tokens": [],
    }
    kms._grants.set_scoped(account, region, grant_id, grant)


def take(volume_id: str) -> None:
    """Retire the grants for a volume that is detached or gone."""
    for (account, region, grant_id), grant in list(kms._grants._data.items()):
        if _volume_of(grant) == volume_id and ":assumed-role/aws:ec2-infrastructure/" in str(
            grant["GranteePrincipal"]
        ):
            kms._grants.pop_scoped(account, region, grant_id, None)
            events.publish(
                KeyEvent(
                    operation="RetireGrant",
                    access_key="",
                    parameters=None,
                    resources=(grant["KeyId"],),
                    principal_arn=SERVICE,
                    response={"keyId": grant["KeyId"]},
                    additional={"grantId": grant_id},
                    invoked_by=SERVICE,
                    read_only=False,
                )
            )


def _volume_of(grant: dict[str, Any]) -> str:
    constraints = grant.get("Constraints") or {}
    return str((constraints.get("EncryptionContextSubset") or {}).get("aws:ebs:id", ""))
