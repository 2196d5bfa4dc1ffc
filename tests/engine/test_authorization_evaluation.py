"""Every service decides with our evaluator: rules that MiniStack's own does not know."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, policy, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine, Principal, Statement

ELSEWHERE = [allow("ec2:*")]


@pytest.fixture
def bucket(engine: Engine) -> str:
    name = f"evaluation-{uuid.uuid4().hex[:12]}"
    engine.client("s3").create_bucket(Bucket=name)
    engine.client("s3").put_object(Bucket=name, Key="a", Body=b"x")
    return name


def open_bucket(engine: Engine, bucket: str, *statements: Statement) -> None:
    resources = {"Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    document = policy(
        *({"Effect": "Allow", "Action": "s3:GetObject", **resources, **one} for one in statements)
    )
    engine.client("s3").put_bucket_policy(Bucket=bucket, Policy=document)


def read(engine: Engine, who: Principal, bucket: str, key: str = "a") -> bool:
    return bool(engine.client("s3", who).get_object(Bucket=bucket, Key=key)["Body"].read() == b"x")


def test_a_bucket_policy_that_names_the_session_is_not_narrowed_by_the_boundary(
    engine: Engine, bucket: str
) -> None:
    role = engine.role(boundary=ELSEWHERE)
    session = f"arn:aws:sts::{engine.account}:assumed-role/{role.name}/test"
    open_bucket(engine, bucket, {"Principal": {"AWS": role.arn}})
    with refused("AccessDenied"):
        read(engine, role, bucket)
    open_bucket(engine, bucket, {"Principal": {"AWS": session}})
    assert read(engine, role, bucket)
    open_bucket(engine, bucket, {"Principal": {"AWS": f"{session}-2"}})
    with refused("AccessDenied"):
        read(engine, role, bucket)


def test_nor_is_one_that_names_everyone_with_a_condition_on_the_role(engine: Engine, bucket: str) -> None:
    role = engine.role(session_policy=ELSEWHERE)
    for arn, allowed in ((role.arn, True), (f"{role.arn}-2", False)):
        open_bucket(engine, bucket, {"Principal": "*", "Condition": {"ArnEquals": {"aws:PrincipalArn": arn}}})
        if allowed:
            assert read(engine, role, bucket)
        else:
            with refused("AccessDenied"):
                read(engine, role, bucket)


def test_a_deny_for_all_others_spares_who_is_listed_by_every_name(engine: Engine, bucket: str) -> None:
    role = engine.role(allow("s3:*"))
    names = [
        role.arn,
        f"arn:aws:sts::{engine.account}:assumed-role/{role.name}/test",
        f"arn:aws:iam::{engine.account}:root",
    ]
    open_bucket(engine, bucket, {"Effect": "Deny", "NotPrincipal": {"AWS": names}})
    assert read(engine, role, bucket)
    open_bucket(engine, bucket, {"Effect": "Deny", "NotPrincipal": {"AWS": names[:1]}})
    with refused("AccessDenied", "explicit deny in a resource-based policy"):
        read(engine, role, bucket)


def test_a_wildcard_in_the_middle_of_a_field_stays_in_it(engine: Engine, bucket: str) -> None:
    assert read(
        engine,
        engine.role(allow("s3:GetObject", Resource=f"arn:aws:s3:::evaluation-*{bucket[-4:]}/a")),
        bucket,
    )
    assert read(engine, engine.role(allow("s3:GetObject", Resource="arn:aws:s3:*/a")), bucket)
    with refused("AccessDenied"):
        read(engine, engine.role(allow("s3:GetObject", Resource="arn:aws:s*3:evaluation-*/a")), bucket)


@pytest.mark.parametrize(("version", "allowed"), [("2012-10-17", True), ("2008-10-17", False)])
def test_variables_are_of_the_new_version(engine: Engine, bucket: str, version: str, allowed: bool) -> None:
    who = engine.user()
    statement = allow("s3:GetObject", Condition={"StringEquals": {"aws:username": "${aws:username}"}})
    document = json.dumps({"Version": version, "Statement": [statement]})
    engine.client("iam").put_user_policy(UserName=who.name, PolicyName="p", PolicyDocument=document)
    if allowed:
        assert read(engine, who, bucket)
    else:
        with refused("AccessDenied"):
            read(engine, who, bucket)


def test_a_trust_policy_is_weighed_like_any_other(engine: Engine) -> None:
    caller = engine.role(allow("sts:AssumeRole"))
    name = f"trusting-{uuid.uuid4().hex[:12]}"
    arn = f"arn:aws:iam::{engine.account}:role/{name}"

    def trust(**elements: Any) -> str:
        return json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **elements}],
            }
        )

    def assume(external_id: str) -> str:
        theirs = engine.client("sts", caller)
        answer = theirs.assume_role(RoleArn=arn, RoleSessionName="t", ExternalId=external_id)
        return str(answer["AssumedRoleUser"]["Arn"])

    principal = {"AWS": engine.account}
    wanted = {"StringLike": {"sts:ExternalId": "class-?", "aws:PrincipalArn": caller.arn}}
    iam = engine.client("iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(Principal=principal, Condition=wanted))
    assert assume("class-1").endswith(f"assumed-role/{name}/t")
    with refused("AccessDenied"):
        assume("class-10")
    iam.update_assume_role_policy(
        RoleName=name, PolicyDocument=trust(Principal={"Service": "ec2.amazonaws.com"})
    )
    with refused("AccessDenied"):
        assume("class-1")


@pytest.mark.parametrize("document", ["no JSON", "[]", '{"Statement": "x"}', "", None, {"Statement": [{}]}])
@pytest.mark.usefixtures("inside")
def test_a_policy_that_cannot_be_read_says_nothing(document: Any) -> None:
    from kmslab.engine.authorization.evaluation import policy_of

    assert policy_of(document).statements == ()


@pytest.mark.usefixtures("inside")
def test_a_policy_text_is_read_once() -> None:
    from ministack.core import iam_evaluator

    text = policy(allow("s3:*"))
    assert iam_evaluator.parse_policy_document(text) is iam_evaluator.parse_policy_document(text)
    assert iam_evaluator.parse_policy_document(text).policy.statements[0].actions == ("s3:*",)
