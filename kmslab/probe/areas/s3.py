"""S3: encryption under KMS keys, with the permissions of whoever reads and writes."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.probe.model import probe
from kmslab.probe.samples import alias_name
from kmslab.probe.sources import s3, s3_api

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

BODY = b"kmslab probe"
INVALID_ARGUMENT = ("InvalidArgument", "InvalidRequest")
UNUSABLE = (
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMS.KMSInvalidStateException.PendingDeletion",
)


def bucket(bench: Bench) -> str:
    """Make a bucket of the probe's own and return its name; it is removed with what is in it."""
    client = bench.client("s3")
    name = f"kmslab-probe-{uuid4().hex}"
    # The original Region is the one that may not be named.
    here: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": bench.region}}
    bench.make("s3:CreateBucket", Bucket=name, **({} if bench.region == "us-east-1" else here))

    def remove() -> None:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            for item in page.get("Versions", []) + page.get("DeleteMarkers", []):
                client.delete_object(Bucket=name, Key=item["Key"], VersionId=item["VersionId"])
        client.delete_bucket(Bucket=name)

    bench.undo(remove)
    bench.make("s3:PutBucketTagging", Bucket=name, Tagging={"TagSet": bench.tag_list})
    return name


def under(key: str, algorithm: str = "aws:kms") -> dict[str, Any]:
    """The parameters that encrypt an object under a KMS key."""
    return {"ServerSideEncryption": algorithm, "SSEKMSKeyId": key}


def by_default(key: str = "", *, bucket_key: bool = False, blocked: str = "") -> dict[str, Any]:
    """A bucket's encryption configuration: SSE-KMS under a key, or SSE-S3."""
    apply = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    rule: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": apply, "BucketKeyEnabled": bucket_key}
    if blocked:
        rule["BlockedEncryptionTypes"] = {"EncryptionType": [blocked]}
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


@probe(s3("default-bucket-encryption"))
def every_object_is_encrypted(bench: Bench) -> None:
    """Every new object is encrypted, with SSE-S3 unless the bucket or the request says otherwise.

    Without a word it is AES256, with a KMS key aws:kms under it.
    """
    name, key = bucket(bench), bench.key()
    plain = bench.works("s3:PutObject", Bucket=name, Key="one", Body=BODY)
    bench.equal("ServerSideEncryption", plain.get("ServerSideEncryption"), "AES256")
    bench.contrasts("it names no KMS key", "SSEKMSKeyId" not in plain)
    sealed = bench.works("s3:PutObject", Bucket=name, Key="two", Body=BODY, **under(key))
    bench.equal("ServerSideEncryption", sealed.get("ServerSideEncryption"), "aws:kms")
    bench.equal("the key", sealed.get("SSEKMSKeyId") == key, expected=True)


@probe(s3_api("GetBucketEncryption"))
def every_bucket_has_a_default(bench: Bench) -> None:
    """Every bucket has a default encryption, SSE-S3 until it is changed.

    A new bucket says AES256; after PutBucketEncryption it names the KMS key.
    """
    name, key = bucket(bench), bench.key()

    def default() -> Any:
        found = bench.works("s3:GetBucketEncryption", Bucket=name)["ServerSideEncryptionConfiguration"]
        return found["Rules"][0]["ApplyServerSideEncryptionByDefault"]

    bench.equal("the default", default()["SSEAlgorithm"], "AES256")
    bench.works("s3:PutBucketEncryption", Bucket=name, **by_default(key))
    bench.contrasts("the default is another", default() == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key})


@probe(s3("bucket-encryption"))
def a_default_key_encrypts_what_names_none(bench: Bench) -> None:
    """An object whose request names no encryption is encrypted as the bucket says.

    It is under the bucket's key; one that asks for AES256 is not.
    """
    name, key = bucket(bench), bench.key()
    bench.make("s3:PutBucketEncryption", Bucket=name, **by_default(key))
    put = bench.works("s3:PutObject", Bucket=name, Key="one", Body=BODY)
    bench.equal("the key", put.get("SSEKMSKeyId") == key, expected=True)
    plain = bench.works("s3:PutObject", Bucket=name, Key="two", Body=BODY, ServerSideEncryption="AES256")
    bench.contrasts("AES256 can still be asked for", "SSEKMSKeyId" not in plain)


@probe(s3("UsingKMSEncryption"))
def a_context_can_be_added(bench: Bench) -> None:
    """SSEKMSEncryptionContext adds pairs to the encryption context of an object.

    JSON in base64 is taken; other text is InvalidArgument.
    """
    import json
    from base64 import b64encode

    request: dict[str, Any] = {"Bucket": bucket(bench), "Key": "one", "Body": BODY, **under(bench.key())}
    given = b64encode(json.dumps({"team": "a"}).encode()).decode()
    bench.works("s3:PutObject", SSEKMSEncryptionContext=given, **request)
    bench.refuses(INVALID_ARGUMENT, "s3:PutObject", SSEKMSEncryptionContext="no json", **request)


@probe(s3("UsingDSSEncryption"))
def dual_layer_encryption_is_told(bench: Bench) -> None:
    """DSSE-KMS encrypts twice under a KMS key, without a Bucket Key.

    The object says aws:kms:dsse and comes back; with the key disabled it does not.
    """
    name, key = bucket(bench), bench.key()
    bench.make("s3:PutObject", Bucket=name, Key="one", Body=BODY, **under(key, "aws:kms:dsse"))
    got = bench.works("s3:GetObject", Bucket=name, Key="one")
    bench.equal("ServerSideEncryption", got.get("ServerSideEncryption"), "aws:kms:dsse")
    bench.sees("the content comes back", got["Body"].read() == BODY)
    bench.make("DisableKey", KeyId=key)
    bench.refuses(UNUSABLE, "s3:GetObject", Bucket=name, Key="one")


@probe(s3("ServerSideEncryptionCustomerKeys"))
def a_customers_key_must_be_sent_again(bench: Bench) -> None:
    """With SSE-C the reader sends the key that the writer sent.

    With it the object comes back; without it, or with another, it is refused.
    """
    name = bucket(bench)
    bench.make("s3:PutBucketEncryption", Bucket=name, **by_default(blocked="NONE"))
    mine, other = secrets.token_bytes(32), secrets.token_bytes(32)
    request: dict[str, Any] = {"Bucket": name, "Key": "one", "SSECustomerAlgorithm": "AES256"}
    bench.works("s3:PutObject", Body=BODY, SSECustomerKey=mine, **request)
    got = bench.works("s3:GetObject", SSECustomerKey=mine, **request)
    bench.sees("the content comes back", got["Body"].read() == BODY)
    codes = ("InvalidRequest", "AccessDenied", "InvalidArgument")
    bench.refuses(codes, "s3:GetObject", SSECustomerKey=other, **request)
    bench.refuses(codes, "s3:GetObject", Bucket=name, Key="one")


def _under_a_key_of_the_callers(name: str) -> dict[str, Any]:
    """PutObject with SSE-C."""
    return {
        "Bucket": name,
        "Key": "one",
        "Body": BODY,
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": secrets.token_bytes(32),
    }


@probe(s3("default-s3-c-encryption-setting-faq"))
def sse_c_is_blocked_in_new_buckets(bench: Bench) -> None:
    """New buckets block SSE-C until somebody allows it.

    In a new bucket it is AccessDenied; after PutBucketEncryption with NONE blocked it works.
    """
    name = bucket(bench)
    request = _under_a_key_of_the_callers(name)
    bench.denies("s3:PutObject", **request)
    bench.make("s3:PutBucketEncryption", Bucket=name, **by_default(blocked="NONE"))
    bench.works("s3:PutObject", **request)


@probe(s3("blocking-unblocking-s3-c-encryption-gpb"))
def sse_c_can_be_blocked(bench: Bench) -> None:
    """A bucket that blocks SSE-C takes no such objects.

    With NONE blocked SSE-C works; with SSE-C blocked it is AccessDenied.
    """
    name = bucket(bench)
    request = _under_a_key_of_the_callers(name)
    bench.make("s3:PutBucketEncryption", Bucket=name, **by_default(blocked="NONE"))
    bench.works("s3:PutObject", **request)
    bench.make("s3:PutBucketEncryption", Bucket=name, **by_default(blocked="SSE-C"))
    bench.denies("s3:PutObject", **request)


@probe(s3_api("Object"))
def the_etag_under_a_key_is_no_digest(bench: Bench) -> None:
    """The ETag is the content's MD5 digest for SSE-S3, and is not under a KMS key.

    The plain object's is, the other's is not.
    """
    name, key = bucket(bench), bench.key()
    digest = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    plain = bench.works("s3:PutObject", Bucket=name, Key="plain", Body=BODY)["ETag"]
    bench.sees("the plain object's ETag is the digest", plain.strip('"') == digest)
    sealed = bench.works("s3:PutObject", Bucket=name, Key="one", Body=BODY, **under(key))["ETag"]
    bench.contrasts("under a key it is not", sealed.strip('"') != digest)


@probe(s3_api("UpdateObjectEncryption"))
def a_stored_object_moves_to_another_key(bench: Bench) -> None:
    """UpdateObjectEncryption moves a stored object under another KMS key without copying it.

    An object under SSE-S3 moves and keeps its content; one under DSSE-KMS is InvalidRequest.
    """
    name, key = bucket(bench), bench.key()
    bench.make("s3:PutObject", Bucket=name, Key="one", Body=BODY)
    bench.make("s3:PutObject", Bucket=name, Key="two", Body=BODY, **under(key, "aws:kms:dsse"))
    target: dict[str, Any] = {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": False}}
    bench.works("s3:UpdateObjectEncryption", Bucket=name, Key="one", ObjectEncryption=target)
    found = bench.make("s3:GetObject", Bucket=name, Key="one")
    bench.equal("the key", found.get("SSEKMSKeyId") == key, expected=True)
    bench.sees("the content stays", found["Body"].read() == BODY)
    bench.refuses(
        "InvalidRequest", "s3:UpdateObjectEncryption", Bucket=name, Key="two", ObjectEncryption=target
    )


@probe(s3("mpuoverview"))
def parts_are_encrypted_too(bench: Bench) -> None:
    """A multipart upload under a KMS key needs the key for every part and for the reader.

    The completed object is under the key and comes back; somebody without the key may not read it.
    """
    name, key = bucket(bench), bench.key()
    where: dict[str, Any] = {"Bucket": name, "Key": "one"}
    upload = bench.works("s3:CreateMultipartUpload", **where, **under(key))
    part = bench.works("s3:UploadPart", PartNumber=1, UploadId=upload["UploadId"], Body=BODY, **where)
    parts: dict[str, Any] = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = bench.works(
        "s3:CompleteMultipartUpload", UploadId=upload["UploadId"], MultipartUpload=parts, **where
    )
    bench.equal("the key", done.get("SSEKMSKeyId") == key, expected=True)
    bench.sees("the content comes back", bench.make("s3:GetObject", **where)["Body"].read() == BODY)
    bench.denies("s3:GetObject", bench.world.storer, **where)


@probe(s3_api("PutBucketEncryption"))
def an_algorithm_must_be_known(bench: Bench) -> None:
    """PutBucketEncryption takes AES256, aws:kms and aws:kms:dsse.

    aws:kms works; another word is refused.
    """
    name = bucket(bench)
    bench.works("s3:PutBucketEncryption", Bucket=name, **by_default(bench.key()))
    wrong: dict[str, Any] = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "rot13"}}]}
    codes = ("MalformedXML", *INVALID_ARGUMENT)
    bench.refuses(codes, "s3:PutBucketEncryption", Bucket=name, ServerSideEncryptionConfiguration=wrong)


@probe(s3_api("DeleteBucketEncryption"))
def a_deleted_default_is_sse_s3_again(bench: Bench) -> None:
    """DeleteBucketEncryption takes the bucket back to SSE-S3.

    Before, objects are under the key; after it they are AES256.
    """
    name, key = bucket(bench), bench.key()
    bench.make("s3:PutBucketEncryption", Bucket=name, **by_default(key))
    put = bench.works("s3:PutObject", Bucket=name, Key="one", Body=BODY)
    bench.equal("the key", put.get("SSEKMSKeyId") == key, expected=True)
    bench.works("s3:DeleteBucketEncryption", Bucket=name)
    put = bench.works("s3:PutObject", Bucket=name, Key="two", Body=BODY)
    bench.contrasts("it is AES256 again", put.get("ServerSideEncryption") == "AES256")


@probe(s3("UsingKMSEncryption"))
def the_managed_key_is_made_on_first_use(bench: Bench) -> None:
    """An object under aws:kms without a key is under the AWS managed key aws/s3.

    Its key is managed by AWS; that of an object under a customer managed key is not.
    """
    name, key = bucket(bench), bench.key()
    put = bench.works("s3:PutObject", Bucket=name, Key="one", Body=BODY, ServerSideEncryption="aws:kms")
    about = bench.works("DescribeKey", KeyId=put["SSEKMSKeyId"])["KeyMetadata"]
    bench.equal("KeyManager", about["KeyManager"], "AWS")
    put = bench.works("s3:PutObject", Bucket=name, Key="two", Body=BODY, **under(key))
    bench.contrasts("the other's is not", put["SSEKMSKeyId"] == key != about["Arn"])


@probe(s3("UsingKMSEncryption"))
def an_alias_becomes_the_keys_arn(bench: Bench) -> None:
    """An object may be stored under an alias; the answer names the key's ARN.

    The ARN is the key's, and not the alias's.
    """
    name, key, alias = bucket(bench), bench.key(), alias_name(bench)
    bench.make("CreateAlias", AliasName=alias, TargetKeyId=key)
    put = bench.works("s3:PutObject", Bucket=name, Key="one", Body=BODY, **under(alias))
    bench.equal("the key", put.get("SSEKMSKeyId") == key, expected=True)
    bench.contrasts("it is not the alias", "alias/" not in put["SSEKMSKeyId"])


@probe(s3("checking-object-integrity"))
def checksums_come_with_the_object(bench: Bench) -> None:
    """A checksum that is asked for is computed and returned, under a KMS key too.

    It is the SHA-256 of the content; a wrong one is BadDigest or InvalidRequest, and nothing is stored.
    """
    name, key = bucket(bench), bench.key()
    put = bench.works(
        "s3:PutObject", Bucket=name, Key="one", Body=BODY, ChecksumAlgorithm="SHA256", **under(key)
    )
    bench.sees(
        "the checksum is that of the content",
        b64decode(put.get("ChecksumSHA256", "")) == hashlib.sha256(BODY).digest(),
    )
    wrong = "A" * 43 + "="
    codes = ("BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch")
    bench.refuses(
        codes, "s3:PutObject", Bucket=name, Key="two", Body=BODY, ChecksumSHA256=wrong, **under(key)
    )
