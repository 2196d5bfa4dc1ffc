"""Rotation by a Lambda function: RotateSecret and CancelRotateSecret.

Secrets Manager User Guide, "Lambda rotation functions": four steps, each of which must end well before the
next begins. The function makes the new version and moves AWSCURRENT to it; schedules are kept, not followed.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator

from kmslab.engine.secretsmanager import records
from kmslab.engine.secretsmanager.errors import SecretsError, invalid_request
from kmslab.engine.secretsmanager.service import operation

if TYPE_CHECKING:
    from kmslab.engine.secretsmanager.records import Secret

    Members = dict[str, Any]

logger = logging.getLogger("kmslab.engine.secretsmanager")

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
PRINCIPAL = "secretsmanager.amazonaws.com"


@operation("RotateSecret")
def rotate_secret(parameters: Members) -> Members:
    """Keep the configuration and begin a rotation, unless it is to wait for its schedule."""
    secret, token = records.find_primary(parameters["SecretId"]), parameters["ClientRequestToken"]
    function = parameters.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    if not function:
        raise invalid_request("No Lambda rotation function ARN is associated with this secret.")
    record = _invocable(function)
    pending = records.version_with(secret, records.PENDING)
    if pending not in ("", token, records.version_with(secret, records.CURRENT)):
        raise invalid_request("A previous rotation isn't complete. That rotation will be reattempted.")
    secret["RotationEnabled"], secret["RotationLambdaARN"] = True, function
    if rules := parameters.get("RotationRules"):
        secret["RotationRules"] = rules
    named = {"ARN": secret["ARN"], "Name": secret["Name"]}
    if not parameters.get("RotateImmediately", True):
        return named
    made: records.Version = {
        "Member": "",
        "Copies": [],
        "Stages": [],
        "CreatedDate": records.now(),
        "LastAccessedDate": 0.0,
    }
    secret["Versions"].setdefault(token, made)
    records.move_labels(secret, token, [records.PENDING])
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_rotate, secret, token, record), daemon=True).start()
    return {**named, "VersionId": token}


@operation("CancelRotateSecret")
def cancel_rotate_secret(parameters: Members) -> Members:
    """Turn rotation off; what a rotation under way has made stays."""
    secret = records.find_primary(parameters["SecretId"])
    secret["RotationEnabled"] = False
    for member in ("RotationLambdaARN", "RotationRules"):
        secret.pop(member, None)  # type: ignore[misc]  # names of its members
    return {"ARN": secret["ARN"], "Name": secret["Name"]}


def _invocable(function_arn: str) -> dict[str, Any]:
    """The function, which must exist and let Secrets Manager invoke it.

    Raises:
        SecretsError: AccessDeniedException.
    """
    from ministack.services import lambda_svc

    found, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    if found and config and _may_invoke(found["policy"], function_arn):
        record: dict[str, Any] = lambda_svc._execution_record_for_config(found, config)
        return record
    raise SecretsError(
        "AccessDeniedException",
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants "
        f"access to the principal {PRINCIPAL}.",
    )


def _may_invoke(policy: Any, function_arn: str) -> bool:
    context = iam_evaluator.EvalContext("*", "Service", "", "lambda:InvokeFunction", function_arn, "")
    decided = iam_evaluator.evaluate_resource_policy(policy, context, service=PRINCIPAL).decision
    return bool(decided == "Allow")


def _rotate(secret: Secret, token: str, record: dict[str, Any]) -> None:
    from ministack.services import lambda_svc

    for step in STEPS:
        event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
        answer = lambda_svc._execute_function_with_config_scope(record, event)
        if answer.get("error"):
            logger.warning("the rotation of %s ended at %s", secret["ARN"], step)
            return
    secret["LastRotatedDate"] = records.now()
