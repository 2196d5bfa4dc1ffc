"""The names of S3's encryption headers (Amazon S3 API Reference, "PutObject"), and the context that they make."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SSE = "x-amz-server-side-encryption"
KEY = f"{SSE}-aws-kms-key-id"
BUCKET_KEY = f"{SSE}-bucket-key-enabled"
CONTEXT = f"{SSE}-context"
"""Further pairs of the encryption context: an object of strings, JSON in base64."""
CUSTOMER = f"{SSE}-customer"
CUSTOMER_ALGORITHM = f"{CUSTOMER}-algorithm"
CUSTOMER_KEY = f"{CUSTOMER}-key"
SOURCE_CUSTOMER_KEY = f"x-amz-copy-source-{CUSTOMER_KEY.removeprefix('x-amz-')}"
SSE_S3 = "AES256"
KMS_KINDS = ("aws:kms", "aws:kms:dsse")


def context_of(bucket: str, key: str, sse: Mapping[str, str]) -> dict[str, str]:
    """The encryption context of an object: its ARN or its bucket's, and what the writer added.

    Raises:
        ValueError: what was added is not an object of strings in JSON and base64.
    """
    arn = f"arn:aws:s3:::{bucket}" if sse.get(BUCKET_KEY) == "true" else f"arn:aws:s3:::{bucket}/{key}"
    added = json.loads(base64.b64decode(sse[CONTEXT], validate=True)) if sse.get(CONTEXT) else {}
    if not isinstance(added, dict) or not all(isinstance(value, str) for value in added.values()):
        raise ValueError(CONTEXT)
    return {"aws:s3:arn": arn, **added}
