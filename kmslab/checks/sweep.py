"""Removing what runs left behind: found by the lab's tags, never by a name that could be somebody's own.

What is of a stack, whosever, is left: no check deploys one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from kmslab.access.reader import shared_name
from kmslab.checks.blocks import shared_snapshots
from kmslab.checks.expectations import deployed_keys
from kmslab.checks.membership import keys_of_stacks, of_no_stack
from kmslab.checks.samples import OBJECT_PREFIX, objects_of, sampled_buckets
from kmslab.checks.temporary import (
    LEAVING,
    STOPPED_TAG,
    discard,
    is_ours,
    restart,
    scratch_keys,
    seen_leaving,
)
from kmslab.checks.values import parameter_path, secret_prefix
from kmslab.checks.versions import delete_versions, pages_of_versions
from kmslab.lab import Inconclusive
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kmslab.lab import Access
    from kmslab.model.outputs import LabOutputs

Removal: TypeAlias = "tuple[str, Callable[[], object]]"
"""What was found, in a word and its id, and what removes it or puts it back."""
GONE = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidSnapshot.NotFound",
        "InvalidVolume.NotFound",
        "NoSuchBucket",
        "NotFound",  # SNS
        "NotFoundException",  # KMS
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",  # EventBridge
    }
)
"""What a service says of a thing that is no longer there, which the tagging service lists for a while:
nothing is left to do."""
RECENT_RUNS = 2
"""Keys pending deletion stay for a week, run after run. Every run looks after the ones before it, so those
of earlier runs are known to be on their way out; run ids sort by time."""
LOOKS = 8
"""Things that a sweep looks at at a time: a run makes dozens of keys, each a question of its own on AWS."""


@dataclass
class Swept:
    """What a sweep did.

    Attributes:
        removed: what it removed or put back, one word and id each.
        problems: what it could not look at or remove, one line each.
    """

    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def sweep(access: Access, outputs: LabOutputs, *, runs: int | None = RECENT_RUNS, run_id: str = "") -> Swept:
    """Remove everything that checks of this lab made, of whichever run, and restart what they stopped.

    Two runs on one lab at a time are not supported: they would sweep each other's things (and stop
    each other's keys).

    Args:
        access: with the operator's credentials.
        outputs: of the lab.
        runs: of how many runs, from the newest, what the tagging service knows is looked at; None: of all.
        run_id: of the run that begins with it, whose checks need not ask again what it has read; may be empty.
    """
    deployed = (_grants, _objects)
    finds = {part.__name__: partial(part, access, outputs) for part in deployed}
    finds[_stopped_keys.__name__] = partial(_stopped_keys, access, outputs, run_id)
    return _swept({**_elsewhere(access, runs, run_id), **finds})


def sweep_without_lab(access: Access, *, runs: int | None = RECENT_RUNS) -> Swept:
    """Remove what checks and probes made beside the lab's own things, for which no lab need be deployed."""
    return _swept(_elsewhere(access, runs))


def _elsewhere(
    access: Access, runs: int | None, run_id: str = ""
) -> dict[str, Callable[[], Iterator[Removal]]]:
    parts = (_volumes_and_snapshots, _parameters, _secrets)
    tagged = {_tagged.__name__: partial(_tagged, access, runs, run_id)}
    return {**tagged, **{part.__name__: partial(part, access) for part in parts}}


def _swept(finds: Mapping[str, Callable[[], Iterator[Removal]]]) -> Swept:
    swept = Swept()
    with ThreadPoolExecutor(len(finds)) as pool:
        for done in [pool.submit(_part, name, find, swept) for name, find in finds.items()]:
            done.result()
    return swept


def retire(access: Access, run_id: str) -> Swept:
    """Remove what the checks of a run shared, keys and a snapshot, and the objects that they stored.

    The checks removed the rest themselves.
    """
    swept = remove_objects(access, run_id)
    for arn in scratch_keys(access, run_id):
        _remove(f"key {arn}", partial(discard, access, arn), swept)
    for snapshot in shared_snapshots(access, run_id):
        ec2 = access.client(Persona.OPERATOR, "ec2")
        _remove(f"snapshot {snapshot}", partial(ec2.delete_snapshot, SnapshotId=snapshot), swept)
    return swept


def remove_objects(access: Access, run_id: str) -> Swept:
    """Remove the objects that the checks of a run stored, all versions, bucket by bucket."""
    swept = Swept()
    for bucket in sorted(sampled_buckets(access, run_id)):
        for name, remove in _each(f"objects of {bucket}", _versions(access, bucket, objects_of(run_id))):
            _remove(name, remove, swept)
    return swept


def _part(name: str, find: Callable[[], Iterator[Removal]], swept: Swept) -> None:
    """Remove what one part finds; a failure is told and does not keep the others from their turn."""
    from botocore.exceptions import BotoCoreError, ClientError

    what = name.strip("_").replace("_", " ")
    try:
        for found, remove in find():
            _remove(found, remove, swept)
    except (BotoCoreError, ClientError, Inconclusive) as error:
        swept.problems.append(f"could not look for leftover {what}: {error}")


def _remove(name: str, remove: Callable[[], object], swept: Swept) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        remove()
    except (BotoCoreError, ClientError, Inconclusive) as error:
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else ""
        if code not in GONE:
            swept.problems.append(f"{name} could not be removed: {error}")
    else:
        swept.removed.append(name)


def _each(thing: str, found: Iterator[Removal]) -> Iterator[Removal]:
    """What was found about one of many things.

    One that cannot be looked at is told as one that cannot be removed; the next has its turn.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield from found
    except (BotoCoreError, ClientError, Inconclusive) as error:
        yield thing, partial(_raise, error)


def _raise(error: Exception) -> None:
    raise error


def _tagged(access: Access, runs: int | None, run_id: str) -> Iterator[Removal]:
    """What the tagging service knows of: keys, and the queues, rules and buckets of checks and probes."""
    pages = access.client(Persona.OPERATOR, "resourcegroupstaggingapi").get_paginator("get_resources")
    found: dict[str, list[str]] = {}
    for page in pages.paginate(
        TagFilters=[{"Key": TEMPORARY_TAG}, {"Key": PREFIX_TAG, "Values": [access.prefix]}],
        ResourceTypeFilters=list(TAGGED),
    ):
        for resource in of_no_stack(page["ResourceTagMappingList"]):
            made_by = next(tag["Value"] for tag in resource["Tags"] if tag["Key"] == TEMPORARY_TAG)
            found.setdefault(made_by, []).append(resource["ResourceARN"])
    recent = [arn for one in sorted(found)[-(runs or len(found)) :] for arn in found[one]]
    of_stacks: frozenset[str] | None = None
    with ThreadPoolExecutor(LOOKS) as pool:
        for arn, removals in zip(recent, pool.map(partial(_of_its_kind, access), recent), strict=True):
            if arn.split(":")[2] == "kms":
                if not removals:  # of a key on its way out
                    seen_leaving(access, run_id).add(arn)
                    continue
                # A key does not tell its stack. CloudFormation is asked when a key is to be deleted, not in every run.
                of_stacks = keys_of_stacks(access) if of_stacks is None else of_stacks
                if arn.rpartition("/")[2] in of_stacks:
                    continue
            yield from removals


def _of_its_kind(access: Access, arn: str) -> list[Removal]:
    """What is to be removed of one thing that is tagged."""
    return [
        removal
        for kind, find in TAGGED.items()
        if kind.partition(":")[0] == arn.split(":")[2]
        for removal in _each(f"{kind} {arn}", find(access, arn))
    ]


def _key(access: Access, arn: str) -> Iterator[Removal]:
    """A temporary key that is not yet scheduled for deletion, with its aliases and its replicas.

    The tags of a replica are its own, and found in its Region only; its primary names it.
    """
    kms = access.client(Persona.OPERATOR, "kms", region=arn.split(":")[3])
    about = kms.describe_key(KeyId=arn)["KeyMetadata"]
    family = about.get("MultiRegionConfiguration", {})
    if family.get("MultiRegionKeyType") == "PRIMARY":
        for replica in family["ReplicaKeys"]:
            yield from _each(f"key {replica['Arn']}", _key(access, replica["Arn"]))
    if about["KeyState"] in LEAVING:
        return
    for alias in kms.list_aliases(KeyId=arn)["Aliases"]:
        yield f"alias {alias['AliasName']}", partial(kms.delete_alias, AliasName=alias["AliasName"])
    yield f"key {arn}", partial(discard, access, arn)


def _queue(access: Access, arn: str) -> Iterator[Removal]:
    sqs, sns = access.client(Persona.OPERATOR, "sqs"), access.client(Persona.OPERATOR, "sns")
    for page in sns.get_paginator("list_subscriptions").paginate():
        for subscription in page["Subscriptions"]:
            if subscription["Endpoint"] == arn:
                topic = subscription["SubscriptionArn"]
                yield f"subscription {topic}", partial(sns.unsubscribe, SubscriptionArn=topic)
    url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    yield f"queue {arn}", partial(sqs.delete_queue, QueueUrl=url)


def _rule(access: Access, arn: str) -> Iterator[Removal]:
    """A rule of EventBridge's default bus, which cannot be deleted before its targets."""
    events, name = access.client(Persona.OPERATOR, "events"), arn.rpartition("/")[2]
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
    if targets:
        yield f"targets of {arn}", partial(events.remove_targets, Rule=name, Ids=targets)
    yield f"rule {arn}", partial(events.delete_rule, Name=name)


def _bucket(access: Access, arn: str) -> Iterator[Removal]:
    """A probe's bucket, never versioned, with what is in it."""
    s3, name = access.client(Persona.OPERATOR, "s3"), arn.rpartition(":")[2]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in page.get("Contents", []):
            yield f"object {name}/{item['Key']}", partial(s3.delete_object, Bucket=name, Key=item["Key"])
    yield f"bucket {name}", partial(s3.delete_bucket, Bucket=name)


TAGGED: dict[str, Callable[[Access, str], Iterator[Removal]]] = {
    "kms:key": _key,
    "sqs": _queue,
    "events:rule": _rule,
    "s3": _bucket,
}
"""How the tagging service calls what checks and probes tag, and what removes one of them."""


def _stopped_keys(access: Access, outputs: LabOutputs, run_id: str) -> Iterator[Removal]:
    """Keys of the lab that a check disabled and could not enable again."""
    for _, arn in deployed_keys(outputs):
        yield from _each(f"stop of {arn}", _stop(access, arn, run_id))


def _stop(access: Access, arn: str, run_id: str) -> Iterator[Removal]:
    answer = access.client(Persona.AUDITOR, "kms").list_resource_tags(KeyId=arn)
    if any(tag["TagKey"] == STOPPED_TAG for tag in answer["Tags"]):
        yield f"stop of {arn}", partial(restart, access, arn)
    elif run_id:  # these are the tags that the run's checks see
        region, action = access.target.region, "kms:ListResourceTags"
        name = shared_name(run_id, region, Persona.AUDITOR, action, {"KeyId": arn})
        access.once(name, lambda: answer)


def _volumes_and_snapshots(access: Access) -> Iterator[Removal]:
    ec2 = access.client(Persona.OPERATOR, "ec2")
    ours: list[dict[str, Any]] = [
        {"Name": "tag-key", "Values": [TEMPORARY_TAG]},
        {"Name": f"tag:{PREFIX_TAG}", "Values": [access.prefix]},
    ]
    for volume in of_no_stack(ec2.describe_volumes(Filters=ours)["Volumes"]):
        yield f"volume {volume['VolumeId']}", partial(ec2.delete_volume, VolumeId=volume["VolumeId"])
    for found in of_no_stack(ec2.describe_snapshots(Filters=ours, OwnerIds=["self"])["Snapshots"]):
        snapshot = found["SnapshotId"]
        yield f"snapshot {snapshot}", partial(ec2.delete_snapshot, SnapshotId=snapshot)


def _parameters(access: Access) -> Iterator[Removal]:
    """Parameters under the path that the lab keeps for its checks."""
    ssm = access.client(Persona.OPERATOR, "ssm")
    for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=parameter_path(access)):
        for name in (parameter["Name"] for parameter in page["Parameters"]):
            yield f"parameter {name}", partial(ssm.delete_parameter, Name=name)


def _secrets(access: Access) -> Iterator[Removal]:
    """Secrets under the name that checks give them, and with their tag."""
    manager = access.client(Persona.OPERATOR, "secretsmanager")
    named = [{"Key": "name", "Values": [secret_prefix(access)]}]
    for page in manager.get_paginator("list_secrets").paginate(Filters=named):
        for secret in of_no_stack(page["SecretList"]):
            if TEMPORARY_TAG in {tag["Key"] for tag in secret.get("Tags", [])}:
                arn = secret["ARN"]
                remove = partial(manager.delete_secret, SecretId=arn, ForceDeleteWithoutRecovery=True)
                yield f"secret {arn}", remove


def _grants(access: Access, outputs: LabOutputs) -> Iterator[Removal]:
    """Grants on the app key under a name that checks give them."""
    kms, key = access.client(Persona.DATA_OWNER, "kms"), outputs.key_app
    for page in kms.get_paginator("list_grants").paginate(KeyId=key):
        for grant in page["Grants"]:
            if is_ours(grant):
                remove = partial(kms.revoke_grant, KeyId=key, GrantId=grant["GrantId"])
                yield f"grant {grant['GrantId'][:8]}", remove


def _objects(access: Access, outputs: LabOutputs) -> Iterator[Removal]:
    """Objects under the checks' own prefix in the lab's own buckets."""
    for bucket in (
        outputs.data_bucket,
        outputs.sse_s3_bucket,
        outputs.aws_managed_bucket,
        outputs.dsse_bucket,
    ):
        yield from _each(f"objects of {bucket}", _versions(access, bucket, OBJECT_PREFIX))
    yield from _each(f"uploads to {outputs.data_bucket}", _uploads(access, outputs.data_bucket))


def _versions(access: Access, bucket: str, prefix: str) -> Iterator[Removal]:
    """All versions of the objects whose keys begin so, page by page."""
    s3 = access.client(Persona.OPERATOR, "s3")
    for found in pages_of_versions(s3, bucket, prefix):
        yield f"object versions in {bucket} ({len(found)})", partial(_delete, s3, bucket, found)


def _delete(s3: Any, bucket: str, versions: Sequence[Mapping[str, Any]]) -> None:
    """Delete one page of versions.

    Raises:
        Inconclusive: S3 keeps some.
    """
    if kept := delete_versions(s3, bucket, versions):
        first = kept[0]
        raise Inconclusive(
            f"S3 keeps {len(kept)} of them, {first['Key']} for one: {first['Code']}, {first.get('Message', '')}"
        )


def _uploads(access: Access, bucket: str) -> Iterator[Removal]:
    """Uploads in parts that were neither completed nor aborted."""
    s3 = access.client(Persona.OPERATOR, "s3")
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=OBJECT_PREFIX):
        for upload in page.get("Uploads", []):
            key, upload_id = upload["Key"], upload["UploadId"]
            yield (
                f"upload of {bucket}/{key}",
                partial(s3.abort_multipart_upload, Bucket=bucket, Key=key, UploadId=upload_id),
            )
