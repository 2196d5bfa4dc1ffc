"""AWS managed keys: made on first use of their alias, with the policy that lets one service use them.

Source: KMS Developer Guide, "AWS managed keys" and "Key policy of an AWS managed key".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kmslab.engine.kms import aliases, keys, material, records, specs
from kmslab.engine.state import changed

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

_VIA = {"ebs": "ec2"}
_USE = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
    "kms:CreateGrant",
    "kms:DescribeKey",
]


def managed_key(alias: str) -> KeyRecord | None:
    """Make the key of ``alias/aws/<service>`` and return it; None for a service without one.

    It counts as rotated every year, as AWS does for all its managed keys.
    """
    service = alias.removeprefix("alias/aws/")
    if service not in specs.MANAGED_SERVICES:
        return None
    key = keys.new_key(
        spec=specs.SYMMETRIC,
        usage=specs.ENCRYPT_DECRYPT,
        description=f"Default key that protects my {specs.MANAGED_SERVICES[service]} when no other key is defined",
    )
    key["KeyManager"] = "AWS"
    key["Policy"] = json.dumps(policy(service, key["Arn"]), indent=2)
    key["KeyRotationEnabled"] = True
    key["RotationPeriodInDays"] = specs.DEFAULT_ROTATION_DAYS
    key["rotation_start"] = key["CreationDate"]
    material.generate(key)
    records.store()[key["KeyId"]] = key
    aliases.point(records.arn(alias), key)
    changed()
    return key


def policy(service: str, key_arn: str) -> dict[str, object]:
    """The managed key's policy: everybody in the account through the service, and reading for IAM."""
    region, account = key_arn.split(":")[3:5]
    via = f"{_VIA.get(service, service)}.{region}.amazonaws.com"
    return {
        "Version": "2012-10-17",
        "Id": f"auto-{service}-1",
        "Statement": [
            {
                "Sid": f"Allow access through {service} for all principals in the account that are authorized to use it",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": _USE,
                "Resource": "*",
                "Condition": {"StringEquals": {"kms:CallerAccount": account, "kms:ViaService": via}},
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    }
