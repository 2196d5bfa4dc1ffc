"""What a request on a KMS key looks like to a policy, and the grants of a key.

Sources: service authorization reference, "Condition keys for AWS KMS"; KMS Developer Guide, "AWS KMS
condition keys", "Permissions reference" and "Grants in AWS KMS"; API reference, CreateGrant and ListGrants.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmslab.authorization.model import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kmslab.authorization.model import ConditionKeys

CROSS_ACCOUNT = frozenset(
    {
        "CreateGrant",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetKeyLastUsage",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "ReEncryptFrom",
        "ReEncryptTo",
        "RetireGrant",
        "RevokeGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""Permissions that reach another account's key (KMS Developer Guide, "Permissions reference")."""

SYMMETRIC_OPERATIONS = frozenset(
    {
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptFrom",
        "ReEncryptTo",
    }
)
"""Grant operations of symmetric encryption keys: those that take an encryption context."""

_NO_VIA_SERVICE = frozenset({"cloudformation"})
"""Services that call for their caller but are no value of ``kms:ViaService``."""

_CONTEXT = "kms:encryptioncontext:"

_PARAMETERS = {
    "BypassPolicyLockoutSafetyCheck": "kms:BypassPolicyLockoutSafetyCheck",
    "EncryptionAlgorithm": "kms:EncryptionAlgorithm",
    "ExpirationModel": "kms:ExpirationModel",
    "GranteePrincipal": "kms:GranteePrincipal",
    "GranteeServicePrincipal": "kms:GranteeServicePrincipal",
    "KeyAgreementAlgorithm": "kms:KeyAgreementAlgorithm",
    "KeyPairSpec": "kms:DataKeyPairSpec",
    "MacAlgorithm": "kms:MacAlgorithm",
    "MessageType": "kms:MessageType",
    "Operations": "kms:GrantOperations",
    "PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays",
    "PrimaryRegion": "kms:PrimaryRegion",
    "ReplicaRegion": "kms:ReplicaRegion",
    "RetiringPrincipal": "kms:RetiringPrincipal",
    "RetiringServicePrincipal": "kms:RetiringServicePrincipal",
    "RotationPeriodInDays": "kms:RotationPeriodInDays",
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "ValidTo": "kms:ValidTo",
    "WrappingAlgorithm": "kms:WrappingAlgorithm",
    "WrappingKeySpec": "kms:WrappingKeySpec",
}
"""Request parameter to condition key."""

_DEFAULTS: dict[str, dict[str, Any]] = {
    "CreateKey": {
        "kms:BypassPolicyLockoutSafetyCheck": False,
        "kms:KeyOrigin": "AWS_KMS",
        "kms:KeySpec": "SYMMETRIC_DEFAULT",
        "kms:KeyUsage": "ENCRYPT_DECRYPT",
        "kms:MultiRegion": False,
    },
    "PutKeyPolicy": {"kms:BypassPolicyLockoutSafetyCheck": False},
    "ReplicateKey": {"kms:BypassPolicyLockoutSafetyCheck": False},
    "CreateGrant": {"kms:GrantIsForAWSResource": False},
    "ListGrants": {"kms:GrantIsForAWSResource": False},
    "RevokeGrant": {"kms:GrantIsForAWSResource": False},
    "ScheduleKeyDeletion": {"kms:ScheduleKeyDeletionPendingWindowInDays": 30},
    "Sign": {"kms:MessageType": "RAW"},
    "Verify": {"kms:MessageType": "RAW"},
    "Encrypt": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "Decrypt": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"},
    "ImportKeyMaterial": {"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"},
}
"""Operation to the keys that have a value although the request does not give it."""

_NEW_KEY = {
    "CustomerMasterKeySpec": "kms:KeySpec",
    "KeySpec": "kms:KeySpec",
    "KeyUsage": "kms:KeyUsage",
    "MultiRegion": "kms:MultiRegion",
    "Origin": "kms:KeyOrigin",
}
"""CreateKey's parameters that describe the key to be."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant of a KMS key.

    Attributes:
        grant_id: its id.
        grantee: ARN of the principal that may use the key, or the name of a service.
        operations: what it may do: ``Decrypt``, ``CreateGrant``.
        name: its friendly name; may be empty.
        encryption_context_equals: the only encryption context allowed; None for any.
        encryption_context_subset: pairs that the encryption context must have.
        source_arn: what ``aws:SourceArn`` must be; empty for any.
    """

    grant_id: str
    grantee: str
    operations: tuple[str, ...]
    name: str = ""
    encryption_context_equals: Mapping[str, str] | None = None
    encryption_context_subset: Mapping[str, str] = field(default_factory=dict)
    source_arn: str = ""

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Grant:
        """Read an entry of ListGrants."""
        constraints = entry.get("Constraints") or {}
        return cls(
            grant_id=str(entry["GrantId"]),
            grantee=str(entry.get("GranteePrincipal") or entry.get("GranteeServicePrincipal") or ""),
            operations=tuple(entry["Operations"]),
            name=str(entry.get("Name") or ""),
            encryption_context_equals=constraints.get("EncryptionContextEquals"),
            encryption_context_subset=constraints.get("EncryptionContextSubset") or {},
            source_arn=str(constraints.get("SourceArn") or ""),
        )

    def _widened_by(self, child: ConditionKeys, context: Mapping[str, str]) -> str:
        """What a grant to be would allow beyond this one, whose CreateGrant it rests on; empty for nothing.

        Source: KMS Developer Guide, "Granting CreateGrant permission".
        """
        wanted = child.get("kms:grantoperations", ())
        operations = {wanted} if isinstance(wanted, str) else set(wanted)
        if wider := operations - set(self.operations):
            return f"the new grant must not allow {', '.join(sorted(wider))}"
        if self.source_arn and child.get("kms:grantconstraintsourcearn") != self.source_arn:
            return f"the new grant must be for the same aws:SourceArn, {self.source_arn}"
        kind = child.get("kms:grantconstrainttype")
        if self.encryption_context_equals is not None and not (
            kind == "EncryptionContextEquals" and context == dict(self.encryption_context_equals)
        ):
            return f"the new grant must have EncryptionContextEquals {_pairs(self.encryption_context_equals)}"
        if not self.encryption_context_subset.items() <= context.items():
            return f"the new grant's constraint must have {_pairs(self.encryption_context_subset)}"
        return ""

    @property
    def label(self) -> str:
        """What people call the grant: its name, or the start of its id."""
        return f"grant {self.name or self.grant_id[:8]}"

    def covers(self, action: str) -> bool:
        """Whether the grant speaks about the action (``kms:Decrypt``)."""
        service, _, operation = action.partition(":")
        return service.lower() == "kms" and operation in self.operations

    def broken_constraint(self, action: str, keys: ConditionKeys) -> str:
        """The first constraint that a request does not meet; empty when it meets all.

        Encryption context constraints narrow the operations that take an encryption context, and no others.
        """
        found = {name.lower(): value for name, value in keys.items()}
        if self.source_arn and found.get("aws:sourcearn") != self.source_arn:
            return f"aws:SourceArn must be {self.source_arn}"
        if action.partition(":")[2] == "CreateGrant":
            return self._widened_by(found, encryption_context(keys))
        if action.partition(":")[2] not in SYMMETRIC_OPERATIONS:
            return ""
        context = encryption_context(keys)
        if self.encryption_context_equals is not None and context != dict(self.encryption_context_equals):
            return f"the encryption context must be {_pairs(self.encryption_context_equals)}, and no more"
        if not self.encryption_context_subset.items() <= context.items():
            return f"the encryption context must have {_pairs(self.encryption_context_subset)}"
        return ""


def kms_request(
    operation: str,
    key_arn: str,
    *,
    account: str,
    metadata: Mapping[str, Any] | None = None,
    aliases: Iterable[str] = (),
    tags: Mapping[str, str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    context: Mapping[str, str] | None = None,
    via_service: str = "",
    region: str = "",
    condition_keys: Mapping[str, Any] | None = None,
) -> Request:
    """A request on a key, with the condition keys that KMS gives to the policies.

    Args:
        operation: the permission without ``kms:``; ReEncrypt needs ReEncryptFrom and ReEncryptTo.
        key_arn: the key, or whatever the permission is on.
        account: the caller's account (``kms:CallerAccount``); empty for a service.
        metadata: KeyMetadata of DescribeKey; None when the permission is not on a key.
        aliases: names of the key's aliases: ``alias/kms-lab/app``.
        tags: the key's tags.
        parameters: the request's parameters, as boto3 takes them.
        context: the encryption context.
        via_service: the service that calls for its caller, as in its endpoint: ``s3``, ``ec2``; empty for a
            direct call.
        region: where; the key's own Region when empty.
        condition_keys: further keys, which count before all others.
    """
    keys: dict[str, Any] = {"kms:CallerAccount": account} if account else {}
    if metadata is not None:
        keys |= of_key(metadata, aliases, tags or {})
    keys |= of_encryption_context(context)
    keys |= of_route(via_service, region or key_arn.split(":")[3])
    keys |= of_parameters(operation, parameters) if parameters else _DEFAULTS.get(operation, {})
    keys |= condition_keys or {}
    return Request(f"kms:{operation}", key_arn, {name: text(value) for name, value in keys.items()})


def reaches_other_accounts(action: str) -> bool:
    """Whether the action can be allowed on another account's resource at all; KMS limits it."""
    service, _, operation = action.partition(":")
    return service.lower() != "kms" or operation in CROSS_ACCOUNT


def of_key(metadata: Mapping[str, Any], aliases: Iterable[str], tags: Mapping[str, str]) -> dict[str, Any]:
    """Condition keys that describe the key."""
    keys = {
        # Deprecated names of KeySpec and KeyUsage, evaluated all the same (KMS Developer Guide, "AWS KMS condition keys").
        "kms:CustomerMasterKeySpec": metadata.get("KeySpec"),
        "kms:CustomerMasterKeyUsage": metadata.get("KeyUsage"),
        "kms:KeyOrigin": metadata.get("Origin"),
        "kms:KeySpec": metadata.get("KeySpec"),
        "kms:KeyUsage": metadata.get("KeyUsage"),
        "kms:MultiRegion": bool(metadata.get("MultiRegion")),
        "kms:MultiRegionKeyType": (metadata.get("MultiRegionConfiguration") or {}).get("MultiRegionKeyType"),
        "kms:ResourceAliases": tuple(aliases) or None,
        **{f"aws:ResourceTag/{name}": value for name, value in tags.items()},
    }
    return {name: value for name, value in keys.items() if value is not None}


def of_encryption_context(context: Mapping[str, str] | None) -> dict[str, Any]:
    """Condition keys of an encryption context; none for an absent or empty one."""
    if not context:
        return {}
    pairs: dict[str, Any] = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    return {**pairs, "kms:EncryptionContextKeys": tuple(context)}


def encryption_context(keys: ConditionKeys) -> dict[str, str]:
    """The encryption context that the condition keys of a request tell of."""
    return {
        name[len(_CONTEXT) :]: str(value) for name, value in keys.items() if name.lower().startswith(_CONTEXT)
    }


def of_route(via_service: str, region: str) -> dict[str, Any]:
    """Condition keys that say whether a service calls for its caller, and which."""
    if not via_service:
        return {"aws:ViaAWSService": False}
    principal = f"{via_service}.amazonaws.com"
    keys: dict[str, Any] = {
        "aws:ViaAWSService": True,
        "aws:CalledVia": (principal,),
        "aws:CalledViaFirst": principal,
        "aws:CalledViaLast": principal,
    }
    if via_service not in _NO_VIA_SERVICE:
        keys["kms:ViaService"] = f"{via_service}.{region}.amazonaws.com"
    return keys


def of_parameters(operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Condition keys that follow from the operation's own parameters."""
    keys = dict(_DEFAULTS.get(operation, {}))
    names = {**_PARAMETERS, **_NEW_KEY} if operation == "CreateKey" else _PARAMETERS
    given = ((names.get(name), value) for name, value in parameters.items() if value is not None)
    keys.update((key, value) for key, value in given if key)
    keys.update(_of_constraints(parameters.get("Constraints") or {}))
    if operation in ("CreateKey", "TagResource", "ReplicateKey"):
        tags = parameters.get("Tags") or []
        keys.update({f"aws:RequestTag/{tag['TagKey']}": tag["TagValue"] for tag in tags})
        if tags:
            keys["aws:TagKeys"] = tuple(tag["TagKey"] for tag in tags)
    if operation == "UntagResource" and parameters.get("TagKeys"):
        keys["aws:TagKeys"] = tuple(parameters["TagKeys"])
    if alias := _alias_of(str(parameters.get("KeyId", ""))):
        keys["kms:RequestAlias"] = alias
    return keys


def _of_constraints(constraints: Mapping[str, Any]) -> dict[str, Any]:
    """Condition keys of the constraints of a grant to be."""
    keys: dict[str, Any] = {}
    for name, value in constraints.items():
        keys.setdefault("kms:GrantConstraintType", name)
        if name == "SourceArn":
            keys["kms:GrantConstraintSourceArn"] = value
        else:
            # The permissions reference lists both encryption context keys for CreateGrant, too.
            keys.update(of_encryption_context(value))
    return keys


def text(value: Any) -> str | tuple[str, ...]:
    """A value as policies compare it: ``true`` for True, strings for numbers, a tuple for several."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _alias_of(reference: str) -> str:
    name = reference.split(":", 5)[5] if reference.startswith("arn:") else reference
    return name if name.startswith("alias/") else ""


def _pairs(context: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in context.items())
