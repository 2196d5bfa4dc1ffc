"""Keys: metadata of each kind, states and their transitions, references, lists."""

from __future__ import annotations

import datetime
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

RSA_SIGNING = [
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
]
RSA_ENCRYPTION = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
MISSING = "12345678-1234-1234-1234-123456789012"


def test_a_symmetric_key_describes_itself_fully(engine: Engine, kms: Any) -> None:
    made = kms.create_key(Description="words", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    assert re.fullmatch(r"[0-9a-f]{64}", made.pop("CurrentKeyMaterialId"))
    age = datetime.datetime.now(datetime.UTC) - made.pop("CreationDate")
    assert age < datetime.timedelta(minutes=1)
    assert made == {
        "AWSAccountId": engine.account,
        "Arn": f"arn:aws:kms:{engine.region}:{engine.account}:key/{made['KeyId']}",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "Description": "words",
        "Enabled": True,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "KeyId": made["KeyId"],
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": False,
        "Origin": "AWS_KMS",
    }


@pytest.mark.parametrize(
    ("spec", "usage", "member", "algorithms"),
    [
        ("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms", RSA_SIGNING),
        ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", RSA_ENCRYPTION),
        ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
        ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_384"]),
        ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_512"]),
        ("ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
        ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"]),
        (
            "ECC_NIST_EDWARDS25519",
            "SIGN_VERIFY",
            "SigningAlgorithms",
            ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
        ),
        ("ML_DSA_44", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
        ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_384"]),
    ],
)
def test_each_kind_lists_its_own_algorithms_and_no_others(
    kms: Any, spec: str, usage: str, member: str, algorithms: list[str]
) -> None:
    made = kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    assert {name: value for name, value in made.items() if name.endswith("Algorithms")} == {
        member: algorithms
    }
    assert "CurrentKeyMaterialId" not in made


ALWAYS_SHOWN = {
    *("AWSAccountId", "Arn", "CreationDate", "CustomerMasterKeySpec", "Description", "Enabled", "KeyId"),
    *("KeyManager", "KeySpec", "KeyState", "KeyUsage", "MultiRegion", "Origin"),
}


@pytest.mark.parametrize(
    ("parameters", "more"),
    [
        ({}, {"EncryptionAlgorithms", "CurrentKeyMaterialId"}),
        ({"MultiRegion": True}, {"EncryptionAlgorithms", "CurrentKeyMaterialId", "MultiRegionConfiguration"}),
        ({"Origin": "EXTERNAL"}, {"EncryptionAlgorithms"}),
        ({"KeySpec": "HMAC_224", "KeyUsage": "GENERATE_VERIFY_MAC"}, {"MacAlgorithms"}),
        ({"KeySpec": "ECC_NIST_P384", "KeyUsage": "KEY_AGREEMENT"}, {"KeyAgreementAlgorithms"}),
        ({"KeySpec": "ML_DSA_65", "KeyUsage": "SIGN_VERIFY"}, {"SigningAlgorithms"}),
        (
            {
                "KeySpec": "ECC_NIST_P256",
                "KeyUsage": "SIGN_VERIFY",
                "Origin": "EXTERNAL",
                "MultiRegion": True,
            },
            {"SigningAlgorithms", "MultiRegionConfiguration"},
        ),
    ],
)
def test_each_kind_shows_its_members_and_no_others(
    kms: Any, parameters: dict[str, Any], more: set[str]
) -> None:
    made = kms.create_key(**parameters)["KeyMetadata"]
    assert set(made) == ALWAYS_SHOWN | more
    shown = kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]
    assert shown == made
    kms.schedule_key_deletion(KeyId=made["KeyId"])
    waiting = kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]
    assert set(waiting) == ALWAYS_SHOWN | more | {"DeletionDate"}


def test_a_primary_that_waits_for_its_replicas_shows_its_window(kms: Any) -> None:
    """API reference, KeyMetadata: PendingDeletionWindowInDays in this state only, and no DeletionDate yet."""
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-2")
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=11)
    assert (answer["KeyState"], answer["PendingWindowInDays"]) == ("PendingReplicaDeletion", 11)
    assert "DeletionDate" not in answer
    shown = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (shown["KeyState"], shown["PendingDeletionWindowInDays"]) == ("PendingReplicaDeletion", 11)
    assert "DeletionDate" not in shown


def test_an_asymmetric_key_needs_a_usage(kms: Any) -> None:
    with refused("ValidationException", "You must specify a KeyUsage value"):
        kms.create_key(KeySpec="RSA_2048")
    with refused("ValidationException", "CustomerMasterKeySpec is deprecated."):
        kms.create_key(KeySpec="RSA_2048", CustomerMasterKeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")


@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("SYMMETRIC_DEFAULT", "SIGN_VERIFY"),
        ("HMAC_256", "ENCRYPT_DECRYPT"),
        ("ECC_SECG_P256K1", "KEY_AGREEMENT"),
        ("ECC_NIST_EDWARDS25519", "KEY_AGREEMENT"),
        ("RSA_2048", "GENERATE_VERIFY_MAC"),
        ("ML_DSA_65", "ENCRYPT_DECRYPT"),
    ],
)
def test_a_usage_that_the_spec_lacks_is_refused(kms: Any, spec: str, usage: str) -> None:
    with refused("ValidationException", f"KeyUsage {usage} is not compatible with KeySpec {spec}"):
        kms.create_key(KeySpec=spec, KeyUsage=usage)


def test_custom_key_stores_and_china_specs_are_named_as_limits(kms: Any) -> None:
    with refused("UnsupportedOperationException", "Custom key stores"):
        kms.create_key(Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1")
    with refused("UnsupportedOperationException", "China"):
        kms.create_key(KeySpec="SM2", KeyUsage="SIGN_VERIFY")
    with refused("UnsupportedOperationException", "custom key stores"):
        kms.describe_custom_key_stores()


def test_a_key_is_found_by_each_of_its_four_names(
    engine: Engine, kms: Any, make_key: Callable[..., str]
) -> None:
    arn = make_key()
    key_id = arn.rsplit("/", 1)[-1]
    alias = f"alias/{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    for name in (arn, key_id, alias, f"arn:aws:kms:{engine.region}:{engine.account}:{alias}"):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == arn


def test_each_kind_of_wrong_reference_has_its_own_message(engine: Engine, kms: Any) -> None:
    arn = f"arn:aws:kms:{engine.region}:{engine.account}"
    with refused("NotFoundException", f"Key '{arn}:key/{MISSING}' does not exist"):
        kms.describe_key(KeyId=MISSING)
    with refused("NotFoundException", f"Alias {arn}:alias/nothing is not found."):
        kms.describe_key(KeyId="alias/nothing")
    with refused("NotFoundException", "Invalid keyId 'nonsense'"):
        kms.describe_key(KeyId="nonsense")
    with refused("NotFoundException", "Invalid arn ap-south-1"):
        kms.describe_key(KeyId=f"arn:aws:kms:ap-south-1:{engine.account}:key/{MISSING}")


def test_another_accounts_missing_key_is_a_denial(engine: Engine, kms: Any) -> None:
    with refused("AccessDeniedException", "kms:DescribeKey", "the resource does not exist in this Region"):
        kms.describe_key(KeyId=f"arn:aws:kms:{engine.region}:123456789012:key/{MISSING}")


def test_a_disabled_key_is_unusable_until_enabled(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    described = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (described["KeyState"], described["Enabled"]) == ("Disabled", False)
    with refused("DisabledException", f"{key} is disabled."):
        kms.decrypt(CiphertextBlob=blob)
    with refused("DisabledException"):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_deletion_window_ends_in_disabled_when_cancelled(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (answer["KeyId"], answer["KeyState"], answer["PendingWindowInDays"]) == (key, "PendingDeletion", 7)
    left = answer["DeletionDate"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=6, hours=23) < left < datetime.timedelta(days=7, minutes=1)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] == answer["DeletionDate"]
    with refused("KMSInvalidStateException", f"{key} is pending deletion."):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    with refused("KMSInvalidStateException"):
        kms.enable_key(KeyId=key)
    with refused("KMSInvalidStateException"):
        kms.schedule_key_deletion(KeyId=key)
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == key
    described = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert described["KeyState"] == "Disabled"
    assert "DeletionDate" not in described
    with refused("KMSInvalidStateException", "is not pending deletion"):
        kms.cancel_key_deletion(KeyId=key)


@pytest.mark.parametrize("days", [6, 31])
def test_a_deletion_window_is_7_to_30_days(kms: Any, make_key: Callable[..., str], days: int) -> None:
    with refused("ValidationException", "pendingWindowInDays"):
        kms.schedule_key_deletion(KeyId=make_key(), PendingWindowInDays=days)


def test_the_default_window_is_30_days(kms: Any, make_key: Callable[..., str]) -> None:
    assert kms.schedule_key_deletion(KeyId=make_key())["PendingWindowInDays"] == 30


def test_a_description_changes_but_not_in_a_deletion_window(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    kms.update_key_description(KeyId=key, Description="new")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "new"
    kms.schedule_key_deletion(KeyId=key)
    with refused("KMSInvalidStateException"):
        kms.update_key_description(KeyId=key, Description="newer")


def test_keys_are_listed_page_by_page(kms: Any, make_key: Callable[..., str]) -> None:
    made = {make_key() for _ in range(3)}
    first = kms.list_keys(Limit=2)
    assert len(first["Keys"]) == 2
    assert first["Truncated"]
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
    listed = [entry["KeyArn"] for page in pages for entry in page["Keys"]]
    assert made <= set(listed)
    assert len(listed) == len(set(listed))
    with refused("InvalidMarkerException"):
        kms.list_keys(Marker="bogus")


def test_a_public_key_comes_with_what_it_is_for(kms: Any, make_key: Callable[..., str]) -> None:
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = make_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    answer = kms.get_public_key(KeyId=key)
    assert load_der_public_key(answer["PublicKey"]).curve.name == "secp256r1"  # type: ignore[union-attr]  # an EC key has a curve
    assert answer["KeyAgreementAlgorithms"] == ["ECDH"]
    assert (answer["KeySpec"], answer["KeyUsage"], answer["KeyId"]) == ("ECC_NIST_P256", "KEY_AGREEMENT", key)
    assert "SigningAlgorithms" not in answer


@pytest.mark.parametrize("parameters", [{}, {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}])
def test_a_key_without_public_part_gives_none(
    kms: Any, make_key: Callable[..., str], parameters: dict[str, str]
) -> None:
    with refused("UnsupportedOperationException"):
        kms.get_public_key(KeyId=make_key(**parameters))


def test_the_last_use_is_remembered(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    assert "KeyLastUsage" not in kms.get_key_last_usage(KeyId=key)
    used = kms.encrypt(KeyId=key, Plaintext=b"x")
    kms.describe_key(KeyId=key)
    last = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
    assert (last["Operation"], last["KmsRequestId"]) == ("Encrypt", used["ResponseMetadata"]["RequestId"])
    wanted = [{"AttributeKey": "EventId", "AttributeValue": last["CloudTrailEventId"]}]
    (event,) = engine.client("cloudtrail").lookup_events(LookupAttributes=wanted)["Events"]
    assert event["EventName"] == "Encrypt"
    assert json.loads(event["CloudTrailEvent"])["resources"][0]["ARN"] == key


def test_a_dry_run_and_a_failure_are_no_use(kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    with refused("DryRunOperationException"):
        kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True)
    with refused("InvalidKeyUsageException"):
        kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_1")
    answer = kms.get_key_last_usage(KeyId=key)
    assert answer["TrackingStartDate"] == answer["KeyCreationDate"]
    assert "KeyLastUsage" not in answer


def test_the_trail_names_the_request_as_the_client_does(
    engine: Engine, kms: Any, make_key: Callable[..., str]
) -> None:
    key = make_key()
    sent = kms.encrypt(KeyId=key, Plaintext=b"x")["ResponseMetadata"]["RequestId"]
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    events = engine.client("cloudtrail").lookup_events(LookupAttributes=wanted)["Events"]
    (record,) = [json.loads(event["CloudTrailEvent"]) for event in events if event["EventName"] == "Encrypt"]
    assert record["requestID"] == sent


def test_a_use_through_a_service_is_a_use(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    """S3 calls KMS for its caller: the trail has that call, and GetKeyLastUsage names its record."""
    key, s3 = make_key(), engine.client("s3")
    s3.create_bucket(Bucket="used-through-s3")
    s3.put_object(
        Bucket="used-through-s3", Key="o", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    made = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
    assert made["Operation"] == "GenerateDataKey"
    s3.get_object(Bucket="used-through-s3", Key="o")
    read = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
    wanted = [{"AttributeKey": "EventId", "AttributeValue": read["CloudTrailEventId"]}]
    (event,) = engine.client("cloudtrail").lookup_events(LookupAttributes=wanted)["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert (read["Operation"], record["eventName"], record["userIdentity"]["invokedBy"]) == (
        "Decrypt",
        "Decrypt",
        "s3.amazonaws.com",
    )
    assert record["requestID"] == read["KmsRequestId"]
