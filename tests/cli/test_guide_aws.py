"""The guards and the stand-in of `make guide-aws`; that the pages are right on AWS only AWS can prove."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.commands import guide_aws, on_aws
from kmslab.guides.runner import Result
from kmslab.model.target import Credentials, Target, TargetKind
from tests.checks.fakes import ACCOUNT, FakeAccess, World

if TYPE_CHECKING:
    from pathlib import Path

    from kmslab.guides.page import Page
    from kmslab.project import Project

OTHER = "444455556666"
PAGE = "# T\n\n```bash\n# Only on AWS: no trail here\ntrue\n```\n"


class Runs:
    """Stands in for the runner of pages."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.environment: dict[str, str] = {}
        self.problems: tuple[Any, ...] = ()
        self.second: bool | None = None
        self.neighbour = ""

    def run(
        self,
        page: Page,
        folder: Path,
        environment: dict[str, str],
        *,
        timeout: float,
        on_aws: bool,
        second_account: bool,
    ) -> Result:
        assert folder.is_dir()
        assert timeout > 120
        assert on_aws
        self.pages.append(page.name)
        self.environment = environment
        self.second = second_account
        shown = subprocess.run(
            ["kmslab", "guide", "--help"],  # noqa: S607  # which one the PATH leads to is the question
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Read the course" in shown.stdout
        if second_account:
            become = 'eval "$(kmslab env --neighbour)"; echo "$AWS_PROFILE ${AWS_ACCESS_KEY_ID-none}"'
            self.neighbour = subprocess.run(  # noqa: S603  # what a page's shell evaluates
                ["bash", "-c", become],  # noqa: S607  # as the runner finds it
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
        return Result(self.problems, 1, 0.1, () if second_account else page.steps)


@pytest.fixture
def runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> Runs:
    stand_in = Runs()
    (project.root / "lab_guides").mkdir()
    for stem in ("01-orientation", "05-s3", "notes"):
        (project.root / "lab_guides" / f"{stem}.md").write_text(PAGE)
    monkeypatch.setattr(guide_aws, "run", stand_in.run)
    monkeypatch.setattr(guide_aws, "find_project", lambda: project)
    monkeypatch.setattr(guide_aws, "choose_target", lambda _, kind: Target(kind, "eu-central-1"))
    monkeypatch.setattr(guide_aws, "Access", lambda *_: FakeAccess(World(), kind=TargetKind.AWS))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOPERATOR")
    return stand_in


def test_an_account_that_is_no_sandbox_runs_no_page(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert guide_aws.main([]) == 5
    assert f"Account {ACCOUNT} is not named as a sandbox" in capsys.readouterr().err
    assert runs.pages == []
    assert guide_aws.main(["-c", "kmslab.sandbox_accounts=444455556666"]) == 5
    assert runs.pages == []


def test_in_a_sandbox_every_page_of_the_course_runs(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    named = ["-c", f"kmslab.sandbox_accounts={ACCOUNT}"]
    assert guide_aws.main(named) == 0
    assert runs.pages == ["01-orientation", "05-s3"]
    assert runs.environment["AWS_REGION"] == "eu-central-1"
    assert runs.environment[on_aws.CONTEXT] == f"kmslab.sandbox_accounts={ACCOUNT}"
    assert "05-s3: 1 of 1 steps" in capsys.readouterr().out
    runs.problems = ("05-s3.md:3: the output is not what the page says",)
    assert guide_aws.main(named) == 1


def test_one_page_can_be_named(runs: Runs, project: Project) -> None:
    page = project.root / "lab_guides" / "05-s3.md"
    assert guide_aws.main(["-c", f"kmslab.sandbox_accounts={ACCOUNT}", str(page)]) == 0
    assert runs.pages == ["05-s3"]
    assert guide_aws.main(["-c", f"kmslab.sandbox_accounts={ACCOUNT}", str(page.with_name("none.md"))]) == 2


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator has a profile for a second account, whose access key the fake AWS knows."""
    config = tmp_path / "config"
    config.write_text(
        "[profile other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = s\n[profile bare]\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class Second(FakeAccess):
    """Access to another account."""

    def __init__(self, account: str) -> None:
        super().__init__(World(), kind=TargetKind.AWS)
        self.of = account

    @property
    def caller(self) -> dict[str, str]:
        return {"Account": self.of, "Arn": f"arn:aws:iam::{self.of}:user/somebody", "UserId": "AIDAOTHER"}


def knows(monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    """Who has the other profile's access key is in this account."""

    def access(target: Target, _: str) -> FakeAccess:
        if target.credentials is None:
            return FakeAccess(World(), kind=TargetKind.AWS)
        assert target.credentials.access_key_id == "AKIAOTHER"
        return Second(account)

    monkeypatch.setattr(guide_aws, "Access", access)


@pytest.mark.usefixtures("profiles")
def test_a_second_account_is_told_to_the_pages(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    knows(monkeypatch, OTHER)
    named = ["-c", f"kmslab.sandbox_accounts={ACCOUNT},{OTHER}", "--second", "other"]
    assert guide_aws.main(named) == 0
    assert runs.second is True
    assert runs.neighbour == "other none"


def test_without_one_the_steps_that_need_it_are_left_out_and_told(
    runs: Runs, capsys: pytest.CaptureFixture[str], project: Project
) -> None:
    page = project.root / "lab_guides" / "05-s3.md"
    page.write_text("# T\n\n```bash\n# Needs a second account: it asks\ntrue\n```\n")
    assert guide_aws.main(["-c", f"kmslab.sandbox_accounts={ACCOUNT}", str(page)]) == 0
    assert runs.second is False
    assert f"{page}:4: not run: needs a second account: it asks" in capsys.readouterr().out


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("profile", "account", "why"),
    [
        ("other", ACCOUNT, "which is the lab's"),
        ("other", "777788889999", "Account 777788889999 is not named as a sandbox"),
        ("bare", OTHER, "The profile bare has no credentials"),
        ("missing", OTHER, "missing"),
    ],
)
def test_a_second_account_must_be_another_sandbox(
    runs: Runs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    profile: str,
    account: str,
    why: str,
) -> None:
    knows(monkeypatch, account)
    named = ["-c", f"kmslab.sandbox_accounts={ACCOUNT},{OTHER}", "--second", profile]
    assert guide_aws.main(named) == 5
    assert why in capsys.readouterr().err
    assert runs.pages == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["verify", "--only", "s3"], ["verify", "--only", "s3", "--target", "aws", "-c", "kmslab.prefix=x"]),
        (["break", "s3.a"], ["break", "s3.a", "--target", "aws", "-c", "kmslab.prefix=x"]),
        (["status"], ["status", "--target", "aws"]),
        (["guide"], ["guide"]),
        ([], []),
    ],
)
def test_a_command_of_a_page_means_the_lab_on_aws(typed: list[str], meant: list[str]) -> None:
    assert on_aws.on_aws(typed, ["kmslab.prefix=x"]) == meant


def test_a_shell_becomes_a_persona_and_the_operator_again() -> None:
    operator = {
        "AWS_ACCESS_KEY_ID": "AKIAOPERATOR",
        "AWS_SECRET_ACCESS_KEY": "it's",
        "AWS_PROFILE": "sandbox",
    }
    variables = {**operator, **on_aws.saved(operator)}
    persona = on_aws.exports(variables, Credentials("ASIAPERSONA", "secret", "token"))
    back = on_aws.exports(variables, None)
    script = f'{persona}echo "$AWS_ACCESS_KEY_ID ${{AWS_PROFILE-none}}"\n{back}env | grep ^AWS_ | sort\n'
    seen = subprocess.run(  # noqa: S603  # what a page's shell evaluates
        ["bash", "-c", script],  # noqa: S607  # as the runner finds it
        env={**variables, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.splitlines() == [
        "ASIAPERSONA none",
        "AWS_ACCESS_KEY_ID=AKIAOPERATOR",
        "AWS_PROFILE=sandbox",
        "AWS_SECRET_ACCESS_KEY=it's",
    ]


def test_other_commands_act_as_the_operator() -> None:
    variables = {
        **on_aws.saved({"AWS_PROFILE": "sandbox"}),
        "AWS_ACCESS_KEY_ID": "ASIAPERSONA",
        "AWS_SESSION_TOKEN": "token",
    }
    on_aws.as_operator(variables)
    assert {name: value for name, value in variables.items() if name.startswith("AWS_")} == {
        "AWS_PROFILE": "sandbox"
    }
