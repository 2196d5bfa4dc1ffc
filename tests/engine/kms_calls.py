"""What the tests of the KMS front half share: refusals word by word, and requests that boto3 would not send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine


def told(call: Callable[..., object], **parameters: Any) -> tuple[str, str]:
    """Code and message of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


class Answer:
    """A response, unparsed.

    Attributes:
        status: HTTP's.
        headers: names in lower case.
        body: bytes as received.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def members(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


def post(engine: Engine, target: str, body: bytes | dict[str, Any]) -> Answer:
    """Send a signed request with any target and body, as the engine's administrator."""
    import urllib3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    given, url = engine.administrator, f"{engine.info.endpoint_url}/"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", url, data=data, headers=headers)
    signing = Credentials(given.access_key_id, given.secret_access_key, given.session_token)
    SigV4Auth(signing, "kms", engine.region).add_auth(request)
    with urllib3.PoolManager(ca_certs=str(engine.info.ca_bundle)) as pool:
        answer = pool.request("POST", url, body=data, headers=dict(request.headers), retries=False)
    return Answer(answer.status, dict(answer.headers), answer.data)
