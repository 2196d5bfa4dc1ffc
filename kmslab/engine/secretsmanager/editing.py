"""Secrets are made and get new values: CreateSecret, PutSecretValue, UpdateSecret, UpdateSecretVersionStage."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import secretsmanager

from kmslab.engine.secretsmanager import records, replicas, values
from kmslab.engine.secretsmanager.errors import (
    SecretsError,
    exists,
    invalid_parameter,
    invalid_request,
    not_found,
)
from kmslab.engine.secretsmanager.service import operation

if TYPE_CHECKING:
    from kmslab.engine.secretsmanager.records import Secret

    Members = dict[str, Any]

_SUFFIX = string.ascii_letters + string.digits


def _was_done(secret: Secret, token: str, value: tuple[str, bytes]) -> bool:
    """Whether a request was carried out before: its token is the id of a version with the same value.

    Raises:
        SecretsError: the version has another value.
    """
    version = secret["Versions"].get(token)
    if version is None or not version["Copies"]:
        return False
    if (version["Member"], values.unseal(secret, token, internal=True)) != value:
        raise SecretsError(
            "ResourceExistsException",
            f"You can't use ClientRequestToken {token} because that value is already in use for a version "
            f"of secret {secret['ARN']}.",
        )
    return True


@operation("CreateSecret")
def create_secret(parameters: Members) -> Members:
    """Make a secret, with a first version if the request has a value."""
    name, token, value = parameters["Name"], parameters["ClientRequestToken"], values.given(parameters)
    known = records.by_name(name)
    if known is not None:
        if "DeletedDate" in known:
            raise invalid_request(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        if not (value and token in known["Versions"] and _was_done(known, token, value)):
            raise exists(name)
        return _named(known, VersionId=token)
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(6))
    made = records.now()
    secret: Secret = {
        "ARN": f"arn:aws:secretsmanager:{get_region()}:{get_account_id()}:secret:{name}-{suffix}",
        "Name": name,
        "CreatedDate": made,
        "LastChangedDate": made,
        "Versions": {},
    }
    if parameters.get("Description"):
        secret["Description"] = parameters["Description"]
    if parameters.get("KmsKeyId"):
        secret["KmsKeyId"] = parameters["KmsKeyId"]
    if parameters.get("Tags"):
        secret["Tags"] = list(parameters["Tags"])
    answer = _named(secret)
    if value:
        values.add_version(secret, token, *value)
        records.move_labels(secret, token, [records.CURRENT])
        answer["VersionId"] = token
    secretsmanager._secrets[name] = secret
    if regions := parameters.get("AddReplicaRegions"):
        overwrite = parameters.get("ForceOverwriteReplicaSecret", False)
        answer["ReplicationStatus"] = replicas.add(secret, regions, overwrite=overwrite)
    return answer


@operation("PutSecretValue")
def put_secret_value(parameters: Members) -> Members:
    """Make a version, with AWSCURRENT unless the request names labels; the first one has it in any case."""
    secret, token = records.find_primary(parameters["SecretId"]), parameters["ClientRequestToken"]
    value = values.given(parameters)
    if value is None:
        raise invalid_request("You must provide either SecretString or SecretBinary.")
    if not _was_done(secret, token, value):
        labels = list(parameters.get("VersionStages") or [records.CURRENT])
        if not records.version_with(secret, records.CURRENT):
            labels.append(records.CURRENT)
        _publish(secret, token, value, labels)
    return _named(secret, VersionId=token, VersionStages=secret["Versions"][token]["Stages"])


@operation("UpdateSecret")
def update_secret(parameters: Members) -> Members:
    """Change the description, the key and the value."""
    secret, token = records.find_primary(parameters["SecretId"]), parameters["ClientRequestToken"]
    value = values.given(parameters)
    if value and _was_done(secret, token, value):
        return _named(secret, VersionId=token)
    if "KmsKeyId" in parameters:
        _change_key(secret, parameters["KmsKeyId"] or "")
    if "Description" in parameters:
        secret["Description"] = parameters["Description"]
    if value is None:
        records.touch(secret)
        replicas.synchronise(secret)
        return _named(secret)
    _publish(secret, token, value, [records.CURRENT])
    return _named(secret, VersionId=token)


def _change_key(secret: Secret, reference: str) -> None:
    new, old = values.key_of(secret, reference or values.MANAGED_KEY), values.key_of(secret)
    if new != old:
        values.move_to(secret, new)
    if reference:
        secret["KmsKeyId"] = reference
    else:
        secret.pop("KmsKeyId", None)


def _publish(secret: Secret, version_id: str, value: tuple[str, bytes], labels: list[str]) -> None:
    values.add_version(secret, version_id, *value)
    records.move_labels(secret, version_id, labels)
    records.touch(secret)
    replicas.synchronise(secret)


@operation("UpdateSecretVersionStage")
def update_secret_version_stage(parameters: Members) -> Members:
    """Move a label from one version to another, or take it away."""
    secret, label = records.find_primary(parameters["SecretId"]), parameters["VersionStage"]
    target, source = parameters.get("MoveToVersionId", ""), parameters.get("RemoveFromVersionId", "")
    for version_id in (target, source):
        if version_id and version_id not in secret["Versions"]:
            raise not_found(f" version: {version_id}.")
    holder = records.version_with(secret, label)
    _check_move(label, holder, target, source)
    if target:
        records.move_labels(secret, target, [label])
    else:
        records.take_label(secret, source, label)
    records.touch(secret)
    replicas.synchronise(secret)
    return _named(secret)


def _check_move(label: str, holder: str, target: str, source: str) -> None:
    if not target and not source:
        raise invalid_parameter("You must provide MoveToVersionId, RemoveFromVersionId or both.")
    if source and holder != source:
        raise invalid_parameter(f"The staging label {label} is not attached to version {source}.")
    if target and holder and not source and holder != target:
        raise invalid_parameter(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to "
            f"version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if not target and label == records.CURRENT:
        raise invalid_parameter(
            f"You can only move staging label {label} to a different secret version. "
            "It can't be completely removed."
        )


def _named(secret: Secret, **members: Any) -> Members:
    return {"ARN": secret["ARN"], "Name": secret["Name"], **members}
