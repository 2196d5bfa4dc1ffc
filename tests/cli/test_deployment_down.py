"""What `kmslab down` destroys, what it takes away first, and what it leaves alone."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from kmslab.cdk import CdkError
from kmslab.deployment import Deployment
from kmslab.model.errors import LabError
from kmslab.model.target import TargetKind
from kmslab.residue.stacks import Membership
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, FakeAccess
from tests.cli.cloud import did

if TYPE_CHECKING:
    from kmslab.project import Project
    from tests.cli.cloud import Cloud
    from tests.cli.conftest import Recorder


def test_down_removes_everything_and_names_the_keys(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    did(cloud)
    resource = {
        "LogicalResourceId": "S3",
        "PhysicalResourceId": OUTPUTS.key_s3.rpartition("/")[2],
        "ResourceType": "AWS::KMS::Key",
        "ResourceStatus": "CREATE_COMPLETE",
        "LastUpdatedTimestamp": datetime(2026, 11, 21, tzinfo=UTC),
    }
    cloud.world.answers("cloudformation:ListStackResources", {"StackResourceSummaries": [resource]})
    owned = lab.down()
    assert did(cloud) == ["destroy"]
    assert set(cloud.stacks) == {"CDKToolkit"}
    assert (cloud.parameters, cloud.notes) == ({}, {})
    # CloudFormation of the fake tells nothing of what is gone: this was read before.
    assert [one.physical_id for one in owned.of("AWS::KMS::Key")] == [resource["PhysicalResourceId"]]


def test_down_without_a_lab_calls_nothing(cloud: Cloud, lab: Deployment) -> None:
    assert lab.down() == Membership()
    assert did(cloud) == []


def test_down_says_which_stack_it_could_not_remove(
    cloud: Cloud, lab: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.up()

    def stuck(*_: object) -> None:
        cloud.stacks = {}
        cloud.add(f"{PREFIX}-storage", "DELETE_FAILED")

    monkeypatch.setattr(Deployment, "_destroy", stuck)
    with pytest.raises(
        LabError, match=r"Stack kms-lab-storage is only half deployed \(DELETE_FAILED\)"
    ) as caught:
        lab.down()
    assert "`kmslab down --forget`" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "way_out"),
    [
        (
            TargetKind.LOCAL,
            "Try `kmslab down` once more; `kmslab down --forget` deletes the local lab whatever its state.",
        ),
        (
            TargetKind.AWS,
            "Mend what the line names, then run the same command again: it goes on from there.",
        ),
    ],
)
def test_a_failed_destruction_says_the_way_out(
    project: Project, cloud: Cloud, recorder: Recorder, kind: TargetKind, way_out: str
) -> None:
    def fail(command: str) -> None:
        if command == "destroy":
            raise CdkError("Stack kms-lab-storage: destroy failed", (), project.home / "deploy.log")

    lab = Deployment(project, FakeAccess(cloud.world, kind=kind), {"kmslab.prefix": PREFIX}, recorder)
    lab.up()
    cloud.during = fail
    with pytest.raises(CdkError) as caught:
        lab.down()
    assert caught.value.hint == f"{way_out} The whole output is in {project.home / 'deploy.log'}."


def test_down_takes_the_admin_users_mfa_devices_away_first(
    cloud: Cloud, lab: Deployment, recorder: Recorder
) -> None:
    phone, stick = f"arn:aws:iam::{ACCOUNT}:mfa/phone", f"arn:aws:iam::{ACCOUNT}:u2f/user/kenya-one/stick"
    lab.up()
    cloud.devices = [phone, stick, "GAHT12345678"]
    left: list[str] = []
    cloud.during = lambda command: left.extend(cloud.devices) if command == "destroy" else None
    lab.down()
    assert left == []
    assert [request["SerialNumber"] for request in cloud.world.asked("iam:DeactivateMFADevice")] == [
        phone,
        stick,
        "GAHT12345678",
    ]
    assert {r["UserName"] for r in cloud.world.asked("iam:DeactivateMFADevice")} == {OUTPUTS.admin_user}
    # What is no virtual device is the learner's own, and cannot be deleted.
    assert [r["SerialNumber"] for r in cloud.world.asked("iam:DeleteVirtualMFADevice")] == [phone]
    assert ("end", "mfa", "phone of kenya-one removed") in recorder.said


def test_mfa_devices_in_a_foreign_lab_are_left_alone(cloud: Cloud, lab: Deployment) -> None:
    cloud.devices = [f"arn:aws:iam::{ACCOUNT}:mfa/phone"]
    cloud.add(f"{PREFIX}-identity", tags={"kmslab:prefix": "other"})
    with pytest.raises(LabError, match="is not this lab's"):
        lab.down()
    assert cloud.world.asked("iam:ListMFADevices") == []


def test_down_goes_on_where_the_admin_user_or_its_stack_is_gone(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    cloud.world.refuses("iam:ListMFADevices", code="NoSuchEntity")
    lab.down()
    cloud.add(f"{PREFIX}-keys")
    lab.down()
    assert set(cloud.stacks) == {"CDKToolkit"}
    assert len(cloud.world.asked("iam:ListMFADevices")) == 1


def test_mfa_devices_that_may_not_be_listed_stop_the_destruction(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    did(cloud)
    cloud.world.refuses("iam:ListMFADevices", code="AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        lab.down()
    assert did(cloud) == []


def test_down_needs_no_new_synthesis_while_the_old_one_names_every_stack(
    project: Project, cloud: Cloud, lab: Deployment
) -> None:
    lab.up()
    did(cloud)
    (project.root / "app.py").write_text("broken")
    lab.down()
    assert did(cloud) == ["destroy"]


def test_down_synthesizes_where_the_old_assembly_is_gone(
    project: Project, cloud: Cloud, lab: Deployment
) -> None:
    lab.up()
    did(cloud)
    shutil.rmtree(project.assembly)
    lab.down()
    assert did(cloud) == ["destroy", "synth"]


def test_up_after_down_deploys_again(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    lab.down()
    did(cloud)
    assert lab.up()
    assert did(cloud) == ["deploy"]


def owned_by_the_stacks(cloud: Cloud, kind: str, physical_id: str, status: str = "CREATE_COMPLETE") -> None:
    resource = {
        "LogicalResourceId": "One",
        "PhysicalResourceId": physical_id,
        "ResourceType": kind,
        "ResourceStatus": status,
        "LastUpdatedTimestamp": datetime(2026, 11, 21, tzinfo=UTC),
    }
    cloud.world.answers("cloudformation:ListStackResources", {"StackResourceSummaries": [resource]})


def test_a_bucket_that_filled_up_again_is_emptied_and_destroyed(
    project: Project, cloud: Cloud, lab: Deployment, recorder: Recorder
) -> None:
    lab.up()
    did(cloud)
    refusals = [CdkError("Stack kms-lab-audit: destroy failed", (), project.home / "deploy.log")]

    def full_once(command: str) -> None:
        if command == "destroy" and refusals:
            owned_by_the_stacks(cloud, "AWS::S3::Bucket", "trail-bucket", "DELETE_FAILED")
            raise refusals.pop()

    cloud.during = full_once
    late = {"Key": "late", "VersionId": "1"}
    cloud.world.answers("s3:ListObjectVersions", {"Versions": [late]}, when=lambda r: not r.get("Prefix"))
    cloud.world.answers("s3:DeleteObjects", {})
    lab.down()
    assert did(cloud) == ["destroy", "destroy"]
    (request,) = cloud.world.asked("s3:DeleteObjects")
    assert (request["Bucket"], request["Delete"]["Objects"]) == ("trail-bucket", [late])
    assert ("end", "buckets", "emptied once more: trail-bucket") in recorder.said


def test_a_destruction_that_failed_for_another_reason_is_not_tried_again(
    project: Project, cloud: Cloud, lab: Deployment
) -> None:
    lab.up()
    did(cloud)

    def fail(command: str) -> None:
        if command == "destroy":
            raise CdkError("Stack kms-lab-identity: destroy failed", (), project.home / "deploy.log")

    cloud.during = fail
    owned_by_the_stacks(cloud, "AWS::S3::Bucket", "data-bucket")
    with pytest.raises(CdkError):
        lab.down()
    assert did(cloud) == ["destroy"]


def test_down_removes_the_log_groups_of_the_stacks_functions(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    owned_by_the_stacks(cloud, "AWS::Lambda::Function", "Empties")
    cloud.world.answers(
        "logs:DescribeLogGroups",
        {"logGroups": [{"logGroupName": "/aws/lambda/Empties"}, {"logGroupName": "/aws/lambda/Empties-2"}]},
    )
    cloud.world.refuses("lambda:GetFunction", code="ResourceNotFoundException")
    cloud.world.answers("logs:DeleteLogGroup", {})
    lab.down()
    deleted = [request["logGroupName"] for request in cloud.world.asked("logs:DeleteLogGroup")]
    assert deleted == ["/aws/lambda/Empties"]
