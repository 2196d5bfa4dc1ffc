"""Short ways to write principals, policies and requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.authorization.decide import Decision, decide
from kmslab.authorization.keys import Grant
from kmslab.authorization.model import Policy, Principal, PrincipalKind, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


ACCOUNT, OTHER = "111122223333", "444455556666"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd"
BUCKET = "arn:aws:s3:::data"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/owner"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/owner/monday"
USER = f"arn:aws:iam::{ACCOUNT}:user/kenya-one"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
STRANGER = f"arn:aws:iam::{OTHER}:role/stranger"

Statement = dict[str, Any]


def told(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Rows of a table as pytest's parameters; the first column says what the row shows."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


def statement(effect: str = "Allow", action: Any = "kms:Decrypt", **elements: Any) -> Statement:
    resource = {} if "NotResource" in elements else {"Resource": "*"}
    actions = {} if "NotAction" in elements else {"Action": action}
    return {"Effect": effect, **actions, **resource, **elements}


def to(arn: Any, **elements: Any) -> Statement:
    """A statement of a resource policy that allows Decrypt to an AWS principal."""
    return statement(Principal={"AWS": arn}, **elements)


def policy(name: str, *statements: Statement, version: str = "2012-10-17") -> Policy:
    return Policy.parse(name, {"Version": version, "Statement": list(statements)})


def identity(*statements: Statement) -> tuple[Policy, ...]:
    return (policy("inline policy use of role owner", *statements),) if statements else ()


def role(
    *statements: Statement,
    boundary: Statement | None = None,
    session: Statement | None = None,
    session_arn: str = SESSION,
    **keys: str,
) -> Principal:
    return Principal(
        ROLE,
        ACCOUNT,
        PrincipalKind.ROLE,
        identity(*statements),
        policy("permissions boundary", boundary) if boundary else None,
        (policy("session policy", session),) if session else (),
        {f"aws:{name}": value for name, value in keys.items()},
        session_arn,
    )


def user(*statements: Statement, boundary: Statement | None = None) -> Principal:
    limit = policy("permissions boundary", boundary) if boundary else None
    keys = {"aws:username": "kenya-one"}
    return Principal(USER, ACCOUNT, PrincipalKind.USER, identity(*statements), limit, condition_keys=keys)


def root(account: str = ACCOUNT) -> Principal:
    return Principal(f"arn:aws:iam::{account}:root", account, PrincipalKind.ROOT)


def service(name: str = "cloudtrail.amazonaws.com") -> Principal:
    return Principal(name, "", PrincipalKind.SERVICE)


def stranger(*statements: Statement) -> Principal:
    return Principal(STRANGER, OTHER, PrincipalKind.ROLE, identity(*statements))


def anonymous() -> Principal:
    return Principal("anonymous", "", PrincipalKind.ANONYMOUS)


def on_key(
    principal: Principal,
    *key_policy: Statement,
    action: str = "kms:Decrypt",
    keys: Mapping[str, str | tuple[str, ...]] | None = None,
    grants: Sequence[Grant] = (),
) -> Decision:
    """A decision on a KMS key with this key policy."""
    return decide(
        principal,
        Request(action, KEY, keys or {}),
        resource_policy=policy("key policy of alias/app", *key_policy),
        resource_policy_required=True,
        grants=grants,
    )


def on_bucket(
    principal: Principal,
    *bucket_policy: Statement,
    action: str = "s3:GetObject",
    resource: str = f"{BUCKET}/a",
    keys: Mapping[str, str | tuple[str, ...]] | None = None,
) -> Decision:
    """A decision on an object of a bucket in ACCOUNT with this bucket policy."""
    return decide(
        principal,
        Request(action, resource, keys or {}),
        resource_policy=policy("bucket policy of data", *bucket_policy) if bucket_policy else None,
        resource_account=ACCOUNT,
    )


def by_identity(
    principal: Principal,
    action: str = "kms:Decrypt",
    resource: str = KEY,
    keys: Mapping[str, str | tuple[str, ...]] | None = None,
) -> bool:
    """Whether identity policies alone, limits included, allow something in the own account."""
    return decide(principal, Request(action, resource, keys or {})).allowed


def grant(grantee: str = ROLE, *operations: str, **constraints: Any) -> Grant:
    return Grant("0123456789abcdef", grantee, operations or ("Decrypt",), **constraints)
