"""prowler, on a lab of its own with every optional part, and its findings by what they are about."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.findings.mutes import ACCOUNT, Finding
from benchmarks.findings.templates import PREFIX, PROJECT, VARIANTS
from benchmarks.score.prowler import Prowler
from benchmarks.verification import lab_environment
from kmslab.project import HOME_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

NAMED_AFTER_ANOTHER = {
    "AWS::S3::BucketPolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SNS::TopicPolicy",
}
"""Types whose physical id is that of the resource that they belong to."""


def find(note: Callable[[str], None]) -> frozenset[Finding]:
    """Deploy a lab, have prowler look at it, and stop its engine."""
    with _lab() as environment:
        reported = Prowler(note).findings(environment)
        resources = _resources(environment)
    return frozenset(
        Finding("prowler", rule, where(uid, resources))
        for uid, _, rule in (line.rpartition(" ") for line in reported)
    )


def where(uid: str, resources: Iterable[tuple[str, str]]) -> str:
    """Return what an ARN is about, as in `Finding.where`.

    Args:
        uid: what prowler calls the resource.
        resources: physical id of each resource of the account's stacks, and ``<stack>/<logical id>``.
    """
    about = [
        (len(physical), place)
        for physical, place in resources
        if uid == physical or uid.endswith((f":{physical}", f"/{physical}"))
    ]
    return max(about)[1] if about else ACCOUNT


def _resources(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every resource of every stack: physical id, and stack and logical id."""
    import boto3

    session = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment.get("AWS_SESSION_TOKEN"),
        region_name=environment["AWS_REGION"],
    )
    cloudformation: Any = session.client(
        "cloudformation", endpoint_url=environment["AWS_ENDPOINT_URL"], verify=environment["AWS_CA_BUNDLE"]
    )
    return [
        (
            one["PhysicalResourceId"],
            f"{stack['StackName'].removeprefix(f'{PREFIX}-')}/{one['LogicalResourceId']}",
        )
        for stacks in cloudformation.get_paginator("describe_stacks").paginate()
        for stack in stacks["Stacks"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=stack["StackName"]
        )
        for one in page["StackResourceSummaries"]
        if one.get("PhysicalResourceId") and one["ResourceType"] not in NAMED_AFTER_ANOTHER
    ]


@contextmanager
def _lab() -> Iterator[dict[str, str]]:
    """Deploy a lab that nobody else works on, and stop its engine in the end."""
    kmslab = str(Path(sys.executable).with_name("kmslab"))
    settings = [
        word
        for key, value in VARIANTS["every-part"].items()
        for word in ("-c", f"kmslab.{key}={str(value).lower()}")
    ]
    before = os.environ.get(HOME_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="kmslab-findings-") as folder:
        os.environ[HOME_VARIABLE] = str(Path(folder) / "home")
        try:
            subprocess.run([kmslab, "up", *settings], cwd=PROJECT, check=True)  # noqa: S603  # our own command
            yield lab_environment(PROJECT)
        finally:
            subprocess.run([kmslab, "engine", "stop"], cwd=PROJECT, check=False)  # noqa: S603  # our own command
            if before is None:
                del os.environ[HOME_VARIABLE]
            else:
                os.environ[HOME_VARIABLE] = before
