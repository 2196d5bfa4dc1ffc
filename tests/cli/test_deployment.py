from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from kmslab.deployment import Deployment
from kmslab.model.errors import ExitCode, LabError
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION
from tests.cli.cloud import PARAMETER, did

if TYPE_CHECKING:
    from kmslab.project import Project
    from tests.cli.cloud import Cloud
    from tests.cli.conftest import Recorder

ENVIRONMENT = f"aws://{ACCOUNT}/{REGION}"


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


def test_nobody_else_may_read_what_is_kept(project: Project, lab: Deployment) -> None:
    (project.home / "lock").touch(mode=0o644)
    before = os.umask(0)
    try:
        lab.up()
    finally:
        os.umask(before)
    for name in ("lock", "deployed-local.json"):
        assert stat.S_IMODE((project.home / name).stat().st_mode) == 0o600, name


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
