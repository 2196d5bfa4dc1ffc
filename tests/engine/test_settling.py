"""Changes of permissions that count late: what decides, and on an engine that was started so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from kmslab.engine import control
from kmslab.engine.authorization import settling
from kmslab.engine.authorization.settling import Settling, View
from kmslab.lab import patience
from tests.engine.conftest import allow, engine_in, eventually, policy, principal_allow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine

DELAY, LATE, SOON = 1.0, 4.0, 60.0
"""Seconds: of the views on a clock of the test's own, of the engine, and within which its changes must count."""
KEY = "arn:aws:kms:us-east-1:111122223333:key/one"


def view(at: float, **parts: Any) -> View:
    names = ("policies", "aliases", "grants", "identities", "boundaries", "trusts")
    return View(at, **{name: {} for name in names} | parts)


class Present:
    """What there is now, and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.parts: dict[str, Any] = {}
        self.settling = Settling(DELAY, lambda at: view(at, **self.parts), lambda: self.now)

    def passes(self, seconds: float, **parts: Any) -> None:
        """Let the time pass and the parts be what they are then."""
        self.now += seconds
        self.parts |= parts
        self.settling.look()


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> Present:
    found = Present()
    monkeypatch.setattr(settling, "_settling", found.settling)
    return found


def grant(name: str, *tokens: str) -> dict[str, Any]:
    return {"GrantId": name, "KeyId": KEY, "_tokens": list(tokens)}


def test_a_key_policy_counts_when_the_delay_has_passed_and_not_before(present: Present) -> None:
    key: Any = {"Arn": KEY, "Policy": "new"}
    present.passes(0.0, policies={KEY: "old"})
    present.passes(0.5, policies={KEY: "new"})
    assert settling.policy_of(key) == "old"
    present.passes(0.9)
    assert settling.policy_of(key) == "old"
    present.passes(0.2)
    assert settling.policy_of(key) == "new"


def test_a_new_key_has_its_policy_at_once(present: Present) -> None:
    present.passes(0.0)
    assert settling.policy_of({"Arn": KEY, "Policy": "its own"}) == "its own"
    assert settling.trust_of("111122223333", "role", "its own") == "its own"


def test_a_boundary_that_is_set_or_taken_away_counts_late_and_a_new_users_at_once(present: Present) -> None:
    def bounds(now: list[str]) -> list[Any]:
        return settling.late_boundary(lambda *_: now, "users", "somebody", "111122223333")

    place = ("user", "111122223333", "somebody")
    present.passes(0.0)
    assert bounds(["its own"]) == ["its own"]
    present.passes(1.1, boundaries={place: []})
    present.passes(1.1, boundaries={place: ["set"]})
    assert bounds(["set"]) == []
    present.passes(1.1, boundaries={place: []})
    assert bounds([]) == ["set"]
    present.passes(1.1)
    assert bounds([]) == []


def test_an_alias_leads_late_to_its_key_and_late_nowhere(present: Present) -> None:
    place = ("111122223333", "us-east-1", "arn:of:the:alias")
    present.passes(0.0)
    present.passes(0.1, aliases={place: "one"})
    assert settling.key_of_alias(*place, "one") is None
    present.passes(1.1, aliases={})
    assert settling.key_of_alias(*place, None) == "one"
    present.passes(1.1)
    assert settling.key_of_alias(*place, None) is None


def test_a_new_grant_counts_at_once_for_its_token_and_for_the_service_that_made_it(present: Present) -> None:
    present.passes(0.0)
    mine, services = grant("mine", "digest"), grant("services")
    present.passes(0.1, grants={"mine": mine, "services": services})
    assert settling.grants_that_count([mine, services], KEY, []) == [services]
    assert settling.grants_that_count([mine, services], KEY, ["digest"]) == [mine, services]
    present.passes(1.1, grants={})
    assert settling.grants_that_count([], KEY, []) == [mine, services], "revoked a moment ago"
    assert settling.grants_that_count([], "another key", []) == []
    present.passes(1.1)
    assert settling.grants_that_count([], KEY, []) == []


def test_old_views_are_forgotten(present: Present) -> None:
    for _ in range(100):
        present.passes(0.1)
    assert present.settling.settled().at == pytest.approx(present.now - DELAY, abs=0.2)
    assert len(present.settling._views) < 15


def test_without_the_switch_everything_counts_at_once() -> None:
    mine = grant("mine", "digest")
    assert settling.policy_of({"Arn": KEY, "Policy": "now"}) == "now"
    assert settling.grants_that_count([mine], KEY, []) == [mine]
    assert settling.key_of_alias("111122223333", "us-east-1", "arn", "one") == "one"


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine on which a change counts after some seconds: enough to look before it does, on a busy machine."""
    with engine_in(tmp_path_factory.mktemp("late"), settle=LATE) as found:
        yield found


def may(who: Any, key: str, **parameters: Any) -> bool:
    """Whether somebody can encrypt."""
    try:
        who.encrypt(KeyId=key, Plaintext=b"x", **parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"AccessDeniedException", "NotFoundException"}:
            raise
        return False
    return True


def test_the_target_says_how_long_to_wait(late: Engine) -> None:
    assert patience(control.target(late.home)) == LATE * control.LOOKS
    assert control.start(late.home).settle == LATE


def test_permissions_settle_late(late: Engine) -> None:
    admin, role = late.client("kms"), late.role(allow("kms:*"))
    who, account = late.client("kms", role), late.own_statement()
    opened, granted, revoked = (late.key(principal_allow(role, "kms:DescribeKey")) for _ in range(3))
    closed = late.key(principal_allow(role, "kms:*"))
    to_role = {"GranteePrincipal": role.arn, "Operations": ["Encrypt"]}
    grant_id = admin.create_grant(KeyId=revoked, **to_role)["GrantId"]
    eventually(lambda: may(who, revoked), seconds=SOON)
    assert may(who, closed)

    wide, narrow = (principal_allow(role, action) for action in ("kms:*", "kms:DescribeKey"))
    admin.put_key_policy(KeyId=opened, PolicyName="default", Policy=policy(account, wide))
    admin.put_key_policy(KeyId=closed, PolicyName="default", Policy=policy(account, narrow))
    admin.create_alias(AliasName="alias/late", TargetKeyId=opened)
    token = admin.create_grant(KeyId=granted, **to_role)["GrantToken"]
    admin.revoke_grant(KeyId=revoked, GrantId=grant_id)
    assert not may(who, opened)
    assert may(who, closed)
    assert not may(admin, "alias/late")
    assert not may(who, granted)
    assert may(who, granted, GrantTokens=[token])
    assert may(who, revoked)
    assert "kms:DescribeKey" not in admin.get_key_policy(KeyId=opened, PolicyName="default")["Policy"]
    eventually(lambda: not may(who, revoked), seconds=SOON)  # which was the last to change
    assert may(who, opened)
    assert not may(who, closed)
    assert may(admin, "alias/late")
    assert may(who, granted)

    identity = {"RoleName": role.name, "PolicyName": "identity"}
    never = {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}
    late.client("iam").put_role_policy(**identity, PolicyDocument=policy(never))
    assert may(who, opened)
    eventually(lambda: not may(who, opened), seconds=SOON)


def test_permissions_boundaries_settle_late(late: Engine) -> None:
    admin, iam, key = late.client("kms"), late.client("iam"), late.key(late.account_statement())
    narrow = allow("kms:DescribeKey")
    boundary = iam.create_policy(PolicyName="narrow", PolicyDocument=policy(narrow))["Policy"]["Arn"]
    bound, role, user = late.role(allow("kms:*"), boundary=[narrow]), late.role(allow("kms:*")), late.user()
    iam.put_user_policy(UserName=user.name, PolicyName="all", PolicyDocument=policy(allow("kms:*")))
    clients = [late.client("kms", who) for who in (bound, role, user)]
    assert [may(one, key) for one in clients] == [False, True, True], (
        "what somebody is new with counts at once"
    )
    admin.create_alias(AliasName="alias/as-old-as-they", TargetKeyId=key)
    eventually(lambda: may(admin, "alias/as-old-as-they"), seconds=SOON)

    iam.delete_role_permissions_boundary(RoleName=bound.name)
    iam.put_role_permissions_boundary(RoleName=role.name, PermissionsBoundary=boundary)
    iam.put_user_permissions_boundary(UserName=user.name, PermissionsBoundary=boundary)
    assert iam.get_user(UserName=user.name)["User"]["PermissionsBoundary"]
    assert [may(one, key) for one in clients] == [False, True, True]
    eventually(lambda: [may(one, key) for one in clients] == [True, False, False], seconds=SOON)
