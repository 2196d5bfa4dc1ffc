"""DeriveSharedSecret: ECDH with somebody else's public key."""

from __future__ import annotations

from typing import Any

from kmslab.engine.kms import material, specs
from kmslab.engine.kms.encryption import note_use, require_algorithm, require_usage
from kmslab.engine.kms.errors import invalid
from kmslab.engine.kms.service import Call, operation


@operation("DeriveSharedSecret")
def derive_shared_secret(call: Call) -> dict[str, Any]:
    """The raw x coordinate; callers derive a key from it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = call.key()
    require_usage(key, call, specs.KEY_AGREEMENT)
    require_algorithm(key, call.get("KeyAgreementAlgorithm"))
    try:
        public = serialization.load_der_public_key(call.get("PublicKey"))
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise invalid("")
        secret = material.load_private_key(key["private_key"]).exchange(ec.ECDH(), public)
    except (ValueError, UnsupportedAlgorithm) as error:
        # No DER, no point of the curve, or another curve than the KMS key's. No message: so answers LocalStack,
        # whose test of it is validated against AWS.
        raise invalid("") from error
    call.end_of_dry_run()
    note_use(key, call)
    return {
        "KeyId": key["Arn"],
        "SharedSecret": secret,
        "KeyAgreementAlgorithm": "ECDH",
        "KeyOrigin": key["Origin"],
    }
