"""Who may assume a role: its trust policy, and for account principals the caller's identity policy too."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import Principal, allow, error_code, policy, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


def trusting(engine: Engine, *principals: str, **condition: Any) -> str:
    """A role that trusts these AWS principals."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": list(principals)},
        "Action": "sts:AssumeRole",
    }
    if condition:
        statement["Condition"] = condition
    name = f"trusting-{uuid.uuid4().hex[:12]}"
    made = engine.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy(statement))
    return str(made["Role"]["Arn"])


@pytest.fixture(scope="module")
def permitted(engine: Engine) -> Principal:
    return engine.role(allow("sts:AssumeRole"))


@pytest.fixture(scope="module")
def powerless(engine: Engine) -> Principal:
    return engine.role()


@pytest.mark.parametrize("form", ["{account}", "arn:aws:iam::{account}:root"])
def test_an_account_principal_needs_the_identity_policy(
    engine: Engine, permitted: Principal, powerless: Principal, form: str
) -> None:
    role = trusting(engine, form.format(account=engine.account))
    assert engine.assume(role, permitted).session_token
    with refused("AccessDenied", "sts:AssumeRole"):
        engine.assume(role, powerless)


def test_a_named_principal_needs_none(engine: Engine, permitted: Principal, powerless: Principal) -> None:
    role = trusting(engine, powerless.arn)
    assert engine.assume(role, powerless).session_token
    with refused("AccessDenied"):
        engine.assume(role, permitted)


def test_conditions_of_the_trust_decide(engine: Engine, permitted: Principal) -> None:
    not_me = trusting(engine, engine.account, ArnNotLike={"aws:PrincipalArn": f"{permitted.arn}*"})
    me = trusting(engine, engine.account, ArnEquals={"aws:PrincipalArn": permitted.arn})
    with_id = trusting(engine, engine.account, StringEquals={"sts:ExternalId": "sesame"})
    assert engine.assume(me, permitted).session_token
    assert engine.assume(with_id, permitted, ExternalId="sesame").session_token
    with refused("AccessDenied"):
        engine.assume(not_me, permitted)
    with refused("AccessDenied"):
        engine.assume(with_id, permitted)


def test_a_permissions_boundary_limits_who_can_be_assumed(engine: Engine) -> None:
    bounded = engine.role(allow("sts:AssumeRole"), boundary=[allow("kms:*")])
    with refused("AccessDenied"):
        engine.assume(trusting(engine, engine.account), bounded)


def test_a_service_principal_lets_nobody_else_in(engine: Engine, permitted: Principal) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    name = f"service-{uuid.uuid4().hex[:12]}"
    made = engine.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy(statement))
    with refused("AccessDenied"):
        engine.assume(made["Role"]["Arn"], permitted)


def test_the_root_user_assumes_no_role_but_the_administrators(engine: Engine) -> None:
    with refused("AccessDenied", "Roles may not be assumed by root accounts."):
        engine.assume(trusting(engine, engine.account), engine.root)
    assert engine.assume(
        f"arn:aws:iam::{engine.account}:role/kmslab-administrator", engine.root
    ).session_token


def test_nobody_but_the_root_user_becomes_the_administrator(engine: Engine) -> None:
    everything = engine.role(allow("*"))
    with refused("AccessDenied"):
        engine.assume(f"arn:aws:iam::{engine.account}:role/kmslab-administrator", everything)


def test_a_missing_role_is_a_denial(engine: Engine, permitted: Principal) -> None:
    role = f"arn:aws:iam::{engine.account}:role/missing"
    assert error_code(lambda: engine.assume(role, permitted)) == "AccessDenied"
