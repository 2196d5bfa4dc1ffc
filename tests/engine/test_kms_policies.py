"""Key policies: what a new one must satisfy, the lockout safety check, and the form in which they come back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import LOADER, policy, principal_allow, refused
from tests.engine.kms_calls import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine


def test_a_key_without_a_policy_delegates_to_iam(
    engine: Engine, kms: Any, make_key: Callable[..., str]
) -> None:
    key = make_key()
    example = LOADER.load_service_model("kms", "examples-1")["examples"]["GetKeyPolicy"][0]["output"][
        "Policy"
    ]
    assert "111122223333" in example
    found = kms.get_key_policy(KeyId=key)
    assert (found["PolicyName"], found["Policy"]) == (
        "default",
        example.replace("111122223333", engine.account),
    )
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]


def test_a_policy_comes_back_printed_anew(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    """The spacing is that of the responses in the API reference (GetKeyPolicy, ReplicateKey)."""
    statement = {**engine.own_statement(), "Action": ["kms:*"], "Condition": {}}
    key = make_key()
    kms.put_key_policy(KeyId=key, Policy=policy(statement))
    assert kms.get_key_policy(KeyId=key)["Policy"] == (
        '{\n  "Version" : "2012-10-17",\n  "Statement" : [ {\n    "Effect" : "Allow",\n    "Principal" : {\n'
        f'      "AWS" : "arn:aws:iam::{engine.account}:role/kmslab-administrator"\n    }},\n'
        '    "Action" : [ "kms:*" ],\n    "Resource" : "*",\n    "Condition" : { }\n  } ]\n}'
    )


def test_a_policy_can_be_put_in_every_state(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    """KMS Developer Guide, "Key states": GetKeyPolicy, ListKeyPolicies and PutKeyPolicy always succeed."""
    key = make_key()
    document = policy(engine.own_statement())
    kms.schedule_key_deletion(KeyId=key)
    kms.put_key_policy(KeyId=key, Policy=document)
    assert json.loads(kms.get_key_policy(KeyId=key)["Policy"]) == json.loads(document)


def test_a_policy_that_locks_its_author_out_is_refused(
    engine: Engine, kms: Any, make_key: Callable[..., str]
) -> None:
    other = engine.role()
    locked_out = policy(principal_allow(other, "kms:*"))
    message = "The new key policy will not allow you to update the key policy in the future."
    key = make_key()
    with refused("MalformedPolicyDocumentException", message):
        kms.put_key_policy(KeyId=key, Policy=locked_out)
    with refused("MalformedPolicyDocumentException", message):
        kms.create_key(Policy=locked_out)
    kms.put_key_policy(KeyId=key, Policy=locked_out, BypassPolicyLockoutSafetyCheck=True)
    with refused("AccessDeniedException", "kms:DescribeKey", "no resource-based policy allows"):
        kms.describe_key(KeyId=key)


def test_an_account_statement_for_the_author_passes_the_lockout_check(engine: Engine, kms: Any) -> None:
    arn = f"arn:aws:iam::{engine.account}:role/kmslab-administrator"
    mine = engine.account_statement(ArnEquals={"aws:PrincipalArn": [arn]})
    somebody = engine.account_statement(ArnEquals={"aws:PrincipalArn": [f"{arn}-not"]})
    kms.create_key(Policy=policy(mine))
    with refused("MalformedPolicyDocumentException"):
        kms.create_key(Policy=policy(somebody))


@pytest.mark.parametrize(
    "document",
    [
        "not json",
        "{}",
        '{"Version": "2012-10-17", "Statement": []}',
        '{"Statement": [{"Effect": "Maybe", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": [], "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": {}, "Action": "kms:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "nobody", "Action": "kms:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": []}, "Action": "kms:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": {"Who": "*"}, "Action": "kms:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": {"Service": "s3"}, "Action": "kms:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Why": "x"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": '
        '{"StringEqual": {"kms:ViaService": "s3"}}}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": '
        '{"StringEquals": {"kms:ViaService": [[]]}}}]}',
        '{"Version": "2020-01-01", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", '
        '"Resource": "*"}]}',
        '{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Principal": "*", "Action": "kms:*", '
        '"Resource": "*"}]}',
        '{"Name": "x", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]}',
        pytest.param("[" * 20000, id="deep"),
    ],
)
def test_a_malformed_policy_is_refused(kms: Any, make_key: Callable[..., str], document: str) -> None:
    # The safety check is out of the way: it would refuse some of these too.
    with refused("MalformedPolicyDocumentException"):
        kms.put_key_policy(KeyId=make_key(), Policy=document, BypassPolicyLockoutSafetyCheck=True)


def test_text_that_is_no_json_is_refused_without_a_word(kms: Any, make_key: Callable[..., str]) -> None:
    refusal = told(kms.put_key_policy, KeyId=make_key(), Policy="not a real policy statement")
    assert refusal == ("MalformedPolicyDocumentException", "")


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEqualsIfExists": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
        {"ForAnyValue:StringLike": {"kms:ResourceAliases": ["alias/*"]}},
        {"Bool": {"kms:GrantIsForAWSResource": True}},
        {"Null": {"kms:ViaService": "true"}},
        {"NumericLessThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": 7}},
    ],
)
def test_every_kind_of_condition_is_taken(
    engine: Engine, make_key: Callable[..., str], condition: dict[str, Any]
) -> None:
    assert make_key(engine.account_statement("kms:Decrypt", **condition))


def test_a_principal_must_exist(engine: Engine, kms: Any) -> None:
    for missing in (
        f"arn:aws:iam::{engine.account}:role/nobody",
        f"arn:aws:iam::{engine.account}:user/nobody",
        f"arn:aws:iam::{engine.account}:group/people",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam::123456789012:user",
        f"arn:aws::{engine.account}:root",
        "arn:aws:s3:::bucket",
        "12345678901",
        "nobody",
    ):
        with refused("MalformedPolicyDocumentException", "invalid principals"):
            kms.create_key(Policy=policy(engine.own_statement(), principal_allow(missing, "kms:Decrypt")))
    for taken in (
        "arn:aws:iam::123456789012:role/theirs",
        "arn:aws:iam::123456789012:root",
        "123456789012",
        f"arn:aws:sts::{engine.account}:assumed-role/kmslab-administrator/somebody",
        f"arn:aws:sts::{engine.account}:federated-user/somebody",
        "*",
    ):
        document = policy(engine.own_statement(), principal_allow(taken, "kms:Decrypt"))
        assert kms.create_key(Policy=document)["KeyMetadata"]["Enabled"]


def test_a_policy_has_at_most_32_kilobytes(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    statement = {**engine.own_statement(), "Sid": "x" * 33000}
    with refused("LimitExceededException"):
        kms.put_key_policy(KeyId=make_key(), Policy=policy(statement))


def test_the_only_policy_is_the_default_one(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    with refused("NotFoundException", "No such policy exists"):
        kms.get_key_policy(KeyId=key, PolicyName="other")
    with refused("NotFoundException", "No such policy exists"):
        kms.put_key_policy(KeyId=key, PolicyName="other", Policy=policy(engine.own_statement()))
    listed = kms.list_key_policies(KeyId=key, Limit=1)
    assert (listed["PolicyNames"], listed["Truncated"]) == (["default"], False)
    assert "NextMarker" not in listed
