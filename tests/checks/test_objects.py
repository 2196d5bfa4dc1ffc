from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import buckets, objects
from kmslab.checks.samples import OBJECT_PREFIX
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fake_s3 import KMS, FakeBucket
from tests.checks.fakes import OUTPUTS, Request, World, judge, key_arn
from tests.checks.table import Broken, break_and_judge, checks_of, never_red
from tests.checks.test_s3 import GoodWorld as S3World
from tests.checks.test_s3 import bucket, head_says, refuses, takes

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.checks.samples import SampleObject
    from kmslab.lab import Lab

OPERATOR, OWNER, READER, STORAGE = (
    Persona.OPERATOR,
    Persona.DATA_OWNER,
    Persona.DATA_READER,
    Persona.STORAGE_OPERATOR,
)
DATA, COMPARISON, DUAL = OUTPUTS.data_bucket, OUTPUTS.sse_s3_bucket, OUTPUTS.dsse_bucket
SCRATCH = key_arn("scratch")
UPDATE = "s3:UpdateObjectEncryption"
BEGIN, PART, COPY, GET, PUT = (
    "s3:CreateMultipartUpload",
    "s3:UploadPart",
    "s3:CopyObject",
    "s3:GetObject",
    "s3:PutObject",
)


class GoodWorld(S3World):
    """A world in which every check on objects passes.

    Attributes:
        refused_links: what S3 says when it refuses a presigned URL, by signer.
        linked: what a presigned URL shows instead of the object.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused_links = {STORAGE: "AccessDenied: may not kms:Decrypt"}
        self.linked = b""
        self.answers("kms:CreateKey", {"KeyMetadata": {"Arn": SCRATCH, "KeyId": SCRATCH}})
        self.refuses(UPDATE, OPERATOR, STORAGE, code="AccessDenied", when=_into_the_data_bucket)
        for action in (BEGIN, PART):
            self.refuses(action, STORAGE, code="AccessDenied", message="may not kms:GenerateDataKey")
        for action in (BEGIN, COPY):
            self.refuses(action, OWNER, code="AccessDenied", message="may not s3:PutObject", when=_other_key)
        self.refuses(GET, STORAGE, code="AccessDenied", message="may not kms:Decrypt", when=_sealed)

    def read_through_a_link(self, _: Lab, signer: Persona, sample: SampleObject) -> tuple[bytes, str]:
        refused = self.refused_links.get(signer, "")
        return (b"", refused) if refused else (self.linked or sample.body, "")


def _into_the_data_bucket(request: Request) -> bool:
    return bool(request["Bucket"] == DATA)


def _sealed(request: Request) -> bool:
    return request["Bucket"] in {DATA, DUAL}


def _other_key(request: Request) -> bool:
    return request.get("SSEKMSKeyId") not in {None, OUTPUTS.key_s3}


def a_world(monkeypatch: pytest.MonkeyPatch) -> GoodWorld:
    world = GoodWorld()
    monkeypatch.setattr(objects, "read_through_a_link", world.read_through_a_link)
    return world


def stored(key: str, **encryption: Any) -> Callable[[World], object]:
    """Somebody stored an object in the data bucket before."""

    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        version = {"VersionId": "old", "Body": b"text", "ETag": '"x"', **encryption}
        world.s3.buckets[DATA].objects[key] = [version]

    return how


def says(action: str, *personas: Persona, **changes: Any) -> Callable[[World], object]:
    """The store answers an action with these changes."""

    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        stock = getattr(world.s3, action.partition(":")[2])
        world.answers(action, lambda request: {**stock(request), **changes}, *personas)

    return how


def garbled(*personas: Persona) -> Callable[[World], object]:
    """Reading loses the first bytes."""

    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)

        def get(request: Request) -> dict[str, Any]:
            answer = dict(world.s3.GetObject(request))
            answer["Body"].read(3)
            return answer

        world.answers(GET, get, *personas)

    return how


def linked(**changes: Any) -> Callable[[World], object]:
    return lambda world: vars(world).update(changes)


def not_listed(world: World) -> None:
    world.answers("s3:ListObjectVersions", {}, OWNER)


def copies_keep_their_encryption(world: World) -> None:
    """A copy onto itself stays under what the object had."""
    assert isinstance(world, GoodWorld)
    store = world.s3

    def copy(request: Request) -> dict[str, Any]:
        kept = {k: v for k, v in request.parameters.items() if not k.startswith(("Server", "SSE"))}
        return dict(store.CopyObject(Request(request.persona, request.action, kept)))

    world.answers(COPY, copy, OWNER)


def the_old_version_moves_too(world: World) -> None:
    """Writing a new version puts the old ones under its key."""
    assert isinstance(world, GoodWorld)
    store = world.s3

    def moved(stock: Any) -> Any:
        def write(request: Request) -> dict[str, Any]:
            answer = dict(stock(request))
            for version in store.buckets[request["Bucket"]].objects[request["Key"]]:
                version.update({"ServerSideEncryption": KMS, "SSEKMSKeyId": OUTPUTS.key_s3})
            return answer

        return write

    world.answers(COPY, moved(store.CopyObject), OWNER)
    world.answers(PUT, moved(store.PutObject), OWNER, when=lambda r: bool(r.get("SSEKMSKeyId")))


def a_new_version(world: World) -> None:
    """UpdateObjectEncryption writes the object anew."""
    assert isinstance(world, GoodWorld)
    store = world.s3

    def update(request: Request) -> dict[str, Any]:
        store.UpdateObjectEncryption(request)
        store.buckets[request["Bucket"]].objects[request["Key"]][-1]["VersionId"] = "another"
        return {}

    world.answers(UPDATE, update, OPERATOR, when=lambda r: bool(r["Bucket"] == COMPARISON))


BROKEN = [
    Broken(
        "objects.every-object-is-under-the-labs-key",
        stored("orders/1", ServerSideEncryption="AES256"),
        "1 of 2 versions are not under the lab's key: orders/1 is under AES256",
    ),
    Broken(
        "objects.every-object-is-under-the-labs-key",
        stored("orders/1", ServerSideEncryption=KMS, SSEKMSKeyId=OUTPUTS.key_app),
        f"orders/1 is under aws:kms {OUTPUTS.key_app}",
    ),
    Broken("objects.every-object-is-under-the-labs-key", stored("orders/1"), "no encryption"),
    Broken("objects.every-object-is-under-the-labs-key", not_listed, "does not show what was just stored"),
    Broken(
        "objects.every-object-is-under-the-labs-key",
        says("s3:ListObjectVersions", IsTruncated=True),
        "S3 Inventory",
        Outcome.ERROR,
    ),
    Broken(
        "objects.an-object-under-another-key-is-found-and-re-encrypted",
        copies_keep_their_encryption,
        "not under the lab's key",
    ),
    Broken(
        "objects.an-object-under-another-key-is-found-and-re-encrypted",
        bucket(COMPARISON, algorithm=KMS, key=OUTPUTS.key_s3),
        "is not found",
    ),
    Broken(
        "objects.an-object-under-another-key-is-found-and-re-encrypted",
        the_old_version_moves_too,
        "the old version is now under aws:kms",
    ),
    Broken(
        "objects.an-object-under-another-key-is-found-and-re-encrypted", garbled(READER), "something else"
    ),
    Broken(
        "objects.versions-keep-their-keys", the_old_version_moves_too, "the older version is under aws:kms"
    ),
    Broken("objects.versions-keep-their-keys", garbled(OWNER), "something else than was written"),
    Broken(
        "objects.versions-keep-their-keys",
        head_says(ServerSideEncryption="AES256"),
        "the new version is under",
    ),
    Broken("objects.encryption-of-a-stored-object-stays", takes(UPDATE), "operator could call"),
    Broken("objects.encryption-of-a-stored-object-stays", takes(UPDATE, STORAGE), "storage-operator could"),
    Broken(
        "objects.encryption-of-a-stored-object-stays",
        lambda world: world.refuses(
            UPDATE, OPERATOR, message="may not kms:Decrypt", when=_into_the_data_bucket
        ),
        "not the bucket policy but something else refuses the operator",
    ),
    Broken("objects.encryption-of-a-stored-object-stays", a_new_version, "a new version"),
    Broken(
        "objects.encryption-of-a-stored-object-stays",
        lambda world: world.answers(UPDATE, {}, OPERATOR),
        "did not move",
    ),
    Broken(
        "objects.a-multipart-upload-is-under-the-key",
        bucket(DATA, key=OUTPUTS.key_app),
        f"part 1 is stored under {OUTPUTS.key_app}",
    ),
    Broken("objects.a-multipart-upload-is-under-the-key", head_says(SSEKMSKeyId="x"), "stored under x"),
    Broken("objects.a-multipart-upload-is-under-the-key", garbled(READER), "across the parts"),
    Broken("objects.a-multipart-upload-is-under-the-key", refuses(PART, OWNER), "refused s3:UploadPart"),
    Broken("objects.a-multipart-upload-needs-the-key", takes(BEGIN, STORAGE), "storage-operator could call"),
    Broken("objects.a-multipart-upload-needs-the-key", takes(PART, STORAGE), "storage-operator could call"),
    Broken("objects.a-multipart-upload-needs-the-key", takes(BEGIN, OWNER), "data-owner could call"),
    Broken("objects.copies-obey-the-same-rules", takes(COPY), "data-owner could call s3:CopyObject"),
    Broken("objects.copies-obey-the-same-rules", head_says(BucketKeyEnabled=True), "uses the Bucket Key"),
    Broken("objects.copies-obey-the-same-rules", garbled(READER), "something else than the original"),
    Broken("objects.a-range-needs-the-key-too", takes(GET), "storage-operator could call"),
    Broken("objects.a-range-needs-the-key-too", garbled(READER), "the range holds something else"),
    Broken(
        "objects.a-presigned-url-carries-its-signers-permissions",
        linked(refused_links={}),
        "the storage operator's URL shows the object",
    ),
    Broken(
        "objects.a-presigned-url-carries-its-signers-permissions",
        linked(refused_links={READER: "AccessDenied: no"}),
        "the reader's URL is refused",
    ),
    Broken(
        "objects.a-presigned-url-carries-its-signers-permissions",
        linked(refused_links={STORAGE: "AccessDenied: s3:GetObject"}),
        "not by KMS",
    ),
    Broken(
        "objects.a-presigned-url-carries-its-signers-permissions", linked(linked=b"else"), "something else"
    ),
    Broken("objects.metadata-is-not-encrypted", head_says(Metadata={}), "does not show the metadata"),
    Broken("objects.metadata-is-not-encrypted", takes(GET), "storage-operator could call"),
    Broken(
        "objects.the-etag-is-no-fingerprint",
        bucket(DATA, algorithm="AES256"),
        "under the lab's key the ETag is the content's MD5",
    ),
    Broken("objects.the-etag-is-no-fingerprint", head_says(ETag='"x"'), "nothing to compare"),
    Broken("objects.dual-layer-objects-need-the-key", takes(GET), "storage-operator could call"),
    Broken("objects.dual-layer-objects-need-the-key", bucket(DUAL, algorithm=KMS), "stored under aws:kms"),
    Broken("objects.dual-layer-objects-need-the-key", garbled(READER), "something else than was written"),
]


@pytest.mark.parametrize("check", checks_of("objects"))
def test_passes_in_a_good_world(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert not world.s3.left, "objects are left behind"
    assert not world.s3.uploads, "an upload is left unfinished"


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices_what_is_broken(row: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    verdict = break_and_judge(row, world)
    assert (verdict.outcome, row.says in verdict.summary) == (row.outcome, True), verdict.summary
    assert set(world.s3.left) <= {"orders/1"}, "objects are left behind"
    assert not world.s3.uploads, "an upload is left unfinished"


def test_every_check_can_fail() -> None:
    assert not never_red("objects", BROKEN)


@pytest.mark.parametrize("check", checks_of("objects"))
def test_cannot_look(check: str) -> None:
    assert judge(check, GoodWorld().unreachable()).outcome is Outcome.ERROR


def test_what_other_checks_store_for_a_moment_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(monkeypatch)
    stored(f"{OBJECT_PREFIX}another-run/1", ServerSideEncryption="AES256")(world)
    verdict = judge("objects.every-object-is-under-the-labs-key", world)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert "versions looked at: 1" in verdict.summary


def test_one_page_of_the_listing_is_asked_for() -> None:
    world = GoodWorld()
    judge("objects.every-object-is-under-the-labs-key", world)
    asked = [one["MaxKeys"] for one in world.asked("s3:ListObjectVersions") if one.persona is OWNER]
    assert asked == [buckets.MOST_VERSIONS]


def test_the_fake_bucket_counts_versions() -> None:
    """The tables above rest on it: a new version hides the old one and leaves it there."""
    world = GoodWorld()
    assert isinstance(world.s3.buckets[COMPARISON], FakeBucket)
    for body in (b"one", b"two"):
        world.s3.PutObject(Request(OWNER, PUT, {"Bucket": COMPARISON, "Key": "k", "Body": body}))
    listed = world.s3.ListObjectVersions(Request(OWNER, "", {"Bucket": COMPARISON}))["Versions"]
    assert [one["IsLatest"] for one in listed] == [False, True]
