"""S3 with SSE-KMS: reading an object takes the key, not only the bucket."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from kmslab.checks.buckets import (
    all_buckets,
    bucket_policy,
    default_encryption,
    denies_everything,
    expect_labs_key,
    expect_policy_refuses,
    expiring_rules,
    object_ownership,
)
from kmslab.checks.registry import check
from kmslab.checks.samples import read_if_any, refused_soon, sample_object, soon
from kmslab.checks.shared import described, read_once
from kmslab.checks.temporary import stopped
from kmslab.model.capability import ON_BEHALF, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "05-s3"
OWNER, READER, STORAGE = Persona.DATA_OWNER, Persona.DATA_READER, Persona.STORAGE_OPERATOR
KEY_NOT_USABLE = frozenset({"KMS.DisabledException", "KMS.KMSInvalidStateException"})
"""What S3 says when KMS says that the key is disabled."""
WITHOUT_TLS = {("bool", "aws:securetransport"): ("false",)}
PUBLIC_ACCESS_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


@check(
    guide=GUIDE,
    needs={Capability.KMS_ON_BEHALF_OF_CALLER},
    controls=("S3.17", "prowler:s3_bucket_kms_encryption"),
)
def objects_are_stored_under_the_labs_key(lab: Lab) -> str:
    """An object put without any encryption header is stored under the lab's key, with its Bucket Key.

    Default encryption is not a fallback but a rule: the data owner names no key, and S3 reports the
    lab's key, kind aws:kms and the Bucket Key for what it stored.
    """
    sample = sample_object(lab)
    sample.put()
    found = sample.head()
    expect_labs_key(lab, found)
    lab.expect(found.get("BucketKeyEnabled") is True, "the object does not use the Bucket Key")
    return "stored as aws:kms under the lab's key, with the Bucket Key"


@check(guide=GUIDE, needs=ON_BEHALF)
def reader_reads_what_the_owner_wrote(lab: Lab) -> str:
    """The data reader reads the object that the data owner wrote, and cannot write one.

    S3 asks KMS to decrypt with the reader's own permissions; the reader never sees the key.
    """
    sample = sample_object(lab)
    sample.put()
    lab.expect(sample.get(READER) == sample.body, "the reader read something else than was written")
    said = lab.refused(READER, "s3:PutObject", Body=b"x", **sample.where)
    lab.expect("s3:PutObject" in said, "IAM let the reader write; only the key refused")
    return "the reader reads the same bytes and cannot write"


@check(guide=GUIDE, needs=ON_BEHALF)
def all_of_s3_without_the_key_is_refused(lab: Lab) -> str:
    """Reading an object needs the key, not only the bucket.

    The storage operator has every S3 permission there is, and no key. The data reader reads the same
    object first; the operator is refused by KMS (kms:Decrypt), not by S3.
    """
    sample = sample_object(lab)
    sample.put()
    lab.expect(sample.get(READER) == sample.body, "the reader read something else than was written")
    lab.refused(STORAGE, "s3:GetObject", by="kms:Decrypt", **sample.where)
    return "the storage operator, with all of S3, is refused by kms:Decrypt"


@check(guide=GUIDE, needs=ON_BEHALF)
def writing_needs_the_key(lab: Lab) -> str:
    """Writing an object needs the key as well.

    The storage operator may put objects into any bucket; in this one S3 needs a data key for it, and
    KMS refuses the storage operator (kms:GenerateDataKey).
    """
    sample = sample_object(lab)
    sample.put()
    lab.refused(STORAGE, "s3:PutObject", by="kms:GenerateDataKey", Body=b"x", **sample.where)
    return "the storage operator, with all of S3, is refused by kms:GenerateDataKey"


@check(guide=GUIDE, needs=ON_BEHALF)
def outsider_is_refused(lab: Lab) -> str:
    """A principal of the account without any permission reads nothing."""
    sample = sample_object(lab)
    sample.put()
    sample.get()
    lab.refused(Persona.OUTSIDER, "s3:GetObject", **sample.where)
    lab.refused(Persona.OUTSIDER, "s3:PutObject", Body=b"x", **sample.where)
    return "the outsider can neither read nor write"


@check(guide=GUIDE, needs={Capability.IAM})
def another_key_is_refused(lab: Lab) -> str:
    """The bucket takes objects under the lab's key alone.

    Naming the lab's key works. Naming another key is refused by the bucket policy (s3:PutObject),
    before KMS is asked: nobody can move data out of the reach of the key's administrators.
    """
    expect_policy_refuses(lab, ServerSideEncryption="aws:kms", SSEKMSKeyId=lab.outputs.key_app)
    return "an object under the lab's key is taken, one under another key refused"


@check(guide=GUIDE, needs={Capability.IAM})
def other_encryption_is_refused(lab: Lab) -> str:
    """Asking for SSE-S3 in the request does not get around the key.

    SSE-S3 (AES256) encrypts under a key of AWS that everybody with S3 permissions can use. The bucket
    policy refuses it, while the same put with aws:kms is taken. Dual-layer encryption (aws:kms:dsse) is
    not what the bucket was made for either, even under the lab's key.
    """
    expect_policy_refuses(lab, ServerSideEncryption="AES256")
    expect_policy_refuses(lab, ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=lab.outputs.key_s3)
    return "aws:kms is taken, AES256 and aws:kms:dsse are refused"


@check(guide=GUIDE, needs={Capability.IAM})
def managed_key_is_refused(lab: Lab) -> str:
    """Asking for aws:kms without naming a key is refused: it means the AWS managed key aws/s3.

    The bucket's default key is used when no encryption is asked for, not when the key is left out.
    """
    expect_policy_refuses(lab, ServerSideEncryption="aws:kms")
    return "aws:kms with the lab's key is taken, without a key refused"


@check(guide=GUIDE, needs={Capability.SSE_C_BLOCKING})
def customer_provided_key_is_refused(lab: Lab) -> str:
    """A put with a key that the client brings (SSE-C) is refused.

    With SSE-C whoever holds the client's key holds the data to ransom: S3 does not keep the key. The
    same put without it is taken.
    """
    sample = sample_object(lab)
    sample.put()
    lab.refused(
        OWNER,
        "s3:PutObject",
        Body=b"x",
        SSECustomerAlgorithm="AES256",
        SSECustomerKey=secrets.token_bytes(32),
        **sample.where,
    )
    return "the put is taken without SSE-C and refused with it"


@check(
    guide=GUIDE,
    needs={Capability.IAM, Capability.TLS, Capability.PLAIN_HTTP},
    controls=("S3.5", "config:s3-bucket-ssl-requests-only", "prowler:s3_bucket_secure_transport_policy"),
)
def plain_http_is_refused(lab: Lab) -> str:
    """Without TLS nothing is read and nothing is written.

    The data owner reads and writes over TLS; the same two calls over plain HTTP are refused by the
    bucket policy (aws:SecureTransport).
    """
    sample = sample_object(lab)
    sample.put()
    sample.get()
    lab.refused(OWNER, "s3:GetObject", plain_http=True, **sample.where)
    lab.refused(OWNER, "s3:PutObject", plain_http=True, Body=b"x", **sample.where)
    return "reads and writes work over TLS and are refused over plain HTTP"


@check(guide=GUIDE, needs=ON_BEHALF | {Capability.KEY_STATES}, serial=True, changes_keys=True)
def disabled_key_stops_reads(lab: Lab) -> str:
    """Disabling the key stops every read; enabling it restores them.

    The key administrator disables the key, which is no permission to read: the object is out of
    reach for everybody, the data owner included. The object is put without a Bucket Key, since S3 may
    go on using a Bucket Key for a short while.
    """
    key = lab.outputs.key_s3
    sample = sample_object(lab)
    sample.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=key, BucketKeyEnabled=False)
    sample.get()
    with stopped(lab, key):
        refused_soon(lab, OWNER, "s3:GetObject", codes=KEY_NOT_USABLE, **sample.where)
    lab.expect(soon(lab, sample.get) == sample.body, "the object changed while its key was disabled")
    return "a disabled key stopped the read; enabling it restored the same bytes"


@check(guide=GUIDE, needs=ON_BEHALF)
def copy_encrypts_anew(lab: Lab) -> str:
    """Copying an object into the bucket encrypts it under the bucket's key, whatever it had before.

    An object under an AWS owned key (SSE-S3) is copied into the data bucket: the copy is under the
    lab's key. This is how existing data comes under a key of one's own. The storage operator, who may
    read the original, is refused the copy by KMS.
    """
    source = sample_object(lab, lab.outputs.sse_s3_bucket)
    source.put(STORAGE)
    copy = sample_object(lab)
    lab.allowed(OWNER, "s3:CopyObject", CopySource=source.where, **copy.where)
    expect_labs_key(lab, copy.head())
    lab.expect(copy.get() == source.body, "the copy holds something else than the original")
    lab.refused(STORAGE, "s3:CopyObject", by="kms:GenerateDataKey", CopySource=source.where, **copy.where)
    return "the original was under SSE-S3, its copy is under the lab's key"


@check(
    guide=GUIDE,
    controls=(
        "S3.17",
        "config:s3-default-encryption-kms",
        "config:s3-bucket-server-side-encryption-enabled",
        "prowler:s3_bucket_default_encryption",
        "prowler:s3_bucket_kms_encryption",
        "cdk-nag:NIST.800.53.R5-S3DefaultEncryptionKMS",
    ),
)
def default_encryption_is_the_labs_key(lab: Lab) -> str:
    """The data bucket's default encryption is aws:kms with the lab's key and a Bucket Key.

    The Bucket Key lets S3 derive object keys from one data key for a while: far fewer, hence far
    cheaper, calls to KMS.
    """
    rule = default_encryption(lab, lab.outputs.data_bucket)
    default = rule["ApplyServerSideEncryptionByDefault"]
    lab.expect(default["SSEAlgorithm"] == "aws:kms", f"default encryption is {default['SSEAlgorithm']}")
    lab.expect(
        default.get("KMSMasterKeyID") == lab.outputs.key_s3,
        f"the default key is {default.get('KMSMasterKeyID', 'aws/s3')}",
    )
    lab.expect(rule.get("BucketKeyEnabled") is True, "the Bucket Key is off")
    return "aws:kms under the lab's key, Bucket Key on"


@check(guide=GUIDE)
def customer_provided_keys_are_blocked(lab: Lab) -> str:
    """The data bucket's configuration blocks SSE-C.

    Since April 2026 new buckets block it by default in almost every Region; the lab says so itself
    instead of relying on the default.
    """
    blocked = default_encryption(lab, lab.outputs.data_bucket).get("BlockedEncryptionTypes", {})
    lab.expect("SSE-C" in blocked.get("EncryptionType", []), "the configuration does not block SSE-C")
    return "SSE-C is among the blocked encryption types"


@check(
    guide=GUIDE,
    controls=(
        "prowler:s3_bucket_object_versioning",
        "S3.14",
        "cdk-nag:NIST.800.53.R5-S3BucketVersioningEnabled",
    ),
)
def versions_are_kept(lab: Lab) -> str:
    """The data bucket keeps versions: overwriting or deleting destroys nothing, and nothing expires.

    Each version keeps the key it was written under, so a key must outlive every version under it.
    """
    bucket = lab.outputs.data_bucket
    status = lab.read("s3:GetBucketVersioning", Bucket=bucket).get("Status", "never enabled")
    lab.expect(status == "Enabled", f"versioning is {status}")
    expiring = expiring_rules(lab, bucket, Persona.AUDITOR)
    lab.expect(not expiring, f"lifecycle rules delete what is there: {expiring}")
    return "versioning is enabled, and no lifecycle rule deletes a version"


@check(
    guide=GUIDE,
    controls=(
        "S3.2",
        "S3.3",
        "S3.8",
        "prowler:s3_bucket_level_public_access_block",
        "config:s3-bucket-level-public-access-prohibited",
        "cdk-nag:AwsSolutions-S2",
        "cdk-nag:NIST.800.53.R5-S3BucketLevelPublicAccessProhibited",
        "CloudTrail.6",
        "prowler:cloudtrail_logs_s3_bucket_is_not_publicly_accessible",
    ),
)
def no_bucket_can_become_public(lab: Lab) -> str:
    """All four public access blocks are on for every bucket of the lab.

    Encryption does not make a public bucket private: for SSE-S3 AWS decrypts for whoever may read.
    """
    action, absent = "s3:GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration"
    buckets = all_buckets(lab)
    for bucket in buckets:
        found = read_if_any(lab, action, absent, Bucket=bucket).get("PublicAccessBlockConfiguration", {})
        off = [name for name in PUBLIC_ACCESS_BLOCKS if not found.get(name)]
        lab.expect(not off, f"{bucket} leaves {', '.join(off)} off")
    return f"all four blocks are on for {len(buckets)} buckets"


@check(guide=GUIDE, controls=("S3.12", "prowler:s3_bucket_acl_prohibited"))
def access_lists_are_disabled(lab: Lab) -> str:
    """The data bucket's owner owns every object: access control lists have no say (BucketOwnerEnforced)."""
    found = object_ownership(lab, lab.outputs.data_bucket, Persona.AUDITOR)
    lab.expect(found == "BucketOwnerEnforced", f"object ownership is {found}")
    return "object ownership is BucketOwnerEnforced"


@check(
    guide=GUIDE,
    controls=("S3.9", "prowler:s3_bucket_server_access_logging_enabled", "cdk-nag:AwsSolutions-S1"),
)
def access_is_logged(lab: Lab) -> str:
    """Every access to the data bucket is logged, into a bucket under SSE-S3.

    The log bucket cannot use the lab's key: S3's log delivery does not support SSE-KMS by default.
    """
    found = read_once(lab, "s3:GetBucketLogging", Bucket=lab.outputs.data_bucket).get("LoggingEnabled", {})
    target = found.get("TargetBucket", "nowhere")
    lab.expect(target == lab.outputs.access_log_bucket, f"access is logged to {target}")
    rule = default_encryption(lab, target)["ApplyServerSideEncryptionByDefault"]
    lab.expect(rule["SSEAlgorithm"] == "AES256", f"the log bucket's encryption is {rule['SSEAlgorithm']}")
    return "access logs go to the log bucket, which is under SSE-S3"


@check(
    guide=GUIDE,
    controls=(
        "S3.5",
        "config:s3-bucket-ssl-requests-only",
        "prowler:s3_bucket_secure_transport_policy",
        "cdk-nag:AwsSolutions-S10",
        "cis:3.1.1",
        "cdk-nag:NIST.800.53.R5-S3BucketSSLRequestsOnly",
    ),
)
def policies_demand_tls(lab: Lab) -> str:
    """Every bucket's policy denies everything to everybody without TLS (aws:SecureTransport)."""
    buckets = all_buckets(lab)
    for bucket in buckets:
        found = any(
            denies_everything(one, bucket) and dict(one.conditions) == WITHOUT_TLS
            for one in bucket_policy(lab, bucket)
        )
        lab.expect(found, f"{bucket}'s policy does not deny access without TLS")
    return f"the policies of {len(buckets)} buckets deny everything without TLS"


@check(guide=GUIDE, needs={Capability.KMS_ON_BEHALF_OF_CALLER})
def aws_managed_key_is_not_ours(lab: Lab) -> str:
    """A bucket under aws/s3 is encrypted, but with a key whose policy nobody in the account can change.

    AWS manages that key: KeyManager is AWS, it rotates yearly, and whoever may use S3 in this account
    may use it. Compare the lab's key, whose KeyManager is CUSTOMER.
    """
    sample = sample_object(lab, lab.outputs.aws_managed_bucket)
    sample.put(Persona.OPERATOR)
    found = sample.head(Persona.OPERATOR)
    lab.expect(found.get("ServerSideEncryption") == "aws:kms", "the object is not under aws:kms")
    keys = (found.get("SSEKMSKeyId", "alias/aws/s3"), lab.outputs.key_s3)
    managers = {key: described(lab, key)["KeyManager"] for key in keys}
    lab.expect(list(managers.values()) == ["AWS", "CUSTOMER"], f"key managers are {managers}")
    return "the comparison object's key is managed by AWS, the lab's by the customer"


@check(guide=GUIDE)
def aws_owned_key_has_no_name(lab: Lab) -> str:
    """Under SSE-S3 an object is encrypted, but there is no key to name, to restrict or to audit.

    S3 reports AES256 and no key id: the key is AWS's own. Nothing but S3's permissions protects it.
    """
    sample = sample_object(lab, lab.outputs.sse_s3_bucket)
    sample.put(Persona.OPERATOR)
    found = sample.head(Persona.OPERATOR)
    lab.expect(found.get("ServerSideEncryption") == "AES256", "the object is not under SSE-S3")
    lab.expect("SSEKMSKeyId" not in found, "the object names a KMS key")
    return "AES256, and no key to name"


@check(guide=GUIDE, needs={Capability.KMS_ON_BEHALF_OF_CALLER})
def dual_layer_bucket_has_no_bucket_key(lab: Lab) -> str:
    """The DSSE-KMS bucket encrypts twice, and has no Bucket Key: every object calls KMS.

    Dual-layer encryption (aws:kms:dsse) is for those who must show two independent layers (CNSSP 15).
    """
    rule = default_encryption(lab, lab.outputs.dsse_bucket)
    algorithm = rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    lab.expect(algorithm == "aws:kms:dsse", f"default encryption is {algorithm}")
    sample = sample_object(lab, lab.outputs.dsse_bucket)
    sample.put()
    found = sample.head()
    kind = found.get("ServerSideEncryption", "nothing")
    lab.expect(kind == "aws:kms:dsse", f"the object is stored under {kind}")
    lab.expect(not found.get("BucketKeyEnabled"), "the object uses a Bucket Key")
    return "aws:kms:dsse without a Bucket Key"
