from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks.expectations import KEYS
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import ACCOUNT, OUTPUTS, FakeAccess, World, judge, policy_document, role_arn
from tests.checks.lab_world import (
    cloudtrail,
    for_account,
    given,
    good_lab,
    key,
    key_policy,
    through,
    when,
)
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable


def with_statement(name: str, statement: dict[str, Any]) -> Callable[[World], object]:
    """Break a key's policy by one more statement."""
    return lambda world: setattr(key(world, name), "policy", policy_document(*key_policy(name), statement))


def without_conditions(name: str) -> Callable[[World], object]:
    """Break a key's policy by leaving every condition out."""
    bare = [{k: v for k, v in s.items() if k != "Condition"} for s in key_policy(name)]
    return lambda world: setattr(key(world, name), "policy", policy_document(*bare))


def no_policies(world: World) -> None:
    for expected in KEYS:
        key(world, expected.name).policy = policy_document()


def trail_with(**condition: dict[str, object]) -> Callable[[World], object]:
    return lambda world: setattr(
        key(world, "trail"), "policy", policy_document({**cloudtrail(), "Condition": condition})
    )


def passing_on(world: World) -> None:
    """The statement that allows grants within limits allows granting CreateGrant too."""
    statements = key_policy("app")
    statements[-1]["Condition"]["ForAllValues:StringEquals"]["kms:GrantOperations"].append("CreateGrant")
    key(world, "app").policy = policy_document(*statements)


PINNED = {"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/*"]}
BROKEN = [
    *(
        Broken(
            "key-policies.no-key-is-public",
            with_statement("app", {**for_account(("kms:Decrypt",)), "Principal": principal}),
            says,
        )
        for principal, says in (
            ("*", "Test of the key app names everyone"),
            ({"AWS": "*"}, "names everyone"),
            ({"AWS": "arn:aws:iam::999999999999:root"}, "names another account: 999999999999"),
        )
    ),
    Broken("key-policies.no-key-is-public", no_policies, "allow nothing at all"),
    Broken(
        "key-policies.administration-is-not-delegated-to-iam",
        with_statement("s3", for_account(("kms:*",))),
        "of the key s3 lets IAM alone decide about kms:PutKeyPolicy",
    ),
    Broken(
        "key-policies.administration-is-not-delegated-to-iam",
        with_statement("s3", for_account(("kms:CreateGrant",)) | {"Condition": {"ArnLike": PINNED}}),
        "lets IAM alone decide about kms:CreateGrant",
    ),
    Broken(
        "key-policies.use-is-delegated-only-through-a-service",
        without_conditions("secrets"),
        "of the key secrets lets IAM alone decide about kms:Decrypt",
    ),
    Broken(
        "key-policies.administrators-do-not-use",
        with_statement("ebs", for_account(("kms:CreateGrant",), role_arn("key-administrator"))),
        "of the key ebs gives the key administrator kms:CreateGrant",
    ),
    Broken(
        "key-policies.administrators-do-not-use",
        with_statement(
            "ebs", {**for_account(("kms:Decr*",)), "Principal": {"AWS": role_arn("key-administrator")}}
        ),
        "gives the key administrator kms:Decrypt",
    ),
    Broken("key-policies.administrators-do-not-use", no_policies, "names the key administrator"),
    Broken("key-policies.the-trail-key-serves-one-trail", no_policies, "no key policy lets CloudTrail in"),
    Broken("key-policies.the-trail-key-serves-one-trail", without_conditions("trail"), "to the lab's trail"),
    Broken(
        "key-policies.the-trail-key-serves-one-trail",
        trail_with(StringEquals={"aws:SourceArn": OUTPUTS.trail}),
        "does not demand CloudTrail's encryption context",
    ),
    *(
        Broken(
            "key-policies.the-trail-key-serves-one-trail",
            with_statement("trail", {**for_account(("kms:Decrypt",)), "Condition": condition}),
            "Test opens other things than log files and messages",
        )
        for condition in (
            {},
            {"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "true"}},
            {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:eu-central-1:1:mine"}},
        )
    ),
    Broken(
        "key-policies.iam-alone-cannot-rewrite-the-policy",
        given("PutKeyPolicy", Persona.OPERATOR),
        "operator could call kms:PutKeyPolicy",
    ),
    Broken(
        "key-policies.iam-alone-cannot-decrypt",
        given("Decrypt", Persona.OPERATOR),
        "operator could call kms:Decrypt",
    ),
    Broken(
        "key-policies.the-s3-key-works-through-s3-only",
        given("GenerateDataKey", Persona.DATA_OWNER),
        "data-owner could call kms:GenerateDataKey",
    ),
    Broken(
        "key-policies.a-lock-out-is-refused",
        lambda w: w.answers("kms:PutKeyPolicy", {}),
        "could call kms:PutKeyPolicy",
    ),
    Broken(
        "key-policies.services-keys-serve-their-service-only",
        with_statement("s3", for_account(("kms:Decrypt",), role_arn("data-owner"))),
        "Test of the key s3 gives its use through no named service",
    ),
    Broken(
        "key-policies.services-keys-serve-their-service-only",
        with_statement("ebs", when(for_account(("kms:Decrypt",)), **through("s3"))),
        "Test of the key ebs gives its use through s3",
    ),
    Broken("key-policies.services-keys-serve-their-service-only", no_policies, "no statement gives the use"),
    Broken(
        "key-policies.direct-use-demands-the-context",
        with_statement("app", for_account(("kms:Decrypt",), role_arn("data-owner"))),
        "Test of the key app does not demand kmslab=training",
    ),
    Broken("key-policies.direct-use-demands-the-context", no_policies, "no statement gives direct use"),
    Broken(
        "key-policies.grants-are-made-within-limits",
        with_statement("app", for_account(("kms:CreateGrant",), role_arn("data-owner"))),
        "Test of the key app lets grants be made without limits",
    ),
    Broken("key-policies.grants-are-made-within-limits", passing_on, "lets grantees pass their grants on"),
    Broken("key-policies.grants-are-made-within-limits", no_policies, "nobody may create a grant"),
    Broken(
        "key-policies.there-is-a-way-back-in",
        lambda w: setattr(key(w, "mac"), "policy", policy_document(*key_policy("mac")[1:])),
        "the root user may not put another policy on the key mac",
    ),
]


@pytest.mark.parametrize(
    "condition",
    [
        {"Null": {"kms:EncryptionContext:aws:cloudtrail:arn": "false"}},
        {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": OUTPUTS.alarm_topic}},
    ],
)
def test_log_files_and_alarms_are_opened_with_the_trail_key(condition: dict[str, Any]) -> None:
    world = good_lab()
    with_statement("trail", {**for_account(("kms:Decrypt",)), "Condition": condition})(world)
    assert judge("key-policies.the-trail-key-serves-one-trail", world).outcome is Outcome.PASS


def test_the_default_policy_is_a_way_back_in_too() -> None:
    """It says too much, which is for other checks to see; it does not lock anybody out."""
    world = good_lab()
    key(world, "mac").policy = policy_document(for_account(("kms:*",)))
    assert judge("key-policies.there-is-a-way-back-in", world).outcome is Outcome.PASS
    key(world, "mac").policy = policy_document(
        {**for_account(("kms:*",)), "Condition": {"StringEquals": {"kms:ViaService": "s3.amazonaws.com"}}}
    )
    assert judge("key-policies.there-is-a-way-back-in", world).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "check", ["key-policies.iam-alone-cannot-decrypt", "key-policies.iam-alone-cannot-rewrite-the-policy"]
)
def test_the_root_user_shows_nothing(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root", "UserId": ACCOUNT}
    monkeypatch.setattr(FakeAccess, "caller", root)
    verdict = judge(check, good_lab())
    assert verdict.outcome is Outcome.ERROR
    assert "root user" in verdict.summary
