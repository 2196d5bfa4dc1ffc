"""Wildcards of actions and resources, and variables in resources."""

from __future__ import annotations

import pytest

from kmslab.authorization.model import Principal, PrincipalKind
from kmslab.authorization.patterns import action_matches, resource_matches
from tests.authorization.cases import (
    ACCOUNT,
    BUCKET,
    KEY,
    USER,
    by_identity,
    policy,
    role,
    statement,
    user,
)

OBJECT = "s3:GetObject"


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("kms:Decrypt", "kms:Decrypt", True),
        ("KMS:decrypt", "kms:Decrypt", True),
        ("kms:*", "kms:Decrypt", True),
        ("*", "kms:Decrypt", True),
        ("kms:Re?ncrypt*", "kms:ReEncryptFrom", True),
        ("kms:Get*Policy", "kms:GetKeyPolicy", True),
        ("kms:Decrypt", "kms:DecryptX", False),
        ("s3:*", "kms:Decrypt", False),
        ("kms:.*", "kms:Decrypt", False),
        ("kms", "kms:Decrypt", False),
    ],
)
def test_an_action(pattern: str, action: str, expected: bool) -> None:
    assert action_matches(pattern, action) is expected


@pytest.mark.parametrize(
    ("pattern", "arn", "expected"),
    [
        ("*", KEY, True),
        (KEY, KEY, True),
        ("arn:aws:kms:us-east-1:111122223333:key/*", KEY, True),
        ("arn:aws:kms:*:111122223333:key/1234????", KEY, True),
        # A star at the end of a field runs on past colons, any other stays in its field.
        ("arn:aws:kms:*", KEY, True),
        ("arn:aws:kms:*:key/1234abcd", KEY, True),
        ("arn:aws:kms:us-*-1:key/1234abcd", KEY, False),
        ("arn:aws:k*s:us-east-1:111122223333:key/1234abcd", KEY, True),
        ("arn:aws?kms:us-east-1:111122223333:key/1234abcd", KEY, False),
        (KEY.upper(), KEY, False),
        (f"{BUCKET}/*", f"{BUCKET}/a/b:c", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1///test///object.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1-test/object.jpg", False),
        (f"{BUCKET}/*", BUCKET, False),
        (BUCKET, f"{BUCKET}/a", False),
        ("arn:aws:s3:::d?ta", BUCKET, True),
        ("arn:aws:s3:::d.ta", BUCKET, False),
    ],
)
def test_a_resource(pattern: str, arn: str, expected: bool) -> None:
    assert resource_matches(pattern, arn) is expected


def test_not_action_speaks_about_all_others() -> None:
    owner = role(statement(NotAction=["kms:Put*", "iam:*"]))
    assert by_identity(owner, "kms:Decrypt")
    assert by_identity(owner, "s3:GetObject")
    assert not by_identity(owner, "kms:PutKeyPolicy")
    assert not by_identity(owner, "IAM:PassRole")


def test_not_resource_speaks_about_all_others() -> None:
    owner = role(statement(action="s3:*", NotResource=[f"{BUCKET}/secret/*", BUCKET]))
    assert by_identity(owner, OBJECT, f"{BUCKET}/a")
    assert not by_identity(owner, OBJECT, f"{BUCKET}/secret/a")
    assert not by_identity(owner, OBJECT, BUCKET)


def test_one_of_several_actions_and_resources_is_enough() -> None:
    owner = role(statement(action=["s3:PutObject", OBJECT], Resource=["arn:aws:s3:::x/*", f"{BUCKET}/*"]))
    assert by_identity(owner, OBJECT, f"{BUCKET}/a")
    assert not by_identity(owner, "s3:DeleteObject", f"{BUCKET}/a")
    assert not by_identity(owner, OBJECT, "arn:aws:s3:::y/a")


def test_a_variable_in_a_resource() -> None:
    home = statement(action="s3:*", Resource=f"{BUCKET}/${{aws:username}}/*")
    assert by_identity(user(home), OBJECT, f"{BUCKET}/kenya-one/a")
    assert not by_identity(user(home), OBJECT, f"{BUCKET}/kenya-two/a")
    # A role has no user name: the resource matches nothing, and neither does what NotResource leaves out.
    assert not by_identity(role(home), OBJECT, f"{BUCKET}/${{aws:username}}/a")


def test_a_policy_without_the_new_version_has_no_variables() -> None:
    literal = statement(action="s3:*", Resource=f"{BUCKET}/${{aws:username}}")
    old = policy("old", literal, version="2008-10-17")
    principal = Principal(
        USER, ACCOUNT, PrincipalKind.USER, (old,), condition_keys={"aws:username": "kenya-one"}
    )
    assert not by_identity(principal, OBJECT, f"{BUCKET}/kenya-one")
    assert by_identity(principal, OBJECT, f"{BUCKET}/${{aws:username}}")
