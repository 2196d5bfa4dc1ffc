"""Teardown: when the lab goes, all of it goes, and what checks made is gone before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.samples import OBJECT_PREFIX, objects_of, soon
from kmslab.checks.shared import asked_once, read_once, state_of
from kmslab.checks.temporary import seen_leaving
from kmslab.checks.values import parameter_path, secret_prefix
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG, is_tooling, stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kmslab.lab import Lab

GUIDE = "18-clean-up"
STEADY = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
"""States in which a stack stands and nothing is under way."""
GOING = frozenset({"PendingDeletion", "PendingReplicaDeletion"})
"""States of a key that is on its way out; it costs nothing and cannot be used."""
KEY_TYPES = frozenset({"AWS::KMS::Key", "AWS::KMS::ReplicaKey"})
WINDOW_DAYS = range(7, 31)
"""What KMS accepts (KMS Developer Guide, "Deleting AWS KMS keys")."""


@check(guide=GUIDE)
def no_stack_is_protected(lab: Lab) -> str:
    """Every stack of the lab stands complete, and nothing protects it from being deleted."""
    stacks = _stacks(lab)
    for name, stack in stacks.items():
        lab.expect(stack["StackStatus"] in STEADY, f"{name} is {stack['StackStatus']}")
        lab.expect(not stack.get("EnableTerminationProtection"), f"{name} is protected from deletion")
    return f"{len(stacks)} stacks stand, none is protected from deletion"


@check(guide=GUIDE)
def nothing_is_retained(lab: Lab) -> str:
    """No resource of the lab outlives its stack: nothing is retained, nothing leaves a snapshot.

    A bucket must be empty before it can be deleted: each has a custom resource that empties it. What a
    template retains costs money after the class, and its name stands in the way of the next one.
    """
    count = 0
    for name, resources in _templates(lab):
        emptied = {
            one["Properties"]["BucketName"]["Ref"]
            for one in resources.values()
            if one["Type"] == "Custom::S3AutoDeleteObjects"
        }
        for logical_id, resource in resources.items():
            where = f"{logical_id} of {name}"
            policy = resource.get("DeletionPolicy", "Delete")
            lab.expect(policy == "Delete", f"{where} has the deletion policy {policy}")
            if resource["Type"] == "AWS::S3::Bucket":
                lab.expect(logical_id in emptied, f"nothing empties the bucket {where} before its deletion")
        count += len(resources)
    return f"{count} resources, each is deleted with its stack"


@check(guide=GUIDE)
def every_key_says_how_long_it_waits(lab: Lab) -> str:
    """Every key names its deletion window, so that nobody is surprised by KMS's 30 days.

    A key is not gone with its stack: it waits for the window to pass, unusable and free of charge, and
    can be called back until then.
    """
    windows = {
        f"{logical_id} of {name}": resource.get("Properties", {}).get("PendingWindowInDays")
        for name, resources in _templates(lab)
        for logical_id, resource in resources.items()
        if resource["Type"] in KEY_TYPES
    }
    lab.expect(windows, "the templates hold no key")
    for which, days in windows.items():
        lab.expect(days is not None and int(days) in WINDOW_DAYS, f"{which} has the window {days}")
    shown = ", ".join(sorted({str(days) for days in windows.values()}))
    return f"{len(windows)} keys wait {shown} days after their stack is deleted"


@check(guide=GUIDE)
def everything_tagged_belongs_to_a_stack(lab: Lab) -> str:
    """Everything that carries the lab's tag is a resource of one of its stacks, and goes with it.

    Made by hand and tagged as the lab's, a thing would stay behind and cost. What a check made for a
    moment carries a second tag; keys of an earlier lab that wait for their deletion are on their way.
    """
    owned = {
        one["PhysicalResourceId"]
        for name in _stacks(lab)
        for one in _pages(lab, "cloudformation:ListStackResources", "StackResourceSummaries", StackName=name)
        if one.get("PhysicalResourceId")
    }

    def look() -> int:
        found = [arn for arn, tags in _tagged(lab) if TEMPORARY_TAG not in tags]
        strays = [arn for arn in found if not _belongs(lab, arn, owned) and not _is_going(lab, arn)]
        lab.expect(not strays, f"tagged as the lab's, but of no stack: {', '.join(sorted(strays))}")
        return len(found)

    # The tagging service knows late what is new and what is gone.
    return f"{soon(lab, look)} tagged things, each belongs to a stack of the lab or is on its way out"


@check(guide=GUIDE)
def nothing_of_earlier_runs_is_left(lab: Lab) -> str:
    """What the checks of earlier runs made is gone, but for keys that wait for their deletion.

    Each run begins by sweeping what one that was killed left behind. Volumes, snapshots, objects,
    unfinished uploads, secrets and parameters are looked for where they are, the rest by the tag that
    every check gives.
    """

    def look() -> int:
        left = [*_left_by_tag(lab), *_left_in_ec2(lab), *_left_in_s3(lab), *_left_values(lab)]
        lab.expect(not left, f"left behind by an earlier run: {', '.join(left)}")
        return len(left)

    soon(lab, look)
    return "nothing is left of earlier runs but keys that wait for their deletion"


def _left_by_tag(lab: Lab) -> Iterator[str]:
    """What the tagging service lists, of the run before this one: each run looks after the one before it."""
    of_runs: dict[str, list[str]] = {}
    for arn, tags in _tagged(lab):
        if TEMPORARY_TAG in tags and tags[TEMPORARY_TAG] != lab.run_id:
            of_runs.setdefault(tags[TEMPORARY_TAG], []).append(arn)
    leaving = seen_leaving(lab.access, lab.run_id)
    for run_id in sorted(of_runs)[-1:]:
        known = leaving.intersection(of_runs[run_id])
        if known:
            lab.note("sweep", f"saw {len(known)} keys of the run {run_id} on their way out as this run began")
        yield from (arn for arn in of_runs[run_id] if arn not in known and not _is_going(lab, arn))


def _left_in_ec2(lab: Lab) -> Iterator[str]:
    filters = [
        {"Name": "tag-key", "Values": [TEMPORARY_TAG]},
        {"Name": f"tag:{PREFIX_TAG}", "Values": [lab.prefix]},
    ]
    volumes = lab.read("ec2:DescribeVolumes", Filters=filters)["Volumes"]
    snapshots = lab.read("ec2:DescribeSnapshots", Filters=filters, OwnerIds=["self"])["Snapshots"]
    for one in (*volumes, *snapshots):
        if lab.run_id not in {tag["Value"] for tag in one["Tags"] if tag["Key"] == TEMPORARY_TAG}:
            yield str(one.get("SnapshotId") if "StartTime" in one else one["VolumeId"])


def _left_in_s3(lab: Lab) -> Iterator[str]:
    out, own = lab.outputs, objects_of(lab.run_id)
    for bucket in (out.data_bucket, out.sse_s3_bucket, out.aws_managed_bucket, out.dsse_bucket):
        where: dict[str, Any] = {"Bucket": bucket, "Prefix": OBJECT_PREFIX}
        versions = lab.read("s3:ListObjectVersions", persona=Persona.OPERATOR, **where)
        uploads = lab.read("s3:ListMultipartUploads", persona=Persona.OPERATOR, **where)
        listed = (versions.get("Versions", []), versions.get("DeleteMarkers", []), uploads.get("Uploads", []))
        keys = {one["Key"] for some in listed for one in some}
        yield from (f"{bucket}/{key}" for key in sorted(keys) if not key.startswith(own))


def _left_values(lab: Lab) -> Iterator[str]:
    named = [{"Key": "name", "Values": [secret_prefix(lab)]}]
    below = [{"Key": "Name", "Option": "BeginsWith", "Values": [parameter_path(lab)]}]
    secrets = _pages(lab, "secretsmanager:ListSecrets", "SecretList", Filters=named)
    parameters = _pages(lab, "ssm:DescribeParameters", "Parameters", ParameterFilters=below)
    names = (str(one["Name"]) for some in (secrets, parameters) for one in some)
    yield from (name for name in names if lab.run_id not in name)


def _stacks(lab: Lab) -> dict[str, Any]:
    """The lab's stacks by name, as CloudFormation describes them."""
    names = {stack_name(lab.prefix, stack) for stack in LabStack}
    action = "cloudformation:DescribeStacks"
    described = asked_once(lab, Persona.OPERATOR, action, lambda: list(_pages(lab, action, "Stacks")))
    found = {one["StackName"]: one for one in described if one["StackName"] in names}
    lab.expect(found, f"CloudFormation knows no stack of the lab {lab.prefix}")
    return found


def _templates(lab: Lab) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each stack's name and the resources of its template as it was deployed."""
    for name in _stacks(lab):
        answer = read_once(lab, "cloudformation:GetTemplate", persona=Persona.OPERATOR, StackName=name)
        yield name, answer["TemplateBody"]["Resources"]


def _tagged(lab: Lab) -> Iterator[tuple[str, dict[str, str]]]:
    """ARN and tags of everything in the Region that carries the lab's tag."""
    filters = [{"Key": PREFIX_TAG, "Values": [lab.prefix]}]
    action, member = "resourcegroupstaggingapi:GetResources", "ResourceTagMappingList"
    for one in _pages(lab, action, member, "PaginationToken", TagFilters=filters):
        yield one["ResourceARN"], {tag["Key"]: tag["Value"] for tag in one["Tags"]}


def _belongs(lab: Lab, arn: str, owned: set[str]) -> bool:
    """Whether an ARN is a stack of the lab, a resource of one, or what its tooling makes beside them."""
    name = arn.split(":", 5)[-1]
    if arn.split(":")[2] == "cloudformation":
        return name.split("/")[1] in {stack_name(lab.prefix, stack) for stack in LabStack}
    return (
        arn in owned
        or (name.startswith("parameter/") and is_tooling(lab.prefix, name.removeprefix("parameter")))
        # An id is the last part of an ARN: key/<id>, trail/<name>, function:<name>, or <bucket>.
        or any(name == one or name.endswith((f"/{one}", f":{one}")) for one in owned)
    )


def _is_going(lab: Lab, arn: str) -> bool:
    """Whether an ARN is a key's that waits for its deletion."""
    return arn.split(":")[2] == "kms" and state_of(lab, arn) in GOING


def _pages(
    lab: Lab, action: str, member: str, cursor: str = "NextToken", **parameters: Any
) -> Iterator[dict[str, Any]]:
    """Every item of an answer that comes in pages."""
    following: dict[str, Any] = {}
    while True:
        page = lab.read(action, persona=Persona.OPERATOR, **parameters, **following)
        yield from page.get(member, [])
        if not page.get(cursor):
            return
        following = {cursor: page[cursor]}
