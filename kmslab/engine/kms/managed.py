"""AWS managed keys: made on first use of their alias, with the policy that lets one service use them.

Source: KMS Developer Guide, "AWS managed keys" and "Key policy of an AWS managed key".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kmslab.engine.kms import aliases, keys, material, records, specs
from kmslab.engine.kms.policy_documents import written
from kmslab.engine.state import changed

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

_USE = ("Encrypt", "Decrypt", "ReEncrypt*", "GenerateDataKey*")
_READ = ("Describe*", "Get*", "List*")


@dataclass(frozen=True, slots=True)
class _Service:
    """How the policy of a service's managed key differs from the others'.

    Attributes:
        document: the policy's Id.
        name: the service in the statement's Sid.
        actions: what the account's principals may do through the service, beside DescribeKey.
        users: of what the principals are users, where that is another name.
        via: the service in ``kms:ViaService``, where that is another name.
        anywhere: an action that is allowed through the service of any Region, in a statement of its own.
    """

    document: str
    name: str
    actions: tuple[str, ...] = (*_USE, "CreateGrant")
    users: str = ""
    via: str = ""
    anywhere: str = ""


_SERVICES = {
    "dynamodb": _Service("auto-dynamodb-3", "Amazon DynamoDB"),
    "ebs": _Service("auto-ebs-2", "EBS", via="ec2"),
    "lambda": _Service("auto-awslambda", "AWS Lambda"),
    "rds": _Service("auto-rds-2", "RDS", (*_USE, "CreateGrant", "ListGrants")),
    "s3": _Service("auto-s3-2", "S3", _USE),
    "secretsmanager": _Service(
        "auto-secretsmanager-2",
        "AWS Secrets Manager",
        ("Encrypt", "Decrypt", "ReEncrypt*", "CreateGrant"),
        anywhere="GenerateDataKey*",
    ),
    "sns": _Service("auto-sns-1", "SNS", ("Decrypt", "GenerateDataKey*", "CreateGrant", "ListGrants")),
    "sqs": _Service("auto-sqs-1", "Simple Queue Service (SQS)", users="SQS"),
    "ssm": _Service("auto-ssm-1", "SSM", _USE),
}
"""As read from a real account's keys (github.com/FogSecurity/aws-managed-kms-keys, 2025)."""


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
    key["Policy"] = written(policy(service, key["Arn"]))
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
    of, caller = _SERVICES[service], {"kms:CallerAccount": account}
    through = f"{of.via or service}.{region}.amazonaws.com"
    here = {"StringEquals": {**caller, "kms:ViaService": through}}
    anywhere = {"StringEquals": caller, "StringLike": {"kms:ViaService": f"{service}.*.amazonaws.com"}}
    statements = [_through(of, [*of.actions, "DescribeKey"], anywhere if service == "dynamodb" else here)]
    if of.anywhere:
        statements.append(_through(of, [of.anywhere], anywhere))
    reading = [*_READ, "RevokeGrant"] if "CreateGrant" in of.actions else [*_READ]
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    statements.append(_allow("Allow direct access to key metadata to the account", root, reading))
    if service == "dynamodb":
        itself = {"Service": "dynamodb.amazonaws.com"}
        statements.append(_allow("Allow DynamoDB to directly describe the key", itself, [*_READ]))
    return {"Version": "2012-10-17", "Id": of.document, "Statement": statements}


def _through(of: _Service, actions: list[str], condition: object) -> dict[str, object]:
    users = of.users or of.name
    sid = (
        f"Allow access through {of.name} for all principals in the account that are authorized to use {users}"
    )
    return {**_allow(sid, {"AWS": "*"}, actions), "Condition": condition}


def _allow(sid: str, principal: dict[str, str], actions: list[str]) -> dict[str, object]:
    named = [f"kms:{action}" for action in actions]
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": named if len(named) > 1 else named[0],
        "Resource": "*",
    }
