"""Secrets: Secrets Manager and Parameter Store encrypt under the lab's key, and ask KMS as the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.checks.policy import DENY, account_of, is_everyone, statements
from kmslab.checks.registry import check
from kmslab.checks.samples import refused_soon, soon
from kmslab.checks.shared import described as key_described
from kmslab.checks.temporary import stopped
from kmslab.checks.values import temporary_parameter, temporary_secret
from kmslab.model.capability import DECIDING, ON_BEHALF, Capability
from kmslab.model.deployers import EXECUTION_ROLE
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "11-secrets"
KEY_NOT_USABLE = frozenset(
    {"DecryptionFailure", "DecryptionFailureException", "InvalidRequestException", "AccessDeniedException"}
)
"""What Secrets Manager says when KMS says that the key is disabled. The last, "Access to KMS is not allowed",
is what it says of a missing permission too: only a success before and one after tell them apart."""
EXCEPTION = ("arnnotequals", "aws:principalarn")
WITHOUT_THE_SECRET = (
    Persona.DATA_READER,
    Persona.STORAGE_OPERATOR,
    Persona.AUDITOR,
    Persona.KEY_ADMINISTRATOR,
    Persona.OUTSIDER,
)


@check(
    guide=GUIDE,
    controls=("config:secretsmanager-using-cmk", "cdk-nag:NIST.800.53.R5-SecretsManagerUsingKMSKey"),
)
def secrets_are_under_their_own_key(lab: Lab) -> str:
    """Both secrets of the lab are encrypted under the lab's key, not under aws/secretsmanager.

    Under the AWS managed key every principal with Secrets Manager permissions can read every secret;
    a key of one's own is a second lock with its own policy. The admin user's first password is one of
    the two. This looks at their descriptions, never at their values. A secret that is scheduled for
    deletion is as good as gone: nobody can read it while it waits.
    """
    for secret in (lab.outputs.app_secret, lab.outputs.admin_password_secret):
        described = lab.read("secretsmanager:DescribeSecret", SecretId=secret)
        lab.expect("DeletedDate" not in described, f"{secret} is scheduled for deletion")
        key = described.get("KmsKeyId", "aws/secretsmanager")
        lab.expect(key == lab.outputs.key_secrets, f"{secret} is under {key}")
    return "both secrets are under the lab's key for secrets"


@check(guide=GUIDE, needs=ON_BEHALF)
def only_the_owner_reads_the_secret(lab: Lab) -> str:
    """The data owner reads the secret's value; nobody else does.

    Refused are the data reader, the storage operator, the key administrator, who manages the key that it is under, the
    auditor, who may read every configuration, and the outsider.
    """
    secret = lab.outputs.app_secret
    answer = lab.allowed(Persona.DATA_OWNER, "secretsmanager:GetSecretValue", SecretId=secret)
    lab.expect(answer.get("SecretString") or answer.get("SecretBinary"), "the secret has no value")
    for persona in WITHOUT_THE_SECRET:
        lab.refused(persona, "secretsmanager:GetSecretValue", SecretId=secret)
    return f"the data owner reads the value; {len(WITHOUT_THE_SECRET)} others are refused"


@check(guide=GUIDE, needs=DECIDING)
def key_of_secrets_opens_nothing_directly(lab: Lab) -> str:
    """Whoever may read the secret through Secrets Manager may not use its key directly.

    The identity policy of the data owner allows kms:Encrypt with both keys. The key policy of the app
    key agrees; that of the key for secrets does so for calls through its services alone (kms:ViaService).
    """
    request: dict[str, Any] = {"Plaintext": b"tea", "EncryptionContext": ENCRYPTION_CONTEXT}
    lab.allowed(Persona.DATA_OWNER, "kms:Encrypt", KeyId=lab.outputs.key_app, **request)
    lab.refused(Persona.DATA_OWNER, "kms:Encrypt", by="kms:Encrypt", KeyId=lab.outputs.key_secrets, **request)
    return "the data owner uses the key for secrets through its services alone"


@check(
    guide=GUIDE,
    controls=(
        "prowler:secretsmanager_has_restrictive_resource_policy",
        "prowler:secretsmanager_not_publicly_accessible",
    ),
)
def resource_policy_is_closed(lab: Lab) -> str:
    """The secret's resource policy denies everyone but the data owner, and allows nobody outside the account.

    Identity policies alone would leave the secret open to every administrator of the account; an
    explicit deny on the secret itself wins over all of them. CloudFormation's execution role may be
    left out of it: its resource handler reads the secret when it updates it.
    """
    answer = lab.read("secretsmanager:GetResourcePolicy", SecretId=lab.outputs.app_secret)
    found = statements(answer.get("ResourcePolicy") or "{}")
    guarded = any(
        one.effect == DENY
        and one.covers("secretsmanager:GetSecretValue")
        and any(map(is_everyone, one.principals))
        and set(one.conditions) == {EXCEPTION}
        and _only_the_owner(lab, one.conditions[EXCEPTION])
        for one in found
    )
    lab.expect(guarded, "the resource policy does not deny the value to everyone but the data owner")
    allowed = [name for one in found if one.effect != DENY for name in one.principals]
    lab.expect(not any(map(is_everyone, allowed)), "the resource policy allows everyone something")
    strangers = sorted(name for name in allowed if account_of(name) != lab.account)
    lab.expect(not strangers, f"the resource policy allows {', '.join(strangers)} something")
    return "everyone but the data owner is denied the value, and nobody outside is allowed anything"


def _only_the_owner(lab: Lab, excepted: tuple[str, ...]) -> bool:
    """Whether a denial spares the data owner, and beside them at most CloudFormation."""
    others = set(excepted) - {lab.outputs.role_data_owner}
    return len(others) < len(set(excepted)) and all(EXECUTION_ROLE.fullmatch(arn) for arn in others)


@check(guide=GUIDE, needs=ON_BEHALF | {Capability.KEY_STATES}, serial=True, changes_keys=True)
def disabled_key_locks_the_secret(lab: Lab) -> str:
    """While the key is disabled the secret's value is out of reach, for its owner as well.

    The value is there and the owner's permissions are as before; Secrets Manager cannot decrypt. Enabling
    the key brings the same value back.
    """
    before = _value(lab)
    action = "secretsmanager:GetSecretValue"
    with stopped(lab, lab.outputs.key_secrets):
        refused_soon(lab, Persona.DATA_OWNER, action, codes=KEY_NOT_USABLE, SecretId=lab.outputs.app_secret)
    lab.expect(soon(lab, lambda: _value(lab)) == before, "the value changed while the key was disabled")
    return "no value while the key was disabled, the same value once it was enabled"


@check(guide=GUIDE, needs=ON_BEHALF)
def secure_string_needs_the_key(lab: Lab) -> str:
    """A Parameter Store SecureString under the lab's key opens for the data owner alone.

    Everybody with the permission may read the parameter as ciphertext; decrypting takes the key.
    """
    value = uuid4().hex
    name = temporary_parameter(lab, value)
    wanted: dict[str, Any] = {"Name": name, "WithDecryption": True}
    opened = lab.allowed(Persona.DATA_OWNER, "ssm:GetParameter", **wanted)["Parameter"]["Value"]
    lab.expect(opened == value, "the parameter opened to something else than was stored")
    for persona in WITHOUT_THE_SECRET:
        lab.refused(persona, "ssm:GetParameter", **wanted)
    return f"the data owner opens the parameter; {len(WITHOUT_THE_SECRET)} others are refused"


@check(guide=GUIDE, needs={Capability.KEYS_OF_VERSIONS})
def every_version_is_under_the_key(lab: Lab) -> str:
    """Every version of a secret that has a label is under the secret's key, not only the current one.

    A new value is a new version. The one before it keeps its label (AWSPREVIOUS), can still be read,
    and is under the same key. The versions of the lab's own secret are looked at too.
    """
    key = lab.outputs.key_secrets
    changed = temporary_secret(lab, uuid4().hex, key=key)
    lab.allowed(Persona.OPERATOR, "secretsmanager:PutSecretValue", SecretId=changed, SecretString=uuid4().hex)
    count = 0
    for secret in (changed, lab.outputs.app_secret):
        versions = lab.read("secretsmanager:ListSecretVersionIds", SecretId=secret)["Versions"]
        count += len(versions)
        for one in versions:
            keys = one.get("KmsKeyIds", [])
            label = ", ".join(one.get("VersionStages", []))
            lab.expect(keys == [key], f"{secret} {label} is under {', '.join(keys) or 'no key of ours'}")
    lab.expect(count > len((changed, lab.outputs.app_secret)), "the changed secret has one version only")
    return f"{count} versions of two secrets, each under the lab's key"


@check(guide=GUIDE, needs={Capability.KMS_ON_BEHALF_OF_CALLER})
def the_managed_key_is_not_ours(lab: Lab) -> str:
    """A secret that names no key is under aws/secretsmanager, whose policy nobody in the account can change.

    The operator stores one and reads it back without any permission of a key policy of ours. Its
    description names no key at all: that is how such a secret is recognised. The lab's key has the
    customer as its manager.
    """
    value = uuid4().hex
    secret = temporary_secret(lab, value)
    described = lab.read("secretsmanager:DescribeSecret", SecretId=secret)
    lab.expect("KmsKeyId" not in described, f"the secret is under {described.get('KmsKeyId')}")
    read = lab.allowed(Persona.OPERATOR, "secretsmanager:GetSecretValue", SecretId=secret)["SecretString"]
    lab.expect(read == value, "the secret holds something else than was stored")
    managers = [
        key_described(lab, key)["KeyManager"] for key in ("alias/aws/secretsmanager", lab.outputs.key_secrets)
    ]
    lab.expect(managers == ["AWS", "CUSTOMER"], f"the key managers are {' and '.join(managers)}")
    return "the comparison secret's key is managed by AWS, the lab's by the customer"


def _value(lab: Lab) -> str:
    """The secret's value as the owner reads it: compared, never shown."""
    answer = lab.allowed(Persona.DATA_OWNER, "secretsmanager:GetSecretValue", SecretId=lab.outputs.app_secret)
    return str(answer["SecretString"])
