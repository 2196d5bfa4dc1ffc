"""Error codes of KMS that many probes expect."""

from __future__ import annotations

VALIDATION = "ValidationException"
NOT_FOUND = "NotFoundException"
UNSUPPORTED = "UnsupportedOperationException"
INVALID_STATE = "KMSInvalidStateException"
UNREADABLE = "InvalidCiphertextException"
DISABLED = "DisabledException"
INVALID_USAGE = "InvalidKeyUsageException"
