"""One template with a resource of every type, and every property, that the lab's stacks use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.engine.conftest import allow, policy
from tests.engine.stacks import attribute, ref, resource, template

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

ZONE = {"Fn::Select": [0, {"Fn::GetAZs": ""}]}
TAGS = [{"Key": "purpose", "Value": "test"}]
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def statement(document: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(document)
    return parsed


def key_policy(engine: Engine, *services: str) -> dict[str, Any]:
    """For the account, and for services' own use."""
    use = [
        {
            "Effect": "Allow",
            "Principal": {"Service": name},
            "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
            "Resource": "*",
        }
        for name in services
    ]
    return statement(policy(engine.account_statement(), *use))


def everything(engine: Engine, suffix: str) -> dict[str, Any]:
    """One resource of every type, with every property that the lab's stacks use."""
    account, region = engine.account, engine.region
    trail_arn = f"arn:aws:cloudtrail:{region}:{account}:trail/trail-{suffix}"
    trail_source = {"StringEquals": {"aws:SourceArn": trail_arn}}
    to_trail = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Condition": trail_source,
    }
    blocked = {"EncryptionType": ["SSE-C"]}
    key = resource(
        "AWS::KMS::Key",
        Description="for the test",
        KeyPolicy=key_policy(engine, "cloudtrail.amazonaws.com", "events.amazonaws.com"),
        KeySpec="SYMMETRIC_DEFAULT",
        KeyUsage="ENCRYPT_DECRYPT",
        Origin="AWS_KMS",
        EnableKeyRotation=True,
        RotationPeriodInDays=180,
        PendingWindowInDays=7,
        Tags=TAGS,
    )
    resources = {
        "Key": key,
        "Disabled": resource(
            "AWS::KMS::Key", KeyPolicy=key_policy(engine), Enabled=False, PendingWindowInDays=8
        ),
        "Signing": resource(
            "AWS::KMS::Key", KeyPolicy=key_policy(engine), KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"
        ),
        "Mac": resource(
            "AWS::KMS::Key", KeyPolicy=key_policy(engine), KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"
        ),
        "Imported": resource("AWS::KMS::Key", KeyPolicy=key_policy(engine), Origin="EXTERNAL"),
        "Global": resource("AWS::KMS::Key", KeyPolicy=key_policy(engine), MultiRegion=True),
        "Alias": resource("AWS::KMS::Alias", AliasName=f"alias/test/{suffix}", TargetKeyId=attribute("Key")),
        "Logs": resource(
            "AWS::S3::Bucket",
            BucketEncryption={
                "ServerSideEncryptionConfiguration": [
                    {
                        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                        "BlockedEncryptionTypes": blocked,
                        "BucketKeyEnabled": False,
                    }
                ]
            },
        ),
        "Bucket": resource(
            "AWS::S3::Bucket",
            BucketName=f"bucket-{suffix}",
            BucketEncryption={
                "ServerSideEncryptionConfiguration": [
                    {
                        "ServerSideEncryptionByDefault": {
                            "SSEAlgorithm": "aws:kms",
                            "KMSMasterKeyID": attribute("Key"),
                        },
                        "BucketKeyEnabled": True,
                        "BlockedEncryptionTypes": blocked,
                    }
                ]
            },
            LoggingConfiguration={"DestinationBucketName": ref("Logs"), "LogFilePrefix": "data/"},
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": False,
            },
            VersioningConfiguration={"Status": "Enabled"},
            Tags=TAGS,
        ),
        "BucketPolicy": resource(
            "AWS::S3::BucketPolicy",
            Bucket=ref("Bucket"),
            PolicyDocument=statement(
                policy(
                    {**to_trail, "Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::bucket-{suffix}"},
                    {
                        **to_trail,
                        "Action": "s3:PutObject",
                        "Resource": f"arn:aws:s3:::bucket-{suffix}/AWSLogs/{account}/*",
                    },
                )
            ),
        ),
        "Volume": resource(
            "AWS::EC2::Volume",
            AvailabilityZone=ZONE,
            Encrypted=True,
            KmsKeyId=attribute("Key"),
            Size=2,
            VolumeType="gp3",
            Iops=4000,
            Throughput=250,
            Tags=TAGS,
        ),
        "Instance": resource(
            "AWS::EC2::Instance",
            AvailabilityZone=ZONE,
            ImageId="ami-0123456789abcdef0",
            InstanceType="t3.nano",
            EbsOptimized=True,
            MetadataOptions={
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 1,
                "HttpEndpoint": "enabled",
                "InstanceMetadataTags": "disabled",
            },
            BlockDeviceMappings=[
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {
                        "Encrypted": True,
                        "KmsKeyId": attribute("Key"),
                        "VolumeType": "gp3",
                        "VolumeSize": 9,
                    },
                }
            ],
            Volumes=[{"Device": "/dev/sdg", "VolumeId": ref("Further")}],
            Tags=TAGS,
        ),
        "Further": resource("AWS::EC2::Volume", AvailabilityZone=ZONE, Size=1),
        "Other": resource(
            "AWS::EC2::Instance",
            AvailabilityZone=ZONE,
            ImageId="ami-0123456789abcdef0",
            InstanceType="t3.nano",
        ),
        "Attachment": resource(
            "AWS::EC2::VolumeAttachment",
            Device="/dev/sdf",
            InstanceId=ref("Other"),
            VolumeId=ref("Volume"),
        ),
        "Boundary": resource(
            "AWS::IAM::ManagedPolicy",
            ManagedPolicyName=f"boundary-{suffix}",
            Description="limits",
            PolicyDocument=statement(policy(allow("s3:*"))),
        ),
        "Group": resource(
            "AWS::IAM::Group",
            GroupName=f"group-{suffix}",
            ManagedPolicyArns=[ADMINISTRATOR],
            Policies=[{"PolicyName": "inline", "PolicyDocument": statement(policy(allow("sts:*")))}],
        ),
        "User": resource(
            "AWS::IAM::User",
            UserName=f"user-{suffix}",
            Groups=[ref("Group")],
            PermissionsBoundary=ref("Boundary"),
            ManagedPolicyArns=[ADMINISTRATOR],
            LoginProfile={
                "Password": {
                    "Fn::Join": [
                        "",
                        ["{{resolve:secretsmanager:", ref("Secret"), ":SecretString:password::}}"],
                    ]
                },
                "PasswordResetRequired": True,
            },
            Tags=TAGS,
        ),
        "Member": resource("AWS::IAM::User", UserName=f"member-{suffix}"),
        "Membership": resource(
            "AWS::IAM::UserToGroupAddition", GroupName=ref("Group"), Users=[ref("Member")]
        ),
        "Role": resource(
            "AWS::IAM::Role",
            RoleName=f"role-{suffix}",
            Description="a persona",
            MaxSessionDuration=7200,
            AssumeRolePolicyDocument=statement(
                policy({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"})
            ),
            ManagedPolicyArns=[ref("Boundary")],
            PermissionsBoundary=ref("Boundary"),
            Policies=[{"PolicyName": "inline", "PolicyDocument": statement(policy(allow("kms:ListKeys")))}],
            Tags=TAGS,
        ),
        "Secret": resource(
            "AWS::SecretsManager::Secret",
            Description="a password",
            KmsKeyId=attribute("Key"),
            GenerateSecretString={
                "SecretStringTemplate": '{"user": "kenya-one"}',
                "GenerateStringKey": "password",
                "PasswordLength": 24,
                "ExcludeCharacters": "\"'\\",
                "RequireEachIncludedType": True,
            },
            Tags=TAGS,
        ),
        "SecretPolicy": resource(
            "AWS::SecretsManager::ResourcePolicy",
            SecretId=ref("Secret"),
            ResourcePolicy=statement(
                policy(
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "secretsmanager:PutSecretValue",
                        "Resource": "*",
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                )
            ),
        ),
        "Topic": resource(
            "AWS::SNS::Topic",
            TopicName=f"topic-{suffix}",
            DisplayName="alarms",
            KmsMasterKeyId=attribute("Key"),
            Tags=TAGS,
        ),
        "Rule": resource(
            "AWS::Events::Rule",
            Name=f"rule-{suffix}",
            Description="dangerous",
            State="ENABLED",
            EventPattern={"source": ["aws.kms"], "detail": {"eventName": ["DisableKey"]}},
            Targets=[{"Id": "topic", "Arn": ref("Topic")}],
            Tags=TAGS,
        ),
        "Trail": {
            **resource(
                "AWS::CloudTrail::Trail",
                TrailName=f"trail-{suffix}",
                S3BucketName=ref("Bucket"),
                KMSKeyId=attribute("Key"),
                EnableLogFileValidation=True,
                IncludeGlobalServiceEvents=True,
                IsMultiRegionTrail=True,
                IsLogging=True,
                Tags=TAGS,
            ),
            "DependsOn": ["BucketPolicy"],
        },
        "Sharing": resource("AWS::EC2::SnapshotBlockPublicAccess", State="block-new-sharing"),
    }
    return template(
        {"Secret": ref("Secret"), "Key": ref("Key"), "Bucket": ref("Bucket"), "Disabled": ref("Disabled")},
        **resources,
    )
