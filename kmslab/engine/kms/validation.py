"""KMS's own front end: parameters against botocore's model of KMS."""

from __future__ import annotations

from kmslab.engine.front_end import FrontEnd
from kmslab.engine.kms.errors import KmsError

_MODERN_SPECS = (
    *("RSA_2048", "ECC_NIST_P384", "ECC_NIST_P256", "ECC_NIST_P521", "HMAC_384", "RSA_3072"),
    *("ECC_SECG_P256K1", "RSA_4096", "SYMMETRIC_DEFAULT", "HMAC_256", "HMAC_224", "HMAC_512"),
)
_RECORDED = {
    "CustomerMasterKeySpec": _MODERN_SPECS,
    "KeySpec": _MODERN_SPECS,
    "KeyUsageType": ("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"),
    "MacAlgorithmSpec": ("HMAC_SHA_384", "HMAC_SHA_256", "HMAC_SHA_224", "HMAC_SHA_512"),
}
"""Enumerations as AWS printed them on 2023-04-13, in an order that no rule explains. Values that came later
are accepted; where AWS puts them in its message, nobody has recorded."""

FRONT_END = FrontEnd("kms", KmsError, _RECORDED)
breaks = FRONT_END.breaks
