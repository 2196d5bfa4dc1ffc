"""Secrets Manager's errors: codes of botocore's service model, words as recorded from AWS by public test suites."""

from __future__ import annotations

import json

Response = tuple[int, dict[str, str], bytes]


class SecretsError(Exception):
    """An operation fails with one of Secrets Manager's error codes.

    Attributes:
        code: for the client.
        message: for the client.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message

    @property
    def response(self) -> Response:
        """The error as it is sent: HTTP 400; modelled exceptions spell the member ``Message``."""
        body = json.dumps({"__type": self.code, "Message": self.message}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": self.code}
        return 400, headers, body


def not_found(what: str = "") -> SecretsError:
    """There is no such secret, or no such value of it."""
    return SecretsError(
        "ResourceNotFoundException", f"Secrets Manager can't find the specified secret{what or '.'}"
    )


def invalid_request(message: str) -> SecretsError:
    """The secret is not in a state for this."""
    return SecretsError("InvalidRequestException", message)


def invalid_parameter(message: str) -> SecretsError:
    """A parameter, or two together, cannot be."""
    return SecretsError("InvalidParameterException", message)


def marked_for_deletion() -> SecretsError:
    """The secret's recovery window runs."""
    return invalid_request(
        "You can't perform this operation on the secret because it was marked for deletion."
    )


def exists(name: str) -> SecretsError:
    """The name is taken."""
    return SecretsError(
        "ResourceExistsException", f"The operation failed because the secret {name} already exists."
    )
