"""Objects: versions, copies, parts, ranges and links are all under the key; names and metadata are not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from kmslab.checks.buckets import expect_labs_key, stored_versions
from kmslab.checks.links import read_through_a_link
from kmslab.checks.registry import check
from kmslab.checks.samples import sample_object
from kmslab.checks.temporary import scratch_key
from kmslab.model.capability import ON_BEHALF, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.checks.samples import SampleObject
    from kmslab.lab import Lab

GUIDE = "05-s3"
OWNER, READER, STORAGE = Persona.DATA_OWNER, Persona.DATA_READER, Persona.STORAGE_OPERATOR
SMALLEST_PART = 5 * 1024 * 1024
"""Bytes of every part of an upload but the last (S3 User Guide, "Multipart upload limits")."""
NAMED = 3
"""Objects that a verdict names; there may be thousands."""


@check(guide=GUIDE, needs={Capability.KMS_ON_BEHALF_OF_CALLER})
def every_object_is_under_the_labs_key(lab: Lab) -> str:
    """Every version of every object in the data bucket is under the lab's key, old ones too.

    Default encryption and bucket policy decide about what comes in; they change nothing that is there.
    An object from before, or from a day when they were off, keeps the encryption that it was stored
    with. S3's description of each version tells.
    """
    own = sample_object(lab)
    own.put()
    found = stored_versions(lab, lab.outputs.data_bucket, own.key)
    lab.expect(any(one.key == own.key for one in found), "the listing does not show what was just stored")
    others = [one for one in found if not one.is_under(lab.outputs.key_s3)]
    named = "; ".join(f"{one.key} is under {one.encryption}" for one in others[:NAMED])
    lab.expect(not others, f"{len(others)} of {len(found)} versions are not under the lab's key: {named}")
    return f"versions looked at: {len(found)}, each under the lab's key"


@check(guide=GUIDE, needs={Capability.KMS_ON_BEHALF_OF_CALLER})
def an_object_under_another_key_is_found_and_re_encrypted(lab: Lab) -> str:
    """What is under another key is found in the listing, and copying it onto itself puts it under the lab's.

    The copy is a new version: the old one stays under its old key until somebody removes it, which is
    why a key must outlive every version under it.
    """
    sample = sample_object(lab, lab.outputs.sse_s3_bucket)
    sample.put()
    key = lab.outputs.key_s3
    before = [one for one in _versions(lab, sample) if not one.is_under(key)]
    lab.expect(len(before) == 1, "the object under SSE-S3 is not found as one that is not under the key")
    request: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    lab.allowed(OWNER, "s3:CopyObject", CopySource=sample.where, **sample.where, **request)
    after = _versions(lab, sample)
    newest = [one for one in after if one.latest]
    lab.expect(newest and newest[0].is_under(key), "the copy onto itself is not under the lab's key")
    lab.expect(sample.get(READER) == sample.body, "the re-encrypted object holds something else")
    older = {one.version_id: one.encryption for one in after if not one.latest}
    kept = older.get(before[0].version_id)
    lab.expect(kept == before[0].encryption, f"the old version is now under {kept or 'nothing: it is gone'}")
    return "found under SSE-S3, copied onto itself under the lab's key; the old version kept its encryption"


def _versions(lab: Lab, sample: SampleObject) -> list[Any]:
    found = stored_versions(lab, sample.bucket, sample.key)
    return [one for one in found if one.key == sample.key]


@check(guide=GUIDE, needs={Capability.KMS_ON_BEHALF_OF_CALLER})
def versions_keep_their_keys(lab: Lab) -> str:
    """Each version of an object keeps the key that it was stored under.

    A new version under the lab's key leaves the one before it as it was: listing and reading an older
    version shows its own encryption.
    """
    sample = sample_object(lab, lab.outputs.sse_s3_bucket)
    first = sample.put()["VersionId"]
    key = lab.outputs.key_s3
    second = sample.put(ServerSideEncryption="aws:kms", SSEKMSKeyId=key)["VersionId"]
    encryption = {one.version_id: one.encryption for one in _versions(lab, sample)}
    lab.expect(
        encryption.get(second) == f"aws:kms {key}", f"the new version is under {encryption.get(second)}"
    )
    lab.expect(encryption.get(first) == "AES256", f"the older version is under {encryption.get(first)}")
    older = lab.allowed(OWNER, "s3:GetObject", VersionId=first, **sample.where)["Body"].read()
    lab.expect(older == sample.body, "the older version holds something else than was written")
    return "the new version is under the lab's key, the older one still under SSE-S3"


@check(guide=GUIDE, needs={Capability.IAM, Capability.ENCRYPTION_UPDATES}, changes_keys=True)
def encryption_of_a_stored_object_stays(lab: Lab) -> str:
    """Nobody moves a stored object under another key: the bucket policy denies UpdateObjectEncryption.

    The operation changes an object's key in place, without a new version, past everything that the
    policy says about puts. In a comparison bucket the operator does it; in the data bucket the same
    operator, an administrator of the account, is refused, and so is the storage operator.
    """
    target = {"SSEKMS": {"KMSKeyArn": scratch_key(lab), "BucketKeyEnabled": False}}
    open_one = sample_object(lab, lab.outputs.sse_s3_bucket)
    version = open_one.put(Persona.OPERATOR)["VersionId"]
    action = "s3:UpdateObjectEncryption"
    lab.allowed(Persona.OPERATOR, action, ObjectEncryption=target, **open_one.where)
    moved = open_one.head(Persona.OPERATOR)
    lab.expect(moved.get("SSEKMSKeyId") == scratch_key(lab), "the object did not move under the other key")
    lab.expect(moved.get("VersionId") == version, "moving the object made a new version of it")
    sample = sample_object(lab)
    sample.put()
    for persona in (Persona.OPERATOR, STORAGE):
        said = lab.refused(persona, action, ObjectEncryption=target, **sample.where)
        lab.expect(action in said, f"not the bucket policy but something else refuses the {persona}: {said}")
    expect_labs_key(lab, sample.head())
    return "possible in a comparison bucket, refused in the data bucket to the operator too"


@check(guide=GUIDE, needs=ON_BEHALF)
def a_multipart_upload_is_under_the_key(lab: Lab) -> str:
    """A large object that is uploaded in parts is under the lab's key as a whole, and part by part.

    S3 encrypts each part as it arrives, and needs kms:Decrypt beside kms:GenerateDataKey to complete the
    upload. The reader then reads a range across the seam of two parts.
    """
    sample = sample_object(lab)
    upload = _begin(lab, sample)
    parts = [bytes(SMALLEST_PART), b"the last part may be small"]
    etags = []
    for number, body in enumerate(parts, 1):
        part = lab.allowed(
            OWNER, "s3:UploadPart", PartNumber=number, Body=body, UploadId=upload, **sample.where
        )
        key = part.get("SSEKMSKeyId", "no key")
        lab.expect(key == lab.outputs.key_s3, f"part {number} is stored under {key}")
        etags.append({"PartNumber": number, "ETag": part["ETag"]})
    whole: dict[str, Any] = {"MultipartUpload": {"Parts": etags}, "UploadId": upload}
    lab.allowed(OWNER, "s3:CompleteMultipartUpload", **whole, **sample.where)
    expect_labs_key(lab, sample.head())
    seam = f"bytes={SMALLEST_PART - 4}-{SMALLEST_PART + 3}"
    read = lab.allowed(READER, "s3:GetObject", Range=seam, **sample.where)["Body"].read()
    lab.expect(read == parts[0][-4:] + parts[1][:4], "the range across the parts holds something else")
    return "each part and the whole are under the lab's key, and the reader reads across the seam"


@check(guide=GUIDE, needs=ON_BEHALF)
def a_multipart_upload_needs_the_key(lab: Lab) -> str:
    """Uploading in parts is no way around the key, nor around the bucket policy.

    The data owner begins an upload. The storage operator, with all of S3, can neither begin one nor add
    a part to the owner's; and an upload under another key is refused before its first byte.
    """
    sample = sample_object(lab)
    begin, add = "s3:CreateMultipartUpload", "s3:UploadPart"
    part: dict[str, Any] = {"PartNumber": 1, "Body": b"x", "UploadId": _begin(lab, sample)}
    lab.allowed(OWNER, add, **part, **sample.where)
    lab.refused(STORAGE, begin, by="kms:GenerateDataKey", **sample.where)
    lab.refused(STORAGE, add, by="kms:GenerateDataKey", **part, **sample.where)
    other: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": lab.outputs.key_app}
    lab.refused(OWNER, begin, by="s3:PutObject", **other, **sample.where)
    return "refused without the key at the beginning and at a part, and under another key at the beginning"


def _begin(lab: Lab, sample: SampleObject) -> str:
    """Begin an upload; whatever is under way to this object when the check ends is aborted."""
    lab.undo(lambda: _abort(lab, sample))
    return str(lab.allowed(OWNER, "s3:CreateMultipartUpload", **sample.where)["UploadId"])


def _abort(lab: Lab, sample: SampleObject) -> None:
    s3 = lab.client(Persona.OPERATOR, "s3")
    found = s3.list_multipart_uploads(Bucket=sample.bucket, Prefix=sample.key)
    for upload in found.get("Uploads", []):
        s3.abort_multipart_upload(UploadId=upload["UploadId"], **sample.where)


@check(guide=GUIDE, needs=ON_BEHALF)
def copies_obey_the_same_rules(lab: Lab) -> str:
    """A copy within the bucket may leave the Bucket Key, but not the lab's key.

    Copied with the Bucket Key off, the object is under the lab's key alone, and its encryption context
    is its own ARN. Copied under another key it is refused by the bucket policy, as a put is.
    """
    source, copy = sample_object(lab), sample_object(lab)
    source.put()
    under: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "CopySource": source.where, **copy.where}
    lab.allowed(OWNER, "s3:CopyObject", SSEKMSKeyId=lab.outputs.key_s3, BucketKeyEnabled=False, **under)
    found = copy.head()
    expect_labs_key(lab, found)
    lab.expect(not found.get("BucketKeyEnabled"), "the copy uses the Bucket Key, which it was not to")
    lab.expect(copy.get(READER) == source.body, "the copy holds something else than the original")
    lab.refused(OWNER, "s3:CopyObject", by="s3:PutObject", SSEKMSKeyId=lab.outputs.key_app, **under)
    return "a copy without the Bucket Key is taken under the lab's key, one under another key refused"


@check(guide=GUIDE, needs=ON_BEHALF)
def a_range_needs_the_key_too(lab: Lab) -> str:
    """Reading a few bytes of an object needs the key as reading all of it does."""
    sample = sample_object(lab)
    sample.put()
    a_few: dict[str, Any] = {"Range": "bytes=7-12", **sample.where}
    read = lab.allowed(READER, "s3:GetObject", **a_few)["Body"].read()
    lab.expect(read == sample.body[7:13], "the range holds something else than was written there")
    lab.refused(STORAGE, "s3:GetObject", by="kms:Decrypt", **a_few)
    return "the reader reads six bytes, the storage operator is refused them by kms:Decrypt"


@check(guide=GUIDE, needs=ON_BEHALF)
def a_presigned_url_carries_its_signers_permissions(lab: Lab) -> str:
    """A presigned URL opens what its signer may open, for whoever holds it.

    Followed without any credentials, the reader's URL shows the object: a URL is a key to it for as
    long as it lasts. The storage operator can sign one as well; KMS refuses it (kms:Decrypt), since the
    signer has no key.
    """
    sample = sample_object(lab)
    sample.put()
    read, refusal = read_through_a_link(lab, READER, sample)
    lab.expect(not refusal, f"the reader's URL is refused: {refusal}")
    lab.expect(read == sample.body, "the reader's URL shows something else than was written")
    read, refusal = read_through_a_link(lab, STORAGE, sample)
    lab.expect(refusal, "the storage operator's URL shows the object")
    lab.expect("kms:Decrypt" in refusal, f"the storage operator's URL is refused, but not by KMS: {refusal}")
    return "the reader's URL works without credentials, the storage operator's is refused by kms:Decrypt"


@check(guide=GUIDE, needs=ON_BEHALF)
def metadata_is_not_encrypted(lab: Lab) -> str:
    """The key protects what an object holds, not its name, size or metadata.

    The storage operator, without the key, reads the metadata that the data owner gave an object, and
    is refused its content. Nothing secret belongs in names, metadata or tags.
    """
    sample = sample_object(lab)
    sample.put(Metadata={"classification": "secret"})
    lab.expect(sample.get(READER) == sample.body, "the reader read something else than was written")
    seen = sample.head(STORAGE)
    lab.expect(
        (seen.get("Metadata"), seen.get("ContentLength")) == ({"classification": "secret"}, len(sample.body)),
        "without the key S3 does not show the metadata and size that were stored",
    )
    lab.refused(STORAGE, "s3:GetObject", by="kms:Decrypt", **sample.where)
    return "without the key name, size and metadata are seen, the content is not"


@check(guide=GUIDE, needs={Capability.KMS_ON_BEHALF_OF_CALLER, Capability.OPAQUE_ETAGS})
def the_etag_is_no_fingerprint(lab: Lab) -> str:
    """Under the key an object's ETag is not the MD5 digest of its content.

    Under SSE-S3 it is: whoever may list the bucket can test a guess at the content. It follows that
    under SSE-KMS a client cannot compare ETags with digests of its own files.
    """
    digests = {}
    for bucket in (lab.outputs.sse_s3_bucket, lab.outputs.data_bucket):
        sample = sample_object(lab, bucket)
        sample.put()
        digest = hashlib.md5(sample.body, usedforsecurity=False).hexdigest()
        digests[bucket] = sample.head()["ETag"].strip('"') == digest
    lab.expect(
        digests[lab.outputs.sse_s3_bucket], "under SSE-S3 the ETag is not the digest: nothing to compare"
    )
    lab.expect(
        not digests[lab.outputs.data_bucket], "under the lab's key the ETag is the content's MD5 digest"
    )
    return "the ETag is the MD5 digest under SSE-S3, and is not under the lab's key"


@check(guide=GUIDE, needs=ON_BEHALF)
def dual_layer_objects_need_the_key(lab: Lab) -> str:
    """An object in the dual-layer bucket opens for who may use the key, and for nobody else.

    Two layers are not two keys: the reader needs kms:Decrypt with the same key, once.
    """
    sample = sample_object(lab, lab.outputs.dsse_bucket)
    sample.put()
    kind = sample.head().get("ServerSideEncryption", "nothing")
    lab.expect(kind == "aws:kms:dsse", f"the object is stored under {kind}")
    lab.expect(sample.get(READER) == sample.body, "the reader read something else than was written")
    lab.refused(STORAGE, "s3:GetObject", by="kms:Decrypt", **sample.where)
    return "the reader opens both layers, the storage operator is refused by kms:Decrypt"
