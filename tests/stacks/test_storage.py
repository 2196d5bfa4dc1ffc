from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.stacks.template import Assembly, Json

DATA = "Data666C94C7"
LOGS = "AccessLogs8B620ECA"
SSE_S3 = "SseS3FAC7644B"
MANAGED = "AwsManaged7C19F8EA"
DSSE = "Dsse78668DA5"
HEADER = "s3:x-amz-server-side-encryption"
KEY_HEADER = "s3:x-amz-server-side-encryption-aws-kms-key-id"


def _encryption(lab: Assembly, bucket: str) -> Json:
    (rule,) = lab.properties("storage", bucket)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    found: Json = rule
    return found


def _policy(lab: Assembly, stack: str, bucket: str) -> list[Json]:
    (policy,) = [
        one["Properties"]["PolicyDocument"]["Statement"]
        for one in lab.resources("AWS::S3::BucketPolicy", stack).values()
        if one["Properties"]["Bucket"] == {"Ref": bucket}
    ]
    statements: list[Json] = policy
    return statements


def _key(lab: Assembly) -> Json:
    found: Json = _encryption(lab, DATA)["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    return found


def test_data_bucket_encryption(lab: Assembly) -> None:
    assert _key(lab)["Fn::ImportValue"].startswith("kms-lab-keys:ExportsOutputFnGetAttS3Arn")
    assert _encryption(lab, DATA) == {
        "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": _key(lab)},
    }


def test_comparison_buckets(lab: Assembly) -> None:
    assert _encryption(lab, SSE_S3) == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert _encryption(lab, MANAGED) == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"},
    }
    assert _encryption(lab, DSSE) == {
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms:dsse", "KMSMasterKeyID": _key(lab)}
    }
    assert _encryption(lab, LOGS) == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


@pytest.mark.parametrize("bucket", [DATA, LOGS, SSE_S3, MANAGED, DSSE])
def test_every_bucket_is_closed_and_empties_itself(lab: Assembly, bucket: str) -> None:
    resource = lab.resources("AWS::S3::Bucket", "storage")[bucket]
    properties = resource["Properties"]
    assert "BucketName" not in properties, "names are global: CloudFormation makes them"
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert {"Key": "aws-cdk:auto-delete-objects", "Value": "true"} in properties["Tags"]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Delete", "Delete")
    emptied = [
        one["Properties"]["BucketName"] for one in lab.resources("Custom::S3AutoDeleteObjects").values()
    ]
    assert {"Ref": bucket} in emptied


@pytest.mark.parametrize("bucket", [DATA, SSE_S3, MANAGED, DSSE])
def test_reads_and_writes_are_logged(lab: Assembly, bucket: str) -> None:
    logging = lab.properties("storage", bucket)["LoggingConfiguration"]
    assert logging["DestinationBucketName"] == {"Ref": LOGS}


def _tls_only(bucket: str) -> list[Json]:
    everything: list[Json] = [
        {"Fn::GetAtt": [bucket, "Arn"]},
        {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/*"]]},
    ]
    common: dict[str, Any] = {
        "Action": "s3:*",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Resource": everything,
    }
    return [
        {**common, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**common, "Condition": {"NumericLessThan": {"s3:TlsVersion": 1.2}}},
    ]


def _emptying(bucket: str) -> Json:
    return {
        "Action": ["s3:DeleteObject*", "s3:GetBucket*", "s3:List*", "s3:PutBucketPolicy"],
        "Effect": "Allow",
        "Principal": {
            "AWS": {"Fn::GetAtt": ["CustomS3AutoDeleteObjectsCustomResourceProviderRole3B1BD092", "Arn"]}
        },
        "Resource": [
            {"Fn::GetAtt": [bucket, "Arn"]},
            {"Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, "/*"]]},
        ],
    }


def test_data_bucket_policy(lab: Assembly) -> None:
    """Puts are refused by their headers, and changing the encryption later: the emptying is not touched."""
    objects = {"Fn::Join": ["", [{"Fn::GetAtt": [DATA, "Arn"]}, "/*"]]}

    def refuse(sid: str, **condition: Any) -> Json:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": objects,
            "Condition": condition,
        }

    assert _policy(lab, "storage", DATA) == [
        *_tls_only(DATA),
        _emptying(DATA),
        refuse("RefuseOtherEncryption", StringNotEquals={HEADER: "aws:kms"}, Null={HEADER: "false"}),
        refuse("RefuseOtherKeys", StringNotEquals={KEY_HEADER: _key(lab)}, Null={KEY_HEADER: "false"}),
        refuse("RefuseTheManagedKey", Null={HEADER: "false", KEY_HEADER: "true"}),
        refuse(
            "RefuseCustomerProvidedKeys",
            Null={"s3:x-amz-server-side-encryption-customer-algorithm": "false"},
        ),
        {
            "Sid": "RefuseToChangeTheEncryption",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:UpdateObjectEncryption",
            "Resource": objects,
        },
    ]


def test_the_data_owner_writes_but_does_not_change_the_encryption(lab: Assembly) -> None:
    """On no bucket of the lab: its key grants nobody what UpdateObjectEncryption needs of KMS."""
    policy = lab.properties("storage", "DataOwnerPolicy")["PolicyDocument"]["Statement"]
    assert {statement["Sid"]: statement["Action"] for statement in policy} == {
        "ListObjects": ["s3:ListBucket", "s3:ListBucketVersions"],
        "WriteAndReadObjects": [
            "s3:GetObject",
            "s3:GetObjectAttributes",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionAttributes",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
        ],
    }


@pytest.mark.parametrize("bucket", [SSE_S3, MANAGED, DSSE])
def test_comparison_bucket_policies(lab: Assembly, bucket: str) -> None:
    assert _policy(lab, "storage", bucket) == [*_tls_only(bucket), _emptying(bucket)]


def test_log_bucket_policy(lab: Assembly) -> None:
    """S3's log delivery writes by this policy, one statement a logged bucket, and not by an ACL."""
    delivery = [
        {
            "Action": "s3:PutObject",
            "Condition": {
                "ArnLike": {"aws:SourceArn": {"Fn::GetAtt": [bucket, "Arn"]}},
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            },
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": [LOGS, "Arn"]}, f"/{folder}/*"]]},
        }
        for bucket, folder in ((DATA, "data"), (SSE_S3, "sses3"), (MANAGED, "awsmanaged"), (DSSE, "dsse"))
    ]
    assert _policy(lab, "storage", LOGS) == [*_tls_only(LOGS), _emptying(LOGS), *delivery]
