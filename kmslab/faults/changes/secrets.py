"""What can be changed about the lab's secrets and its SecureString."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

from kmslab.faults.change import NothingSaved
from kmslab.faults.changes.objects import discard_keys, make_key
from kmslab.faults.changes.setting import Setting
from kmslab.faults.changes.statements import edited, names, names_in
from kmslab.model.naming import PREFIX_TAG, secure_string_name
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.changes.statements import Edit
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop
    from kmslab.model.outputs import Output

MANAGED_KEY = "alias/aws/secretsmanager"
WINDOW_DAYS = 7


class SecretKey:
    """A secret is encrypted under another key."""

    def __init__(self, secret: Output, foreign_key: str = "") -> None:
        """Say which.

        Args:
            secret: the output that names the secret.
            foreign_key: a name for a key made for it, which no two faults share; empty: the AWS managed key.
        """
        self.secret = secret
        self.foreign_key = foreign_key

    def save(self, workshop: Workshop) -> Json:
        """Read the key."""
        secret = workshop.outputs.value_of(self.secret)
        return {"key": workshop.client("secretsmanager").describe_secret(SecretId=secret)["KmsKeyId"]}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Encrypt the secret under the other key."""
        del saved
        self._put(workshop, make_key(workshop, self.foreign_key) if self.foreign_key else MANAGED_KEY)

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Encrypt it under the old key again."""
        self._put(workshop, saved["key"])
        if self.foreign_key:
            discard_keys(workshop, self.foreign_key)

    def in_template(self, templates: Templates) -> bool:
        """Name no key; a foreign one has no name there."""
        if not self.foreign_key:
            del templates.resource(self.secret).properties["KmsKeyId"]
        return not self.foreign_key

    def _put(self, workshop: Workshop, key: str) -> None:
        secret = workshop.outputs.value_of(self.secret)
        workshop.client("secretsmanager").update_secret(SecretId=secret, KmsKeyId=key)
        if secret == workshop.outputs.app_secret:
            _write_again(workshop, secret)


def _write_again(workshop: Workshop, secret: str) -> None:
    """Have both labelled versions under the secret's key alone.

    A version that is there when the key changes can still be opened with the key before (Secrets Manager
    User Guide, "Change the encryption key"): only a new version is not.
    """
    owner, operator = (
        workshop.client("secretsmanager", persona=who) for who in (Persona.DATA_OWNER, Persona.OPERATOR)
    )
    value = owner.get_secret_value(SecretId=secret)["SecretString"]
    for _ in ("AWSPREVIOUS", "AWSCURRENT"):
        operator.put_secret_value(SecretId=secret, SecretString=value)


class SecretPolicy(Setting):
    """The application's secret has a resource policy with other statements, or none."""

    def __init__(self, *edits: Edit) -> None:
        """Take the edits; none: there is no policy."""
        self.edits = edits

    def read(self, workshop: Workshop) -> Any:
        """Return the policy."""
        found = workshop.client("secretsmanager").get_resource_policy(SecretId=workshop.outputs.app_secret)
        return json.loads(found["ResourcePolicy"]) if found.get("ResourcePolicy") else None

    def write(self, workshop: Workshop, value: Any) -> None:
        """Put the policy, or delete it."""
        manager, secret = workshop.client("secretsmanager"), workshop.outputs.app_secret
        if value is None:
            manager.delete_resource_policy(SecretId=secret)
        else:
            manager.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(value))

    def broken(self, workshop: Workshop, value: Any) -> Any:
        """Edit its statements."""
        if not self.edits:
            return None
        return edited(value, self.edits, names(workshop, workshop.outputs.app_secret))

    def in_template(self, templates: Templates) -> bool:
        """Edit the statements of its AWS::SecretsManager::ResourcePolicy, or remove that."""
        policy = templates.about(LabOutputs.app_secret, "AWS::SecretsManager::ResourcePolicy", "SecretId")
        if not self.edits:
            del templates.by_stack[policy.stack]["Resources"][policy.logical_id]
        words = names_in(templates, {"Ref": templates.resource(LabOutputs.app_secret).logical_id})
        edited(policy.properties["ResourcePolicy"], self.edits, words)
        return True


class SecretDeletion(NothingSaved):
    """A secret is scheduled for deletion: whoever asks for it is refused at once."""

    def __init__(self, secret: Output) -> None:
        self.secret = secret

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Schedule it."""
        del saved
        secret = workshop.outputs.value_of(self.secret)
        workshop.client("secretsmanager").delete_secret(SecretId=secret, RecoveryWindowInDays=WINDOW_DAYS)

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Cancel it, if it is scheduled."""
        del saved
        manager, secret = workshop.client("secretsmanager"), workshop.outputs.value_of(self.secret)
        if "DeletedDate" in manager.describe_secret(SecretId=secret):
            manager.restore_secret(SecretId=secret)


class SecureString:
    """The lab's SecureString is something else: a plain String, or under the AWS managed key aws/ssm.

    Its value is random and nobody's: the repair makes a new one, as ``kmslab up`` does.
    """

    def __init__(self, kind: str, *, managed_key: bool = False) -> None:
        """Take the parameter's type; a SecureString is under the AWS managed key or under the lab's."""
        self.kind = kind
        self.managed_key = managed_key

    def save(self, workshop: Workshop) -> Json:
        """Read its description; its value stays where it is."""
        wanted = [{"Key": "Name", "Option": "Equals", "Values": [secure_string_name(workshop.prefix)]}]
        (found,) = workshop.client("ssm").describe_parameters(ParameterFilters=wanted)["Parameters"]
        return {"Description": found["Description"], "KeyId": found["KeyId"], "Type": found["Type"]}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Make it anew."""
        key = {} if self.managed_key or self.kind == "String" else {"KeyId": saved["KeyId"]}
        self._make(workshop, {"Description": saved["Description"], "Type": self.kind, **key})

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Make it anew, as it was."""
        self._make(workshop, saved)

    def in_template(self, templates: Templates) -> bool:
        """CloudFormation cannot make SecureStrings."""
        del templates
        return False

    @staticmethod
    def _make(workshop: Workshop, described: Json) -> None:
        ssm, name = workshop.client("ssm"), secure_string_name(workshop.prefix)
        ssm.delete_parameters(Names=[name])
        tags = [{"Key": PREFIX_TAG, "Value": workshop.prefix}]
        ssm.put_parameter(Name=name, Value=secrets.token_urlsafe(24), Tags=tags, **described)
