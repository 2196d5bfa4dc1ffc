"""Looking at the lab's buckets: what they encrypt with, and what their policies refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.checks.policy import DENY, is_everyone, statements
from kmslab.checks.samples import OBJECT_PREFIX, read_if_any, sample_object
from kmslab.checks.shared import read_once
from kmslab.lab import Inconclusive
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

EXPIRY = frozenset({"Expiration", "NoncurrentVersionExpiration"})
"""Parts of a lifecycle rule that delete objects or their older versions."""
MOST_VERSIONS = 1000
"""One page of ListObjectVersions; far more than a class puts into its bucket."""


def expect_policy_refuses(lab: Lab, **headers: str) -> None:
    """FAIL unless the bucket policy, not KMS, refuses the data owner's put with these headers.

    The same put with the lab's key is taken before.
    """
    sample = sample_object(lab)
    sample.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=lab.outputs.key_s3)
    request = {**sample.where, **headers}
    said = lab.refused(Persona.DATA_OWNER, "s3:PutObject", Body=b"x", **request)
    lab.expect("s3:PutObject" in said, "the bucket policy let it pass; only KMS refused")


def expect_labs_key(lab: Lab, head: Any) -> None:
    """FAIL unless S3 describes an object under aws:kms and the lab's S3 key."""
    kind, key = head.get("ServerSideEncryption", "nothing"), head.get("SSEKMSKeyId", "no key")
    lab.expect(kind == "aws:kms", f"the object is stored under {kind}")
    lab.expect(key == lab.outputs.key_s3, f"the object is stored under {key}")


def default_encryption(lab: Lab, bucket: str) -> Any:
    """The rule by which a bucket encrypts what is put without an encryption header."""
    found = read_once(lab, "s3:GetBucketEncryption", Bucket=bucket)
    return found["ServerSideEncryptionConfiguration"]["Rules"][0]


def all_buckets(lab: Lab) -> tuple[str, ...]:
    """Names of every bucket that the lab makes."""
    out = lab.outputs
    return (
        out.data_bucket,
        out.access_log_bucket,
        out.sse_s3_bucket,
        out.aws_managed_bucket,
        out.dsse_bucket,
        out.trail_bucket,
    )


def bucket_policy(lab: Lab, bucket: str) -> tuple[Statement, ...]:
    """The statements of a bucket's policy; none if it has no policy."""
    answer = read_once(lab, "s3:GetBucketPolicy", absent="NoSuchBucketPolicy", Bucket=bucket)
    return statements(answer.get("Policy", "{}"))


def denies_everything(statement: Statement, bucket: str) -> bool:
    """Whether the statement denies everybody every S3 action on the bucket and its objects, if its conditions hold."""
    named = {name.rpartition(":")[2] for name in statement.resources}
    return (
        statement.effect == DENY
        and any(map(is_everyone, statement.principals))
        and statement.actions == ("s3:*",)
        and named >= {bucket, f"{bucket}/*"}
    )


def object_ownership(lab: Lab, bucket: str, persona: Persona) -> str:
    """Who owns the bucket's objects, in S3's word: ``BucketOwnerEnforced`` means that no ACL has a say."""
    action, absent = "s3:GetBucketOwnershipControls", "OwnershipControlsNotFoundError"
    found = read_if_any(lab, action, absent, persona=persona, Bucket=bucket)
    rules = found.get("OwnershipControls", {}).get("Rules", [])
    return ", ".join(rule["ObjectOwnership"] for rule in rules) or "not set"


def expiring_rules(lab: Lab, bucket: str, persona: Persona) -> str:
    """The bucket's lifecycle rules that delete what is there, by their names; empty if none does."""
    action, absent = "s3:GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration"
    rules = read_if_any(lab, action, absent, persona=persona, Bucket=bucket).get("Rules", [])
    return ", ".join(
        rule.get("ID", "?") for rule in rules if rule["Status"] == "Enabled" and EXPIRY & rule.keys()
    )


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of an object, as S3 describes it.

    Attributes:
        key: the object's key.
        version_id: the version's id.
        latest: whether it is what a read without a version id gets.
        head: HeadObject's answer.
    """

    key: str
    version_id: str
    latest: bool
    head: Any

    @property
    def encryption(self) -> str:
        """Kind and key in a word: ``AES256``, ``aws:kms arn:...``."""
        kind = self.head.get("ServerSideEncryption", "no encryption")
        return " ".join(filter(None, (kind, self.head.get("SSEKMSKeyId"))))

    def is_under(self, key: str) -> bool:
        """Whether it is under SSE-KMS and this key."""
        return self.encryption == f"aws:kms {key}"


def stored_versions(lab: Lab, bucket: str, own: str) -> list[StoredVersion]:
    """Every version of every object in a bucket, newest first for each, as the data owner sees them.

    What other checks put there for a moment is left out.

    Args:
        lab: the check's lab.
        bucket: its name.
        own: key of the check's own object.

    Raises:
        Inconclusive: there are too many to ask for each.
    """
    page = lab.allowed(Persona.DATA_OWNER, "s3:ListObjectVersions", Bucket=bucket, MaxKeys=MOST_VERSIONS)
    if page.get("IsTruncated"):
        raise Inconclusive(
            f"{bucket} holds more than {MOST_VERSIONS} versions: ask S3 Inventory for their encryption"
        )
    return [
        StoredVersion(
            one["Key"],
            one["VersionId"],
            bool(one.get("IsLatest")),
            lab.allowed(
                Persona.DATA_OWNER,
                "s3:HeadObject",
                Bucket=bucket,
                Key=one["Key"],
                VersionId=one["VersionId"],
            ),
        )
        for one in page.get("Versions", [])
        if one["Key"] == own or not one["Key"].startswith(OBJECT_PREFIX)
    ]
