"""S3: what a KMS key, its policy and its state let whoever calls do."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.areas.s3 import BODY, INVALID_ARGUMENT, UNUSABLE, bucket, under
from kmslab.probe.model import probe, register
from kmslab.probe.sources import s3

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.probe.bench import Bench

READS: dict[str, Callable[[str], dict[str, Any]]] = {
    "GetObject": lambda name: {"Bucket": name, "Key": "one"},
    "CopyObject": lambda name: {
        "Bucket": name,
        "Key": "copy",
        "CopySource": {"Bucket": name, "Key": "one"},
        "ServerSideEncryption": "AES256",
    },
}


def _needs_decrypt(operation: str, bench: Bench) -> None:
    world, storer = bench.world, bench.world.storer
    for allowed, call in ((True, bench.works), (False, bench.denies)):
        name = bucket(bench)
        key = bench.key(world.allow(storer, "Decrypt")) if allowed else bench.key()
        bench.make("s3:PutObject", Bucket=name, Key="one", Body=BODY, **under(key))
        call(f"s3:{operation}", storer, **READS[operation](name))


for _operation in READS:
    register(
        "s3",
        f"{'get' if _operation == 'GetObject' else 'copy'}-needs-decrypt",
        f"{_operation} of an object under a KMS key needs kms:Decrypt for whoever calls.",
        "Where the key policy allows it the call works; where it does not it is AccessDenied.",
        s3("UsingKMSEncryption"),
        partial(_needs_decrypt, _operation),
    )


@probe(s3("UsingKMSEncryption"))
def put_needs_a_data_key(bench: Bench) -> None:
    """PutObject under a KMS key needs kms:GenerateDataKey for whoever calls.

    Where the key policy allows it the object is stored; where it does not it is AccessDenied.
    """
    world, storer, name = bench.world, bench.world.storer, bucket(bench)
    request: dict[str, Any] = {"Bucket": name, "Key": "one", "Body": BODY}
    bench.works("s3:PutObject", storer, **request, **under(bench.key(world.allow(storer, "GenerateDataKey"))))
    bench.denies("s3:PutObject", storer, **request, **under(bench.key()))


@probe(s3("UsingKMSEncryption"))
def metadata_need_no_key(bench: Bench) -> None:
    """HeadObject shows how an object is encrypted, and needs no permission on the key only for SSE-S3.

    An object under SSE-S3 is read by somebody without any permission in KMS; one under a KMS key is not.
    """
    storer, name = bench.world.storer, bucket(bench)
    bench.make("s3:PutObject", Bucket=name, Key="plain", Body=BODY)
    bench.make("s3:PutObject", Bucket=name, Key="one", Body=BODY, **under(bench.key()))
    head = bench.works("s3:HeadObject", Bucket=name, Key="one")
    bench.equal("ServerSideEncryption", head.get("ServerSideEncryption"), "aws:kms")
    bench.works("s3:GetObject", storer, Bucket=name, Key="plain")
    bench.denies("s3:GetObject", storer, Bucket=name, Key="one")


def _stopped(state: str, operation: str, bench: Bench) -> None:
    name, key = bucket(bench), bench.key()
    request: dict[str, Any] = {"Bucket": name, "Key": "one"}
    sealed: dict[str, Any] = {**request, "Body": BODY, **under(key)}
    bench.make("s3:PutObject", **sealed)
    used = sealed if operation == "PutObject" else request
    bench.works(f"s3:{operation}", **used)
    if state == "Disabled":
        bench.make("DisableKey", KeyId=key)
    else:
        bench.make("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    bench.refuses(UNUSABLE, f"s3:{operation}", **used)


for _state in ("Disabled", "PendingDeletion"):
    for _operation in ("GetObject", "PutObject"):
        register(
            "s3",
            f"{'get' if _operation == 'GetObject' else 'put'}-needs-a-key-that-is-not-"
            f"{'disabled' if _state == 'Disabled' else 'pending-deletion'}",
            f"{_operation} does not work under a key that is {_state}.",
            f"It works under the enabled key, and is {UNUSABLE[_state != 'Disabled']} after.",
            s3("troubleshoot-403-errors"),
            partial(_stopped, _state, _operation),
        )


@probe(s3("bucket-key"))
def a_bucket_key_binds_the_bucket(bench: Bench) -> None:
    """With a Bucket Key the encryption context is the bucket's ARN, without it the object's.

    A role allowed for the bucket's ARN only stores objects with a Bucket Key, and none without.
    """
    world, storer, name = bench.world, bench.world.storer, bucket(bench)
    arn = f"arn:{bench.partition}:s3:::{name}"
    condition: dict[str, Any] = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": arn}}
    key = bench.key(world.allow(storer, "GenerateDataKey", "Decrypt", condition=condition))
    request: dict[str, Any] = {"Bucket": name, "Key": "one", "Body": BODY, **under(key)}
    answer = bench.works("s3:PutObject", storer, BucketKeyEnabled=True, **request)
    bench.equal("BucketKeyEnabled", answer.get("BucketKeyEnabled"), expected=True)
    bench.denies("s3:PutObject", storer, **request)


@probe(s3("UsingKMSEncryption"))
def the_context_names_the_object(bench: Bench) -> None:
    """Without a Bucket Key the encryption context is the ARN of the object.

    A role allowed for this ARN reads the object, and not its neighbour under the same key.
    """
    world, storer, name = bench.world, bench.world.storer, bucket(bench)
    arn = f"arn:{bench.partition}:s3:::{name}/one"
    condition: dict[str, Any] = {"StringEquals": {"kms:EncryptionContext:aws:s3:arn": arn}}
    key = bench.key(world.allow(storer, "Decrypt", condition=condition))
    for item, call in (("one", bench.works), ("two", bench.denies)):
        bench.make("s3:PutObject", Bucket=name, Key=item, Body=BODY, **under(key))
        call("s3:GetObject", storer, Bucket=name, Key=item)


@probe(s3("UsingKMSEncryption"))
def a_key_that_is_not_there_is_refused(bench: Bench) -> None:
    """An object cannot be stored under a key that does not exist.

    Under a key that exists it is stored; under another id it is KMS.NotFoundException.
    """
    request: dict[str, Any] = {"Bucket": bucket(bench), "Key": "one", "Body": BODY}
    key = bench.key()
    missing = f"{key.rpartition('/')[0]}/00000000-0000-4000-8000-000000000000"
    bench.works("s3:PutObject", **request, **under(key))
    bench.refuses("KMS.NotFoundException", "s3:PutObject", **request, **under(missing))


@probe(s3("UsingKMSEncryption"))
def the_key_must_be_symmetric(bench: Bench) -> None:
    """S3 takes symmetric encryption keys only.

    Under one it stores; under an RSA key it is refused.
    """
    request: dict[str, Any] = {"Bucket": bucket(bench), "Key": "one", "Body": BODY}
    bench.works("s3:PutObject", **request, **under(bench.key()))
    codes = ("KMS.InvalidKeyUsageException", *INVALID_ARGUMENT)
    bench.refuses(codes, "s3:PutObject", **request, **under(bench.shared_key("RSA_2048")))


@probe(s3("UsingKMSEncryption"))
def the_key_must_be_in_the_buckets_region(bench: Bench) -> None:
    """Key and bucket are in one Region.

    With a key of the bucket's Region it stores; with one of another Region it is refused.
    """
    request: dict[str, Any] = {"Bucket": bucket(bench), "Key": "one", "Body": BODY}
    bench.works("s3:PutObject", **request, **under(bench.key()))
    away = bench.key(region=bench.other_region)
    codes = (*INVALID_ARGUMENT, "KMS.NotFoundException")
    bench.refuses(codes, "s3:PutObject", **request, **under(away))
