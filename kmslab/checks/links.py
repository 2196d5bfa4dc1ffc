"""Presigned URLs: made by a persona, followed by nobody in particular."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kmslab.lab import Inconclusive
from kmslab.model.persona import Persona
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from kmslab.checks.samples import SampleObject
    from kmslab.lab import Lab

SECONDS = 60
OK, FORBIDDEN = 200, 403
UNTIMELY = ("Request has expired", "Request is not yet valid")
"""What S3 says of a URL before or after its time, with the code of a refusal: nothing was asked of anybody."""


def read_through_a_link(lab: Lab, signer: Persona, sample: SampleObject) -> tuple[bytes, str]:
    """Have a persona presign the reading of an object, and read it without any credentials.

    The URL is itself a credential while it lasts: it is not kept as evidence.

    Returns: the object and an empty string, or nothing and what S3 said when it refused.

    Raises:
        Inconclusive: S3 did not answer, or with neither of the two, or its clock is not ours.
    """
    url = lab.client(signer, "s3").generate_presigned_url(
        "get_object", Params=dict(sample.where), ExpiresIn=SECONDS
    )
    status, body = follow(lab, url)
    refusal = "" if status == OK else _said(body)
    code = "ok" if status == OK else refusal.partition(":")[0]
    where = f"{sample.key}/{sample.bucket}"
    lab.calls.append(Call(signer, "s3:GetObject", where, code, refusal or "through a URL that they signed"))
    if any(said in refusal for said in UNTIMELY):
        raise Inconclusive(f"by S3's clock the presigned URL was not valid: {refusal}")
    if status not in (OK, FORBIDDEN):
        raise Inconclusive(f"the presigned URL was answered with {status} {refusal}")
    return (body, "") if status == OK else (b"", refusal)


def follow(lab: Lab, url: str) -> tuple[int, bytes]:
    """Get a URL over the connections of the lab's clients, unsigned: whoever holds it could.

    Returns: HTTP status and content.
    """
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import BotoCoreError

    connections: Any = lab.client(Persona.OPERATOR, "s3")._endpoint.http_session
    try:
        answer = connections.send(AWSRequest("GET", url).prepare())
    except BotoCoreError as error:
        raise Inconclusive(f"the presigned URL was not answered: {type(error).__name__}") from error
    return int(answer.status_code), bytes(answer.content)


def _said(body: bytes) -> str:
    """Code and message of S3's error document, in one line."""
    text = body.decode(errors="replace")
    parts = [re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL) for name in ("Code", "Message")]
    return ": ".join(" ".join(part[1].split()) for part in parts if part) or "no error document"
