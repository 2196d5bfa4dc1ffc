from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from botocore import exceptions as botocore

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.settings import LabSettings
from kmslab.model.target import Target, TargetKind
from kmslab.targets import aws_errors_in_one_line, choose_target, require_sandbox
from tests.checks.fakes import ACCOUNT, FakeAccess, World

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.project import Project


NAMED = LabSettings(sandbox_accounts=(ACCOUNT,))


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any AWS configuration."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def refusal(project: Project, kind: TargetKind = TargetKind.AWS) -> LabError:
    with pytest.raises(LabError) as caught:
        choose_target(project, kind)
    return caught.value


@pytest.mark.parametrize("name", ["AWS_DEFAULT_REGION", "AWS_REGION"])
def test_aws_is_the_callers_region_and_credentials(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "eu-west-3")
    assert choose_target(project, TargetKind.AWS) == Target(TargetKind.AWS, "eu-west-3")


def test_aws_without_a_region_is_refused(project: Project) -> None:
    error = refusal(project)
    assert error.message == "No Region is configured."
    assert error.exit_code is ExitCode.TARGET


def test_a_profile_that_does_not_exist_is_one_line(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    error = refusal(project)
    assert error.message == "No usable AWS credentials: The config profile (nobody) could not be found."
    assert error.exit_code is ExitCode.TARGET


@pytest.mark.parametrize(
    "name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_SECRETS_MANAGER"]
)
def test_a_shell_that_is_set_to_a_local_lab_does_not_reach_aws(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.setenv(name, "https://127.0.0.1:4566")
    error = refusal(project)
    assert (
        error.message == f"{name} points to https://127.0.0.1:4566, so that not every call would reach AWS."
    )
    assert error.hint.startswith(f"Run `unset {name} AWS_CA_BUNDLE`")
    assert error.exit_code is ExitCode.TARGET
    monkeypatch.setenv(name, "")
    assert choose_target(project, TargetKind.AWS).region == "eu-west-3"


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ("endpoint_url = https://127.0.0.1:4566", "endpoint_url"),
        ("services = emulated", "kms.endpoint_url"),
    ],
)
def test_a_profile_that_leads_elsewhere_does_not_reach_aws(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, section: str, named: str
) -> None:
    (tmp_path / "config").write_text(
        f"[profile other]\nregion = eu-west-3\n{section}\n[profile plain]\nregion = eu-west-3\n"
        "services = tuned\n[services emulated]\nkms =\n  endpoint_url = https://127.0.0.1:4566\n"
        "[services tuned]\ns3 =\n  max_concurrent_requests = 2\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "other")
    error = refusal(project)
    assert error.message == f"The AWS profile sets {named}, so that not every call would reach AWS."
    assert error.exit_code is ExitCode.TARGET
    monkeypatch.setenv("AWS_PROFILE", "plain")
    assert choose_target(project, TargetKind.AWS).region == "eu-west-3"


@pytest.mark.parametrize(
    "url", ["https://kms.eu-central-1.amazonaws.com", "https://kms.cn-north-1.amazonaws.com.cn:443/"]
)
def test_aws_is_no_other_endpoint(project: Project, url: str) -> None:
    with pytest.raises(LabError) as caught:
        choose_target(project, TargetKind.LOCAL, url)
    assert caught.value.message == f"{url} is AWS itself, not another endpoint."
    assert caught.value.exit_code is ExitCode.BAD_INPUT


@pytest.mark.parametrize(
    "url",
    [
        "4566",
        "localhost:4566",
        "http://",
        "ftp://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://[::1",
    ],
)
def test_what_is_no_url_is_no_endpoint(project: Project, url: str) -> None:
    with pytest.raises(LabError) as caught:
        choose_target(project, TargetKind.LOCAL, url)
    assert caught.value.message == f"{url} is no endpoint."
    assert caught.value.exit_code is ExitCode.BAD_INPUT


def test_another_endpoint_is_taken_as_it_is(project: Project) -> None:
    assert choose_target(project, TargetKind.LOCAL, "https://emulator:4566") == Target(
        TargetKind.ENDPOINT, "us-east-1", endpoint_url="https://emulator:4566"
    )


def test_without_a_running_engine_there_is_no_local_target(project: Project) -> None:
    error = refusal(project, TargetKind.LOCAL)
    assert (error.message, error.hint) == ("The local engine is not running.", "Run `kmslab up`.")
    assert error.exit_code is ExitCode.ENGINE


def test_the_callers_aws_configuration_and_proxies_stay_out_of_the_local_lab(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kmslab.engine import control

    local = Target(TargetKind.LOCAL, "us-east-1", "https://127.0.0.1:1")
    monkeypatch.setattr(control, "status", lambda _: object())
    monkeypatch.setattr(control, "target", lambda _: local)
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "of-the-caller")
    assert choose_target(project, TargetKind.LOCAL) == local
    assert "of-the-caller" not in os.environ.values()
    assert os.environ["AWS_CONFIG_FILE"] == os.devnull


def test_only_named_accounts_are_touched() -> None:
    access = FakeAccess(World(), kind=TargetKind.AWS)
    with pytest.raises(LabError) as caught:
        require_sandbox(access, LabSettings(), "kmslab up --target aws")
    assert caught.value.message == f"Account {ACCOUNT} is not named as a sandbox, so the lab leaves it alone."
    assert caught.value.hint == (
        f"If it is one: `kmslab up --target aws -c kmslab.sandbox_accounts={ACCOUNT}`, or name it in cdk.json."
    )
    assert caught.value.exit_code is ExitCode.TARGET
    require_sandbox(access, NAMED, "")


@pytest.mark.parametrize("kind", [TargetKind.LOCAL, TargetKind.ENDPOINT])
def test_what_is_not_aws_needs_no_name(kind: TargetKind) -> None:
    world = World()
    require_sandbox(FakeAccess(world, kind=kind), LabSettings(), "")
    assert world.requests == []


def test_the_management_account_is_not_touched_though_it_is_named() -> None:
    world = World().answers(
        "organizations:DescribeOrganization", {"Organization": {"MasterAccountId": ACCOUNT}}
    )
    with pytest.raises(LabError, match="is the management account of its organization") as caught:
        require_sandbox(FakeAccess(world, kind=TargetKind.AWS), NAMED, "")
    assert caught.value.exit_code is ExitCode.TARGET


def test_what_could_not_be_made_sure_of_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    world = World().refuses("organizations:DescribeOrganization")
    require_sandbox(FakeAccess(world, kind=TargetKind.AWS), NAMED, "")
    said = capsys.readouterr().err
    assert (
        f"Whether account {ACCOUNT} is its organization's management account could not be looked at" in said
    )


def test_a_seats_tag_is_read_by_the_trainers_account() -> None:
    seat = World().answers(
        "organizations:DescribeOrganization", {"Organization": {"MasterAccountId": "1" * 12}}
    )
    trainer = World().answers(
        "organizations:ListTagsForResource", {"Tags": [{"Key": "kmslab:sandbox", "Value": "true"}]}
    )
    reader = FakeAccess(trainer, kind=TargetKind.AWS)
    require_sandbox(FakeAccess(seat, kind=TargetKind.AWS), LabSettings(), "", reader=reader)


def test_an_organization_that_does_not_answer_stops_the_command() -> None:
    world = World().unreachable("organizations:DescribeOrganization")
    with pytest.raises(LabError, match="The target does not answer") as caught:
        require_sandbox(FakeAccess(world, kind=TargetKind.AWS), NAMED, "")
    assert caught.value.exit_code is ExitCode.TARGET


SKEWED = "The clock of this machine is wrong: AWS takes no request that is signed minutes before or after its time."


def client_error(code: str, message: str = "said so") -> botocore.ClientError:
    return botocore.ClientError({"Error": {"Code": code, "Message": message}}, "GetCallerIdentity")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (botocore.NoCredentialsError(), "No usable AWS credentials: Unable to locate credentials."),
        (
            botocore.PartialCredentialsError(provider="env", cred_var="secret"),
            "No usable AWS credentials: Partial credentials found in env, missing: secret.",
        ),
        (client_error("ExpiredToken"), "The credentials have expired."),
        (client_error("ExpiredTokenException"), "The credentials have expired."),
        (
            client_error("RequestExpired"),
            "EC2 says that the request has expired: the credentials have, or the clock of this machine is wrong.",
        ),
        (client_error("RequestTimeTooSkewed"), SKEWED),
        (client_error("SignatureDoesNotMatch", "Signature not yet current: 20261122T090000Z is"), SKEWED),
        (client_error("InvalidSignatureException", "Signature expired: 20261122T090000Z is now"), SKEWED),
        (
            botocore.InvalidConfigError(error_msg="ca_bundle is empty"),
            "The AWS configuration does not work: ca_bundle is empty",
        ),
        (
            client_error("InvalidClientTokenId"),
            "No usable AWS credentials: they are not accepted (InvalidClientTokenId).",
        ),
        (
            client_error("SignatureDoesNotMatch"),
            "No usable AWS credentials: they are not accepted (SignatureDoesNotMatch).",
        ),
        (
            client_error("AuthFailure", "AWS was not able to validate the provided access credentials"),
            "No usable AWS credentials: EC2 does not accept them (AuthFailure), or the clock of this machine is wrong.",
        ),
        (
            RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
            "The credentials were renewed and have expired already, by the clock of this machine.",
        ),
        (
            client_error("AccessDenied", "User: x is not\n authorized"),
            "Not permitted: An error occurred (AccessDenied) when calling the GetCallerIdentity operation: "
            "User: x is not authorized",
        ),
        (
            client_error("Throttling"),
            "AWS answered with an error: An error occurred (Throttling) when calling the GetCallerIdentity "
            "operation: said so",
        ),
        (
            botocore.EndpointConnectionError(endpoint_url="https://sts.amazonaws.com"),
            'The target does not answer: Could not connect to the endpoint URL: "https://sts.amazonaws.com"',
        ),
        (
            botocore.ProxyConnectionError(proxy_url="http://proxy", error="refused"),
            'The target does not answer: Failed to connect to proxy URL: "http://proxy"',
        ),
    ],
)
def test_what_botocore_says_is_one_line(error: Any, line: str) -> None:
    with pytest.raises(LabError) as caught, aws_errors_in_one_line():
        raise error
    assert caught.value.message == line
    assert caught.value.exit_code is ExitCode.TARGET


def test_a_region_that_is_misspelt_is_no_network_that_is_down() -> None:
    url = "https://sts.eu-centrall-1.amazonaws.com/"
    with pytest.raises(LabError) as caught, aws_errors_in_one_line():
        raise botocore.EndpointConnectionError(endpoint_url=url)
    assert caught.value.hint == (
        "No Region eu-centrall-1 is known to botocore: is AWS_REGION, or the profile's region, misspelt?"
    )


def test_a_region_that_is_off_is_not_taken_for_wrong_credentials() -> None:
    """`up`, `verify` and all the others that ask whether the account is a sandbox."""
    world = World().refuses("organizations:DescribeOrganization", code="UnrecognizedClientException")
    access = FakeAccess(world, kind=TargetKind.AWS)
    world.refuses("sts:GetCallerIdentity", code="InvalidClientTokenId")
    with pytest.raises(LabError, match="they are not accepted"):
        require_sandbox(access, NAMED, "")
    world.answers("sts:GetCallerIdentity", {"Account": ACCOUNT})
    with pytest.raises(LabError) as caught:
        require_sandbox(access, NAMED, "")
    assert caught.value.message == "eu-central-1 is not switched on for this account."
    assert "aws account enable-region" in caught.value.hint


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), aws_errors_in_one_line():
        raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="can't start new thread"), aws_errors_in_one_line():
        raise RuntimeError("can't start new thread")
