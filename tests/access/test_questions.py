from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.access import operations, questions, reading, roles
from kmslab.authorization.model import Request
from kmslab.model.persona import Persona
from tests.checks.account_policies import READER, ROOT, role
from tests.checks.fakes import ACCOUNT, OUTPUTS, role_arn

if TYPE_CHECKING:
    from kmslab.access.reader import Reader
    from kmslab.access.reading import Identity, Reading
    from tests.checks.account_world import AccountWorld


def one(found: Reading, name: str) -> Identity:
    return next(identity for identity in found.identities if identity.name == name)


def names(identities: tuple[Identity, ...]) -> list[str]:
    return [identity.name for identity in identities]


def test_the_decision_and_the_sentences_agree(found: Reading) -> None:
    """`who` decides without sentences, `ask` with them: the same answer for everybody, every key and route."""
    compared = 0
    for key in found.keys:
        for route in ("", "s3", "ec2", "secretsmanager"):
            for operation in ("Decrypt", "PutKeyPolicy", "CreateGrant"):
                step = questions.on_key(found, operation, key, via=route)
                allowed = questions.who(found, found.identities, step)
                asked = [
                    identity
                    for identity in found.identities
                    if questions.ask(found, identity, [step]).allowed
                ]
                assert names(allowed) == [identity.name for identity in asked]
                compared += len(found.identities)
    assert compared > 500


def test_the_labs_context_is_assumed_and_can_be_another(found: Reading) -> None:
    app = found.key("app")
    assert names(questions.who(found, found.identities, questions.on_key(found, "Decrypt", app))) == [
        "data-owner"
    ]
    without = questions.on_key(found, "Decrypt", app, context={})
    assert questions.who(found, found.identities, without) == ()


def test_a_service_brings_itself_into_the_request(found: Reading) -> None:
    s3 = found.key("s3")
    assert names(
        questions.who(found, found.identities, questions.on_key(found, "Decrypt", s3, via="s3"))
    ) == [
        "data-owner",
        "data-reader",
    ]
    assert questions.who(found, found.identities, questions.on_key(found, "Decrypt", s3)) == ()
    grant = questions.on_key(found, "CreateGrant", found.key("ebs"), via="ec2")
    assert "data-owner" in names(questions.who(found, found.identities, grant))
    assert grant.request.condition_keys["kms:GrantIsForAWSResource"] == "true"


def test_a_grant_is_for_whom_it_names(found: Reading) -> None:
    app = found.key("app")
    for grantee, may in ((role(READER), True), (role(Persona.SIGNER), False)):
        step = questions.on_key(found, "CreateGrant", app, grantee=grantee)
        assert bool(questions.who(found, found.identities, step)) is may
    unconstrained = questions.on_key(found, "CreateGrant", app, grantee=role(READER), context={})
    assert questions.who(found, found.identities, unconstrained) == ()


def test_a_grant_in_place_counts(world: AccountWorld, reader: Reader) -> None:
    world.grants["app"].append(
        {"GrantId": "1", "GranteePrincipal": role_arn("signer"), "Operations": ["Decrypt"]}
    )
    found = reading.read(reader.access, OUTPUTS)
    step = questions.on_key(found, "Decrypt", found.key("app"))
    assert names(questions.who(found, found.identities, step)) == ["data-owner", "signer"]


def test_the_first_refusal_ends_an_act_and_the_last_permission_decides_it(found: Reading) -> None:
    first = roles.on_identity(found, "s3:GetObject", "arn:aws:s3:::b/k")
    second = questions.on_key(found, "Decrypt", found.key("s3"), via="s3")
    refused = questions.ask(found, one(found, "signer"), [first, second])
    assert not refused.allowed
    assert len(refused.decisions) == 1
    stopped_by_key = questions.ask(found, one(found, "storage-operator"), [first, second])
    assert [decision.allowed for decision in stopped_by_key.decisions] == [True, False]
    assert "key policy of alias/kms-lab/s3" in stopped_by_key.reason


def test_a_user_is_taken_to_have_signed_in_with_mfa(found: Reading) -> None:
    assert questions.session_keys(one(found, "kenya-one").principal) == {"aws:MultiFactorAuthPresent": "true"}
    assert questions.session_keys(one(found, "data-owner").principal) == {}


def test_the_identitys_side_is_what_the_simulator_knows(found: Reading) -> None:
    key = found.key("app").arn
    assert questions.identity_side(one(found, "data-owner"), Request("kms:Decrypt", key)).allowed
    assert questions.identity_side(one(found, "operator"), Request("kms:Decrypt", key)).allowed
    assert not questions.identity_side(one(found, "data-reader"), Request("kms:Decrypt", key)).allowed
    assert not questions.identity_side(
        one(found, "kenya-one"), Request("iam:PutRolePolicy", role_arn("x"))
    ).allowed


def test_anyone_is_found_where_a_statement_names_nobody(found: Reading) -> None:
    here, there = questions.anyone(found)
    verify = questions.on_key(found, "Verify", found.key("signing"))
    sign = questions.on_key(found, "Sign", found.key("signing"))
    assert questions.who(found, [here, there], verify) == (here,)
    assert questions.who(found, [here, there], sign) == ()
    assert there.principal.account != ACCOUNT


def test_a_service_as_itself_needs_to_be_named(found: Reading) -> None:
    trail = found.key("trail")
    ours = questions.on_key(found, "GenerateDataKey", trail, **{"aws:SourceArn": OUTPUTS.trail})
    assert questions.service_may("cloudtrail.amazonaws.com", ours)
    assert not questions.service_may(
        "cloudtrail.amazonaws.com", questions.on_key(found, "GenerateDataKey", trail)
    )
    assert not questions.service_may("s3.amazonaws.com", ours)


def test_the_root_user_is_the_way_back_in(found: Reading) -> None:
    assert found.root.arn == ROOT
    step = questions.on_key(found, "PutKeyPolicy", found.key("app"))
    assert questions.who(found, [found.root], step) == (found.root,)


def test_roles_are_followed_as_far_as_they_go(world: AccountWorld, reader: Reader) -> None:
    def may_assume(name: str, target: str) -> None:
        statement = {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [target]}
        world.identities.setdefault(name, []).append(statement)

    world.others += ["first", "second"]
    may_assume("kms-lab-signer", f"arn:aws:iam::{ACCOUNT}:role/first")
    may_assume("first", f"arn:aws:iam::{ACCOUNT}:role/second")
    may_assume("second", f"arn:aws:iam::{ACCOUNT}:role/first")
    reached = roles.reachable(reading.read(reader.access, OUTPUTS))
    assert reached[role_arn("signer")] == {"first", "second"}
    assert reached[role_arn("outsider")] == set()


@pytest.mark.parametrize(
    ("operation", "key", "meaning"),
    [
        ("Decrypt", "app", True),
        ("Decrypt", "signing", False),
        ("Sign", "pq", True),
        ("Sign", "mac", False),
        ("GetPublicKey", "rsa", True),
        ("GetPublicKey", "mac", False),
        ("GetPublicKey", "app", False),
        ("GenerateDataKey", "rsa", False),
        ("EnableKeyRotation", "imported", False),
        ("ImportKeyMaterial", "imported", True),
        ("ImportKeyMaterial", "app", False),
        ("ReplicateKey", "global", True),
        ("ReplicateKey", "app", False),
        ("PutKeyPolicy", "mac", True),
    ],
)
def test_what_means_something(found: Reading, operation: str, key: str, *, meaning: bool) -> None:
    assert operations.means_something(operation, found.key(key)) is meaning
