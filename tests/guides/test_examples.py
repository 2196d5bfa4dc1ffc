"""The programs that pages run and show: what they send, and what they make of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from kmslab.guides.examples import bucket_key, throughput

PICTURES = Path(__file__).resolve().parent.parent.parent / "lab_guides" / "pictures"


class S3:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.put: list[dict[str, Any]] = []
        self.got: list[str] = []

    def put_object(self, **parameters: Any) -> None:
        self.put.append(parameters)

    def get_object(self, **parameters: Any) -> dict[str, Any]:
        self.got.append(parameters["Key"])
        return {"Body": io.BytesIO(b"revenue: 42")}


def event(name: str, context: str | None) -> str:
    asked = None if context is None else {"encryptionContext": {"aws:s3:arn": context}}
    return json.dumps({"eventName": name, "requestParameters": asked})


def test_objects_are_written_under_one_key_with_and_without_its_bucket_key() -> None:
    s3 = S3()
    bucket_key.write_and_read(s3, "b", "arn:key", 2)
    assert [(one["Key"], one["BucketKeyEnabled"]) for one in s3.put] == [
        ("guide-05/without/0", False),
        ("guide-05/without/1", False),
        ("guide-05/with/0", True),
        ("guide-05/with/1", True),
    ]
    assert {(one["ServerSideEncryption"], one["SSEKMSKeyId"]) for one in s3.put} == {("aws:kms", "arn:key")}
    assert s3.got == [one["Key"] for one in s3.put]


def test_requests_are_counted_by_their_encryption_context() -> None:
    own, foreign = "arn:aws:s3:::b", "arn:aws:s3:::bb"
    events = [
        *[event("GenerateDataKey", f"{own}/guide-05/without/{number}") for number in range(3)],
        event("Decrypt", f"{own}/guide-05/without/0"),
        event("GenerateDataKey", own),
        event("GenerateDataKey", f"{own}/other/0"),
        event("Decrypt", foreign),
        event("Decrypt", None),
    ]
    assert bucket_key.count("b", events) == (
        ",GenerateDataKey,Decrypt\nwithout a Bucket Key,3,1\nwith a Bucket Key,1,0\n"
    )


class Kms:
    """Keeps what it was given in a drawer; an RSA key is a real one."""

    def __init__(self, private: rsa.RSAPrivateKey | None = None) -> None:
        self.private = private
        self.contexts: list[Any] = []
        self.drawer: dict[bytes, bytes] = {}

    def encrypt(self, **asked: Any) -> dict[str, bytes]:
        self.contexts.append(asked["EncryptionContext"])
        sealed = bytes([len(self.drawer)])
        self.drawer[sealed] = asked["Plaintext"]
        return {"CiphertextBlob": sealed}

    def generate_data_key(self, **asked: Any) -> dict[str, bytes]:
        key = bytes(31) + bytes([len(self.drawer)])
        return {"Plaintext": key, **self.encrypt(Plaintext=key, **asked)}

    def decrypt(self, **asked: Any) -> dict[str, bytes]:
        if self.private and "EncryptionAlgorithm" in asked:
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            return {"Plaintext": self.private.decrypt(asked["CiphertextBlob"], oaep)}
        self.contexts.append(asked["EncryptionContext"])
        return {"Plaintext": self.drawer[asked["CiphertextBlob"]]}


@pytest.mark.parametrize("method", [throughput.direct, throughput.envelope])
def test_a_method_opens_what_it_seals_with_the_labs_context(method: Any) -> None:
    kms = Kms()
    act = method(kms, "arn:key")
    assert act(b"one") == b"one"
    assert act(b"two") == b"two"
    assert kms.contexts == [throughput.CONTEXT] * 4
    assert len(kms.drawer) == 2  # an envelope has a data key of its own


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, kind)


def test_an_rsa_key_takes_so_many_bytes_and_no_more() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    act = throughput.asymmetric(Kms(private), "arn:key", public(private))
    message = b"m" * throughput.LONGEST_RSA
    assert act(message) == message
    with pytest.raises(ValueError, match="Encryption"):
        act(message + b"m")


def test_another_kind_of_key_is_refused() -> None:
    other = public(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(TypeError, match="not an RSA key"):
        throughput.asymmetric(Kms(), "arn:key", other)


def test_the_table_leaves_out_what_a_method_does_not_take() -> None:
    rows = throughput.table({"short": (8, lambda message: message), "any": (None, bytes)}, sizes=(8, 16))
    assert rows[0] == ["bytes", "short", "any"]
    assert [row[0] for row in rows[1:]] == ["8", "16"]
    assert rows[2][1] == ""
    assert float(rows[1][1]) > 0
    assert float(rows[2][2]) > 0


def test_a_method_that_opens_something_else_is_noticed() -> None:
    with pytest.raises(ValueError, match="not what was sealed"):
        throughput.rate(lambda message: message[1:], 8)


def test_the_figures_in_the_repository_have_the_shape_of_what_is_measured() -> None:
    """Numbers are dated and may differ; what was measured may not."""
    measured = list(csv.reader((PICTURES / "07-throughput.csv").open(encoding="utf-8")))
    assert [row[0] for row in measured[1:]] == [str(size) for size in throughput.SIZES]
    longest = {1: throughput.LONGEST_DIRECT, 4: throughput.LONGEST_RSA}
    for row in measured[1:]:
        for column, most in longest.items():
            assert bool(row[column]) is (int(row[0]) <= most)
    direct = next(float(row[1]) for row in measured if row[0] == "4096")
    assert float(measured[-1][2]) > 100 * direct
    counted = (PICTURES / "05-requests.csv").read_text(encoding="utf-8")
    assert [line.rpartition("Key")[0] for line in counted.splitlines()[1:]] == [
        "without a Bucket ",
        "with a Bucket ",
    ]
