"""Whose permissions count for the work at hand."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLER: ContextVar[str] = ContextVar("kmslab_caller", default="")
"""Access key id of the HTTP request, set by the server; empty for anonymous requests and for
MiniStack's own threads, which nobody called."""

REQUEST_ID: ContextVar[str] = ContextVar("kmslab_request_id", default="")
"""The id that the current request's answer carries, so that the trail can name it too."""

ACTING_ROLE: ContextVar[str] = ContextVar("kmslab_acting_role", default="")
"""ARN of the role that a service acts as instead of the request's caller: CloudFormation's
execution role. Its identity policies and the key policies are evaluated; its trust is not."""


@contextmanager
def acting_as(role_arn: str) -> Iterator[None]:
    """Evaluate the role's permissions instead of the caller's within the block.

    The role's ARN is set in this context only: a thread started inside must be given a copy of
    the context (``contextvars.copy_context().run``).
    """
    token = ACTING_ROLE.set(role_arn)
    try:
        yield
    finally:
        ACTING_ROLE.reset(token)


def acting_session_arn(role_arn: str) -> str:
    """ARN of CloudFormation's session of a role, as CloudTrail shows it."""
    partition, account, resource = role_arn.split(":")[1], role_arn.split(":")[4], role_arn.split(":", 5)[5]
    return f"arn:{partition}:sts::{account}:assumed-role/{resource.rsplit('/', 1)[-1]}/AWSCloudFormation"


def principal_of(access_key: str) -> Any:
    """MiniStack's ``PrincipalInfo`` for an access key, or for the acting role where one is set.

    Returns: ``PrincipalInfo``; ``AuthError`` when the key is unknown, inactive or expired.
    """
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id

    role_arn = ACTING_ROLE.get()
    return (
        _role_principal(role_arn)
        if role_arn
        else iam_evaluator.resolve_principal(access_key, get_account_id())
    )


def _role_principal(role_arn: str) -> Any:
    from ministack.core import iam_evaluator
    from ministack.services import iam

    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)
    if role is None:
        return iam_evaluator.AuthError("AccessDenied", f"Role {role_arn} is invalid or cannot be assumed")
    tags = {f"aws:principaltag/{tag['Key'].lower()}": tag["Value"] for tag in role.get("Tags") or []}
    return iam_evaluator.PrincipalInfo(
        arn=acting_session_arn(role_arn),
        type="AssumedRole",
        account=account,
        policies=iam_evaluator._gather_role_policies(name, account),
        keys={"aws:userid": f"{role.get('RoleId', '')}:AWSCloudFormation", **tags},
        limits=iam_evaluator._permissions_boundary(iam._roles, name, account),
    )


def caller_arn(access_key: str) -> str:
    """ARN of whoever acts, for a message; the access key id when it belongs to nobody."""
    principal = principal_of(access_key)
    return str(getattr(principal, "arn", access_key))
