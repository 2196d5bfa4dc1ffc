"""What S3 tells of a bucket, its configurations with an id, and operations that are not served."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

MALFORMED = "MalformedXML"


def test_the_arn_of_a_bucket_is_told(s3: Any, engine: Engine) -> None:
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    arn = f"arn:aws:s3:::{name}"
    made = s3.create_bucket(Bucket=name)
    assert (made["Location"], made["BucketArn"]) == (f"/{name}", arn)
    head = s3.head_bucket(Bucket=name)
    assert (head["BucketArn"], head["BucketRegion"], head["AccessPointAlias"]) == (arn, engine.region, False)
    elsewhere = engine.client("s3", region="eu-west-1")
    there = elsewhere.create_bucket(
        Bucket=f"{name}-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    assert there["Location"] == f"http://{name}-eu.s3.amazonaws.com/"


def test_a_bucket_with_versions_says_so_when_it_is_deleted(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    with refused("BucketNotEmpty", "You must delete all versions in the bucket.") as told:
        s3.delete_bucket(Bucket=bucket)
    assert told["BucketName"] == bucket
    s3.delete_object(Bucket=bucket, Key="a", VersionId=marker)
    s3.delete_bucket(Bucket=bucket)


def test_the_status_of_a_policy(s3: Any, bucket: str) -> None:
    with refused("NoSuchBucketPolicy") as told:
        s3.get_bucket_policy_status(Bucket=bucket)
    assert told["BucketName"] == bucket
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement["Resource"] = f"arn:aws:s3:::{bucket}/*"
    s3.delete_public_access_block(Bucket=bucket)
    for condition, is_public in (({"StringEquals": {"aws:PrincipalAccount": "1"}}, False), ({}, True)):
        document = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is is_public


def test_who_pays_for_requests(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    with refused(MALFORMED):
        s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Nobody"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"


def test_a_bucket_that_cannot_be_is_refused(s3: Any) -> None:
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    for ownership in ("Nobody", ""):
        with refused("InvalidArgument", f"Invalid x-amz-object-ownership header: {ownership}") as told:
            s3.create_bucket(Bucket=name, ObjectOwnership=ownership)
        assert told["ArgumentName"] == "x-amz-object-ownership"
    with refused(MALFORMED):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": ""})


def test_ownership_and_acceleration_are_held_to_their_form(s3: Any, bucket: str) -> None:
    one, other = {"ObjectOwnership": "ObjectWriter"}, {"ObjectOwnership": "BucketOwnerPreferred"}
    malformed: list[list[dict[str, str]]] = [[one, other], [{"ObjectOwnership": "Nobody"}], [{}]]
    for rules in malformed:
        with refused(MALFORMED):
            s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules})
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [one]})
    with refused(MALFORMED):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "enabled"})
    dotted = f"bucket.{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=dotted)
    with refused("InvalidRequest", "periods (.)"):
        s3.put_bucket_accelerate_configuration(Bucket=dotted, AccelerateConfiguration={"Status": "Enabled"})


def test_access_logs_go_to_a_bucket_of_the_region(s3: Any, bucket: str, engine: Engine) -> None:
    def log_to(target: str) -> None:
        logging = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "a"}}
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=logging)

    nowhere, away = (f"bucket-{uuid.uuid4().hex[:16]}" for _ in range(2))
    with refused("InvalidTargetBucketForLogging") as told:
        log_to(nowhere)
    assert told["TargetBucket"] == nowhere
    where = {"LocationConstraint": "eu-west-1"}
    engine.client("s3", region="eu-west-1").create_bucket(Bucket=away, CreateBucketConfiguration=where)
    with refused("CrossLocationLoggingProhibitted") as told:
        log_to(away)
    assert (told["TargetBucketLocation"], "SourceBucketLocation" in told) == ("eu-west-1", False)
    log_to(bucket)
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]["TargetBucket"] == bucket


def test_configurations_with_an_id(s3: Any, bucket: str) -> None:
    one, two = ({"Id": name, "Filter": {"Prefix": f"{name}/"}} for name in ("one", "two"))
    for metrics in (two, one):
        put = s3.put_bucket_metrics_configuration(
            Bucket=bucket, Id=metrics["Id"], MetricsConfiguration=metrics
        )
        assert put["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_metrics_configuration(Bucket=bucket, Id="one")["MetricsConfiguration"] == one
    listed = s3.list_bucket_metrics_configurations(Bucket=bucket)
    assert (listed["MetricsConfigurationList"], listed["IsTruncated"]) == ([one, two], False)
    with refused(MALFORMED):
        s3.put_bucket_metrics_configuration(Bucket=bucket, Id="three", MetricsConfiguration=one)
    s3.delete_bucket_metrics_configuration(Bucket=bucket, Id="one")
    for call in (s3.get_bucket_metrics_configuration, s3.delete_bucket_metrics_configuration):
        with refused("NoSuchConfiguration", "The specified configuration does not exist."):
            call(Bucket=bucket, Id="one")
    assert "AnalyticsConfigurationList" not in s3.list_bucket_analytics_configurations(Bucket=bucket)


def test_a_page_of_configurations(s3: Any, bucket: str) -> None:
    for number in range(101):
        wanted = {"Id": f"{number:03}"}
        s3.put_bucket_metrics_configuration(Bucket=bucket, Id=wanted["Id"], MetricsConfiguration=wanted)
    first = s3.list_bucket_metrics_configurations(Bucket=bucket)
    assert (len(first["MetricsConfigurationList"]), first["IsTruncated"]) == (100, True)
    token = first["NextContinuationToken"]
    last = s3.list_bucket_metrics_configurations(Bucket=bucket, ContinuationToken=token)
    assert (last["MetricsConfigurationList"], last["ContinuationToken"]) == ([{"Id": "100"}], token)
    with refused("InvalidArgument", "continuation token"):
        s3.list_bucket_metrics_configurations(Bucket=bucket, ContinuationToken="é")


def test_an_operation_that_is_not_served_changes_nothing(s3: Any, bucket: str) -> None:
    with refused("NotImplemented"):
        s3.delete_bucket_metadata_table_configuration(Bucket=bucket)
    with refused("NotImplemented"):
        s3.rename_object(Bucket=bucket, Key="a", RenameSource="/b")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    "name",
    ["xn--lab", "sthree-lab", "amzn-s3-demo-lab", "lab-s3alias", "lab--ol-s3", "lab.mrap", "lab--table-s3"],
)
def test_a_name_that_s3_keeps_for_itself_is_refused(s3: Any, name: str) -> None:
    with refused("InvalidBucketName", "The specified bucket is not valid.") as told:
        s3.create_bucket(Bucket=name)
    assert told["BucketName"] == name
