"""S3, EBS, Secrets Manager and SSM with random members: an error of the client's, never one of the engine's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.conftest import LOADER, policy
from tests.engine.fuzz.shapes import Shapes
from tests.engine.fuzz.test_kms_operations import MANY, QUIET

if TYPE_CHECKING:
    from tests.engine.conftest import Engine
    from tests.engine.fuzz.wire import Answer, Wire

FEW = 12
JSON_OPERATIONS = {
    "secretsmanager": (
        "CreateSecret",
        "DeleteSecret",
        "DescribeSecret",
        "GetRandomPassword",
        "GetSecretValue",
        "ListSecrets",
        "PutResourcePolicy",
        "PutSecretValue",
        "TagResource",
        "UpdateSecret",
        "UpdateSecretVersionStage",
    ),
    "ssm": (
        "AddTagsToResource",
        "DeleteParameter",
        "DescribeParameters",
        "GetParameter",
        "GetParameters",
        "GetParametersByPath",
        "PutParameter",
    ),
    "cloudtrail": (
        *("AddTags", "CreateTrail", "DescribeTrails", "GetEventSelectors", "GetTrail", "GetTrailStatus"),
        *("ListTags", "LookupEvents", "PutEventSelectors", "RemoveTags", "UpdateTrail"),
    ),
}
CASES = [(service, operation) for service, operations in JSON_OPERATIONS.items() for operation in operations]
KNOWN: dict[str, list[Any]] = {
    "Name": ["fuzz"],
    "Names": [["fuzz"]],
    "SecretId": ["fuzz"],
    "KmsKeyId": ["alias/aws/secretsmanager"],
    "ResourceId": ["fuzz"],
    "ResourceIdList": [["fuzz"]],
    "ResourceType": ["Parameter"],
    "S3BucketName": ["fuzz-trail"],
    "TrailName": ["fuzz"],
    "Type": ["String", "SecureString"],
    "Value": ["value"],
    "VersionStage": ["AWSCURRENT", "AWSPREVIOUS"],
}


def no_fault_of_the_engine(answer: Answer, sent: object) -> None:
    shown = f"{str(sent)[:600]} answered {answer.status} {answer.body[:400]!r}"
    # 501 is S3's own: what it does not implement.
    assert answer.status < 500 or answer.status == 501, shown
    assert b"Traceback" not in answer.body, shown


def throw_json(wire: Wire, target: Engine, service: str, operation: str, examples: int, **how: Any) -> None:
    model: dict[str, Any] = LOADER.load_service_model(service, "service-2")
    prefix = model["metadata"]["targetPrefix"]

    @settings(QUIET, max_examples=examples, **how)
    @given(Shapes(model, KNOWN).request(operation))
    def one(parameters: Any) -> None:
        body = json.dumps(parameters).encode()
        answer = wire.call(target.administrator, f"{prefix}.{operation}", body, service)
        no_fault_of_the_engine(answer, (operation, parameters))

    one()


@pytest.fixture(scope="module", autouse=True)
def things(target: Engine) -> None:
    """What the known values name."""
    target.client("secretsmanager").create_secret(Name="fuzz", SecretString="x")
    target.client("ssm").put_parameter(Name="fuzz", Value="x", Type="String")
    target.client("s3").create_bucket(Bucket="fuzz")
    target.client("s3").put_object(Bucket="fuzz", Key="a", Body=b"a")
    target.client("s3").create_bucket(Bucket="fuzz-trail")
    let_in = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:*"}
    everything = {**let_in, "Resource": ["arn:aws:s3:::fuzz-trail", "arn:aws:s3:::fuzz-trail/*"]}
    target.client("s3").put_bucket_policy(Bucket="fuzz-trail", Policy=policy(everything))
    target.client("cloudtrail").create_trail(Name="fuzz", S3BucketName="fuzz-trail")


@pytest.mark.parametrize(("service", "operation"), CASES)
def test_json_services_answer_anything(wire: Wire, target: Engine, service: str, operation: str) -> None:
    throw_json(wire, target, service, operation, FEW, derandomize=True)


@pytest.mark.nightly
@pytest.mark.parametrize(("service", "operation"), CASES)
def test_json_services_answer_much(wire: Wire, target: Engine, service: str, operation: str) -> None:
    throw_json(wire, target, service, operation, MANY)


S3_PATHS = st.sampled_from(
    ["/fuzz", "/fuzz/a", "/fuzz/b", "/nowhere", "/nowhere/a", "/", "/fuzz/%00", "/fuzz//"]
)
S3_QUERIES = st.dictionaries(
    st.sampled_from(
        [
            *(
                "acl",
                "encryption",
                "versioning",
                "tagging",
                "policy",
                "lifecycle",
                "logging",
                "versions",
                "uploads",
            ),
            *("uploadId", "partNumber", "list-type", "max-keys", "continuation-token", "marker", "versionId"),
            *("publicAccessBlock", "ownershipControls", "object-lock", "retention", "attributes", "delete"),
            *("policyStatus", "requestPayment", "website", "accelerate", "legal-hold", "torrent", "session"),
            *("metrics", "inventory", "id", "prefix", "delimiter", "encoding-type", "max-uploads"),
            *("key-marker", "upload-id-marker", "version-id-marker"),
        ]
    ),
    st.sampled_from(["", "1", "-1", "x", "99999999999", "null", "é", "url", "/", "a"]),
    max_size=3,
)
S3_HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
            "x-amz-server-side-encryption-context",
            "x-amz-server-side-encryption-bucket-key-enabled",
            "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-server-side-encryption-customer-key",
            "x-amz-copy-source",
            "x-amz-copy-source-range",
            "x-amz-acl",
            "x-amz-grant-read",
            "x-amz-object-ownership",
            "x-amz-object-lock-mode",
            "x-amz-storage-class",
            "x-amz-bypass-governance-retention",
            "x-amz-checksum-sha256",
            "x-amz-object-attributes",
            "x-amz-tagging",
            "Range",
            "If-Match",
            "Content-MD5",
        ]
    ),
    st.sampled_from(
        ["", "aws:kms", "aws:kms:dsse", "AES256", "x", "bytes=5-1", "/fuzz/a", "bnVsbA==", "W10=", "true"]
    ),
    max_size=3,
)
S3_BODIES = st.sampled_from(
    [
        b"",
        b"x",
        b"<",
        b"<a/>",
        b"<ServerSideEncryptionConfiguration/>",
        b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault/></Rule>"
        b"</ServerSideEncryptionConfiguration>",
        b"<Delete><Object><Key>b</Key></Object></Delete>",
        b"<Delete><Object><Key>a</Key><VersionId>x</VersionId></Object></Delete>",
        b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
        b"<MetricsConfiguration><Id>1</Id></MetricsConfiguration>",
        b"<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>x</Days></Expiration></Rule>"
        b"</LifecycleConfiguration>",
        b"<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
        b"</LifecycleConfiguration>",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        b"<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
        b"<AccessControlPolicy><Owner/><AccessControlList><Grant/></AccessControlList></AccessControlPolicy>",
        b"<WebsiteConfiguration><IndexDocument/></WebsiteConfiguration>",
        b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>x</RetainUntilDate></Retention>",
        b'{"Version":"2012-10-17","Statement":[1]}',
        b"[]",
        b"\xff\xfe\x00",
    ]
)
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"])


def throw_s3(wire: Wire, target: Engine, examples: int, **how: Any) -> None:
    @settings(QUIET, max_examples=examples, **how)
    @given(METHODS, S3_PATHS, S3_QUERIES, S3_HEADERS, S3_BODIES)
    def one(method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> None:
        where = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        full = f"{path}?{where}" if where else path
        signed = wire.signed("s3", target.administrator, method, full, headers, body)
        no_fault_of_the_engine(wire.send(method, full, signed, body), (method, full, headers, body))

    one()


def test_s3_answers_anything(wire: Wire, target: Engine) -> None:
    throw_s3(wire, target, 300, derandomize=True)


@pytest.mark.nightly
def test_s3_answers_much(wire: Wire, target: Engine) -> None:
    throw_s3(wire, target, 10_000)


EBS_PATHS = st.sampled_from(
    [
        "/snapshots",
        "/snapshots/snap-0123456789abcdef0/blocks",
        "/snapshots/snap-0123456789abcdef0/blocks/1",
        "/snapshots/snap-0123456789abcdef0/blocks/x",
        "/snapshots/snap-0123456789abcdef0/changedblocks",
        "/snapshots/completion/snap-0123456789abcdef0",
        "/snapshots/x",
    ]
)
EBS_BODIES = st.one_of(
    st.sampled_from([b"", b"{", b"[]", b"null", b'{"VolumeSize": "x"}', b'{"VolumeSize": -1}', b"\xff"]),
    st.dictionaries(
        st.sampled_from(["VolumeSize", "ParentSnapshotId", "Tags", "Encrypted", "KmsKeyArn", "Timeout"]),
        st.one_of(
            st.none(), st.integers(-5, 2**40), st.text(max_size=5), st.booleans(), st.lists(st.integers())
        ),
    ).map(lambda members: json.dumps(members).encode()),
)


def throw_ebs(wire: Wire, target: Engine, examples: int, **how: Any) -> None:
    @settings(QUIET, max_examples=examples, **how)
    @given(
        METHODS, EBS_PATHS, st.sampled_from(["", "?maxResults=x", "?pageToken=x", "?blockToken="]), EBS_BODIES
    )
    def one(method: str, path: str, query: str, body: bytes) -> None:
        signed = wire.signed("ebs", target.administrator, method, path + query, {}, body)
        no_fault_of_the_engine(wire.send(method, path + query, signed, body), (method, path + query, body))

    one()


def test_ebs_answers_anything(wire: Wire, target: Engine) -> None:
    throw_ebs(wire, target, 150, derandomize=True)


@pytest.mark.nightly
def test_ebs_answers_much(wire: Wire, target: Engine) -> None:
    throw_ebs(wire, target, 5000)
