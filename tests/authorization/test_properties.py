"""What holds for all policies: hypothesis looks for ones where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kmslab.authorization.decide import decide
from kmslab.authorization.model import Policy, Principal, Request
from tests.authorization.cases import (
    ACCOUNT,
    KEY,
    ROLE,
    ROOT,
    SESSION,
    STRANGER,
    USER,
    anonymous,
    grant,
    policy,
    role,
    root,
    service,
    stranger,
    user,
)

if TYPE_CHECKING:
    from kmslab.authorization.decide import Decision

ACTIONS = ["kms:Decrypt", "kms:Encrypt", "kms:PutKeyPolicy", "kms:De*", "kms:*", "*", "s3:*"]
ARNS = [ROLE, SESSION, USER, ROOT, ACCOUNT, STRANGER, "*"]
CONDITIONS: list[dict[str, Any]] = [
    {},
    {"StringEquals": {"lab:a": ["1", "2"]}},
    {"StringNotEquals": {"lab:a": "1"}},
    {"StringEqualsIfExists": {"lab:b": "1"}},
    {"ForAllValues:StringLike": {"lab:set": "x*"}},
    {"ForAnyValue:StringNotLike": {"lab:set": "x*"}},
    {"Null": {"lab:b": "true"}, "StringLike": {"lab:a": "${lab:b, '1'}"}},
    {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
]

thoroughly = settings(max_examples=100, deadline=None, derandomize=True, database=None)
"""The same examples in every run, however busy the machine is."""

subsets = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=2)


@st.composite
def statements(draw: st.DrawFn, *, principals: bool = False, effect: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {
        "Effect": effect or draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(subsets),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(
            st.sampled_from([KEY, "*", "arn:x"])
        ),
        "Condition": draw(st.sampled_from(CONDITIONS)),
    }
    if principals:
        names = draw(st.lists(st.sampled_from(ARNS), min_size=1, max_size=2))
        found[draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))] = {"AWS": names}
    return found


documents = st.lists(statements(), max_size=4)
resource_documents = st.lists(statements(principals=True), max_size=4)
values = st.sampled_from(["1", "2", "x", "xy"])
condition_keys: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {}, optional={"lab:a": values, "lab:b": values, "lab:set": st.lists(values, max_size=3).map(tuple)}
)
PRINCIPALS = [role(), role(session_arn=""), user(), root(), stranger(), service(), anonymous()]


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    who = draw(st.sampled_from(PRINCIPALS))
    if not who.account:
        return who
    boundary, session = draw(st.none() | documents), draw(st.none() | documents)
    return replace(
        who,
        policies=(policy("identity", *draw(documents)),),
        boundary=None if boundary is None else policy("boundary", *boundary),
        session_policies=() if session is None else (policy("session", *session),),
    )


@st.composite
def questions(draw: st.DrawFn) -> dict[str, Any]:
    held = grant(
        draw(st.sampled_from([ROLE, USER, STRANGER, ROOT])), draw(st.sampled_from(["Decrypt", "Encrypt"]))
    )
    return {
        "principal": draw(principals()),
        "request": Request(
            draw(st.sampled_from(["kms:Decrypt", "kms:PutKeyPolicy"])), KEY, draw(condition_keys)
        ),
        "resource_policy": policy("resource", *draw(resource_documents)),
        "resource_policy_required": draw(st.booleans()),
        "grants": draw(st.sampled_from([[], [held]])),
    }


def answer(question: dict[str, Any], **changes: Any) -> Decision:
    asked = {**question, **changes}
    return decide(asked.pop("principal"), asked.pop("request"), **asked)


def with_statement(found: Policy, statement: dict[str, Any]) -> Policy:
    return Policy(found.name, (*found.statements, *policy("more", statement).statements))


def rearranged(found: Policy) -> Policy:
    return Policy(found.name, tuple(reversed(found.statements)))


def in_identity(question: dict[str, Any], statement: dict[str, Any]) -> Principal:
    who: Principal = question["principal"]
    return replace(who, policies=tuple(with_statement(one, statement) for one in who.policies))


@thoroughly
@given(questions(), statements(effect="Deny"), statements(principals=True, effect="Deny"))
def test_one_more_deny_never_allows_more(question: dict[str, Any], deny: Any, resource_deny: Any) -> None:
    if answer(question).allowed:
        return
    who: Principal = question["principal"]
    more = with_statement(question["resource_policy"], resource_deny)
    assert not answer(question, resource_policy=more).allowed
    assert not answer(question, principal=in_identity(question, deny)).allowed
    if who.boundary:
        assert not answer(
            question, principal=replace(who, boundary=with_statement(who.boundary, deny))
        ).allowed


@thoroughly
@given(questions(), statements(effect="Allow"), statements(principals=True, effect="Allow"))
def test_one_more_allow_never_allows_less(question: dict[str, Any], allow: Any, resource_allow: Any) -> None:
    if not answer(question).allowed:
        return
    who: Principal = question["principal"]
    more = with_statement(question["resource_policy"], resource_allow)
    assert answer(question, resource_policy=more).allowed
    assert answer(question, principal=in_identity(question, allow)).allowed
    assert answer(question, grants=[*question["grants"], grant(USER)]).allowed
    if who.boundary:
        assert answer(question, principal=replace(who, boundary=with_statement(who.boundary, allow))).allowed


@thoroughly
@given(questions())
def test_the_order_of_statements_never_matters(question: dict[str, Any]) -> None:
    who: Principal = question["principal"]
    turned = replace(
        who,
        policies=tuple(rearranged(one) for one in who.policies),
        boundary=who.boundary and rearranged(who.boundary),
        session_policies=tuple(rearranged(one) for one in who.session_policies),
    )
    found = answer(question)
    again = answer(question, principal=turned, resource_policy=rearranged(question["resource_policy"]))
    assert (found.allowed, found.explicit) == (again.allowed, again.explicit)


@thoroughly
@given(questions())
def test_taking_a_limit_away_never_allows_less(question: dict[str, Any]) -> None:
    who: Principal = question["principal"]
    free = replace(who, boundary=None, session_policies=())
    assert answer(question, principal=free).allowed or not answer(question).allowed


@thoroughly
@given(questions())
def test_the_order_of_asking_never_matters(question: dict[str, Any]) -> None:
    one, other = answer(question), answer(question)
    remedy, reasons, explicit, allowed = one.remedy, one.reasons, one.explicit, one.allowed
    assert (allowed, explicit, reasons, remedy) == (
        other.allowed,
        other.explicit,
        other.reasons,
        other.remedy,
    )


@thoroughly
@given(questions())
def test_every_decision_has_its_reasons(question: dict[str, Any]) -> None:
    found = answer(question)
    assert found.reasons
    assert all(
        text.endswith(".") and text[0].isupper()
        for text in (*(one.text for one in found.reasons), found.remedy)
    )
    assert found.explicit is any(reason.effect == "Deny" for reason in found.reasons)
    assert not (found.allowed and found.explicit)
    assert found.allowed is all(reason.effect == "Allow" for reason in found.reasons)
