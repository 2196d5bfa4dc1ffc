from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import judge, key_arn, role_arn
from tests.checks.lab_world import given, good_lab, kms_of
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.fakes import Request, World


def listed(**change: object) -> Callable[[World], object]:
    """Break what ListGrants says."""

    def changed(world: World) -> object:
        return [{**grant, **change} for grant in kms_of(world).grants.values()]

    return lambda world: world.answers(
        "kms:ListGrants", lambda _: {"Grants": changed(world)}, Persona.AUDITOR
    )


def without(request: Request, name: str) -> Request:
    """The same request without one of its parameters."""
    parameters = {one: value for one, value in request.parameters.items() if one != name}
    return replace(request, parameters=parameters)


def nameless(world: World) -> None:
    """A KMS that does not compare names, and makes a grant each time."""
    world.answers("kms:CreateGrant", lambda r: kms_of(world).CreateGrant(without(r, "Name")))


def same_page_again(world: World) -> None:
    """A KMS whose second page is its first."""
    kms = kms_of(world)

    def listed(request: Request) -> dict[str, object]:
        answer = kms.ListGrants(request)
        return {**answer, "Grants": list(kms.grants.values())[:1]}

    world.answers("kms:ListGrants", listed)


def left_behind(**grant: str) -> Callable[[World], object]:
    """Leave a grant on the app key."""
    one = {"GrantId": "f" * 64, "KeyId": key_arn("app"), "Operations": ["Decrypt"], **grant}
    return lambda world: kms_of(world).grants.update({"f" * 64: one})


def test_grants_of_services_and_of_checks_at_work_are_no_finding() -> None:
    world = good_lab()
    holders = (
        {"GranteeServicePrincipal": "ec2.amazonaws.com"},
        {"GranteePrincipal": "ec2.amazonaws.com"},
        {"GranteePrincipal": "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0123"},
        {"GranteePrincipal": "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/X"},
        {"GranteePrincipal": role_arn("outsider"), "Name": "kmslab-temporary-1"},
    )
    for number, holder in enumerate(holders):
        one = {"GrantId": str(number), "KeyId": key_arn("app"), "Operations": ["Decrypt"], **holder}
        world.kms.grants[str(number)] = one
    verdict = judge("grants.no-grant-is-left", world)
    assert verdict.outcome is Outcome.PASS, verdict
    assert "4 grants of AWS services, 1 of checks" in verdict.summary


BROKEN = [
    Broken("grants.a-grant-opens-one-record", given("Decrypt", Persona.OUTSIDER), "could call kms:Decrypt"),
    Broken("grants.a-grant-opens-one-record", given("Encrypt", Persona.OUTSIDER), "could call kms:Encrypt"),
    Broken(
        "grants.a-grant-opens-one-record",
        lambda w: w.refuses("kms:Decrypt", Persona.OUTSIDER),
        "outsider is refused kms:Decrypt",
    ),
    Broken(
        "grants.a-revoked-grant-stops",
        lambda w: w.answers("kms:RevokeGrant", {}),
        "outsider could call kms:Decrypt",
    ),
    Broken(
        "grants.a-grant-without-a-context-is-refused",
        lambda w: w.answers(
            "kms:CreateGrant", {"GrantId": "x", "GrantToken": "x"}, when=lambda r: not r.get("Constraints")
        ),
        "data-owner could call kms:CreateGrant",
    ),
    Broken("grants.a-grant-is-on-record", listed(Operations=["Encrypt"]), "the list names ['Encrypt']"),
    Broken("grants.a-grant-is-on-record", listed(GranteePrincipal="other"), "names another grantee"),
    Broken("grants.a-grant-is-on-record", listed(Constraints={}), "names other constraints"),
    Broken(
        "grants.a-grant-within-a-context-leaves-the-rest-open",
        given("Decrypt", Persona.OUTSIDER),
        "outsider could call kms:Decrypt",
    ),
    *(
        Broken(
            "grants.a-token-without-the-grant-is-worthless",
            given("Decrypt", who),
            f"{who} could call kms:Decrypt",
        )
        for who in (Persona.DATA_READER, Persona.STORAGE_OPERATOR)
    ),
    Broken(
        "grants.a-grantee-cannot-pass-it-on",
        given("CreateGrant", Persona.OUTSIDER),
        "outsider could call kms:CreateGrant",
    ),
    Broken(
        "grants.a-grantee-cannot-pass-it-on",
        given("CreateGrant", Persona.DATA_OWNER),
        "data-owner could call kms:CreateGrant",
    ),
    Broken(
        "grants.the-grantee-retires-its-grant",
        lambda w: w.answers("kms:RetireGrant", {}),
        "outsider could call kms:Decrypt",
    ),
    Broken(
        "grants.the-grantee-retires-its-grant",
        lambda w: w.refuses("kms:RetireGrant"),
        "outsider is refused kms:RetireGrant",
    ),
    Broken(
        "grants.the-retiring-principal-ends-a-grant",
        given("RetireGrant", Persona.OUTSIDER),
        "outsider could call kms:RetireGrant",
    ),
    Broken(
        "grants.the-retiring-principal-ends-a-grant",
        lambda w: w.answers("kms:RetireGrant", {}, Persona.DATA_READER),
        "outsider could call kms:Decrypt",
    ),
    Broken("grants.the-same-request-is-the-same-grant", nameless, "made two grants"),
    Broken(
        "grants.the-same-request-is-the-same-grant",
        lambda w: w.answers("kms:CreateGrant", lambda r: kms_of(w).CreateGrant(without(r, "DryRun"))),
        "a dry run made a grant",
    ),
    Broken(
        "grants.the-same-request-is-the-same-grant",
        lambda w: w.answers("kms:ListGrants", {"Grants": []}, Persona.AUDITOR),
        "0 grants for the record are listed",
    ),
    Broken(
        "grants.the-list-goes-on-page-by-page",
        lambda w: w.answers("kms:ListGrants", lambda r: kms_of(w).ListGrants(without(r, "Limit"))),
        "does not say that there are more",
    ),
    Broken("grants.the-list-goes-on-page-by-page", same_page_again, "do not hold every grant once"),
    *(
        Broken("grants.no-grant-is-left", left_behind(**grant), says)
        for grant, says in (
            (
                {"GranteePrincipal": "arn:aws:iam::111122223333:role/old"},
                "role/old holds a grant on the key app",
            ),
            (
                {"GranteePrincipal": "arn:aws:iam::999999999999:root", "Name": "partner"},
                "999999999999:root holds",
            ),
        )
    ),
]
