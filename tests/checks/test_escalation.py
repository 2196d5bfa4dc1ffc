from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.persona import ROLES, Persona
from kmslab.model.verdict import Outcome
from tests.checks.account_policies import (
    ADMINISTRATOR,
    ADMINISTRATOR_ACCESS,
    OPERATOR,
    OWNER,
    READER,
    ROOT,
    SIGNER,
    allow,
    role,
)
from tests.checks.account_world import AccountWorld, account
from tests.checks.fakes import ACCOUNT, PREFIX, Statement, World, judge, key_arn
from tests.checks.table import Broken, checks_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.fakes import Request

POLICY = "escalation.nobody-rewrites-a-key-policy"
GRANT = "escalation.nobody-grants-a-key-away"
ALIAS = "escalation.nobody-turns-an-alias"
REPLICA = "escalation.nobody-replicates-a-key"
IMPORT = "escalation.who-imports-does-not-use"
TAGS = "escalation.access-hangs-on-no-tag-or-alias"
ROLE = "escalation.no-role-leads-to-another"
REWRITE = "escalation.nobody-rewrites-a-persona"
SERVICE = "escalation.no-service-is-handed-a-persona"
ADMIN = "escalation.the-admin-user-cannot-widen-anything"
END = "escalation.only-the-administrator-ends-a-key"
STRANGER = "helper"
"""A role that the lab does not know."""


def identity(*actions: str, on: str | list[str] = "*", **conditions: Any) -> Statement:
    """A statement of somebody's own policy."""
    return {"Sid": "Own", "Effect": "Allow", "Action": [*actions], "Resource": on, "Condition": conditions}


def given(name: str, *statements: Statement) -> Callable[[World], object]:
    """Somebody's own policy says more; a role that nobody knows comes into being."""

    def change(world: World) -> None:
        if name == STRANGER:
            account(world).others.append(name)
        account(world).identities.setdefault(name, []).extend(statements)

    return change


def both(key: str, operation: str, persona: Persona) -> Callable[[World], object]:
    """Key policy and identity policy give a persona an operation on a key."""

    def change(world: World) -> None:
        account(world).policies[key].append(allow(operation, to=role(persona), sid="Wide"))
        given(f"{PREFIX}-{persona}", identity(f"kms:{operation}"))(world)

    return change


def delegated(key: str, *operations: str) -> Callable[[World], object]:
    """The key policy leaves it to IAM."""
    return lambda world: account(world).policies[key].append(allow(*operations, sid="Account"))


def trusts(persona: Persona, *statements: Statement) -> Callable[[World], object]:
    return lambda world: account(world).trust.update({f"{PREFIX}-{persona}": [*statements]})


def trust(kind: str, name: str) -> Statement:
    return {"Effect": "Allow", "Principal": {kind: name}, "Action": "sts:AssumeRole"}


def put_works_for(*personas: Persona) -> Callable[[World], object]:
    return lambda world: world.answers("kms:PutKeyPolicy", {}, *personas)


def through_a_helper(world: World) -> None:
    """The reader may become a helper, whom the owner's role trusts by name."""
    given(STRANGER)(world)
    helper = f"arn:aws:iam::{ACCOUNT}:role/{STRANGER}"
    given(f"{PREFIX}-{READER}", identity("sts:AssumeRole", on=helper))(world)
    trusts(OWNER, trust("AWS", helper))(world)


def may_grant_within(world: World) -> None:
    """The owner may grant to anybody, within the encryption context."""
    statement = allow("CreateGrant", to=role(OWNER), sid="ToAnybody")
    statement["Condition"] = {
        "ArnEquals": {"aws:PrincipalArn": role(OWNER)},
        "StringEquals": {"kms:EncryptionContext:kmslab": "training"},
    }
    account(world).policies["app"].append(statement)


def no_key_policies(world: World) -> None:
    for statements in account(world).policies.values():
        statements.clear()


def by_alias(world: World) -> None:
    """The key policy gives the use of the key to whoever finds it under a name."""
    statement = allow("Decrypt", "Sign", sid="ByName")
    statement["Condition"] = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/red*"}}
    account(world).policies["rsa"].append(statement)


def unconstrained(request: Request) -> bool:
    return "Constraints" not in request.parameters


NO_BOUNDARY = "kenya-one may iam:AttachRolePolicy on key-administrator: Statement number 1 of the policy AdministratorAccess"
BROKEN = [
    Broken(
        POLICY,
        delegated("pq", "PutKeyPolicy"),
        "operator may PutKeyPolicy with the key pq: Statement Account",
    ),
    Broken(
        POLICY,
        both("app", "PutKeyPolicy", ADMINISTRATOR),
        "key-administrator may PutKeyPolicy with the key app: Statement Wide",
    ),
    Broken(POLICY, put_works_for(SIGNER), "signer could call kms:PutKeyPolicy"),
    Broken(
        POLICY,
        no_key_policies,
        "not even the root user",
        Outcome.ERROR,
    ),
    Broken(
        GRANT,
        both("ebs", "CreateGrant", OWNER),
        "data-owner may grant the key ebs to kms-lab-data-owner without a constraint",
    ),
    Broken(
        GRANT,
        both("signing", "CreateGrant", READER),
        "data-reader may grant the key signing to kms-lab-data-reader",
    ),
    Broken(
        GRANT, may_grant_within, "data-owner may grant the key app to kms-lab-data-owner with a constraint"
    ),
    Broken(
        GRANT,
        lambda w: w.refuses("kms:CreateGrant", OPERATOR, code="DryRunOperationException", when=unconstrained),
        "operator could call kms:CreateGrant",
    ),
    Broken(
        GRANT,
        lambda w: account(w).permitted["app", OWNER].remove("CreateGrant"),
        "data-owner is refused kms:CreateGrant",
    ),
    Broken(
        ALIAS, both("app", "UpdateAlias", ADMINISTRATOR), "key-administrator may UpdateAlias with the key app"
    ),
    Broken(ALIAS, delegated("s3", "DeleteAlias"), "operator may DeleteAlias with the key s3"),
    Broken(ALIAS, lambda w: w.answers("kms:UpdateAlias", {}, OWNER), "data-owner could call kms:UpdateAlias"),
    Broken(
        REPLICA,
        both("app", "ReplicateKey", ADMINISTRATOR),
        "key-administrator may ReplicateKey with the key app",
    ),
    Broken(
        REPLICA,
        delegated("global", "UpdatePrimaryRegion"),
        "operator may UpdatePrimaryRegion with the key global",
    ),
    Broken(
        REPLICA, lambda w: w.answers("kms:ReplicateKey", {}, SIGNER), "signer could call kms:ReplicateKey"
    ),
    Broken(
        IMPORT,
        both("imported", "ImportKeyMaterial", OWNER),
        "data-owner may ImportKeyMaterial: Statement Wide",
    ),
    Broken(
        IMPORT,
        both("imported", "Decrypt", ADMINISTRATOR),
        "key-administrator may ImportKeyMaterial and Decrypt: both with one key",
    ),
    Broken(IMPORT, lambda w: account(w).policies["imported"].clear(), "nobody may import", Outcome.ERROR),
    Broken(
        TAGS,
        given(f"{PREFIX}-{SIGNER}", identity("kms:Decrypt", StringEquals={"aws:ResourceTag/team": "red"})),
        "gives Decrypt by aws:ResourceTag/team; keys can be tagged by key-administrator",
    ),
    Broken(
        TAGS,
        by_alias,
        "statement ByName of the key policy of alias/kms-lab/rsa gives Decrypt, Sign by kms:ResourceAliases",
    ),
    Broken(
        ROLE,
        given(f"{PREFIX}-{READER}", identity("sts:AssumeRole", on=role(OWNER))),
        "data-reader can become data-owner",
    ),
    Broken(ROLE, trusts(SIGNER, trust("AWS", role(ADMINISTRATOR))), "key-administrator can become signer"),
    Broken(ROLE, through_a_helper, "data-reader can become data-owner"),
    Broken(
        REWRITE,
        given(f"{PREFIX}-{READER}", identity("iam:PutRolePolicy", on=role(OWNER))),
        "data-reader may iam:PutRolePolicy on data-owner",
    ),
    Broken(
        REWRITE,
        given(STRANGER, identity("iam:UpdateAssumeRolePolicy")),
        "helper may iam:UpdateAssumeRolePolicy on key-administrator",
    ),
    Broken(
        REWRITE,
        lambda w: w.answers("iam:UpdateAssumeRolePolicy", {}, SIGNER),
        "signer could call iam:UpdateAssumeRolePolicy",
    ),
    Broken(
        SERVICE,
        trusts(OWNER, trust("AWS", ROOT), trust("Service", "lambda.amazonaws.com")),
        "the role of data-owner can be taken by lambda.amazonaws.com",
    ),
    Broken(
        SERVICE,
        given(f"{PREFIX}-{SIGNER}", identity("iam:PassRole", on=role(OWNER))),
        "signer may iam:PassRole on data-owner",
    ),
    Broken(ADMIN, lambda w: setattr(account(w), "boundary", ""), NO_BOUNDARY),
    Broken(
        ADMIN,
        lambda w: account(w).policies["app"].append({**allow("Decrypt", sid="Account")}),
        "kenya-one may Decrypt with the key app",
    ),
    Broken(
        ADMIN,
        lambda w: setattr(account(w), "boundary", f"arn:aws:iam::{ACCOUNT}:policy/nothing"),
        "is no administrator",
    ),
    Broken(
        END, both("rsa", "ScheduleKeyDeletion", OWNER), "data-owner may ScheduleKeyDeletion with the key rsa"
    ),
    Broken(END, delegated("s3", "DisableKey"), "operator may DisableKey with the key s3"),
    Broken(END, lambda w: account(w).policies["s3"].clear(), "not even the key administrator", Outcome.ERROR),
]


def good() -> AccountWorld:
    """A good account, in which there is also a boundary that allows nothing: a break puts it on somebody."""
    world = AccountWorld()
    nothing = {"PolicyVersion": {"Document": '{"Version": "2012-10-17", "Statement": []}'}}
    world.answers("iam:GetPolicyVersion", nothing, when=lambda r: bool(r["PolicyArn"].endswith("/nothing")))
    return world


@pytest.mark.parametrize("check", checks_of("escalation"))
def test_what_cannot_be_read_is_no_proof(check: str) -> None:
    world = AccountWorld()
    world.refuses("iam:GetAccountAuthorizationDetails", code="AccessDenied")
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.ERROR
    assert (
        "Could not read iam:GetAccountAuthorizationDetails: not permitted as operator or auditor"
        in verdict.summary
    )


def test_administrators_of_the_account_are_excepted_by_what_is_attached_to_them() -> None:
    """Another administrator may become a persona; a role that only has IAM's rights in a policy of its own may not."""
    world = AccountWorld()
    given(STRANGER, identity("*"))(world)
    assert judge(ROLE, world).outcome is Outcome.FAIL
    world = AccountWorld()
    world.managed[STRANGER] = [ADMINISTRATOR_ACCESS]
    verdict = judge(ROLE, world)
    assert verdict.outcome is Outcome.PASS
    assert STRANGER in verdict.summary


def test_no_admin_user_is_no_proof() -> None:
    world = AccountWorld()
    world.answers(
        "iam:GetAccountAuthorizationDetails",
        {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []},
    )
    assert judge(ADMIN, world).outcome is Outcome.ERROR


def test_everybody_tries_and_nothing_is_changed() -> None:
    world = AccountWorld()
    for check in (POLICY, GRANT, ALIAS, REPLICA, REWRITE):
        assert judge(check, world).outcome is Outcome.PASS
    tried = {
        request.persona for request in world.asked("kms:PutKeyPolicy") if request["KeyId"] == key_arn("app")
    }
    assert tried == set(Persona)
    assert {request.persona for request in world.asked("iam:UpdateAssumeRolePolicy")} == set(ROLES)
    assert all(request["DryRun"] for request in world.asked("kms:CreateGrant"))
    assert all(request["TargetKeyId"] == key_arn("app") for request in world.asked("kms:UpdateAlias"))
