"""Copies of a secret in other Regions, each under a key of its Region.

Secrets Manager User Guide, "Replicate AWS Secrets Manager secrets across Regions": who replicates needs the
primary's key for decrypting and the replica's for encrypting; what changes later reaches the replicas without
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.core.responses import request_scope
from ministack.services import secretsmanager

from kmslab.engine.secretsmanager import records, values
from kmslab.engine.secretsmanager.errors import SecretsError, invalid_parameter, invalid_request
from kmslab.engine.secretsmanager.service import operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.engine.secretsmanager.records import Secret, Version

    Members = dict[str, Any]

IN_SYNC, FAILED, IN_PROGRESS = "InSync", "Failed", "InProgress"
SHARED = (
    *("Name", "Description", "Tags", "CreatedDate", "LastChangedDate", "LastRotatedDate"),
    *("RotationEnabled", "RotationLambdaARN", "RotationRules", "DeletedDate"),
)
"""Members that a replica has from its primary."""


def add(secret: Secret, regions: Sequence[Members], *, overwrite: bool) -> list[Members]:
    """Make replicas; return their status as the answer tells it: still in progress.

    Raises:
        SecretsError: a Region is the secret's own.
    """
    account, home = records.owner(secret)
    if any(one["Region"] == home for one in regions):
        raise invalid_parameter("Invalid replica region.")
    status = {one["Region"]: one for one in secret.get("ReplicationStatus", ())}
    for one in regions:
        region, key = one["Region"], one.get("KmsKeyId") or values.MANAGED_KEY
        status[region] = {"Region": region, "KmsKeyId": key, "Status": IN_SYNC}
        existing: Secret | None = secretsmanager._secrets.get_scoped(account, region, secret["Name"])
        if existing and existing.get("PrimaryArn") != secret["ARN"] and not overwrite:
            message = f"Replication failed: Secret name {secret['Name']} already exists in region {region}."
            status[region] |= {"Status": FAILED, "StatusMessage": message}
            continue
        try:
            _write(secret, region, key, internal=False)
        except SecretsError as error:
            status[region] |= {"Status": FAILED, "StatusMessage": f"Replication failed: {error.message}"}
    secret["ReplicationStatus"] = list(status.values())
    return [
        {name: one[name] for name in ("Region", "KmsKeyId")} | {"Status": IN_PROGRESS}
        for one in status.values()
    ]


def synchronise(secret: Secret) -> None:
    """Bring what changed to the replicas, as Secrets Manager itself."""
    for status in secret.get("ReplicationStatus", ()):
        if status["Status"] == FAILED and not _of(secret, status["Region"]):
            continue
        try:
            _write(secret, status["Region"], status["KmsKeyId"], internal=True)
        except SecretsError as error:
            status |= {"Status": FAILED, "StatusMessage": f"Replication failed: {error.message}"}
        else:
            status["Status"] = IN_SYNC
            status.pop("StatusMessage", None)


def _of(secret: Secret, region: str) -> Secret | None:
    account, _ = records.owner(secret)
    found: Secret | None = secretsmanager._secrets.get_scoped(account, region, secret["Name"])
    return found if found and found.get("PrimaryArn") == secret["ARN"] else None


def _write(secret: Secret, region: str, key: str, *, internal: bool) -> None:
    """Write a replica: its values are encrypted anew, under its Region's key.

    Raises:
        SecretsError: one of the keys may not be used.
    """
    account, home = records.owner(secret)
    before = _of(secret, region)
    replica: Secret = {name: secret[name] for name in SHARED if name in secret}  # type: ignore[assignment, literal-required]  # names of its members
    replica |= {
        "ARN": secret["ARN"].replace(f":{home}:", f":{region}:", 1),
        "PrimaryArn": secret["ARN"],
        "Versions": {},
    }
    if key != values.MANAGED_KEY:
        replica["KmsKeyId"] = key
    known = before["Versions"] if before and before.get("KmsKeyId") == replica.get("KmsKeyId") else {}
    for version_id, version in secret["Versions"].items():
        written = known.get(version_id)
        copies = (
            written["Copies"]
            if written and written["Copies"]
            else _copies(secret, replica, version_id, internal=internal)
        )
        mine: Version = {**version, "Copies": copies, "Stages": list(version["Stages"])}
        replica["Versions"][version_id] = mine
    secretsmanager._secrets.set_scoped(account, region, secret["Name"], replica)
    policy = secretsmanager._resource_policies.get_scoped(account, home, secret["ARN"])
    if policy:
        secretsmanager._resource_policies.set_scoped(account, region, replica["ARN"], policy)


def _copies(secret: Secret, replica: Secret, version_id: str, *, internal: bool) -> list[records.Copy]:
    if not secret["Versions"][version_id]["Copies"]:
        return []
    with request_scope(*records.owner(secret)):
        value = values.unseal(secret, version_id, internal=internal)
    with request_scope(*records.owner(replica)):
        key = values.key_of(replica)
        return [values.seal(replica, version_id, key, value, internal=internal)]


@operation("ReplicateSecretToRegions")
def replicate_secret_to_regions(parameters: Members) -> Members:
    """Make replicas in further Regions, or put one under another key."""
    secret = records.find_primary(parameters["SecretId"])
    overwrite = parameters.get("ForceOverwriteReplicaSecret", False)
    status = add(secret, parameters["AddReplicaRegions"], overwrite=overwrite)
    return {"ARN": secret["ARN"], "ReplicationStatus": status}


@operation("RemoveRegionsFromReplication")
def remove_regions_from_replication(parameters: Members) -> Members:
    """Delete replicas."""
    secret = records.find_primary(parameters["SecretId"])
    for region in parameters["RemoveReplicaRegions"]:
        if replica := _of(secret, region):
            records.forget(replica)
    left = [
        one
        for one in secret.get("ReplicationStatus", ())
        if one["Region"] not in parameters["RemoveReplicaRegions"]
    ]
    secret["ReplicationStatus"] = left
    return {"ARN": secret["ARN"], "ReplicationStatus": left}


@operation("StopReplicationToReplica")
def stop_replication_to_replica(parameters: Members) -> Members:
    """Make a replica a secret of its own."""
    replica = records.find_usable(parameters["SecretId"])
    if "PrimaryArn" not in replica:
        raise invalid_request("You can only stop replication of a replica secret.")
    account, region = records.owner(replica)
    primary: Secret | None = secretsmanager._secrets.get_scoped(
        account, replica["PrimaryArn"].split(":")[3], replica["Name"]
    )
    if primary:
        primary["ReplicationStatus"] = [
            one for one in primary.get("ReplicationStatus", ()) if one["Region"] != region
        ]
    del replica["PrimaryArn"]
    return {"ARN": replica["ARN"]}
