"""Where AWS says what the probes expect."""

from __future__ import annotations

DOCS = "https://docs.aws.amazon.com"


def api(operation: str) -> str:
    """The page of a KMS operation in the AWS KMS API Reference."""
    return f"{DOCS}/kms/latest/APIReference/API_{operation}.html"


def guide(page: str) -> str:
    """A page of the AWS KMS Developer Guide; ``page#section`` names a section."""
    name, _, section = page.partition("#")
    return f"{DOCS}/kms/latest/developerguide/{name}.html" + (f"#{section}" if section else "")


def s3(page: str) -> str:
    """A page of the Amazon S3 User Guide."""
    return f"{DOCS}/AmazonS3/latest/userguide/{page}.html"


def s3_api(operation: str) -> str:
    """The page of an operation in the Amazon S3 API Reference."""
    return f"{DOCS}/AmazonS3/latest/API/API_{operation}.html"


def ebs(page: str) -> str:
    """A page of the Amazon EBS User Guide."""
    return f"{DOCS}/ebs/latest/userguide/{page}.html"


def ec2_api(operation: str) -> str:
    """The page of an operation in the Amazon EC2 API Reference."""
    return f"{DOCS}/AWSEC2/latest/APIReference/API_{operation}.html"


def ebs_api(operation: str) -> str:
    """The page of an operation of the EBS direct APIs."""
    return f"{DOCS}/ebs/latest/APIReference/API_{operation}.html"


def secrets(page: str) -> str:
    """A page of the AWS Secrets Manager User Guide."""
    return f"{DOCS}/secretsmanager/latest/userguide/{page}.html"


def secrets_api(operation: str) -> str:
    """The page of an operation in the AWS Secrets Manager API Reference."""
    return f"{DOCS}/secretsmanager/latest/apireference/API_{operation}.html"


def ssm(page: str) -> str:
    """A page of the AWS Systems Manager User Guide."""
    return f"{DOCS}/systems-manager/latest/userguide/{page}.html"


def ssm_api(operation: str) -> str:
    """The page of an operation in the AWS Systems Manager API Reference."""
    return f"{DOCS}/systems-manager/latest/APIReference/API_{operation}.html"


def cloudtrail(page: str) -> str:
    """A page of the AWS CloudTrail User Guide."""
    return f"{DOCS}/awscloudtrail/latest/userguide/{page}.html"


def cloudformation(page: str) -> str:
    """A page of the AWS CloudFormation User Guide."""
    return f"{DOCS}/AWSCloudFormation/latest/UserGuide/{page}.html"


def template(resource: str) -> str:
    """The page of a resource type in the AWS CloudFormation Template Reference: ``kms-key``."""
    return f"{DOCS}/AWSCloudFormation/latest/TemplateReference/aws-resource-{resource}.html"


def iam(page: str) -> str:
    """A page of the AWS Identity and Access Management User Guide."""
    return f"{DOCS}/IAM/latest/UserGuide/{page}.html"


KEY_STATES = guide("key-state")
GRANTS = guide("grants")
