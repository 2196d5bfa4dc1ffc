from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fake_s3 import FakeBucket, FakeS3, denying, refuse_other_encryption
from tests.checks.fakes import OUTPUTS, Request, World, judge
from tests.checks.table import Broken, answers

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER, READER, STORAGE = Persona.DATA_OWNER, Persona.DATA_READER, Persona.STORAGE_OPERATOR
PUBLIC_ACCESS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def tls_policy(bucket: str, **changes: Any) -> dict[str, str]:
    return denying(bucket, {"Bool": {"aws:SecureTransport": "false"}}, **changes)


class GoodWorld(World):
    """A world in which every S3 check passes; `s3` is its store."""

    def __init__(self) -> None:
        super().__init__()
        self.s3 = FakeS3(self)
        blocked = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
        self.answers("s3:GetBucketEncryption", lambda r: _rules({**self._default(r), **blocked}))
        self.answers("s3:GetBucketVersioning", {"Status": "Enabled"})
        self.refuses("s3:GetBucketLifecycleConfiguration", code="NoSuchLifecycleConfiguration")
        on = dict.fromkeys(PUBLIC_ACCESS, True)
        self.answers("s3:GetPublicAccessBlock", {"PublicAccessBlockConfiguration": on})
        owned = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        self.answers("s3:GetBucketOwnershipControls", {"OwnershipControls": owned})
        logging = {"TargetBucket": OUTPUTS.access_log_bucket, "TargetPrefix": "data/"}
        self.answers("s3:GetBucketLogging", {"LoggingEnabled": logging})
        self.answers("s3:GetBucketPolicy", lambda r: tls_policy(r["Bucket"]))
        self.refuses("s3:PutObject", READER, Persona.OUTSIDER)
        self.refuses("s3:GetObject", Persona.OUTSIDER)
        _without_the_key(self, "s3:GetObject", "kms:Decrypt")
        _without_the_key(self, "s3:PutObject", "kms:GenerateDataKey")
        _without_the_key(self, "s3:CopyObject", "kms:GenerateDataKey")
        refuse_other_encryption(self)

    def _default(self, request: Request) -> dict[str, Any]:
        return self.s3.buckets[request["Bucket"]].default


def _rules(rule: dict[str, Any]) -> dict[str, Any]:
    return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}


def _without_the_key(world: World, action: str, missing: str) -> None:
    """The storage operator may do everything in S3, and nothing with the key of the data bucket."""
    world.refuses(
        action,
        STORAGE,
        code="AccessDenied",
        message=f"User is not authorized to perform: {missing} on the resource",
        when=lambda r: bool(r["Bucket"] == OUTPUTS.data_bucket),
    )


def refuses(action: str, persona: Persona) -> Callable[[World], object]:
    return lambda world: world.refuses(action, persona)


def policy(**changes: Any) -> Callable[[World], object]:
    """Change the statement about TLS in every bucket's policy."""
    return lambda world: world.answers("s3:GetBucketPolicy", lambda r: tls_policy(r["Bucket"], **changes))


def bucket(name: str, **changes: Any) -> Callable[[World], object]:
    """Change what a bucket of the store does by default."""

    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.s3.buckets[name] = FakeBucket(**{**vars(world.s3.buckets[name]), **changes})

    return how


def takes(action: str, *personas: Persona) -> Callable[[World], object]:
    """Nothing refuses the action any more: the store answers."""

    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.answers(action, getattr(world.s3, action.partition(":")[2]), *personas)

    return how


def head_says(**changes: Any) -> Callable[[World], object]:
    """S3 describes objects with these changes."""

    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        store = world.s3
        world.answers("s3:HeadObject", lambda request: {**store.HeadObject(request), **changes})

    return how


def absent(action: str, code: str) -> Callable[[World], object]:
    """The setting is not there."""
    return lambda world: world.refuses(action, code=code)


def takes_but_not_others(world: World) -> None:
    """The bucket policy is gone, and KMS, not S3, refuses the other key."""
    takes("s3:PutObject")(world)
    world.refuses(
        "s3:PutObject", when=lambda r: r.get("SSEKMSKeyId") == OUTPUTS.key_app, message="kms:GenerateDataKey"
    )


def key_alone_refuses_the_reader(world: World) -> None:
    """IAM lets the reader put objects; KMS refuses."""
    world.refuses("s3:PutObject", READER, message="kms:GenerateDataKey")


def dual_layer_is_taken(world: World) -> None:
    takes("s3:PutObject", OWNER)(world)
    world.refuses("s3:PutObject", when=lambda r: r.get("ServerSideEncryption") == "AES256")


def expires(**parts: Any) -> Callable[[World], object]:
    rules = [
        {"ID": "move", "Status": "Enabled", "Transitions": []},
        {"ID": "off", "Status": "Disabled", "Expiration": {}},
        {"ID": "tidy-up", "Status": "Enabled", **parts},
    ]
    return answers("s3:GetBucketLifecycleConfiguration", {"Rules": rules})


def changed_content(world: World) -> None:
    assert isinstance(world, GoodWorld)
    store = world.s3

    def get(request: Request) -> dict[str, Any]:
        answer = dict(store.GetObject(request))
        if world.asked("kms:EnableKey"):
            answer["Body"].read(3)
        return answer

    world.answers("s3:GetObject", get, OWNER)


def garbled(world: World) -> None:
    assert isinstance(world, GoodWorld)
    store = world.s3

    def get(request: Request) -> dict[str, Any]:
        answer = dict(store.GetObject(request))
        answer["Body"].read(3)
        return answer

    world.answers("s3:GetObject", get, OWNER, READER)


def never_disabled(world: World) -> None:
    world.answers("kms:DisableKey", {})


DATA = OUTPUTS.data_bucket
BROKEN = [
    Broken(
        "s3.objects-are-stored-under-the-labs-key", bucket(DATA, algorithm="AES256"), "stored under AES256"
    ),
    Broken("s3.objects-are-stored-under-the-labs-key", bucket(DATA, key=OUTPUTS.key_app), OUTPUTS.key_app),
    Broken(
        "s3.objects-are-stored-under-the-labs-key",
        bucket(DATA, bucket_key=False),
        "does not use the Bucket Key",
    ),
    Broken("s3.reader-reads-what-the-owner-wrote", refuses("s3:GetObject", READER), "refused s3:GetObject"),
    Broken("s3.reader-reads-what-the-owner-wrote", takes("s3:PutObject"), "could call s3:PutObject"),
    Broken("s3.reader-reads-what-the-owner-wrote", key_alone_refuses_the_reader, "only the key refused"),
    Broken("s3.reader-reads-what-the-owner-wrote", garbled, "something else than was written"),
    Broken("s3.all-of-s3-without-the-key-is-refused", takes("s3:GetObject"), "storage-operator could call"),
    Broken(
        "s3.all-of-s3-without-the-key-is-refused",
        refuses("s3:GetObject", STORAGE),
        "not by kms:Decrypt",
        Outcome.ERROR,
    ),
    Broken("s3.writing-needs-the-key", takes("s3:PutObject", STORAGE), "storage-operator could call"),
    Broken("s3.outsider-is-refused", takes("s3:GetObject"), "outsider could call s3:GetObject"),
    Broken("s3.outsider-is-refused", takes("s3:PutObject"), "outsider could call s3:PutObject"),
    Broken("s3.another-key-is-refused", takes("s3:PutObject"), "could call s3:PutObject"),
    Broken("s3.another-key-is-refused", takes_but_not_others, "only KMS refused"),
    Broken("s3.other-encryption-is-refused", takes("s3:PutObject"), "could call s3:PutObject"),
    Broken("s3.other-encryption-is-refused", dual_layer_is_taken, "could call s3:PutObject"),
    Broken("s3.managed-key-is-refused", takes("s3:PutObject"), "could call s3:PutObject"),
    Broken("s3.customer-provided-key-is-refused", takes("s3:PutObject"), "could call s3:PutObject"),
    Broken("s3.plain-http-is-refused", takes("s3:GetObject"), "could call s3:GetObject"),
    Broken("s3.plain-http-is-refused", takes("s3:PutObject"), "could call s3:PutObject"),
    Broken("s3.disabled-key-stops-reads", never_disabled, "could call s3:GetObject"),
    Broken("s3.disabled-key-stops-reads", changed_content, "changed while its key was disabled"),
    Broken(
        "s3.disabled-key-stops-reads", refuses("kms:DisableKey", Persona.KEY_ADMINISTRATOR), "refused kms:Dis"
    ),
    Broken("s3.copy-encrypts-anew", bucket(DATA, algorithm="AES256"), "stored under AES256"),
    Broken("s3.copy-encrypts-anew", takes("s3:CopyObject"), "storage-operator could call s3:CopyObject"),
    Broken("s3.copy-encrypts-anew", garbled, "something else than the original"),
    Broken(
        "s3.default-encryption-is-the-labs-key",
        bucket(DATA, algorithm="AES256"),
        "default encryption is AES256",
    ),
    Broken("s3.default-encryption-is-the-labs-key", bucket(DATA, key=""), "default key is aws/s3"),
    Broken("s3.default-encryption-is-the-labs-key", bucket(DATA, bucket_key=False), "Bucket Key is off"),
    Broken("s3.customer-provided-keys-are-blocked", takes("s3:GetBucketEncryption"), "does not block SSE-C"),
    Broken("s3.versions-are-kept", answers("s3:GetBucketVersioning", {}), "versioning is never enabled"),
    Broken(
        "s3.versions-are-kept", answers("s3:GetBucketVersioning", {"Status": "Suspended"}), "is Suspended"
    ),
    *(
        Broken("s3.versions-are-kept", expires(**{part: {}}), "delete what is there: tidy-up")
        for part in ("Expiration", "NoncurrentVersionExpiration")
    ),
    Broken(
        "s3.versions-are-kept",
        absent("s3:GetBucketLifecycleConfiguration", "AccessDenied"),
        "could not call",
        Outcome.ERROR,
    ),
    *(
        Broken(
            "s3.no-bucket-can-become-public",
            answers(
                "s3:GetPublicAccessBlock",
                {"PublicAccessBlockConfiguration": {**dict.fromkeys(PUBLIC_ACCESS, True), name: False}},
            ),
            f"leaves {name} off",
        )
        for name in PUBLIC_ACCESS
    ),
    Broken(
        "s3.access-lists-are-disabled",
        answers(
            "s3:GetBucketOwnershipControls",
            {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}},
        ),
        "ownership is ObjectWriter",
    ),
    Broken(
        "s3.access-lists-are-disabled",
        absent("s3:GetBucketOwnershipControls", "OwnershipControlsNotFoundError"),
        "ownership is not set",
    ),
    Broken(
        "s3.access-lists-are-disabled",
        absent("s3:GetBucketOwnershipControls", "AccessDenied"),
        "could not call",
        Outcome.ERROR,
    ),
    Broken(
        "s3.no-bucket-can-become-public",
        absent("s3:GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        "leaves BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets off",
    ),
    Broken(
        "s3.policies-demand-tls",
        absent("s3:GetBucketPolicy", "NoSuchBucketPolicy"),
        "does not deny access without TLS",
    ),
    Broken("s3.access-is-logged", answers("s3:GetBucketLogging", {}), "logged to nowhere"),
    Broken(
        "s3.access-is-logged",
        bucket(OUTPUTS.access_log_bucket, algorithm="aws:kms"),
        "log bucket's encryption is aws:kms",
    ),
    *(
        Broken(
            "s3.policies-demand-tls",
            policy(**changes),
            "does not deny access without TLS",
        )
        for changes in (
            {"Effect": "Allow"},
            {"Principal": {"AWS": "111122223333"}},
            {"Action": "s3:GetObject"},
            {"Resource": "arn:aws:s3:::data-bucket-value"},
            {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:userid": "x"}}},
        )
    ),
    Broken(
        "s3.aws-managed-key-is-not-ours",
        answers("kms:DescribeKey", {"KeyMetadata": {"KeyId": "x", "KeyManager": "CUSTOMER"}}),
        "key managers are",
    ),
    Broken(
        "s3.aws-managed-key-is-not-ours",
        bucket(OUTPUTS.aws_managed_bucket, algorithm="AES256"),
        "not under aws:kms",
    ),
    Broken(
        "s3.aws-owned-key-has-no-name", bucket(OUTPUTS.sse_s3_bucket, algorithm="aws:kms"), "not under SSE-S3"
    ),
    Broken("s3.aws-owned-key-has-no-name", head_says(SSEKMSKeyId="x"), "names a KMS key"),
    Broken(
        "s3.dual-layer-bucket-has-no-bucket-key",
        head_says(ServerSideEncryption="aws:kms"),
        "the object is stored under aws:kms",
    ),
    Broken(
        "s3.dual-layer-bucket-has-no-bucket-key",
        bucket(OUTPUTS.dsse_bucket, algorithm="aws:kms"),
        "is aws:kms",
    ),
    Broken(
        "s3.dual-layer-bucket-has-no-bucket-key", bucket(OUTPUTS.dsse_bucket, bucket_key=True), "a Bucket Key"
    ),
]


def test_samples_can_be_found_by_their_run() -> None:
    world = GoodWorld()
    judge("s3.objects-are-stored-under-the-labs-key", world)
    assert [request["Key"].rpartition("/")[0] for request in world.asked("s3:PutObject")] == [
        "kmslab-temporary/run-0001"
    ]


def test_the_disabled_key_is_enabled_by_who_may_and_read_without_a_bucket_key() -> None:
    world = GoodWorld()
    judge("s3.disabled-key-stops-reads", world)
    assert {request.persona for request in world.asked("kms:EnableKey")} == {Persona.KEY_ADMINISTRATOR}
    assert [request["BucketKeyEnabled"] for request in world.asked("s3:PutObject")] == [False]


def test_a_customers_key_is_not_kept_as_evidence() -> None:
    world = GoodWorld()
    verdict = judge("s3.customer-provided-key-is-refused", world)
    brought = [r["SSECustomerKey"] for r in world.asked("s3:PutObject") if r.get("SSECustomerKey")]
    assert len(brought) == 1
    assert str(brought[0]) not in str(verdict)
