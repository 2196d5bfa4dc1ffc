"""Grants: a right on one key for one principal, for some operations and one context, until revoked."""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import deployed_keys
from kmslab.checks.registry import check
from kmslab.checks.samples import settle_seconds
from kmslab.checks.shared import asked_once
from kmslab.checks.temporary import GRANT_NAME, is_ours, scratch_key
from kmslab.lab import Failed
from kmslab.model.capability import DECIDING_FULLY, Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "09-grants"
OWNER = Persona.DATA_OWNER
OPERATOR = Persona.OPERATOR
GRANTEE = Persona.OUTSIDER
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


def _request(lab: Lab, record: dict[str, str]) -> dict[str, Any]:
    """A grant that lets the outsider decrypt one record with the app key."""
    return {
        "KeyId": lab.outputs.key_app,
        "GranteePrincipal": lab.outputs.role_outsider,
        "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextEquals": record},
        "Name": GRANT_NAME,
    }


def _grant(lab: Lab, record: dict[str, str], **other: Any) -> dict[str, Any]:
    """Let the outsider decrypt one record with the app key, as the data owner.

    Args:
        lab: the check's lab.
        record: encryption context of the record.
        other: parameters of CreateGrant to add, or to put in place of these.

    Returns: ``GrantId`` and ``GrantToken``: with the token the grant works at once. The grant is
    revoked when the check ends.
    """
    grant: dict[str, Any] = lab.allowed(OWNER, "kms:CreateGrant", **{**_request(lab, record), **other})
    lab.undo(lambda: _revoke_if_there(lab, grant["GrantId"]))
    return grant


def _revoke_if_there(lab: Lab, grant_id: str) -> None:
    kms = lab.client(OWNER, "kms")
    with suppress(kms.exceptions.NotFoundException, kms.exceptions.InvalidGrantIdException):
        kms.revoke_grant(KeyId=lab.outputs.key_app, GrantId=grant_id)


@check(guide=GUIDE, needs=DECIDING_FULLY)
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


@check(guide=GUIDE, needs=DECIDING_FULLY)
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
    _ended(lab, **sample)
    return "the granted record opened, and not after the grant was revoked"


@check(guide=GUIDE, needs=DECIDING_FULLY)
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


@check(guide=GUIDE, needs=DECIDING_FULLY)
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


@check(guide=GUIDE, needs=DECIDING_FULLY)
def a_grant_within_a_context_leaves_the_rest_open(lab: Lab) -> str:
    """A grant can name some pairs of the context (EncryptionContextSubset) and leave the others open.

    So one grant opens all records of a class. A record that lacks one of the named pairs stays closed.
    """
    shared = secrets.token_hex(8)
    named = {**ENCRYPTION_CONTEXT, "class": shared}
    records = [{**named, "record": secrets.token_hex(8)} for _ in range(2)]
    tokens = [_grant(lab, named, Constraints={"EncryptionContextSubset": named})["GrantToken"]]
    for record in records:
        opened = lab.allowed(
            GRANTEE,
            "kms:Decrypt",
            CiphertextBlob=_encrypt(lab, record),
            EncryptionContext=record,
            GrantTokens=tokens,
        )
        lab.expect(opened["Plaintext"] == b"kmslab", "another plaintext came back")
    other = {**ENCRYPTION_CONTEXT, "class": secrets.token_hex(8)}
    blob = _encrypt(lab, other)
    lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=blob, EncryptionContext=other)
    lab.refused(GRANTEE, "kms:Decrypt", CiphertextBlob=blob, EncryptionContext=other, GrantTokens=tokens)
    return "two records of the granted class open, a record of another class does not"


@check(guide=GUIDE, needs=DECIDING_FULLY)
def a_token_without_the_grant_is_worthless(lab: Lab) -> str:
    """A grant token gives its finder nothing: it speeds a grant up, it does not carry it.

    The outsider decrypts with the token; the data reader and the storage operator, who bring the same token,
    are refused.
    """
    record = _new_record()
    sample: dict[str, Any] = {"CiphertextBlob": _encrypt(lab, record), "EncryptionContext": record}
    sample["GrantTokens"] = [_grant(lab, record)["GrantToken"]]
    lab.allowed(GRANTEE, "kms:Decrypt", **sample)
    for persona in (Persona.DATA_READER, Persona.STORAGE_OPERATOR):
        lab.refused(persona, "kms:Decrypt", by="kms:Decrypt", **sample)
    return "the grantee decrypts with the token; two others with the same token are refused"


@check(guide=GUIDE, needs=DECIDING_FULLY)
def a_grantee_cannot_pass_it_on(lab: Lab) -> str:
    """Who was granted decryption cannot grant it to others, nor get a grant that lets them.

    The key policy leaves CreateGrant out of what may be granted (kms:GrantOperations): a chain of grants
    would lead out of everybody's sight.
    """
    record = _new_record()
    token = _grant(lab, record)["GrantToken"]
    onward = {**_request(lab, record), "GranteePrincipal": lab.outputs.role_data_reader, "DryRun": True}
    lab.refused(GRANTEE, "kms:CreateGrant", by="kms:CreateGrant", GrantTokens=[token], **onward)
    wider = {**_request(lab, record), "Operations": ["Decrypt", "CreateGrant"], "DryRun": True}
    lab.refused(OWNER, "kms:CreateGrant", by="kms:CreateGrant", **wider)
    return "the grantee is refused kms:CreateGrant, and the owner a grant that includes it"


@check(guide=GUIDE, needs=DECIDING_FULLY)
def the_grantee_retires_its_grant(lab: Lab) -> str:
    """Who is done with a grant gives it back, with the token, where the grant includes RetireGrant.

    Retiring is for those whom the grant serves, revoking for those who own the key.
    """
    record = _new_record()
    sample: dict[str, Any] = {"CiphertextBlob": _encrypt(lab, record), "EncryptionContext": record}
    token = _grant(lab, record, Operations=["Decrypt", "RetireGrant"])["GrantToken"]
    lab.allowed(GRANTEE, "kms:Decrypt", GrantTokens=[token], **sample)
    lab.allowed(GRANTEE, "kms:RetireGrant", GrantToken=token)
    _ended(lab, GrantTokens=[token], **sample)
    return "retired by the grantee with its token: the record is closed again"


@check(guide=GUIDE, needs=DECIDING_FULLY)
def the_retiring_principal_ends_a_grant(lab: Lab) -> str:
    """A grant can name who may retire it; that principal needs no other permission, and nobody else may.

    Named here is the data reader, who ends the grant by key and grant id. The outsider, whom the grant
    serves but who was not given RetireGrant, is refused the same.
    """
    record = _new_record()
    sample: dict[str, Any] = {"CiphertextBlob": _encrypt(lab, record), "EncryptionContext": record}
    kept, ended = (
        _grant(lab, one, RetiringPrincipal=lab.outputs.role_data_reader) for one in (_new_record(), record)
    )
    lab.allowed(GRANTEE, "kms:Decrypt", GrantTokens=[ended["GrantToken"]], **sample)
    where: dict[str, Any] = {"KeyId": lab.outputs.key_app}
    lab.allowed(Persona.DATA_READER, "kms:RetireGrant", GrantId=ended["GrantId"], **where)
    lab.refused(GRANTEE, "kms:RetireGrant", by="kms:RetireGrant", GrantId=kept["GrantId"], **where)
    _ended(lab, GrantTokens=[ended["GrantToken"]], **sample)
    return "the data reader retired the grant by its id; the outsider may not retire theirs"


@check(guide=GUIDE, needs=DECIDING_FULLY)
def the_same_request_is_the_same_grant(lab: Lab) -> str:
    """A grant with a name is made once, however often it is asked for, and a dry run makes none.

    A request that is repeated because its answer was lost leaves no second grant behind.
    """
    record = _new_record()
    name = f"{GRANT_NAME}-{secrets.token_hex(4)}"
    first = _grant(lab, record, Name=name)["GrantId"]
    again = _grant(lab, record, Name=name)["GrantId"]
    lab.expect(first == again, "the same named request made two grants")
    tried = lab.allowed(OWNER, "kms:CreateGrant", **{**_request(lab, record), "DryRun": True})
    lab.expect("GrantId" not in tried, "a dry run made a grant")
    within = [one for one in _grants(lab, lab.outputs.key_app) if _constraint(one) == record]
    lab.expect(len(within) == 1, f"{len(within)} grants for the record are listed, not one")
    return "asked for twice and tried once more, the list has one grant"


@check(guide=GUIDE, needs={Capability.GRANTS}, changes_keys=True)
def the_list_goes_on_page_by_page(lab: Lab) -> str:
    """The list of grants comes in pages: who reads the first one only misses who else has access.

    Three grants on the operator's own key, listed one at a time, are all there, and each once.
    """
    key = scratch_key(lab, "second")
    request = {**_request(lab, _new_record()), "KeyId": key}
    made = {
        lab.allowed(OPERATOR, "kms:CreateGrant", **{**request, "Name": f"{GRANT_NAME}-page-{number}"})[
            "GrantId"
        ]
        for number in range(3)
    }
    for grant_id in made:
        lab.undo(partial(lab.client(OPERATOR, "kms").revoke_grant, KeyId=key, GrantId=grant_id))

    def listed() -> list[str]:
        return [one["GrantId"] for one in _grants(lab, key, OPERATOR, page=1) if one["GrantId"] in made]

    found = lab.wait_until(
        lambda: (ids := listed()) and len(ids) >= len(made) and ids, "the list of the grants"
    )
    lab.expect(sorted(found) == sorted(made), "the pages do not hold every grant once")
    first = lab.read("kms:ListGrants", persona=OPERATOR, KeyId=key, Limit=1)
    lab.expect(first.get("Truncated"), "the first page does not say that there are more")
    return f"{len(made)} grants in pages of one: every one of them, once"


@check(guide=GUIDE)
def no_grant_is_left(lab: Lab) -> str:
    """Nobody holds a grant on a key of the lab but AWS services for their own resources, and checks at work.

    A grant outlives the project, the person and the policy it was made under: it ends when somebody ends it.
    It shows in no policy, so this is where forgotten access is found.
    """
    services = at_work = 0
    keys = deployed_keys(lab.outputs)
    for expected, arn in keys:
        # Grants that come and go during a run are those of checks: what this is about stays.
        reading = partial(_grants_answer, lab, arn)
        for grant in asked_once(lab, Persona.AUDITOR, "kms:ListGrants", reading, KeyId=arn)["Grants"]:
            if _is_for_a_service(grant):
                services += 1
                continue
            who = grant.get("GranteePrincipal", "somebody")
            lab.expect(
                is_ours(grant),
                f"{who} holds a grant on the key {expected.name} for {', '.join(grant['Operations'])}",
            )
            at_work += 1
    return (
        f"{len(keys)} keys: {services} grants of AWS services, {at_work} of checks that are at work, no other"
    )


def _is_for_a_service(grant: dict[str, Any]) -> bool:
    """Whether an AWS service holds a grant: as a service, in a service-linked role, or as EC2's infrastructure."""
    who = str(grant.get("GranteePrincipal", ""))
    return (
        "GranteeServicePrincipal" in grant
        or who.endswith(".amazonaws.com")
        or ":role/aws-service-role/" in who
        or ":assumed-role/aws:" in who
    )


def _constraint(grant: dict[str, Any]) -> Any:
    return grant.get("Constraints", {}).get("EncryptionContextEquals")


def _grants(
    lab: Lab, key: str, persona: Persona = Persona.AUDITOR, *, page: int = 100
) -> list[dict[str, Any]]:
    """Every grant on a key, in pages of so many."""
    found: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        answer = lab.read("kms:ListGrants", persona=persona, KeyId=key, Limit=page, **more)
        found += answer["Grants"]
        if not answer.get("Truncated"):
            return found
        more = {"Marker": answer["NextMarker"]}


def _grants_answer(lab: Lab, key: str) -> dict[str, list[dict[str, Any]]]:
    """Every grant on a key, as if ListGrants answered in one page."""
    return {"Grants": _grants(lab, key)}


def _ended(lab: Lab, **sample: Any) -> None:
    """Expect the outsider to be refused soon what a grant allowed."""

    def refusal() -> str:
        try:
            return lab.refused(GRANTEE, "kms:Decrypt", codes=REVOKED, **sample)
        except Failed:
            if not settle_seconds(lab):
                raise
            return ""

    lab.wait_until(refusal, "the end of the grant", seconds=REVOCATION_SECONDS)
