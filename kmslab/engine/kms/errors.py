"""KMS's errors. Codes and HTTP status are those of botocore's service model."""

from __future__ import annotations

from kmslab.engine.events import Refusal


class KmsError(Exception):
    """An operation fails with one of KMS's error codes.

    Attributes:
        refusal: code and message for the client.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, message)
        self.refusal = Refusal(code, message)


def invalid(message: str) -> KmsError:
    """A parameter is outside what the API allows."""
    return KmsError("ValidationException", message)


def unsupported(message: str) -> KmsError:
    """The operation does not apply to this key, or the engine does not have it."""
    return KmsError("UnsupportedOperationException", message)


def invalid_ciphertext() -> KmsError:
    """The ciphertext, its encryption context or its key is not the one that encrypted it.

    KMS gives no message, so that nothing can be learnt from it.
    """
    return KmsError("InvalidCiphertextException")
