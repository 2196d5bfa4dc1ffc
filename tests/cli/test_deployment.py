from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from kmslab import deployment as module
from kmslab.cdk import CdkError
from kmslab.deployment import Deployment, exclusively, unfinished
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.target import TargetKind
from kmslab.residue.stacks import Membership
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, FakeAccess

if TYPE_CHECKING:
    from kmslab.project import Project
    from tests.cli.cloud import Cloud
    from tests.cli.conftest import Recorder

PARAMETER = f"/{PREFIX}/secure-string"
ENVIRONMENT = f"aws://{ACCOUNT}/{REGION}"


def did(cloud: Cloud) -> list[str]:
    """The CDK CLI's commands since the last time; sorted, since some run side by side."""
    names = sorted(command[0] for command in cloud.commands if command != ["ended"])
    cloud.commands.clear()
    return names


def test_the_first_time_everything_is_done(project: Project, cloud: Cloud, lab: Deployment) -> None:
    assert lab.up()
    assembly = str(project.assembly)
    assert sorted(cloud.commands[:2]) == [
        ["bootstrap", ENVIRONMENT, "--app=", "in .kmslab"],
        ["synth", "--quiet", "--output", assembly, "--context", f"kmslab.prefix={PREFIX}"],
    ]
    assert cloud.commands[2:] == [
        [
            *("deploy", "--all", "--app", assembly, "--require-approval", "never", "--method", "direct"),
            *("--progress", "events", "--concurrency", "4"),
        ],
        ["ended"],
    ]
    assert cloud.parameters == {PARAMETER: OUTPUTS.key_secrets}


def test_the_second_time_nothing_is_done(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    did(cloud)
    assert not lab.up()
    assert did(cloud) == []


@pytest.mark.parametrize(
    "changed", ["app.py", "cdk.json", "stacks/keys.py", "kmslab/model/naming.py", "requirements.txt"]
)
def test_a_changed_input_is_synthesized_and_deployed(
    project: Project, cloud: Cloud, lab: Deployment, changed: str
) -> None:
    lab.up()
    did(cloud)
    with (project.root / changed).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert lab.up()
    assert did(cloud) == ["deploy", "synth"]
    assert not lab.up()


def test_another_setting_is_another_synthesis(
    project: Project, cloud: Cloud, lab: Deployment, recorder: Recorder
) -> None:
    lab.up()
    did(cloud)
    assert Deployment(
        project, lab.access, {"kmslab.prefix": PREFIX, "kmslab.volume_count": "2"}, recorder
    ).up()
    assert "--context kmslab.volume_count=2" in " ".join(cloud.commands[0])


@pytest.mark.parametrize(
    "status", ["ROLLBACK_COMPLETE", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_COMPLETE"]
)
def test_a_half_deployed_stack_is_deployed_again_without_a_new_synthesis(
    cloud: Cloud, lab: Deployment, status: str
) -> None:
    lab.up()
    did(cloud)
    cloud.add(f"{PREFIX}-storage", status)
    assert lab.up()
    assert did(cloud) == ["deploy"]


def test_a_stack_that_somebody_removed_is_deployed_again(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    did(cloud)
    del cloud.stacks[f"{PREFIX}-volumes"]
    assert lab.up()
    assert did(cloud) == ["deploy"]


def test_a_stack_that_was_recreated_meanwhile_is_not_taken_for_ours(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    did(cloud)
    cloud.add(f"{PREFIX}-volumes")
    assert lab.up()


def test_a_foreign_stack_is_left_alone(cloud: Cloud, lab: Deployment) -> None:
    cloud.add(f"{PREFIX}-keys", tags={"kmslab:prefix": "other"})
    for attempt in (lab.up, lab.down):
        with pytest.raises(LabError) as caught:
            attempt()
        assert caught.value.message == (
            f"Stack {PREFIX}-keys exists but is not this lab's: it has no tag kmslab:prefix={PREFIX}."
        )
        assert caught.value.exit_code is ExitCode.TARGET
    assert did(cloud) == []


def test_a_failed_deployment_is_repeated_by_the_next_up(
    project: Project, cloud: Cloud, lab: Deployment
) -> None:
    def fail(command: str) -> None:
        if command == "deploy":
            raise CdkError("Stack kms-lab-keys failed to deploy", (), project.home / "deploy.log")

    cloud.during = fail
    with pytest.raises(CdkError):
        lab.up()
    did(cloud)
    cloud.during = lambda _: None
    assert lab.up()
    assert did(cloud) == ["deploy"]


def test_an_interrupted_synthesis_is_repeated(cloud: Cloud, lab: Deployment) -> None:
    def interrupt(command: str) -> None:
        if command == "synth":
            raise KeyboardInterrupt

    cloud.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        lab.up()
    did(cloud)
    cloud.during = lambda _: None
    assert lab.up()
    assert did(cloud) == ["deploy", "synth"]


def test_an_interrupted_deployment_goes_on_where_it_stopped(cloud: Cloud, lab: Deployment) -> None:
    def interrupt(command: str) -> None:
        if command == "deploy":
            cloud.add(f"{PREFIX}-keys")
            cloud.add(f"{PREFIX}-identity", "CREATE_FAILED")
            raise KeyboardInterrupt

    cloud.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        lab.up()
    did(cloud)
    cloud.during = lambda _: None
    assert lab.up()
    assert did(cloud) == ["deploy"], "the templates are written already"
    assert not lab.up()


def test_an_interrupted_destruction_goes_on_where_it_stopped(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    did(cloud)

    def interrupt(command: str) -> None:
        if command == "destroy":
            del cloud.stacks[f"{PREFIX}-audit"]
            cloud.add(f"{PREFIX}-storage", "DELETE_FAILED")
            raise KeyboardInterrupt

    cloud.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        lab.down()
    assert did(cloud) == ["destroy"]
    cloud.during = lambda _: None
    lab.down()
    assert did(cloud) == ["destroy"]
    assert set(cloud.stacks) == {"CDKToolkit"}


def test_up_after_an_interrupted_destruction_makes_the_lab_whole(cloud: Cloud, lab: Deployment) -> None:
    lab.up()

    def interrupt(command: str) -> None:
        if command == "destroy":
            del cloud.stacks[f"{PREFIX}-audit"]
            raise KeyboardInterrupt

    cloud.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        lab.down()
    did(cloud)
    cloud.during = lambda _: None
    assert lab.up()
    assert did(cloud) == ["deploy"]
    assert f"{PREFIX}-audit" in cloud.stacks
    assert cloud.parameters == {PARAMETER: OUTPUTS.key_secrets}, "which down had removed already"


def test_ctrl_c_does_not_wait_for_the_synthesis_to_end(cloud: Cloud, lab: Deployment) -> None:
    synthesizing = threading.Event()

    def interrupt(command: str) -> None:
        if command == "synth":
            synthesizing.set()
            # As the real CLI does when its process is ended; in the wrong order this would never come.
            assert cloud.ended.wait(10)
            raise CdkError("ended", (), lab.log)
        assert synthesizing.wait(10)
        raise KeyboardInterrupt

    cloud.during = interrupt
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        lab.up()
    assert time.monotonic() - started < 9


def test_somebody_elses_operation_is_waited_for(
    cloud: Cloud, lab: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.up()
    did(cloud)
    name = f"{PREFIX}-keys"
    before = dict(cloud.stacks[name])
    cloud.stacks[name]["StackStatus"] = "UPDATE_IN_PROGRESS"
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        cloud.stacks[name] = before

    monkeypatch.setattr("kmslab.deployment.time.sleep", pause)
    assert not lab.up()
    assert len(pauses) == 1


def test_an_operation_that_never_ends_is_given_up(
    cloud: Cloud, lab: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.add(f"{PREFIX}-keys", "CREATE_IN_PROGRESS")
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    with pytest.raises(LabError) as caught:
        lab.up()
    assert caught.value.message == f"Stack {PREFIX}-keys has been CREATE_IN_PROGRESS for 0 s."
    assert "kmslab down --forget" in caught.value.hint
    assert caught.value.exit_code is ExitCode.DEPLOYMENT


def test_the_secure_string_follows_the_key(cloud: Cloud, lab: Deployment) -> None:
    cloud.parameters[PARAMETER] = "arn:of:the:key:of:an:earlier:lab"
    lab.up()
    assert cloud.parameters == {PARAMETER: OUTPUTS.key_secrets}
    put = cloud.world.asked("ssm:PutParameter")
    request = next(one for one in put if one["Type"] == "SecureString")
    assert request["Type"] == "SecureString"
    assert request["Tags"] == [{"Key": "kmslab:prefix", "Value": PREFIX}]
    assert len(request["Value"]) >= 32
    lab.up()
    assert len(cloud.world.asked("ssm:PutParameter")) == len(put)


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


def test_nobody_else_may_read_what_is_kept(project: Project, lab: Deployment) -> None:
    (project.home / "lock").touch(mode=0o644)
    before = os.umask(0)
    try:
        lab.up()
    finally:
        os.umask(before)
    for name in ("lock", "deployed-local.json"):
        assert stat.S_IMODE((project.home / name).stat().st_mode) == 0o600, name


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


def test_one_command_at_a_time_changes_a_lab(project: Project) -> None:
    with exclusively(project), pytest.raises(LabError) as caught, exclusively(project):
        pass
    assert caught.value.message == "Another kmslab command is working on this lab."
    assert caught.value.exit_code is ExitCode.DEPLOYMENT
    with exclusively(project):
        pass


def test_a_patient_command_waits_for_its_turn(project: Project) -> None:
    held, order = threading.Event(), []

    def hold() -> None:
        with exclusively(project):
            held.set()
            time.sleep(0.3)
            order.append("first")

    first = threading.Thread(target=hold)
    first.start()
    assert held.wait(5)
    with exclusively(project, patience=10.0):
        order.append("second")
    first.join()
    assert order == ["first", "second"]


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


def test_up_clears_away_what_a_killed_command_left(
    project: Project, cloud: Cloud, lab: Deployment, recorder: Recorder
) -> None:
    lab.up()
    assert cloud.world.asked("secretsmanager:ListSecrets") == []
    with pytest.raises(KeyError), unfinished(project):
        raise KeyError  # as far as a file can tell, killed
    lab.up()
    assert len(cloud.world.asked("secretsmanager:ListSecrets")) == 1
    lab.up()
    assert len(cloud.world.asked("secretsmanager:ListSecrets")) == 1
    with unfinished(project):
        assert (project.home / "unfinished").exists()
    assert not (project.home / "unfinished").exists()


def test_a_destruction_that_fails_is_known_to_the_next_up(
    project: Project, cloud: Cloud, lab: Deployment
) -> None:
    lab.up()
    cloud.world.refuses("iam:ListMFADevices", code="AccessDenied")
    with pytest.raises(ClientError):
        lab.down()
    assert (project.home / "unfinished").exists()


def test_account_settings_that_cannot_be_noted_stop_nothing(
    cloud: Cloud, lab: Deployment, recorder: Recorder
) -> None:
    cloud.world.refuses("ec2:GetEbsEncryptionByDefault")
    assert lab.up()
    assert any(said[1] == "account settings" and "not noted" in said[2] for said in recorder.said)


def test_a_mortal_lab_is_synthesized_anew_for_each_deployment(
    project: Project, cloud: Cloud, lab: Deployment, recorder: Recorder
) -> None:
    mortal = Deployment(project, lab.access, {"kmslab.prefix": PREFIX, "kmslab.ttl_hours": "8"}, recorder)
    assert mortal.up()
    did(cloud)
    assert not mortal.up()
    cloud.stacks.pop(f"{PREFIX}-volumes")
    assert mortal.up()
    assert did(cloud) == ["deploy", "synth"]
