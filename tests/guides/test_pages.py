"""Every guide page, run against a deployed lab: what it says one will see is what was seen."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from kmslab.guides.course import HANDBOOK, PAGES
from kmslab.guides.page import read
from kmslab.guides.runner import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import DeployedLab

ROOT = Path(__file__).resolve().parent.parent.parent
AWS_CLI = ROOT / ".kmslab" / "aws-cli" / "bin"
PATHS = [ROOT / "lab_guides" / f"{stem}.md" for stem in (*PAGES, HANDBOOK)]
ON_THEIR_WAY_OUT = {"PendingDeletion", "PendingReplicaDeletion"}
"""States of a key that is as gone as a key can be; the second is a primary's whose replica goes first."""


@pytest.fixture(scope="module")
def environment(pages_lab: DeployedLab) -> dict[str, str]:
    """What a learner's new terminal has: kmslab and aws on the PATH, and no credentials yet."""
    variables = {name: value for name, value in pages_lab.environment.items() if not name.startswith("AWS_")}
    # The lab's own environment comes first, as for who activated it: a page's `python` is the one that has kmslab.
    scripts = Path(sys.executable).parent
    variables["PATH"] = os.pathsep.join((str(scripts), str(AWS_CLI), variables["PATH"]))
    assert shutil.which("aws", path=variables["PATH"]), "no AWS CLI: run `make test` once, it brings one"
    return {**variables, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@pytest.fixture
def nothing_is_left(pages_lab: DeployedLab) -> Iterator[None]:
    """Compare what stands in the account before and after a page."""
    before = inventory(pages_lab.environment)
    yield
    assert inventory(pages_lab.environment) == before


def inventory(variables: dict[str, str]) -> dict[str, list[str]]:
    """Everything that a page could leave behind; a key on its way out is not."""
    session = boto3.Session(
        variables["AWS_ACCESS_KEY_ID"],
        variables["AWS_SECRET_ACCESS_KEY"],
        variables["AWS_SESSION_TOKEN"],
        region_name=variables["AWS_REGION"],
    )

    def client(service: Any) -> Any:
        return session.client(
            service, endpoint_url=variables["AWS_ENDPOINT_URL"], verify=variables["AWS_CA_BUNDLE"]
        )

    kms, s3, ec2, iam = (client(service) for service in ("kms", "s3", "ec2", "iam"))
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    return {
        "keys": sorted(key["KeyId"] for key in pages(kms, "list_keys", "Keys") if in_use(kms, key["KeyId"])),
        "aliases": sorted(alias["AliasName"] for alias in pages(kms, "list_aliases", "Aliases")),
        "guides' objects": sorted(
            version["Key"]
            for bucket in buckets
            for version in pages(s3, "list_object_versions", "Versions", Bucket=bucket, Prefix="guide-")
        ),
        "volumes": sorted(volume["VolumeId"] for volume in pages(ec2, "describe_volumes", "Volumes")),
        "snapshots": sorted(
            snapshot["SnapshotId"]
            for snapshot in pages(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"])
        ),
        "access keys": sorted(
            key["AccessKeyId"]
            for user in pages(iam, "list_users", "Users")
            for key in pages(iam, "list_access_keys", "AccessKeyMetadata", UserName=user["UserName"])
        ),
        "roles": sorted(role["RoleName"] for role in pages(iam, "list_roles", "Roles")),
    }


def pages(client: Any, operation: str, member: str, **parameters: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**parameters):
        yield from page.get(member, ())


def in_use(kms: Any, key_id: str) -> bool:
    """Whether the key is the customer's and not on its way out; those closed to the operator are the lab's own.

    An AWS managed key is made by its service at the first use, and nobody can delete it.
    """
    try:
        key = kms.describe_key(KeyId=key_id)["KeyMetadata"]
        return bool(key["KeyManager"] == "CUSTOMER") and key["KeyState"] not in ON_THEIR_WAY_OUT
    except kms.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True


@pytest.mark.usefixtures("nothing_is_left")
@pytest.mark.parametrize("path", PATHS, ids=[path.stem for path in PATHS])
def test_what_the_page_says_is_what_is_seen(path: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    result = run(read(path), tmp_path, {**environment, "TMPDIR": str(tmp_path)})
    assert not result.problems, "\n\n".join(map(str, result.problems))
    assert [left.name for left in tmp_path.iterdir()] == []
