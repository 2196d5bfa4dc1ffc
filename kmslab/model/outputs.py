"""The only contract between stacks and checks: CloudFormation outputs, each named once."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class LabStack(StrEnum):
    """The stacks, in deployment order. The CloudFormation stack is ``<prefix>-<value>``."""

    KEYS = "keys"
    IDENTITY = "identity"
    STORAGE = "storage"
    VOLUMES = "volumes"
    SECRETS = "secrets"
    AUDIT = "audit"
    NETWORK = "network"


class Output:
    """One output: on the class it is itself, on an instance it is the deployed value.

    Attributes:
        stack: the stack that exports it.
        description: what a learner reads in the console.
        optional: whether the settings can leave it out; then its value may be the empty string.
        name: the attribute's name; ``logical_id`` is the same in CloudFormation's PascalCase.
    """

    def __init__(self, stack: LabStack, description: str, *, optional: bool = False) -> None:
        self.stack = stack
        self.description = description
        self.optional = optional
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def logical_id(self) -> str:
        """The logical id of the output: ``data_bucket`` is ``DataBucket``."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @overload
    def __get__(self, instance: None, owner: type) -> Output: ...
    @overload
    def __get__(self, instance: LabOutputs, owner: type) -> str: ...
    def __get__(self, instance: LabOutputs | None, owner: type) -> Output | str:
        """Return itself on the class, the deployed value on an instance."""
        return self if instance is None else instance.value_of(self)


def _key(description: str, *, optional: bool = False) -> Output:
    return Output(LabStack.KEYS, f"ARN of the {description}", optional=optional)


def _role(description: str) -> Output:
    return Output(LabStack.IDENTITY, f"ARN of the role of the {description}")


class LabOutputs:
    """Every output of the deployed lab, by name.

    Raises:
        KeyError: naming the outputs that are missing, from the constructor.
    """

    key_s3 = _key("key for S3 objects")
    key_ebs = _key("key for EBS volumes")
    key_secrets = _key("key for Secrets Manager and SSM SecureString")
    key_trail = _key("key for CloudTrail and the alarm topic")
    key_app = _key("key for direct and envelope encryption")
    key_imported = _key("key for imported key material (Origin EXTERNAL)")
    key_signing = _key("ECC_NIST_P256 signing key")
    key_rsa = _key("RSA_4096 encryption key")
    key_agreement = _key("ECC_NIST_P256 key agreement key")
    key_mac = _key("HMAC_256 key")
    key_pq = _key("ML_DSA_65 signing key")
    key_global = _key("multi-Region primary key", optional=True)

    admin_user = Output(LabStack.IDENTITY, "Name of the IAM admin user")
    admin_password_secret = Output(
        LabStack.IDENTITY, "ARN of the secret with the admin user's first password"
    )
    admin_boundary = Output(LabStack.IDENTITY, "ARN of the admin user's permissions boundary")
    role_key_administrator = _role("key administrator")
    role_data_owner = _role("data owner")
    role_data_reader = _role("data reader")
    role_storage_operator = _role("storage operator")
    role_signer = _role("signer")
    role_auditor = _role("auditor")
    role_outsider = _role("outsider")

    data_bucket = Output(LabStack.STORAGE, "Bucket under the lab's key, with a Bucket Key")
    access_log_bucket = Output(LabStack.STORAGE, "Bucket for server access logs (SSE-S3)")
    sse_s3_bucket = Output(LabStack.STORAGE, "Comparison bucket under an AWS owned key (SSE-S3)")
    aws_managed_bucket = Output(LabStack.STORAGE, "Comparison bucket under the AWS managed key aws/s3")
    dsse_bucket = Output(LabStack.STORAGE, "Comparison bucket with dual-layer encryption (DSSE-KMS)")

    data_volume = Output(LabStack.VOLUMES, "Id of the encrypted gp3 volume")
    instance = Output(LabStack.VOLUMES, "Id of the instance that mounts the volume", optional=True)

    app_secret = Output(LabStack.SECRETS, "ARN of the secret under its own key")

    trail = Output(LabStack.AUDIT, "ARN of the CloudTrail trail")
    trail_bucket = Output(LabStack.AUDIT, "Bucket of the trail's log files")
    alarm_rule = Output(LabStack.AUDIT, "Name of the EventBridge rule for dangerous key operations")
    alarm_topic = Output(LabStack.AUDIT, "ARN of the encrypted SNS topic that the rule notifies")

    vpc = Output(LabStack.NETWORK, "Id of the VPC without internet access", optional=True)
    kms_endpoint = Output(LabStack.NETWORK, "Id of the KMS interface endpoint", optional=True)
    s3_endpoint = Output(LabStack.NETWORK, "Id of the S3 gateway endpoint", optional=True)

    def __init__(self, values: Mapping[str, str]) -> None:
        """Take the deployed values by attribute name; unknown names are ignored."""
        missing = [o.name for o in self.all() if not o.optional and not values.get(o.name)]
        if missing:
            raise KeyError(", ".join(missing))
        self._values = dict(values)

    def value_of(self, output: Output) -> str:
        """Return the deployed value, the empty string for an optional output that is not deployed."""
        return self._values.get(output.name, "")

    @classmethod
    def all(cls) -> Iterator[Output]:
        """Every output, in the order of the stacks."""
        members: Mapping[str, Any] = vars(cls)
        return (member for member in members.values() if isinstance(member, Output))
