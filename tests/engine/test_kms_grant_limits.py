"""What a grant cannot be: wider than the grant it rests on, for nobody, or with more constraints than there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import Principal, principal_allow, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

OTHERS = "arn:aws:iam::123456789012:role/somebody-elsewhere"
"""A principal of an account that the engine does not know."""
SUBSET, EQUALS = "EncryptionContextSubset", "EncryptionContextEquals"


@pytest.fixture(scope="module")
def grantee(engine: Engine) -> Principal:
    """A role without any permission of its own."""
    return engine.role()


@pytest.fixture
def key(engine: Engine) -> str:
    """A key whose policy knows the administrator only."""
    return engine.key(engine.own_statement())


@pytest.mark.parametrize(
    ("parent", "child", "fits"),
    [
        ({}, {}, True),
        ({}, {SUBSET: {"a": "1"}}, True),
        ({SUBSET: {"a": "1"}}, {SUBSET: {"a": "1"}}, True),
        ({SUBSET: {"a": "1"}}, {SUBSET: {"a": "1", "b": "2"}}, True),
        ({SUBSET: {"a": "1"}}, {EQUALS: {"a": "1"}}, True),
        ({SUBSET: {"a": "1"}}, {SUBSET: {"b": "2"}}, False),
        ({SUBSET: {"a": "1"}}, {SUBSET: {"a": "2"}}, False),
        ({SUBSET: {"a": "1"}}, {}, False),
        ({EQUALS: {"a": "1"}}, {EQUALS: {"a": "1"}}, True),
        ({EQUALS: {"a": "1"}}, {EQUALS: {"a": "1", "b": "2"}}, False),
        ({EQUALS: {"a": "1"}}, {SUBSET: {"a": "1"}}, False),
        ({EQUALS: {"a": "1"}}, {}, False),
    ],
)
def test_who_may_grant_by_a_grant_cannot_loosen_its_constraint(
    engine: Engine,
    kms: Any,
    grantee: Principal,
    key: str,
    parent: dict[str, Any],
    child: dict[str, Any],
    fits: bool,  # a table
) -> None:
    """KMS Developer Guide, "Granting CreateGrant permission"."""
    operations = ["CreateGrant", "Decrypt"]
    kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=operations, Constraints=parent)
    theirs = engine.client("kms", grantee)
    request = {"KeyId": key, "GranteePrincipal": OTHERS, "Operations": ["Decrypt"], "Constraints": child}
    if fits:
        assert theirs.create_grant(**request)["GrantId"]
        return
    with refused("AccessDeniedException", "kms:CreateGrant"):
        theirs.create_grant(**request)


def test_who_may_grant_by_a_grant_passes_on_no_more_than_it_says(
    engine: Engine, kms: Any, grantee: Principal, key: str
) -> None:
    kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["CreateGrant", "Decrypt"])
    kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    theirs, next_one = engine.client("kms", grantee), engine.role()
    for operations in (["Encrypt"], ["Decrypt", "Encrypt"], ["GenerateDataKey"]):
        with refused("AccessDeniedException", "kms:CreateGrant"):
            theirs.create_grant(KeyId=key, GranteePrincipal=next_one.arn, Operations=operations)
    theirs.create_grant(KeyId=key, GranteePrincipal=next_one.arn, Operations=["CreateGrant"])
    with refused("AccessDeniedException", "kms:CreateGrant"):  # the child's own limits bind whoever has it
        engine.client("kms", next_one).create_grant(
            KeyId=key, GranteePrincipal=next_one.arn, Operations=["Decrypt"]
        )


def test_a_policy_sets_no_such_limits(engine: Engine, grantee: Principal) -> None:
    operator = engine.role()
    key = engine.key(principal_allow(operator, "kms:CreateGrant"))
    made = engine.client("kms", operator).create_grant(
        KeyId=key, GranteePrincipal=grantee.arn, Operations=["Decrypt"]
    )
    assert made["GrantId"]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::{account}:role/nobody-has-this-name",
        "arn:aws:iam::{account}:user/nobody-has-this-name",
        "arn:aws:iam::{account}:group/g",
        "arn:aws:kms:us-east-1:{account}:key/k",
        "arn:aws:iam::12:root",
        "{account}",
        "ec2.amazonaws.com",
    ],
)
@pytest.mark.parametrize("member", ["GranteePrincipal", "RetiringPrincipal"])
def test_a_principal_is_one_that_exists(
    engine: Engine, kms: Any, grantee: Principal, key: str, arn: str, member: str
) -> None:
    request = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": ["Encrypt"]}
    with refused("InvalidArnException"):
        kms.create_grant(**{**request, member: arn.format(account=engine.account)})


def test_a_constraint_has_eight_short_pairs(
    kms: Any, key: str, grantee: Principal, make_key: Callable[..., str]
) -> None:
    request = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": ["Encrypt"]}
    eight = {str(number): "v" * 384 for number in range(8)}
    assert kms.create_grant(**request, Constraints={SUBSET: eight})["GrantId"]
    for wrong in ({**eight, "8": "v"}, {"0": "v" * 385}):
        with refused("ValidationException", "384"):
            kms.create_grant(**request, Constraints={SUBSET: wrong})
    with refused("ValidationException", "one encryption context constraint"):
        kms.create_grant(**request, Constraints={SUBSET: {"a": "1"}, EQUALS: {"a": "1"}})
    signing = make_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    with refused("ValidationException", "asymmetric"):
        kms.create_grant(
            **{**request, "KeyId": signing, "Operations": ["Sign"]}, Constraints={EQUALS: {"a": "1"}}
        )


def test_a_service_gets_a_grant_for_one_resource_only(engine: Engine, kms: Any, key: str) -> None:
    """API reference, CreateGrant, GranteeServicePrincipal."""
    whole: dict[str, Any] = {
        "KeyId": key,
        "GranteeServicePrincipal": "ec2.amazonaws.com",
        "RetiringServicePrincipal": "ec2.amazonaws.com",
        "Operations": ["Decrypt"],
        "Constraints": {"SourceArn": f"arn:aws:ec2:{engine.region}:{engine.account}:volume/*"},
    }
    kms.create_grant(**whole)
    (listed,) = kms.list_grants(KeyId=key, GranteeServicePrincipal="ec2.amazonaws.com")["Grants"]
    assert listed["GranteeServicePrincipal"] == listed["RetiringServicePrincipal"] == "ec2.amazonaws.com"
    assert not {"GranteePrincipal", "RetiringPrincipal"} & set(listed)
    for left_out in ("RetiringServicePrincipal", "Constraints"):
        with refused("ValidationException", "SourceArn"):
            kms.create_grant(**{name: value for name, value in whole.items() if name != left_out})
    with refused("ValidationException"):
        kms.create_grant(**whole, RetiringPrincipal=OTHERS)
