"""Guide 12: who used which key for what, and an alarm for what should be rare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, Fn, RemovalPolicy, Stack
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns

from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona
from stacks.key_statements import Principals
from stacks.nag import acknowledge, in_packs, wildcards
from stacks.names import logical_id, name_of, qualifier_of
from stacks.outputs import output
from stacks.personas import attach
from stacks.policies import EVERYONE, allow, deny, document

if TYPE_CHECKING:
    from constructs import Construct

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

ALARMING = ("DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial")
"""KMS operations that take a key away from its users or change who they are."""
CLOUDTRAIL = {"Service": "cloudtrail.amazonaws.com"}


def log_delivery(bucket_arn: str, trail_arn: Json) -> list[Json]:
    """Statements that let this trail, and no other, write log files into the bucket."""
    of_this_trail = {"StringEquals": {"aws:SourceArn": trail_arn}}
    return [
        allow(
            "LetCloudTrailLook",
            ("s3:GetBucketAcl",),
            principal=CLOUDTRAIL,
            resources=bucket_arn,
            when=of_this_trail,
        ),
        allow(
            "LetCloudTrailWrite",
            ("s3:PutObject",),
            principal=CLOUDTRAIL,
            resources=f"{bucket_arn}/AWSLogs/{Aws.ACCOUNT_ID}/*",
            when={
                "StringEquals": {
                    "aws:SourceArn": trail_arn,
                    "s3:x-amz-acl": "bucket-owner-full-control",
                }
            },
        ),
    ]


def topic_policy(topic_arn: str) -> list[Json]:
    """Statements that let EventBridge publish to this topic, and nobody without TLS.

    The Allow has no condition on the rule: EventBridge does not support Condition blocks in topic
    policies (EventBridge User Guide, "Using resource-based policies", "Amazon SNS permissions").
    """
    return [
        allow(
            "LetTheRulePublish",
            ("sns:Publish",),
            principal={"Service": "events.amazonaws.com"},
            resources=topic_arn,
        ),
        deny(
            "RefusePlainHttp",
            ("sns:Publish",),
            principal=EVERYONE,
            resources=topic_arn,
            when={"Bool": {"aws:SecureTransport": "false"}},
        ),
    ]


class AuditStack(Stack):
    """Guide 12: a trail with validated, encrypted log files, and alarms on an encrypted topic."""

    def __init__(self, scope: Construct, *, settings: LabSettings, key_arn: str) -> None:
        super().__init__(scope, name_of(LabStack.AUDIT, settings), description="KMS Lab: trail and alarms")
        who = Principals(settings.prefix, qualifier_of(self))
        bucket = self._trail(settings, key_arn, who)
        self._alarms(settings, key_arn)
        attach(
            self,
            settings,
            Persona.AUDITOR,
            [
                allow(
                    "ReadTheTrail",
                    (
                        "cloudtrail:DescribeTrails",
                        "cloudtrail:GetEventSelectors",
                        "cloudtrail:GetTrail",
                        "cloudtrail:GetTrailStatus",
                        "cloudtrail:ListPublicKeys",
                        "cloudtrail:ListTags",
                        "cloudtrail:ListTrails",
                        "cloudtrail:LookupEvents",
                    ),
                ),
                allow(
                    "ReadLogFiles",
                    ("s3:GetObject", "s3:GetObjectVersion"),
                    resources=bucket.arn_for_objects("AWSLogs/*"),
                ),
                allow(
                    "ReadTheBucketsConfiguration",
                    (
                        "s3:GetBucketLocation",
                        "s3:GetBucketLogging",
                        "s3:GetBucketPolicy",
                        "s3:GetBucketPolicyStatus",
                        "s3:GetBucketPublicAccessBlock",
                        "s3:GetBucketVersioning",
                        "s3:GetEncryptionConfiguration",
                        "s3:ListBucket",
                    ),
                    resources=bucket.bucket_arn,
                ),
                allow(
                    "ReadTheAlarms",
                    (
                        "events:DescribeRule",
                        "events:ListRules",
                        "events:ListTargetsByRule",
                        "sns:GetTopicAttributes",
                        "sns:ListSubscriptionsByTopic",
                    ),
                ),
            ],
            wildcards(
                "Log files are named by CloudTrail; LookupEvents and the lists have no resources.",
                "Resource::*",
                f"Resource::<{logical_id(bucket)}.Arn>/AWSLogs/*",
            ),
        )

    def _trail(self, settings: LabSettings, key_arn: str, who: Principals) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "TrailLogs",
            # No Bucket Key: it would hide the trail's encryption context, by which the key policy decides.
            encryption=s3.BucketEncryption.KMS,
            encryption_key=kms.Key.from_key_arn(self, "Key", key_arn),
            bucket_key_enabled=False,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            removal_policy=RemovalPolicy.DESTROY,
            auto_delete_objects=True,
        )
        not_logged = "Reads of the trail are in the trail itself; access logs of a log bucket would go round."
        acknowledge(
            bucket,
            {
                "AwsSolutions-S1": not_logged,
                **in_packs("S3BucketLoggingEnabled", not_logged),
                **in_packs("S3BucketReplicationEnabled", "A copy in another bucket would outlive the lab."),
            },
        )
        for statement in log_delivery(bucket.bucket_arn, who.trail):
            bucket.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
        trail = cloudtrail.CfnTrail(
            self,
            "ManagementEvents",
            trail_name=settings.prefix,
            is_logging=True,
            s3_bucket_name=bucket.bucket_name,
            kms_key_id=key_arn,
            enable_log_file_validation=True,
            include_global_service_events=True,
            is_multi_region_trail=True,
        )
        acknowledge(
            trail,
            in_packs(
                "CloudTrailCloudWatchLogsEnabled",
                "Alarms come from EventBridge; a second copy of the log would cost.",
            ),
        )
        if bucket.policy is not None:  # it was made with the first statement
            trail.node.add_dependency(bucket.policy)
        output(self, LabOutputs.trail, trail.attr_arn)
        output(self, LabOutputs.trail_bucket, bucket.bucket_name)
        return bucket

    def _alarms(self, settings: LabSettings, key_arn: str) -> None:
        topic = sns.CfnTopic(
            self, "Alarms", topic_name=f"{settings.prefix}-alarms", kms_master_key_id=key_arn
        )
        rule = events.CfnRule(
            self,
            "DangerousKeyOperations",
            name=f"{settings.prefix}-dangerous-key-operations",
            description="KMS Lab: somebody disables a key, deletes it or its material, or rewrites its policy",
            event_pattern={
                "source": ["aws.kms"],
                "detail-type": ["AWS API Call via CloudTrail"],
                "detail": {"eventSource": ["kms.amazonaws.com"], "eventName": list(ALARMING)},
            },
            targets=[events.CfnRule.TargetProperty(id="alarms", arn=topic.ref)],
        )
        sns.CfnTopicPolicy(
            self,
            "AlarmsPolicy",
            topics=[topic.ref],
            policy_document=document(topic_policy(topic.ref)),
        )
        output(self, LabOutputs.alarm_rule, Fn.select(1, Fn.split("rule/", rule.attr_arn)))
        output(self, LabOutputs.alarm_topic, topic.ref)
