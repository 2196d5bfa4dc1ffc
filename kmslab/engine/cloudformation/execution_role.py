"""CloudFormation acts as its execution role: KMS decides about that role, not about who deploys.

The CDK CLI passes the bootstrap's role as ``RoleARN``. As on AWS, CloudFormation keeps it with the
stack and uses it for every later operation; a stack that never had one is worked on as the caller.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import cloudformation, iam
from ministack.services.cloudformation import changesets, handlers, helpers

from kmslab.engine.authorization.caller import CALLER, acting_as
from kmslab.engine.cloudformation.resources import element
from kmslab.engine.hooks import extend_entry
from kmslab.engine.provisional import deploying

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.engine.cloudformation.resources import Response

SERVICE = "cloudformation.amazonaws.com"
STACK_OPERATIONS = (
    "CreateStack",
    "UpdateStack",
    "DeleteStack",
    "ContinueUpdateRollback",
    "RollbackStack",
    "CancelUpdateStack",
)


def _run(stock: Callable[[Any], Response], params: dict[str, Any]) -> Response:
    """Work on a stack as the role that the request or the stack names."""
    given = str(helpers._p(params, "RoleARN"))
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    if refused := _refusal(given):
        return refused
    with (
        deploying(str(helpers._p(params, "StackName"))),
        acting_as(given or (stack or {}).get("RoleARN", "")),
    ):
        response = stock(params)
    if (
        given
        and response[0] == HTTPStatus.OK
        and (stack := handlers._resolve_stack(helpers._p(params, "StackName")))
    ):
        stack["RoleARN"] = given
    return response


def _create_change_set(stock: Callable[[Any], Response], params: dict[str, Any]) -> Response:
    """Keep the role that the change set will be executed as."""
    given = str(helpers._p(params, "RoleARN"))
    if refused := _refusal(given):
        return refused
    response = stock(params)
    if given and response[0] == HTTPStatus.OK:
        text = response[2].decode() if isinstance(response[2], bytes) else response[2]
        cloudformation._change_sets[element(text, "Id")]["RoleARN"] = given
    return response


def _execute_change_set(stock: Callable[[Any], Response], params: dict[str, Any]) -> Response:
    """Work on the stack as the role that the change set or the stack was given."""
    _, change_set = changesets._find_change_set(
        helpers._p(params, "ChangeSetName"), helpers._p(params, "StackName")
    )
    stack = cloudformation._stacks.get((change_set or {}).get("StackName", ""))
    role = (change_set or {}).get("RoleARN") or (stack or {}).get("RoleARN", "")
    with deploying((change_set or {}).get("StackName", "")), acting_as(role):
        response = stock(params)
    if role and stack is not None and response[0] == HTTPStatus.OK:
        stack["RoleARN"] = role
    return response


def _describe_stacks(stock: Callable[[Any], Response], params: dict[str, Any]) -> Response:
    """Tell the role that a stack was given."""
    status, headers, body = stock(params)
    text = body.decode() if isinstance(body, bytes) else body
    for stack in cloudformation._stacks.values():
        if role := stack.get("RoleARN"):
            known = f"<StackId>{stack['StackId']}</StackId>"
            text = text.replace(known, f"{known}<RoleARN>{role}</RoleARN>")
    return status, headers, text


def _refusal(role_arn: str) -> Response | None:
    """Why CloudFormation will not take on a role: it does not exist, does not trust, may not be passed."""
    if not role_arn:
        return None
    role = iam._roles.get(role_arn.rsplit("/", 1)[-1])
    if role is None or not _trusts_cloudformation(role):
        return _error("ValidationError", f"Role {role_arn} is invalid or cannot be assumed")
    denied = iam_evaluator.enforce(
        CALLER.get(),
        "iam:PassRole",
        "iam",
        get_region(),
        resource_arn=role_arn,
        service_context={"iam:PassedToService": SERVICE},
    )
    if denied is None:
        return None
    who = getattr(denied, "principal_arn", "")
    return _error(
        "AccessDenied", f"User: {who} is not authorized to perform: iam:PassRole on resource: {role_arn}", 403
    )


def _trusts_cloudformation(role: dict[str, Any]) -> bool:
    trust = role["AssumeRolePolicyDocument"]
    statements = (json.loads(trust) if isinstance(trust, str) else trust)["Statement"]
    return any(
        statement["Effect"] == "Allow"
        and iam_evaluator._service_principal_matches(statement.get("Principal"), SERVICE)
        for statement in (statements if isinstance(statements, list) else [statements])
    )


def _error(code: str, message: str, status: int = 400) -> Response:
    response: Response = helpers._error(code, message, status)
    return response


def install() -> None:
    """Take over the operations that work on stacks."""
    for operation in STACK_OPERATIONS:
        extend_entry(handlers, "_ACTION_HANDLERS", operation, "params")(_run)
    extend_entry(handlers, "_ACTION_HANDLERS", "DescribeStacks", "params")(_describe_stacks)
    extend_entry(handlers, "_ACTION_HANDLERS", "CreateChangeSet", "params")(_create_change_set)
    extend_entry(handlers, "_ACTION_HANDLERS", "ExecuteChangeSet", "params")(_execute_change_set)
