"""Page 15's program: its representative is the one that a library of cryptography computes, and what it verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kmslab.guides.examples.ml_dsa import main

if TYPE_CHECKING:
    from pathlib import Path

KEYS = (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)


class Files:
    """A key pair, its public half in a file, and a message of more than one piece."""

    def __init__(self, folder: Path, kind: Any) -> None:
        self.private = kind.generate()
        self.public = folder / "public.der"
        self.public.write_bytes(
            self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        self.message = folder / "message"
        self.message.write_bytes(b"kmslab" * 200_000)
        self.other = folder / "other"

    def run(self, action: str) -> int:
        return main([action, str(self.public), str(self.message), str(self.other)])


@pytest.fixture(params=KEYS, ids=lambda kind: kind.__name__)
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return Files(tmp_path, request.param)


def test_the_representative_is_the_librarys(files: Files) -> None:
    assert files.run("mu") == 0
    hasher = mldsa.MLDSAMuHasher(files.private.public_key())
    hasher.update(files.message.read_bytes())
    assert files.other.read_bytes() == hasher.finalize()


def test_a_signature_of_the_representative_is_one_of_the_message(files: Files) -> None:
    files.run("mu")
    files.other.write_bytes(files.private.sign_mu(files.other.read_bytes()))
    assert files.run("verify") == 0


def test_a_signature_fits_its_message_only(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    files.other.write_bytes(files.private.sign(files.message.read_bytes()))
    assert files.run("verify") == 0
    files.message.write_bytes(files.message.read_bytes() + b"!")
    assert files.run("verify") == 1
    assert capsys.readouterr().out == "The signature fits.\nThe signature does not fit.\n"
