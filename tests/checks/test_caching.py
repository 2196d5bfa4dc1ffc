from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_encryption_sdk import LocalCryptoMaterialsCache

from kmslab.checks import caching
from kmslab.model.verdict import Outcome
from tests.checks.fakes import World, judge
from tests.checks.lab_world import good_lab
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable


def throttled(operation: str) -> Callable[[World], object]:
    return lambda world: world.refuses(f"kms:{operation}", code="ThrottlingException")


BROKEN = [
    Broken(
        "caching.one-data-key-serves-several-messages",
        throttled("GenerateDataKey"),
        "the AWS Encryption SDK could not encrypt: An error occurred (ThrottlingException)",
        Outcome.ERROR,
    ),
    Broken(
        "caching.a-reader-may-cache-too",
        throttled("Decrypt"),
        "the AWS Encryption SDK could not",
        Outcome.ERROR,
    ),
]
"""What the SDK's cache does is broken below, by breaking the cache."""

ONE, APART, READER = (
    "caching.one-data-key-serves-several-messages",
    "caching.a-cache-keeps-contexts-apart",
    "caching.a-reader-may-cache-too",
)


SHOWN_RED = {ONE, APART, READER}


@pytest.mark.parametrize(
    ("check", "name", "broken", "says"),
    [
        (ONE, "PER_DATA_KEY", 1, "with the cache KMS was asked 4 times, not 2"),
        (ONE, "PER_DATA_KEY", 4, "with the cache KMS was asked 1 times, not 2"),
        (APART, "ENCRYPTION_CONTEXT", None, "after the first message of 2 contexts KMS was asked 1 times"),
        (READER, "MAX_AGE_SECONDS", 1e-9, "with the cache KMS was asked 4 times, not 2"),
    ],
)
def test_a_cache_of_another_kind_is_noticed(
    check: str, name: str, broken: object, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "ENCRYPTION_CONTEXT":
        one_for_all(monkeypatch)
    else:
        monkeypatch.setattr(caching, name, broken)
    verdict = judge(check, good_lab())
    assert (verdict.outcome, says in verdict.summary) == (Outcome.FAIL, True), verdict


def one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that does not look at what it is asked for."""
    real, put = (
        getattr(LocalCryptoMaterialsCache, f"{verb}_encryption_materials") for verb in ("get", "put")
    )

    def get_same(cache: Any, cache_key: bytes, plaintext_length: int) -> Any:
        return real(cache, cache_key[:0] + b"same", plaintext_length)

    def put_same(cache: Any, cache_key: bytes, *rest: Any, **named: Any) -> Any:
        return put(cache, cache_key[:0] + b"same", *rest, **named)

    monkeypatch.setattr(LocalCryptoMaterialsCache, "get_encryption_materials", get_same)
    monkeypatch.setattr(LocalCryptoMaterialsCache, "put_encryption_materials", put_same)


def test_messages_that_do_not_open_are_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching._Sdk, "open", lambda *_: [b"other"])
    for check in (ONE, READER):
        verdict = judge(check, good_lab())
        assert verdict.outcome is Outcome.FAIL
        assert "open" in verdict.summary


def test_no_message_and_no_data_key_is_kept_as_evidence() -> None:
    world = good_lab()
    verdict = judge(ONE, world)
    assert verdict.outcome is Outcome.PASS, verdict
    assert "reading" not in str(verdict)
