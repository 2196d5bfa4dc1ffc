"""Systems Manager Parameter Store: a SecureString takes its key, as the caller.

Systems Manager User Guide, "AWS KMS encryption for SecureString parameters": the encryption context is
``PARAMETER_ARN``; a standard parameter is encrypted by ``kms:Encrypt``, an advanced one under a data key. What
is stored, and shown without decryption, is KMS's ciphertext: it names the key that each version is under.
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

    from kmslab.engine.events import Refusal
    from kmslab.engine.kms.records import KeyRecord

    Response = tuple[int, Mapping[str, str], bytes]
    Stock = Callable[[Mapping[str, Any]], Response]

MANAGED_KEY = "alias/aws/ssm"
SECURE = "SecureString"
ADVANCED = "Advanced"
READS = ("_get_parameter", "_get_parameters", "_get_parameters_by_path", "_get_parameter_history")
MOST = {"Standard": 4096, ADVANCED: 8192}
"""Bytes of a value, by tier (API reference, PutParameter)."""
UPGRADE = (
    " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more "
    "information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "parameter-store-advanced-parameters.html"
)


def _use_key(operation: str, key_ref: str, parameter_arn: str) -> tuple[KeyRecord | None, Response | None]:
    key, refusal = use_key("ssm", operation, key_ref, {"PARAMETER_ARN": parameter_arn})
    return (key, None) if refusal is None else (None, _refused(refusal))


def _refused(refusal: Refusal) -> Response:
    """What Parameter Store answers when KMS refuses: KMS's message, and where it came from."""
    from ministack.core.responses import new_uuid

    code = "AccessDeniedException" if refusal.denied else "InvalidKeyId"
    message = (
        f"{refusal.message or 'The key is not usable.'} (Service: AWSKMS; Status Code: 400; "
        f"Error Code: {refusal.code}; Request ID: {new_uuid()}; Proxy: null)"
    )
    return _error(code, message)


def _error(code: str, message: str) -> Response:
    from ministack.core.responses import error_response_json

    response: Response = error_response_json(code, message, 400)
    return response


def put_parameter(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Encrypt a SecureString before it is stored, and hold every value to its tier's length."""
    from ministack.services import ssm

    from kmslab.engine.kms import envelope

    name, value = data.get("Name", ""), data.get("Value", "")
    existing = ssm._parameters.get(name)
    tier = data.get("Tier") or ssm._default_tier(data, value, existing)
    if len(value.encode()) > MOST.get(tier, MOST[ADVANCED]):
        most = MOST.get(tier, MOST[ADVANCED])
        message = f"{tier} tier parameters support a maximum parameter value of {most} characters."
        return _error("ValidationException", message + ("" if tier == ADVANCED else UPGRADE))
    if not name or (data.get("Type") or (existing or {}).get("Type")) != SECURE:
        return stock(data)
    if existing and not data.get("Overwrite"):
        return stock(data)  # refuses it, and no key is asked for that
    arn = existing["ARN"] if existing else ssm._param_arn(name)
    operation = "GenerateDataKey" if tier == ADVANCED else "Encrypt"
    key, refused = _use_key(operation, data.get("KeyId") or MANAGED_KEY, arn)
    if key is None:
        return refused or _error("InvalidKeyId", "The key does not exist.")
    response = stock(data)
    if response[0] == HTTPStatus.OK:
        sealed = base64.b64encode(envelope.seal(key, value.encode(), {"PARAMETER_ARN": arn})).decode()
        for record in (ssm._parameters[name], ssm._parameter_history[name][-1]):
            record["Value"] = record["OriginalValue"] = sealed
    return response


def read_parameters(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Decrypt every SecureString that the answer shows."""
    status, headers, body = stock(data)
    if not data.get("WithDecryption") or status != HTTPStatus.OK:
        return status, headers, body
    answer = json.loads(body)
    for shown in [answer["Parameter"]] if "Parameter" in answer else answer.get("Parameters", []):
        if shown["Type"] == SECURE:
            value, refused = _decrypted(shown["Value"], shown.get("ARN") or _arn(shown["Name"]))
            if refused:
                return refused
            shown["Value"] = value
    return status, headers, json.dumps(answer).encode()


def _decrypted(stored: str, parameter_arn: str) -> tuple[str, Response | None]:
    """The value of a ciphertext as the caller, or the refusal."""
    from kmslab.engine.kms import envelope

    blob = base64.b64decode(stored)
    key, refused = _use_key("Decrypt", envelope.key_arn_of(blob), parameter_arn)
    if key is None:
        return "", refused
    value, _ = envelope.open_sealed(key, blob, {"PARAMETER_ARN": parameter_arn})
    return value.decode(), None


def _arn(name: str) -> str:
    from ministack.services import ssm

    return str(ssm._lookup_parameter(name)[1]["ARN"])


def resolve_parameter_value(
    stock: Callable[..., str | None], name_or_arn: str, version: str | None = None, decrypt: bool = False
) -> str | None:
    """Decrypt for another service, CloudFormation's ``ssm-secure`` references above all.

    Raises:
        ValueError: KMS refuses whoever that service acts as.
    """
    from ministack.services import ssm

    stored = stock(name_or_arn, version, decrypt)
    _, parameter = ssm._lookup_parameter(name_or_arn, allow_arn_region=True, flexible_name=True)
    if stored is None or not decrypt or not parameter or parameter["Type"] != SECURE:
        return stored
    value, refused = _decrypted(stored, parameter["ARN"])
    if refused:
        raise ValueError(f"The parameter {name_or_arn} cannot be decrypted: {refused[2].decode()}")
    return value


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from ministack.services import ssm

    from kmslab.engine.ssm import names, references

    extend(ssm, "_put_parameter", "data")(put_parameter)
    for read in READS:
        extend(ssm, read, "data")(read_parameters)
    extend(ssm, "resolve_parameter_value", "name_or_arn", "version", "decrypt")(resolve_parameter_value)
    names.install()
    references.install()
