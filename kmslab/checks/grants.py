"""Grants: a right on one key for one principal, for some operations and one context, until revoked."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.samples import settle_seconds
from kmslab.checks.temporary import GRANT_NAME
from kmslab.lab import Failed
from kmslab.model.capability import Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "03-key-policies"
OWNER = Persona.DATA_OWNER
GRANTEE = Persona.OUTSIDER
NEEDS = frozenset({Capability.IAM, Capability.KEY_POLICIES, Capability.GRANTS, Capability.CONDITION_KEYS})
REVOKED = frozenset({"AccessDeniedException", "InvalidGrantTokenException"})
"""What KMS answers to the token of a grant that is no more."""
REVOCATION_SECONDS = 330.0
"""A revocation takes up to five minutes on AWS (KMS Developer Guide, "Grants in AWS KMS")."""


def _new_record() -> dict[str, str]:
    """Encryption context of a record of this check alone: grants of other checks do not open it."""
    return {**ENCRYPTION_CONTEXT, "record": secrets.token_hex(8)}


def _encrypt(lab: Lab, context: dict[str, str]) -> bytes:
    blob: bytes = lab.allowed(
        OWNER,
        "kms:Encrypt",
        KeyId=lab.outputs.key_app,
        Plaintext=b"kmslab",
        EncryptionContext=context,
    )["CiphertextBlob"]
    return blob


def _grant(lab: Lab, record: dict[str, str]) -> dict[str, Any]:
    """Let the outsider decrypt one record with the app key, as the data owner.

    Returns: ``GrantId`` and ``GrantToken``: with the token the grant works at once. The grant is
    revoked when the check ends.
    """
    grant: dict[str, Any] = lab.allowed(
        OWNER,
        "kms:CreateGrant",
        KeyId=lab.outputs.key_app,
        GranteePrincipal=lab.outputs.role_outsider,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextEquals": record},
        Name=GRANT_NAME,
    )
    lab.undo(lambda: _revoke_if_there(lab, grant["GrantId"]))
    return grant


def _revoke_if_there(lab: Lab, grant_id: str) -> None:
    kms = lab.client(OWNER, "kms")
    listed = kms.list_grants(KeyId=lab.outputs.key_app, GrantId=grant_id)["Grants"]
    if listed:
        kms.revoke_grant(KeyId=lab.outputs.key_app, GrantId=grant_id)


@check(guide=GUIDE, needs=NEEDS)
def a_grant_opens_one_record(lab: Lab) -> str:
    """A grant lets the outsider decrypt one record and nothing else.

    The outsider has no permission in IAM and none in the key policy. The grant names one operation
    and one encryption context: the other record of the same key stays closed, and so does Encrypt.
    """
    record, other = _new_record(), _new_record()
    blob, other_blob = _encrypt(lab, record), _encrypt(lab, other)
    lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=other_blob, EncryptionContext=other)
    tokens = [_grant(lab, record)["GrantToken"]]
    opened = lab.allowed(
        GRANTEE, "kms:Decrypt", CiphertextBlob=blob, EncryptionContext=record, GrantTokens=tokens
    )
    lab.expect(opened["Plaintext"] == b"kmslab", "another plaintext came back")
    lab.refused(
        GRANTEE, "kms:Decrypt", CiphertextBlob=other_blob, EncryptionContext=other, GrantTokens=tokens
    )
    lab.refused(
        GRANTEE,
        "kms:Encrypt",
        KeyId=lab.outputs.key_app,
        Plaintext=b"kmslab",
        EncryptionContext=record,
        GrantTokens=tokens,
    )
    return "the granted record opens; another record and another operation are refused"


@check(guide=GUIDE, needs=NEEDS)
def a_revoked_grant_stops(lab: Lab) -> str:
    """A revoked grant no longer opens anything.

    The data owner revokes what the data owner granted; the same request of the same principal, that
    succeeded a moment ago, is refused. On AWS this can take some minutes.
    """
    record = _new_record()
    sample: dict[str, Any] = {"CiphertextBlob": _encrypt(lab, record), "EncryptionContext": record}
    grant = _grant(lab, record)
    sample["GrantTokens"] = [grant["GrantToken"]]
    lab.allowed(GRANTEE, "kms:Decrypt", **sample)
    lab.allowed(OWNER, "kms:RevokeGrant", KeyId=lab.outputs.key_app, GrantId=grant["GrantId"])

    def refusal() -> str:
        try:
            return lab.refused(GRANTEE, "kms:Decrypt", codes=REVOKED, **sample)
        except Failed:
            if not settle_seconds(lab):
                raise
            return ""

    lab.wait_until(refusal, "the end of the grant", seconds=REVOCATION_SECONDS)
    return "the granted record opened, and not after the grant was revoked"


@check(guide=GUIDE, needs=NEEDS)
def a_grant_without_a_context_is_refused(lab: Lab) -> str:
    """The data owner can pass on only what the key policy lets them pass on.

    CreateGrant without limits would make its holder the master of the key. The key policy demands a
    constraint to the lab's encryption context and names who may receive a grant: the same request
    without the constraint, or for the storage operator, is refused.
    """
    record = _new_record()
    _grant(lab, record)
    base: dict[str, Any] = {"KeyId": lab.outputs.key_app, "Operations": ["Decrypt"], "DryRun": True}
    lab.refused(
        OWNER, "kms:CreateGrant", by="kms:CreateGrant", GranteePrincipal=lab.outputs.role_outsider, **base
    )
    lab.refused(
        OWNER,
        "kms:CreateGrant",
        by="kms:CreateGrant",
        GranteePrincipal=lab.outputs.role_storage_operator,
        Constraints={"EncryptionContextEquals": record},
        **base,
    )
    return "a grant without the context, or for somebody else, is refused"


@check(guide=GUIDE, needs=NEEDS)
def a_grant_is_on_record(lab: Lab) -> str:
    """The auditor sees every grant: to whom, for what, within which context.

    Grants do not show in the key policy. Who audits policies only misses half of who has access.
    """
    record = _new_record()
    grant = _grant(lab, record)["GrantId"]
    listed = lab.wait_until(
        lambda: lab.read("kms:ListGrants", KeyId=lab.outputs.key_app, GrantId=grant)["Grants"],
        "the grant's appearance in the list",
    )[0]
    lab.expect(listed["GranteePrincipal"] == lab.outputs.role_outsider, "the list names another grantee")
    lab.expect(listed["Operations"] == ["Decrypt"], f"the list names {listed['Operations']}")
    lab.expect(
        listed["Constraints"] == {"EncryptionContextEquals": record}, "the list names other constraints"
    )
    return "the auditor sees grantee, operation and encryption context"
