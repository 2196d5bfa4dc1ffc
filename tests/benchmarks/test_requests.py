"""What AWS charges for, told from a request as it arrives; and the table that is made of the counts."""

from __future__ import annotations

import tomllib

import pytest

from benchmarks import counting_engine, requests

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIA/20261122/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
)


@pytest.mark.parametrize(
    ("operation", "spec", "parameters", "item"),
    [
        ("Encrypt", "SYMMETRIC_DEFAULT", {}, "kms-request"),
        ("CreateKey", "", {}, "kms-request"),
        ("GenerateMac", "HMAC_256", {}, "kms-request"),
        ("Sign", "ECC_NIST_P256", {}, "kms-asymmetric-request"),
        ("GetPublicKey", "ML_DSA_65", {}, "kms-asymmetric-request"),
        ("Decrypt", "RSA_4096", {}, "kms-asymmetric-request"),
        ("Verify", "RSA_2048", {}, "kms-rsa-2048-request"),
        ("DescribeKey", "RSA_4096", {}, "kms-request"),
        ("GenerateDataKeyPair", "SYMMETRIC_DEFAULT", {"keyPairSpec": "RSA_2048"}, "kms-rsa-data-key-pair"),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            "SYMMETRIC_DEFAULT",
            {"keyPairSpec": "ECC_NIST_P256"},
            "kms-ecc-data-key-pair",
        ),
    ],
)
def test_a_request_to_kms_is_charged_as(
    operation: str, spec: str, parameters: dict[str, str], item: str
) -> None:
    assert counting_engine.kms_item(operation, spec, parameters) == item


@pytest.mark.parametrize(
    ("service", "method", "path", "query", "item"),
    [
        ("s3", "PUT", "/bucket/key", "", "s3-write"),
        ("s3", "GET", "/bucket/key", "", "s3-read"),
        ("s3", "HEAD", "/bucket/key", "", "s3-read"),
        ("s3", "GET", "/bucket", "list-type=2&prefix=a", "s3-write"),
        ("s3", "GET", "/bucket", "versions", "s3-write"),
        ("s3", "GET", "/", "", "s3-write"),
        ("s3", "GET", "/bucket", "encryption", "s3-read"),
        ("s3", "DELETE", "/bucket/key", "", ""),
        ("ebs", "GET", "/snapshots/snap-1/blocks", "", "ebs-direct-list"),
        ("ebs", "GET", "/snapshots/snap-2/changedblocks", "", "ebs-direct-list"),
        ("ebs", "GET", "/snapshots/snap-1/blocks/0", "", "ebs-direct-get"),
        ("ebs", "PUT", "/snapshots/snap-1/blocks/0", "", "ebs-direct-put"),
        ("ebs", "POST", "/snapshots", "", ""),
        ("secretsmanager", "POST", "/", "", "secretsmanager-request"),
        ("kms", "POST", "/", "", ""),
        ("iam", "POST", "/", "", ""),
    ],
)
def test_a_request_to_another_service_is_charged_as(
    service: str, method: str, path: str, query: str, item: str
) -> None:
    """Requests to KMS are counted where the trail would record them, and not here."""
    headers = {"authorization": SIGNED.format(service)}
    assert counting_engine.http_item(method, path, query, headers) == item


def test_a_presigned_request_is_known_by_its_query() -> None:
    query = "X-Amz-Credential=AKIA%2F20261122%2Fus-east-1%2Fs3%2Faws4_request"
    assert counting_engine.http_item("GET", "/bucket/key", query, {}) == "s3-read"
    assert counting_engine.http_item("GET", "/bucket/key", "", {}) == ""


def test_the_table_is_toml() -> None:
    text = requests.rendered({"deployment": {"kms-request": 44}, "01-first": {"s3-write": 2.0}}, "2026-11-22")
    read = tomllib.loads(text)
    assert str(read.pop("measured")) == "2026-11-22"
    assert read == {"deployment": {"kms-request": 44}, "01-first": {"s3-write": 2}}
