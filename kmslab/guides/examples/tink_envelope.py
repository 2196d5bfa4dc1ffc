"""Page 17: seal and open a file with Tink, Google's library, under an AWS KMS key.

Tink makes the data key itself and has KMS encrypt it. What it writes is the length of the encrypted data key
(4 bytes), the encrypted data key, and the file, sealed with AES-GCM.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> int:
    """Seal or open one file; return the exit code."""
    parser = argparse.ArgumentParser(prog="tink")
    parser.add_argument("action", choices=("seal", "open"))
    parser.add_argument("key_arn")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--associated-data", default="", help="for Tink: authenticated, not encrypted")
    parser.add_argument("--context", default="", metavar="KEY=VALUE", help="for KMS: the encryption context")
    options = parser.parse_args(arguments)

    import boto3
    import tink

    kms = boto3.client("kms")
    if options.context:
        send_with(kms, options.context)
    envelope = envelope_under(options.key_arn, kms)
    act = envelope.encrypt if options.action == "seal" else envelope.decrypt
    try:
        options.target.write_bytes(act(options.source.read_bytes(), options.associated_data.encode()))
    except tink.TinkError as error:
        sys.stderr.write(f"Tink: {error}\n")
        return 1
    return 0


def envelope_under(key_arn: str, kms: Any) -> Any:
    """Return Tink's envelope: AES-256-GCM for the file, and the KMS key for its data key."""
    from tink import aead
    from tink.integration import awskms

    aead.register()
    remote = awskms.new_client(boto3_client=kms).get_aead(f"aws-kms://{key_arn}")
    return aead.KmsEnvelopeAead(aead.aead_key_templates.AES256_GCM, remote)


def send_with(kms: Any, context: str) -> None:
    """Have boto3 put an encryption context into each request: an envelope of Tink's has none.

    Args:
        kms: the client that Tink is given.
        context: one pair, ``KEY=VALUE``.
    """
    key, _, value = context.partition("=")

    def add(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**params, "EncryptionContext": {key: value}}

    for operation in ("Encrypt", "Decrypt"):
        kms.meta.events.register(f"provide-client-params.kms.{operation}", add)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
