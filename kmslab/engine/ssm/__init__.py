"""Systems Manager Parameter Store: a SecureString takes its key, as the caller.

Systems Manager User Guide, "AWS KMS encryption for SecureString parameters": the encryption context is
``PARAMETER_ARN``; a standard parameter is encrypted by ``kms:Encrypt``, an advanced one under a data key.
"""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.kms.records import KeyRecord

    Response = tuple[int, Mapping[str, str], bytes]
    Stock = Callable[[Mapping[str, Any]], Response]

MANAGED_KEY = "alias/aws/ssm"
SECURE = "SecureString"
READS = ("_get_parameter", "_get_parameters", "_get_parameters_by_path", "_get_parameter_history")


def _use_key(operation: str, key_ref: str, parameter_arn: str) -> tuple[KeyRecord | None, Response | None]:
    key, refusal = use_key("ssm", operation, key_ref, {"PARAMETER_ARN": parameter_arn})
    if refusal is None:
        return key, None
    code = "AccessDeniedException" if refusal.denied else "InvalidKeyId"
    return None, _error(code, refusal.message or f"The key is not usable ({refusal.code})")


def _error(code: str, message: str) -> Response:
    from ministack.core.responses import error_response_json

    response: Response = error_response_json(code, message, 400)
    return response


def put_parameter(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Encrypt a SecureString before it is stored; what is shown without decryption is KMS's ciphertext."""
    from ministack.services import ssm

    from kmslab.engine.kms import envelope

    name = data.get("Name", "")
    existing = ssm._parameters.get(name)
    if not name or (data.get("Type") or (existing or {}).get("Type")) != SECURE:
        return stock(data)
    arn = existing["ARN"] if existing else ssm._param_arn(name)
    operation = "GenerateDataKey" if data.get("Tier") == "Advanced" else "Encrypt"
    key, refused = _use_key(operation, data.get("KeyId") or MANAGED_KEY, arn)
    if key is None:
        return refused or _error("InvalidKeyId", "The key does not exist.")
    response = stock(data)
    if response[0] == HTTPStatus.OK:
        sealed = envelope.seal(key, data.get("Value", "").encode(), {"PARAMETER_ARN": arn})
        for record in (ssm._parameters[name], ssm._parameter_history[name][-1]):
            record["Value"] = base64.b64encode(sealed).decode()
    return response


def read_parameters(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Decrypt every SecureString that the answer would show."""
    response = stock(data)
    if not data.get("WithDecryption") or response[0] != HTTPStatus.OK:
        return response
    answer = json.loads(response[2])
    for shown in [answer["Parameter"]] if "Parameter" in answer else answer.get("Parameters", []):
        if shown["Type"] == SECURE:
            _, refused = _use_key("Decrypt", *_key_and_arn(shown["Name"]))
            if refused:
                return refused
    return response


def _key_and_arn(name: str) -> tuple[str, str]:
    from ministack.services import ssm

    stored = ssm._lookup_parameter(name)[1]
    return stored["KeyId"], stored["ARN"]


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from ministack.services import ssm

    extend(ssm, "_put_parameter", "data")(put_parameter)
    for name in READS:
        extend(ssm, name, "data")(read_parameters)
