"""Deployments and destructions that failed, were interrupted or met another one: the next command goes on."""

from __future__ import annotations

import fcntl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from kmslab import deployment as module
from kmslab.cdk import LOCK, CdkError
from kmslab.model.errors import ExitCode, LabError
from kmslab.turns import exclusively, unfinished
from tests.checks.fakes import OUTPUTS, PREFIX
from tests.cli.cloud import PARAMETER, did

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.deployment import Deployment
    from kmslab.project import Project
    from tests.cli.cloud import Cloud
    from tests.cli.conftest import Recorder


@contextmanager
def cut_short(
    cloud: Cloud, at: str, error: type[BaseException] | BaseException = KeyboardInterrupt, **states: str
) -> Iterator[None]:
    """Let a command of the CDK CLI end with an error, by Ctrl-C unless another is given.

    Args:
        cloud: whose command.
        at: the command.
        error: what ends it.
        states: what it has done by then: status of each stack, empty for one that is gone.
    """

    def during(command: str) -> None:
        if command == at:
            for stack, status in states.items():
                if status:
                    cloud.add(f"{PREFIX}-{stack}", status)
                else:
                    del cloud.stacks[f"{PREFIX}-{stack}"]
            raise error

    cloud.during = during
    with pytest.raises(error if isinstance(error, type) else type(error)):
        yield
    cloud.during = lambda _: None


def test_a_failed_deployment_is_repeated_by_the_next_up(
    project: Project, cloud: Cloud, lab: Deployment
) -> None:
    failed = CdkError("Stack kms-lab-keys failed to deploy", (), project.home / "deploy.log")
    with cut_short(cloud, "deploy", failed):
        lab.up()
    did(cloud)
    assert lab.up()
    assert did(cloud) == ["deploy"]


def test_an_interrupted_synthesis_is_repeated(cloud: Cloud, lab: Deployment) -> None:
    with cut_short(cloud, "synth"):
        lab.up()
    did(cloud)
    assert lab.up()
    assert did(cloud) == ["deploy", "synth"]


def test_an_interrupted_deployment_goes_on_where_it_stopped(cloud: Cloud, lab: Deployment) -> None:
    with cut_short(cloud, "deploy", keys="CREATE_COMPLETE", identity="CREATE_FAILED"):
        lab.up()
    did(cloud)
    assert lab.up()
    assert did(cloud) == ["deploy"], "the templates are written already"
    assert not lab.up()


def test_an_interrupted_destruction_goes_on_where_it_stopped(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    did(cloud)
    with cut_short(cloud, "destroy", audit="", storage="DELETE_FAILED"):
        lab.down()
    assert did(cloud) == ["destroy"]
    lab.down()
    assert did(cloud) == ["destroy"]
    assert set(cloud.stacks) == {"CDKToolkit"}


def test_up_after_an_interrupted_destruction_makes_the_lab_whole(cloud: Cloud, lab: Deployment) -> None:
    lab.up()
    with cut_short(cloud, "destroy", audit=""):
        lab.down()
    did(cloud)
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


def test_the_cli_of_a_killed_command_is_waited_for(
    project: Project, cloud: Cloud, lab: Deployment, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = (project.home / LOCK).open("w")
    fcntl.flock(orphan, fcntl.LOCK_SH)
    cloud.during = lambda _: (
        pytest.fail("the CDK CLI that is left was not waited for") if not orphan.closed else None
    )
    monkeypatch.setattr("kmslab.deployment.time.sleep", lambda _: orphan.close())
    assert lab.up()
    said = [line for line in recorder.said if "interrupted" in line[1]]
    assert said == [
        ("begin", "The CDK CLI of an interrupted command", "waiting: running"),
        ("end", "The CDK CLI of an interrupted command", "has ended"),
    ]


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
