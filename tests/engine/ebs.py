"""What the tests of EBS have in common: permissions, a volume, and EC2's events."""

from __future__ import annotations

import base64
import json
import uuid
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tests.engine.conftest import allow, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.engine.conftest import Engine

EC2_ALL = allow("ec2:*")
NEW = ("kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext")
BLOCK_SIZE = 524_288
GRANT = allow("kms:CreateGrant", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}})


def volume(ec2: Any, **parameters: Any) -> dict[str, Any]:
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    made: dict[str, Any] = ec2.create_volume(AvailabilityZone=zone, Size=1, VolumeType="gp3", **parameters)
    return made


def gives_up(ec2: Any, made: dict[str, Any]) -> None:
    """EC2 says that a volume is being made, and then there is none."""
    assert (made["State"], made["Encrypted"]) == ("creating", True)
    with refused("InvalidVolume.NotFound", made["VolumeId"]):
        ec2.describe_volumes(VolumeIds=[made["VolumeId"]])


def checksum(data: bytes) -> str:
    return base64.b64encode(sha256(data).digest()).decode()


def put_block(ebs: Any, snapshot: str, index: int, data: bytes, **changed: Any) -> Any:
    parameters = {
        "DataLength": len(data),
        "Checksum": checksum(data),
        "ChecksumAlgorithm": "SHA256",
        **changed,
    }
    return ebs.put_snapshot_block(SnapshotId=snapshot, BlockIndex=index, BlockData=data, **parameters)


def snapshot_of(ebs: Any, blocks: dict[int, bytes], **parameters: Any) -> str:
    """Make a snapshot of blocks, by their index, and return its id."""
    snapshot = str(ebs.start_snapshot(VolumeSize=1, **parameters)["SnapshotId"])
    for index, data in blocks.items():
        put_block(ebs, snapshot, index, data)
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=len(blocks))
    return snapshot


@contextmanager
def heard(engine: Engine, kind: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Listen to EC2's events of a kind; yields how to get what has come."""
    events, sqs, name = engine.client("events"), engine.client("sqs"), f"ebs-{uuid.uuid4().hex}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.ec2"], "detail-type": [kind]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])

    def received() -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
        return [json.loads(message["Body"]) for message in messages]

    try:
        yield received
    finally:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)
        sqs.delete_queue(QueueUrl=queue)
