"""Secrets end, come back, and carry tags: DeleteSecret, RestoreSecret, TagResource, UntagResource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.core.responses import get_account_id, get_region

from kmslab.engine.secretsmanager import records, replicas
from kmslab.engine.secretsmanager.errors import invalid_parameter, invalid_request, not_found
from kmslab.engine.secretsmanager.service import operation

if TYPE_CHECKING:
    Members = dict[str, Any]

SHORTEST, LONGEST = 7, 30
"""Bounds of the recovery window in days; the longest is the default."""
_DAY = 86400


@operation("DeleteSecret")
def delete_secret(parameters: Members) -> Members:
    """Schedule the deletion, or delete at once; at once there need not have been a secret."""
    force = parameters.get("ForceDeleteWithoutRecovery", False)
    window = parameters.get("RecoveryWindowInDays")
    if force and window is not None:
        raise invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
        )
    if window is not None and not SHORTEST <= window <= LONGEST:
        raise invalid_parameter("RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
    secret = records.look_up(parameters["SecretId"])
    if secret is None:
        if not force:
            raise not_found()
        return _as_if_deleted(parameters["SecretId"])
    records.refuse_replica(secret)
    if regions := [one["Region"] for one in secret.get("ReplicationStatus", ())]:
        raise invalid_request(
            f"You can't delete secret {secret['Name']} that still has replica regions [{', '.join(regions)}]"
        )
    if force:
        records.forget(secret)
        return {"ARN": secret["ARN"], "Name": secret["Name"], "DeletionDate": records.now()}
    if "DeletedDate" in secret:
        raise invalid_request(
            "You can't perform this operation on the secret because it was already scheduled for deletion."
        )
    secret["DeletedDate"] = records.now() + (LONGEST if window is None else window) * _DAY
    return {"ARN": secret["ARN"], "Name": secret["Name"], "DeletionDate": secret["DeletedDate"]}


def _as_if_deleted(secret_id: str) -> Members:
    is_arn = secret_id.startswith("arn:")
    arn = f"arn:aws:secretsmanager:{get_region()}:{get_account_id()}:secret:{secret_id}"
    name = secret_id.rpartition(":secret:")[2][:-7] if is_arn else secret_id
    return {"ARN": secret_id if is_arn else arn, "Name": name, "DeletionDate": records.now()}


@operation("RestoreSecret")
def restore_secret(parameters: Members) -> Members:
    """Cancel the deletion; a secret that is not to be deleted stays as it is."""
    secret = records.find(parameters["SecretId"])
    secret.pop("DeletedDate", None)
    return {"ARN": secret["ARN"], "Name": secret["Name"]}


@operation("TagResource")
def tag_resource(parameters: Members) -> Members:
    """Add tags, or change their values."""
    secret = records.find_primary(parameters["SecretId"])
    tags = {tag["Key"]: tag for tag in (*secret.get("Tags", ()), *parameters["Tags"])}
    secret["Tags"] = list(tags.values())
    replicas.synchronise(secret)
    return {}


@operation("UntagResource")
def untag_resource(parameters: Members) -> Members:
    """Remove tags; a secret that had some tells an empty list from then on."""
    secret = records.find_primary(parameters["SecretId"])
    if "Tags" in secret:
        secret["Tags"] = [tag for tag in secret["Tags"] if tag["Key"] not in parameters["TagKeys"]]
    replicas.synchronise(secret)
    return {}
