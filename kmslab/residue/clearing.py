"""What ``kmslab down`` takes away beside the stacks, and only where membership or a second tag says it is the lab's.

A thing with nothing but the lab's tag may be a person's work: it is listed by the proof and left to them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from kmslab.checks.membership import keys_of_stacks, of_no_stack
from kmslab.checks.temporary import discard
from kmslab.checks.versions import delete_versions, pages_of_versions
from kmslab.faults.workshop import FAULT_TAG
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.evidence import code_of
from kmslab.model.persona import Persona
from kmslab.residue.proof import kind_of
from kmslab.residue.stacks import BUCKET, FUNCTION, LOG_GROUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kmslab.lab import Access
    from kmslab.residue.stacks import Membership

Removal: TypeAlias = "tuple[str, Callable[[], object]]"
"""What was found, and what removes it."""
NO_FUNCTION = "ResourceNotFoundException"


def remove_log_groups(access: Access, membership: Membership) -> Iterator[str]:
    """Remove the log groups of functions that the lab's stacks owned; yield a line for each.

    Lambda makes them, so no stack knows them. One whose function is there again, made by somebody else under
    the same name, is left.
    """
    logs = access.client(Persona.OPERATOR, "logs")
    for function in sorted(one.physical_id for one in membership.of(FUNCTION) if not one.standing):
        name = f"{LOG_GROUP}{function}"
        found = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if any(one["logGroupName"] == name for one in found) and not _exists(access, function):
            yield from _done([(f"log group {name}", partial(logs.delete_log_group, logGroupName=name))])


def _exists(access: Access, function: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        access.client(Persona.OPERATOR, "lambda").get_function(FunctionName=function)
    except ClientError as error:
        if code_of(error) == NO_FUNCTION:
            return False
        raise
    return True


def empty_failed_buckets(access: Access, membership: Membership) -> Iterator[str]:
    """Empty the buckets that CloudFormation could not delete, versions included; yield each one's name.

    S3 and CloudTrail deliver log files late: a bucket that was emptied may be full again when its turn comes.
    """
    s3 = access.client(Persona.OPERATOR, "s3")
    for bucket in membership.of(BUCKET):
        if bucket.standing and bucket.status == "DELETE_FAILED":
            _empty(s3, bucket.physical_id)
            yield bucket.physical_id


def _empty(s3: Any, bucket: str) -> None:
    for found in pages_of_versions(s3, bucket):
        if kept := delete_versions(s3, bucket, found):
            raise LabError(
                f"S3 keeps {len(kept)} object versions in {bucket}: {kept[0]['Code']} of {kept[0]['Key']}",
                hint="See what keeps them (a lock, a bucket policy), remove them, and run it again.",
                exit_code=ExitCode.DEPLOYMENT,
            )
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])


def remove_what_faults_made(access: Access) -> Iterator[str]:
    """Remove keys, volumes and snapshots that ``kmslab break`` made and no repair removed; yield a line for each.

    They carry a tag of their own. What carries it and is of a stack, whosever, is left: by CloudFormation's tag, and
    of keys, which have none, by what the stacks list.
    """
    yield from _done(_made_by_faults(access))


def _made_by_faults(access: Access) -> Iterator[Removal]:
    ec2 = access.client(Persona.OPERATOR, "ec2")
    made: list[Mapping[str, Any]] = [{"Name": f"tag:{FAULT_TAG}", "Values": [access.prefix]}]
    for one in of_no_stack(ec2.describe_snapshots(Filters=made, OwnerIds=["self"])["Snapshots"]):
        yield f"snapshot {one['SnapshotId']}", partial(ec2.delete_snapshot, SnapshotId=one["SnapshotId"])
    for one in of_no_stack(ec2.describe_volumes(Filters=made)["Volumes"]):
        yield f"volume {one['VolumeId']}", partial(ec2.delete_volume, VolumeId=one["VolumeId"])
    yield from _keys_made_by_faults(access)


def _keys_made_by_faults(access: Access) -> Iterator[Removal]:
    tagging = access.client(Persona.OPERATOR, "resourcegroupstaggingapi")
    wanted = [{"Key": FAULT_TAG, "Values": [access.prefix]}]
    pages = tagging.get_paginator("get_resources").paginate(TagFilters=wanted)
    listed = (one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"])
    if not (found := [arn for arn in listed if kind_of(arn) == "kms:key"]):
        return
    of_stacks = keys_of_stacks(access)
    for arn in found:
        if arn.rpartition("/")[2] not in of_stacks:
            yield f"key {arn}", partial(discard, access, arn)


def _done(removals: Iterable[Removal]) -> Iterator[str]:
    """Remove, and say what was removed or could not be; one failure does not keep the others from their turn."""
    from botocore.exceptions import BotoCoreError, ClientError

    for name, remove in removals:
        try:
            remove()
        except (BotoCoreError, ClientError) as error:
            yield f"{name} could not be removed: {code_of(error)}"
        else:
            yield f"{name} removed"
