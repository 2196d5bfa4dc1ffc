"""An upgrade on the engine: the templates of an earlier release, data, today's templates, and the same data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.naming import ENCRYPTION_CONTEXT, PREFIX_TAG
from kmslab.model.persona import Persona
from tests.beside import STACKS, LabBeside, current_templates
from tests.engine.ebs import snapshot_of
from tests.upgrades.keep import HERE
from tests.upgrades.losses import STATEFUL
from tests.upgrades.test_losses import RELEASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.model.outputs import LabStack
    from tests.beside import Templates
    from tests.conftest import DeployedLab

PREFIX = "upgraded"
PLAINTEXT = b"written under an earlier release"
BLOCK = PLAINTEXT.ljust(524_288, b".")
ASSET = re.compile(r"[0-9a-f]{64}(?=\.zip)")


@dataclass(frozen=True)
class Data:
    """What somebody has in a lab.

    Attributes:
        secret: the value that was generated for the secret.
        snapshot: id of a snapshot with one block, under the key of the lab's volume.
        app: PLAINTEXT under the app key, with the lab's encryption context.
        rsa: PLAINTEXT under the RSA key.
        mac: of PLAINTEXT.
        signature: of PLAINTEXT.
    """

    secret: str
    snapshot: str
    app: bytes
    rsa: bytes
    mac: bytes
    signature: bytes


RSA: dict[str, Any] = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
MAC: dict[str, Any] = {"MacAlgorithm": "HMAC_SHA_256", "Message": PLAINTEXT}
SIGNED: dict[str, Any] = {"SigningAlgorithm": "ECDSA_SHA_256", "Message": PLAINTEXT}


def put(lab: LabBeside) -> Data:
    """Put data into the lab, everywhere it can be, as those who may."""
    out, owner = lab.outputs(), Persona.DATA_OWNER
    kms = lab.access.client(owner, "kms")
    lab.access.client(owner, "s3").put_object(Bucket=out.data_bucket, Key="kept", Body=PLAINTEXT)
    return Data(
        secret=secret_of(lab),
        snapshot=_snapshot(lab),
        app=kms.encrypt(KeyId=out.key_app, Plaintext=PLAINTEXT, EncryptionContext=ENCRYPTION_CONTEXT)[
            "CiphertextBlob"
        ],
        rsa=kms.encrypt(KeyId=out.key_rsa, Plaintext=PLAINTEXT, **RSA)["CiphertextBlob"],
        mac=kms.generate_mac(KeyId=out.key_mac, **MAC)["Mac"],
        signature=lab.access.client(Persona.SIGNER, "kms").sign(KeyId=out.key_signing, **SIGNED)["Signature"],
    )


def _snapshot(lab: LabBeside) -> str:
    ebs = lab.access.client(Persona.DATA_OWNER, "ebs")
    tags = [{"Key": PREFIX_TAG, "Value": lab.prefix}]
    return snapshot_of(ebs, {0: BLOCK}, Encrypted=True, KmsKeyArn=lab.outputs().key_ebs, Tags=tags)


def secret_of(lab: LabBeside) -> str:
    manager = lab.access.client(Persona.DATA_OWNER, "secretsmanager")
    return str(manager.get_secret_value(SecretId=lab.outputs().app_secret)["SecretString"])


def assert_readable(lab: LabBeside, data: Data) -> None:
    """Read everything again, as those who may."""
    out, owner = lab.outputs(), Persona.DATA_OWNER
    kms, ebs = lab.access.client(owner, "kms"), lab.access.client(owner, "ebs")
    body = lab.access.client(Persona.DATA_READER, "s3").get_object(Bucket=out.data_bucket, Key="kept")["Body"]
    assert body.read() == PLAINTEXT
    assert secret_of(lab) == data.secret
    (listed,) = ebs.list_snapshot_blocks(SnapshotId=data.snapshot)["Blocks"]
    block = ebs.get_snapshot_block(SnapshotId=data.snapshot, BlockIndex=0, BlockToken=listed["BlockToken"])
    assert block["BlockData"].read() == BLOCK
    app = kms.decrypt(KeyId=out.key_app, CiphertextBlob=data.app, EncryptionContext=ENCRYPTION_CONTEXT)
    rsa = kms.decrypt(KeyId=out.key_rsa, CiphertextBlob=data.rsa, **RSA)
    assert app["Plaintext"] == rsa["Plaintext"] == PLAINTEXT
    assert kms.verify_mac(KeyId=out.key_mac, Mac=data.mac, **MAC)["MacValid"]
    assert kms.verify(KeyId=out.key_signing, Signature=data.signature, **SIGNED)["SignatureValid"]


def stateful(lab: LabBeside, templates: Templates) -> dict[tuple[LabStack, str], str]:
    """Physical ids of what holds data, by stack and logical id."""
    resources = {stack: json.loads(text)["Resources"] for stack, text in templates.items()}
    return {
        (stack, name): physical
        for (stack, name), physical in lab.physical_ids().items()
        if resources[stack][name]["Type"] in STATEFUL
    }


def released(release: str, today: Templates) -> Templates:
    """The templates of a release, with the function that empties buckets where today's templates find it."""
    asset = next(found for text in today.values() for found in ASSET.findall(text))
    return {
        stack: (HERE / release / f"{stack}.json").read_text().replace("<asset>", asset) for stack in STACKS
    }


@pytest.fixture
def lab(deployed_lab: DeployedLab) -> Iterator[LabBeside]:
    beside = LabBeside(deployed_lab, PREFIX)
    yield beside
    ec2 = beside.access.client(Persona.OPERATOR, "ec2")
    mine = [{"Name": f"tag:{PREFIX_TAG}", "Values": [PREFIX]}]
    for snapshot in ec2.describe_snapshots(OwnerIds=["self"], Filters=mine)["Snapshots"]:
        ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
    beside.destroy()


@pytest.mark.parametrize("release", RELEASES)
def test_an_upgrade_loses_nothing(deployed_lab: DeployedLab, lab: LabBeside, release: str) -> None:
    today = current_templates(deployed_lab)
    before = released(release, today)
    lab.deploy(before)
    ids, data = stateful(lab, before), put(lab)
    assert_readable(lab, data)
    lab.deploy(today)
    assert {place: stateful(lab, today).get(place) for place in ids} == ids
    assert_readable(lab, data)
