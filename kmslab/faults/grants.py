"""Faults of grants: they can be made too wide, made for the wrong people, not be ended, or stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.keys import StandingGrant
from kmslab.faults.changes.policies import KeyPolicy, allow, only
from kmslab.faults.changes.statements import THE_ACCOUNT, add, drop, drop_conditions
from kmslab.faults.noticing import CONTEXT, GRANTED_AWAY, LIMITS, LIMITS_DECIDE, NOBODY_ELSE
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "09-grants"
APP = LabOutputs.key_app
GRANT = "GrantUseWithTheEncryptionContext"
PASSED_ON = "grants.a-grantee-cannot-pass-it-on"
LEFT = "grants.no-grant-is-left"


@fault(guide=GUIDE, noticed_by=(LIMITS_DECIDE, LIMITS, CONTEXT, PASSED_ON, GRANTED_AWAY))
def grants_have_no_limits() -> Change:
    """The data owner may create any grant on the app key.

    A second statement for CreateGrant, without conditions, beside the first one with four. Whoever may create
    any grant is the master of the key, whatever the rest of the policy says.
    """
    statement = allow("Grants", "kms:CreateGrant", to=THE_ACCOUNT, when=only(Persona.DATA_OWNER))
    return KeyPolicy(APP, add(statement))


@fault(guide=GUIDE, noticed_by=(LIMITS_DECIDE, LIMITS, CONTEXT, GRANTED_AWAY))
def grants_need_no_constraint() -> Change:
    """A grant on the app key need not be bound to an encryption context.

    kms:GrantConstraintType is gone. The request to create the grant must still name the context; the grant
    itself opens every record of the key.
    """
    edits = (
        drop_conditions(GRANT, "StringEquals", "kms:GrantConstraintType"),
        drop_conditions(GRANT, "StringEquals", "kms:EncryptionContext:kmslab"),
    )
    return KeyPolicy(APP, *edits)


@fault(guide=GUIDE, noticed_by=(LIMITS_DECIDE, LIMITS, GRANTED_AWAY))
def grants_may_go_to_anybody() -> Change:
    """A grant on the app key may be made for anybody.

    kms:GranteePrincipal is gone: the data owner, or whoever has their credentials, can let in a role of
    another account, and the key policy shows nothing of it.
    """
    return KeyPolicy(APP, drop_conditions(GRANT, "StringEquals", "kms:GranteePrincipal"))


@fault(guide=GUIDE, noticed_by=(LIMITS, PASSED_ON))
def grants_may_be_for_any_operation() -> Change:
    """A grant on the app key may be for any operation, CreateGrant included.

    kms:GrantOperations is gone. A grantee who may create grants passes the right on, and on: revoking the
    first grant does not end the others.
    """
    return KeyPolicy(APP, drop_conditions(GRANT, "ForAllValues:StringEquals"))


@fault(
    guide=GUIDE,
    noticed_by=(
        "grants.a-grant-opens-one-record",
        "grants.a-grant-is-on-record",
        "grants.a-grant-within-a-context-leaves-the-rest-open",
        "grants.a-token-without-the-grant-is-worthless",
        "grants.the-grantee-retires-its-grant",
        "grants.the-retiring-principal-ends-a-grant",
        "grants.the-same-request-is-the-same-grant",
    ),
    also=("grants.a-", "separation.the-administrator-cannot-create-a-grant", GRANTED_AWAY),
)
def nobody_can_grant() -> Change:
    """The data owner can no longer create grants on the app key.

    CreateGrant was removed everywhere after it had been found in a list of dangerous actions. Without it the
    owner can only ask for a change of the key policy, for every guest and every day.
    """
    return KeyPolicy(APP, drop(GRANT))


@fault(
    guide=GUIDE,
    noticed_by=("grants.a-revoked-grant-stops",),
    also=("grants.a-", "grants.the-", "separation.the-administrator-cannot-create-a-grant"),
)
def nobody_can_end_a_grant() -> Change:
    """The data owner can create grants on the app key, but neither list nor revoke them.

    What was meant as least privilege lets a grant live until the key is deleted.
    """
    return KeyPolicy(APP, drop("LookAtTheKeyAndEndGrants"))


@fault(
    guide=GUIDE,
    noticed_by=(
        "direct.others-cannot-decrypt",
        "envelope.the-envelope-alone-is-worthless",
        "grants.a-grant-opens-one-record",
        LEFT,
        NOBODY_ELSE,
    ),
    also=(
        "direct.a-dry-run-tells-and-does-nothing",
        "grants.a-revoked-grant-stops",
        "grants.a-grant-within-a-context-leaves-the-rest-open",
        "grants.the-grantee-retires-its-grant",
        "grants.the-retiring-principal-ends-a-grant",
    ),
)
def a_grant_was_left_on_the_app_key() -> Change:
    """A grant lets the outsider decrypt everything under the app key.

    Somebody could create grants for a minute and left one without constraints. The key policy is what it was;
    only a list of the grants shows it, and that the outsider reads.
    """
    return StandingGrant(APP, Persona.OUTSIDER, "Decrypt")


@fault(guide=GUIDE, noticed_by=(LEFT, NOBODY_ELSE))
def a_grant_was_left_on_the_s3_key() -> Change:
    """A grant lets the outsider decrypt with the data bucket's key.

    Without a permission in S3 the outsider sees no object, so nothing seems amiss. The day somebody makes the
    bucket public by mistake, the key that should have saved it does not.
    """
    return StandingGrant(LabOutputs.key_s3, Persona.OUTSIDER, "Decrypt")


@fault(guide=GUIDE, noticed_by=(LEFT, NOBODY_ELSE))
def a_grant_was_left_on_the_signing_key() -> Change:
    """A grant lets the storage operator sign with the post-quantum key.

    The build server's role was to sign for one release. The release is out, and the grant is still there.
    """
    return StandingGrant(LabOutputs.key_pq, Persona.STORAGE_OPERATOR, "Sign")
