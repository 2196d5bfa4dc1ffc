"""Digests: a chain for each Region, that verifies as AWS documents and as the AWS CLI does it."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kmslab.cdk import local_environment
from kmslab.engine import control
from tests.engine.conftest import eventually
from tests.engine.trails import Trail, used

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.engine.identity import Identity
    from tests.engine.conftest import Engine

ELSEWHERE = "ap-southeast-2"
AWS_CLI = Path(__file__).resolve().parents[2] / ".kmslab" / "aws-cli" / "bin" / "aws"


@pytest.fixture
def trail(engine: Engine) -> Iterator[Trail]:
    made = Trail(engine)
    yield made
    made.trails.delete_trail(Name=made.name)


def verifies(engine: Engine, digest: tuple[dict[str, Any], bytes, str], region: str = "") -> bool:
    """As the AWS CLI's ``validate-logs`` does it."""
    says, content, signature = digest
    listed = engine.client("cloudtrail", region=region).list_public_keys()["PublicKeyList"]
    (public,) = [one["Value"] for one in listed if one["Fingerprint"] == says["digestPublicKeyFingerprint"]]
    hashed = hashlib.sha256(content).hexdigest()
    place = f"{says['digestS3Bucket']}/{says['digestS3Object']}"
    signed = f"{says['digestEndTime']}\n{place}\n{hashed}\n{says['previousDigestSignature'] or 'null'}"
    key: Any = load_der_public_key(public)
    try:
        key.verify(bytes.fromhex(signature), signed.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def validate(engine: Engine, trail: Trail, region: str) -> subprocess.CompletedProcess[str]:
    """Run the AWS CLI as the administrator, on what was delivered of one Region."""
    assert AWS_CLI.exists(), "no AWS CLI: run `make test` once, it brings one"
    return subprocess.run(  # noqa: S603  # the CLI that the lab pins, no shell
        [
            *(str(AWS_CLI), "cloudtrail", "validate-logs", "--region", region),
            *("--trail-arn", trail.arn, "--start-time", trail.since),
        ],
        env={
            **local_environment(control.target(engine.home), os.environ),
            "PATH": os.environ["PATH"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_digests_are_signed_and_form_a_chain(engine: Engine, trail: Trail) -> None:
    for _ in range(2):
        used(engine)
        trail.status()
    first, second = trail.digests()
    assert verifies(engine, first)
    assert verifies(engine, second)
    assert first[0]["previousDigestSignature"] is None
    assert second[0]["previousDigestS3Object"] == first[0]["digestS3Object"]
    assert second[0]["previousDigestSignature"] == first[2]
    assert second[0]["previousDigestHashValue"] == hashlib.sha256(first[1]).hexdigest()
    assert second[0]["digestStartTime"] == first[0]["digestEndTime"]


def test_who_asks_for_the_keys_finds_digests_to_validate(engine: Engine, trail: Trail) -> None:
    used(engine)
    (key,) = trail.trails.list_public_keys()["PublicKeyList"]
    ((says, _, _),) = trail.digests()
    assert says["digestPublicKeyFingerprint"] == key["Fingerprint"]
    elsewhere = engine.client("cloudtrail", region="ap-south-1")
    assert len(elsewhere.list_public_keys()["PublicKeyList"]) == 1


def test_a_chain_that_begins_anew_replaces_no_digest(engine: Engine, trail: Trail) -> None:
    """Ends run ahead of the clock where the status is asked often; a name holds its digest's end."""
    for _ in range(8):
        used(engine)
        trail.status()
    before = trail.digests()
    assert len(before) == 8
    for validated in (False, True):
        trail.trails.update_trail(Name=trail.name, EnableLogFileValidation=validated)
        used(engine)
        trail.status()
    assert trail.digests()[:8] == before
    (newest,) = trail.digests()[8:]
    assert newest[0]["previousDigestS3Object"] is None


def test_a_changed_digest_does_not_verify(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    ((says, content, signature),) = trail.digests()
    assert not verifies(engine, (says, content + b" ", signature))


def test_a_digest_hashes_the_log_files(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    ((says, _, _),) = trail.digests()
    hashes = {one["s3Object"]: one["hashValue"] for one in says["logFiles"]}
    delivered = trail.keys("CloudTrail")
    assert hashes == {key: hashlib.sha256(trail.read(key)[0]).hexdigest() for key in delivered}


def test_each_region_has_a_chain_of_its_own(engine: Engine, trail: Trail) -> None:
    """CloudTrail User Guide, "Validating CloudTrail log file integrity": the Regions' digests, and their keys."""
    used(engine)
    trail.status()
    used(engine, ELSEWHERE)
    engine.client("cloudtrail", region=ELSEWHERE).get_trail_status(Name=trail.arn)
    used(engine)
    used(engine, ELSEWHERE)
    trail.status()
    for region in (engine.region, ELSEWHERE):
        chain, delivered = trail.digests(region), trail.keys("CloudTrail", region)
        assert all(
            verifies(engine, one, region) for one in chain
        )  # which asks for the keys: more is delivered
        names = [says["digestS3Object"] for says, _, _ in chain]
        assert [says["previousDigestS3Object"] for says, _, _ in chain] == [None, *names[:-1]]
        assert len(names) >= 2
        files = [one["s3Object"] for says, _, _ in chain for one in says["logFiles"]]
        assert sorted(files) == sorted(delivered)
    own, other = (trail.digests(region)[0][0] for region in (engine.region, ELSEWHERE))
    assert own["digestPublicKeyFingerprint"] != other["digestPublicKeyFingerprint"]
    assert f"_CloudTrail-Digest_{ELSEWHERE}_{trail.name}_{engine.region}_" in other["digestS3Object"]


def test_a_digest_covers_no_time_in_which_nothing_was_digested(engine: Engine, trail: Trail) -> None:
    used(engine)
    trail.status()
    trail.trails.update_trail(Name=trail.name, EnableLogFileValidation=False)
    ((first, _, _),) = trail.digests()
    eventually(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > first["digestStartTime"])
    used(engine)
    trail.status()
    trail.trails.update_trail(Name=trail.name, EnableLogFileValidation=True)
    used(engine)
    trail.status()
    _, (second, _, _) = trail.digests()
    assert second["previousDigestSignature"] is None
    assert second["digestStartTime"] > first["digestStartTime"]


def test_the_aws_cli_names_each_file_that_was_changed_or_removed(engine: Engine, trail: Trail) -> None:
    """``aws cloudtrail validate-logs``, which asks for the keys first: with that comes one more delivery."""
    for _ in range(3):
        used(engine, ELSEWHERE)
        used(engine)
        trail.status()
    for region in (engine.region, ELSEWHERE):
        answer = validate(engine, trail, region)
        assert re.search(r"^([3-9])/\1 digest files valid$", answer.stdout, re.MULTILINE), answer
        assert re.search(r"^([3-9])/\1 log files valid$", answer.stdout, re.MULTILINE), answer
        assert answer.returncode == 0
    s3, digests = engine.client("s3"), sorted(trail.keys("CloudTrail-Digest"))
    logs = [one["s3Object"] for says, _, _ in trail.digests() for one in says["logFiles"]]
    s3.put_object(Bucket=trail.bucket, Key=logs[2], Body=gzip.compress(b'{"Records":[]}'))
    s3.delete_object(Bucket=trail.bucket, Key=logs[0])
    s3.delete_object(Bucket=trail.bucket, Key=digests[1])
    answer = validate(engine, trail, engine.region)
    for kind, name, why in (
        ("Digest", digests[1], "not found"),
        ("Log", logs[0], "not found"),
        ("Log", logs[2], "hash value doesn't match"),
    ):
        assert f"{kind} file\ts3://{trail.bucket}/{name}\tINVALID: {why}" in answer.stderr, answer
    assert answer.returncode == 1
    moved = {"Bucket": trail.bucket, "Key": digests[2]}
    s3.copy_object(Bucket=trail.bucket, Key=digests[0], CopySource=moved)
    answer = validate(engine, trail, engine.region)
    why = "has been moved from its original location"
    assert f"Digest file\ts3://{trail.bucket}/{digests[0]}\tINVALID: {why}" in answer.stderr, answer


def test_a_regions_key_signs_for_every_account_and_who_has_one_keeps_it(
    inside: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine of an earlier version gave each account a key of its own."""
    from ministack.core.responses import AccountRegionScopedDict, request_scope

    from kmslab.engine.cloudtrail import digests

    assert inside.account_id
    monkeypatch.setattr(digests, "SIGNING", AccountRegionScopedDict())
    digests.SIGNING.set_scoped("3" * 12, "us-east-1", "key", b"old")
    digests.SIGNING.set_scoped("3" * 12, "us-east-1", "since", 1.0)
    found = {}
    for where in [
        ("1" * 12, "us-east-1"),
        ("2" * 12, "us-east-1"),
        ("3" * 12, "us-east-1"),
        ("1" * 12, ELSEWHERE),
    ]:
        with request_scope(*where):
            found[where] = digests._signing()
    one, two, old, elsewhere = found.values()
    assert one == two
    assert old == (b"old", 1.0)
    assert len({one[0], old[0], elsewhere[0]}) == 3
