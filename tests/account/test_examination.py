from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.account import examination, needs
from kmslab.lab import Access
from kmslab.model.errors import ExitCode
from kmslab.model.finding import State, exit_code
from kmslab.model.settings import LabSettings
from kmslab.model.target import Target, TargetKind
from tests.account.conftest import NAMED
from tests.checks.fakes import ACCOUNT, PREFIX

if TYPE_CHECKING:
    from kmslab.model.finding import Finding
    from tests.account.conftest import Account
    from tests.checks.fakes import FakeAccess
    from tests.conftest import DeployedLab

COMMAND = "kmslab up --target aws"
LOOKS_ONLY = ("Get", "List", "Describe", "Simulate", "Lookup")


def examine(access: Access, settings: LabSettings = NAMED) -> dict[str, Finding]:
    found = examination.examine(access, settings, COMMAND)
    assert len({finding.what for finding in found}) == len(found)
    return {finding.what: finding for finding in found}


def test_an_account_where_all_is_fine(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    found = examine(access)
    assert [finding.seen for finding in found.values() if not finding.fine] == []
    assert list(found) == [
        "Credentials",
        "Sandbox",
        "Clock",
        "Region",
        "Region's services",
        "CDK bootstrap",
        "Lab",
        "Your permissions",
        "CloudFormation's permissions",
        "Quota: KMS keys",
        "Quota: gp3 storage in GiB",
        "Quota: trails",
        "Quota: buckets",
        "Quota: secrets",
        "Quota: IAM",
        "Request rates",
    ]


def test_it_looks_and_changes_nothing(access: FakeAccess, account: Account) -> None:
    account.bootstrapped()
    account.deployed()
    examine(access, LabSettings(network=True, sandbox_accounts=(ACCOUNT,)))
    operations = {request.action.partition(":")[2] for request in account.world.requests}
    assert {operation for operation in operations if not operation.startswith(LOOKS_ONLY)} == set()
    assert "DescribeVpcs" in operations


def test_what_stands_is_not_needed_again(access: FakeAccess, account: Account) -> None:
    assert f"the lab needs {needs.KEYS + needs.verify_keys()} more" in examine(access)["Quota: KMS keys"].seen
    account.deployed()
    again = examine(type(access)(account.world, kind=TargetKind.AWS))
    assert f"the lab needs {needs.verify_keys()} more" in again["Quota: KMS keys"].seen
    assert "Quota: trails" not in again
    assert "Quota: IAM" not in again


def test_an_account_that_is_not_named_is_looked_at_no_further(access: FakeAccess, account: Account) -> None:
    found = examine(access, LabSettings())
    assert list(found) == ["Credentials", "Sandbox"]
    assert {request.action.partition(":")[0] for request in account.world.requests} == {"organizations"}
    assert found["Sandbox"].state is State.WRONG
    assert f"`{COMMAND} -c kmslab.sandbox_accounts={ACCOUNT}`" in found["Sandbox"].remedy
    assert exit_code(found.values()) is ExitCode.TARGET


def test_a_tag_that_may_not_be_read_is_a_line_of_its_own(access: FakeAccess, account: Account) -> None:
    account.world.refuses("organizations:ListTagsForResource")
    found = examine(access, LabSettings())
    assert found["Sandbox"].state is State.WRONG
    assert found["Account's tag"].state is State.UNSEEN
    assert "kmslab:sandbox=true" in found["Account's tag"].seen


def test_an_organization_that_may_not_be_looked_at(access: FakeAccess, account: Account) -> None:
    account.world.refuses("organizations:DescribeOrganization")
    found = examine(access)
    assert found["Sandbox"].fine
    assert found["Organization"].state is State.UNSEEN
    assert exit_code(found.values()) is ExitCode.NOT_PROVEN


@pytest.mark.parametrize(("settings", "rest"), [(NAMED, True), (LabSettings(), False)])
def test_an_organization_that_does_not_answer(
    access: FakeAccess, account: Account, settings: LabSettings, *, rest: bool
) -> None:
    account.world.refuses("organizations:DescribeOrganization", code="ServiceException")
    found = examine(access, settings)
    assert found["Sandbox"].state is State.UNSEEN
    assert ("Lab" in found) is rest


def test_an_account_that_lets_one_see_nothing(access: FakeAccess, account: Account) -> None:
    account.world.refuses("*")
    found = examine(access)
    # Without Service Quotas, AWS's documented defaults stand in for what is known; nothing else is fine.
    assert {what for what, finding in found.items() if finding.fine} == {
        "Credentials",
        "Sandbox",
        "Request rates",
    }
    assert exit_code(found.values()) is ExitCode.NOT_PROVEN


def test_a_real_deployment_is_examined_on_the_engine(deployed_lab: DeployedLab) -> None:
    """The engine is taken for AWS here; nothing that a user can type does that."""
    from kmslab.engine import control
    from kmslab.engine.session import administrator_credentials

    info = control.status(deployed_lab.home)
    assert info
    target = Target(
        TargetKind.AWS,
        info.region,
        info.endpoint_url,
        info.plain_http_url,
        info.ca_bundle,
        administrator_credentials(deployed_lab.home, info, 3600),
    )
    found = examine(Access(target, PREFIX), LabSettings(sandbox_accounts=(info.account_id,)))
    # The engine has no Organizations, no registry of types and no Service Quotas: the rule fails closed, AWS's
    # defaults stand in.
    # Its event history has room for 4,000, and other tests of this lab may have pushed the deployment out.
    assert {what for what, finding in found.items() if not finding.fine} - {"Deployed by"} == {
        "Sandbox",
        "Region's services",
    }
    assert found["Sandbox"].state is State.UNSEEN
    assert found["CDK bootstrap"].seen.startswith("version ")
    assert f"kms-lab stands in {info.region}: 6 stacks" in found["Lab"].seen
    deployed_by = found["Deployed by"]
    assert deployed_by.state is State.UNSEEN or ":assumed-role/cdk-hnb659fds-deploy-role-" in deployed_by.seen
    assert found["CloudFormation's permissions"].seen.endswith("actions simulated, all allowed")
    assert f"the lab needs {needs.verify_keys()} more" in found["Quota: KMS keys"].seen
