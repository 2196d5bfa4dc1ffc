"""Guide 05: a bucket whose objects only key holders can read, and three to compare it with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona
from stacks.nag import acknowledge, in_packs, wildcards
from stacks.names import logical_id, name_of
from stacks.outputs import output
from stacks.personas import attach
from stacks.policies import EVERYONE, allow, deny

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

    from kmslab.model.settings import LabSettings
    from stacks.policies import Json

ENCRYPTION = "s3:x-amz-server-side-encryption"
KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
CUSTOMER_KEY = "s3:x-amz-server-side-encryption-customer-algorithm"
MINIMUM_TLS = 1.2
LIST = ("s3:ListBucket", "s3:ListBucketVersions")
READ = ("s3:GetObject", "s3:GetObjectAttributes", "s3:GetObjectVersion", "s3:GetObjectVersionAttributes")
LIST_BUCKETS = allow("ListBuckets", ("s3:GetAccountPublicAccessBlock", "s3:ListAllMyBuckets"))


def only_this_key(bucket_objects: str, key_arn: str) -> list[Json]:
    """Statements that refuse to store an object under anything but this key.

    A put without encryption headers is not refused: default encryption puts it under this key. Each
    ``Null: false`` guard is there for that, since ``StringNotEquals`` is also true for a missing header.
    What is stored must stay there: UpdateObjectEncryption would move it under another key past all
    that is said about puts.
    """
    return [
        deny(
            "RefuseOtherEncryption",
            ("s3:PutObject",),
            principal=EVERYONE,
            resources=bucket_objects,
            when={"StringNotEquals": {ENCRYPTION: "aws:kms"}, "Null": {ENCRYPTION: "false"}},
        ),
        deny(
            "RefuseOtherKeys",
            ("s3:PutObject",),
            principal=EVERYONE,
            resources=bucket_objects,
            when={"StringNotEquals": {KEY: key_arn}, "Null": {KEY: "false"}},
        ),
        # aws:kms without a key id means the AWS managed key aws/s3, not the bucket's default key.
        deny(
            "RefuseTheManagedKey",
            ("s3:PutObject",),
            principal=EVERYONE,
            resources=bucket_objects,
            when={"Null": {ENCRYPTION: "false", KEY: "true"}},
        ),
        deny(
            "RefuseCustomerProvidedKeys",
            ("s3:PutObject",),
            principal=EVERYONE,
            resources=bucket_objects,
            when={"Null": {CUSTOMER_KEY: "false"}},
        ),
        deny(
            "RefuseToChangeTheEncryption",
            ("s3:UpdateObjectEncryption",),
            principal=EVERYONE,
            resources=bucket_objects,
        ),
    ]


def data_owner(buckets: Sequence[str], objects: Sequence[str]) -> list[Json]:
    """Statements of the data owner: write, read and remove objects."""
    return [
        allow("ListObjects", LIST, resources=buckets),
        allow(
            "WriteAndReadObjects",
            (
                *READ,
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ),
            resources=objects,
        ),
    ]


def data_reader(buckets: Sequence[str], objects: Sequence[str]) -> list[Json]:
    """Statements of the data reader: read objects."""
    return [allow("ListObjects", LIST, resources=buckets), allow("ReadObjects", READ, resources=objects)]


def storage_operator(buckets_and_objects: Sequence[str]) -> list[Json]:
    """Statements of the storage operator: everything S3 can do with the lab's buckets."""
    return [
        allow("DoEverythingWithTheLabsBuckets", ("s3:*",), resources=buckets_and_objects),
        LIST_BUCKETS,
    ]


def auditor(buckets: Sequence[str]) -> list[Json]:
    """Statements of the auditor: every setting of a bucket, no object."""
    return [
        allow(
            "ReadTheConfiguration",
            (
                *LIST,
                "s3:GetBucketAcl",
                "s3:GetBucketLocation",
                "s3:GetBucketLogging",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPolicy",
                "s3:GetBucketPolicyStatus",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                "s3:GetBucketVersioning",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
            ),
            resources=buckets,
        ),
        LIST_BUCKETS,
    ]


class StorageStack(Stack):
    """Guide 05: the data bucket, the comparison buckets and the bucket of their access logs."""

    def __init__(self, scope: Construct, *, settings: LabSettings, key_arn: str) -> None:
        super().__init__(scope, name_of(LabStack.STORAGE, settings), description="KMS Lab: S3 buckets")
        key = kms.Key.from_key_arn(self, "Key", key_arn)
        # Log delivery cannot use a customer managed key by default: SSE-S3.
        self._logs = self._bucket("AccessLogs", encryption=s3.BucketEncryption.S3_MANAGED)
        acknowledge(self._logs, in_packs("S3DefaultEncryptionKMS", "S3 delivers access logs under SSE-S3."))
        data = self._logged(
            "Data",
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            blocked_encryption_types=[s3.BlockedEncryptionType.SSE_C],
        )
        for statement in only_this_key(data.arn_for_objects("*"), key_arn):
            data.add_to_resource_policy(iam.PolicyStatement.from_json(statement))
        comparison = {
            LabOutputs.sse_s3_bucket: self._logged("SseS3", encryption=s3.BucketEncryption.S3_MANAGED),
            LabOutputs.aws_managed_bucket: self._logged(
                "AwsManaged", encryption=s3.BucketEncryption.KMS_MANAGED, bucket_key_enabled=True
            ),
            # Dual-layer encryption has no Bucket Key: its encryption context is the object's ARN.
            LabOutputs.dsse_bucket: self._logged(
                "Dsse", encryption=s3.BucketEncryption.DSSE, encryption_key=key
            ),
        }
        for which in (LabOutputs.sse_s3_bucket, LabOutputs.dsse_bucket):
            acknowledge(
                comparison[which],
                in_packs(
                    "S3DefaultEncryptionKMS",
                    "It is there to be compared: SSE-S3, and DSSE-KMS, unknown to it.",
                ),
            )
        output(self, LabOutputs.data_bucket, data.bucket_name)
        output(self, LabOutputs.access_log_bucket, self._logs.bucket_name)
        for which, bucket in comparison.items():
            output(self, which, bucket.bucket_name)
        self._permit(settings, [data, *comparison.values()])

    def _bucket(self, name: str, **choices: Any) -> s3.Bucket:
        """Return a private, versioned bucket that empties itself when the stack is destroyed."""
        bucket = s3.Bucket(
            self,
            name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=MINIMUM_TLS,
            versioned=True,
            removal_policy=RemovalPolicy.DESTROY,
            auto_delete_objects=True,
            **choices,
        )
        acknowledge(
            bucket, in_packs("S3BucketReplicationEnabled", "A copy in another bucket would outlive the lab.")
        )
        return bucket

    def _logged(self, name: str, **choices: Any) -> s3.Bucket:
        return self._bucket(
            name,
            server_access_logs_bucket=self._logs,
            server_access_logs_prefix=f"{name.lower()}/",
            **choices,
        )

    def _permit(self, settings: LabSettings, buckets: Sequence[s3.Bucket]) -> None:
        """Say who may do what with the buckets. None of it is worth anything without the key."""
        arns = [bucket.bucket_arn for bucket in buckets]
        objects = [bucket.arn_for_objects("*") for bucket in buckets]
        names = [f"Resource::<{logical_id(bucket)}.Arn>/*" for bucket in (*buckets, self._logs)]
        of_objects = wildcards(
            "Any object of the lab's buckets: which is readable, the key decides.", *names[:-1]
        )
        attach(self, settings, Persona.DATA_OWNER, data_owner(arns, objects), of_objects)
        attach(self, settings, Persona.DATA_READER, data_reader(arns, objects), of_objects)
        with_logs = [*arns, self._logs.bucket_arn]
        on_purpose = "This persona has all of S3 on purpose: what it lacks is the key."
        attach(
            self,
            settings,
            Persona.STORAGE_OPERATOR,
            storage_operator([*with_logs, *objects, self._logs.arn_for_objects("*")]),
            {
                **wildcards(on_purpose, *names, "Resource::*", "Action::s3:*"),
                **in_packs("IAMPolicyNoStatementsWithFullAccess", on_purpose),
            },
        )
        attach(
            self,
            settings,
            Persona.AUDITOR,
            auditor(with_logs),
            wildcards("Listing buckets has no resources.", "Resource::*"),
        )
