"""What a request on a KMS key looks like to policies, and grants as ListGrants shows them."""

from __future__ import annotations

from typing import Any

import pytest

from kmslab.authorization.keys import Grant, encryption_context, kms_request
from tests.authorization.cases import ACCOUNT, KEY, ROLE

METADATA = {
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyUsage": "ENCRYPT_DECRYPT",
    "Origin": "AWS_KMS",
    "MultiRegion": False,
}
OF_KEY = {
    "kms:CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
    "kms:CustomerMasterKeyUsage": "ENCRYPT_DECRYPT",
    "kms:KeyOrigin": "AWS_KMS",
    "kms:KeySpec": "SYMMETRIC_DEFAULT",
    "kms:KeyUsage": "ENCRYPT_DECRYPT",
    "kms:MultiRegion": "false",
}
DIRECT = {"kms:CallerAccount": ACCOUNT, "aws:ViaAWSService": "false"}


def keys(operation: str, **given: Any) -> dict[str, Any]:
    return dict(kms_request(operation, KEY, account=ACCOUNT, **given).condition_keys)


def test_a_direct_call() -> None:
    request = kms_request("DescribeKey", KEY, account=ACCOUNT, metadata=METADATA)
    assert (request.action, request.resource) == ("kms:DescribeKey", KEY)
    assert request.condition_keys == {**DIRECT, **OF_KEY}


def test_a_call_through_a_service() -> None:
    found = keys("Decrypt", via_service="s3", context={"aws:s3:arn": "arn:aws:s3:::data"})
    assert found == {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": "s3.us-east-1.amazonaws.com",
        "aws:ViaAWSService": "true",
        "aws:CalledVia": ("s3.amazonaws.com",),
        "aws:CalledViaFirst": "s3.amazonaws.com",
        "aws:CalledViaLast": "s3.amazonaws.com",
        "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::data",
        "kms:EncryptionContextKeys": ("aws:s3:arn",),
        "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }


def test_cloudformation_calls_but_is_no_via_service() -> None:
    found = keys("DescribeKey", via_service="cloudformation")
    assert found["aws:CalledViaFirst"] == "cloudformation.amazonaws.com"
    assert "kms:ViaService" not in found


def test_the_region_of_the_call_may_be_another() -> None:
    assert (
        keys("Decrypt", via_service="ec2", region="eu-west-1")["kms:ViaService"]
        == "ec2.eu-west-1.amazonaws.com"
    )


def test_a_service_has_no_caller_account() -> None:
    assert "kms:CallerAccount" not in kms_request("Decrypt", KEY, account="").condition_keys


def test_what_a_key_is() -> None:
    replica = {**METADATA, "MultiRegion": True, "MultiRegionConfiguration": {"MultiRegionKeyType": "REPLICA"}}
    found = keys("DescribeKey", metadata=replica, aliases=["alias/a", "alias/b"], tags={"team": "blue"})
    assert found == {
        **DIRECT,
        **OF_KEY,
        "kms:MultiRegion": "true",
        "kms:MultiRegionKeyType": "REPLICA",
        "kms:ResourceAliases": ("alias/a", "alias/b"),
        "aws:ResourceTag/team": "blue",
    }


PARAMETERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Sign", {}, {"kms:MessageType": "RAW"}),
    (
        "Sign",
        {"MessageType": "DIGEST", "SigningAlgorithm": "X"},
        {"kms:MessageType": "DIGEST", "kms:SigningAlgorithm": "X"},
    ),
    (
        "Encrypt",
        {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
        {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
    ),
    (
        "PutKeyPolicy",
        {"BypassPolicyLockoutSafetyCheck": True},
        {"kms:BypassPolicyLockoutSafetyCheck": "true"},
    ),
    ("ScheduleKeyDeletion", {}, {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}),
    ("ScheduleKeyDeletion", {"PendingWindowInDays": 7}, {"kms:ScheduleKeyDeletionPendingWindowInDays": "7"}),
    ("DescribeKey", {"KeyId": "alias/app"}, {"kms:RequestAlias": "alias/app"}),
    (
        "DescribeKey",
        {"KeyId": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/app"},
        {"kms:RequestAlias": "alias/app"},
    ),
    ("DescribeKey", {"KeyId": KEY}, {}),
    ("UntagResource", {"TagKeys": ["a", "b"]}, {"aws:TagKeys": ("a", "b")}),
    ("UntagResource", {}, {}),
    (
        "TagResource",
        {"Tags": [{"TagKey": "a", "TagValue": "1"}]},
        {"aws:RequestTag/a": "1", "aws:TagKeys": ("a",)},
    ),
    (
        "CreateGrant",
        {
            "GranteePrincipal": ROLE,
            "Operations": ["Decrypt", "Encrypt"],
            "Constraints": {"EncryptionContextSubset": {"app": "a"}},
        },
        {
            "kms:GrantIsForAWSResource": "false",
            "kms:GranteePrincipal": ROLE,
            "kms:GrantOperations": ("Decrypt", "Encrypt"),
            "kms:GrantConstraintType": "EncryptionContextSubset",
            "kms:EncryptionContext:app": "a",
            "kms:EncryptionContextKeys": ("app",),
        },
    ),
    (
        "CreateGrant",
        {"Constraints": {"SourceArn": "arn:x", "EncryptionContextEquals": {"app": "a"}}},
        {
            "kms:GrantIsForAWSResource": "false",
            "kms:GrantConstraintType": "SourceArn",
            "kms:GrantConstraintSourceArn": "arn:x",
            "kms:EncryptionContext:app": "a",
            "kms:EncryptionContextKeys": ("app",),
        },
    ),
    (
        "CreateKey",
        {"KeySpec": "HMAC_256", "MultiRegion": True},
        {
            "kms:BypassPolicyLockoutSafetyCheck": "false",
            "kms:KeyOrigin": "AWS_KMS",
            "kms:KeySpec": "HMAC_256",
            "kms:KeyUsage": "ENCRYPT_DECRYPT",
            "kms:MultiRegion": "true",
        },
    ),
]


@pytest.mark.parametrize(("operation", "parameters", "expected"), PARAMETERS)
def test_what_the_parameters_say(
    operation: str, parameters: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert keys(operation, parameters=parameters) == {**DIRECT, **expected}


def test_further_keys_count_before_all_others() -> None:
    found = keys("CreateGrant", condition_keys={"kms:GrantIsForAWSResource": True, "aws:SourceArn": "arn:x"})
    assert found["kms:GrantIsForAWSResource"] == "true"
    assert found["aws:SourceArn"] == "arn:x"


def test_the_encryption_context_is_read_back_as_it_was_spelled() -> None:
    context = {"App": "a", "aws:s3:arn": "arn:aws:s3:::data"}
    assert encryption_context(keys("Decrypt", context=context)) == context
    assert encryption_context(keys("Decrypt")) == {}


def test_a_grant_as_list_grants_shows_it() -> None:
    entry = {
        "GrantId": "0123456789abcdef",
        "Name": "backup",
        "GranteePrincipal": ROLE,
        "Operations": ["Decrypt", "GenerateDataKey"],
        "Constraints": {"EncryptionContextSubset": {"app": "a"}},
    }
    found = Grant.from_entry(entry)
    assert found == Grant(
        "0123456789abcdef",
        ROLE,
        ("Decrypt", "GenerateDataKey"),
        "backup",
        encryption_context_subset={"app": "a"},
    )
    assert found.label == "grant backup"
    assert [found.covers(action) for action in ("kms:Decrypt", "kms:Encrypt", "s3:Decrypt")] == [
        True,
        False,
        False,
    ]


def test_a_grant_to_a_service_as_list_grants_shows_it() -> None:
    found = Grant.from_entry(
        {
            "GrantId": "0123456789abcdef",
            "GranteeServicePrincipal": "s3.amazonaws.com",
            "Operations": ["Decrypt"],
            "Constraints": {"SourceArn": "arn:x", "EncryptionContextEquals": {}},
        }
    )
    assert (found.grantee, found.source_arn, found.encryption_context_equals) == (
        "s3.amazonaws.com",
        "arn:x",
        {},
    )
    assert found.label == "grant 01234567"
