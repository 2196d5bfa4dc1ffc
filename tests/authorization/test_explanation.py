"""The sentences: the statement that decided, what was missing, and what would change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.authorization.model import Condition, Side
from kmslab.authorization.wording import restriction, states, wishes
from tests.authorization.cases import (
    ACCOUNT,
    KEY,
    ROLE,
    ROOT,
    STRANGER,
    USER,
    anonymous,
    grant,
    on_bucket,
    on_key,
    role,
    root,
    service,
    statement,
    stranger,
    to,
    user,
)

if TYPE_CHECKING:
    from kmslab.authorization.decide import Decision

THROUGH_S3 = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
FOR_S3 = to(ROLE, Sid="WriteAndReadThroughS3", Condition={"StringEquals": THROUGH_S3})
OBJECT = "arn:aws:s3:::data/a"


def told(decision: Decision) -> list[str]:
    return [reason.text for reason in decision.reasons]


def test_the_statement_that_allows_is_named() -> None:
    decision = on_key(role(), FOR_S3, keys=THROUGH_S3)
    (reason,) = decision.reasons
    assert (reason.policy, reason.sid, reason.effect, reason.side) == (
        "key policy of alias/app",
        "WriteAndReadThroughS3",
        "Allow",
        Side.RESOURCE,
    )
    assert reason.text == (
        "Statement WriteAndReadThroughS3 of the key policy of alias/app allows kms:Decrypt to role owner, "
        "because kms:ViaService is s3.us-east-1.amazonaws.com."
    )
    assert decision.remedy == (
        "A Deny in any of the policies would refuse it; what allows it now is statement WriteAndReadThroughS3 "
        "of the key policy of alias/app."
    )


def test_a_condition_that_kept_a_statement_from_allowing_is_named_with_what_was_wanted() -> None:
    decision = on_key(role(), FOR_S3)
    (reason,) = decision.reasons
    assert (reason.policy, reason.sid, reason.effect, reason.side) == (
        "key policy of alias/app",
        "WriteAndReadThroughS3",
        "",
        Side.RESOURCE,
    )
    assert reason.text == (
        "The key policy of alias/app does not allow kms:Decrypt to role owner; its statement "
        "WriteAndReadThroughS3 would, but the request has no kms:ViaService (it must be "
        "s3.us-east-1.amazonaws.com)."
    )
    assert decision.remedy == (
        "The key policy of alias/app would have to allow kms:Decrypt to role owner for direct calls; statement "
        "WriteAndReadThroughS3 allows it only through S3 (kms:ViaService)."
    )


def test_a_condition_with_another_value_is_named_with_it() -> None:
    decision = on_key(role(), FOR_S3, keys={"kms:ViaService": "ec2.us-east-1.amazonaws.com"})
    assert "but kms:ViaService is ec2.us-east-1.amazonaws.com (it must be s3." in told(decision)[0]
    assert "direct calls" not in decision.remedy


def test_the_statement_that_fails_by_the_fewest_conditions_is_the_nearest() -> None:
    far = to(
        ROLE, Sid="Far", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}, **FOR_S3["Condition"]}
    )
    near = to(ROLE, Sid="Near", Condition={"StringEquals": {"kms:EncryptionContext:app": "a"}})
    (reason,) = on_key(role(), far, near).reasons
    assert reason.sid == "Near"
    assert "MultiFactor" not in reason.text


def test_a_statement_for_others_is_farther_than_any_for_the_principal() -> None:
    others = to(ROOT, Sid="Others", Condition={"ArnEquals": {"aws:PrincipalArn": USER}})
    own = to(ROLE, Sid="Own", Condition={"StringEquals": {**THROUGH_S3, "kms:EncryptionContext:app": "a"}})
    assert on_key(role(), others, own).reasons[0].sid == "Own"
    (reason,) = on_key(role(), others).reasons
    assert reason.text.endswith(f"would, but aws:PrincipalArn is {ROLE} (it must be {USER}).")


def test_delegation_to_the_account_names_both_statements() -> None:
    decision = on_key(role(statement(Sid="Use")), to(ROOT, Sid="EnableIAM"))
    assert told(decision) == [
        "Statement EnableIAM of the key policy of alias/app allows kms:Decrypt to the account, so that identity "
        "policies decide.",
        "Statement Use of the inline policy use of role owner allows kms:Decrypt.",
    ]
    assert [reason.side for reason in decision.reasons] == [Side.RESOURCE, Side.IDENTITY]


def test_the_missing_side_of_a_delegation_is_the_identitys() -> None:
    decision = on_key(user(), to(ROOT, Sid="EnableIAM"))
    assert told(decision) == [f"No identity policy of user kenya-one allows kms:Decrypt on {KEY}."]
    assert decision.reasons[0].side is Side.IDENTITY
    assert decision.remedy == "An identity policy of user kenya-one would have to allow kms:Decrypt."


def test_nothing_near_is_said_plainly() -> None:
    decision = on_key(role(statement()), to(USER))
    assert told(decision) == ["The key policy of alias/app does not allow kms:Decrypt to role owner."]
    assert decision.remedy == "The key policy of alias/app would have to allow kms:Decrypt to role owner."
    assert decision.reasons[0].sid == ""


def test_both_sides_can_be_missing() -> None:
    decision = on_key(stranger())
    assert told(decision) == [
        "The key policy of alias/app does not allow kms:Decrypt to role stranger.",
        f"No identity policy of role stranger allows kms:Decrypt on {KEY}.",
    ]
    assert decision.remedy == (
        "The key policy of alias/app would have to allow kms:Decrypt to role stranger, and an identity policy of "
        "role stranger would have to allow kms:Decrypt."
    )


def test_what_never_reaches_another_account_is_no_policys_fault() -> None:
    decision = on_key(stranger(statement(action="*")), to(STRANGER, Action="*"), action="kms:PutKeyPolicy")
    assert told(decision) == ["No policy can allow kms:PutKeyPolicy on a resource of another account."]
    assert decision.remedy == f"Only principals of account {ACCOUNT} can be allowed kms:PutKeyPolicy."


def test_every_deny_that_applies_is_named_with_its_condition() -> None:
    tls = statement(
        "Deny", "*", Sid="OnlyTls", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}}
    )
    never = statement("Deny", "kms:*", Sid="Never")
    decision = on_key(role(never), to(ROLE), tls, keys={"aws:SecureTransport": "false"})
    assert told(decision) == [
        "Statement Never of the inline policy use of role owner denies kms:Decrypt.",
        "Statement OnlyTls of the key policy of alias/app denies kms:Decrypt to role owner, because "
        "aws:SecureTransport is false.",
    ]
    assert [reason.effect for reason in decision.reasons] == ["Deny", "Deny"]
    assert decision.remedy.startswith("No Allow overrides a Deny: statement Never")
    only_tls = on_key(role(), to(ROLE), tls, keys={"aws:SecureTransport": "false"})
    assert only_tls.remedy.endswith("would have to go; it denies only where aws:SecureTransport is false.")


@pytest.mark.parametrize(("limit", "side"), [("boundary", Side.BOUNDARY), ("session", Side.SESSION)])
def test_a_limit_that_does_not_allow_is_the_reason(limit: str, side: Side) -> None:
    limits = {limit: statement(action="s3:*")}
    decision = on_key(role(**limits), to(ROLE))  # type: ignore[arg-type]  # one of the two limits
    assert [reason.side for reason in decision.reasons] == [side]
    assert told(decision) == [
        f"Role owner is limited by the {side}, which does not allow kms:Decrypt on {KEY}."
    ]
    assert decision.remedy == f"The {side} would have to allow kms:Decrypt."


def test_a_grant_is_named() -> None:
    decision = on_key(role(), grants=[grant(ROLE)])
    assert told(decision) == ["Grant 01234567 allows kms:Decrypt to role owner."]
    assert decision.reasons[0].side is Side.GRANT
    assert decision.remedy.endswith("what allows it now is grant 01234567.")


def test_a_grant_that_fails_by_its_constraint_is_named() -> None:
    held = grant(ROLE, encryption_context_subset={"app": "a"})
    assert told(on_key(role(), grants=[held])) == [
        "The key policy of alias/app does not allow kms:Decrypt to role owner (grant 01234567 would, but the "
        "encryption context must have app=a)."
    ]


def test_a_bucket_may_allow_by_either_side() -> None:
    decision = on_bucket(role())
    assert told(decision) == [f"No identity policy of role owner allows s3:GetObject on {OBJECT}."]
    assert decision.remedy == (
        "An identity policy of role owner (or the policy of the resource) would have to allow s3:GetObject."
    )


def test_a_near_statement_of_the_bucket_policy_is_named_where_it_would_be_enough() -> None:
    near = statement(
        action="s3:*",
        Sid="Home",
        Principal={"AWS": ROLE},
        Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    )
    (reason,) = on_bucket(role(), near, keys={"aws:SourceIp": "192.0.2.1"}).reasons
    assert reason.text.endswith(
        "; statement Home of the bucket policy of data would, but aws:SourceIp is 192.0.2.1 (it must be in 10.0.0.0/8)."
    )


@pytest.mark.parametrize(
    ("principal", "name"),
    [
        (root(), f"the root user of {ACCOUNT}"),
        (service(), "cloudtrail.amazonaws.com"),
        (anonymous(), "an anonymous caller"),
        (user(), "user kenya-one"),
        (role(), "role owner"),
    ],
)
def test_principals_go_by_their_names(principal: object, name: str) -> None:
    decision = on_key(principal)  # type: ignore[arg-type]  # a table of principals
    assert told(decision) == [f"The key policy of alias/app does not allow kms:Decrypt to {name}."]


def test_an_identity_policy_that_was_not_needed_is_no_reason() -> None:
    assert [reason.side for reason in on_key(role(statement()), to(ROLE)).reasons] == [Side.RESOURCE]


def test_the_root_user_needs_no_identity_policies_where_the_account_is_named() -> None:
    assert told(on_key(root(), to(ROOT, Sid="Account"))) == [
        f"Statement Account of the key policy of alias/app allows kms:Decrypt to the root user of {ACCOUNT}."
    ]


def test_the_root_user_is_allowed_by_standing() -> None:
    (reason,) = on_bucket(root()).reasons
    assert reason.text == f"The root user of {ACCOUNT} may do everything that no policy denies."


CONDITIONS: list[tuple[str, object, str, str]] = [
    ("StringEquals", "a", "k is a", "k must be a"),
    ("StringEquals", ["a", "b"], "k is a or b", "k must be a or b"),
    ("StringNotEquals", "a", "k is not a", "k must not be a"),
    (
        "StringLike",
        ["a", "b", "c", "d", "e"],
        "k is like a, b, c or 2 more",
        "k must be like a, b, c or 2 more",
    ),
    ("ArnNotLike", "a", "k is not like a", "k must not be like a"),
    ("NumericLessThanEquals", 30, "k is at most 30", "k must be at most 30"),
    ("DateGreaterThan", "2026", "k is after 2026", "k must be after 2026"),
    ("NotIpAddress", "10.0.0.0/8", "k is not in 10.0.0.0/8", "k must not be in 10.0.0.0/8"),
    ("BoolIfExists", True, "k is true", "k must be true"),
    ("Null", "true", "k is absent", "k must be absent"),
    ("Null", "false", "k is present", "k must be present"),
    ("ForAllValues:StringEquals", "a", "every value of k is a", "every value of k must be a"),
    ("ForAnyValue:StringEquals", "a", "a value of k is a", "a value of k must be a"),
    ("StringEquals", "", "k is (empty)", "k must be (empty)"),
    ("StringEquals", [], "k is nothing", "k must be nothing"),
]


@pytest.mark.parametrize(("operator", "values", "state", "wish"), CONDITIONS)
def test_a_condition_reads_like_a_sentence(operator: str, values: object, state: str, wish: str) -> None:
    condition = Condition.parse(operator, "k", values)
    assert (states(condition), wishes(condition)) == (state, wish)


def test_services_are_called_by_their_names() -> None:
    values = [
        "ec2.us-east-1.amazonaws.com",
        "secretsmanager.us-east-1.amazonaws.com",
        "rds.us-east-1.amazonaws.com",
    ]
    via = Condition.parse("StringEquals", "kms:ViaService", values)
    account = Condition.parse("StringEquals", "kms:CallerAccount", ACCOUNT)
    assert restriction([via, account]) == (
        "only through EC2 and EBS, Secrets Manager or rds (kms:ViaService) and where kms:CallerAccount is "
        f"{ACCOUNT}"
    )
    assert restriction([Condition.parse("StringNotEquals", "kms:ViaService", "x")]) == (
        "only where kms:ViaService is not x"
    )
