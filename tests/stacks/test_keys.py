"""What a key is cannot change without losing what is under it: this table is there to stop that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stacks.template import Assembly

SYMMETRIC = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", False)
IMMUTABLE = {
    "S3": SYMMETRIC,
    "Ebs": SYMMETRIC,
    "Secrets": SYMMETRIC,
    "Trail": SYMMETRIC,
    "App": SYMMETRIC,
    "Imported": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL", False),
    "Signing": ("ECC_NIST_P256", "SIGN_VERIFY", "AWS_KMS", False),
    "Rsa": ("RSA_4096", "ENCRYPT_DECRYPT", "AWS_KMS", False),
    "Agreement": ("ECC_NIST_P256", "KEY_AGREEMENT", "AWS_KMS", False),
    "Mac": ("HMAC_256", "GENERATE_VERIFY_MAC", "AWS_KMS", False),
    "Pq": ("ML_DSA_65", "SIGN_VERIFY", "AWS_KMS", False),
    "Global": ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", True),
}
ROTATION = {"S3": 180, "Ebs": 365, "Secrets": 365, "Trail": 365, "App": 365, "Global": 365}
"""Days; KMS refuses rotation on every other kind of key."""
ALIASES = {
    "alias/kms-lab/s3": "S3",
    "alias/kms-lab/ebs": "Ebs",
    "alias/kms-lab/secrets": "Secrets",
    "alias/kms-lab/trail": "Trail",
    "alias/kms-lab/app": "App",
    "alias/kms-lab/imported": "Imported",
    "alias/kms-lab/signing": "Signing",
    "alias/kms-lab/rsa": "Rsa",
    "alias/kms-lab/agreement": "Agreement",
    "alias/kms-lab/mac": "Mac",
    "alias/kms-lab/pq": "Pq",
    "alias/kms-lab/global": "Global",
}


def test_no_change_replaces_a_key(every_option: Assembly) -> None:
    """A logical id that changes replaces the key as well: these are part of the table."""
    found = {
        name: (
            key["Properties"]["KeySpec"],
            key["Properties"]["KeyUsage"],
            key["Properties"]["Origin"],
            key["Properties"].get("MultiRegion", False),
        )
        for name, key in every_option.resources("AWS::KMS::Key").items()
    }
    assert found == IMMUTABLE


def test_the_multi_region_key_is_an_option(lab: Assembly) -> None:
    assert set(lab.resources("AWS::KMS::Key")) == IMMUTABLE.keys() - {"Global"}


@pytest.mark.parametrize("key", IMMUTABLE)
def test_rotation_only_where_kms_rotates(every_option: Assembly, key: str) -> None:
    properties = every_option.properties("keys", key)
    found = (properties.get("EnableKeyRotation"), properties.get("RotationPeriodInDays"))
    assert found == ((True, ROTATION[key]) if key in ROTATION else (None, None))


def test_aliases(every_option: Assembly) -> None:
    aliases = [alias["Properties"] for alias in every_option.resources("AWS::KMS::Alias").values()]
    assert {alias["AliasName"]: alias["TargetKeyId"]["Ref"] for alias in aliases} == ALIASES


def test_a_deleted_stack_deletes_its_keys_and_a_replaced_key_stays(every_option: Assembly) -> None:
    for name, key in every_option.resources("AWS::KMS::Key").items():
        assert key["Properties"]["PendingWindowInDays"] == 7, name
        assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Delete", "Retain"), name


def test_key_policies_stay_below_the_limit(every_option: Assembly) -> None:
    """32 KiB a key policy (KMS quotas); ours are counted before CloudFormation fills in account and Region."""
    import json

    for name, key in every_option.resources("AWS::KMS::Key").items():
        assert len(json.dumps(key["Properties"]["KeyPolicy"])) < 16_384, name
