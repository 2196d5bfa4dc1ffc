"""Faults of the buckets beside the data bucket: what logs lie in, and what is there to be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.buckets import (
    AccessLogging,
    BucketEncryption,
    BucketPolicy,
    ObjectOwnership,
    Replication,
)
from kmslab.faults.changes.statements import about, drop
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "05-s3"


@fault(guide=GUIDE, noticed_by=("other-buckets.have-no-access-lists",))
def log_files_have_owners_of_their_own() -> Change:
    """Access control lists have a say in the trail's bucket again (ObjectWriter).

    Whoever writes into it from another account owns what they write, and the lab cannot read it.
    """
    return ObjectOwnership(LabOutputs.trail_bucket, "ObjectWriter")


@fault(guide=GUIDE, noticed_by=("other-buckets.log-their-accesses",))
def accesses_to_a_comparison_bucket_are_not_logged() -> Change:
    """Accesses to the SSE-S3 bucket are not logged.

    It is the one bucket of the lab that no key protects: who reads it is found in the access log or nowhere.
    """
    return AccessLogging(LabOutputs.sse_s3_bucket)


@fault(guide=GUIDE, noticed_by=("other-buckets.refuse-old-tls",))
def old_tls_is_taken() -> Change:
    """The data bucket's policy no longer denies TLS before version 1.2.

    Every scanner asks for "TLS", and is content. Old versions are TLS too.
    """
    return BucketPolicy(LabOutputs.data_bucket, drop(about("s3:TlsVersion")))


@fault(guide=GUIDE, noticed_by=("other-buckets.replicate-nowhere",))
def the_data_is_copied_elsewhere() -> Change:
    """Everything that is put into the data bucket is replicated into the SSE-S3 bucket.

    A copy is encrypted as its destination says. No statement about puts and no key policy stands in its way:
    replication is S3's own, with the rights of a role.
    """
    return Replication(LabOutputs.data_bucket, LabOutputs.sse_s3_bucket)


@fault(
    guide=GUIDE,
    noticed_by=(
        "s3.aws-owned-key-has-no-name",
        "objects.an-object-under-another-key-is-found-and-re-encrypted",
        "objects.versions-keep-their-keys",
        "objects.the-etag-is-no-fingerprint",
    ),
    also=("s3.copy-encrypts-anew", "objects.encryption-of-a-stored-object-stays"),
)
def the_comparison_is_under_a_key() -> Change:
    """The SSE-S3 bucket's default encryption is the lab's key: somebody "repaired" it.

    Nothing is less safe. But what the guide compares is no longer there to be compared, and who trusts the
    bucket's name is told something else than what is.
    """
    return BucketEncryption(LabOutputs.sse_s3_bucket, "aws:kms", key=LabOutputs.key_s3, bucket_key=True)


@fault(guide=GUIDE, noticed_by=("s3.aws-managed-key-is-not-ours",))
def the_managed_keys_bucket_is_under_none() -> Change:
    """The bucket under aws/s3 has SSE-S3 as its default encryption.

    Somebody tidied up: "no key is configured here anyway". New objects are under a key of AWS's that no trail shows.
    """
    return BucketEncryption(LabOutputs.aws_managed_bucket, "AES256", bucket_key=False)


@fault(
    guide=GUIDE,
    noticed_by=("s3.dual-layer-bucket-has-no-bucket-key", "objects.dual-layer-objects-need-the-key"),
)
def two_layers_are_one() -> Change:
    """The dual-layer bucket's default encryption is SSE-KMS, with a Bucket Key.

    "Encrypted with our key" is still true. Who has to show two independent layers has one.
    """
    return BucketEncryption(LabOutputs.dsse_bucket, "aws:kms", key=LabOutputs.key_s3, bucket_key=True)
