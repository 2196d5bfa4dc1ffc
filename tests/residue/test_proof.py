"""The proof on the engine: what is the lab's is found however it is known, what only looks like it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kmslab.faults.workshop import FAULT_TAG
from kmslab.lab import Access
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG, secure_string_name
from kmslab.residue import services
from kmslab.residue.model import Found, State, Why
from kmslab.residue.proof import LISTED_KINDS, kind_of, read_residue
from tests.residue.conftest import WINDOW_DAYS, SmallLab, create_stack, delete_stack, tags


def by_id(lab: SmallLab) -> dict[str, Found]:
    """What is found, by the last part of its id."""
    residue = read_residue(lab.access)
    assert residue.unseen == ()
    return {one.id.rpartition(":")[2].rpartition("/")[2]: one for one in residue.things}


def volume(lab: SmallLab, *given: dict[str, str], key: str = "") -> str:
    specification = [{"ResourceType": "volume", "Tags": list(given)}] if given else []
    under = {"Encrypted": True, "KmsKeyId": key} if key else {}
    made = lab.client("ec2").create_volume(
        AvailabilityZone="us-east-1a", Size=1, TagSpecifications=specification, **under
    )
    return str(made["VolumeId"])


def test_a_standing_lab_stands(small: SmallLab) -> None:
    found = by_id(small)
    assert {one.state for one in found.values()} == {State.STANDS}
    assert sorted(one.kind for one in found.values()) == [
        *("cloudformation:stack", "ec2:volume", "kms:alias", "kms:key", "s3"),
    ]
    assert not read_residue(small.access).clean


def test_a_destroyed_lab_leaves_its_keys_with_their_date(small: SmallLab) -> None:
    small.destroy()
    residue = read_residue(small.access)
    assert [(one.kind, one.id, one.state, one.said_by) for one in residue.things] == [
        ("kms:key", small.key, State.GOING, "cloudtrail")
    ]
    until = datetime.fromisoformat(residue.things[0].until)
    assert timedelta(days=WINDOW_DAYS - 1) < until - datetime.now(UTC) <= timedelta(days=WINDOW_DAYS)
    assert residue.things[0].why == (Why.TAG, Why.STACK)
    assert residue.clean


def test_a_key_that_was_called_back_is_left(small: SmallLab) -> None:
    small.destroy()
    small.client("kms").cancel_key_deletion(KeyId=small.key)
    (key,) = read_residue(small.access).things
    assert (key.state, key.said_by, key.note) == (State.LEFT, "cloudtrail", "its deletion was called off")


def test_what_is_tagged_under_the_key_or_made_by_tooling_is_found(small: SmallLab) -> None:
    ec2, ssm = small.client("ec2"), small.client("ssm")
    tagged = volume(small, *tags(small.prefix))
    by_fault = volume(small, {"Key": FAULT_TAG, "Value": small.prefix})
    theirs = next(one.physical_id for one in small.membership().of("AWS::EC2::Volume"))
    snapshot = ec2.create_snapshot(VolumeId=theirs)["SnapshotId"]
    topic = small.client("sns").create_topic(Name=f"{small.prefix}-mine", Tags=tags(small.prefix))["TopicArn"]
    secret = small.client("secretsmanager").create_secret(
        Name=f"mine-{small.prefix}", SecretString="x", Tags=tags(small.prefix)
    )["ARN"]
    parameter = secure_string_name(small.prefix)
    ssm.put_parameter(Name=parameter, Value="x", Type="String", Tags=tags(small.prefix))
    found = by_id(small)
    assert found[tagged].why == found[by_fault].why == (Why.TAG,)
    assert (found[snapshot].why, found[snapshot].state) == ((Why.KEY,), State.LEFT)
    assert found[topic.rpartition(":")[2]].state is State.LEFT
    assert found[secret.rpartition(":")[2]].state is State.LEFT
    # The tooling's own goes with `kmslab down`; once the lab is gone it is left.
    assert found["secure-string"].state is State.STANDS
    small.destroy()
    left = {one.id for one in read_residue(small.access).of(State.LEFT)}
    assert {tagged, by_fault, snapshot, topic, secret} <= left
    assert any(one.endswith(f"parameter{parameter}") for one in left)


def test_a_secret_in_its_recovery_window_is_going(small: SmallLab) -> None:
    manager = small.client("secretsmanager")
    arn = manager.create_secret(Name=f"mine-{small.prefix}", SecretString="x", Tags=tags(small.prefix))["ARN"]
    manager.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
    secret = by_id(small)[arn.rpartition(":")[2]]
    assert (secret.state, secret.said_by) == (State.GOING, "secretsmanager")
    assert secret.until


def test_what_only_looks_like_the_labs_is_not_found(small: SmallLab) -> None:
    """The same names, the same prefix, another lab's tags, only the tag of checks: none of it is ours."""
    prefix, other = small.prefix, f"{small.prefix}-2"
    iam, kms = small.client("iam"), small.client("kms")
    volume(small, *tags(other))
    volume(small, {"Key": TEMPORARY_TAG, "Value": "run-1"})
    volume(small, {"Key": "Name", "Value": f"{prefix}-data1"})
    volume(small, {"Key": "kmslab", "Value": prefix}, {"Key": PREFIX_TAG.upper(), "Value": prefix})
    kms.create_key(Tags=[{"TagKey": PREFIX_TAG, "TagValue": other}])
    own = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{prefix}/app", TargetKeyId=own)
    iam.create_role(RoleName=f"{prefix}-auditor", AssumeRolePolicyDocument='{"Statement": []}')
    small.client("s3").create_bucket(Bucket=f"{prefix}-storage-data")
    small.client("logs").create_log_group(logGroupName=f"/aws/lambda/{prefix}-storage-Empties")
    small.client("sqs").create_queue(QueueName=prefix)
    small.client("events").put_rule(
        Name=f"{prefix}-alarms", ScheduleExpression="rate(1 day)", State="DISABLED"
    )
    create_stack(
        small.client("cloudformation"),
        f"{prefix}-storage",  # a name of ours, with another lab's tag
        other,
        '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}',
    )
    assert {one.kind for one in by_id(small).values()} == {
        *("cloudformation:stack", "ec2:volume", "kms:alias", "kms:key", "s3"),
    }
    small.destroy()
    assert [one.id for one in read_residue(small.access).things] == [small.key]
    delete_stack(small.client("cloudformation"), f"{prefix}-storage")


def test_another_labs_proof_says_nothing_of_this_one(small: SmallLab) -> None:
    other = read_residue(Access(small.access.target, f"{small.prefix}-2"))
    assert (other.things, other.clean) == ((), True)


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        ("arn:aws:kms:us-east-1:1:key/a", "kms:key"),
        ("arn:aws:s3:::data", "s3"),
        ("arn:aws:sns:us-east-1:1:alarms", "sns"),
        ("arn:aws:secretsmanager:us-east-1:1:secret:a/b-c", "secretsmanager:secret"),
        ("arn:aws:logs:us-east-1:1:log-group:/aws/lambda/a", "logs:log-group"),
        ("arn:aws:ssm:us-east-1:1:parameter/a/b", "ssm:parameter"),
    ],
)
def test_an_arn_tells_its_kind(arn: str, kind: str) -> None:
    assert kind_of(arn) == kind


def test_each_kind_that_counts_as_listed_is_listed() -> None:
    """A tagged thing of such a kind counts as gone when its service does not list it."""
    lists = Path(services.__file__).read_text(encoding="utf-8")
    by_iam_and_kms = {"iam:policy", "kms:key"}
    assert [one for one in LISTED_KINDS if f'"{one}"' not in lists and one not in by_iam_and_kms] == []
