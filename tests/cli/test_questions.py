"""``kmslab who-can`` and ``kmslab explain`` on a fake account: what is printed, and how they end."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from kmslab.access import reading
from kmslab.access.reader import Reader
from kmslab.access.things import Finder
from kmslab.checks.expectations import KEYS
from kmslab.cli import app
from kmslab.commands import explain, who_can
from kmslab.model.errors import ExitCode
from tests.checks.account_world import AccountWorld
from tests.checks.fakes import ACCOUNT, OUTPUTS, FakeAccess, key_arn, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kmslab.access.reading import Reading
    from kmslab.commands.who_can import Asked

    Run = Callable[..., Any]


@pytest.fixture
def world() -> AccountWorld:
    return AccountWorld()


@pytest.fixture
def run(world: AccountWorld, monkeypatch: pytest.MonkeyPatch) -> Run:
    @contextmanager
    def opened(_: Asked) -> Iterator[tuple[Reading, Finder]]:
        access = FakeAccess(world)
        found = reading.read(access, OUTPUTS)
        yield found, Finder(Reader(access), found, OUTPUTS)

    monkeypatch.setattr(who_can, "opened", opened)
    monkeypatch.setattr(explain, "opened", opened)
    for module in (who_can, explain):
        monkeypatch.setattr(module.out, "_width", 240)
    return lambda *words: CliRunner().invoke(app, [*words])


def rows(result: Any) -> dict[str, tuple[str, str]]:
    """Principal to (allowed or refused, decided by)."""
    found = {}
    for line in result.stdout.splitlines():
        for word in (who_can.ALLOWED, who_can.REFUSED):
            principal, said, why = line.partition(f" {word} ")
            if said:
                found[principal.strip()] = (word, why.strip())
    return found


def test_who_can_decrypt(run: Run) -> None:
    result = run("who-can", "decrypt", "app")
    assert result.exit_code == ExitCode.OK, result.output
    said = rows(result)
    assert said["data-owner"] == ("allowed", "AllowDecrypt of the key policy of alias/kms-lab/app")
    assert (
        said["data-reader"][0]
        == said["operator"][0]
        == said["kenya-one"][0]
        == said["root user"][0]
        == "refused"
    )
    assert said["data-reader"][1] == "nothing in the key policy of alias/kms-lab/app; nearest: AllowDecrypt"
    assert "Anyone in the account whom IAM allows it may not." in result.stdout
    assert "Anyone in another account may not." in result.stdout
    assert "kmslab=training" in result.stderr


def test_those_who_may_come_first(run: Run) -> None:
    verdicts = [verdict for verdict, _ in rows(run("who-can", "decrypt", "app")).values()]
    assert verdicts == sorted(verdicts)


def test_all_are_everybody_in_the_account(run: Run, world: AccountWorld) -> None:
    world.others.append("contractor")
    assert "contractor" not in rows(run("who-can", "decrypt", "app"))
    assert "contractor" in rows(run("who-can", "decrypt", "app", "--all"))


def test_another_encryption_context(run: Run) -> None:
    assert (
        rows(run("who-can", "decrypt", "app", "--encryption-context", "kmslab=other"))["data-owner"][0]
        == "refused"
    )
    assert rows(run("who-can", "decrypt", "app", "--encryption-context", ""))["data-owner"][0] == "refused"
    both = ("--encryption-context", "kmslab=training", "--encryption-context", "more=1")
    assert rows(run("who-can", "decrypt", "app", *both))["data-owner"][0] == "allowed"


def test_through_a_service_iam_may_decide(run: Run) -> None:
    result = run("who-can", "decrypt", "secrets", "--via", "secretsmanager")
    assert rows(result)["kenya-one"][0] == "allowed"
    assert "Anyone in the account whom IAM allows it may: AllowDecrypt of the key policy" in result.stdout


def test_an_object_takes_two_permissions(run: Run, world: AccountWorld) -> None:
    world.answers(
        "s3:HeadObject",
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn("s3"), "BucketKeyEnabled": True},
    )
    result = run("who-can", "read", f"s3://{OUTPUTS.data_bucket}/name", "--format", "json")
    answer = json.loads(result.stdout)
    assert [step["action"] for step in answer["steps"]] == ["s3:GetObject", "kms:Decrypt"]
    operator = next(one for one in answer["principals"] if one["principal"] == "storage-operator")
    assert [step["allowed"] for step in operator["steps"]] == [True, False]
    assert operator["allowed"] is False


def test_json_names_policy_statement_and_effect(run: Run) -> None:
    answer = json.loads(run("who-can", "decrypt", "app", "--format", "json").stdout)
    owner = next(one for one in answer["principals"] if one["principal"] == "data-owner")
    assert owner["arn"] == role_arn("data-owner")
    assert owner["allowed"] is True
    reason = owner["steps"][0]["reasons"][0]
    assert (reason["policy"], reason["statement"], reason["effect"]) == (
        "key policy of alias/kms-lab/app",
        "AllowDecrypt",
        "Allow",
    )
    assert {one["principal"]: one["allowed"] for one in answer["anyone"]} == {
        "anyone in the account whom IAM allows it": False,
        "anyone in another account": False,
    }


def test_an_arn_is_printed_as_it_is(run: Run, world: AccountWorld) -> None:
    """``:secret:`` is a part of ARNs, and one of Rich's names for an emoji."""
    world.answers(
        "secretsmanager:DescribeSecret",
        {"ARN": OUTPUTS.app_secret, "Name": "kms-lab/app", "KmsKeyId": key_arn("secrets")},
    )
    result = run("who-can", "read", "kms-lab/app", "--format", "json")
    assert json.loads(result.stdout)["steps"][0]["resource"] == OUTPUTS.app_secret
    assert OUTPUTS.app_secret in run("explain", "data-owner", "read", "kms-lab/app").stdout


def test_the_matrix_of_one_operation(run: Run) -> None:
    result = run("who-can", "decrypt", "all")
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert lines["principal"].split()[1:] == [key.name for key in KEYS]
    assert "via s3" in lines["data-reader"]
    assert "yes" in lines["data-owner"]
    assert "yes" not in lines["outsider"]


def test_the_whole_matrix(run: Run) -> None:
    result = run("who-can", "all", "all")
    assert "Decrypt via s3" in result.stdout
    assert "GenerateMac, VerifyMac" in result.stdout
    cells = json.loads(run("who-can", "all", "all", "--format", "json").stdout)["cells"]
    owner = [
        c
        for c in cells
        if (c["principal"], c["key"], c["operation"], c["route"]) == ("data-owner", "app", "Decrypt", "")
    ]
    assert [cell["allowed"] for cell in owner] == [True]


def test_explain_a_refusal(run: Run) -> None:
    result = run("explain", "data-reader", "kms:Decrypt", "app")
    assert result.exit_code == ExitCode.OK
    assert result.stdout.startswith("Refused: data-reader, Decrypt alias/kms-lab/app")
    assert "its statement AllowDecrypt would, but aws:PrincipalArn is" in result.stdout
    assert (
        "What would change it: The key policy of alias/kms-lab/app would have to allow kms:Decrypt"
        in result.stdout
    )
    assert (
        "IAM's simulator on kms:Decrypt, by identity policies alone: implicitDeny, as computed here."
        in result.stderr
    )
    assert "no grants, and no resource policies for roles" in result.stderr


def test_explain_a_permission(run: Run) -> None:
    result = run("explain", "data-owner", "decrypt", "app")
    assert result.exit_code == ExitCode.OK
    assert result.stdout.startswith("Allowed: data-owner, Decrypt alias/kms-lab/app")
    assert "Sid AllowDecrypt, Allow, in the key policy of alias/kms-lab/app" in result.stdout
    assert "inline policy own of role kms-lab-data-owner" in result.stdout


def test_explain_by_arn_by_role_name_and_for_root(run: Run) -> None:
    for who in (role_arn("data-owner"), "kms-lab-data-owner", "data-owner"):
        assert run("explain", who, "decrypt", "app").stdout.startswith("Allowed: data-owner,")
    root = run("explain", "root", "put-key-policy", "app")
    assert root.stdout.startswith("Allowed: root user,")
    assert "simulator" not in root.stderr


def test_explain_what_is_no_key(run: Run) -> None:
    result = run("explain", "kenya-one", "iam:PutRolePolicy", role_arn("signer"))
    assert result.stdout.startswith("Refused: kenya-one")
    assert "Sid NobodyWithoutTheBoundary, Deny, in the policy admin-boundary" in result.stdout


def test_explain_tells_what_was_not_asked_any_more(run: Run, world: AccountWorld) -> None:
    world.answers("s3:HeadObject", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn("s3")})
    result = run("explain", "signer", "s3:GetObject", f"s3://{OUTPUTS.data_bucket}/name")
    assert "Not asked any more: kms:Decrypt." in result.stdout


def test_explain_as_json(run: Run) -> None:
    answer: dict[str, Any] = json.loads(
        run("explain", "data-reader", "decrypt", "app", "--format", "json").stdout
    )
    assert answer["allowed"] is False
    assert answer["steps"][0]["remedy"].startswith("The key policy of alias/kms-lab/app would have to allow")
    assert answer["simulator"] == [{"action": "kms:Decrypt", "computed": False, "simulated": "implicitDeny"}]


@pytest.mark.parametrize(
    ("words", "line", "hint"),
    [
        (["who-can", "decrpt", "app"], "decrpt is nothing that one does with a key.", "Did you mean decrypt"),
        (["who-can", "decrypt", "aap"], "aap is no key, object, volume or secret.", "app"),
        (["who-can", "sign", "app"], "Sign means nothing for the key app", "who-can all all"),
        (["who-can", "all", "app"], "all operations are shown for all keys only.", "who-can all all"),
        (
            ["who-can", "decrypt", "app", "--via", "sqs"],
            "--via sqs: that service is not known.",
            "Choose from s3",
        ),
        (
            ["who-can", "decrypt", "app", "--encryption-context", "a"],
            "--encryption-context a has no value.",
            "KEY=VALUE",
        ),
        (
            ["explain", "data-redaer", "decrypt", "app"],
            f"data-redaer is no user or role of account {ACCOUNT}.",
            "data-reader",
        ),
        (
            ["explain", "signer", "s3:GetObject", "app"],
            "s3:GetObject is nothing that one does with a key.",
            "kms:Decrypt",
        ),
        (["explain", "signer", "kms:Sing", "signing"], "kms:Sing is nothing", "Did you mean sign"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(run: Run, words: list[str], line: str, hint: str) -> None:
    result = run(*words)
    assert result.exit_code == ExitCode.BAD_INPUT
    assert line in result.stderr
    assert hint in result.stderr
    assert "Traceback" not in result.output


def test_what_cannot_be_read_is_one_line(run: Run, world: AccountWorld) -> None:
    world.refuses("iam:GetAccountAuthorizationDetails", code="AccessDenied")
    result = run("who-can", "decrypt", "app")
    assert result.exit_code == ExitCode.TARGET
    assert "Could not read iam:GetAccountAuthorizationDetails: not permitted" in result.stderr
