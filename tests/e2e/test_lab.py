"""The real command line, the real CDK CLI, the real engine: what a user does, from up to down."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine import identity
from kmslab.model.errors import ExitCode
from kmslab.model.outputs import LabStack
from kmslab.model.persona import ROLES
from tests.conftest import ROOT, DeployedLab, exported, run_kmslab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STACKS = [f"kms-lab-{stack}" for stack in LabStack if stack is not LabStack.NETWORK]


def python(environment: dict[str, str], code: str) -> Any:
    """Run boto3 code in a process that knows the lab only through its environment; return what it prints."""
    ran = subprocess.run(  # noqa: S603  # this interpreter
        [sys.executable, "-c", f"import boto3, json\n{code}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_up_says_what_it_deploys(deployed_lab: DeployedLab) -> None:
    for stack in STACKS:
        assert f"{stack}: deployed" in deployed_lab.said
    assert "CDKToolkit: bootstrapped" in deployed_lab.said
    assert "The lab kms-lab stands in account " in deployed_lab.said


def test_every_claim_is_proven(deployed_lab: DeployedLab, tmp_path: Path) -> None:
    verified = deployed_lab.kmslab("verify", "--format", "table,json,html,junit", "--output", str(tmp_path))
    report = json.loads((tmp_path / "report.json").read_text())
    wrong = [
        f"{one['id']}: {one['summary']}" for one in report["results"] if one["outcome"] in {"FAIL", "ERROR"}
    ]
    assert wrong == []
    assert verified.returncode == ExitCode.OK, verified.stderr
    assert len(report["results"]) >= 45
    assert report["counts"]["PASS"] >= 45
    assert report["lab"]["target"] == "local"
    assert f"{report['counts']['PASS']} PASS" in verified.stdout
    assert "The lab is proven" in (tmp_path / "report.html").read_text()
    assert "<testsuites" in (tmp_path / "report.xml").read_text()


def test_only_what_was_asked_is_verified(deployed_lab: DeployedLab, tmp_path: Path) -> None:
    verified = deployed_lab.kmslab(
        "verify", "--only", "mac", "--only", "rotation", "--format", "json", "--output", str(tmp_path)
    )
    assert verified.returncode == ExitCode.OK, verified.stderr
    assert verified.stdout == ""
    report = json.loads((tmp_path / "report.json").read_text())
    assert {one["id"].partition(".")[0] for one in report["results"]} == {"mac", "rotation"}


def test_the_second_up_reuses_everything(deployed_lab: DeployedLab) -> None:
    log = deployed_lab.home / "deploy.log"
    before = log.read_text()
    started = time.monotonic()
    again = deployed_lab.kmslab("up")
    assert again.returncode == ExitCode.OK, again.stderr
    assert "nothing had changed" in again.stdout
    assert log.read_text() == before
    assert time.monotonic() - started < 10


def test_status_shows_every_stack(deployed_lab: DeployedLab) -> None:
    status = deployed_lab.kmslab("status")
    assert status.returncode == ExitCode.OK
    for stack in STACKS:
        assert any(stack in line and "_COMPLETE" in line for line in status.stdout.splitlines())


def test_boto3_uses_the_lab_with_nothing_but_the_environment(deployed_lab: DeployedLab) -> None:
    caller = python(
        deployed_lab.environment, "print(json.dumps(boto3.client('sts').get_caller_identity()['Arn']))"
    )
    assert ":assumed-role/" in caller
    aliases = python(
        deployed_lab.environment,
        "print(json.dumps([a['AliasName'] for a in boto3.client('kms').list_aliases()['Aliases']]))",
    )
    assert "alias/kms-lab/s3" in aliases


@pytest.mark.parametrize("persona", ROLES)
def test_a_shell_can_become_each_persona(deployed_lab: DeployedLab, persona: str) -> None:
    env = deployed_lab.kmslab("env", "--persona", persona)
    assert env.returncode == ExitCode.OK, env.stderr
    caller = python(
        deployed_lab.environment | exported(env.stdout),
        "print(json.dumps(boto3.client('sts').get_caller_identity()['Arn']))",
    )
    assert f":assumed-role/kms-lab-{persona}/" in caller


def test_plain_cdk_finds_nothing_to_change(deployed_lab: DeployedLab) -> None:
    from kmslab.toolchain import require_node

    node = require_node().executable
    cdk = [node, ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"]
    environment = deployed_lab.environment | {"CDK_HOME": str(deployed_lab.home / "cdk"), "CI": "true"}
    diff = subprocess.run(  # noqa: S603  # the CDK CLI of this checkout
        [
            *cdk,
            "diff",
            "--all",
            "--app",
            deployed_lab.home / "cdk.out",
            "--fail",
            "--no-notices",
            "--method",
            "template",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert diff.returncode == 0, diff.stdout + diff.stderr
    assert "Number of stacks with differences: 0" in diff.stdout + diff.stderr


def test_nothing_secret_is_said_or_logged(deployed_lab: DeployedLab) -> None:
    root = identity.load(deployed_lab.home / "engine")
    said = deployed_lab.said + "".join(
        (deployed_lab.home / name).read_text() for name in ("deploy.log", "synth.log", "engine/engine.log")
    )
    for secret in (root.secret_access_key, deployed_lab.environment["AWS_SECRET_ACCESS_KEY"]):
        assert secret not in said


@pytest.fixture(scope="module")
def second_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of another lab in the same checkout, with an engine of its own."""
    home = tmp_path_factory.mktemp("second") / "home"
    yield home
    run_kmslab(home, "engine", "stop")


def as_root(home: Path, endpoint: str, code: str) -> Any:
    """What the account's root user sees: the only one whom the keys still let look when their lab is gone."""
    root = identity.load(home / "engine")
    ca_bundle = str(home / "engine" / "tls" / "ca.pem")
    return python(
        {
            "AWS_ACCESS_KEY_ID": root.access_key_id,
            "AWS_SECRET_ACCESS_KEY": root.secret_access_key,
            "AWS_REGION": root.region,
            "AWS_DEFAULT_REGION": root.region,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_CA_BUNDLE": ca_bundle,
        },
        code,
    )


REGISTER_PHONE = """
iam = boto3.client("iam")
phone = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "234567"}
iam.enable_mfa_device(UserName="kenya-one", SerialNumber=phone, **codes)
print(len(iam.list_mfa_devices(UserName="kenya-one")["MFADevices"]))
"""
"""What guide 01 has a learner do on AWS, and no stack knows of."""

LEFT = """
kms, s3, ec2, ssm = (boto3.client(name) for name in ("kms", "s3", "ec2", "ssm"))
iam, secrets = boto3.client("iam"), boto3.client("secretsmanager")
stacks = boto3.client("cloudformation").describe_stacks()["Stacks"]
keys = [kms.describe_key(KeyId=k["KeyId"])["KeyMetadata"] for k in kms.list_keys()["Keys"]]
print(json.dumps({
    "stacks": [s["StackName"] for s in stacks if s["StackStatus"] != "DELETE_COMPLETE"],
    "keys": sorted({k["KeyState"] for k in keys if k["KeyManager"] == "CUSTOMER"}),
    "aliases": [a["AliasName"] for a in kms.list_aliases()["Aliases"] if not a["AliasName"].startswith("alias/aws/")],
    "buckets": [b["Name"] for b in s3.list_buckets()["Buckets"] if not b["Name"].startswith("cdk-")],
    "volumes": [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]],
    "snapshots": [s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]],
    "secrets": [s["Name"] for s in secrets.list_secrets()["SecretList"]],
    "parameters": [p["Name"] for p in ssm.describe_parameters()["Parameters"] if "cdk-bootstrap" not in p["Name"]],
    "users": [u["UserName"] for u in iam.list_users()["Users"]],
    "devices": [d["SerialNumber"] for d in iam.list_virtual_mfa_devices()["VirtualMFADevices"]],
    "roles": [r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].startswith("second")],
    "trails": [t["Name"] for t in boto3.client("cloudtrail").describe_trails()["trailList"]],
}))
"""


def test_down_leaves_nothing_but_keys_in_their_window(second_home: Path) -> None:
    up = run_kmslab(second_home, "up", "-c", "kmslab.prefix=second", "-c", "kmslab.pending_window_days=9")
    assert up.returncode == ExitCode.OK, up.stderr
    verified = run_kmslab(second_home, "verify", "--only", "s3", "--only", "ebs", "--only", "secrets")
    assert verified.returncode == ExitCode.OK, verified.stdout + verified.stderr
    environment = exported(run_kmslab(second_home, "env").stdout)
    assert python({**environment, "PATH": ""}, REGISTER_PHONE) == 1
    down = run_kmslab(second_home, "down", "--keep-engine")
    assert down.returncode == ExitCode.OK, down.stderr
    assert "Nothing is left but 11 keys in the deletion window" in down.stdout
    waiting = [line.partition(" until ")[2][:10] for line in down.stdout.splitlines() if "kms:key" in line]
    in_nine_days = [f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (9, 8)]
    assert len(waiting) == 11
    assert set(waiting) <= set(in_nine_days)  # the day may have ended meanwhile
    left = as_root(second_home, environment["AWS_ENDPOINT_URL"], LEFT)
    assert left.pop("keys") == ["PendingDeletion"]
    assert left.pop("stacks") == ["CDKToolkit"]
    assert {kind: names for kind, names in left.items() if names} == {}
    stopped = run_kmslab(second_home, "down")
    assert stopped.returncode == ExitCode.OK, stopped.stderr
    assert run_kmslab(second_home, "engine", "status").returncode == ExitCode.ENGINE
