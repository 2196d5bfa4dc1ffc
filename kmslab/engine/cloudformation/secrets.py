"""AWS::SecretsManager::Secret and AWS::SecretsManager::ResourcePolicy, through the Secrets Manager API.

MiniStack's own provisioner names a secret where AWS gives its ARN (``Ref``), stores the value without
asking KMS, and draws passwords from a generator that is not made for secrets.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.services import secretsmanager

from kmslab.engine.cloudformation.resources import call, document, register, tag_changes

if TYPE_CHECKING:
    from kmslab.engine.cloudformation.resources import Place, Properties, Provisioned

IN_TEMPLATE_ONLY = ("SecretStringTemplate", "GenerateStringKey")
"""Members of GenerateSecretString that GetRandomPassword does not have."""


def _secret_string(properties: Properties) -> str:
    generated = properties.get("GenerateSecretString")
    if generated is None:
        return str(properties.get("SecretString", ""))
    wanted = {name: value for name, value in generated.items() if name not in IN_TEMPLATE_ONLY}
    password = str(call(secretsmanager._get_random_password, wanted)["RandomPassword"])
    if "SecretStringTemplate" not in generated:
        return password
    return json.dumps(
        json.loads(generated["SecretStringTemplate"]) | {generated["GenerateStringKey"]: password}
    )


class Secret:
    """A secret; KMS decides whether CloudFormation's role may use its key."""

    def create(self, place: Place, properties: Properties) -> Provisioned:
        """CreateSecret."""
        wanted: dict[str, Any] = {
            "Name": properties.get("Name") or place.generated_name(),
            "SecretString": _secret_string(properties),
            "Description": properties.get("Description", ""),
            "Tags": properties.get("Tags"),
            "KmsKeyId": properties.get("KmsKeyId"),
        }
        return _provisioned(call(secretsmanager._create_secret, wanted)["ARN"])

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """UpdateSecret; a changed value becomes a new version."""
        wanted: dict[str, Any] = {"SecretId": physical_id}
        for name, default in (("Description", ""), ("KmsKeyId", None)):
            if new.get(name) != old.get(name):
                wanted[name] = new.get(name, default)
        if any(new.get(name) != old.get(name) for name in ("SecretString", "GenerateSecretString")):
            wanted["SecretString"] = _secret_string(new)
        call(secretsmanager._update_secret, wanted)
        changed, removed = tag_changes(old, new)
        call(secretsmanager._untag_resource, {"SecretId": physical_id, "TagKeys": removed})
        tags = [{"Key": key, "Value": value} for key, value in changed.items()]
        call(secretsmanager._tag_resource, {"SecretId": physical_id, "Tags": tags})
        return _provisioned(physical_id)

    def delete(self, physical_id: str, _properties: Properties) -> None:
        """DeleteSecret without a recovery window, as CloudFormation does."""
        wanted = {"SecretId": physical_id, "ForceDeleteWithoutRecovery": True}
        call(secretsmanager._delete_secret, wanted, missing_is_fine=True)


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
        """DeleteResourcePolicy."""
        request = {"SecretId": properties["SecretId"]}
        call(secretsmanager._delete_resource_policy, request, missing_is_fine=True)

    def _put(self, properties: Properties) -> Provisioned:
        wanted = {
            "SecretId": properties["SecretId"],
            "ResourcePolicy": document(properties["ResourcePolicy"]),
            "BlockPublicPolicy": properties.get("BlockPublicPolicy", False),
        }
        arn = str(call(secretsmanager._put_resource_policy, wanted)["ARN"])
        return arn, {"Id": arn}


def install() -> None:
    """Serve both types."""
    register("AWS::SecretsManager::Secret", Secret(), replaced_by=("Name",), tags=True)
    register("AWS::SecretsManager::ResourcePolicy", ResourcePolicy(), replaced_by=("SecretId",))
