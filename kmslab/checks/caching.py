"""Data key caching: one data key for several messages, within limits that somebody chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.registry import check
from kmslab.checks.samples import encryption_client, encryption_sdk
from kmslab.lab import Inconclusive
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kmslab.lab import Lab

GUIDE = "07-envelope"
OWNER = Persona.DATA_OWNER
MESSAGES = [f"reading {number}".encode() for number in range(4)]
PER_DATA_KEY = 2
"""Messages that the checks' caches encrypt under one data key."""
WITH_CACHE = len(MESSAGES) // PER_DATA_KEY
MAX_AGE_SECONDS = 600.0
"""How long the checks' caches keep a data key; none of them gets that old."""


@check(guide=GUIDE)
def one_data_key_serves_several_messages(lab: Lab) -> str:
    """With a cache KMS is asked once for several messages, and again when the cache's limit is reached.

    The AWS Encryption SDK asks for a data key for every message unless told otherwise. Where that is too
    many requests, a cache reuses one for so many messages, bytes or seconds. Every message opens by itself.
    """
    plain, cached, reader = _Sdk(lab), _Sdk(lab, cached=True), _Sdk(lab)
    plain.seal(MESSAGES)
    sealed = cached.seal(MESSAGES)
    lab.expect(plain.asked == len(MESSAGES), f"without a cache KMS was asked {plain.asked} times")
    lab.expect(
        cached.asked == WITH_CACHE, f"with the cache KMS was asked {cached.asked} times, not {WITH_CACHE}"
    )
    lab.expect(reader.open(sealed) == MESSAGES, "the messages do not all open")
    return f"{len(MESSAGES)} messages: {plain.asked} data keys without a cache, {cached.asked} with it"


@check(guide=GUIDE)
def a_cache_keeps_contexts_apart(lab: Lab) -> str:
    """A cached data key serves one encryption context only: another context gets another data key.

    Otherwise the right to open one record would open those of others that met it in the cache.
    """
    sealer = _Sdk(lab, cached=True)
    records = ("1", "2")
    for turn in ("first", "second"):
        for record in records:
            sealer.seal(MESSAGES[:1], record=record)
        lab.expect(
            sealer.asked == len(records),
            f"after the {turn} message of {len(records)} contexts KMS was asked {sealer.asked} times",
        )
    return f"two messages each of {len(records)} contexts: {sealer.asked} data keys"


@check(guide=GUIDE)
def a_reader_may_cache_too(lab: Lab) -> str:
    """Who reads many messages of one data key asks KMS to open it once.

    So a permission that was taken away is noticed only when the cache's data key has grown too old: the
    age that one allows is how late one may be.
    """
    sealed = _Sdk(lab, cached=True).seal(MESSAGES)
    plain, cached = _Sdk(lab), _Sdk(lab, cached=True)
    lab.expect(plain.open(sealed) == MESSAGES, "the messages do not open")
    lab.expect(cached.open(sealed) == MESSAGES, "the messages do not open through a cache")
    lab.expect(plain.asked == len(MESSAGES), f"without a cache KMS was asked {plain.asked} times")
    lab.expect(
        cached.asked == WITH_CACHE, f"with the cache KMS was asked {cached.asked} times, not {WITH_CACHE}"
    )
    return f"{len(MESSAGES)} messages opened: {plain.asked} requests without a cache, {cached.asked} with it"


class _Sdk:
    """The AWS Encryption SDK as the data owner under the app key, which counts its requests to KMS.

    Attributes:
        asked: requests so far.
    """

    def __init__(self, lab: Lab, *, cached: bool = False) -> None:
        counter, sdk = self, encryption_sdk()

        class MasterKey(sdk.key_providers.kms.KMSMasterKey):  # type: ignore[misc, name-defined]  # loaded just above; it has no type information
            """Counts: the client is shared with other checks, so that its own count would be theirs too."""

            def _generate_data_key(self, *arguments: Any, **named: Any) -> Any:
                counter.asked += 1
                return super()._generate_data_key(*arguments, **named)

            def _decrypt_data_key(self, *arguments: Any, **named: Any) -> Any:
                counter.asked += 1
                return super()._decrypt_data_key(*arguments, **named)

        self.lab, self._sdk = lab, sdk
        self.asked = 0
        master_key = MasterKey(key_id=lab.outputs.key_app, client=lab.client(OWNER, "kms"))
        self._source: dict[str, Any] = {"key_provider": master_key}
        if cached:
            manager = sdk.CachingCryptoMaterialsManager(
                master_key_provider=master_key,
                cache=sdk.LocalCryptoMaterialsCache(capacity=10),
                max_age=MAX_AGE_SECONDS,
                max_messages_encrypted=PER_DATA_KEY,
            )
            self._source = {"materials_manager": manager}

    def seal(self, messages: Sequence[bytes], record: str = "1") -> list[bytes]:
        """Encrypt each message with the lab's encryption context and the record's."""
        context = {**ENCRYPTION_CONTEXT, "record": record}
        return [self._do("encrypt", message, encryption_context=context) for message in messages]

    def open(self, sealed: Sequence[bytes]) -> list[bytes]:
        """Decrypt each message."""
        return [self._do("decrypt", message) for message in sealed]

    def _do(self, what: str, message: bytes, **more: Any) -> bytes:
        try:
            done: bytes = getattr(encryption_client(self._sdk), what)(source=message, **self._source, **more)[
                0
            ]
        except self._sdk.exceptions.AWSEncryptionSDKClientError as error:
            raise Inconclusive(
                f"the AWS Encryption SDK could not {what}: {error.__cause__ or error}"
            ) from error
        self.lab.note(f"aws-encryption-sdk {what}", f"as {OWNER}; {self.asked} requests to KMS so far")
        return done
