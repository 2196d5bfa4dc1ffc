from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from kmslab.deployed import other_labs, read_outputs, refuse_foreign_user
from kmslab.model.errors import ExitCode, LabError
from kmslab.model.outputs import LabOutputs, LabStack
from tests.checks.fakes import OUTPUTS, PREFIX, REGION

if TYPE_CHECKING:
    from kmslab.deployment import Deployment
    from tests.cli.cloud import Cloud


def test_outputs_of_a_missing_stack(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    del cloud.stacks[f"{PREFIX}-audit"]
    with pytest.raises(LabError) as caught:
        read_outputs(lab.access)
    assert caught.value.message == f"Stack {PREFIX}-audit is not deployed in {REGION}."
    assert caught.value.exit_code is ExitCode.TARGET


def test_outputs_of_a_half_deployed_stack(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    cloud.add(f"{PREFIX}-audit", "ROLLBACK_COMPLETE")
    cloud.stacks[f"{PREFIX}-audit"]["StackStatusReason"] = "The following\nresource(s) failed"
    with pytest.raises(LabError) as caught:
        read_outputs(lab.access)
    assert caught.value.message == (
        f"Stack {PREFIX}-audit is only half deployed (ROLLBACK_COMPLETE): The following resource(s) failed"
    )
    assert caught.value.exit_code is ExitCode.DEPLOYMENT


def test_outputs_of_another_release(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    cloud.stacks[f"{PREFIX}-keys"]["Outputs"] = []
    with pytest.raises(LabError, match="The deployed stacks do not export key_s3, key_ebs, ") as caught:
        read_outputs(lab.access)
    assert caught.value.exit_code is ExitCode.TARGET


def test_outputs_of_a_whole_lab(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    outputs = read_outputs(lab.access)
    exported = [output for output in LabOutputs.all() if output.stack is not LabStack.NETWORK]
    assert [outputs.value_of(output) for output in exported] == [
        OUTPUTS.value_of(output) for output in exported
    ]


@pytest.mark.parametrize(
    ("tags", "whose"),
    [({"kmslab:prefix": "team-b"}, "belongs to the lab team-b"), ({"team": "payroll"}, "no lab made it")],
)
def test_somebody_elses_user_has_the_admin_users_name(
    cloud: Cloud, lab: Deployment, tags: dict[str, str], whose: str
) -> None:
    cloud.users["kenya-one"] = tags
    with pytest.raises(LabError) as caught:
        refuse_foreign_user(lab.access, "kenya-one")
    assert caught.value.message == f"The IAM user kenya-one exists, and {whose}."
    assert caught.value.hint == "Give this lab's admin user another name: -c kmslab.admin_user=<name>."
    assert caught.value.exit_code is ExitCode.TARGET


def test_the_labs_own_user_may_be_there_already(cloud: Cloud, lab: Deployment) -> None:
    refuse_foreign_user(lab.access, "kenya-one")
    cloud.users["kenya-one"] = {"kmslab:prefix": PREFIX}
    refuse_foreign_user(lab.access, "kenya-one")
    assert len(cloud.world.asked("iam:ListUserTags")) == 2


def test_who_may_not_look_at_users_may_still_deploy(cloud: Cloud, lab: Deployment) -> None:
    cloud.world.refuses("iam:ListUserTags", code="AccessDenied")
    refuse_foreign_user(lab.access, "kenya-one")
    cloud.world.refuses("iam:ListUserTags", code="ServiceFailure")
    with pytest.raises(ClientError, match="ServiceFailure"):
        refuse_foreign_user(lab.access, "kenya-one")


def test_other_labs_are_known_by_the_tags_of_their_stacks(cloud: Cloud, lab: Deployment) -> None:
    cloud.add_all()
    cloud.add("CDKToolkit", tags={})
    assert other_labs(lab.access) == []
    for name, status in (
        ("team-b", "CREATE_COMPLETE"),
        ("team-a", "CREATE_FAILED"),
        ("gone", "DELETE_COMPLETE"),
    ):
        cloud.add(f"{name}-keys", status, tags={"kmslab:prefix": name})
    cloud.add("team-c-keys", tags={"team": "payroll"})
    assert other_labs(lab.access) == ["team-a", "team-b"]
