"""AWS::KMS::Key, AWS::KMS::ReplicaKey and AWS::KMS::Alias, through the KMS API as CloudFormation's role.

So the lockout safety check, the key policy and the role's own policies decide, and a template that AWS would
refuse is refused with KMS's words in the stack's event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization.caller import CALLER
from kmslab.engine.cloudformation.resources import document, register, tag_changes, true
from kmslab.engine.kms import records, service, transitions
from kmslab.engine.kms.errors import KmsError

if TYPE_CHECKING:
    from kmslab.engine.cloudformation.resources import Place, Properties, Provisioned

DEFAULT_WINDOW = 30
DEFAULT_PERIOD = 365
ROTATION = ("EnableKeyRotation", "RotationPeriodInDays")
IMMUTABLE = {
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyUsage": "ENCRYPT_DECRYPT",
    "Origin": "AWS_KMS",
    "MultiRegion": False,
}
"""Properties, with their defaults, that no update may change, so that nobody loses a key by a slip (AWS CloudFormation
Template Reference, "AWS::KMS::Key", read 2026-11-22)."""


def _kms(operation: str, **parameters: Any) -> dict[str, Any]:
    """Call KMS as CloudFormation does.

    Raises:
        ValueError: ``Code: message``.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        return service.perform(operation, given, access_key=CALLER.get(), via_service="cloudformation")
    except KmsError as error:
        refusal = error.refusal
        raise ValueError(f"{refusal.message} (Service: Kms, Error Code: {refusal.code})") from error


def _tags(properties: Properties) -> list[dict[str, str]]:
    """The template's tags and the stack's in KMS's spelling.

    A key has none of the three ``aws:cloudformation:`` tags that other resources get
    (cloudformation-coverage-roadmap#2341; recorded from AWS in LocalStack's ``test_aws_kms_key.snapshot.json``, 2026).
    """
    return [
        {"TagKey": tag["Key"], "TagValue": str(tag["Value"])}
        for tag in properties.get("Tags") or ()
        if not tag["Key"].startswith("aws:")
    ]


def _policy(properties: Properties) -> str | None:
    return document(properties["KeyPolicy"]) if "KeyPolicy" in properties else None


def _attributes(key_id: str) -> dict[str, Any]:
    return {"Arn": records.require(key_id)["Arn"], "KeyId": key_id}


def _reconcile(key_id: str, old: Properties, new: Properties) -> None:
    """Bring what both kinds of key share to the template: policy, description, tags, state."""
    if new.get("KeyPolicy") != old.get("KeyPolicy"):
        _kms("PutKeyPolicy", KeyId=key_id, Policy=_policy(new), BypassPolicyLockoutSafetyCheck=_bypass(new))
    if new.get("Description", "") != old.get("Description", ""):
        _kms("UpdateKeyDescription", KeyId=key_id, Description=new.get("Description", ""))
    changed, removed = tag_changes(old, new)
    if removed:
        _kms("UntagResource", KeyId=key_id, TagKeys=removed)
    if changed:
        pairs = [{"Key": key, "Value": value} for key, value in changed.items()]
        _kms("TagResource", KeyId=key_id, Tags=_tags({"Tags": pairs}))
    _enable(key_id, old, new)


def _enable(key_id: str, old: Properties, new: Properties) -> None:
    before, after = true(old.get("Enabled", True)), true(new.get("Enabled", True))
    if before != after:
        _kms("EnableKey" if after else "DisableKey", KeyId=key_id)


def _bypass(properties: Properties) -> bool | None:
    return True if true(properties.get("BypassPolicyLockoutSafetyCheck", False)) else None


def _delete(key_id: str, properties: Properties) -> None:
    key = records.resolve(key_id)
    if key and key["KeyState"] not in ("PendingDeletion", "PendingReplicaDeletion"):
        window = int(properties.get("PendingWindowInDays", DEFAULT_WINDOW))
        _kms("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=window)


class Key:
    """A KMS key as the template says, made and changed by CloudFormation's role."""

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """CreateKey, EnableKeyRotation, DisableKey; a key that cannot be completed is scheduled for deletion."""
        made = _kms(
            "CreateKey",
            **{name: properties.get(name) for name in ("KeySpec", "KeyUsage", "Origin", "Description")},
            MultiRegion=true(properties.get("MultiRegion", False)) or None,
            Policy=_policy(properties),
            BypassPolicyLockoutSafetyCheck=_bypass(properties),
            Tags=_tags(properties) or None,
        )
        key_id = str(made["KeyMetadata"]["KeyId"])
        try:
            self._rotate(key_id, {}, properties)
            _enable(key_id, {}, properties)
        except ValueError:
            _delete(key_id, properties)
            raise
        return key_id, _attributes(key_id)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Policy, description, tags, state and rotation; another value of the rest fails the update."""
        for name, default in IMMUTABLE.items():
            if str(old.get(name, default)).lower() != str(new.get(name, default)).lower():
                raise ValueError(f"You cannot change the {name} property of an existing KMS key.")
        _reconcile(physical_id, old, new)
        self._rotate(physical_id, old, new)
        return physical_id, _attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """ScheduleKeyDeletion with the template's window."""
        _delete(physical_id, properties)

    def _rotate(self, key_id: str, old: Properties, new: Properties) -> None:
        if all(new.get(name) == old.get(name) for name in ROTATION):
            return
        if true(new.get("EnableKeyRotation", False)):
            period = int(new.get("RotationPeriodInDays", DEFAULT_PERIOD))
            _kms("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=period)
        elif "RotationPeriodInDays" in new:
            raise ValueError(
                "You can't specify the RotationPeriodInDays property unless EnableKeyRotation is true."
            )
        elif true(old.get("EnableKeyRotation", False)):
            _kms("DisableKeyRotation", KeyId=key_id)


class ReplicaKey:
    """A replica, in the stack's Region, of a multi-Region primary in another."""

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """ReplicateKey, called in the primary's Region."""
        from ministack.core.responses import get_account_id, get_region, request_scope

        primary, here = str(properties["PrimaryKeyArn"]), get_region()
        with request_scope(get_account_id(), primary.split(":")[3]):
            made = _kms(
                "ReplicateKey",
                KeyId=primary,
                ReplicaRegion=here,
                Policy=_policy(properties),
                Description=properties.get("Description"),
                Tags=_tags(properties) or None,
            )
        key_id = str(made["ReplicaKeyMetadata"]["KeyId"])
        transitions.finish(records.require(key_id))
        _enable(key_id, {}, properties)
        return key_id, _attributes(key_id)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """Policy, description, tags and state; another primary replaces the replica."""
        _reconcile(physical_id, old, new)
        return physical_id, _attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """ScheduleKeyDeletion with the template's window."""
        _delete(physical_id, properties)


class Alias:
    """An alias, which may move to another key but never keeps one alive."""

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """CreateAlias."""
        name = str(properties["AliasName"])
        _kms("CreateAlias", AliasName=name, TargetKeyId=properties["TargetKeyId"])
        return name, {}

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """UpdateAlias."""
        if new["TargetKeyId"] != old["TargetKeyId"]:
            _kms("UpdateAlias", AliasName=physical_id, TargetKeyId=new["TargetKeyId"])
        return physical_id, {}

    def delete(self, physical_id: str, _properties: Properties) -> None:
        """DeleteAlias."""
        if records.resolve(physical_id):
            _kms("DeleteAlias", AliasName=physical_id)


def install() -> None:
    """Serve the three types."""
    register("AWS::KMS::Key", Key(), tags=True)
    register("AWS::KMS::ReplicaKey", ReplicaKey(), replaced_by=("PrimaryKeyArn",), tags=True)
    register("AWS::KMS::Alias", Alias(), replaced_by=("AliasName",))
