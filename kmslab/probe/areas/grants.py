"""Grants: what each operation of a grant permits, constraints, tokens, and how a grant ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.probe.codes import NOT_FOUND, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import ACTS, PLAINTEXT, key_for, request_for
from kmslab.probe.sources import GRANTS, api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

CONTEXT = {"purpose": "probe"}


def _grant(bench: Bench, key: str, *operations: str, **parameters: Any) -> Any:
    """Grant the stranger operations with a key; returns the response."""
    given: dict[str, Any] = {
        "GranteePrincipal": bench.world.stranger.arn,
        "Operations": list(operations),
        **parameters,
    }
    return bench.make("CreateGrant", KeyId=key, **given)


def _permits(operation: str, bench: Bench) -> None:
    stranger = bench.world.stranger
    key = key_for(bench, operation)
    request = request_for(bench, operation, key)
    bench.denies(operation, stranger, **request)
    token = _grant(bench, key, operation)["GrantToken"]
    bench.works(operation, stranger, GrantTokens=[token], **request)


def _row(operation: str, look: Any) -> None:
    register(
        "grants",
        f"{kebab(operation)}-is-permitted-by-a-grant",
        f"A grant for {operation} lets somebody without any other permission do it.",
        "Before the grant the call is AccessDeniedException; with its token it works.",
        guide("grants#terms-grant-operations"),
        look,
    )


for _operation in (name for name in ACTS if name != "ReEncrypt"):
    _row(_operation, partial(_permits, _operation))


def _reencrypt(side: str, bench: Bench) -> None:
    stranger = bench.world.stranger
    source, destination = bench.key(), bench.key()
    blob = bench.make("Encrypt", KeyId=source, Plaintext=PLAINTEXT)["CiphertextBlob"]
    tokens = {
        "ReEncryptFrom": _grant(bench, source, "ReEncryptFrom")["GrantToken"],
        "ReEncryptTo": _grant(bench, destination, "ReEncryptTo")["GrantToken"],
    }
    other = tokens.pop("ReEncryptTo" if side == "ReEncryptFrom" else "ReEncryptFrom")
    request: dict[str, Any] = {"CiphertextBlob": blob, "SourceKeyId": source, "DestinationKeyId": destination}
    lonely = bench.key()
    half = {**request, "DestinationKeyId": lonely} if side == "ReEncryptTo" else request
    if side == "ReEncryptFrom":
        foreign = bench.make("Encrypt", KeyId=lonely, Plaintext=PLAINTEXT)["CiphertextBlob"]
        half = {**request, "CiphertextBlob": foreign, "SourceKeyId": lonely}
    bench.denies("ReEncrypt", stranger, GrantTokens=[other], **half)
    bench.works("ReEncrypt", stranger, GrantTokens=[other, *tokens.values()], **request)


for _side in ("ReEncryptFrom", "ReEncryptTo"):
    _row(_side, partial(_reencrypt, _side))


@probe(guide("grants#terms-grant-operations"))
def describe_key_is_permitted_by_a_grant(bench: Bench) -> None:
    """A grant for DescribeKey lets somebody without any other permission do it.

    Before the grant the call is AccessDeniedException; with its token it works.
    """
    key, stranger = bench.key(), bench.world.stranger
    bench.denies("DescribeKey", stranger, KeyId=key)
    token = _grant(bench, key, "DescribeKey")["GrantToken"]
    bench.works("DescribeKey", stranger, KeyId=key, GrantTokens=[token])


@probe(guide("create-grant-overview#grant-create-grants"))
def create_grant_is_permitted_by_a_grant(bench: Bench) -> None:
    """A grant for CreateGrant lets its grantee hand on the other operations of the grant, and no more.

    A grant for one of them works; a grant for an operation that the first one lacks is AccessDeniedException.
    """
    key, stranger = bench.key(), bench.world.stranger
    token = _grant(bench, key, "CreateGrant", "Encrypt")["GrantToken"]
    request: dict[str, Any] = {
        "KeyId": key,
        "GranteePrincipal": bench.world.member.arn,
        "GrantTokens": [token],
    }
    bench.works("CreateGrant", stranger, Operations=["Encrypt"], **request)
    bench.denies("CreateGrant", stranger, Operations=["Decrypt"], **request)


@probe(guide("grants#terms-grant-operations"))
def retire_grant_is_permitted_by_a_grant(bench: Bench) -> None:
    """A grant for RetireGrant lets its grantee retire it.

    Without it RetireGrant is AccessDeniedException for the grantee; with it works.
    """
    key, stranger = bench.key(), bench.world.stranger
    without = _grant(bench, key, "Decrypt")
    bench.denies("RetireGrant", stranger, KeyId=key, GrantId=without["GrantId"])
    granted = _grant(bench, key, "Decrypt", "RetireGrant")
    bench.works("RetireGrant", stranger, GrantToken=granted["GrantToken"])


@probe(GRANTS)
def a_grant_permits_its_operations_only(bench: Bench) -> None:
    """A grant permits the operations that it lists.

    The grantee encrypts; Decrypt of the same ciphertext is AccessDeniedException.
    """
    key, stranger = bench.key(), bench.world.stranger
    token = [_grant(bench, key, "Encrypt")["GrantToken"]]
    blob = bench.works("Encrypt", stranger, KeyId=key, Plaintext=PLAINTEXT, GrantTokens=token)
    bench.denies("Decrypt", stranger, KeyId=key, CiphertextBlob=blob["CiphertextBlob"], GrantTokens=token)


@probe(GRANTS)
def a_grant_is_for_its_key_only(bench: Bench) -> None:
    """A grant permits the use of one KMS key.

    With that key the grantee encrypts; with another it is AccessDeniedException.
    """
    key, other, stranger = bench.key(), bench.key(), bench.world.stranger
    token = [_grant(bench, key, "Encrypt")["GrantToken"]]
    bench.works("Encrypt", stranger, KeyId=key, Plaintext=PLAINTEXT, GrantTokens=token)
    bench.denies("Encrypt", stranger, KeyId=other, Plaintext=PLAINTEXT, GrantTokens=token)


@probe(GRANTS)
def a_grant_is_for_its_grantee_only(bench: Bench) -> None:
    """A grant permits its grantee, and nobody else who has the token.

    The grantee encrypts; another principal with the same token is AccessDeniedException.
    """
    key, stranger, other = bench.key(), bench.world.stranger, bench.world.storer
    token = [_grant(bench, key, "Encrypt")["GrantToken"]]
    bench.works("Encrypt", stranger, KeyId=key, Plaintext=PLAINTEXT, GrantTokens=token)
    bench.denies("Encrypt", other, KeyId=key, Plaintext=PLAINTEXT, GrantTokens=token)


CONSTRAINTS = {
    "EncryptionContextEquals": ({"purpose": "probe"}, {"purpose": "probe", "more": "x"}),
    "EncryptionContextSubset": ({"purpose": "probe", "more": "x"}, {"purpose": "other"}),
}
"""Each grant constraint on ``purpose: probe`` with a context that fits it and one that does not."""


def _constraint(name: str, fits: dict[str, str], other: dict[str, str], bench: Bench) -> None:
    key, stranger = bench.key(), bench.world.stranger
    token = [_grant(bench, key, "Encrypt", Constraints={name: CONTEXT})["GrantToken"]]
    request: dict[str, Any] = {"KeyId": key, "Plaintext": PLAINTEXT, "GrantTokens": token}
    bench.works("Encrypt", stranger, EncryptionContext=fits, **request)
    bench.denies("Encrypt", stranger, EncryptionContext=other, **request)
    bench.denies("Encrypt", stranger, **request)


for _name, (_fits, _other) in CONSTRAINTS.items():
    register(
        "grants",
        kebab(_name),
        f"The constraint {_name} binds a grant to the encryption context of the request.",
        f"{_fits} works; {_other} and no context are AccessDeniedException.",
        guide("create-grant-overview#grant-constraints"),
        partial(_constraint, _name, _fits, _other),
    )


@probe(guide("create-grant-overview#grant-constraints"))
def constraints_need_cryptography_with_a_context(bench: Bench) -> None:
    """An encryption context constraint is for symmetric encryption keys.

    On such a key CreateGrant works; on an asymmetric one it is refused.
    """
    constraint: dict[str, Any] = {"EncryptionContextEquals": CONTEXT}
    given: dict[str, Any] = {"GranteePrincipal": bench.world.stranger.arn, "Constraints": constraint}
    bench.works("CreateGrant", KeyId=bench.key(), Operations=["Decrypt"], **given)
    key = bench.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    bench.refuses(VALIDATION, "CreateGrant", KeyId=key, Operations=["Sign"], **given)


@probe(api("CreateGrant"))
def the_operations_must_fit_the_key(bench: Bench) -> None:
    """A grant lists operations that its key supports.

    Sign works for a signing key; for a symmetric encryption key it is ValidationException.
    """
    given: dict[str, Any] = {"GranteePrincipal": bench.world.stranger.arn, "Operations": ["Sign"]}
    key = bench.key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    bench.works("CreateGrant", KeyId=key, **given)
    bench.refuses(VALIDATION, "CreateGrant", KeyId=bench.key(), **given)


@probe(api("CreateGrant"))
def the_grantee_must_be_a_principal(bench: Bench) -> None:
    """GranteePrincipal is the ARN of a principal.

    A role's ARN works; other text is refused.
    """
    given: dict[str, Any] = {"KeyId": bench.key(), "Operations": ["Decrypt"]}
    bench.works("CreateGrant", GranteePrincipal=bench.world.stranger.arn, **given)
    bench.refuses((VALIDATION, "InvalidArnException"), "CreateGrant", GranteePrincipal="nobody", **given)


@probe(api("CreateGrant"))
def the_same_name_is_the_same_grant(bench: Bench) -> None:
    """CreateGrant with the same name and parameters returns the same grant.

    The grant id is the same with the name, another one without, and each token is new.
    """
    key, name = bench.key(), uuid4().hex
    first, second = (_grant(bench, key, "Decrypt", Name=name) for _ in range(2))
    third = _grant(bench, key, "Decrypt")
    bench.equal("the second grant", second["GrantId"] == first["GrantId"], expected=True)
    bench.contrasts("without the name it is another", third["GrantId"] != first["GrantId"])
    bench.contrasts("the tokens differ", first["GrantToken"] != second["GrantToken"])


@probe(api("RevokeGrant"))
def a_revoked_grant_permits_nothing(bench: Bench) -> None:
    """RevokeGrant ends a grant.

    Encrypt works before, and is AccessDeniedException after, also with the token.
    """
    key, stranger = bench.key(), bench.world.stranger
    made = _grant(bench, key, "Encrypt")
    request: dict[str, Any] = {"KeyId": key, "Plaintext": PLAINTEXT, "GrantTokens": [made["GrantToken"]]}
    bench.works("Encrypt", stranger, **request)
    bench.works("RevokeGrant", KeyId=key, GrantId=made["GrantId"])
    bench.denies("Encrypt", stranger, **request)


@probe(api("RetireGrant"))
def the_retiring_principal_retires(bench: Bench) -> None:
    """The retiring principal of a grant may retire it, without any other permission.

    A grant that names somebody as such is retired by them; another is AccessDeniedException.
    """
    key, stranger = bench.key(), bench.world.stranger
    grantee = bench.world.storer.arn
    other = _grant(bench, key, "Encrypt", GranteePrincipal=grantee)
    bench.denies("RetireGrant", stranger, KeyId=key, GrantId=other["GrantId"])
    named = _grant(bench, key, "Encrypt", GranteePrincipal=grantee, RetiringPrincipal=stranger.arn)
    bench.works("RetireGrant", stranger, KeyId=key, GrantId=named["GrantId"])
    left = [one["GrantId"] for one in bench.make("ListGrants", KeyId=key)["Grants"]]
    bench.contrasts("the retired grant is gone", named["GrantId"] not in left)


@probe(api("ListGrants"))
def a_grant_is_listed_as_made(bench: Bench) -> None:
    """ListGrants shows a grant's operations, grantee, constraints and name, and no token.

    They are those of CreateGrant; a filter for another grantee lists nothing.
    """
    key, stranger = bench.key(), bench.world.stranger
    made = _grant(
        bench, key, "Decrypt", "Encrypt", Name="probe", Constraints={"EncryptionContextEquals": CONTEXT}
    )
    found = bench.works("ListGrants", KeyId=key, GrantId=made["GrantId"])["Grants"][0]
    bench.equal("Operations", sorted(found["Operations"]), ["Decrypt", "Encrypt"])
    bench.equal("GranteePrincipal", found["GranteePrincipal"] == stranger.arn, expected=True)
    bench.equal("Constraints", found["Constraints"], {"EncryptionContextEquals": CONTEXT})
    bench.equal("Name", found["Name"], "probe")
    bench.contrasts("there is no token", "GrantToken" not in found)
    others = bench.works("ListGrants", KeyId=key, GranteePrincipal=bench.world.storer.arn)["Grants"]
    bench.contrasts("another grantee has none", others == [])


@probe(api("ListRetirableGrants"))
def retirable_grants_are_listed(bench: Bench) -> None:
    """ListRetirableGrants lists the grants that a principal may retire.

    The grant that names it as retiring principal is listed, the grant that does not is not.
    """
    key, stranger = bench.key(), bench.world.stranger
    mine = _grant(bench, key, "Encrypt", RetiringPrincipal=stranger.arn)["GrantId"]
    other = _grant(bench, key, "Decrypt")["GrantId"]
    listed = bench.works("ListRetirableGrants", RetiringPrincipal=stranger.arn, Limit=100)["Grants"]
    ids = {one["GrantId"] for one in listed}
    bench.sees("the one is listed", mine in ids)
    bench.contrasts("the other is not", other not in ids)


@probe(api("RevokeGrant"))
def a_grant_that_is_not_there_is_not_found(bench: Bench) -> None:
    """RevokeGrant needs a grant of that key.

    Its own grant is revoked; a well-formed id of none is NotFoundException.
    """
    key = bench.key()
    bench.works("RevokeGrant", KeyId=key, GrantId=_grant(bench, key, "Decrypt")["GrantId"])
    bench.refuses(NOT_FOUND, "RevokeGrant", KeyId=key, GrantId="0" * 64)


@probe(guide("grants#terms-grant-token"))
def a_grant_token_must_be_one(bench: Bench) -> None:
    """A grant token that KMS did not make is refused.

    With a token of a grant Encrypt works; with other text it is InvalidGrantTokenException.
    """
    key = bench.key()
    token = _grant(bench, key, "Encrypt", GranteePrincipal=bench.world.member.arn)["GrantToken"]
    request: dict[str, Any] = {"KeyId": key, "Plaintext": PLAINTEXT}
    bench.works("Encrypt", bench.world.member, GrantTokens=[token], **request)
    bench.refuses(
        "InvalidGrantTokenException", "Encrypt", bench.world.member, GrantTokens=["no token"], **request
    )


@probe(GRANTS)
def a_denial_outweighs_a_grant(bench: Bench) -> None:
    """An explicit denial in the key policy outweighs a grant.

    Under a policy without denial the grantee encrypts; under one with it is AccessDeniedException.
    """
    stranger = bench.world.stranger
    for key, closed in ((bench.key(), False), (bench.key(bench.world.deny("Encrypt")), True)):
        token = [_grant(bench, key, "Encrypt")["GrantToken"]]
        call = bench.denies if closed else bench.works
        call("Encrypt", stranger, KeyId=key, Plaintext=PLAINTEXT, GrantTokens=token)
