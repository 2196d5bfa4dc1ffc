"""Faults of bucket policies: refusals that refuse nobody, and statements that let somebody in."""

from __future__ import annotations

from kmslab.faults.change import Both, Change
from kmslab.faults.changes.buckets import BucketPolicy, PublicAccess
from kmslab.faults.changes.policies import role
from kmslab.faults.changes.statements import (
    A_STRANGER,
    EVERYBODY,
    about,
    add,
    change_operator,
    drop,
    drop_conditions,
    replace,
)
from kmslab.faults.noticing import MATRIX_OF_S3
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

GUIDE = "05-s3"
REFUSALS = "bucket-policies.refusals-are-for-everybody"
ANOTHER_KEY = "s3.another-key-is-refused"
UPLOADS = "objects.a-multipart-upload-needs-the-key"
COPIES = "objects.copies-obey-the-same-rules"
DEMAND_TLS = "s3.policies-demand-tls"
LET_IN = "bucket-policies.nobody-else-is-let-in"
DATA = LabOutputs.data_bucket
TLS = about("aws:SecureTransport")
READ = {"Sid": "TemporaryAccess", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "${Thing}/*"}


@fault(guide=GUIDE, noticed_by=(REFUSALS, "s3.other-encryption-is-refused"))
def policy_takes_other_encryption() -> Change:
    """The bucket policy's statement against other encryption is gone.

    Who asks for AES256 is still refused, by the statement against requests that name no key: refusals
    overlap. Who asks for dual-layer encryption and names the lab's key is not, and the next edit of the
    other statement opens the rest.
    """
    return BucketPolicy(DATA, drop("RefuseOtherEncryption"))


@fault(
    guide=GUIDE,
    noticed_by=(REFUSALS, ANOTHER_KEY),
    also=(UPLOADS, COPIES),
)
def policy_takes_other_keys() -> Change:
    """The bucket policy's statement against other keys is gone.

    A client that names a key of their own puts objects out of the reach of the key's administrators.
    """
    return BucketPolicy(DATA, drop("RefuseOtherKeys"))


@fault(guide=GUIDE, noticed_by=(REFUSALS, "s3.managed-key-is-refused"))
def policy_takes_the_managed_key() -> Change:
    """The bucket policy's statement against the AWS managed key is gone.

    aws:kms without a key id does not mean the bucket's default key but aws/s3. The statements against
    other keys look at the key id, which is missing in such a request: without this one it is taken.
    """
    return BucketPolicy(DATA, drop("RefuseTheManagedKey"))


@fault(guide=GUIDE, noticed_by=(REFUSALS,))
def policy_takes_customer_provided_keys() -> Change:
    """The bucket policy's statement against SSE-C is gone.

    The bucket's configuration still blocks it, so that no put shows the difference; the day somebody
    lifts that block, nothing is left.
    """
    return BucketPolicy(DATA, drop("RefuseCustomerProvidedKeys"))


@fault(
    guide=GUIDE,
    noticed_by=(REFUSALS, "objects.encryption-of-a-stored-object-stays"),
)
def policy_lets_encryption_be_changed() -> Change:
    """The bucket policy's statement against UpdateObjectEncryption is gone.

    Since 2026 S3 can move a stored object under another key without a put: everything that the policy says
    about puts is then beside the point.
    """
    return BucketPolicy(DATA, drop("RefuseToChangeTheEncryption"))


@fault(
    guide=GUIDE,
    noticed_by=(REFUSALS, ANOTHER_KEY),
    also=(UPLOADS, COPIES),
)
def wrong_key_is_refused_to_one_persona_only() -> Change:
    """The statement against other keys speaks of the storage operator alone.

    Somebody narrowed the principal to who made the mistake last time. A refusal is worth something only when
    it is for everybody: the data owner can still put objects under any key.
    """
    return BucketPolicy(DATA, replace("RefuseOtherKeys", Principal={"AWS": role(Persona.STORAGE_OPERATOR)}))


@fault(guide=GUIDE, noticed_by=(REFUSALS,))
def refusal_is_for_whom_it_was_tested_with() -> Change:
    """The statement against other encryption speaks of the data owner alone.

    The test was run as the data owner, and it passed. The storage operator, with all of S3, puts objects
    under SSE-S3 into the data bucket.
    """
    return BucketPolicy(DATA, replace("RefuseOtherEncryption", Principal={"AWS": role(Persona.DATA_OWNER)}))


@fault(
    guide=GUIDE,
    noticed_by=(REFUSALS, ANOTHER_KEY),
    also=(UPLOADS, COPIES),
)
def refusal_names_the_bucket_not_its_objects() -> Change:
    """The statement against other keys names the bucket's ARN, without the /* of its objects.

    s3:PutObject is an action on objects: the statement matches no request at all. Nothing complains.
    """
    return BucketPolicy(DATA, replace("RefuseOtherKeys", Resource="${Thing}"))


@fault(guide=GUIDE, noticed_by=(REFUSALS,))
def refusal_is_for_one_folder() -> Change:
    """The statement against other encryption is for one folder, the one in which the tests write.

    A bucket policy that was narrowed to make another team's import work; everything else in the bucket may
    be stored under SSE-S3.
    """
    return BucketPolicy(DATA, replace("RefuseOtherEncryption", Resource="${Thing}/kmslab-temporary/*"))


@fault(
    guide=GUIDE,
    noticed_by=(
        REFUSALS,
        ANOTHER_KEY,
        "s3.other-encryption-is-refused",
        "s3.managed-key-is-refused",
        "s3.disabled-key-stops-reads",
        COPIES,
        "audit.use-through-s3-names-both",
    ),
    also=(UPLOADS,),
)
def refusal_is_the_wrong_way_round() -> Change:
    """The statement against other keys says StringEquals where it said StringNotEquals.

    It now refuses the lab's own key and takes every other one. Four letters in a merge.
    """
    return BucketPolicy(DATA, change_operator("RefuseOtherKeys", "StringNotEquals", "StringEquals"))


@fault(
    guide=GUIDE,
    noticed_by=(
        REFUSALS,
        "s3.objects-are-stored-under-the-labs-key",
        "s3.writing-needs-the-key",
        "s3.copy-encrypts-anew",
        "audit.bucket-key-is-recorded-with-the-bucket",
    ),
    also=(
        MATRIX_OF_S3,
        "s3",
        "objects",
        "key-policies.the-s3-key-works-through-s3-only",
    ),
)
def refusal_asks_for_a_header() -> Change:
    """The statement against other encryption has lost its guard, the condition that the header is there.

    StringNotEquals is true of a header that is missing: puts that leave the encryption to the bucket, most of
    them, are refused now. The usual "repair" is to remove the whole statement.
    """
    return BucketPolicy(DATA, drop_conditions("RefuseOtherEncryption", "Null"))


@fault(guide=GUIDE, noticed_by=(DEMAND_TLS, "s3.plain-http-is-refused"))
def plain_http_is_taken() -> Change:
    """The data bucket's policy no longer denies access without TLS.

    Encryption at rest says nothing about the way there: over plain HTTP objects and signatures are readable.
    """
    return BucketPolicy(DATA, drop(TLS))


@fault(guide=GUIDE, noticed_by=(DEMAND_TLS, "s3.plain-http-is-refused"))
def plain_http_is_refused_for_writes_only() -> Change:
    """The data bucket's policy denies only writes without TLS.

    s3:* became s3:PutObject. Reads carry the same plaintext over the same wire.
    """
    return BucketPolicy(DATA, replace(TLS, Action="s3:PutObject"))


@fault(guide=GUIDE, noticed_by=(DEMAND_TLS,))
def plain_http_is_taken_by_the_log_bucket() -> Change:
    """The access log bucket's policy no longer denies access without TLS.

    Access logs tell who reads what and when; every bucket counts, not only the one with the data.
    """
    return BucketPolicy(LabOutputs.access_log_bucket, drop(TLS))


@fault(guide=GUIDE, noticed_by=(DEMAND_TLS,))
def plain_http_is_taken_by_a_comparison_bucket() -> Change:
    """The policy of the SSE-S3 bucket no longer denies access without TLS.

    It is "only the comparison bucket", until somebody stores something in it.
    """
    return BucketPolicy(LabOutputs.sse_s3_bucket, drop(TLS))


@fault(guide=GUIDE, noticed_by=(LET_IN, "s3.no-bucket-can-become-public"))
def everybody_may_read() -> Change:
    """The data bucket's policy lets everybody read its objects, and its blocks of public policies are off.

    Meant for one download. The key still refuses strangers: the objects are readable by nobody new, today.
    With SSE-S3 they would be readable by the world.
    """
    return Both(
        PublicAccess(DATA, "BlockPublicPolicy", "RestrictPublicBuckets"),
        BucketPolicy(DATA, add({**READ, "Principal": EVERYBODY})),
    )


@fault(guide=GUIDE, noticed_by=(LET_IN,))
def another_account_may_read() -> Change:
    """The policy of the SSE-S3 bucket lets another account read its objects.

    Blocks of public access do not mind: one other account is not the public. Under SSE-S3 there is no key
    that would refuse: every principal whom that account chooses reads the objects.
    """
    return BucketPolicy(LabOutputs.sse_s3_bucket, add({**READ, "Principal": A_STRANGER}))


@fault(guide=GUIDE, noticed_by=(LET_IN,))
def the_outsider_may_read() -> Change:
    """The policy of the SSE-S3 bucket names the outsider, who reads its objects from now on.

    A principal without any identity policy: within an account the bucket policy alone is enough, and no
    review of IAM shows it.
    """
    return BucketPolicy(LabOutputs.sse_s3_bucket, add({**READ, "Principal": {"AWS": role(Persona.OUTSIDER)}}))


@fault(guide=GUIDE, noticed_by=("bucket-policies.access-logs-can-be-delivered",))
def log_delivery_is_not_allowed() -> Change:
    """The access log bucket's policy no longer lets S3 deliver the data bucket's log.

    Logging is on and points to the right bucket; delivery is refused silently, and the log is empty.
    """
    return BucketPolicy(
        LabOutputs.access_log_bucket, drop(lambda one: str(one["Resource"]).count("data/") == 1)
    )
