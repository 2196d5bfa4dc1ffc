"""A dry run without a ciphertext asks for permissions alone (API reference, Decrypt and ReEncrypt, DryRunModifiers)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

UNSEEN: dict[str, Any] = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}


def code_of(client: Any, operation: str, **parameters: Any) -> str:
    with pytest.raises(ClientError) as told:
        getattr(client, operation)(**parameters)
    return str(told.value.response["Error"]["Code"])


@pytest.fixture
def key(engine: Engine) -> str:
    return str(engine.client("kms").create_key()["KeyMetadata"]["Arn"])


def test_who_may_and_who_may_not(engine: Engine, key: str) -> None:
    user = engine.role({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:ReEncrypt*"], "Resource": key})
    stranger = engine.role({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key})
    for who, code in ((user, "DryRunOperationException"), (stranger, "AccessDeniedException")):
        kms = engine.client("kms", who)
        assert code_of(kms, "decrypt", KeyId=key, **UNSEEN) == code
        assert code_of(kms, "re_encrypt", SourceKeyId=key, DestinationKeyId=key, **UNSEEN) == code


def test_the_key_must_be_named(engine: Engine, key: str) -> None:
    kms = engine.client("kms")
    assert code_of(kms, "decrypt", **UNSEEN) == "ValidationException"
    assert code_of(kms, "re_encrypt", DestinationKeyId=key, **UNSEEN) == "ValidationException"


def test_only_a_dry_run_does_without_a_ciphertext(engine: Engine, key: str) -> None:
    kms = engine.client("kms")
    assert code_of(kms, "decrypt", KeyId=key) == "ValidationException"
    assert code_of(kms, "decrypt", KeyId=key, DryRunModifiers=["IGNORE_CIPHERTEXT"]) == "ValidationException"
    assert code_of(kms, "decrypt", KeyId=key, DryRun=True) == "ValidationException"


def test_a_key_out_of_service_is_told(engine: Engine, key: str) -> None:
    kms = engine.client("kms")
    kms.disable_key(KeyId=key)
    assert code_of(kms, "decrypt", KeyId=key, **UNSEEN) == "DisabledException"
