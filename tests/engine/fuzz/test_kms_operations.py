"""Every KMS operation with members that are random, missing, too large or of the wrong type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.engine.conftest import LOADER
from tests.engine.fuzz.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine
    from tests.engine.fuzz.wire import Answer, Wire

MODEL: dict[str, Any] = LOADER.load_service_model("kms", "service-2")
OPERATIONS = sorted(MODEL["operations"])
COMMON = frozenset(
    {
        "AccessDeniedException",
        "SerializationException",
        "UnsupportedOperationException",
        "ValidationException",
    }
)
"""What any operation may say: KMS API Reference, "Common Errors", and the engine's own limits."""
MAKES_RSA = frozenset({"CreateKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"})
"""Slow for a good reason: an RSA key of 4096 bits takes a second."""
FEW, SOME, MANY = 6, 16, 400

QUIET = settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
"""Nothing is shrunk: the first failure shows its request, and the engine has changed since."""


def documented(operation: str) -> frozenset[str]:
    """The error codes that the API Reference names for an operation."""
    shapes = [
        MODEL["shapes"][error["shape"]] | error for error in MODEL["operations"][operation].get("errors", ())
    ]
    return frozenset(shape.get("error", {}).get("code", shape["shape"]) for shape in shapes) | COMMON


@pytest.fixture(scope="module")
def known(target: Engine) -> dict[str, list[Any]]:
    """Values that exist: without them nearly every request would end at its first check."""
    kms = target.client("kms")
    made = [kms.create_key()["KeyMetadata"] for _ in range(2)]
    for spec, usage in (
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ML_DSA_44", "SIGN_VERIFY"),
    ):
        made.append(kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"])
    made.append(kms.create_key(Origin="EXTERNAL")["KeyMetadata"])
    made.append(kms.create_key(MultiRegion=True)["KeyMetadata"])
    kms.create_alias(AliasName="alias/fuzz", TargetKeyId=made[0]["KeyId"])
    grant = kms.create_grant(
        KeyId=made[0]["Arn"], GranteePrincipal=f"arn:aws:iam::{target.account}:root", Operations=["Decrypt"]
    )
    names = [made[0]["KeyId"], *(key["Arn"] for key in made), "alias/fuzz", "alias/aws/s3"]
    return {
        "KeyId": names,
        "TargetKeyId": names,
        "SourceKeyId": names,
        "DestinationKeyId": names,
        "AliasName": ["alias/fuzz", "alias/made"],
        "PolicyName": ["default"],
        "GrantId": [grant["GrantId"]],
        "GrantToken": [grant["GrantToken"]],
        "GranteePrincipal": [f"arn:aws:iam::{target.account}:root", "s3.amazonaws.com"],
        "RetiringPrincipal": [f"arn:aws:iam::{target.account}:root"],
        "ReplicaRegion": ["eu-west-1"],
        "PrimaryRegion": ["eu-west-1"],
    }


def judged(operation: str, answer: Answer, sent: object) -> None:
    """Hold an answer to what AWS documents."""
    shown = f"{operation}({str(sent)[:600]}) answered {answer.status} {answer.body[:400]!r}"
    assert answer.status in (200, 400), shown
    assert answer.headers["content-type"] == "application/x-amz-json-1.1", shown
    assert b"Traceback" not in answer.body, shown
    if answer.status != 200:
        assert answer.code in documented(operation), shown


def thrown(operation: str, examples: int, **how: Any) -> Callable[[Wire, Engine, dict[str, list[Any]]], None]:
    """Throw this many requests of an operation at the engine."""

    def throw(wire: Wire, target: Engine, known: dict[str, list[Any]]) -> None:
        @settings(QUIET, max_examples=examples, **how)
        @given(Shapes(MODEL, known).request(operation))
        def one(parameters: Any) -> None:
            body = json.dumps(parameters).encode()
            judged(operation, wire.call(target.administrator, f"TrentService.{operation}", body), parameters)

        one()

    return throw


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_answers_anything_as_documented(
    operation: str, wire: Wire, target: Engine, known: dict[str, list[Any]]
) -> None:
    examples = FEW if operation in MAKES_RSA else SOME
    thrown(operation, examples, derandomize=True)(wire, target, known)


@pytest.mark.nightly
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_answers_much_as_documented(
    operation: str, wire: Wire, target: Engine, known: dict[str, list[Any]]
) -> None:
    thrown(operation, SOME if operation in MAKES_RSA else MANY)(wire, target, known)


BROKEN = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.sampled_from(
        [
            b"{",
            b"[]",
            b"null",
            b'"x"',
            b"1",
            b"\xff\xfe{}",
            b"{}{}",
            b'{"KeyId":}',
            b'{"KeyId":NaN}',
            b"{'a':1}",
        ]
    ),
    st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 60_000 + b"1" + b"}" * 60_000, b'{"Limit":' + b"9" * 5000 + b"}"]
    ),
)


@seed(4)
@settings(QUIET, max_examples=60)
@given(body=BROKEN, operation=st.sampled_from(["ListKeys", "DescribeKey", "Encrypt", "CreateGrant"]))
def test_a_body_that_is_no_request_is_a_serialization_exception(
    wire: Wire, target: Engine, body: bytes, operation: str
) -> None:
    answer = wire.call(target.administrator, f"TrentService.{operation}", body)
    judged(operation, answer, body)
    if body:
        assert answer.code == "SerializationException", (body[:60], answer.body)
