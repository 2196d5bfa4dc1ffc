"""With whom a snapshot is shared: accounts, everybody, or nobody.

EC2 API Reference, "ModifySnapshotAttribute" and "ResetSnapshotAttribute"; the refusals as users and AWS's workshops
report them: a snapshot under the AWS managed key is not shared, an encrypted one not made public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.services import ec2

from kmslab.engine.ebs import defaults
from kmslab.engine.hooks import add_entry, extend
from kmslab.engine.kms import records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.engine.ebs.keys import Response

    Request = Mapping[str, Any]
    Stock = Callable[[Request], Response]

GROUPS = "kmslab:groups"
"""Where a snapshot of MiniStack keeps the groups that it is shared with."""
ALL = "all"
"""The one group there is."""
OPERATIONS = ("add", "remove")


def forget(snapshot: dict[str, Any]) -> None:
    """Share a snapshot with nobody."""
    snapshot.pop("CreateVolumePermissions", None)
    snapshot.pop(GROUPS, None)


def _asked(p: Request) -> dict[str, dict[str, list[str]]]:
    """Who is to be added and removed: ``{"add": {"UserId": [...], "Group": [...]}, ...}``.

    There are two ways to say it: OperationType with UserIds and GroupNames, or CreateVolumePermission.
    """
    asked: dict[str, dict[str, list[str]]] = {name: {"UserId": [], "Group": []} for name in OPERATIONS}
    if operation := ec2._p(p, "OperationType"):
        asked[operation]["UserId"] += ec2._parse_member_list(p, "UserId")
        asked[operation]["Group"] += ec2._parse_member_list(p, "UserGroup")
    for name, wanted in asked.items():
        number = 1
        while any(ec2._p(p, f"{_item(name, number)}.{kind}") for kind in wanted):
            for kind, found in wanted.items():
                if value := ec2._p(p, f"{_item(name, number)}.{kind}"):
                    found.append(value)
            number += 1
    return asked


def _item(operation: str, number: int) -> str:
    return f"CreateVolumePermission.{operation.capitalize()}.{number}"


def _modify_snapshot_attribute(_stock: Stock, p: Request) -> Response:
    """Share, or no longer; MiniStack knows one way to say it, and accounts alone."""
    snapshot = _found(p)
    if snapshot is None:
        return _not_found(p)
    if (operation := ec2._p(p, "OperationType") or OPERATIONS[0]) not in OPERATIONS:
        return _refused(
            "InvalidParameterValue", f"Value ({escape(operation)}) for parameter operationType is invalid."
        )
    asked = _asked(p)
    if refused := _refusal(snapshot, asked):
        return refused
    add, remove = (asked[name] for name in OPERATIONS)
    users = [one["UserId"] for one in snapshot.get("CreateVolumePermissions", ())]
    users += [one for one in dict.fromkeys(add["UserId"]) if one not in users]
    snapshot["CreateVolumePermissions"] = [{"UserId": one} for one in users if one not in remove["UserId"]]
    groups = {*snapshot.get(GROUPS, ()), *add["Group"]}
    snapshot[GROUPS] = sorted(groups.difference(remove["Group"]))
    response: Response = ec2._xml(200, "ModifySnapshotAttributeResponse", "<return>true</return>")
    return response


def _refusal(snapshot: Mapping[str, Any], asked: Mapping[str, Mapping[str, list[str]]]) -> Response | None:
    for groups in (asked[name]["Group"] for name in OPERATIONS):
        if unknown := next((one for one in groups if one != ALL), ""):
            message = f'Invalid attribute item value "{escape(unknown)}" for userGroup item type.'
            return _refused("InvalidAMIAttributeItemValue", message)
    add = asked["add"]
    if any(add.values()) and snapshot.get("KmsKeyId") and _is_aws_managed(snapshot["KmsKeyId"]):
        return _refused("OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared")
    if add["Group"] and snapshot.get("Encrypted"):
        return _refused("OperationNotPermitted", "Encrypted snapshots cannot be shared publicly")
    if add["Group"] and defaults.public_access() != defaults.UNBLOCKED:
        message = "Public sharing is blocked for snapshots in this account."
        return _refused("OperationNotPermitted", message, 403)
    return None


def _reset_snapshot_attribute(p: Request) -> Response:
    """Share with nobody any more."""
    snapshot = _found(p)
    if snapshot is None:
        return _not_found(p)
    forget(snapshot)
    response: Response = ec2._xml(200, "ResetSnapshotAttributeResponse", "<return>true</return>")
    return response


def _describe_snapshot_attribute(stock: Stock, p: Request) -> Response:
    """Tell the groups too."""
    snapshot = _found(p)
    if snapshot is None:
        return _not_found(p)
    status, headers, body = stock(p)
    items = "".join(f"<item><group>{group}</group></item>" for group in snapshot.get(GROUPS, ()))
    end = "</createVolumePermission>"
    text = body.decode() if isinstance(body, bytes) else body
    return status, headers, text.replace(end, items + end).encode()


def _is_aws_managed(key_ref: str) -> bool:
    key = records.resolve(key_ref)
    return bool(key and key.get("KeyManager") == "AWS")


def _found(p: Request) -> dict[str, Any] | None:
    found: dict[str, Any] | None = ec2._snapshots.get(ec2._p(p, "SnapshotId"))
    return found


def _not_found(p: Request) -> Response:
    name = escape(ec2._p(p, "SnapshotId"))
    return _refused("InvalidSnapshot.NotFound", f"The snapshot '{name}' does not exist.")


def _refused(code: str, message: str, status: int = 400) -> Response:
    response: Response = ec2._error(code, message, status)
    return response


def install() -> None:
    """Take over the attribute of snapshots."""
    extend(ec2, "_modify_snapshot_attribute", "p")(_modify_snapshot_attribute)
    extend(ec2, "_describe_snapshot_attribute", "p")(_describe_snapshot_attribute)
    add_entry(
        ec2,
        "_ACTION_MAP",
        "ResetSnapshotAttribute",
        _reset_snapshot_attribute,
        "a snapshot that is private again",
    )
