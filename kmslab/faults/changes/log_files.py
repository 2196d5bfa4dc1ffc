"""What can be done to the trail's record itself: a digest that is taken away, or written anew."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop


class DigestTampered:
    """The trail's newest digest is gone, or says something else. The version that CloudTrail wrote stays below."""

    def __init__(self, *, gone: bool) -> None:
        """Say whether it is taken away; else it is overwritten."""
        self.gone = gone

    def save(self, workshop: Workshop) -> Json:
        """Find the newest digest and its version.

        Raises:
            LabError: there is none yet.
        """
        workshop.client("cloudtrail").get_trail_status(Name=workshop.outputs.trail)
        prefix = f"AWSLogs/{workshop.account}/CloudTrail-Digest/{workshop.region}/"
        pages = workshop.client("s3").get_paginator("list_object_versions")
        versions = pages.paginate(Bucket=workshop.outputs.trail_bucket, Prefix=prefix).search("Versions[]")
        latest = [one for one in versions if one and one["IsLatest"]]
        if not latest:
            raise LabError(
                "CloudTrail has not written a digest yet.",
                hint="The first comes an hour after the trail began to log.",
                exit_code=ExitCode.TARGET,
            )
        newest = max(latest, key=lambda one: str(one["Key"]))
        return {"key": newest["Key"], "version": newest["VersionId"]}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Delete it, or write over it."""
        s3, where = workshop.client("s3"), self._where(workshop, saved)
        if self.gone:
            s3.delete_object(**where)
        else:
            s3.put_object(Body=gzip.compress(b"{}"), ServerSideEncryption="AES256", **where)

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Remove what lies over the version that CloudTrail wrote."""
        s3, where = workshop.client("s3"), self._where(workshop, saved)
        found = s3.list_object_versions(Bucket=where["Bucket"], Prefix=saved["key"])
        for one in [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]:
            if one["VersionId"] != saved["version"]:
                s3.delete_object(VersionId=one["VersionId"], **where)

    def in_template(self, templates: Templates) -> bool:
        """Templates hold no log files."""
        del templates
        return False

    @staticmethod
    def _where(workshop: Workshop, saved: Json) -> dict[str, Any]:
        return {"Bucket": workshop.outputs.trail_bucket, "Key": saved["key"]}
