from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kmslab.model.errors import ExitCode, LabError
from kmslab.model.settings import LabSettings, Rotation

PROJECT = Path(__file__).parents[2]


def refusal(context: dict[str, Any]) -> LabError:
    with pytest.raises(LabError) as caught:
        LabSettings.from_context(context)
    assert caught.value.exit_code is ExitCode.BAD_INPUT
    assert "\n" not in f"{caught.value.message}{caught.value.hint}"
    return caught.value


def test_defaults() -> None:
    settings = LabSettings.from_context({})
    assert settings.model_dump() == {
        "prefix": "kms-lab",
        "admin_user": "kenya-one",
        "operators": (),
        "pending_window_days": 7,
        "rotation_days": {
            "s3": 180,
            "ebs": 365,
            "secrets": 365,
            "trail": 365,
            "app": 365,
            "multi_region": 365,
        },
        "volume_count": 1,
        "volume_size_gib": 1,
        "network": False,
        "instance": False,
        "global_key": False,
        "ttl_hours": 0,
        "sandbox_accounts": (),
        "permissions_boundary": "",
    }


def test_cdk_json_says_the_defaults() -> None:
    assert LabSettings.from_project(PROJECT) == LabSettings.from_context({})


def test_the_cdk_cli_passes_strings() -> None:
    settings = LabSettings.from_context(
        {
            "kmslab": {"prefix": "kms-lab", "rotation_days": {"ebs": 90}},
            "kmslab.prefix": "class-7",
            "kmslab.volume_count": "3",
            "kmslab.network": "true",
            "kmslab.rotation_days.s3": "2560",
            "kmslab.sandbox_accounts": "111122223333, 444455556666",
            "kmslab.operators": "arn:aws:iam::111122223333:role/class-*",
            "@aws-cdk/core:anything": True,
        }
    )
    assert settings.prefix == "class-7"
    assert settings.volume_count == 3
    assert settings.network is True
    assert settings.rotation_days == Rotation(s3=2560, ebs=90)
    assert settings.sandbox_accounts == ("111122223333", "444455556666")
    assert settings.operators == ("arn:aws:iam::111122223333:role/class-*",)


def test_an_object_can_be_passed_as_json() -> None:
    settings = LabSettings.from_context({"kmslab": '{"prefix": "class-7", "volume_size_gib": 4}'})
    assert (settings.prefix, settings.volume_size_gib) == ("class-7", 4)


def test_the_context_is_not_changed() -> None:
    context: dict[str, Any] = {"kmslab": {"rotation_days": {"s3": 90}}, "kmslab.rotation_days.s3": "91"}
    LabSettings.from_context(context)
    assert context["kmslab"] == {"rotation_days": {"s3": 90}}


def test_settings_are_frozen() -> None:
    settings = LabSettings.from_context({})
    with pytest.raises(ValidationError):
        settings.prefix = "other"


DAYS = "a whole number of days from 90 to 2560"
OPERATORS = (
    "a comma-separated list of ARN patterns of IAM users or roles, such as "
    "arn:aws:iam::111122223333:role/class-*, and not of sessions (sts) or root"
)
PREFIX = (
    "3 to 20 lower-case letters, digits and single hyphens, beginning with a letter and not with aws or ssm"
)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        *(
            ("prefix", prefix, PREFIX)
            for prefix in ("", "x", "ab", "Class", "7th", "a--b", "a-", "a_b", "a" * 21)
        ),
        ("prefix", "class-7\n", PREFIX),
        *(("prefix", prefix, PREFIX) for prefix in ("aws-lab", "ssmlab", "sthree-a", "amzn-s3-demo-a")),
        *(
            ("admin_user", user, "an IAM user name of 1 to 64 letters, digits and +=,.@_-, and not root")
            for user in ("", "root", "Root", "a b", "a" * 65, "kenya-one\n", "root\n")
        ),
        *(
            ("pending_window_days", days, "a whole number of days from 7 to 30")
            for days in ("6", "31", "week", "7.5", "", "7.0", 7.0, True, None, " 7", "\u0667", "9" * 5000)
        ),
        *(
            (f"rotation_days.{key}", days, DAYS)
            for key in ("s3", "ebs", "secrets", "trail", "app", "multi_region")
            for days in ("89", "2561", 90.0, True)
        ),
        ("rotation_days", "180", 'an object of days by key, such as {"s3": 180}'),
        *(("volume_count", count, "a whole number from 1 to 4") for count in ("0", "5", "x", True, 1.0)),
        *(
            ("volume_size_gib", size, "a whole number of GiB from 1 to 100")
            for size in ("0", "101", "1.5", True, 1.0)
        ),
        *(
            (key, value, "true or false")
            for key in ("network", "global_key")
            for value in ("maybe", "2", "1", "yes", "on", "True", "true\n", "", 1, 0, 1.0, None)
        ),
        *(("instance", v, "true or false, and true only with network=true") for v in ("perhaps", 1, "yes")),
        ("sandbox_accounts", "1234", "a comma-separated list of 12-digit account ids"),
        *(
            ("operators", arn, OPERATORS)
            for arn in (
                "alice",
                "arn:aws:sts::111122223333:assumed-role/class/me",
                "arn:aws:iam::111122223333:root",
                "arn:aws:iam::111122223333:group/class",
            )
        ),
    ],
)
def test_a_wrong_value_names_key_value_and_what_is_allowed(key: str, value: object, allowed: str) -> None:
    error = refusal({f"kmslab.{key}": value})
    assert error.message == f"kmslab.{key} is {json.dumps(value)}, but must be {allowed}"
    assert error.hint == f"change it in cdk.json or with -c kmslab.{key}=<value>"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sandbox_accounts", "111122223333\n"),
        ("sandbox_accounts", "\u0661" * 12),
        ("operators", "arn:aws:iam::111122223333:role/class-*\n"),
    ],
)
def test_one_wrong_item_of_a_list_is_named(key: str, value: str) -> None:
    """A list of ``cdk.json`` comes as it is; only what ``-c`` passes is split and stripped."""
    message = refusal({"kmslab": {key: [value]}}).message
    assert message.startswith(f"kmslab.{key} is {json.dumps(value)}, but must be a comma-separated list of ")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::*:role/class-*",
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Class_?",
    ],
)
def test_operators_are_users_and_roles(arn: str) -> None:
    assert LabSettings.from_context({"kmslab.operators": arn}).operators == (arn,)


@pytest.mark.parametrize(("value", "read"), [("true", True), ("false", False), (True, True), (False, False)])
def test_true_and_false_come_from_the_cli_and_from_json(value: object, read: object) -> None:
    assert LabSettings.from_context({"kmslab.network": value}).network is read


def test_an_unknown_setting_says_where_they_are_described() -> None:
    assert refusal({"kmslab.prefx": "a"}).hint == "see docs/settings.md"
    assert (PROJECT / "docs" / "settings.md").is_file()


def test_the_instance_needs_the_network() -> None:
    error = refusal({"kmslab.instance": "true"})
    assert error.message == (
        "kmslab.instance is true, but must be true or false, and true only with network=true"
    )
    assert LabSettings.from_context({"kmslab.instance": "true", "kmslab.network": "true"}).instance


def test_an_unknown_setting_lists_the_known_ones() -> None:
    assert refusal({"kmslab.prefx": "a"}).message == (
        "kmslab.prefx is no setting of the lab; the settings are prefix, admin_user, operators, "
        "pending_window_days, rotation_days, volume_count, volume_size_gib, network, instance, global_key, "
        "ttl_hours, sandbox_accounts, permissions_boundary"
    )
    assert refusal({"kmslab.rotation_days.rsa": "90"}).message == (
        "kmslab.rotation_days.rsa is no setting of the lab; the settings are s3, ebs, secrets, trail, app, "
        "multi_region"
    )


@pytest.mark.parametrize("value", ["prefix=a", "[]", 7, ["prefix"], None])
def test_settings_must_be_an_object(value: object) -> None:
    assert refusal({"kmslab": value}).message == "the context value kmslab must be an object of settings"


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"context": []}'])
def test_a_folder_without_a_usable_cdk_json(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cdk.json").write_text(content)
    with pytest.raises(LabError) as caught:
        LabSettings.from_project(tmp_path)
    assert str(tmp_path / "cdk.json") in caught.value.message
    assert caught.value.exit_code is ExitCode.BAD_INPUT


def test_overrides_of_a_project() -> None:
    assert LabSettings.from_project(PROJECT, {"kmslab.prefix": "class-7"}).prefix == "class-7"
