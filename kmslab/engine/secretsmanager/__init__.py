"""Secrets Manager: reading and writing a secret takes its key, as the caller.

Secrets Manager User Guide, "Secret encryption and decryption": the encryption context is the secret's ARN
and the version; a secret without a key of its own is under ``aws/secretsmanager``.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Response = tuple[int, Mapping[str, str], bytes]
    Stock = Callable[[Mapping[str, Any]], Response]

SERVICE = "secretsmanager"
MANAGED_KEY = "alias/aws/secretsmanager"
DEFAULT_KEY = "DefaultEncryptionKey"
"""How the list of versions calls the AWS managed key."""
WRITE, READ = ("GenerateDataKey", "Decrypt"), ("Decrypt",)


def _use_key(
    operations: tuple[str, ...], secret: Mapping[str, Any], version: str, key: str = ""
) -> Response | None:
    """Use a secret's key; return what Secrets Manager answers when KMS refuses."""
    context = {"SecretARN": secret["ARN"], **({"SecretVersionId": version} if version else {})}
    key_ref = key or secret.get("KmsKeyId") or MANAGED_KEY
    for operation in operations:
        _, refusal = use_key(SERVICE, operation, key_ref, context)
        if refusal and refusal.denied:
            return _error("AccessDeniedException", "Access to KMS is not allowed")
        if refusal:
            code = "DecryptionFailure" if operation == "Decrypt" else "EncryptionFailure"
            return _error(code, f"{refusal.message or 'The key is not usable'} ({refusal.code})")
    return None


def _error(code: str, message: str) -> Response:
    from ministack.core.responses import error_response_json

    response: Response = error_response_json(code, message, 400)
    return response


def _answer(members: Mapping[str, Any]) -> Response:
    from ministack.core.responses import json_response

    response: Response = json_response(members)
    return response


def _find(secret_id: str | None) -> dict[str, Any] | None:
    """The secret, unless it is unknown or about to be deleted: the stock operation says so."""
    from ministack.services import secretsmanager

    _, secret = secretsmanager._resolve(secret_id)
    return secret if secret and not secret.get("DeletedDate") else None


def _has_value(data: Mapping[str, Any]) -> bool:
    return "SecretString" in data or "SecretBinary" in data


def _repeated(secret: Mapping[str, Any], data: Mapping[str, Any], *, stages: bool = False) -> Response | None:
    """The answer to a request that was carried out before: its token is the id of a version.

    API reference, PutSecretValue, ``ClientRequestToken``: asked for again with the same value, nothing
    happens; with another value, it is refused. MiniStack would make a version of it each time, and prune
    the one before.

    Args:
        secret: which may have the version.
        data: the request.
        stages: whether the answer lists the version's labels.
    """
    token = data.get("ClientRequestToken", "")
    version = secret["Versions"].get(token)
    if version is None:
        return None
    if any(version.get(member) != data.get(member) for member in ("SecretString", "SecretBinary")):
        return _error(
            "ResourceExistsException",
            f"You can't use ClientRequestToken {token} because that value is already in use for a version "
            f"of secret {secret['ARN']}.",
        )
    answer = {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token}
    return _answer(answer | ({"VersionStages": list(version["Stages"])} if stages else {}))


def _under_its_token(secret: dict[str, Any], response: Response, data: Mapping[str, Any]) -> Response:
    """Call a new version as its request does; MiniStack makes up an id where a secret is made or updated."""
    answer, token = json.loads(response[2]), data.get("ClientRequestToken")
    if not token:
        return response
    secret["Versions"][token] = secret["Versions"].pop(answer["VersionId"])
    return _answer({**answer, "VersionId": token})


def create_secret(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Encrypt the first version; a secret that KMS refuses is not kept."""
    from ministack.services import secretsmanager

    secret = _find(data.get("Name"))
    if secret and (repeated := _repeated(secret, data)):
        return repeated
    response = stock(data)
    if response[0] != HTTPStatus.OK or not _has_value(data):
        return response
    made = secretsmanager._secrets[data["Name"]]
    response = _under_its_token(made, response, data)
    refused = _use_key(WRITE, made, json.loads(response[2])["VersionId"])
    if refused:
        secretsmanager._secrets.pop(data["Name"])
    return refused or response


def put_secret_value(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Encrypt a new version."""
    secret = _find(data.get("SecretId"))
    if secret and (repeated := _repeated(secret, data, stages=True)):
        return repeated
    refused = _use_key(WRITE, secret, data.get("ClientRequestToken", "")) if secret else None
    return refused or stock(data)


def update_secret(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Encrypt a new version; another key needs the old one too, for the versions that move to it."""
    secret = _find(data.get("SecretId"))
    if secret and _has_value(data) and (repeated := _repeated(secret, data)):
        return repeated
    new_key = data.get("KmsKeyId") or ""
    refused = None
    if secret and new_key and new_key != secret.get("KmsKeyId"):
        refused = _use_key(READ, secret, "") or _use_key(WRITE, secret, "", new_key)
    elif secret and _has_value(data):
        refused = _use_key(WRITE, secret, data.get("ClientRequestToken", ""))
    if refused:
        return refused
    response = stock(data)
    return (
        _under_its_token(secret, response, data)
        if secret and _has_value(data) and response[0] == HTTPStatus.OK
        else response
    )


def list_secret_version_ids(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Tell the key of each version: the secret's, as versions with a label move to its new key too.

    MiniStack forgets a version that has lost its label, the only kind that stays under an older key.
    """
    response = stock(data)
    secret = _find(data.get("SecretId"))
    if response[0] != HTTPStatus.OK or secret is None:
        return response
    answer = json.loads(response[2])
    for one in answer["Versions"]:
        one["KmsKeyIds"] = [secret.get("KmsKeyId") or DEFAULT_KEY]
    return _answer(answer)


def get_secret_value(stock: Stock, data: Mapping[str, Any]) -> Response:
    """Decrypt the version that is asked for."""
    from ministack.services import secretsmanager

    secret = _find(data.get("SecretId"))
    if secret is None:
        return stock(data)
    stage = data.get("VersionStage", "AWSCURRENT")
    version = data.get("VersionId") or secretsmanager._find_stage_version(secret, stage)[0] or ""
    return _use_key(READ, secret, version) or stock(data)


def resolve_secret_string(
    stock: Callable[..., str | None],
    secret_id: str,
    version_stage: str = "AWSCURRENT",
    version_id: str | None = None,
) -> str | None:
    """Decrypt for another service, CloudFormation's dynamic references above all.

    Raises:
        ValueError: KMS refuses whoever that service acts as.
    """
    value = stock(secret_id, version_stage, version_id)
    secret = _find(secret_id)
    if value is not None and secret and _use_key(READ, secret, version_id or ""):
        raise ValueError(f"The secret {secret_id} cannot be decrypted: Access to KMS is not allowed")
    return value


def install() -> None:
    """Apply the room's hooks to MiniStack."""
    from ministack.services import secretsmanager

    extend(secretsmanager, "_create_secret", "data")(create_secret)
    extend(secretsmanager, "_put_secret_value", "data")(put_secret_value)
    extend(secretsmanager, "_update_secret", "data")(update_secret)
    extend(secretsmanager, "_get_secret_value", "data")(get_secret_value)
    extend(secretsmanager, "_list_secret_version_ids", "data")(list_secret_version_ids)
    extend(secretsmanager, "resolve_secret_string", "secret_id", "version_stage", "version_id")(
        resolve_secret_string
    )
