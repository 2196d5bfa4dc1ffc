"""What the engine acknowledged is there after SIGKILL, at whatever moment; key material is ciphertext on disk."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from kmslab.engine import control, journal, snapshot
from tests.engine.conftest import refused
from tests.engine.ebs import snapshot_of
from tests.engine.test_death import BUCKET, begin_to_wait, deploy, kill, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.engine.conftest import Engine

BLOCK = bytes(range(256)) * 2048
MATERIAL = hashlib.sha256(b"material of a customer").digest()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / ".kmslab"
    yield home
    control.stop(home)


def a_key(engine: Engine) -> Callable[[Engine], None]:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [engine.own_statement()]})
    key = engine.key()
    kms = engine.client("kms")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)

    def look(again: Engine) -> None:
        found = again.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"]
        assert json.loads(found) == json.loads(policy)

    return look


def a_grant(engine: Engine) -> Callable[[Engine], None]:
    key = engine.key()
    made = engine.client("kms").create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{engine.account}:root", Operations=["Decrypt"]
    )

    def look(again: Engine) -> None:
        grants = again.client("kms").list_grants(KeyId=key)["Grants"]
        assert [grant["GrantId"] for grant in grants] == [made["GrantId"]]

    return look


def an_alias_and_a_tag(engine: Engine) -> Callable[[Engine], None]:
    kms, key = engine.client("kms"), engine.key()
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "red"}])

    def look(again: Engine) -> None:
        kms = again.client("kms")
        assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"]["Arn"] == key
        assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "team", "TagValue": "red"}]

    return look


def a_rotation(engine: Engine) -> Callable[[Engine], None]:
    kms, key = engine.client("kms"), engine.key()
    old = kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    new = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]

    def look(again: Engine) -> None:
        kms = again.client("kms")
        assert [kms.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in (old, new)] == [b"old", b"new"]
        assert [r["RotationType"] for r in kms.list_key_rotations(KeyId=key)["Rotations"]] == ["ON_DEMAND"]

    return look


def imported_material(engine: Engine) -> Callable[[Engine], None]:
    kms = engine.client("kms")
    key = engine.key(Origin="EXTERNAL")
    given = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public: Any = serialization.load_der_public_key(given["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms.import_key_material(
        KeyId=key,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=public.encrypt(MATERIAL, oaep),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

    def look(again: Engine) -> None:
        assert again.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"

    return look


def an_object_and_its_version(engine: Engine) -> Callable[[Engine], None]:
    s3 = engine.client("s3")
    s3.create_bucket(Bucket="kept-bucket")
    s3.put_bucket_versioning(Bucket="kept-bucket", VersioningConfiguration={"Status": "Enabled"})
    sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": engine.key()}
    first = s3.put_object(Bucket="kept-bucket", Key="a", Body=b"first", **sse)["VersionId"]
    s3.put_object(Bucket="kept-bucket", Key="a", Body=b"second", **sse)

    def look(again: Engine) -> None:
        s3 = again.client("s3")
        assert s3.get_object(Bucket="kept-bucket", Key="a")["Body"].read() == b"second"
        older = s3.get_object(Bucket="kept-bucket", Key="a", VersionId=first)
        assert older["Body"].read() == b"first"

    return look


def a_volume_and_a_block(engine: Engine) -> Callable[[Engine], None]:
    key, ebs = engine.key(), engine.client("ebs")
    volume = engine.client("ec2").create_volume(
        AvailabilityZone=f"{engine.region}a", Size=1, Encrypted=True, KmsKeyId=key
    )["VolumeId"]
    snapshot = snapshot_of(ebs, {7: BLOCK}, Encrypted=True, KmsKeyArn=key)

    def look(again: Engine) -> None:
        found = again.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]
        assert found["KmsKeyId"] == key
        ebs = again.client("ebs")
        token = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"][0]["BlockToken"]
        answer = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=7, BlockToken=token)
        assert answer["BlockData"].read() == BLOCK

    return look


def a_secret_and_a_parameter(engine: Engine) -> Callable[[Engine], None]:
    key = engine.key()
    engine.client("secretsmanager").create_secret(Name="kept", SecretString="hush", KmsKeyId=key)
    engine.client("ssm").put_parameter(Name="kept", Value="hush too", Type="SecureString", KeyId=key)

    def look(again: Engine) -> None:
        secret = again.client("secretsmanager").get_secret_value(SecretId="kept")["SecretString"]
        parameter = again.client("ssm").get_parameter(Name="kept", WithDecryption=True)["Parameter"]
        assert (secret, parameter["Value"]) == ("hush", "hush too")

    return look


def a_stack(engine: Engine) -> Callable[[Engine], None]:
    deploy(engine)

    def look(again: Engine) -> None:
        stack = again.client("cloudformation").describe_stacks(StackName="toolkit")["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        assert again.client("s3").get_bucket_location(Bucket=BUCKET)["LocationConstraint"] is None

    return look


KINDS = (
    a_key,
    a_grant,
    an_alias_and_a_tag,
    a_rotation,
    imported_material,
    an_object_and_its_version,
    a_volume_and_a_block,
    a_secret_and_a_parameter,
    a_stack,
)


def test_what_was_acknowledged_survives_a_kill_at_once(home: Path) -> None:
    """Each kind is killed right after its own last answer, before anything is saved as a whole."""
    engine = started(home)
    looks = []
    for make in KINDS:
        looks.append(make(engine))
        kill(engine)
        engine = started(home)
    for look in looks:
        look(engine)
    assert "removed" not in control.log_file(home).read_text()


def test_key_material_is_nowhere_in_the_state(home: Path) -> None:
    engine = started(home)
    imported_material(engine)
    for spec, usage in (("RSA_2048", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        engine.client("kms").create_key(KeySpec=spec, KeyUsage=usage)
    kill(engine)
    state = home / "engine" / "state"
    raw = secrets_of(snapshot.read(state))
    assert MATERIAL in raw
    assert len(raw) == 3
    contents = [path.read_bytes() for path in state.rglob("*") if path.is_file()]
    assert any(b"__sealed__" in content for content in contents)
    for secret in raw:
        # Base64 of the inside of a text depends on where it begins: look for all three.
        forms = {secret, secret.hex().encode()} | {base64.b64encode(secret[n:])[:-4] for n in range(3)}
        assert not [1 for content in contents for form in forms if form in content]


def secrets_of(services: dict[str, Any]) -> set[bytes]:
    """The secret bytes of every key."""
    found: set[bytes] = set()
    for key in services["kms"]["keys"]._data.values():
        found |= {key[name] for name in ("private_key", "hmac_key") if name in key}
        found |= {material["key"] for material in key.get("materials", [])}
    return found


def test_others_lose_nothing_while_a_deployment_is_cut_short(home: Path) -> None:
    engine = started(home)
    begin_to_wait(engine)
    key = engine.key()
    s3 = engine.client("s3")
    s3.create_bucket(Bucket="somebody-elses")
    s3.put_object(Bucket="somebody-elses", Key="a", Body=b"a")
    kill(engine)
    engine = started(home)
    assert engine.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Enabled"]
    assert [one["Name"] for one in engine.client("s3").list_buckets()["Buckets"]] == ["somebody-elses"]
    assert engine.client("s3").get_object(Bucket="somebody-elses", Key="a")["Body"].read() == b"a"
    with refused("ValidationError", "does not exist"):
        engine.client("cloudformation").describe_stacks(StackName="toolkit")


def test_an_update_that_was_cut_short_leaves_the_stack_as_it_was(home: Path) -> None:
    engine = started(home)
    deploy(engine)
    template = json.loads(engine_template(engine))
    template["Resources"] |= {
        "More": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": "more", "Type": "String", "Value": "x"},
        },
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Wait": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "DependsOn": "More",
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "600"},
        },
    }
    engine.client("cloudformation").update_stack(StackName="toolkit", TemplateBody=json.dumps(template))
    deadline = time.monotonic() + 10
    while not engine.client("ssm").describe_parameters()["Parameters"]:
        assert time.monotonic() < deadline
    kill(engine)
    engine = started(home)
    stack = engine.client("cloudformation").describe_stacks(StackName="toolkit")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert engine.client("ssm").describe_parameters()["Parameters"] == []
    assert json.loads(engine_template(engine))["Resources"].keys() == {"Staging"}


def engine_template(engine: Engine) -> str:
    body = engine.client("cloudformation").get_template(StackName="toolkit")["TemplateBody"]
    return body if isinstance(body, str) else json.dumps(body)


def test_the_journal_is_short_once_all_is_saved(home: Path) -> None:
    engine = started(home)
    keys = [engine.key() for _ in range(3)]
    control.stop(home)
    assert journal.files(home / "engine" / "state") == []
    kms = started(home).client("kms")
    assert all(kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"] for key in keys)


class Writer(threading.Thread):
    """Writes until the engine is gone, and remembers what was acknowledged."""

    def __init__(self, engine: Engine, number: int) -> None:
        super().__init__(daemon=True)
        self.kms, self.s3, self.ssm = (engine.client(name) for name in ("kms", "s3", "ssm"))
        self.number = number
        self.keys: dict[str, str] = {}
        self.objects: set[str] = set()
        self.parameters: dict[str, str] = {}

    def run(self) -> None:
        try:
            for turn in range(100_000):
                self.write(f"{self.number}-{turn}")
        except (BotoCoreError, ClientError):
            # The engine was killed in the midst of a request: that one was never acknowledged.
            return

    def write(self, name: str) -> None:
        key = self.kms.create_key(Description=name)["KeyMetadata"]["Arn"]
        self.keys[key] = ""
        self.kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
        self.keys[key] = f"alias/{name}"
        sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        self.s3.put_object(Bucket="shared", Key=name, Body=name.encode(), **sse)
        self.objects.add(name)
        self.ssm.put_parameter(Name=f"shared-{self.number}", Value=name, Type="String", Overwrite=True)
        self.parameters[f"shared-{self.number}"] = name


def check(engine: Engine, writers: list[Writer]) -> int:
    """Look for everything that was acknowledged; return how much that was."""
    kms, s3, ssm = (engine.client(name) for name in ("kms", "s3", "ssm"))
    for writer in writers:
        for key, alias in writer.keys.items():
            assert kms.describe_key(KeyId=alias or key)["KeyMetadata"]["Arn"] == key
        for name in writer.objects:
            assert s3.get_object(Bucket="shared", Key=name)["Body"].read() == name.encode()
        for name, value in writer.parameters.items():
            number, turn = ssm.get_parameter(Name=name)["Parameter"]["Value"].split("-")
            # The next one may have been written although nobody was told.
            assert int(turn) in (known := int(value.split("-")[1]), known + 1)
            assert int(number) == writer.number
    return sum(len(writer.keys) + len(writer.objects) for writer in writers)


def killed_among_writers(home: Path, seed: int, rounds: int) -> None:
    moments, writers = random.Random(seed), []  # noqa: S311  # moments of a test, not secrets
    engine = started(home)
    engine.client("s3").create_bucket(Bucket="shared")
    for turn in range(rounds):
        for name in ("kms", "s3", "ssm"):
            engine.client(name)  # made here: clients are not to be made by several threads at once
        mine = [Writer(engine, 4 * turn + number) for number in range(4)]
        for writer in mine:
            writer.start()
        wait_for_a_write(mine)
        time.sleep(moments.uniform(0.0, 1.5))  # the moment is what is tried
        kill(engine)
        for writer in mine:
            writer.join(30)
        writers += mine
        engine = started(home)
        assert check(engine, writers) > 0


def wait_for_a_write(writers: list[Writer]) -> None:
    deadline = time.monotonic() + 20
    while not all(writer.keys for writer in writers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_kill_at_a_random_moment_among_writers_loses_nothing(home: Path) -> None:
    killed_among_writers(home, seed=4, rounds=2)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4))
def test_many_kills_at_random_moments_lose_nothing(home: Path, seed: int) -> None:
    killed_among_writers(home, seed, rounds=5)
