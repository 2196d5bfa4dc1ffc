"""The rules by which policies are weighed, one table a rule (sources: `kmslab.authorization.decide`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.authorization.context import Context
from kmslab.authorization.decide import decide
from kmslab.authorization.model import Principal, PrincipalKind, Request, Side
from tests.authorization.cases import (
    ACCOUNT,
    BUCKET,
    KEY,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    STRANGER,
    USER,
    anonymous,
    by_identity,
    grant,
    on_bucket,
    on_key,
    policy,
    role,
    root,
    service,
    statement,
    stranger,
    to,
    told,
    user,
)

if TYPE_CHECKING:
    from tests.authorization.cases import Statement

MAY = statement(action="*")
MAY_NOT = statement("Deny", "kms:*")
ELSEWHERE = statement(action="s3:*")
"""As a limit: leaves nothing of KMS."""


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not by_identity(role())
    assert not by_identity(role(statement(action="kms:Encrypt")))
    assert not on_bucket(role()).allowed
    assert not on_key(role()).allowed


IN_THE_ACCOUNT: list[tuple[str, Principal, list[Statement], bool]] = [
    ("an identity policy alone is not enough for a key", role(MAY), [], False),
    ("a key policy for somebody else is none", role(MAY), [to(USER)], False),
    ("the key policy that names the role is enough", role(), [to(ROLE)], True),
    ("the key policy that names the session is enough", role(), [to(SESSION)], True),
    ("another session is somebody else", role(session_arn=f"{SESSION}-2"), [to(SESSION)], False),
    ("the key policy that names the user is enough", user(), [to(USER)], True),
    ("everyone is named by a star", user(), [to("*")], True),
    ("a star as the whole Principal is the same", user(), [statement(Principal="*")], True),
    ("the account's ARN delegates to IAM, which allows", role(MAY), [to(ROOT)], True),
    ("the account's ARN delegates to IAM, which is silent", role(), [to(ROOT)], False),
    ("the account's number delegates to IAM, which allows", role(MAY), [to(ACCOUNT)], True),
    ("the account's number delegates to IAM, which is silent", user(), [to(ACCOUNT)], False),
    ("another account's ARN delegates nothing here", role(MAY), [to(f"arn:aws:iam::{OTHER}:root")], False),
    ("the root user needs the key policy", root(), [to(ROLE)], False),
    ("the root user is named by the account's ARN", root(), [to(ROOT)], True),
    ("another account's root user is not", root(OTHER), [to(ROOT)], False),
    ("one of several principals is enough", role(), [to([USER, ROLE])], True),
    ("a wildcard in a principal's ARN means nothing", role(), [to(ROLE.replace("owner", "*"))], False),
    ("letter case counts in a principal's ARN", role(), [to(ROLE.replace("owner", "Owner"))], False),
    (
        "a service's statement is not for a role",
        role(MAY),
        [statement(Principal={"Service": "s3.amazonaws.com"})],
        False,
    ),
    ("nor for the root user", root(), [statement(Principal={"Service": "s3.amazonaws.com"})], False),
]


@pytest.mark.parametrize(("principal", "key_policy", "allowed"), told(IN_THE_ACCOUNT))
def test_a_key_policy_in_its_account(
    principal: Principal, key_policy: list[Statement], allowed: bool
) -> None:
    assert on_key(principal, *key_policy).allowed is allowed


def for_bucket(arn: str, effect: str = "Allow") -> Statement:
    return statement(effect, "s3:*", Principal={"AWS": arn})


EITHER_SIDE: list[tuple[Principal, list[Statement], bool]] = [
    (role(MAY), [], True),
    (role(MAY), [for_bucket(USER)], True),
    (role(), [for_bucket(ROLE)], True),
    (role(), [for_bucket(ROOT)], False),
    (role(MAY), [for_bucket(ROOT)], True),
    (role(), [for_bucket(USER)], False),
    (root(), [], True),
    (root(), [for_bucket("*", "Deny")], False),
    (role(MAY), [for_bucket("*", "Deny")], False),
    (role(MAY), [for_bucket(ROOT, "Deny")], False),
    (role(MAY), [for_bucket(SESSION, "Deny")], False),
    (role(MAY), [for_bucket(USER, "Deny")], True),
]


@pytest.mark.parametrize(("principal", "bucket_policy", "allowed"), EITHER_SIDE)
def test_either_side_is_enough_for_a_bucket_in_its_account(
    principal: Principal, bucket_policy: list[Statement], allowed: bool
) -> None:
    assert on_bucket(principal, *bucket_policy).allowed is allowed


DENIES: list[tuple[Principal, list[Statement]]] = [
    (role(MAY, MAY_NOT), [to(ROLE)]),
    (role(MAY), [to(ROLE), to(ROLE, Effect="Deny")]),
    (role(MAY), [to(ROLE), to(ROOT, Effect="Deny")]),
    (role(MAY), [to(ROLE), to("*", Effect="Deny")]),
    (role(MAY, boundary=MAY_NOT), [to(SESSION)]),
    (role(MAY, session=MAY_NOT), [to(SESSION)]),
    (user(MAY, MAY_NOT), [to(USER)]),
    (root(), [to(ROOT), to(ROOT, Effect="Deny")]),
    (service(), [to("*"), to("*", Effect="Deny")]),
]


@pytest.mark.parametrize(("principal", "key_policy"), DENIES)
def test_a_deny_anywhere_wins(principal: Principal, key_policy: list[Statement]) -> None:
    decision = on_key(principal, *key_policy, grants=[grant(principal.arn)])
    assert not decision.allowed
    assert decision.explicit


LIMITS: list[tuple[str, Principal, list[Statement], bool]] = [
    ("a boundary that allows lets it through", role(MAY, boundary=MAY), [to(ROOT)], True),
    ("a boundary limits what identity policies allow", role(MAY, boundary=ELSEWHERE), [to(ROOT)], False),
    ("a boundary limits the ARN of a role", role(boundary=ELSEWHERE), [to(ROLE)], False),
    ("session policies limit the ARN of a role", role(session=ELSEWHERE), [to(ROLE)], False),
    ("both have to allow", role(boundary=MAY, session=ELSEWHERE), [to(ROLE)], False),
    ("a boundary alone allows nothing", role(boundary=MAY), [to(ROOT)], False),
    ("session policies alone allow nothing", role(session=MAY), [to(ROOT)], False),
    ("a boundary does not limit the ARN of a session", role(boundary=ELSEWHERE), [to(SESSION)], True),
    ("session policies do not limit it either", role(session=ELSEWHERE), [to(SESSION)], True),
    ("a boundary does not limit the ARN of a user", user(boundary=ELSEWHERE), [to(USER)], True),
    ("a boundary does not limit what everyone may", role(boundary=ELSEWHERE), [to("*")], True),
    (
        "nor everyone with a condition on the role",
        role(boundary=ELSEWHERE),
        [to("*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})],
        True,
    ),
    ("a boundary limits the user by the account", user(MAY, boundary=ELSEWHERE), [to(ROOT)], False),
]


@pytest.mark.parametrize(("principal", "key_policy", "allowed"), told(LIMITS))
def test_boundaries_and_session_policies(
    principal: Principal, key_policy: list[Statement], allowed: bool
) -> None:
    assert on_key(principal, *key_policy).allowed is allowed


def test_one_of_several_session_policies_is_enough() -> None:
    sessions = (policy("one", ELSEWHERE), policy("two", MAY))
    principal = Principal(ROLE, ACCOUNT, PrincipalKind.ROLE, (policy("p", MAY),), None, sessions)
    assert by_identity(principal)


ACROSS: list[tuple[str, Principal, list[Statement], bool]] = [
    ("both sides allow", stranger(MAY), [to(STRANGER)], True),
    ("the account is named and IAM allows", stranger(MAY), [to(f"arn:aws:iam::{OTHER}:root")], True),
    ("everyone is named and IAM allows", stranger(MAY), [to("*")], True),
    ("only the key policy allows", stranger(), [to(STRANGER)], False),
    ("only the key policy allows everyone", stranger(), [to("*")], False),
    ("only IAM allows", stranger(MAY), [to(ROLE)], False),
    ("the other root user needs no identity policy", root(OTHER), [to(OTHER)], True),
]


@pytest.mark.parametrize(("principal", "resource_policy", "allowed"), told(ACROSS))
def test_across_accounts_both_sides_have_to_allow(
    principal: Principal, resource_policy: list[Statement], allowed: bool
) -> None:
    assert on_key(principal, *resource_policy).allowed is allowed
    anything = [{**statement, "Action": "*"} for statement in resource_policy]
    assert on_bucket(principal, *anything).allowed is allowed


def test_a_boundary_counts_across_accounts_whoever_is_named() -> None:
    limit = policy("permissions boundary", ELSEWHERE)
    limited = Principal(STRANGER, OTHER, PrincipalKind.ROLE, (policy("p", MAY),), limit, session_arn="arn:x")
    assert not on_key(limited, to("arn:x")).allowed
    assert not on_key(limited, to("*")).allowed


def test_some_permissions_never_reach_another_accounts_key() -> None:
    whole = to(STRANGER, Action="kms:*")
    assert on_key(stranger(MAY), whole, action="kms:DescribeKey").allowed
    refused = on_key(stranger(MAY), whole, action="kms:PutKeyPolicy")
    assert not refused.allowed
    assert refused.reasons[0].side is Side.SERVICE
    assert on_key(role(), to(ROLE, Action="kms:*"), action="kms:PutKeyPolicy").allowed


@pytest.mark.parametrize(
    ("key_policy", "allowed"),
    [
        ([statement(Principal={"Service": "cloudtrail.amazonaws.com"})], True),
        ([statement(Principal={"Service": ["s3.amazonaws.com", "CloudTrail.amazonaws.com"]})], True),
        ([statement(Principal={"Service": "s3.amazonaws.com"})], False),
        ([to(ROOT)], False),
        ([to("*")], True),
        ([statement(Principal={"Federated": "cloudtrail.amazonaws.com"})], False),
    ],
)
def test_a_service_needs_a_statement_that_names_it(key_policy: list[Statement], allowed: bool) -> None:
    assert on_key(service(), *key_policy).allowed is allowed


def test_a_service_is_known_as_one_in_conditions() -> None:
    trail = {"aws:SourceArn": "arn:aws:cloudtrail:us-east-1:111122223333:trail/t"}
    allow = statement(
        Principal={"Service": "cloudtrail.amazonaws.com"},
        Condition={"StringEquals": trail, "Bool": {"aws:PrincipalIsAWSService": "true"}},
    )
    assert on_key(service(), allow, keys=trail).allowed
    assert not on_key(service(), allow, keys={"aws:SourceArn": "arn:x"}).allowed
    deny = to("*", Effect="Deny", Condition={"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})
    assert on_key(service(), allow, deny, keys=trail).allowed
    assert not on_key(role(), to(ROLE), deny).allowed


def test_nobody_is_somebody_only_where_everyone_is() -> None:
    assert on_bucket(anonymous(), for_bucket("*")).allowed
    assert not on_bucket(anonymous(), for_bucket(ROOT)).allowed
    assert not on_bucket(anonymous()).allowed
    deny_others = statement("Deny", "s3:*", Principal="*", Condition={"Null": {"aws:PrincipalArn": "true"}})
    assert not on_bucket(anonymous(), for_bucket("*"), deny_others).allowed
    assert on_bucket(role(), for_bucket("*"), deny_others).allowed


def test_an_identity_provider_is_named_by_federated() -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/example.org"
    somebody = Principal(provider, "", PrincipalKind.FEDERATED)
    assert on_key(somebody, statement(Principal={"Federated": provider})).allowed
    assert not on_key(somebody, statement(Principal={"Federated": f"{provider}2"})).allowed
    assert not on_key(somebody, statement(Principal={"Service": provider})).allowed


def spare(*arns: str) -> Statement:
    return statement("Deny", "kms:*", NotPrincipal={"AWS": list(arns)})


NOT_PRINCIPAL: list[tuple[Principal, Statement, bool]] = [
    (role(), spare(ROLE, SESSION, ROOT), True),
    (role(), spare(ROLE, ROOT), False),
    (role(), spare(SESSION, ROOT), False),
    (role(), spare(ROLE, SESSION), False),
    (role(session_arn=""), spare(ROLE, ROOT), True),
    (user(), spare(USER, ROOT), True),
    (user(), spare(USER), False),
    (user(), spare(ROLE, ROOT), False),
    (user(boundary=MAY), spare(USER, ROOT), False),
    (root(), spare(ROOT), True),
    (root(), spare(USER), False),
    (service(), statement("Deny", "kms:*", NotPrincipal={"Service": "cloudtrail.amazonaws.com"}), True),
    (service(), spare(ROOT), False),
]


@pytest.mark.parametrize(("principal", "deny", "spared"), NOT_PRINCIPAL)
def test_a_deny_for_all_others_spares_who_is_listed_by_every_name(
    principal: Principal, deny: Statement, spared: bool
) -> None:
    decision = on_key(principal, statement(Principal="*"), deny)
    assert (decision.allowed, decision.explicit) == (spared, not spared)


def test_an_allow_for_all_others_allows_all_others() -> None:
    others = statement(NotPrincipal={"AWS": [USER, ROOT]})
    assert on_key(role(), others).allowed
    assert not on_key(user(), others).allowed


GRANTS: list[tuple[str, Principal, dict[str, object], bool]] = [
    ("a grant to the role", role(), {"grantee": ROLE}, True),
    ("a grant to the session", role(), {"grantee": SESSION}, True),
    ("a grant to somebody else", role(), {"grantee": USER}, False),
    ("a grant to the user", user(), {"grantee": USER}, True),
    ("a grant of another operation", role(), {"operations": ("Encrypt",)}, False),
    ("a grant of several operations", role(), {"operations": ("Encrypt", "Decrypt")}, True),
    ("a grant to the account delegates to IAM", role(MAY), {"grantee": ROOT}, True),
    ("which is silent", role(), {"grantee": ROOT}, False),
    ("a grant to a service", service(), {"grantee": "cloudtrail.amazonaws.com"}, True),
    ("a grant to another service", service(), {"grantee": "s3.amazonaws.com"}, False),
    ("a grant within the boundary", role(boundary=MAY), {}, True),
    ("a grant beyond the boundary of a role", role(boundary=ELSEWHERE), {}, False),
    ("a grant beyond the boundary of a user", user(boundary=ELSEWHERE), {"grantee": USER}, True),
    ("a grant across accounts needs no identity policy", stranger(), {"grantee": STRANGER}, True),
    (
        "a grant to the other account delegates to IAM",
        stranger(MAY),
        {"grantee": f"arn:aws:iam::{OTHER}:root"},
        True,
    ),
    ("which is silent there, too", stranger(), {"grantee": f"arn:aws:iam::{OTHER}:root"}, False),
]


@pytest.mark.parametrize(("principal", "given", "allowed"), told(GRANTS))
def test_a_grant_allows_in_place_of_the_key_policy(
    principal: Principal, given: dict[str, object], allowed: bool
) -> None:
    operations = given.get("operations", ("Decrypt",))
    assert isinstance(operations, tuple)
    held = grant(str(given.get("grantee", ROLE)), *operations)
    assert on_key(principal, to("arn:aws:iam::999999999999:root"), grants=[held]).allowed is allowed


CONSTRAINTS: list[tuple[dict[str, object], dict[str, str], str, bool]] = [
    ({"encryption_context_equals": {"app": "a"}}, {"app": "a"}, "Decrypt", True),
    ({"encryption_context_equals": {"app": "a"}}, {"app": "a", "more": "x"}, "Decrypt", False),
    ({"encryption_context_equals": {"app": "a"}}, {"App": "a"}, "Decrypt", False),
    ({"encryption_context_equals": {"app": "a"}}, {}, "Decrypt", False),
    ({"encryption_context_subset": {"app": "a"}}, {"app": "a", "more": "x"}, "Decrypt", True),
    ({"encryption_context_subset": {"app": "a"}}, {"app": "b", "more": "x"}, "Decrypt", False),
    ({"encryption_context_subset": {"app": "a"}}, {}, "DescribeKey", True),
    ({"encryption_context_subset": {"app": "a"}}, {}, "RetireGrant", True),
    ({"encryption_context_subset": {"app": "a"}}, {}, "GenerateDataKey", False),
]


@pytest.mark.parametrize(("constraints", "context", "operation", "allowed"), CONSTRAINTS)
def test_a_constraint_narrows_operations_with_an_encryption_context(
    constraints: dict[str, object], context: dict[str, str], operation: str, allowed: bool
) -> None:
    keys: dict[str, str | tuple[str, ...]] = {f"kms:EncryptionContext:{k}": v for k, v in context.items()}
    held = grant(ROLE, operation, **constraints)
    assert on_key(role(), action=f"kms:{operation}", keys=keys, grants=[held]).allowed is allowed


def test_a_source_arn_narrows_every_operation() -> None:
    held = grant("cloudtrail.amazonaws.com", "DescribeKey", source_arn="arn:aws:x")
    for source, allowed in (("arn:aws:x", True), ("arn:aws:y", False)):
        keys: dict[str, str | tuple[str, ...]] = {"aws:SourceArn": source}
        assert on_key(service(), action="kms:DescribeKey", keys=keys, grants=[held]).allowed is allowed
    assert not on_key(service(), action="kms:DescribeKey", grants=[held]).allowed


def test_a_broken_constraint_of_one_grant_does_not_spoil_another() -> None:
    narrow, wide = grant(ROLE, source_arn="arn:x"), grant(ROLE)
    assert on_key(role(), grants=[narrow, wide]).allowed
    assert not on_key(role(), grants=[narrow]).allowed


def test_a_trust_policy_speaks_about_its_role_without_naming_it() -> None:
    def may_assume(principal: Principal, *trust: Statement) -> bool:
        document = policy("trust policy of role owner", *trust)
        request = Request("sts:AssumeRole", ROLE)
        return decide(principal, request, resource_policy=document, resource_policy_required=True).allowed

    def trusts(arn: str) -> Statement:
        return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}

    assert may_assume(user(), trusts(USER))
    assert not may_assume(user(), trusts(ROOT))
    assert may_assume(user(MAY), trusts(ROOT))
    assert not may_assume(user(MAY), trusts(ROLE))


def test_the_owner_of_a_bucket_is_given_because_its_arn_names_none() -> None:
    request = Request("s3:GetObject", f"{BUCKET}/a")
    assert decide(stranger(MAY), request).allowed
    assert not decide(stranger(MAY), request, resource_account=ACCOUNT).allowed


def test_who_has_no_account_is_nowhere_a_foreigner() -> None:
    request = Request("kms:Decrypt", KEY)
    assert [Context(who, request).foreign for who in (service(), anonymous(), role(), stranger())] == [
        False,
        False,
        False,
        True,
    ]


def test_the_account_of_a_key_is_read_from_its_arn() -> None:
    both = policy("key policy", to("*"))
    assert not decide(stranger(), Request("kms:Decrypt", KEY), resource_policy=both).allowed
    assert decide(
        stranger(), Request("kms:Decrypt", KEY.replace(ACCOUNT, OTHER)), resource_policy=both
    ).allowed
