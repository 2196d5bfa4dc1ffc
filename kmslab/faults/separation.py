"""Faults of separation of duties: who administers or audits can use, or make themselves a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.change import Both
from kmslab.faults.changes.identity import InlinePolicy, role_of
from kmslab.faults.changes.policies import (
    KeyPolicy,
    add_actions,
    allow,
    drop_actions,
    only,
    persona_policy,
    role,
)
from kmslab.faults.changes.statements import THE_ACCOUNT, add, drop
from kmslab.faults.noticing import ALL_KEYS, CONTEXT, GRANTED_AWAY, LIMITS, NOBODY_ELSE, SIMULATED
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "03-key-policies"
ADMINISTRATOR = Persona.KEY_ADMINISTRATOR
IN_POLICIES = "key-policies.administrators-do-not-use"
USES = "separation.the-administrator-cannot-use-the-key"
REWRITES = "separation.the-administrator-cannot-rewrite-the-policy"
GRANTS = "separation.the-administrator-cannot-create-a-grant"
TURNS = "separation.the-administrator-cannot-turn-an-alias"
REPLICATES = "separation.the-administrator-cannot-replicate"
STOPS = "separation.the-administrator-stops-and-restarts-a-key"
AUDITS = "separation.the-auditor-reads-policies-not-data"
NOBODY_REWRITES = "escalation.nobody-rewrites-a-key-policy"
NOBODY_TURNS = "escalation.nobody-turns-an-alias"
NOBODY_REPLICATES = "escalation.nobody-replicates-a-key"
WHAT_THE_AUDITOR_READS = (
    "keys.",
    "inventory.",
    "rotation.",
    "key-policies.",
    "grants.",
    "imported.the-labs-material-is-there-or-was-never",
    "separation.the-administrator-cannot-rewrite-the-policy",
    "escalation.nobody-rewrites-a-key-policy",
    "separation.the-administrator-stops-and-restarts-a-key",
    "s3.disabled-key-stops-reads",
    "s3.aws-managed-key-is-not-ours",
    "ebs.disabled-key-stops-new-volumes",
    "secrets.disabled-key-locks-the-secret",
    "secrets.the-managed-key-is-not-ours",
    "trail.log-files-can-be-delivered",
    "trail.only-the-auditor-opens-log-files",
    "audit.alarm-topic-is-under-the-labs-key",
)
"""Checks that look at keys as the auditor."""


def _given_to_the_administrator(*actions: str) -> Change:
    """Both sides: the key policy's statement, and the identity policy."""
    return Both(
        KeyPolicy(LabOutputs.key_app, add_actions("AdministerTheKey", *actions)),
        InlinePolicy(role_of(ADMINISTRATOR), allow("AdministerKeys", *actions, on="*")),
    )


@fault(
    guide=GUIDE,
    noticed_by=(
        IN_POLICIES,
        ALL_KEYS,
        USES,
        REWRITES,
        GRANTS,
        TURNS,
        REPLICATES,
        CONTEXT,
        LIMITS,
        NOBODY_ELSE,
        SIMULATED,
        NOBODY_REWRITES,
        GRANTED_AWAY,
        NOBODY_TURNS,
        NOBODY_REPLICATES,
    ),
)
def the_administrator_may_do_everything() -> Change:
    """The key administrator may do kms:*.

    "Administrator" was read as in "administrator rights". One role can now stop a key, rewrite its policy and
    read everything under it: nobody is left whose consent it needs.
    """
    return _given_to_the_administrator("kms:*")


@fault(
    guide=GUIDE,
    noticed_by=(
        IN_POLICIES,
        ALL_KEYS,
        REWRITES,
        GRANTS,
        CONTEXT,
        LIMITS,
        NOBODY_REWRITES,
        GRANTED_AWAY,
        NOBODY_TURNS,
    ),
)
def the_administrator_may_put_and_create() -> Change:
    """The key administrator may do kms:Put* and kms:Create*, as the examples have it.

    Not one action that uses a key is among them, so it looks like administration. PutKeyPolicy and
    CreateGrant are: with either of them the administrator makes a user of themselves. The statement stands in
    many published reference answers.
    """
    return _given_to_the_administrator("kms:Put*", "kms:Create*")


@fault(guide=GUIDE, noticed_by=(IN_POLICIES, USES, CONTEXT, NOBODY_ELSE))
def the_administrator_may_decrypt() -> Change:
    """The key administrator may decrypt with the app key.

    It was for one evening: the owner was on holiday and a file had to be opened. The statement stayed.
    """
    statement = allow("Holiday", "kms:Decrypt", to={"AWS": role(ADMINISTRATOR)})
    return KeyPolicy(LabOutputs.key_app, add(statement))


@fault(guide=GUIDE, noticed_by=(IN_POLICIES, ALL_KEYS, REWRITES, NOBODY_REWRITES))
def the_administrator_may_put_the_policy() -> Change:
    """The key administrator may put the policy of the app key.

    The most natural wish of somebody who administers keys. Two calls later they decrypt: put a policy that
    names them, decrypt, put the old one back.
    """
    return _given_to_the_administrator("kms:PutKeyPolicy")


@fault(guide=GUIDE, noticed_by=(IN_POLICIES, GRANTS, CONTEXT, LIMITS, GRANTED_AWAY))
def the_administrator_may_create_grants() -> Change:
    """The key administrator may create grants on the app key.

    The key policy does not change when a grant is made, so whoever reviews policies sees nothing of what the
    administrator gives to themselves.
    """
    return _given_to_the_administrator("kms:CreateGrant")


@fault(guide=GUIDE, noticed_by=(IN_POLICIES, TURNS, NOBODY_TURNS))
def the_administrator_may_turn_aliases() -> Change:
    """The key administrator may point the app key's alias elsewhere.

    No plaintext is touched. What is encrypted from then on is encrypted under a key of the administrator's
    choice, whose policy the administrator wrote.
    """
    return _given_to_the_administrator("kms:UpdateAlias")


@fault(guide=GUIDE, noticed_by=(IN_POLICIES, REPLICATES, NOBODY_REPLICATES))
def the_administrator_may_replicate() -> Change:
    """The key administrator may replicate the app key into another Region.

    A replica has the same key material under a policy of its own, which its maker writes. Only a multi-Region
    key can be replicated; the permission waits until there is one.
    """
    return _given_to_the_administrator("kms:ReplicateKey")


@fault(guide=GUIDE, noticed_by=(USES, STOPS, REPLICATES), also=(NOBODY_TURNS, NOBODY_REPLICATES))
def the_administrator_is_forgotten() -> Change:
    """The app key has no administrator any more.

    The statement was removed together with a role that had a similar name. Nobody can take the key out of
    service when it matters.
    """
    return KeyPolicy(LabOutputs.key_app, drop("AdministerTheKey"))


@fault(guide=GUIDE, noticed_by=(STOPS,))
def the_administrator_can_stop_but_not_restart() -> Change:
    """The key administrator may disable the app key, but not enable it.

    One action was forgotten when the statement was written anew. It is noticed after the first alarm: the key
    is out of service, as it should be, and stays so until CloudFormation or the root user helps.
    """
    return KeyPolicy(LabOutputs.key_app, drop_actions("AdministerTheKey", "kms:EnableKey"))


@fault(guide=GUIDE, noticed_by=(AUDITS, CONTEXT, NOBODY_ELSE))
def the_auditor_may_decrypt() -> Change:
    """The auditor may decrypt with the app key.

    To see whether the data is really encrypted, the auditor was allowed to decrypt it. Whoever audits the
    access to data should not have any: nobody audits them.
    """
    statement = allow("Audit", "kms:Decrypt", to={"AWS": role(Persona.AUDITOR)})
    return KeyPolicy(LabOutputs.key_app, add(statement))


@fault(guide=GUIDE, noticed_by=(AUDITS,), also=WHAT_THE_AUDITOR_READS)
def the_auditor_reads_no_policy() -> Change:
    """The auditor may no longer read the configuration of the app key.

    The statement was removed as "not needed by the application". A key that the auditor cannot look at has no
    findings.
    """
    return KeyPolicy(LabOutputs.key_app, drop("ReadTheConfiguration"))


@fault(guide=GUIDE, noticed_by=(AUDITS,), also=WHAT_THE_AUDITOR_READS)
def the_auditors_own_policy_forgot_the_keys() -> Change:
    """The auditor's identity policy no longer lets them read keys.

    The key policies still do, but they name the auditor in a condition: both sides must allow. Nothing
    turns red in a dashboard that shows findings only, since there are none.
    """
    return persona_policy(Persona.AUDITOR, drop("ReadKeys"))


@fault(guide=GUIDE, noticed_by=("escalation.only-the-administrator-ends-a-key",))
def the_owner_administers() -> Change:
    """The data owner may disable the app key and schedule its deletion.

    The team that owns the data asked to manage its key itself. Whoever gets hold of the owner's role can now
    destroy what they cannot sell.
    """
    owner = Persona.DATA_OWNER
    actions = ("kms:DisableKey", "kms:ScheduleKeyDeletion")
    return Both(
        KeyPolicy(LabOutputs.key_app, add(allow("SelfService", *actions, to=THE_ACCOUNT, when=only(owner)))),
        InlinePolicy(role_of(owner), allow("SelfService", *actions, on="*")),
    )
