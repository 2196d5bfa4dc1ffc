"""What an upgrade from one set of templates to another would lose, told from the templates alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.model.outputs import LabStack

    Templates = Mapping[LabStack, Mapping[str, Any]]

STATEFUL = (
    "AWS::CloudTrail::Trail",
    "AWS::EC2::Volume",
    "AWS::IAM::User",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
)
"""Types whose resources hold what cannot be made again, or have a name that people and logs know."""
UNCHANGEABLE = {
    # CloudFormation refuses the whole update (its template reference, AWS::KMS::Key, read 2026-11-22).
    "AWS::KMS::Key": ("KeySpec", "KeyUsage", "MultiRegion", "Origin"),
    # What EC2's ModifyVolume has no parameter for (botocore's model, read 2026-11-22).
    "AWS::EC2::Volume": ("AvailabilityZone", "Encrypted", "KmsKeyId", "SnapshotId"),
}
"""Properties that the service never changes, though CloudFormation's schema does not call them create-only."""


def create_only(kind: str) -> tuple[str, ...]:
    """Paths of the properties of a type that are fixed when a resource is made: ``BucketName``, ``A/B``."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    told = (path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", ()))
    return (*told, *UNCHANGEABLE.get(kind, ()))


def losses(old: Templates, new: Templates) -> Iterator[str]:
    """Yield a line for each stateful resource that the new templates drop, replace or let go of differently.

    ``UpdateReplacePolicy`` does not help: the lab keeps nothing that outlives its stack, so what is replaced is
    deleted, and a KMS key that is replaced waits for its deletion with everything under it unreadable.
    """
    for stack, template in old.items():
        now = new.get(stack, {}).get("Resources", {})
        for name, before in template["Resources"].items():
            if before["Type"] not in STATEFUL:
                continue
            where = f"{stack}/{name}"
            after = now.get(name)
            if after is None:
                yield f"{where}: gone"
            elif after["Type"] != before["Type"]:
                yield f"{where}: now {after['Type']}"
            else:
                yield from (f"{where}: {path}" for path in _replaced(before, after))


def _replaced(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for path in create_only(before["Type"]):
        if _at(before, path) != _at(after, path):
            yield path
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if before.get(policy) != after.get(policy):
            yield policy


def _at(resource: Mapping[str, Any], path: str) -> Any:
    found: Any = resource.get("Properties", {})
    for part in path.split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def missing_exports(old: Templates, new: Templates) -> set[str]:
    """Names that stacks of the old templates import and no stack of the new ones exports.

    A stack is updated while those that import from it are still the old ones, and CloudFormation deletes no export
    that is in use (CloudFormation User Guide, "Get exported outputs from a deployed CloudFormation stack").
    """
    exported = {
        output["Export"]["Name"]
        for template in new.values()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }
    return {name for template in old.values() for name in _imported(template["Resources"])} - exported


def _imported(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "Fn::ImportValue":
                yield value
            else:
                yield from _imported(value)
    elif isinstance(node, list):
        for value in node:
            yield from _imported(value)
