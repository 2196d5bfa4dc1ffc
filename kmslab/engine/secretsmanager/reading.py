"""Values and descriptions: GetSecretValue, BatchGetSecretValue, DescribeSecret, ListSecrets, ListSecretVersionIds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region

from kmslab.engine.authorization import caller as callers
from kmslab.engine.secretsmanager import filters, records, values
from kmslab.engine.secretsmanager.errors import (
    SecretsError,
    invalid_parameter,
    invalid_request,
    not_found,
)
from kmslab.engine.secretsmanager.service import operation, perform

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.engine.secretsmanager.records import Secret

    Members = dict[str, Any]

TOLD = (
    *("ARN", "Name", "Description", "KmsKeyId", "RotationEnabled", "RotationLambdaARN", "RotationRules"),
    *("LastRotatedDate", "LastChangedDate", "LastAccessedDate", "DeletedDate", "NextRotationDate", "Tags"),
    "CreatedDate",
)
"""Members of a secret that DescribeSecret and ListSecrets tell if they have a value."""
BATCH, PAGE = 20, 100
"""How many BatchGetSecretValue and the lists return unless they are asked for fewer."""


@operation("GetSecretValue")
def get_secret_value(parameters: Members) -> Members:
    """Decrypt the version that is asked for."""
    secret = records.find_usable(parameters["SecretId"])
    version_id = _version(secret, parameters.get("VersionId", ""), parameters.get("VersionStage", ""))
    version = secret["Versions"][version_id]
    value = values.unseal(secret, version_id)
    secret["LastAccessedDate"] = version["LastAccessedDate"] = records.today()
    return {
        "ARN": secret["ARN"],
        "Name": secret["Name"],
        "VersionId": version_id,
        version["Member"]: values.shown(version["Member"], value),
        "VersionStages": version["Stages"],
        "CreatedDate": version["CreatedDate"],
    }


def for_its_caller(parameters: Members) -> Members:
    """GetSecretValue for another service, whose caller needs the permission too.

    Raises:
        SecretsError: as GetSecretValue's.
    """
    _authorize("secretsmanager:GetSecretValue", _arn(parameters["SecretId"]))
    return perform("GetSecretValue", parameters)


def _version(secret: Secret, version_id: str, label: str) -> str:
    if not version_id:
        label = label or records.CURRENT
        version_id = records.version_with(secret, label)
        missing = f" value for staging label: {label}"
    else:
        missing = f" value for VersionId: {version_id}"
    version = secret["Versions"].get(version_id)
    if version and label and label not in version["Stages"]:
        raise invalid_request("You provided a VersionStage that is not associated to the provided VersionId.")
    if version is None or not version["Copies"]:
        raise not_found(missing)
    return version_id


@operation("BatchGetSecretValue")
def batch_get_secret_value(parameters: Members) -> Members:
    """Decrypt several secrets; those that cannot be read are told with the reason."""
    named, wanted = parameters.get("SecretIdList"), parameters.get("Filters")
    if bool(named) == bool(wanted):
        raise invalid_parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
    if named and "MaxResults" in parameters:
        raise invalid_parameter(
            "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided."
        )
    token = ""
    if wanted:
        _authorize("secretsmanager:ListSecrets", "*")
        found = [one for one in records.every_secret() if filters.passes(one, wanted)]
        page, token = _page([one for one in found if "DeletedDate" not in one], parameters, BATCH)
        named = [one["ARN"] for one in page]
    answer: Members = {"SecretValues": [], "Errors": []}
    for secret_id in named or ():
        try:
            _authorize("secretsmanager:GetSecretValue", _arn(secret_id))
            answer["SecretValues"].append(get_secret_value({"SecretId": secret_id}))
        except SecretsError as error:
            refused = {"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message}
            answer["Errors"].append(refused)
    return answer | ({"NextToken": token} if token else {})


def _arn(secret_id: str) -> str:
    found = records.look_up(secret_id)
    if found:
        return found["ARN"]
    name = f"arn:aws:secretsmanager:{get_region()}:{get_account_id()}:secret:{secret_id}"
    return secret_id if secret_id.startswith("arn:") else name


def _authorize(action: str, resource_arn: str) -> None:
    """Ask for a permission beside that of the operation.

    Raises:
        SecretsError: AccessDeniedException.
    """
    who = callers.CALLER.get()
    denied = iam_evaluator.enforce(who, action, "secretsmanager", get_region(), resource_arn=resource_arn)
    if denied is not None:
        reason = (
            "with an explicit deny in an identity-based policy"
            if getattr(denied, "decision", "") == "Deny"
            else f"because no identity-based policy allows the {action} action"
        )
        message = (
            f"User: {callers.caller_arn(who)} is not authorized to perform: {action} "
            f"on resource: {resource_arn} {reason}"
        )
        raise SecretsError("AccessDeniedException", message)


@operation("DescribeSecret")
def describe_secret(parameters: Members) -> Members:
    """Tell everything but the value."""
    secret = records.find(parameters["SecretId"])
    described = _told(secret)
    if labels := _labels(secret):
        described["VersionIdsToStages"] = labels
    if status := secret.get("ReplicationStatus"):
        described["ReplicationStatus"] = status
    return described


def _told(secret: Secret) -> Members:
    told: Members = {name: secret[name] for name in TOLD if name in secret}  # type: ignore[literal-required]  # names of its members
    if not told.get("Description"):
        told.pop("Description", None)
    if region := primary_region(secret):
        told["PrimaryRegion"] = region
    return told


def primary_region(secret: Secret) -> str:
    """The Region of the primary of a replica, or of a secret that has replicas; empty for any other."""
    if "PrimaryArn" in secret:
        return secret["PrimaryArn"].split(":")[3]
    return records.owner(secret)[1] if secret.get("ReplicationStatus") else ""


def _labels(secret: Secret) -> dict[str, list[str]]:
    return {key: one["Stages"] for key, one in secret["Versions"].items() if one["Stages"]}


_SORTED_BY = {
    "created-date": "CreatedDate",
    "last-accessed-date": "LastAccessedDate",
    "last-changed-date": "LastChangedDate",
    "name": "Name",
}


@operation("ListSecrets")
def list_secrets(parameters: Members) -> Members:
    """List the account's secrets in pages."""
    found = [one for one in records.every_secret() if filters.passes(one, parameters.get("Filters") or ())]
    if not parameters.get("IncludePlannedDeletion"):
        found = [one for one in found if "DeletedDate" not in one]
    member = _SORTED_BY[parameters.get("SortBy", "created-date")]
    found.sort(
        key=lambda one: one.get(member) or 0,  # type: ignore[arg-type, return-value]  # of one type for all
        reverse=parameters.get("SortOrder") == "desc",
    )
    page, token = _page(found, parameters, PAGE)
    listed = [_listed(secret) for secret in page]
    return {"SecretList": listed} | ({"NextToken": token} if token else {})


def _listed(secret: Secret) -> Members:
    labels = _labels(secret)
    return _told(secret) | ({"SecretVersionsToStages": labels} if labels else {})


def _page(found: Sequence[Secret], parameters: Members, most: int) -> tuple[Sequence[Secret], str]:
    """One page, and the token of the next: the ARN that it begins with."""
    start = 0
    if token := parameters.get("NextToken"):
        arns = [one["ARN"] for one in found]
        if token not in arns:
            raise SecretsError("InvalidNextTokenException", "Invalid next token.")
        start = arns.index(token)
    end = start + int(parameters.get("MaxResults") or most)
    return found[start:end], found[end]["ARN"] if end < len(found) else ""


@operation("ListSecretVersionIds")
def list_secret_version_ids(parameters: Members) -> Members:
    """List the versions with a label, or all of them, in the order they were made."""
    secret = records.find(parameters["SecretId"])
    with_all = parameters.get("IncludeDeprecated", False)
    wanted = [key for key, one in secret["Versions"].items() if one["Stages"] or with_all]
    start = 0
    if token := parameters.get("NextToken"):
        if token not in wanted:
            raise SecretsError("InvalidNextTokenException", "Invalid next token.")
        start = wanted.index(token)
    end = start + int(parameters.get("MaxResults") or PAGE)
    listed = _listed_versions(secret, wanted[start:end])
    following = {"NextToken": wanted[end]} if end < len(wanted) else {}
    return {"ARN": secret["ARN"], "Name": secret["Name"], "Versions": listed, **following}


def _listed_versions(secret: Secret, version_ids: Iterable[str]) -> list[Members]:
    listed = []
    for version_id in version_ids:
        version = secret["Versions"][version_id]
        told: Members = {"VersionId": version_id, "CreatedDate": version["CreatedDate"]}
        told["KmsKeyIds"] = values.key_ids(secret, version)
        if version["Stages"]:
            told["VersionStages"] = version["Stages"]
        if version["LastAccessedDate"]:
            told["LastAccessedDate"] = version["LastAccessedDate"]
        listed.append(told)
    return listed
