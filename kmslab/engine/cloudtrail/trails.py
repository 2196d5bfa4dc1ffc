"""A trail needs a bucket, a topic and a key that CloudTrail may use, as far as it has them.

CloudTrail API Reference, "CreateTrail": the codes; the sentences as moto's test suite and users report them.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail, s3, sns

from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.cloudtrail import tags, trail_names
from kmslab.engine.hooks import extend
from kmslab.engine.kms import records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Stock = Callable[[dict[str, Any]], Any]

CLOUDTRAIL = "cloudtrail.amazonaws.com"
LONGEST_PREFIX = 200
LOG_GROUP = ("CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn")
"""Members that are kept and told; nothing is delivered there."""


def bucket_refusal(bucket: str, prefix: str, trail_arn: str) -> Any:
    """CloudTrail's answer when it may not write to a bucket for a trail; None when it may."""
    if bucket not in s3._buckets:
        return cloudtrail._err("S3BucketDoesNotExistException", f"S3 bucket {bucket} does not exist!")
    account = get_account_id()
    path = f"{prefix}/AWSLogs/{account}" if prefix else f"AWSLogs/{account}"
    source = {
        "aws:sourcearn": trail_arn,
        "aws:sourceaccount": account,
        "s3:x-amz-acl": "bucket-owner-full-control",
    }
    needed = (
        ("s3:GetBucketAcl", f"arn:aws:s3:::{bucket}"),
        ("s3:PutObject", f"arn:aws:s3:::{bucket}/{path}/CloudTrail/log"),
    )
    if not all(
        _may(action, resource, s3._bucket_policies.get(bucket), source) for action, resource in needed
    ):
        message = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
        return cloudtrail._err("InsufficientS3BucketPolicyException", message)
    return None


def _may(action: str, resource: str, policy: Any, conditions: Mapping[str, str]) -> bool:
    """Whether a resource's policy lets CloudTrail do something."""
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,  # services call one another over TLS
        service_context=dict(conditions),
    )
    found = iam_evaluator.evaluate_resource_policy(policy, context, service=CLOUDTRAIL)
    return bool(found.decision == "Allow")


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


def _topic_refusal(topic_arn: str, trail_arn: str) -> Any:
    """CloudTrail's answer when it may not publish to a topic for a trail; None when it may."""
    topic = sns._topic_by_arn_any_scope(topic_arn)
    source = {"aws:sourcearn": trail_arn, "aws:sourceaccount": get_account_id()}
    if topic and _may("sns:Publish", topic_arn, topic["attributes"].get("Policy"), source):
        return None
    return cloudtrail._err(
        "InsufficientSnsTopicPolicyException", "SNS Topic does not exist or the topic policy is incorrect!"
    )


def _topic_arn(name: str) -> str:
    """The ARN of a topic, which may be named by it; empty for none."""
    if not name or name.startswith("arn:"):
        return name
    return f"arn:aws:sns:{get_region()}:{get_account_id()}:{name}"


def _refusal(body: Mapping[str, Any], trail_arn: str, known: Mapping[str, Any]) -> Any:
    settings = {**known, **{name: value for name, value in body.items() if value is not None}}
    if settings.get("IsMultiRegionTrail") is True and settings.get("IncludeGlobalServiceEvents") is False:
        message = "Multi-Region trail must include global service events."
        return cloudtrail._err("InvalidParameterCombinationException", message)
    prefix, bucket = str(settings.get("S3KeyPrefix") or ""), settings.get("S3BucketName", "")
    if len(prefix) > LONGEST_PREFIX:
        return cloudtrail._err(
            "InvalidS3PrefixException", f"The S3 key prefix has at most {LONGEST_PREFIX} characters."
        )
    refused = None
    if "S3BucketName" in body or "S3KeyPrefix" in body:
        refused = bucket_refusal(bucket, prefix, trail_arn)
    if refused is None and body.get("SnsTopicName"):
        refused = _topic_refusal(_topic_arn(body["SnsTopicName"]), trail_arn)
    if refused is None and body.get("KmsKeyId"):
        refused = key_refusal(body["KmsKeyId"], bucket, trail_arn)
    return refused


def _by_arn(body: dict[str, Any]) -> dict[str, Any]:
    key = records.resolve(body.get("KmsKeyId"))
    return {**body, "KmsKeyId": key["Arn"]} if key else body


def _create_trail(stock: Stock, body: dict[str, Any]) -> Any:
    """Check name, bucket, topic and key before the trail exists; keep the key as its ARN, and the tags."""
    name, given = str(body.get("Name") or "").strip(), body.get("TagsList") or []
    if refused := trail_names.refusal(name):
        return refused
    if not body.get("S3BucketName"):
        return cloudtrail._err("InvalidS3BucketNameException", "S3BucketName is required.")
    arn = cloudtrail._trail_arn(name)
    if refused := _refusal(body, arn, {}) or tags.reserved(given) or tags.refusal(given, {}):
        return refused
    answer = stock(_by_arn(body))
    if answer[0] != HTTPStatus.OK:
        return answer
    cloudtrail._trail_tags.pop(arn, None)
    if given:
        tags.keep(arn, given)
    return _told(answer, body)


def _update_trail(stock: Stock, body: dict[str, Any]) -> Any:
    """Check a new bucket, topic or key before the trail takes them."""
    name = body.get("Name", "").rsplit("/", 1)[-1]
    known = cloudtrail._trails.get(name)
    if known is None:
        return stock(body)
    if refused := _refusal(body, known["TrailARN"], known):
        return refused
    answer = stock(_by_arn(body))
    return _told(answer, body) if answer[0] == HTTPStatus.OK else answer


def _told(answer: Any, body: Mapping[str, Any]) -> Any:
    """Keep what MiniStack does not, and tell what a trail has and nothing that it has not."""
    told = json.loads(answer[2])
    trail = cloudtrail._trails[told["Name"]]
    trail |= {name: body[name] for name in LOG_GROUP if name in body}
    if "SnsTopicName" in body:
        trail["SnsTopicARN"] = _topic_arn(body["SnsTopicName"])
    told |= {name: trail.get(name, "") for name in ("SnsTopicName", "SnsTopicARN", *LOG_GROUP)}
    return cloudtrail._ok({name: value for name, value in told.items() if value != ""})


def install() -> None:
    """Take over the operations that set bucket and key."""
    extend(cloudtrail, "_create_trail", "body")(_create_trail)
    extend(cloudtrail, "_update_trail", "body")(_update_trail)
