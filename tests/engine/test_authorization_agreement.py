"""One question asked twice: of the running engine by a call, and offline of the policies that it gives back."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from kmslab.authorization.decide import decide
from kmslab.authorization.keys import Grant, kms_request
from kmslab.authorization.model import Policy, PrincipalKind, Request
from kmslab.authorization.model import Principal as Who
from tests.engine.conftest import allow, principal_allow
from tests.engine.conftest import policy as document

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine, Principal, Statement

OF_THE_TEAM = allow("kms:*", Condition={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}})
MAY, MAY_NOT = allow("*"), allow("kms:*", "s3:*", Effect="Deny")
ELSEWHERE = allow("ec2:*")
APP = {"app": "a"}

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("Encrypt", {"Plaintext": b"x", "DryRun": True}),
    ("Encrypt", {"Plaintext": b"x", "EncryptionContext": APP, "DryRun": True}),
    (
        "GenerateDataKey",
        {"KeySpec": "AES_256", "EncryptionContext": {"app": "b", "tier": "1"}, "DryRun": True},
    ),
    ("DescribeKey", {}),
    ("GetKeyPolicy", {}),
    ("ListGrants", {}),
    (
        "CreateGrant",
        {"GranteePrincipal": "arn:aws:iam::111122223333:root", "Operations": ["Decrypt"], "DryRun": True},
    ),
]
"""Calls that change nothing, with and without what policies look at."""


def role_of(**parts: Any) -> Callable[[Engine], Principal]:
    return lambda engine: engine.role(
        *parts.get("identity", ()), **{k: v for k, v in parts.items() if k != "identity"}
    )


def user_of(*statements: Statement) -> Callable[[Engine], Principal]:
    return lambda engine: engine.user(*statements)


def by_name(*actions: str, **rest: Any) -> Callable[[Engine, Principal], Statement]:
    return lambda _engine, who: principal_allow(who, *actions, **rest)


def by_account(*actions: str, **condition: Any) -> Callable[[Engine, Principal], Statement]:
    return lambda engine, _who: engine.account_statement(*actions, **condition)


def for_everyone(effect: str, *actions: str, **rest: Any) -> Callable[[Engine, Principal], Statement]:
    return lambda _engine, _who: principal_allow("*", *actions, Effect=effect, **rest)


SITUATIONS: dict[
    str, tuple[Callable[[Engine], Principal], list[Callable[[Engine, Principal], Statement]]]
] = {
    "nobody says anything": (role_of(), []),
    "the key policy names the role": (role_of(), [by_name("kms:*")]),
    "the key policy names the user": (user_of(), [by_name("kms:Encrypt", "kms:Describe*")]),
    "delegation, and IAM allows some": (
        role_of(identity=[allow("kms:Encrypt", "kms:List*")]),
        [by_account()],
    ),
    "delegation, and IAM allows nothing": (role_of(), [by_account()]),
    "IAM alone": (role_of(identity=[MAY]), []),
    "IAM denies": (role_of(identity=[MAY, allow("kms:Encrypt", Effect="Deny")]), [by_name("kms:*")]),
    "the key policy denies everyone": (
        role_of(identity=[MAY]),
        [
            by_name("kms:*"),
            for_everyone(
                "Deny",
                "kms:Encrypt",
                "kms:CreateGrant",
                Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/kmslab-administrator"}},
            ),
        ],
    ),
    "the boundary leaves some": (
        role_of(identity=[MAY], boundary=[allow("kms:Encrypt")]),
        [by_name("kms:*")],
    ),
    "the boundary leaves nothing": (role_of(boundary=[ELSEWHERE]), [by_name("kms:*")]),
    "the boundary denies": (role_of(boundary=[MAY, MAY_NOT]), [by_name("kms:*")]),
    "everyone may, whatever the boundary": (
        role_of(boundary=[ELSEWHERE]),
        [for_everyone("Allow", "kms:Encrypt")],
    ),
    "session policies leave some": (
        role_of(session_policy=[allow("kms:GenerateDataKey")]),
        [by_name("kms:*")],
    ),
    "only through S3": (
        role_of(),
        [by_name("kms:*", Condition={"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}})],
    ),
    "only with the encryption context": (
        role_of(),
        [by_name("kms:*", Condition={"StringEquals": {"kms:EncryptionContext:app": "a"}})],
    ),
    "only with these names in the encryption context": (
        role_of(),
        [
            by_name(
                "kms:*",
                Condition={"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["app", "more"]}},
            )
        ],
    ),
    "not for grants to that account": (
        role_of(),
        [
            by_name(
                "kms:*",
                Condition={"ArnNotLikeIfExists": {"kms:GranteePrincipal": "arn:aws:iam::111122223333:*"}},
            )
        ],
    ),
    "only a key of this team": (
        role_of(identity=[OF_THE_TEAM], tags={"team": "blue"}),
        [by_account()],
    ),
    "only a key of another team": (
        role_of(identity=[OF_THE_TEAM], tags={"team": "red"}),
        [by_account()],
    ),
    "only a symmetric key": (
        role_of(),
        [by_name("kms:*", Condition={"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}})],
    ),
    "only a key with an alias": (
        role_of(),
        [by_name("kms:*", Condition={"Null": {"kms:ResourceAliases": "false"}})],
    ),
    "not over TLS": (role_of(), [by_name("kms:*", Condition={"Bool": {"aws:SecureTransport": "false"}})]),
    "the account's own caller": (
        role_of(),
        [
            for_everyone(
                "Allow", "kms:*", Condition={"StringEquals": {"kms:CallerAccount": "${aws:PrincipalAccount}"}}
            )
        ],
    ),
    "all actions but one": (
        role_of(),
        [lambda _engine, who: {**principal_allow(who), "NotAction": "kms:Encrypt", "Action": None}],
    ),
}


def reading(engine: Engine, who: Principal, session: list[Statement]) -> Who:
    """The principal as IAM's API shows it."""
    iam, name = engine.client("iam"), who.name
    if ":user/" in who.arn:
        names = iam.list_user_policies(UserName=name)["PolicyNames"]
        found = [iam.get_user_policy(UserName=name, PolicyName=one)["PolicyDocument"] for one in names]
        return Who(
            who.arn, engine.account, PrincipalKind.USER, tuple(Policy.parse("identity", one) for one in found)
        )
    role = iam.get_role(RoleName=name)["Role"]
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    found = [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in names]
    boundary = None
    if arn := role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"):
        version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
        boundary = Policy.parse("boundary", version["Document"])
    return Who(
        role["Arn"],
        engine.account,
        PrincipalKind.ROLE,
        tuple(Policy.parse("identity", one) for one in found),
        boundary,
        (Policy.parse("session", document(*session)),) if session else (),
        {f"aws:PrincipalTag/{tag['Key']}": tag["Value"] for tag in role.get("Tags", [])},
        f"arn:aws:sts::{engine.account}:assumed-role/{name}/test",
    )


def offline(engine: Engine, who: Who, key: str, operation: str, parameters: dict[str, Any]) -> bool:
    kms = engine.client("kms")
    request = kms_request(
        operation,
        key,
        account=engine.account,
        metadata=kms.describe_key(KeyId=key)["KeyMetadata"],
        aliases=[one["AliasName"] for one in kms.list_aliases(KeyId=key)["Aliases"]],
        tags={tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key)["Tags"]},
        parameters={"KeyId": key, **parameters},
        context=parameters.get("EncryptionContext"),
        condition_keys={"aws:SecureTransport": True},
    )
    return decide(
        who,
        request,
        resource_policy=Policy.parse("key policy", kms.get_key_policy(KeyId=key)["Policy"]),
        resource_policy_required=True,
        grants=[Grant.from_entry(entry) for entry in kms.list_grants(KeyId=key)["Grants"]],
    ).allowed


def live(client: Any, operation: str, **parameters: Any) -> bool:
    try:
        getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ("AccessDenied", "AccessDeniedException", "DryRunOperationException"):
            raise
        return bool(code == "DryRunOperationException")
    return True


@pytest.mark.parametrize("situation", SITUATIONS)
def test_kms_agrees(engine: Engine, situation: str) -> None:
    make, statements = SITUATIONS[situation]
    who = make(engine)
    tags = [{"TagKey": "team", "TagValue": "blue"}]
    made = [statement(engine, who) for statement in statements]
    key = engine.key(
        engine.own_statement(),
        *({name: value for name, value in one.items() if value is not None} for one in made),
        Tags=tags,
    )
    session = [allow("kms:GenerateDataKey")] if situation.startswith("session") else []
    offline_who = reading(engine, who, session)
    for operation, parameters in CALLS:
        expected = live(engine.client("kms", who), operation, KeyId=key, **parameters)
        assert offline(engine, offline_who, key, operation, parameters) is expected, operation


def test_the_situations_are_of_both_kinds(engine: Engine) -> None:
    """Agreement proves little where everything is refused, or everything allowed."""
    who = engine.role(allow("kms:Encrypt", "kms:List*"))
    key = engine.key(engine.account_statement())
    answers = {live(engine.client("kms", who), operation, KeyId=key, **given) for operation, given in CALLS}
    assert answers == {True, False}


@pytest.mark.parametrize(
    ("constraints", "context", "allowed"),
    [
        ({}, {}, True),
        ({"EncryptionContextSubset": APP}, {"app": "a", "more": "x"}, True),
        ({"EncryptionContextSubset": APP}, {"app": "b"}, False),
        ({"EncryptionContextEquals": APP}, {"app": "a"}, True),
        ({"EncryptionContextEquals": APP}, {"app": "a", "more": "x"}, False),
    ],
)
@pytest.mark.parametrize(
    ("boundary", "within"), [([], True), ([allow("kms:Encrypt")], True), ([ELSEWHERE], False)]
)
def test_grants_agree(
    engine: Engine,
    constraints: dict[str, Any],
    context: dict[str, str],
    allowed: bool,
    boundary: list[Statement],
    within: bool,
) -> None:
    who = engine.role(boundary=boundary)
    key = engine.key(engine.own_statement())
    given: dict[str, Any] = {"Constraints": constraints} if constraints else {}
    engine.client("kms").create_grant(KeyId=key, GranteePrincipal=who.arn, Operations=["Encrypt"], **given)
    parameters = {"Plaintext": b"x", "EncryptionContext": context, "DryRun": True}
    assert live(engine.client("kms", who), "Encrypt", KeyId=key, **parameters) is (allowed and within)
    assert offline(engine, reading(engine, who, []), key, "Encrypt", parameters) is (allowed and within)


BUCKETS: dict[str, tuple[list[Statement], list[dict[str, Any]], tuple[bool, bool, bool]]] = {
    # identity policy, bucket policy, then: read over TLS, read in the clear, write over TLS
    "nobody": ([], [], (False, False, False)),
    "IAM": ([allow("s3:GetObject")], [], (True, True, False)),
    "the bucket policy": ([], [{"Action": "s3:GetObject"}], (True, True, False)),
    "only over TLS": (
        [allow("s3:*")],
        [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
        (True, False, True),
    ),
    "IAM denies what the bucket allows": ([MAY_NOT], [{"Action": "s3:*"}], (False, False, False)),
    "the account is named": (
        [allow("s3:PutObject")],
        [{"Action": "s3:*", "Principal": "account"}],
        (False, False, True),
    ),
}


@pytest.mark.parametrize("situation", BUCKETS)
def test_s3_agrees(engine: Engine, situation: str) -> None:
    identity, statements, expected = BUCKETS[situation]
    who, bucket, s3 = engine.role(*identity), f"agreement-{uuid.uuid4().hex[:12]}", engine.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    account = f"arn:aws:iam::{engine.account}:root"
    whom = {"account": {"AWS": account}, "*": "*", "": {"AWS": who.arn}}
    written = [
        {
            "Effect": "Allow",
            **one,
            "Principal": whom[str(one.get("Principal", ""))],
            "Resource": f"arn:aws:s3:::{bucket}/*",
        }
        for one in statements
    ]
    if written:
        s3.put_bucket_policy(Bucket=bucket, Policy=document(*written))
    secure, plain = engine.client("s3", who), engine.client("s3", who, plain_http=True)
    found = (
        live(secure, "GetObject", Bucket=bucket, Key="a"),
        live(plain, "GetObject", Bucket=bucket, Key="a"),
        live(secure, "PutObject", Bucket=bucket, Key="b", Body=b"x"),
    )
    assert found == expected
    read = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) if written else None
    offline_who = reading(engine, who, [])
    asked = (("s3:GetObject", "true"), ("s3:GetObject", "false"), ("s3:PutObject", "true"))
    assert (
        tuple(
            decide(
                offline_who,
                Request(action, f"arn:aws:s3:::{bucket}/a", {"aws:SecureTransport": secure_transport}),
                resource_policy=Policy.parse("bucket policy", read) if read else None,
                resource_account=engine.account,
            ).allowed
            for action, secure_transport in asked
        )
        == expected
    )
