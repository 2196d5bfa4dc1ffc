"""Grants: what they allow, to whom, within which constraints, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import Principal, principal_allow, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

OTHERS = "arn:aws:iam::123456789012:role/somebody-elsewhere"
"""A principal of an account that the engine does not know."""


@pytest.fixture(scope="module")
def grantee(engine: Engine) -> Principal:
    """A role without any permission of its own."""
    return engine.role()


@pytest.fixture
def key(engine: Engine) -> str:
    """A key whose policy knows the administrator only."""
    return engine.key(engine.own_statement())


def test_a_grant_allows_what_no_policy_does(engine: Engine, kms: Any, grantee: Principal, key: str) -> None:
    theirs = engine.client("kms", grantee)
    with refused("AccessDeniedException", "kms:Encrypt"):
        theirs.encrypt(KeyId=key, Plaintext=b"x")
    made = kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    blob = theirs.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])["CiphertextBlob"]
    with refused("AccessDeniedException", "kms:Decrypt"):
        theirs.decrypt(CiphertextBlob=blob)
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    with refused("AccessDeniedException"):
        theirs.encrypt(KeyId=key, Plaintext=b"x")


def test_a_grant_is_for_its_grantee_only(engine: Engine, kms: Any, grantee: Principal, key: str) -> None:
    kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    with refused("AccessDeniedException"):
        engine.client("kms", engine.role()).encrypt(KeyId=key, Plaintext=b"x")


@pytest.mark.parametrize(
    ("constraint", "right", "wrong"),
    [
        ("EncryptionContextEquals", {"a": "1"}, {"a": "1", "b": "2"}),
        ("EncryptionContextSubset", {"a": "1", "b": "2"}, {"a": "2"}),
        ("EncryptionContextSubset", {"a": "1"}, {}),
    ],
)
def test_a_constraint_narrows_the_context(
    engine: Engine,
    kms: Any,
    grantee: Principal,
    key: str,
    constraint: str,
    right: dict[str, str],
    wrong: dict[str, str],
) -> None:
    kms.create_grant(
        KeyId=key,
        GranteePrincipal=grantee.arn,
        Operations=["Encrypt", "DescribeKey"],
        Constraints={constraint: {"a": "1"}},
    )
    theirs = engine.client("kms", grantee)
    assert theirs.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=right)["KeyId"] == key
    with refused("AccessDeniedException"):
        theirs.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=wrong)
    assert theirs.describe_key(KeyId=key)["KeyMetadata"]["Arn"] == key


def test_an_explicit_deny_is_stronger_than_a_grant(engine: Engine, kms: Any, grantee: Principal) -> None:
    deny = {**principal_allow(grantee, "kms:Encrypt"), "Effect": "Deny"}
    key = engine.key(deny)
    kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    with refused("AccessDeniedException", "explicit deny in a resource-based policy"):
        engine.client("kms", grantee).encrypt(KeyId=key, Plaintext=b"x")


def test_a_grant_is_listed_as_it_was_made(engine: Engine, kms: Any, grantee: Principal, key: str) -> None:
    made = kms.create_grant(
        KeyId=key,
        GranteePrincipal=grantee.arn,
        RetiringPrincipal=grantee.arn,
        Operations=["Decrypt", "Encrypt"],
        Constraints={"EncryptionContextSubset": {"a": "b"}},
        Name="mine",
    )
    (listed,) = kms.list_grants(KeyId=key)["Grants"]
    listed.pop("CreationDate")
    assert listed == {
        "KeyId": key,
        "GrantId": made["GrantId"],
        "Name": "mine",
        "GranteePrincipal": grantee.arn,
        "RetiringPrincipal": grantee.arn,
        "IssuingAccount": f"arn:aws:iam::{engine.account}:root",
        "Operations": ["Decrypt", "Encrypt"],
        "Constraints": {"EncryptionContextSubset": {"a": "b"}},
    }
    assert (
        kms.list_grants(KeyId=key, GranteePrincipal=f"arn:aws:iam::{engine.account}:role/other")["Grants"]
        == []
    )
    assert len(kms.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"]) == 1
    retirable = kms.list_retirable_grants(RetiringPrincipal=grantee.arn)["Grants"]
    assert made["GrantId"] in [grant["GrantId"] for grant in retirable]


def test_the_same_named_request_is_one_grant(kms: Any, grantee: Principal, key: str) -> None:
    request = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": ["Encrypt"]}
    first, again = kms.create_grant(Name="n", **request), kms.create_grant(Name="n", **request)
    assert first["GrantId"] == again["GrantId"]
    assert first["GrantToken"] != again["GrantToken"]
    unnamed = {kms.create_grant(**request)["GrantId"] for _ in range(2)}
    assert len(unnamed) == 2
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 3
    page = kms.list_grants(KeyId=key, Limit=2)
    assert page["Truncated"]
    assert len(kms.list_grants(KeyId=key, Marker=page["NextMarker"])["Grants"]) == 1


def test_describe_key_does_not_mind_a_token_that_is_none(kms: Any, key: str) -> None:
    """API reference, DescribeKey: its errors do not have InvalidGrantTokenException."""
    assert kms.describe_key(KeyId=key, GrantTokens=["none"])["KeyMetadata"]["Arn"] == key


def test_a_retiring_principal_retires_by_token_and_by_id(
    engine: Engine, kms: Any, grantee: Principal, key: str
) -> None:
    retiring, stranger = engine.role(), engine.role()
    request = {
        "KeyId": key,
        "GranteePrincipal": grantee.arn,
        "RetiringPrincipal": retiring.arn,
        "Operations": ["Encrypt"],
    }
    first, second = kms.create_grant(**request), kms.create_grant(**request)
    with refused("AccessDeniedException", "kms:RetireGrant"):
        engine.client("kms", stranger).retire_grant(GrantToken=first["GrantToken"])
    theirs = engine.client("kms", retiring)
    theirs.retire_grant(GrantToken=first["GrantToken"])
    theirs.retire_grant(KeyId=key, GrantId=second["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    with refused("InvalidGrantTokenException"):
        theirs.retire_grant(GrantToken=first["GrantToken"])
    with refused("ValidationException"):
        theirs.retire_grant(KeyId=key)


def test_a_grantee_retires_only_when_the_grant_says_so(
    engine: Engine, kms: Any, grantee: Principal, key: str
) -> None:
    plain = kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    leaving = kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt", "RetireGrant"])
    theirs = engine.client("kms", grantee)
    with refused("AccessDeniedException", "kms:RetireGrant"):  # the other grant speaks for itself alone
        theirs.retire_grant(KeyId=key, GrantId=plain["GrantId"])
    theirs.retire_grant(KeyId=key, GrantId=leaving["GrantId"])


@pytest.mark.parametrize(
    ("parameters", "operations"),
    [
        ({}, ["Sign"]),
        ({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, ["Encrypt"]),
        ({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, ["GenerateDataKey"]),
    ],
)
def test_a_grant_names_operations_that_the_key_has(
    engine: Engine, kms: Any, grantee: Principal, parameters: dict[str, str], operations: list[str]
) -> None:
    with refused("ValidationException", "not supported"):
        kms.create_grant(KeyId=engine.key(**parameters), GranteePrincipal=grantee.arn, Operations=operations)


def test_nonsense_is_refused(kms: Any, key: str, grantee: Principal) -> None:
    with refused("InvalidArnException"):
        kms.create_grant(KeyId=key, GranteePrincipal="somebody", Operations=["Encrypt"])
    with refused("ValidationException"):
        kms.create_grant(KeyId=key, Operations=["Encrypt"])
    with refused("ValidationException", "enum"):
        kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Fly"])
    with refused("NotFoundException", "Grant ID"):
        kms.revoke_grant(KeyId=key, GrantId="0" * 64)
    kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])


def test_who_may_grant_can_be_limited_to_services(engine: Engine, grantee: Principal) -> None:
    operator = engine.role()
    only_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    key = engine.key(principal_allow(operator, "kms:CreateGrant", Condition=only_services))
    with refused("AccessDeniedException", "kms:CreateGrant"):
        engine.client("kms", operator).create_grant(
            KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"]
        )


def test_what_may_be_granted_can_be_limited(engine: Engine, grantee: Principal) -> None:
    operator = engine.role()
    only_encrypt = {
        "ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]},
        "StringEquals": {
            "kms:GranteePrincipal": grantee.arn,
            "kms:GrantConstraintType": "EncryptionContextEquals",
        },
    }
    key = engine.key(principal_allow(operator, "kms:CreateGrant", Condition=only_encrypt))
    theirs = engine.client("kms", operator)
    request = {
        "KeyId": key,
        "GranteePrincipal": grantee.arn,
        "Operations": ["Encrypt"],
        "Constraints": {"EncryptionContextEquals": {"a": "b"}},
    }
    theirs.create_grant(**request)
    changes: list[dict[str, Any]] = [
        {"Operations": ["Encrypt", "Decrypt"]},
        {"GranteePrincipal": operator.arn},
        {"Constraints": {"EncryptionContextSubset": {"a": "b"}}},
        {"Constraints": {}},
    ]
    for change in changes:
        with refused("AccessDeniedException"):
            theirs.create_grant(**{**request, **change})


def test_a_token_that_is_none_is_refused(kms: Any, key: str, make_key: Callable[..., str]) -> None:
    other = kms.create_grant(KeyId=make_key(), GranteePrincipal=OTHERS, Operations=["Encrypt"])["GrantToken"]
    assert kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[other])["KeyId"] == key
    for tokens in (["rubbish"], [other, "rubbish"]):
        for operation, parameters in (
            ("encrypt", {"Plaintext": b"x"}),
            ("generate_data_key", {"KeySpec": "AES_256"}),
            ("create_grant", {"GranteePrincipal": OTHERS, "Operations": ["Encrypt"]}),
        ):
            with refused("InvalidGrantTokenException"):
                getattr(kms, operation)(KeyId=key, GrantTokens=tokens, **parameters)


def test_each_token_of_a_grant_ends_with_it(engine: Engine, kms: Any, grantee: Principal, key: str) -> None:
    request = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": ["Encrypt"], "Name": "n"}
    first, again = kms.create_grant(**request), kms.create_grant(**request)
    theirs = engine.client("kms", grantee)
    for made in (first, again):
        assert theirs.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])["KeyId"] == key
    kms.retire_grant(GrantToken=again["GrantToken"])
    for made in (first, again):
        with refused("AccessDeniedException", "kms:Encrypt"):  # who may not is told that, and no more
            theirs.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])
        with refused("InvalidGrantTokenException"):
            kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[made["GrantToken"]])


def test_tokens_are_kept_as_digests_only(kms: Any, key: str, grantee: Principal) -> None:
    kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    (listed,) = kms.list_grants(KeyId=key)["Grants"]
    assert set(listed) == {
        *("KeyId", "GrantId", "Name", "CreationDate", "GranteePrincipal", "IssuingAccount", "Operations")
    }
    assert listed["Name"] == ""


def test_a_dry_run_grants_and_ends_nothing(kms: Any, key: str, grantee: Principal) -> None:
    request = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": ["Encrypt"]}
    with refused("DryRunOperationException"):
        kms.create_grant(**request, DryRun=True)
    made = kms.create_grant(**request)
    for operation, parameters in (
        ("revoke_grant", {"KeyId": key, "GrantId": made["GrantId"]}),
        ("retire_grant", {"GrantToken": made["GrantToken"]}),
    ):
        with refused("DryRunOperationException"):
            getattr(kms, operation)(DryRun=True, **parameters)
    assert [grant["GrantId"] for grant in kms.list_grants(KeyId=key)["Grants"]] == [made["GrantId"]]


def test_retirable_grants_are_of_one_principal(
    engine: Engine, kms: Any, grantee: Principal, key: str
) -> None:
    retiring = engine.role()
    request = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": ["Encrypt"]}
    mine = [kms.create_grant(**request, RetiringPrincipal=retiring.arn)["GrantId"] for _ in range(2)]
    kms.create_grant(**request, RetiringPrincipal=grantee.arn)
    kms.create_grant(**request)
    found = kms.list_retirable_grants(RetiringPrincipal=retiring.arn)
    assert sorted(grant["GrantId"] for grant in found["Grants"]) == sorted(mine)
    assert found["Truncated"] is False
    first = kms.list_retirable_grants(RetiringPrincipal=retiring.arn, Limit=1)
    second = kms.list_retirable_grants(RetiringPrincipal=retiring.arn, Marker=first["NextMarker"])
    assert sorted(page["Grants"][0]["GrantId"] for page in (first, second)) == sorted(mine)
    with refused("ValidationException"):
        kms.list_retirable_grants()


def test_the_account_that_made_a_grant_retires_it(
    engine: Engine, kms: Any, grantee: Principal, key: str
) -> None:
    """API reference, RetireGrant: its root user needs no key policy for that."""
    made = kms.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    root = engine.client("kms", engine.root)
    with refused("AccessDeniedException", "kms:ListGrants"):
        root.list_grants(KeyId=key)
    root.retire_grant(KeyId=key, GrantId=made["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_a_grant_ends_whatever_the_keys_state(kms: Any, grantee: Principal, key: str) -> None:
    """KMS Developer Guide, "Key states of AWS KMS keys": RevokeGrant and RetireGrant succeed in all of them."""
    request = {"KeyId": key, "GranteePrincipal": grantee.arn, "Operations": ["Encrypt"]}
    first, second, third = (kms.create_grant(**request) for _ in range(3))
    kms.disable_key(KeyId=key)
    kms.revoke_grant(KeyId=key, GrantId=first["GrantId"])
    kms.schedule_key_deletion(KeyId=key)
    kms.revoke_grant(KeyId=key, GrantId=second["GrantId"])
    kms.retire_grant(GrantToken=third["GrantToken"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
