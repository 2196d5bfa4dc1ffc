"""Separation of duties: who administers a key cannot use it, nor make themselves a user of it."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import deployed_keys
from kmslab.checks.registry import check
from kmslab.checks.samples import refused_soon, soon
from kmslab.checks.shared import asked_once, read_once
from kmslab.checks.temporary import GRANT_NAME, other_region, put_own_policy, scratch_key, stopped
from kmslab.lab import DENIED
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT, alias_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "03-key-policies"
ADMINISTRATOR = Persona.KEY_ADMINISTRATOR
OWNER = Persona.DATA_OWNER
OPERATOR = Persona.OPERATOR


@check(guide=GUIDE, needs=DECIDING)
def the_administrator_cannot_use_the_key(lab: Lab) -> str:
    """The key administrator can neither encrypt nor decrypt with the key that they administer.

    The data owner does both first, with the same parameters. The administrator reads the key's
    description, so it is not that they cannot reach it.
    """
    app = lab.outputs.key_app
    sample: dict[str, Any] = {"KeyId": app, "EncryptionContext": ENCRYPTION_CONTEXT}
    blob = lab.allowed(OWNER, "kms:Encrypt", Plaintext=b"kmslab", **sample)["CiphertextBlob"]
    lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=blob, **sample)
    lab.allowed(OWNER, "kms:GenerateDataKey", KeySpec="AES_256", **sample)
    lab.allowed(ADMINISTRATOR, "kms:DescribeKey", KeyId=app)
    lab.refused(ADMINISTRATOR, "kms:Encrypt", by="kms:Encrypt", Plaintext=b"kmslab", **sample)
    lab.refused(ADMINISTRATOR, "kms:Decrypt", by="kms:Decrypt", CiphertextBlob=blob, **sample)
    lab.refused(ADMINISTRATOR, "kms:GenerateDataKey", by="kms:GenerateDataKey", KeySpec="AES_256", **sample)
    return "the owner encrypts and decrypts; the administrator describes the key and is refused both"


@check(guide=GUIDE, needs=DECIDING, changes_keys=True)
def the_administrator_cannot_rewrite_the_policy(lab: Lab) -> str:
    """The key administrator cannot put a key policy, not even the very one that is there.

    Whoever may put a policy may write themselves into it. The operator puts a policy on a key of
    their own first. The administrator is then refused the policy that the app key already has, so
    that success would change nothing.
    """
    put_own_policy(lab)
    app = lab.outputs.key_app
    policy = read_once(lab, "kms:GetKeyPolicy", KeyId=app, PolicyName="default")["Policy"]
    lab.refused(
        ADMINISTRATOR,
        "kms:PutKeyPolicy",
        by="kms:PutKeyPolicy",
        KeyId=app,
        PolicyName="default",
        Policy=policy,
    )
    return "the administrator is refused kms:PutKeyPolicy"


@check(guide=GUIDE, needs=DECIDING | {Capability.GRANTS})
def the_administrator_cannot_create_a_grant(lab: Lab) -> str:
    """The key administrator cannot grant themselves the use of the key.

    The data owner may grant the reader the use of the app key within the encryption context, and does
    so. The administrator is refused the same grant, and one for themselves.
    """
    grant: dict[str, Any] = {
        "KeyId": lab.outputs.key_app,
        "Operations": ["Decrypt"],
        # A context of this check alone: what the grant opens is nobody else's business meanwhile.
        "Constraints": {"EncryptionContextEquals": {**ENCRYPTION_CONTEXT, "record": secrets.token_hex(8)}},
        "Name": GRANT_NAME,
    }
    made = lab.allowed(OWNER, "kms:CreateGrant", GranteePrincipal=lab.outputs.role_data_reader, **grant)
    lab.undo(
        lambda: lab.client(OWNER, "kms").revoke_grant(KeyId=lab.outputs.key_app, GrantId=made["GrantId"])
    )
    for grantee in (lab.outputs.role_data_reader, lab.outputs.role_key_administrator):
        lab.refused(
            ADMINISTRATOR,
            "kms:CreateGrant",
            by="kms:CreateGrant",
            GranteePrincipal=grantee,
            DryRun=True,
            **grant,
        )
    return "the owner may grant within the context; the administrator is refused kms:CreateGrant"


@check(guide=GUIDE, needs=DECIDING, changes_keys=True)
def the_administrator_cannot_turn_an_alias(lab: Lab) -> str:
    """The key administrator cannot point an alias to another key.

    Whoever turns `alias/<prefix>/app` to a key of their own reads what is encrypted from then on. It
    takes kms:UpdateAlias on the alias and on both keys. The operator turns an alias between two keys
    of their own first. The administrator is asked to point the alias to where it points already.
    """
    first, second = scratch_key(lab), scratch_key(lab, "second")
    alias = alias_name(lab.prefix, f"temporary-{lab.run_id}")
    lab.allowed(OPERATOR, "kms:CreateAlias", AliasName=alias, TargetKeyId=first)
    lab.undo(lambda: lab.client(OPERATOR, "kms").delete_alias(AliasName=alias))
    soon(lab, lambda: lab.allowed(OPERATOR, "kms:UpdateAlias", AliasName=alias, TargetKeyId=second))
    lab.refused(
        ADMINISTRATOR,
        "kms:UpdateAlias",
        by="kms:UpdateAlias",
        AliasName=alias_name(lab.prefix, "app"),
        TargetKeyId=lab.outputs.key_app,
    )
    return "the administrator is refused kms:UpdateAlias"


@check(guide=GUIDE, needs=DECIDING)
def the_administrator_cannot_replicate(lab: Lab) -> str:
    """The key administrator cannot replicate a key into another Region.

    A replica has the same key material under a key policy that its maker writes. There is no permitted
    call to compare with: replicas cost, and stay. What stands in for it: the administrator describes
    the same key, and the refusal names kms:ReplicateKey. Had KMS refused the kind of key, it would
    have permitted the call.
    """
    app, action = lab.outputs.key_app, "kms:ReplicateKey"
    lab.allowed(ADMINISTRATOR, "kms:DescribeKey", KeyId=app)
    said = lab.refused(
        ADMINISTRATOR,
        action,
        codes=DENIED | {"UnsupportedOperationException"},
        unproven_is_fine=True,
        KeyId=app,
        ReplicaRegion=other_region(lab),
    )
    lab.expect(action in said, f"{ADMINISTRATOR} is not refused for want of {action}, but for: {said}")
    return "the administrator is refused kms:ReplicateKey"


@check(guide=GUIDE, needs=DECIDING | {Capability.KEY_STATES}, serial=True, changes_keys=True)
def the_administrator_stops_and_restarts_a_key(lab: Lab) -> str:
    """The key administrator can take a key out of service and put it back.

    That is what the role is for: the owner's request fails while the key is disabled, and succeeds
    once it is enabled, with the ciphertext of before.
    """
    app = lab.outputs.key_app
    sample: dict[str, Any] = {"KeyId": app, "EncryptionContext": ENCRYPTION_CONTEXT}
    blob = lab.allowed(OWNER, "kms:Encrypt", Plaintext=b"kmslab", **sample)["CiphertextBlob"]
    lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=blob, **sample)
    with stopped(lab, app):
        refused_soon(lab, OWNER, "kms:Decrypt", codes={"DisabledException"}, CiphertextBlob=blob, **sample)
    opened = soon(lab, lambda: lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=blob, **sample))["Plaintext"]
    lab.expect(opened == b"kmslab", "another plaintext came back after the key was enabled")
    return "disabled by the administrator: the owner is stopped; enabled: the owner reads again"


@check(guide=GUIDE, needs=DECIDING)
def the_auditor_reads_policies_not_data(lab: Lab) -> str:
    """The auditor reads every key's configuration, and no data."""
    sample: dict[str, Any] = {"KeyId": lab.outputs.key_app, "EncryptionContext": ENCRYPTION_CONTEXT}
    blob = lab.allowed(OWNER, "kms:Encrypt", Plaintext=b"kmslab", **sample)["CiphertextBlob"]
    lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=blob, **sample)
    keys = deployed_keys(lab.outputs)
    for _, arn in keys:
        policy: dict[str, Any] = {"KeyId": arn, "PolicyName": "default"}
        reading = partial(lab.allowed, Persona.AUDITOR, "kms:GetKeyPolicy", **policy)
        asked_once(lab, Persona.AUDITOR, "kms:GetKeyPolicy", reading, **policy)
    lab.refused(Persona.AUDITOR, "kms:Decrypt", by="kms:Decrypt", CiphertextBlob=blob, **sample)
    return f"the auditor reads {len(keys)} key policies and is refused kms:Decrypt"
