from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stacks.template import Assembly

BUCKET = "TrailLogs3B05809D"
BUCKET_ARN = {"Fn::GetAtt": [BUCKET, "Arn"]}
TRAIL = {"Fn::Sub": "arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/kms-lab"}
TOPIC = {"Ref": "Alarms"}
KEY = "kms-lab-keys:ExportsOutputFnGetAttTrailArn"


def test_trail(lab: Assembly) -> None:
    resource = lab.template("audit")["Resources"]["ManagementEvents"]
    properties = dict(resource["Properties"])
    assert properties.pop("KMSKeyId")["Fn::ImportValue"].startswith(KEY)
    properties.pop("Tags")
    assert properties == {
        "TrailName": "kms-lab",
        "IsLogging": True,
        "S3BucketName": {"Ref": BUCKET},
        "EnableLogFileValidation": True,
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
    }
    (policy,) = lab.resources("AWS::S3::BucketPolicy", "audit")
    assert resource["DependsOn"] == [policy], "CloudTrail tries the bucket when the trail is created"


def test_log_files_are_encrypted_without_a_bucket_key(lab: Assembly) -> None:
    """A Bucket Key would replace the trail's encryption context, by which the key policy decides."""
    (rule,) = lab.properties("audit", BUCKET)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is False
    default = rule["ServerSideEncryptionByDefault"]
    assert default["SSEAlgorithm"] == "aws:kms"
    assert default["KMSMasterKeyID"]["Fn::ImportValue"].startswith(KEY)


def test_bucket_policy(lab: Assembly) -> None:
    statements = lab.only("AWS::S3::BucketPolicy", "audit")["PolicyDocument"]["Statement"]
    tls, emptying, look, write = statements
    assert tls == {
        "Action": "s3:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Resource": [BUCKET_ARN, {"Fn::Join": ["", [BUCKET_ARN, "/*"]]}],
    }
    assert emptying["Principal"] == {
        "AWS": {"Fn::GetAtt": ["CustomS3AutoDeleteObjectsCustomResourceProviderRole3B1BD092", "Arn"]}
    }
    assert look == {
        "Sid": "LetCloudTrailLook",
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:GetBucketAcl",
        "Resource": BUCKET_ARN,
        "Condition": {"StringEquals": {"aws:SourceArn": TRAIL}},
    }
    assert write == {
        "Sid": "LetCloudTrailWrite",
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": {"Fn::Join": ["", [BUCKET_ARN, "/AWSLogs/", {"Ref": "AWS::AccountId"}, "/*"]]},
        "Condition": {"StringEquals": {"aws:SourceArn": TRAIL, "s3:x-amz-acl": "bucket-owner-full-control"}},
    }


def test_alarm_rule(lab: Assembly) -> None:
    rule = lab.only("AWS::Events::Rule", "audit")
    assert rule["Name"] == "kms-lab-dangerous-key-operations"
    assert rule["EventPattern"] == {
        "source": ["aws.kms"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": ["kms.amazonaws.com"],
            "eventName": ["DisableKey", "ScheduleKeyDeletion", "PutKeyPolicy", "DeleteImportedKeyMaterial"],
        },
    }
    assert rule["Targets"] == [{"Id": "alarms", "Arn": TOPIC}]
    assert rule.get("State", "ENABLED") == "ENABLED"


def test_topic(lab: Assembly) -> None:
    """The Allow has no Condition: EventBridge does not support one in a topic's policy."""
    topic = lab.only("AWS::SNS::Topic", "audit")
    assert topic["TopicName"] == "kms-lab-alarms"
    assert topic["KmsMasterKeyId"]["Fn::ImportValue"].startswith(KEY)
    assert lab.only("AWS::SNS::TopicPolicy", "audit") == {
        "Topics": [TOPIC],
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "LetTheRulePublish",
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": TOPIC,
                },
                {
                    "Sid": "RefusePlainHttp",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sns:Publish",
                    "Resource": TOPIC,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ],
        },
    }


def test_the_auditor_reads_the_trail_and_can_validate_its_log_files(lab: Assembly) -> None:
    """What `aws cloudtrail validate-logs` asks for: the trail, its public keys, the bucket's Region and its files."""
    policy = lab.only("AWS::IAM::ManagedPolicy", "audit")
    assert policy["Roles"] == ["kms-lab-auditor"]
    trail, files, bucket, alarms = policy["PolicyDocument"]["Statement"]
    assert trail == {
        "Sid": "ReadTheTrail",
        "Effect": "Allow",
        "Action": [
            "cloudtrail:DescribeTrails",
            "cloudtrail:GetEventSelectors",
            "cloudtrail:GetTrail",
            "cloudtrail:GetTrailStatus",
            "cloudtrail:ListPublicKeys",
            "cloudtrail:ListTags",
            "cloudtrail:ListTrails",
            "cloudtrail:LookupEvents",
        ],
        "Resource": "*",
    }
    assert files == {
        "Sid": "ReadLogFiles",
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": {"Fn::Join": ["", [BUCKET_ARN, "/AWSLogs/*"]]},
    }
    assert bucket == {
        "Sid": "ReadTheBucketsConfiguration",
        "Effect": "Allow",
        "Action": [
            "s3:GetBucketLocation",
            "s3:GetBucketLogging",
            "s3:GetBucketPolicy",
            "s3:GetBucketPolicyStatus",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketVersioning",
            "s3:GetEncryptionConfiguration",
            "s3:ListBucket",
        ],
        "Resource": BUCKET_ARN,
    }
    assert alarms["Sid"] == "ReadTheAlarms"
