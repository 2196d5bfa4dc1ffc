"""A trail needs a bucket that CloudTrail may write to and a key that CloudTrail may use.

CloudTrail API Reference, CreateTrail: ``S3BucketDoesNotExistException``,
``InsufficientS3BucketPolicyException``, ``KmsKeyNotFoundException``, ``InsufficientEncryptionPolicyException``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail, s3

from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.hooks import extend
from kmslab.engine.kms import records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Stock = Callable[[dict[str, Any]], Any]

CLOUDTRAIL = "cloudtrail.amazonaws.com"


def bucket_refusal(bucket: str, prefix: str, trail_arn: str) -> Any:
    """CloudTrail's answer when it may not write to a bucket for a trail; None when it may."""
    if bucket not in s3._buckets:
        return cloudtrail._err("S3BucketDoesNotExistException", f"S3 bucket {bucket} does not exist!", 404)
    account = get_account_id()
    path = f"{prefix}/AWSLogs/{account}" if prefix else f"AWSLogs/{account}"
    needed = (
        ("s3:GetBucketAcl", f"arn:aws:s3:::{bucket}"),
        ("s3:PutObject", f"arn:aws:s3:::{bucket}/{path}/CloudTrail/log"),
    )
    for action, resource in needed:
        context = iam_evaluator.EvalContext(
            principal_arn="*",
            principal_type="Service",
            principal_account="",
            action=action,
            resource_arn=resource,
            region=get_region(),
            secure_transport=True,  # services call one another over TLS
            service_context={
                "aws:sourcearn": trail_arn,
                "aws:sourceaccount": account,
                "s3:x-amz-acl": "bucket-owner-full-control",
            },
        )
        policy = s3._bucket_policies.get(bucket)
        if iam_evaluator.evaluate_resource_policy(policy, context, service=CLOUDTRAIL).decision != "Allow":
            message = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
            return cloudtrail._err("InsufficientS3BucketPolicyException", message)
    return None


def key_refusal(key_ref: str, bucket: str, trail_arn: str) -> Any:
    """CloudTrail's answer when it may not use a key for a trail's files; None when it may."""
    context = {
        "aws:cloudtrail:arn": trail_arn,
        "aws:s3:arn": f"arn:aws:s3:::{bucket}/AWSLogs/{get_account_id()}",
    }
    _, refused = use_key(
        "cloudtrail",
        "GenerateDataKey",
        key_ref,
        context,
        service_principal=CLOUDTRAIL,
        **{"aws:SourceArn": trail_arn, "aws:SourceAccount": get_account_id()},
    )
    if refused is None:
        return None
    if refused.code == "NotFoundException":
        return cloudtrail._err("KmsKeyNotFoundException", f"KMS key {key_ref} does not exist.")
    if refused.denied:
        message = "Insufficient permissions to access S3 bucket or KMS key."
        return cloudtrail._err("InsufficientEncryptionPolicyException", message)
    return cloudtrail._err("KmsException", refused.message or refused.code)


def _refusal(body: Mapping[str, Any], trail_arn: str, known: Mapping[str, Any]) -> Any:
    bucket = body.get("S3BucketName") or known.get("S3BucketName", "")
    if "S3BucketName" in body or "S3KeyPrefix" in body:
        prefix = body.get("S3KeyPrefix", known.get("S3KeyPrefix", ""))
        if refused := bucket_refusal(bucket, prefix, trail_arn):
            return refused
    return key_refusal(body["KmsKeyId"], bucket, trail_arn) if body.get("KmsKeyId") else None


def _by_arn(body: dict[str, Any]) -> dict[str, Any]:
    key = records.resolve(body.get("KmsKeyId"))
    return {**body, "KmsKeyId": key["Arn"]} if key else body


def _create_trail(stock: Stock, body: dict[str, Any]) -> Any:
    """Check bucket and key before the trail exists, and keep the key as its ARN."""
    if not body.get("S3BucketName"):
        return cloudtrail._err("InvalidS3BucketNameException", "S3BucketName is required.")
    return _refusal(body, cloudtrail._trail_arn(body.get("Name", "")), {}) or stock(_by_arn(body))


def _update_trail(stock: Stock, body: dict[str, Any]) -> Any:
    """Check a new bucket or key before the trail takes them."""
    name = body.get("Name", "").rsplit("/", 1)[-1]
    known = cloudtrail._trails.get(name)
    if known is None:
        return stock(body)
    return _refusal(body, known["TrailARN"], known) or stock(_by_arn(body))


def install() -> None:
    """Take over the operations that set bucket and key."""
    extend(cloudtrail, "_create_trail", "body")(_create_trail)
    extend(cloudtrail, "_update_trail", "body")(_update_trail)
