"""MiniStack decides with `kmslab.authorization`, for every service.

MiniStack gathers the policies and the condition keys of a request; the evaluator that
``kmslab explain`` uses offline weighs them. Everything that MiniStack evaluates comes through the
four functions that are replaced here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kmslab.authorization.case import Case
from kmslab.authorization.context import Context
from kmslab.authorization.keys import text
from kmslab.authorization.model import Policy, Principal, PrincipalKind, Request, Side
from kmslab.authorization.statements import Named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOTHING = Policy("empty policy", ())
"""Allows nothing: what a policy that cannot be read, or no longer exists, comes to."""

_KINDS = {
    "Anonymous": PrincipalKind.ANONYMOUS,
    "Service": PrincipalKind.SERVICE,
    "WebIdentityUser": PrincipalKind.FEDERATED,
}


class ParsedPolicy(list[Any]):
    """MiniStack's statements of a policy, and the policy as we read it."""

    def __init__(self, statements: Iterable[Any], policy: Policy) -> None:
        super().__init__(statements)
        self.policy = policy


class Boundary(list[Any]):
    """The layer of limits that a permissions boundary sets; any other layer is of session policies."""


def install() -> None:
    """Apply the hooks."""
    from ministack.core import iam_evaluator

    from kmslab.engine.hooks import extend

    extend(iam_evaluator, "parse_policy_document", "doc")(parse_document)
    extend(iam_evaluator, "_permissions_boundary", "store", "name", "account_id")(permissions_boundary)
    extend(iam_evaluator, "evaluate", "ctx", "policies", "limits")(evaluate)
    extend(iam_evaluator, "evaluate_resource_policy", "doc", "ctx", "service")(evaluate_resource_policy)
    extend(
        iam_evaluator,
        "combine_resource_policy",
        "identity",
        "ctx",
        "policy",
        "owner_account",
        "required",
    )(combine)
    extend(iam_evaluator, "evaluate_trust_policy", "trust_doc", "caller_arn", "ctx")(evaluate_trust_policy)


def parse_document(stock: Any, doc: str | dict[str, Any]) -> Any:
    """Parse a policy for both evaluators, a text once: the same few policies decide every request."""
    return _parse_text(stock, doc) if isinstance(doc, str) else ParsedPolicy(stock(doc), _read(doc))


@lru_cache(maxsize=1024)
def _parse_text(stock: Any, doc: str) -> Any:
    return ParsedPolicy(stock(doc), policy_of(doc))


def policy_of(document: str | Mapping[str, Any] | None) -> Policy:
    """The policy of a document, parsed once for each text."""
    return _read_text(document) if isinstance(document, str) else _read(document)


@lru_cache(maxsize=1024)
def _read_text(document: str) -> Policy:
    return _read(document)


def _read(document: str | Mapping[str, Any] | None) -> Policy:
    try:
        return Policy.parse("policy", document) if document else NOTHING
    except ValueError:
        return NOTHING


def permissions_boundary(stock: Any, store: Any, name: str, account_id: str) -> Any:
    """Tell the boundary's limits from those of session policies."""
    return [Boundary(layer) for layer in stock(store, name, account_id)]


def evaluate(_stock: Any, ctx: Any, policies: Sequence[Any], *limits: Any) -> Any:
    """Decide by identity policies, boundary and session policies."""
    who = principal(
        ctx.principal_arn, ctx.principal_type, ctx.principal_account, policies, limits, ctx.principal_keys
    )
    context = Context(who, request(ctx), who.account)
    result = answer(Case(context, None, (), required=False))
    result.context = context
    return result


def evaluate_resource_policy(
    _stock: Any, doc: str | dict[str, Any] | None, ctx: Any, service: str | None = None, **_narrower: Any
) -> Any:
    """Decide by a resource policy alone: whether it allows, to the account at least, or denies."""
    if service:
        who = Principal(service, "", PrincipalKind.SERVICE)
    else:
        who = principal(ctx.principal_arn, ctx.principal_type, ctx.principal_account, keys=ctx.principal_keys)
    case = Case(Context(who, request(ctx)), policy_of(doc), (), required=True)
    return answer(case, allowed=case.named is not Named.NOT)


def combine(
    _stock: Any,
    identity: Any,
    ctx: Any,
    policy: str | dict[str, Any] | None,
    owner_account: str | None,
    required: bool = False,
    **_limits: Any,
) -> Any:
    """Weigh the identity's side again, together with the policy of the resource."""
    context: Context = identity.context
    if owner_account not in (None, context.owner):
        context = Context(context.principal, request(ctx), str(owner_account))
    return answer(Case(context, policy_of(policy), (), required=required))


def evaluate_trust_policy(
    _stock: Any, trust_doc: str | dict[str, Any], caller_arn: str, ctx: Any = None
) -> bool:
    """Decide whether a role's trust policy lets the caller in, alone or together with their own policies."""
    from ministack.core import iam_evaluator

    ctx = ctx or iam_evaluator.EvalContext(caller_arn, "", _account(caller_arn), "sts:AssumeRole", "*", "")
    return bool(evaluate_resource_policy(None, trust_doc, ctx).decision == "Allow")


def answer(case: Case, *, allowed: bool | None = None) -> Any:
    """The case's answer as MiniStack's EvalResult."""
    from ministack.core import iam_evaluator

    arn = case.context.principal.session_arn or case.context.principal.arn
    if case.denials:
        first = case.denials[0]
        by = case.context.resource if first.side is Side.RESOURCE else ""
        return iam_evaluator.EvalResult("Deny", arn, first.statement.sid, "Explicit deny", by)
    if case.allowed if allowed is None else allowed:
        return iam_evaluator.EvalResult("Allow", arn, "", "Explicit allow")
    return iam_evaluator.EvalResult("ImplicitDeny", arn, "", "No matching Allow statement")


def principal(
    arn: str,
    kind: str,
    account: str,
    policies: Sequence[Any] | None = (),
    limits: Sequence[Any] = (),
    keys: Mapping[str, Any] | None = None,
) -> Principal:
    """A principal of MiniStack's, with its policies.

    Args:
        arn: of the user, the root user or the session.
        kind: MiniStack's ``principal_type``, which counts only where the ARN does not tell.
        account: its account.
        policies: parsed policies; None for the root user.
        limits: the layers of a boundary and of session policies.
        keys: condition keys that describe it.
    """
    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()
    for layer in limits:
        found = tuple(getattr(parsed, "policy", NOTHING) for parsed in layer) or (NOTHING,)
        if isinstance(layer, Boundary):
            boundary = found[0]
        else:
            session = found
    return Principal(
        arn=role_arn(arn),
        account=account,
        kind=_kind(arn, kind),
        policies=tuple(parsed.policy for parsed in policies or ()),
        boundary=boundary,
        session_policies=session,
        condition_keys={name: text(value) for name, value in (keys or {}).items()},
        session_arn=arn if ":assumed-role/" in arn else "",
    )


def _kind(arn: str, kind: str) -> PrincipalKind:
    if ":assumed-role/" in arn or ":role/" in arn:
        return PrincipalKind.ROLE
    if arn.endswith(":root"):
        return PrincipalKind.ROOT
    return _KINDS.get(kind, PrincipalKind.USER)


def role_arn(principal_arn: str) -> str:
    """The ARN of the role of an assumed-role session, with the role's path; any other ARN as it is."""
    if ":assumed-role/" not in principal_arn:
        return principal_arn
    from ministack.services import iam

    partition, account = principal_arn.split(":")[1], _account(principal_arn)
    name = principal_arn.split(":assumed-role/", 1)[1].split("/", 1)[0]
    role = iam._roles.get_scoped(account, None, name)
    return str(role["Arn"]) if role else f"arn:{partition}:iam::{account}:role/{name}"


def request(ctx: Any) -> Request:
    """The request of MiniStack's EvalContext, with all its condition keys."""
    keys: dict[str, Any] = {
        "aws:requestedregion": ctx.region,
        "aws:securetransport": ctx.secure_transport,
        "aws:sourceip": ctx.source_ip,
        "aws:tagkeys": ctx.tag_keys or None,
        **{f"aws:requesttag/{name}".lower(): value for name, value in ctx.request_tags.items()},
        **ctx.service_context,
    }
    if ctx.resource_arn.startswith("arn:aws:s3:"):
        keys["s3:resourceaccount"] = ctx.principal_account
    if ctx.resource_arn.startswith("arn:aws:ec2:"):
        keys = {**_ec2_tags(ctx.resource_arn), **_without_new_tags(ctx, keys)}
    return Request(
        ctx.action,
        ctx.resource_arn,
        {name: text(value) for name, value in keys.items() if value is not None and value != []},
    )


def _ec2_tags(resource_arn: str) -> dict[str, str]:
    """The tags of a volume, snapshot or instance, under both names that EC2's condition keys have."""
    from ministack.services import ec2

    tags = ec2._tags.get(resource_arn.rsplit("/", 1)[-1]) or ()
    return {
        f"{service}:resourcetag/{tag['Key']}".lower(): tag["Value"]
        for tag in tags
        for service in ("aws", "ec2")
    }


def _without_new_tags(ctx: Any, keys: dict[str, Any]) -> dict[str, Any]:
    """Leave out the tags that a request gives to what it makes, where what is there already is asked for.

    CreateVolume of a snapshot asks for both: the snapshot gets none of the new volume's tags (Service Authorization
    Reference, Amazon EC2: aws:RequestTag belongs to the resource type that is made).
    """
    if ctx.resource_arn.endswith("/*") or ctx.action in ("ec2:CreateTags", "ec2:DeleteTags"):
        return keys
    return {
        name: value for name, value in keys.items() if not name.startswith(("aws:requesttag/", "aws:tagkeys"))
    }


def of_connection(region: str) -> dict[str, Any]:
    """Condition keys of the HTTP request that is being answered."""
    from ministack.core import iam_evaluator

    source_ip, secure_transport = iam_evaluator._request_origin.get()
    return {"aws:RequestedRegion": region, "aws:SecureTransport": secure_transport, "aws:SourceIp": source_ip}


def _account(arn: str) -> str:
    return arn.split(":")[4] if arn.count(":") >= 5 else ""  # noqa: PLR2004  # an ARN has six fields
