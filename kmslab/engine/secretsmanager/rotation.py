"""Rotation by a Lambda function: RotateSecret and CancelRotateSecret.

Secrets Manager User Guide, "Lambda rotation functions": four steps, each of which must end well before the
next begins. The function makes the new version and moves AWSCURRENT to it. Schedules are told, not followed.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator

from kmslab.engine.secretsmanager import records, values
from kmslab.engine.secretsmanager.errors import SecretsError, invalid_request
from kmslab.engine.secretsmanager.service import operation

if TYPE_CHECKING:
    from collections.abc import Callable

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
    rules = parameters.get("RotationRules") or {}
    record = _invocable(function)
    pending = records.version_with(secret, records.PENDING)
    if pending not in ("", token, records.version_with(secret, records.CURRENT)):
        raise invalid_request("A previous rotation isn't complete. That rotation will be reattempted.")
    secret["RotationEnabled"], secret["RotationLambdaARN"] = True, function
    if rules:
        secret["RotationRules"] = rules
    _schedule(secret)
    named = {"ARN": secret["ARN"], "Name": secret["Name"]}
    if not parameters.get("RotateImmediately", True):
        _begin(_test, secret, token, record)
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
    _begin(_rotate, secret, token, record)
    return {**named, "VersionId": token}


def _schedule(secret: Secret) -> None:
    """Note the end of the day on which the next rotation is due."""
    if days := secret.get("RotationRules", {}).get("AutomaticallyAfterDays"):
        secret["NextRotationDate"] = records.today() + (days + 1) * 86400 - 1


def _begin(work: Callable[..., None], *what: Any) -> None:
    """Work in the background, in the account and Region of the request."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work, *what), daemon=True).start()


@operation("CancelRotateSecret")
def cancel_rotate_secret(parameters: Members) -> Members:
    """Turn rotation off; what a rotation under way has made stays, and the function stays known."""
    secret = records.find_primary(parameters["SecretId"])
    if "RotationLambdaARN" not in secret:
        raise invalid_request("No Lambda rotation function ARN is associated with this secret.")
    secret["RotationEnabled"] = False
    secret.pop("NextRotationDate", None)
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
    for step in STEPS:
        if not _succeeds(step, secret, token, record):
            return


def _test(secret: Secret, token: str, record: dict[str, Any]) -> None:
    """Test the function on a pending copy of the current value, which is removed again."""
    current = records.version_with(secret, records.CURRENT)
    if not current:
        return
    value = values.unseal(secret, current, internal=True)
    values.add_version(secret, token, secret["Versions"][current]["Member"], value, internal=True)
    records.move_labels(secret, token, [records.PENDING])
    _succeeds("testSecret", secret, token, record)
    del secret["Versions"][token]


def _succeeds(step: str, secret: Secret, token: str, record: dict[str, Any]) -> bool:
    from ministack.services import lambda_svc

    event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
    answer = lambda_svc._execute_function_with_config_scope(record, event)
    if answer.get("error"):
        logger.warning("the rotation of %s ended at %s", secret["ARN"], step)
    return not answer.get("error")
