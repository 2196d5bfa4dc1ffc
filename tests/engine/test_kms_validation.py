"""Bad input gets the error that AWS documents, never a 500 and never a traceback."""

from __future__ import annotations

from typing import Any

import pytest

from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.validation import FRONT_END


def refusal(operation: str, parameters: Any) -> tuple[str, str]:
    with pytest.raises(KmsError) as caught:
        FRONT_END.validated(operation, parameters)
    return caught.value.refusal.code, caught.value.refusal.message


def test_blobs_become_bytes_and_unknown_members_go() -> None:
    assert FRONT_END.validated("Encrypt", {"KeyId": "k", "Plaintext": "eA==", "Unknown": 1}) == {
        "KeyId": "k",
        "Plaintext": b"x",
    }


def test_every_problem_is_named() -> None:
    code, message = refusal("Encrypt", {"KeyId": "", "EncryptionAlgorithm": "ROT13"})
    assert code == "ValidationException"
    assert message.startswith("3 validation errors detected: ")
    for part in (
        "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
        "Value null at 'plaintext' failed to satisfy constraint: Member must not be null",
        "Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: "
        "[SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256]",
    ):
        assert part in message


def test_nested_members_are_named_by_their_path() -> None:
    _, message = refusal(
        "TagResource", {"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": "b"}]}
    )
    assert "at 'tags.2.member.tagValue'" in message


@pytest.mark.parametrize(
    ("operation", "parameters", "problem"),
    [
        (
            "CreateKey",
            {"KeySpec": "HMAC_random"},
            "Value 'HMAC_random' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: "
            "[RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, "
            "SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512]",
        ),
        (
            "CreateKey",
            {"KeySpec": "HMAC_256", "KeyUsage": "RANDOM"},
            "Value 'RANDOM' at 'keyUsage' failed to satisfy constraint: Member must satisfy enum value set: "
            "[ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC]",
        ),
        (
            "GenerateMac",
            {"KeyId": "k", "Message": "eA==", "MacAlgorithm": "INVALID"},
            "Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: "
            "[HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]",
        ),
        (
            "Encrypt",
            {"KeyId": "k", "Plaintext": "eHh4" * 1366},
            "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
        ),
        (
            "GenerateRandom",
            {"NumberOfBytes": 0},
            "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal "
            "to 1",
        ),
        (
            "GenerateRandom",
            {"NumberOfBytes": 1025},
            "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal "
            "to 1024",
        ),
        (
            "DescribeKey",
            {"KeyId": "k" * 2049},
            f"Value '{'k' * 2049}' at 'keyId' failed to satisfy constraint: Member must have length less than or equal "
            "to 2048",
        ),
        (
            "CreateKey",
            {"Tags": [{"TagKey": "a" * 129, "TagValue": "v"}]},
            f"Value '{'a' * 129}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less "
            "than or equal to 128",
        ),
        (
            "CreateKey",
            {"Tags": [{"TagKey": "a", "TagValue": "v" * 257}]},
            f"Value '{'v' * 257}' at 'tags.1.member.tagValue' failed to satisfy constraint: Member must have length "
            "less than or equal to 256",
        ),
        (
            "CreateKey",
            {"Tags": [None]},
            "Value null at 'tags.1.member' failed to satisfy constraint: Member must not be null",
        ),
        (
            "UntagResource",
            {"KeyId": "k", "TagKeys": ["a", ""]},
            "Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have "
            "length less than or equal to 128, Member must have length greater than or equal to 1]",
        ),
        (
            "CreateGrant",
            {"KeyId": "k", "Operations": ["Encrypt"], "GrantTokens": ["t"] * 11},
            f"Value '[{', '.join(['t'] * 11)}]' at 'grantTokens' failed to satisfy constraint: Member must have length "
            "less than or equal to 10",
        ),
        (
            "Encrypt",
            {"KeyId": "k", "Plaintext": "eA==", "EncryptionContext": {"a": None, "b": "c"}},
            "Value '{a=null, b=c}' at 'encryptionContext' failed to satisfy constraint: Map value must satisfy "
            "constraint: [Member must not be null]",
        ),
        (
            "DeriveSharedSecret",
            {"KeyId": "k", "KeyAgreementAlgorithm": "INVALID", "PublicKey": "eA=="},
            "Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy enum value "
            "set: [ECDH]",
        ),
        (
            "CreateGrant",
            {"KeyId": "k", "Operations": ["Encrypt"], "GranteePrincipal": "ärger"},
            "Value 'ärger' at 'granteePrincipal' failed to satisfy constraint: Member must satisfy regular expression "
            "pattern: ^[\\w+=,.@:/-]+$",
        ),
    ],
)
def test_one_problem_is_told_in_awss_words(operation: str, parameters: Any, problem: str) -> None:
    """Enumerations, lengths and paths as test suites recorded them from AWS (see `validation`)."""
    assert refusal(operation, parameters) == (
        "ValidationException",
        f"1 validation error detected: {problem}",
    )


@pytest.mark.parametrize("value", ["ML_DSA_44", "ECC_NIST_EDWARDS25519", "SM2"])
def test_a_value_that_the_recorded_words_leave_out_is_taken_all_the_same(value: str) -> None:
    assert FRONT_END.validated("CreateKey", {"KeySpec": value}) == {"KeySpec": value}


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("Encrypt", []),
        ("Encrypt", {"KeyId": 1, "Plaintext": "eA=="}),
        ("Encrypt", {"KeyId": "k", "Plaintext": "not base64!"}),
        ("Encrypt", {"KeyId": "k", "Plaintext": "eA==", "EncryptionContext": ["a"]}),
        ("Encrypt", {"KeyId": "k", "Plaintext": "eA==", "EncryptionContext": {"a": 1}}),
        ("Encrypt", {"KeyId": "k", "Plaintext": "eA==", "DryRun": "yes"}),
        ("ListKeys", {"Limit": "many"}),
        ("ListKeys", {"Limit": True}),
        ("TagResource", {"KeyId": "k", "Tags": {}}),
        ("TagResource", {"KeyId": "k", "Tags": ["a"]}),
        ("DescribeKey", {"KeyId": ["k"]}),
        ("DescribeKey", {"KeyId": {"k": 1}}),
        ("DescribeKey", {"KeyId": "\ud800"}),
        ("ImportKeyMaterial", {"KeyId": "k", "ImportToken": "eA==", "ValidTo": float("inf")}),
        ("ImportKeyMaterial", {"KeyId": "k", "ImportToken": "eA==", "ValidTo": float("nan")}),
        ("ImportKeyMaterial", {"KeyId": "k", "ImportToken": "eA==", "ValidTo": 1e18}),
        ("ImportKeyMaterial", {"KeyId": "k", "ImportToken": "eA==", "ValidTo": -(10**300)}),
    ],
)
def test_a_wrong_type_is_a_serialization_error(operation: str, parameters: Any) -> None:
    assert refusal(operation, parameters)[0] == "SerializationException"


def test_numbers_have_limits() -> None:
    assert (
        "less than or equal to 2560"
        in refusal("EnableKeyRotation", {"KeyId": "k", "RotationPeriodInDays": 2561})[1]
    )
    assert "greater than or equal to 1" in refusal("ListKeys", {"Limit": 0})[1]
