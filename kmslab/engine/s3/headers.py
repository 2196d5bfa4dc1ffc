"""The names of S3's encryption headers (Amazon S3 API Reference, "PutObject")."""

from __future__ import annotations

SSE = "x-amz-server-side-encryption"
KEY = f"{SSE}-aws-kms-key-id"
BUCKET_KEY = f"{SSE}-bucket-key-enabled"
CONTEXT = f"{SSE}-context"
"""Further pairs of the encryption context: an object of strings, JSON in base64."""
CUSTOMER = f"{SSE}-customer"
CUSTOMER_ALGORITHM = f"{CUSTOMER}-algorithm"
CUSTOMER_KEY = f"{CUSTOMER}-key"
CUSTOMER_KEY_MD5 = f"{CUSTOMER}-key-md5"
SOURCE_CUSTOMER_KEY = f"x-amz-copy-source-{CUSTOMER_KEY.removeprefix('x-amz-')}"
SSE_S3 = "AES256"
KMS_KINDS = ("aws:kms", "aws:kms:dsse")
