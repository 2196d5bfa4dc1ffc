"""AWS::SecretsManager::Secret and AWS::SecretsManager::ResourcePolicy, through the Secrets Manager API.

MiniStack's own provisioner names a secret where AWS gives its ARN (``Ref``), stores the value without
asking KMS, and draws passwords from a generator that is not made for secrets.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.core.responses import new_uuid

from kmslab.engine.cloudformation.resources import document, register, tag_changes
from kmslab.engine.secretsmanager import records, service
from kmslab.engine.secretsmanager.errors import SecretsError

if TYPE_CHECKING:
    from kmslab.engine.cloudformation.resources import Place, Properties, Provisioned

IN_TEMPLATE_ONLY = ("SecretStringTemplate", "GenerateStringKey")
"""Members of GenerateSecretString that GetRandomPassword does not have."""


def _call(operation: str, **members: Any) -> dict[str, Any]:
    """Call Secrets Manager as CloudFormation's role.

    Raises:
        ValueError: ``message (Service: SecretsManager, Error Code: code)``.
    """
    given = {name: value for name, value in members.items() if value is not None}
    try:
        return service.perform(operation, given)
    except SecretsError as error:
        found = f"{error.message} (Service: SecretsManager, Error Code: {error.code})"
        raise ValueError(found) from error


def _secret_string(properties: Properties) -> str | None:
    """The value that the template gives or has made; None for a secret without one."""
    generated = properties.get("GenerateSecretString")
    if generated is None:
        value = properties.get("SecretString")
        return None if value is None else str(value)
    wanted = {name: value for name, value in generated.items() if name not in IN_TEMPLATE_ONLY}
    password = str(
        _call("GetRandomPassword", **{name: _typed(value) for name, value in wanted.items()})[
            "RandomPassword"
        ]
    )
    if "SecretStringTemplate" not in generated:
        return password
    return json.dumps(
        json.loads(generated["SecretStringTemplate"]) | {generated["GenerateStringKey"]: password}
    )


def _replicate(physical_id: str, old: Properties, new: Properties) -> None:
    """Bring the replicas to the template; a secret that is gone has none."""
    before, after = (
        {one["Region"]: one for one in properties.get("ReplicaRegions") or ()} for properties in (old, new)
    )
    if removed := sorted(before.keys() - after.keys()) if records.look_up(physical_id) else []:
        _call("RemoveRegionsFromReplication", SecretId=physical_id, RemoveReplicaRegions=removed)
    if added := [one for region, one in after.items() if one != before.get(region)]:
        _call("ReplicateSecretToRegions", SecretId=physical_id, AddReplicaRegions=added)


def _typed(value: Any) -> Any:
    """A template's words for numbers and booleans as the API has them."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _tags(properties: Properties) -> list[dict[str, str]] | None:
    return [{"Key": tag["Key"], "Value": str(tag["Value"])} for tag in properties.get("Tags") or ()] or None


class Secret:
    """A secret; KMS decides whether CloudFormation's role may use its key."""

    def create(self, place: Place, properties: Properties) -> Provisioned:
        """CreateSecret."""
        made = _call(
            "CreateSecret",
            Name=properties.get("Name") or place.generated_name(),
            ClientRequestToken=new_uuid(),
            SecretString=_secret_string(properties),
            Description=properties.get("Description"),
            Tags=_tags(properties),
            KmsKeyId=properties.get("KmsKeyId"),
            AddReplicaRegions=properties.get("ReplicaRegions"),
        )
        return _provisioned(made["ARN"])

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """UpdateSecret; a changed value becomes a new version."""
        changed_value = any(new.get(n) != old.get(n) for n in ("SecretString", "GenerateSecretString"))
        changed = {n: new.get(n, "") for n in ("Description", "KmsKeyId") if new.get(n) != old.get(n)}
        if "Description" not in new:
            # One that the template no longer tells stays (LocalStack's test_aws_secretsmanager_secret.snapshot.json).
            changed.pop("Description", None)
        value = _secret_string(new) if changed_value else None
        if changed or value is not None:
            _call(
                "UpdateSecret",
                SecretId=physical_id,
                ClientRequestToken=new_uuid(),
                SecretString=value,
                **changed,
            )
        tags, removed = tag_changes(old, new)
        if removed:
            _call("UntagResource", SecretId=physical_id, TagKeys=removed)
        if tags:
            pairs = [{"Key": key, "Value": text} for key, text in tags.items()]
            _call("TagResource", SecretId=physical_id, Tags=pairs)
        _replicate(physical_id, old, new)
        return _provisioned(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        """DeleteSecret without a recovery window, as CloudFormation does, after its replicas."""
        _replicate(physical_id, properties, {})
        _call("DeleteSecret", SecretId=physical_id, ForceDeleteWithoutRecovery=True)


def _provisioned(arn: str) -> Provisioned:
    return arn, {"Id": arn}


class ResourcePolicy:
    """The resource policy of a secret; its physical id is the secret's ARN."""

    def create(self, _place: Place, properties: Properties) -> Provisioned:
        """PutResourcePolicy."""
        return self._put(properties)

    def update(self, _physical_id: str, _old: Properties, new: Properties) -> Provisioned:
        """PutResourcePolicy."""
        return self._put(new)

    def delete(self, _physical_id: str, properties: Properties) -> None:
        """DeleteResourcePolicy; the secret may be gone already."""
        try:
            service.perform("DeleteResourcePolicy", {"SecretId": properties["SecretId"]})
        except SecretsError as error:
            if error.code != "ResourceNotFoundException":
                raise ValueError(error.message) from error

    def _put(self, properties: Properties) -> Provisioned:
        made = _call(
            "PutResourcePolicy",
            SecretId=properties["SecretId"],
            ResourcePolicy=document(properties["ResourcePolicy"]),
            BlockPublicPolicy=_typed(properties.get("BlockPublicPolicy", False)),
        )
        return made["ARN"], {"Id": made["ARN"]}


def install() -> None:
    """Serve both types."""
    register("AWS::SecretsManager::Secret", Secret(), replaced_by=("Name",), tags=True)
    register("AWS::SecretsManager::ResourcePolicy", ResourcePolicy(), replaced_by=("SecretId",))
