"""What can be done to the trail's record itself: digests that are taken away, or written anew."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING, Any

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from kmslab.faults.change import Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop

FORGED = gzip.compress(b"{}", mtime=0)
FORGED_ETAG = hashlib.md5(FORGED, usedforsecurity=False).hexdigest()
"""Under SSE-S3 an ETag is the MD5 digest of what is stored: the forgery is known by it."""


class DigestTampered:
    """The trail's newest digest is gone, or says something else; what CloudTrail wrote stays as an older version."""

    def __init__(self, *, gone: bool) -> None:
        """Say whether it is taken away; else it is written over."""
        self.gone = gone

    def save(self, workshop: Workshop) -> Json:
        """Find the newest digest.

        Raises:
            LabError: there is none yet.
        """
        workshop.client("cloudtrail").get_trail_status(Name=workshop.outputs.trail)
        keys = [one["Key"] for one in self._versions(workshop, "")]
        if not keys:
            raise LabError(
                "CloudTrail has not written a digest yet.",
                hint="The first comes an hour after the trail began to log.",
                exit_code=ExitCode.TARGET,
            )
        return {"since": max(keys)}

    def apply(self, workshop: Workshop, saved: Json) -> None:
        """Delete it, or write over it; and over what CloudTrail has written since."""
        s3, bucket = workshop.client("s3"), workshop.outputs.trail_bucket
        for key in {one["Key"] for one in self._versions(workshop, saved["since"])}:
            if self.gone:
                s3.delete_object(Bucket=bucket, Key=key)
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=FORGED, ServerSideEncryption="AES256")

    def restore(self, workshop: Workshop, saved: Json) -> None:
        """Remove what lies over what CloudTrail wrote: delete markers, and the forgery."""
        s3, bucket = workshop.client("s3"), workshop.outputs.trail_bucket
        for one in self._versions(workshop, saved["since"]):
            if one.get("ETag", FORGED_ETAG).strip('"') == FORGED_ETAG:
                s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])

    def in_template(self, templates: Templates) -> bool:
        """Templates hold no log files."""
        del templates
        return False

    @staticmethod
    def _versions(workshop: Workshop, since: str) -> list[Any]:
        """Versions and delete markers of the digests from a key on: their names go with the time."""
        prefix = f"AWSLogs/{workshop.account}/CloudTrail-Digest/{workshop.region}/"
        pages = workshop.client("s3").get_paginator("list_object_versions")
        found: list[Any] = []
        for page in pages.paginate(Bucket=workshop.outputs.trail_bucket, Prefix=prefix):
            found += [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        return [one for one in found if one["Key"] >= since]
