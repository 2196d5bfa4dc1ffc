"""Secrets by their name in Parameter Store: ``/aws/reference/secretsmanager/<secret>``.

Systems Manager User Guide, "Referencing AWS Secrets Manager secrets from Parameter Store parameters": GetParameter
and GetParameters only, with decryption, for whoever may read the secret. Members and messages as floci's tests
(``SsmSecretsManagerReferenceIntegrationTest``) measured them against AWS on 2026-09-28; how AWS spells the date
in ``SourceResult`` nobody has written down.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.secretsmanager.errors import SecretsError

    Response = tuple[int, Mapping[str, str], bytes]
    Stock = Callable[[Mapping[str, Any]], Response]

PREFIX = "/aws/reference/secretsmanager/"
_REFERENCE = re.compile(r"([^:]+)(?::([^:]+))?")
_VERSION = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_MALFORMED = "Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>"
_IN_PLAIN = "WithDecryption flag must be True for retrieving a Secret Manager secret."
_SOURCE = {
    "ARN": "ARN",
    "Name": "name",
    "VersionId": "versionId",
    "SecretString": "secretString",
    "SecretBinary": "secretBinary",
    "VersionStages": "versionStages",
}
"""Members of GetSecretValue's answer, and how ``SourceResult`` spells them, in its order."""


class _RefusedError(Exception):
    """A reference cannot be answered.

    Attributes:
        code: of Parameter Store's error.
        message: of it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


def get_parameter(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Answer a reference with the secret."""
    from ministack.core.responses import error_response_json, json_response

    name = str(data.get("Name", ""))
    if not name.startswith(PREFIX):
        return stock(data)
    try:
        answer: Response = json_response({"Parameter": _parameter(name, data.get("WithDecryption"))})
    except _RefusedError as refused:
        answer = error_response_json(refused.code, refused.message, 400)
    return answer


def get_parameters(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Answer references among the names; those that cannot be answered are invalid parameters."""
    from ministack.core.responses import error_response_json

    names = data.get("Names") or []
    references = [name for name in names if name.startswith(PREFIX)]
    status, headers, body = stock({**data, "Names": [name for name in names if name not in references]})
    members = json.loads(body)
    if not references or "Parameters" not in members:
        return status, headers, body
    for name in references:
        try:
            members["Parameters"].append(_parameter(name, data.get("WithDecryption")))
        except _RefusedError as refused:
            if refused.code == "AccessDeniedException":
                answer: Response = error_response_json(refused.code, refused.message, 400)
                return answer
            members["InvalidParameters"].append(name)
    return status, headers, json.dumps(members).encode()


def _parameter(name: str, with_decryption: object) -> dict[str, Any]:
    """The secret as a parameter.

    Raises:
        _RefusedError: the name, the request, the secret or the caller is not one for that.
    """
    from kmslab.engine.secretsmanager import reading
    from kmslab.engine.secretsmanager.errors import SecretsError

    reference = _REFERENCE.fullmatch(name.removeprefix(PREFIX))
    if reference is None:
        raise _RefusedError("ValidationException", _MALFORMED)
    if with_decryption is not True:
        raise _RefusedError("ValidationException", _IN_PLAIN)
    secret, selector = reference.groups()
    version = {"VersionId" if _VERSION.fullmatch(selector) else "VersionStage": selector} if selector else {}
    try:
        found = reading.for_its_caller({"SecretId": secret, **version})
    except SecretsError as error:
        raise _told(error, f"{PREFIX[1:]}{secret}", selector) from error
    source = {spelled: found[member] for member, spelled in _SOURCE.items() if member in found}
    source["createdDate"] = time.strftime("%b %-d, %Y, %-I:%M:%S %p", time.gmtime(found["CreatedDate"]))
    parameter = {
        "Name": f"{PREFIX}{secret}",
        "Type": "SecureString",
        "Value": found.get("SecretString"),
        "Version": 0,
        "Selector": f":{selector}" if selector else None,
        "SourceResult": json.dumps(source, separators=(",", ":")),
        "LastModifiedDate": found["CreatedDate"],
        "ARN": found["ARN"],
    }
    return {member: value for member, value in parameter.items() if value is not None}


def _told(error: SecretsError, path: str, selector: str | None) -> _RefusedError:
    """Secrets Manager's error in Parameter Store's words."""
    if error.code == "ResourceNotFoundException":
        # AWS prints "null" where no version was asked for.
        version = f":{selector}" if selector else "null"
        return _referencing("ParameterNotFound", f"Secret {path}{version} not found.")
    if error.code == "AccessDeniedException":
        return _referencing(error.code, error.message)
    return _RefusedError("ValidationException", "Invalid Request to Secrets Manager")


def _referencing(code: str, why: str) -> _RefusedError:
    return _RefusedError(code, f"An error occurred ({code}) when referencing Secrets Manager: {why}")


def install() -> None:
    """Answer references before MiniStack looks for a parameter of that name."""
    from ministack.services import ssm

    extend(ssm, "_get_parameter", "data")(get_parameter)
    extend(ssm, "_get_parameters", "data")(get_parameters)
