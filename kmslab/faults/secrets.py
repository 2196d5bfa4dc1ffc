"""Faults of Secrets Manager and Parameter Store: a second lock that is missing."""

from __future__ import annotations

from kmslab.faults.change import Both, Change
from kmslab.faults.changes.policies import KeyPolicy, persona_policy, role
from kmslab.faults.changes.secrets import SecretDeletion, SecretKey, SecretPolicy, SecureString
from kmslab.faults.changes.statements import A_STRANGER, EVERYBODY, add, drop, drop_conditions, replace
from kmslab.faults.noticing import ALL_KEYS, DELEGATED, KEYS_IN_IAM, SERVICES, SIMULATED, WIDENS
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona

GUIDE = "11-secrets"
APP = LabOutputs.app_secret
READ = {
    "Sid": "TemporaryAccess",
    "Effect": "Allow",
    "Action": "secretsmanager:GetSecretValue",
    "Resource": "*",
}
EXECUTION_ROLE = (
    "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/"
    "cdk-hnb659fds-cfn-exec-role-${AWS::AccountId}-${AWS::Region}"
)


@fault(
    guide=GUIDE,
    noticed_by=(
        "secrets.secrets-are-under-their-own-key",
        "secrets.every-version-is-under-the-key",
        "secrets.disabled-key-locks-the-secret",
    ),
)
def the_secret_is_under_the_managed_key() -> Change:
    """The application's secret is encrypted under aws/secretsmanager.

    It is what one gets by naming no key. Whoever may read secrets in the account may use that key: the lock
    that the key policy was is gone, and no setting is called "off".
    """
    return SecretKey(APP)


@fault(
    guide=GUIDE,
    noticed_by=("secrets.secrets-are-under-their-own-key", "identity.the-first-password-is-temporary"),
)
def the_password_is_under_the_managed_key() -> Change:
    """The secret with the admin user's first password is encrypted under aws/secretsmanager.

    The one secret that makes an administrator is the one that was forgotten.
    """
    return SecretKey(LabOutputs.admin_password_secret)


@fault(
    guide=GUIDE,
    noticed_by=(
        "secrets.secrets-are-under-their-own-key",
        "secrets.every-version-is-under-the-key",
        "secrets.only-the-owner-reads-the-secret",
        "audit.use-through-secrets-manager-names-both",
    ),
    also=("secrets.disabled-key-locks-the-secret",),
)
def the_secret_is_under_a_foreign_key() -> Change:
    """The application's secret is encrypted under a key that somebody made for themselves.

    They decide from now on who reads it, and the day they delete their key the secret is gone.
    """
    return SecretKey(APP, "app-secret")


@fault(
    guide=GUIDE,
    noticed_by=("secrets.secrets-are-under-their-own-key",),
    also=("secrets", "audit.use-through-secrets-manager-names-both"),
)
def the_secret_waits_for_its_deletion() -> Change:
    """The application's secret is scheduled for deletion.

    Nobody can read it while it waits, so it is noticed; whoever notices on the eighth day is too late.
    """
    return SecretDeletion(APP)


@fault(guide=GUIDE, noticed_by=("secrets.resource-policy-is-closed",))
def the_secret_has_no_policy() -> Change:
    """The secret's resource policy is gone.

    Nobody new reads the value today. But every administrator of the account can from now on give
    themselves the permission; the explicit denial on the secret was what they could not get around.
    """
    return SecretPolicy()


@fault(guide=GUIDE, noticed_by=("secrets.resource-policy-is-closed",))
def the_secret_denies_nobody() -> Change:
    """The denial is gone from the secret's resource policy; the permission for the data owner stayed.

    It reads well: "the data owner reads". An Allow takes nothing away from anybody.
    """
    return SecretPolicy(drop("NobodyElseReads"))


@fault(
    guide=GUIDE,
    noticed_by=(
        "secrets.resource-policy-is-closed",
        "secrets.only-the-owner-reads-the-secret",
        *KEYS_IN_IAM,
    ),
)
def the_secret_spares_the_reader() -> Change:
    """The secret's denial spares the data reader, whose own policy and the key let them read the value.

    Three changes, each small and each approved by somebody else: the exception, the permission, and IAM
    deciding alone about the key.
    """
    readers = [role(Persona.DATA_OWNER), role(Persona.DATA_READER), EXECUTION_ROLE]
    return Both(
        SecretPolicy(replace("NobodyElseReads", Condition={"ArnNotEquals": {"aws:PrincipalArn": readers}})),
        persona_policy(Persona.DATA_READER, add({**READ, "Action": [READ["Action"], "kms:Decrypt"]})),
    )


@fault(guide=GUIDE, noticed_by=("secrets.resource-policy-is-closed",))
def the_secret_lets_another_account_in() -> Change:
    """The secret's resource policy lets another account read the value.

    The denial still refuses them, and so does the key; whoever "cleans up" either of the two opens it.
    """
    return SecretPolicy(add({**READ, "Principal": A_STRANGER}))


@fault(guide=GUIDE, noticed_by=("secrets.resource-policy-is-closed",))
def the_secret_is_public() -> Change:
    """The secret's resource policy lets everybody read the value, and denies nobody.

    Put without --block-public-policy, the switch with which Secrets Manager would have refused such a policy.
    """
    return SecretPolicy(drop("NobodyElseReads"), add({**READ, "Principal": EVERYBODY}))


@fault(guide=GUIDE, noticed_by=("parameters.secure-strings-are-under-the-labs-key",))
def the_secure_string_is_under_the_managed_key() -> Change:
    """The lab's SecureString is encrypted under aws/ssm.

    put-parameter without --key-id. Whoever may read the parameter opens it: the key refuses nobody.
    """
    return SecureString("SecureString", managed_key=True)


@fault(guide=GUIDE, noticed_by=("parameters.secure-strings-are-under-the-labs-key",))
def the_secure_string_is_plain() -> Change:
    """The lab's SecureString is a String: its value is not encrypted under any key of ours.

    The type cannot be changed in place, so somebody deleted the parameter and made it anew, as a String.
    """
    return SecureString("String")


@fault(
    guide=GUIDE,
    noticed_by=(
        DELEGATED,
        SERVICES,
        "secrets.key-of-secrets-opens-nothing-directly",
        WIDENS,
    ),
)
def the_key_works_outside_its_services() -> Change:
    """The key for secrets can be used directly, not only through its two services.

    kms:ViaService is gone, and with it the delegation to IAM is for every use: whoever reads a secret can
    also decrypt whatever else lies under the key.
    """
    return KeyPolicy(
        LabOutputs.key_secrets,
        drop_conditions(
            "UseThroughSecretsManagerAndParameterStoreIsForIamToDecide", "StringEquals", "kms:ViaService"
        ),
    )


@fault(
    guide=GUIDE,
    noticed_by=(
        ALL_KEYS,
        "parameters.permission-on-a-parameter-is-not-enough",
        SIMULATED,
    ),
)
def the_owner_may_decrypt_with_every_key() -> Change:
    """The data owner's policy allows kms:Decrypt with every key.

    A star where the ARNs of two keys stood. Keys whose policy leaves their use to IAM, as every key has
    whose policy nobody wrote, open to them now: whatever else the account keeps.
    """
    return persona_policy(
        Persona.DATA_OWNER, add({"Sid": "Any", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"})
    )


@fault(
    guide=GUIDE,
    noticed_by=(
        "secrets.secure-string-needs-the-key",
        "parameters.permission-on-a-parameter-is-not-enough",
        "parameters.use-is-recorded-with-the-parameter",
        "parameters.without-decryption-there-is-ciphertext",
    ),
)
def the_owner_may_not_read_parameters() -> Change:
    """The data owner's policy no longer lets them read the lab's parameters.

    A clean-up of permissions by last use: the application that reads its parameters once, when it starts,
    was not restarted in ninety days.
    """
    return persona_policy(Persona.DATA_OWNER, drop("ReadParameters"), stack=LabStack.SECRETS)
