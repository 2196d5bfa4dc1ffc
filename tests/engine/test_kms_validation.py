"""Bad input gets the error that AWS documents, never a 500 and never a traceback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine.kms.errors import KmsError
from kmslab.engine.kms.validation import operations, validated
from tests.engine.conftest import refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


def refusal(operation: str, parameters: Any) -> tuple[str, str]:
    with pytest.raises(KmsError) as caught:
        validated(operation, parameters)
    return caught.value.refusal.code, caught.value.refusal.message


def test_blobs_become_bytes_and_unknown_members_go() -> None:
    assert validated("Encrypt", {"KeyId": "k", "Plaintext": "eA==", "Unknown": 1}) == {
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
        "[SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]",
    ):
        assert part in message


def test_nested_members_are_named_by_their_path() -> None:
    _, message = refusal(
        "TagResource", {"KeyId": "k", "Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": "b"}]}
    )
    assert "at 'tags.2.member.tagValue'" in message


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


def test_an_unknown_operation_and_broken_json_are_refused(engine: Engine) -> None:
    import urllib3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    given = engine.administrator
    signer = SigV4Auth(
        Credentials(given.access_key_id, given.secret_access_key, given.session_token), "kms", engine.region
    )
    pool = urllib3.PoolManager(ca_certs=str(engine.info.ca_bundle))

    def post(target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", engine.info.endpoint_url + "/", data=body, headers=headers)
        signer.add_auth(request)
        answer = pool.request(
            "POST", engine.info.endpoint_url + "/", body=body, headers=dict(request.headers)
        )
        return answer.status, json.loads(answer.data)

    assert post("TrentService.ListKeys", b"{}")[0] == 200
    assert post("TrentService.FlyKeys", b"{}") == (400, {"__type": "UnknownOperationException"})
    assert post("TrentService.ListKeys", b"{") == (400, {"__type": "SerializationException"})
    assert post("TrentService.ListKeys", b"[]")[1]["__type"] == "SerializationException"


def test_every_operation_of_the_api_is_answered(engine: Engine, kms: Any) -> None:
    """Implemented, or refused with the limit named: none ends in an internal error."""
    from botocore import xform_name
    from botocore.exceptions import ClientError

    seen = {}
    for operation in sorted(operations()):
        try:
            getattr(kms, xform_name(operation))()
            seen[operation] = "ok"
        except ClientError as error:
            seen[operation] = error.response["Error"]["Code"]
    limits = {name for name, code in seen.items() if code == "UnsupportedOperationException"}
    assert {name for name in seen if "CustomKeyStore" in name} == limits
    assert set(seen.values()) - {"UnsupportedOperationException"} == {"ok", "ValidationException"}
    with refused("ValidationException"):
        engine.client("kms").describe_key()
