"""A verification that dies, politely or not, at any moment: the next one leaves the lab as it was."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks.temporary import LEAVING
from kmslab.deployed import read_outputs
from kmslab.engine import control
from kmslab.lab import Access
from kmslab.model.errors import ExitCode
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona
from tests.conftest import KMSLAB, DeployedLab

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENTS = (
    0.4,
    0.8,
    *(pytest.param(part, marks=pytest.mark.nightly) for part in (0.2, 0.3, 0.5, 0.6, 0.7, 0.9)),
)
"""When the verification is stopped, as a part of the time that a whole one takes."""
BUCKETS = ("data_bucket", "sse_s3_bucket", "aws_managed_bucket", "dsse_bucket")


def everything(access: Access, outputs: LabOutputs) -> dict[str, Any]:
    """What a check could leave behind: all of it, whoever made it, but keys that wait for their deletion."""
    kms, s3, ec2 = (access.client(Persona.OPERATOR, name) for name in ("kms", "s3", "ec2"))
    sqs, sns = access.client(Persona.OPERATOR, "sqs"), access.client(Persona.OPERATOR, "sns")
    events, ssm = access.client(Persona.OPERATOR, "events"), access.client(Persona.OPERATOR, "ssm")
    keys = {arn: _state(access, arn) for arn in _pages(kms, "list_keys", "Keys", "KeyArn")}
    own = [getattr(outputs, one.name) for one in LabOutputs.all() if one.name.startswith("key_")]
    return {
        "keys": {arn: state for arn, state in keys.items() if state not in LEAVING},
        "aliases": sorted(_pages(kms, "list_aliases", "Aliases", "AliasName")),
        "grants": sorted(_grants(access, [arn for arn in own if arn])),
        "objects": sorted(_objects(s3, [getattr(outputs, name) for name in BUCKETS])),
        "volumes": sorted(_pages(ec2, "describe_volumes", "Volumes", "VolumeId")),
        "snapshots": sorted(_pages(ec2, "describe_snapshots", "Snapshots", "SnapshotId", OwnerIds=["self"])),
        "queues": sqs.list_queues().get("QueueUrls", []),
        "subscriptions": sorted(_pages(sns, "list_subscriptions", "Subscriptions", "SubscriptionArn")),
        "rules": sorted(rule["Name"] for rule in events.list_rules()["Rules"]),
        "parameters": sorted(_pages(ssm, "describe_parameters", "Parameters", "Name")),
        "buckets": sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"]),
    }


def _pages(client: Any, operation: str, members: str, name: str, **parameters: Any) -> Iterator[str]:
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from (one[name] for one in page[members])


def _state(access: Access, arn: str) -> str:
    """A key's state, as whoever may ask: the auditor for the lab's keys, the operator for the others."""
    for persona in (Persona.AUDITOR, Persona.OPERATOR):
        kms = access.client(persona, "kms")
        try:
            return str(kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"])
        except kms.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
    return "nobody's to look at"  # of a lab that another test put beside this one, and destroyed


def _grants(access: Access, arns: list[str]) -> Iterator[str]:
    kms = access.client(Persona.AUDITOR, "kms")
    for arn in arns:
        yield from _pages(kms, "list_grants", "Grants", "GrantId", KeyId=arn)


def _objects(s3: Any, buckets: list[str]) -> Iterator[str]:
    for bucket in buckets:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in page.get("Versions", []) + page.get("DeleteMarkers", []):
                yield f"{bucket}/{one['Key']}/{one['VersionId']}"


@pytest.fixture(scope="module")
def access(deployed_lab: DeployedLab) -> Access:
    return Access(control.target(deployed_lab.home), "kms-lab")


@pytest.fixture(scope="module")
def whole_seconds(deployed_lab: DeployedLab) -> float:
    """How long a whole verification takes here and now; it also leaves the lab swept."""
    began = time.monotonic()
    assert deployed_lab.kmslab("verify").returncode == ExitCode.OK
    return time.monotonic() - began


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_dead_run_left_the_next_one_removes(
    deployed_lab: DeployedLab, access: Access, whole_seconds: float, moment: float, kill: signal.Signals
) -> None:
    outputs = read_outputs(access)
    before = everything(access, outputs)
    with subprocess.Popen(  # noqa: S603  # our own script
        [KMSLAB, "verify"],
        cwd=deployed_lab.root,
        env=deployed_lab.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            process.wait(moment * whole_seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(kill)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    if kill is signal.SIGINT:  # it cleans up itself
        # Or it had ended: Python gives its signal handlers back before the process is gone.
        assert process.returncode in {ExitCode.INTERRUPTED, ExitCode.OK, -signal.SIGINT}
        assert everything(access, outputs) == before
    again = deployed_lab.kmslab("verify", "--only", "direct.at-most-4096-bytes")
    assert again.returncode == ExitCode.OK, again.stdout + again.stderr
    assert everything(access, outputs) == before
