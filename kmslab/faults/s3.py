"""Faults of S3: what is stored under another key than the lab's, and who may read it without one."""

from __future__ import annotations

from kmslab.faults.change import Both, Change
from kmslab.faults.changes.buckets import (
    PUBLIC_ACCESS_BLOCKS,
    AccessLogging,
    BucketEncryption,
    BucketPolicy,
    Expiry,
    ObjectOwnership,
    PublicAccess,
    Versioning,
)
from kmslab.faults.changes.objects import StrayObject
from kmslab.faults.changes.policies import KeyPolicy, add_actions, persona_policy, role
from kmslab.faults.changes.statements import THE_ACCOUNT, add, drop
from kmslab.faults.noticing import KEYS_IN_IAM, MATRIX_OF_S3, NOBODY_ELSE
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs, LabStack
from kmslab.model.persona import Persona

GUIDE = "05-s3"
DEFAULT_KEY = (
    "s3.default-encryption-is-the-labs-key",
    "s3.objects-are-stored-under-the-labs-key",
    "s3.copy-encrypts-anew",
)
"""What looks at the default encryption: the setting, and what it does to a put and to a copy."""
LOCK = ("s3.all-of-s3-without-the-key-is-refused", "s3.writing-needs-the-key")
"""What sees that all permissions of S3 are enough, without any on the key."""
EVERY_OBJECT = "objects.every-object-is-under-the-labs-key"
NOT_PUBLIC = "s3.no-bucket-can-become-public"
VERSIONS = "s3.versions-are-kept"
LOGGED = "s3.access-is-logged"
READER = "s3.reader-reads-what-the-owner-wrote"
DATA = LabOutputs.data_bucket


@fault(
    guide=GUIDE,
    noticed_by=(
        *DEFAULT_KEY,
        EVERY_OBJECT,
        *LOCK,
        "objects.a-multipart-upload-is-under-the-key",
        "objects.the-etag-is-no-fingerprint",
    ),
    also=(MATRIX_OF_S3, "objects"),
)
def default_encryption_is_sse_s3() -> Change:
    """The data bucket's default encryption is switched to SSE-S3 (AES256).

    Somebody put the setting back to what new buckets have, because an upload failed. Objects are still
    encrypted, but under a key of AWS's that everybody with S3 permissions can use: the second lock is gone.
    """
    return BucketEncryption(DATA, "AES256", bucket_key=False)


@fault(
    guide=GUIDE,
    noticed_by=(*DEFAULT_KEY, EVERY_OBJECT, *LOCK),
    also=(MATRIX_OF_S3, "objects"),
)
def default_encryption_is_the_managed_key() -> Change:
    """The data bucket's default encryption is SSE-KMS without a key: that is the AWS managed key aws/s3.

    The console offers it first. It says "aws:kms", and scanners are content; but nobody can change that key's
    policy, and whoever may use S3 in the account may use it.
    """
    return BucketEncryption(DATA, "aws:kms", bucket_key=True)


@fault(
    guide=GUIDE,
    noticed_by=DEFAULT_KEY,
    also=(
        MATRIX_OF_S3,
        "s3",
        "objects",
        "key-policies.the-s3-key-works-through-s3-only",
        "audit.bucket-key-is-recorded-with-the-bucket",
    ),
)
def default_encryption_is_another_key_of_the_lab() -> Change:
    """The data bucket's default key is the trail's.

    Two ARNs were exchanged in a merge. S3 does not ask whether anybody may use the key: every put without
    headers fails from now on, and were the trail key's policy any wider, the trail's readers would read data.
    """
    return BucketEncryption(DATA, "aws:kms", key=LabOutputs.key_trail, bucket_key=True)


@fault(
    guide=GUIDE,
    noticed_by=(*DEFAULT_KEY, EVERY_OBJECT),
    also=("objects.encryption-of-a-stored-object-stays", "objects.a-multipart-upload-is-under-the-key"),
)
def default_encryption_is_dual_layer() -> Change:
    """The data bucket's default encryption is DSSE-KMS: twice encrypted, and not what was agreed.

    There is no Bucket Key with it: each object costs calls to KMS, and the encryption context is the
    object's ARN, so a policy that asks for the bucket's would refuse.
    """
    return BucketEncryption(DATA, "aws:kms:dsse", key=LabOutputs.key_s3, bucket_key=False)


@fault(
    guide=GUIDE,
    noticed_by=("s3.default-encryption-is-the-labs-key", "s3.objects-are-stored-under-the-labs-key"),
)
def bucket_key_is_off() -> Change:
    """The data bucket's Bucket Key is off.

    Every object now asks KMS for a data key of its own: dearer, and with many objects throttled.
    """
    return BucketEncryption(DATA, bucket_key=False)


@fault(guide=GUIDE, noticed_by=("s3.customer-provided-keys-are-blocked",))
def sse_c_is_not_blocked() -> Change:
    """The data bucket's configuration no longer blocks SSE-C, encryption under a key that the client brings.

    That is how objects are held to ransom: whoever may write encrypts them under a key that S3 does not keep.
    The bucket policy still refuses it; one of two locks is open.
    """
    return BucketEncryption(DATA, blocked="NONE")


@fault(guide=GUIDE, noticed_by=(NOT_PUBLIC,))
def public_policies_are_not_blocked() -> Change:
    """One of the data bucket's four blocks of public access is off: the one against public policies.

    Nothing is public yet. The next careless policy will be.
    """
    return PublicAccess(DATA, "BlockPublicPolicy")


@fault(guide=GUIDE, noticed_by=(NOT_PUBLIC,))
def public_access_is_not_blocked() -> Change:
    """All four blocks of public access of the SSE-S3 bucket are off.

    Encryption would not help: for SSE-S3 AWS decrypts for whoever may read.
    """
    return PublicAccess(LabOutputs.sse_s3_bucket, *PUBLIC_ACCESS_BLOCKS)


@fault(guide=GUIDE, noticed_by=(NOT_PUBLIC,))
def log_bucket_may_become_public() -> Change:
    """The access log bucket no longer ignores public access control lists.

    Logs name every object and every reader.
    """
    return PublicAccess(LabOutputs.access_log_bucket, "BlockPublicAcls", "IgnorePublicAcls")


@fault(guide=GUIDE, noticed_by=(VERSIONS,))
def versioning_is_suspended() -> Change:
    """The data bucket's versioning is suspended.

    To save storage, or to make the overwriting final: with versions, an object that was encrypted under
    a foreign key can be brought back; without, it cannot.
    """
    return Versioning(DATA)


@fault(guide=GUIDE, noticed_by=(VERSIONS,))
def versions_expire() -> Change:
    """A lifecycle rule deletes every object of the data bucket after a day, and its versions with it.

    "Tidy up", for the whole bucket. Versioning is on and every scanner says so; a day later nothing is left.
    """
    return Expiry(DATA)


@fault(guide=GUIDE, noticed_by=("s3.access-lists-are-disabled",))
def access_lists_are_back() -> Change:
    """Access control lists have a say in the data bucket again (ObjectWriter).

    Some old tool wanted an ACL. Whoever writes an object from another account then owns it, and may open it.
    """
    return ObjectOwnership(DATA, "ObjectWriter")


@fault(guide=GUIDE, noticed_by=(LOGGED, "bucket-policies.access-logs-can-be-delivered"))
def access_is_not_logged() -> Change:
    """Accesses to the data bucket are not logged.

    Afterwards nobody can say who read what; KMS events name the bucket at most, not the object.
    """
    return AccessLogging(DATA)


@fault(guide=GUIDE, noticed_by=(LOGGED,))
def access_is_logged_elsewhere() -> Change:
    """Accesses to the data bucket are logged into a comparison bucket.

    The storage operator, and whoever else may write there, can now change the record of what they did.
    """
    return AccessLogging(DATA, LabOutputs.sse_s3_bucket)


@fault(guide=GUIDE, noticed_by=(LOGGED,))
def log_bucket_is_under_the_labs_key() -> Change:
    """The access log bucket's default encryption is SSE-KMS under the lab's key.

    It looks like an improvement. S3's log delivery cannot use the key, and says nothing: the log is empty.
    """
    return BucketEncryption(LabOutputs.access_log_bucket, "aws:kms", key=LabOutputs.key_s3, bucket_key=True)


@fault(guide=GUIDE, noticed_by=(EVERY_OBJECT,))
def an_object_is_under_an_aws_owned_key() -> Change:
    """An object in the data bucket is stored under SSE-S3.

    It was put while the bucket policy was away for a deployment. Every setting is right again, and the object
    is still what it was: settings are about what comes, not about what is there.
    """
    return StrayObject(DATA, "reports/2026-q3.csv", "AES256")


@fault(guide=GUIDE, noticed_by=(EVERY_OBJECT,))
def an_object_is_under_the_managed_key() -> Change:
    """An object in the data bucket is stored under the AWS managed key aws/s3.

    A tool that says "aws:kms" and names no key wrote it before the bucket policy refused that.
    """
    return StrayObject(DATA, "imports/customers.parquet", "aws:kms")


@fault(guide=GUIDE, noticed_by=(EVERY_OBJECT,))
def an_object_is_held_to_ransom() -> Change:
    """An object in the data bucket is encrypted under a key that is not the lab's.

    Ransomware needs no malware: copy each object onto itself under a key of one's own, and schedule that key's
    deletion. Who holds the key holds the data.
    """
    return StrayObject(DATA, "backups/database.dump", "aws:kms", foreign_key=True)


@fault(guide=GUIDE, noticed_by=(READER,))
def the_reader_may_write() -> Change:
    """The data reader's policy allows s3:PutObject, and the key's policy makes data keys for them.

    "Read only" was one permission too few for a colleague's script, so both sides were widened for everybody
    with the role.
    """
    return Both(
        persona_policy(
            Persona.DATA_READER, add_actions("ReadObjects", "s3:PutObject"), stack=LabStack.STORAGE
        ),
        persona_policy(Persona.DATA_READER, add_actions("ReadThroughS3", "kms:GenerateDataKey")),
        KeyPolicy(LabOutputs.key_s3, add_actions("ReadThroughS3", "kms:GenerateDataKey")),
    )


@fault(guide=GUIDE, noticed_by=(READER,))
def the_reader_may_put_objects() -> Change:
    """The data reader's policy allows s3:PutObject; only the key still refuses.

    One of two locks is open, and nobody notices until the second one is: that is why both are looked at.
    """
    return persona_policy(
        Persona.DATA_READER, add_actions("ReadObjects", "s3:PutObject"), stack=LabStack.STORAGE
    )


@fault(
    guide=GUIDE,
    noticed_by=(
        *LOCK,
        "s3.copy-encrypts-anew",
        *KEYS_IN_IAM,
        "objects.a-multipart-upload-needs-the-key",
        "objects.a-range-needs-the-key-too",
        "objects.a-presigned-url-carries-its-signers-permissions",
        "objects.metadata-is-not-encrypted",
    ),
    also=("objects.dual-layer-objects-need-the-key",),
)
def the_storage_operator_has_the_key() -> Change:
    """The storage operator may use the key for S3, through S3.

    All of S3 and the key: who runs the storage reads the data. The separation of duties is gone with one line in
    a key policy and one in an identity policy.
    """
    use = {
        "Sid": "TemporaryAccess",
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    }
    condition = {
        "ArnEquals": {"aws:PrincipalArn": role(Persona.STORAGE_OPERATOR)},
        "StringEquals": {"kms:ViaService": "s3.${AWS::Region}.amazonaws.com"},
    }
    return Both(
        KeyPolicy(
            LabOutputs.key_s3, add({**use, "Principal": THE_ACCOUNT, "Resource": "*", "Condition": condition})
        ),
        persona_policy(Persona.STORAGE_OPERATOR, add({**use, "Resource": "*"}), stack=LabStack.STORAGE),
    )


@fault(
    guide=GUIDE,
    noticed_by=(
        "s3.customer-provided-key-is-refused",
        "s3.customer-provided-keys-are-blocked",
        "bucket-policies.refusals-are-for-everybody",
    ),
)
def sse_c_is_taken() -> Change:
    """Both locks against SSE-C are open: the bucket's configuration blocks it no more, nor does its policy.

    Whoever may write can now hold every object to ransom, under a key that S3 forgets at once.
    """
    return Both(
        BucketEncryption(DATA, blocked="NONE"), BucketPolicy(DATA, drop("RefuseCustomerProvidedKeys"))
    )


@fault(
    guide=GUIDE,
    noticed_by=(
        "s3.outsider-is-refused",
        "bucket-policies.nobody-else-is-let-in",
        NOBODY_ELSE,
    ),
)
def the_outsider_reads_the_data() -> Change:
    """The outsider is named in the data bucket's policy and in the policy of its key.

    Both locks opened for one person, "for the audit". Their own policy is empty: no review of who may do what
    in IAM shows it.
    """
    through_s3 = {"StringEquals": {"kms:ViaService": "s3.${AWS::Region}.amazonaws.com"}}
    outsider = {"Sid": "TemporaryAccess", "Effect": "Allow", "Principal": {"AWS": role(Persona.OUTSIDER)}}
    return Both(
        BucketPolicy(DATA, add({**outsider, "Action": "s3:GetObject", "Resource": "${Thing}/*"})),
        KeyPolicy(
            LabOutputs.key_s3,
            add({**outsider, "Action": "kms:Decrypt", "Resource": "*", "Condition": through_s3}),
        ),
    )
