"""What can be changed about a bucket of the lab."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.faults.changes.setting import Setting, read_if_any
from kmslab.faults.changes.statements import edited, names, names_in
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.changes.statements import Edit
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import Output

PUBLIC_ACCESS_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class _OfBucket(Setting):
    """A setting of one bucket.

    Attributes:
        bucket: the output that names it.
    """

    def __init__(self, bucket: Output) -> None:
        self.bucket = bucket

    def name(self, workshop: Workshop) -> dict[str, str]:
        """The parameter that names the bucket in every S3 call."""
        return {"Bucket": workshop.outputs.value_of(self.bucket)}


class BucketEncryption(_OfBucket):
    """The default encryption is another, with or without a Bucket Key, and blocks other encryption types."""

    def __init__(
        self,
        bucket: Output,
        algorithm: str = "",
        *,
        key: Output | None = None,
        bucket_key: bool | None = None,
        blocked: str = "",
    ) -> None:
        """Say what is different; the rest stays.

        Args:
            bucket: whose default encryption.
            algorithm: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``.
            key: a key of the lab; none, with an algorithm: AWS's.
            bucket_key: whether the bucket uses a Bucket Key.
            blocked: the encryption type that new objects may not have; ``NONE`` lifts the block of SSE-C.
        """
        super().__init__(bucket)
        self.algorithm = algorithm
        self.key = key
        self.bucket_key = bucket_key
        self.blocked = blocked

    def read(self, workshop: Workshop) -> Any:
        """Return the one rule."""
        found = workshop.client("s3").get_bucket_encryption(**self.name(workshop))
        return found["ServerSideEncryptionConfiguration"]["Rules"][0]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the rule."""
        configuration = {"Rules": [value]}
        workshop.client("s3").put_bucket_encryption(
            ServerSideEncryptionConfiguration=configuration, **self.name(workshop)
        )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Change the rule."""
        key = workshop.outputs.value_of(self.key) if self.key else None
        return self._changed(value, "ApplyServerSideEncryptionByDefault", key)

    def in_template(self, templates: Templates) -> bool:
        """Change the rule, which CloudFormation names a little differently."""
        bucket = templates.resource(self.bucket)
        rules = bucket.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        key = templates.value(self.key, bucket.stack) if self.key else None
        rules[0] = self._changed(rules[0], "ServerSideEncryptionByDefault", key)
        return True

    def _changed(self, rule: Any, default: str, key: Any) -> Any:
        if self.algorithm:
            rule[default] = {"SSEAlgorithm": self.algorithm, **({"KMSMasterKeyID": key} if key else {})}
        if self.bucket_key is not None:
            rule["BucketKeyEnabled"] = self.bucket_key
        if self.blocked:
            rule["BlockedEncryptionTypes"] = {"EncryptionType": [self.blocked]}
        return rule


class BucketPolicy(_OfBucket):
    """The bucket policy has other statements."""

    def __init__(self, bucket: Output, *edits: Edit) -> None:
        super().__init__(bucket)
        self.edits = edits

    def read(self, workshop: Workshop) -> Any:
        """Return the policy."""
        return json.loads(workshop.client("s3").get_bucket_policy(**self.name(workshop))["Policy"])

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the policy."""
        workshop.client("s3").put_bucket_policy(Policy=json.dumps(value), **self.name(workshop))

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Edit its statements."""
        bucket = workshop.outputs.value_of(self.bucket)
        return edited(value, self.edits, names(workshop, f"arn:{workshop.partition}:s3:::{bucket}"))

    def in_template(self, templates: Templates) -> bool:
        """Edit the statements of its AWS::S3::BucketPolicy."""
        policy = templates.about(self.bucket, "AWS::S3::BucketPolicy", "Bucket")
        arn = {"Fn::GetAtt": [templates.resource(self.bucket).logical_id, "Arn"]}
        edited(policy.properties["PolicyDocument"], self.edits, names_in(templates, arn))
        return True


class PublicAccess(_OfBucket):
    """Blocks of public access are off."""

    def __init__(self, bucket: Output, *off: str) -> None:
        """Take the bucket and the blocks, of `PUBLIC_ACCESS_BLOCKS`."""
        super().__init__(bucket)
        self.off = dict.fromkeys(off, False)

    def read(self, workshop: Workshop) -> Any:
        """Return the four switches."""
        return workshop.client("s3").get_public_access_block(**self.name(workshop))[
            "PublicAccessBlockConfiguration"
        ]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Set the four switches."""
        workshop.client("s3").put_public_access_block(
            PublicAccessBlockConfiguration=value, **self.name(workshop)
        )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Switch blocks off."""
        del workshop
        return {**value, **self.off}

    def in_template(self, templates: Templates) -> bool:
        """Switch them off."""
        templates.resource(self.bucket).properties["PublicAccessBlockConfiguration"].update(self.off)
        return True


class Versioning(_OfBucket):
    """Versioning is suspended: what is overwritten or deleted is gone."""

    def read(self, workshop: Workshop) -> Any:
        """Return its state."""
        return workshop.client("s3").get_bucket_versioning(**self.name(workshop))["Status"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Set its state."""
        workshop.client("s3").put_bucket_versioning(
            VersioningConfiguration={"Status": value}, **self.name(workshop)
        )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return ``Suspended``."""
        del workshop, value
        return "Suspended"

    def in_template(self, templates: Templates) -> bool:
        """Suspend it."""
        templates.resource(self.bucket).properties["VersioningConfiguration"] = {"Status": "Suspended"}
        return True


class ObjectOwnership(_OfBucket):
    """Access control lists have a say again."""

    def __init__(self, bucket: Output, ownership: str) -> None:
        """Take the bucket and ``ObjectWriter`` or ``BucketOwnerPreferred``."""
        super().__init__(bucket)
        self.rules = [{"ObjectOwnership": ownership}]

    def read(self, workshop: Workshop) -> Any:
        """Return the rules."""
        found = workshop.client("s3").get_bucket_ownership_controls(**self.name(workshop))
        return found["OwnershipControls"]["Rules"]

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the rules."""
        workshop.client("s3").put_bucket_ownership_controls(
            OwnershipControls={"Rules": value}, **self.name(workshop)
        )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other rules."""
        del workshop, value
        return self.rules

    def in_template(self, templates: Templates) -> bool:
        """Put the other rules."""
        templates.resource(self.bucket).properties["OwnershipControls"] = {"Rules": self.rules}
        return True


class AccessLogging(_OfBucket):
    """Accesses are logged elsewhere, or not at all."""

    def __init__(self, bucket: Output, target: Output | None = None) -> None:
        """Take the bucket and where its log goes; None: nowhere."""
        super().__init__(bucket)
        self.target = target

    def read(self, workshop: Workshop) -> Any:
        """Return where the log goes."""
        return workshop.client("s3").get_bucket_logging(**self.name(workshop)).get("LoggingEnabled")

    def write(self, workshop: Workshop, value: Any) -> None:
        """Send the log there."""
        status = {"LoggingEnabled": value} if value else {}
        workshop.client("s3").put_bucket_logging(BucketLoggingStatus=status, **self.name(workshop))

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return the other place."""
        return {**value, "TargetBucket": workshop.outputs.value_of(self.target)} if self.target else None

    def in_template(self, templates: Templates) -> bool:
        """Send the log there."""
        bucket = templates.resource(self.bucket)
        if self.target:
            elsewhere = templates.value(self.target, bucket.stack)
            bucket.properties["LoggingConfiguration"]["DestinationBucketName"] = elsewhere
        else:
            del bucket.properties["LoggingConfiguration"]
        return True


class Expiry(_OfBucket):
    """A lifecycle rule deletes what is in the bucket, the versions too, after a day."""

    def read(self, workshop: Workshop) -> Any:
        """Return the lifecycle rules."""
        look = workshop.client("s3").get_bucket_lifecycle_configuration
        return read_if_any(look, "NoSuchLifecycleConfiguration", "Rules", **self.name(workshop))

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the lifecycle rules, or have none."""
        s3 = workshop.client("s3")
        if value is None:
            s3.delete_bucket_lifecycle(**self.name(workshop))
        else:
            s3.put_bucket_lifecycle_configuration(
                LifecycleConfiguration={"Rules": value}, **self.name(workshop)
            )

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Add the rule."""
        del workshop
        rule = {
            "ID": "tidy-up",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": 1},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        }
        return [*(value or []), rule]

    def in_template(self, templates: Templates) -> bool:
        """Add the rule."""
        rule = {
            "Id": "tidy-up",
            "Status": "Enabled",
            "ExpirationInDays": 1,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        }
        properties = templates.resource(self.bucket).properties
        properties.setdefault("LifecycleConfiguration", {"Rules": []})["Rules"].append(rule)
        return True


class Replication(_OfBucket):
    """What is put into the bucket is copied into another one."""

    def __init__(self, bucket: Output, to: Output) -> None:
        """Take the two buckets."""
        super().__init__(bucket)
        self.to = to

    def read(self, workshop: Workshop) -> Any:
        """Return the configuration; None: there is none."""
        look, absent = workshop.client("s3").get_bucket_replication, "ReplicationConfigurationNotFoundError"
        return read_if_any(look, absent, "ReplicationConfiguration", **self.name(workshop))

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the configuration, or have none."""
        s3 = workshop.client("s3")
        if value is None:
            s3.delete_bucket_replication(**self.name(workshop))
        else:
            s3.put_bucket_replication(ReplicationConfiguration=value, **self.name(workshop))

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Return a rule for everything."""
        del value
        target = f"arn:{workshop.partition}:s3:::{workshop.outputs.value_of(self.to)}"
        return _copying(workshop.role_arn(Persona.STORAGE_OPERATOR), target)

    def in_template(self, templates: Templates) -> bool:
        """Add a rule for everything."""
        target = {"Fn::GetAtt": [templates.resource(self.to).logical_id, "Arn"]}
        properties = templates.resource(self.bucket).properties
        role = templates.role_arn(Persona.STORAGE_OPERATOR)
        properties["ReplicationConfiguration"] = _copying(role, target, Id="Id")
        return True


def _copying(role: Any, target: Any, **names: str) -> Any:
    """A configuration that copies everything; CloudFormation calls a rule's ``ID`` ``Id``."""
    rule = {
        names.get("Id", "ID"): "copy",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": target},
    }
    return {"Role": role, "Rules": [rule]}
