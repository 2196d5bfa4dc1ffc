"""AWS::CloudTrail::Trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import cloudtrail

from kmslab.engine.cloudformation.resources import call, register, tag_changes

if TYPE_CHECKING:
    from kmslab.engine.cloudformation.resources import Place, Properties, Provisioned

MEMBERS = {
    "S3BucketName": "S3BucketName",
    "S3KeyPrefix": "S3KeyPrefix",
    "SnsTopicName": "SnsTopicName",
    "IncludeGlobalServiceEvents": "IncludeGlobalServiceEvents",
    "IsMultiRegionTrail": "IsMultiRegionTrail",
    "EnableLogFileValidation": "EnableLogFileValidation",
    "CloudWatchLogsLogGroupArn": "CloudWatchLogsLogGroupArn",
    "CloudWatchLogsRoleArn": "CloudWatchLogsRoleArn",
    "IsOrganizationTrail": "IsOrganizationTrail",
    "KMSKeyId": "KmsKeyId",
}
"""Properties of the type and the members of CreateTrail and UpdateTrail that they are."""


class Trail:
    """A trail with its selectors, its tags and whether it is logging."""

    def create(self, place: Place, properties: Properties) -> Provisioned:
        """CreateTrail, AddTags, PutEventSelectors, StartLogging."""
        name = properties.get("TrailName") or place.generated_name()
        call(cloudtrail._create_trail, {"Name": name, **_members(properties)})
        try:
            self._reconcile(name, {}, properties)
        except ValueError:
            self.delete(name, properties)
            raise
        return name, _attributes(name)

    def update(self, physical_id: str, old: Properties, new: Properties) -> Provisioned:
        """UpdateTrail; a property that the template drops goes back to its default."""
        dropped = {MEMBERS[p]: _default(p) for p in MEMBERS if p in old and p not in new}
        call(cloudtrail._update_trail, {"Name": physical_id, **dropped, **_members(new)})
        self._reconcile(physical_id, old, new)
        return physical_id, _attributes(physical_id)

    def delete(self, physical_id: str, _properties: Properties) -> None:
        """DeleteTrail."""
        call(cloudtrail._delete_trail, {"Name": physical_id}, missing_is_fine=True)

    def _reconcile(self, name: str, old: Properties, new: Properties) -> None:
        arn = _attributes(name)["Arn"]
        changed, removed = tag_changes(old, new)
        if removed:
            call(cloudtrail._remove_tags, {"ResourceId": arn, "TagsList": [{"Key": k} for k in removed]})
        if changed:
            tags = [{"Key": key, "Value": value} for key, value in changed.items()]
            call(cloudtrail._add_tags, {"ResourceId": arn, "TagsList": tags})
        selectors = {s: new[s] for s in ("EventSelectors", "AdvancedEventSelectors") if new.get(s)}
        if selectors:
            call(cloudtrail._put_event_selectors, {"TrailName": name, **selectors})
        if new.get("IsLogging") != old.get("IsLogging"):
            operation = cloudtrail._start_logging if new["IsLogging"] else cloudtrail._stop_logging
            call(operation, {"Name": name})


def _members(properties: Properties) -> dict[str, Any]:
    return {MEMBERS[p]: properties[p] for p in MEMBERS if p in properties}


def _default(property_name: str) -> Any:
    if property_name == "IncludeGlobalServiceEvents":
        return True
    return False if property_name.startswith(("Is", "Enable")) else ""


def _attributes(name: str) -> dict[str, Any]:
    trail = cloudtrail._trails[name]
    return {"Arn": trail["TrailARN"], "SnsTopicArn": trail.get("SnsTopicARN", "")}


def install() -> None:
    """Serve the type."""
    register("AWS::CloudTrail::Trail", Trail(), replaced_by=("TrailName",), tags=True)
