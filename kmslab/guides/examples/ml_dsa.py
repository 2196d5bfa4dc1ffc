"""Page 15: what ML-DSA does outside of KMS: the representative of a message, and the verification of a signature."""

from __future__ import annotations

import argparse
import sys
from hashlib import shake_256
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> int:
    """Compute a representative or verify a signature; return the exit code."""
    parser = argparse.ArgumentParser(prog="ml_dsa")
    parser.add_argument("action", choices=("mu", "verify"))
    parser.add_argument("public_key", type=Path, help="as GetPublicKey returns it, in DER")
    parser.add_argument("message", type=Path)
    parser.add_argument("other", type=Path, help="mu: the file to write; verify: the signature")
    options = parser.parse_args(arguments)

    public_key = load(options.public_key.read_bytes())
    if options.action == "mu":
        options.other.write_bytes(representative(public_key, options.message))
        return 0
    fits = verified(public_key, options.message.read_bytes(), options.other.read_bytes())
    sys.stdout.write("The signature fits.\n" if fits else "The signature does not fit.\n")
    return 0 if fits else 1


def load(der: bytes) -> Any:
    """Return the public key in a DER file."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    return load_der_public_key(der)


def representative(public_key: Any, message: Path) -> bytes:
    """Return mu: 64 bytes that stand for this message under this public key (FIPS 204, section 6.2).

    A file of any size is read piece by piece. The two zero bytes say: pure ML-DSA, without a context.
    """
    mu = shake_256(shake_256(public_key.public_bytes_raw()).digest(64))
    mu.update(bytes(2))
    with message.open("rb") as file:
        while piece := file.read(1 << 20):
            mu.update(piece)
    return mu.digest(64)


def verified(public_key: Any, message: bytes, signature: bytes) -> bool:
    """Say whether the signature is of this message, with the public key and no KMS."""
    from cryptography.exceptions import InvalidSignature

    try:
        public_key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
