"""What CreateKey makes of every key spec, how a key is named, described, listed and sent on its way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.areas.s3 import bucket
from kmslab.probe.codes import DISABLED, INVALID_STATE, NOT_FOUND, UNSUPPORTED, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import alias_name
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

OAEP = ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]
RSA_SIGNING = [f"RSASSA_{pad}_SHA_{bits}" for pad in ("PKCS1_V1_5", "PSS") for bits in (256, 384, 512)]

SPECS = (
    # key spec, usage, member of KeyMetadata with the algorithms, the algorithms, a usage that it cannot have
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["SYMMETRIC_DEFAULT"], "SIGN_VERIFY"),
    ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", OAEP, "KEY_AGREEMENT"),
    ("RSA_3072", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", OAEP, "GENERATE_VERIFY_MAC"),
    ("RSA_4096", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", OAEP, "KEY_AGREEMENT"),
    ("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms", RSA_SIGNING, "GENERATE_VERIFY_MAC"),
    ("ECC_NIST_P256", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"], "ENCRYPT_DECRYPT"),
    ("ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_384"], "ENCRYPT_DECRYPT"),
    ("ECC_NIST_P521", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_512"], "ENCRYPT_DECRYPT"),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", "SigningAlgorithms", ["ECDSA_SHA_256"], "KEY_AGREEMENT"),
    (
        "ECC_NIST_EDWARDS25519",
        "SIGN_VERIFY",
        "SigningAlgorithms",
        ["ED25519_PH_SHA_512", "ED25519_SHA_512"],
        "KEY_AGREEMENT",
    ),
    ("ECC_NIST_P256", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"], "GENERATE_VERIFY_MAC"),
    ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"], "GENERATE_VERIFY_MAC"),
    ("ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"], "GENERATE_VERIFY_MAC"),
    ("HMAC_224", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_224"], "ENCRYPT_DECRYPT"),
    ("HMAC_256", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_256"], "ENCRYPT_DECRYPT"),
    ("HMAC_384", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_384"], "SIGN_VERIFY"),
    ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_512"], "SIGN_VERIFY"),
    ("ML_DSA_44", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"], "ENCRYPT_DECRYPT"),
    ("ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"], "ENCRYPT_DECRYPT"),
    ("ML_DSA_87", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"], "ENCRYPT_DECRYPT"),
)
ALGORITHM_MEMBERS = frozenset(
    {"EncryptionAlgorithms", "SigningAlgorithms", "KeyAgreementAlgorithms", "MacAlgorithms"}
)


def _spec(spec: str, usage: str, member: str, algorithms: list[str], wrong_usage: str, bench: Bench) -> None:
    about = bench.works("DescribeKey", KeyId=bench.shared_key(spec, usage))["KeyMetadata"]
    bench.equal("KeySpec", about["KeySpec"], spec)
    bench.equal("KeyUsage", about["KeyUsage"], usage)
    bench.equal(member, sorted(about[member]), sorted(algorithms))
    others = sorted(ALGORITHM_MEMBERS & about.keys() - {member})
    bench.contrasts("no list of algorithms of another usage", not others)
    bench.refuses(VALIDATION, "CreateKey", KeySpec=spec, KeyUsage=wrong_usage)


for _row in SPECS:
    register(
        "keys",
        f"{kebab(_row[0])}-for-{kebab(_row[1])}",
        f"A key of {_row[0]} for {_row[1]} names its algorithms and no others.",
        f"DescribeKey: {_row[2]} is {', '.join(_row[3])}; CreateKey with {_row[4]} is ValidationException.",
        api("CreateKey"),
        partial(_spec, *_row),
    )


@probe(api("CreateKey"))
def a_key_without_parameters_is_symmetric(bench: Bench) -> None:
    """CreateKey without parameters makes a symmetric encryption key of the account.

    The metadata say so, with AWS_KMS as origin and CUSTOMER as manager; nothing of imported or multi-Region keys.
    """
    about = bench.works("CreateKey", Tags=bench.key_tags)["KeyMetadata"]
    bench.discard_later(about["Arn"])
    for member, value in {
        "AWSAccountId": bench.account,
        "Enabled": True,
        "KeyState": "Enabled",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeyManager": "CUSTOMER",
        "Origin": "AWS_KMS",
        "MultiRegion": False,
    }.items():
        bench.equal(member, about[member], value)
    absent = {"DeletionDate", "ValidTo", "ExpirationModel", "MultiRegionConfiguration", "CloudHsmClusterId"}
    bench.contrasts("no members of other kinds of keys", not absent & about.keys())


@probe(guide("concepts#key-id"))
def a_key_has_four_names(bench: Bench) -> None:
    """DescribeKey takes a key id, a key ARN, an alias name and an alias ARN.

    The four lead to one key; an alias name that nobody made is NotFoundException.
    """
    key, alias = bench.key(), alias_name(bench)
    bench.make("CreateAlias", AliasName=alias, TargetKeyId=key)
    alias_arn = f"{key.rpartition(':')[0]}:{alias}"
    for name in (key.rpartition("/")[2], key, alias, alias_arn):
        found = bench.works("DescribeKey", KeyId=name)["KeyMetadata"]["Arn"]
        bench.equal("the key", found == key, expected=True)
    bench.refuses(NOT_FOUND, "DescribeKey", KeyId=f"{alias}-other")


@probe(api("CreateKey"))
def the_older_name_of_the_key_spec_counts(bench: Bench) -> None:
    """CustomerMasterKeySpec is the older name of KeySpec, and only one of them may be given.

    The older one makes such a key; both together are ValidationException.
    """
    made = bench.works(
        "CreateKey", CustomerMasterKeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Tags=bench.key_tags
    )["KeyMetadata"]
    bench.discard_later(made["Arn"])
    bench.equal("KeySpec", made["KeySpec"], "HMAC_256")
    bench.refuses(
        VALIDATION,
        "CreateKey",
        KeySpec="HMAC_256",
        CustomerMasterKeySpec="HMAC_384",
        KeyUsage="GENERATE_VERIFY_MAC",
    )


@probe(api("CreateKey"))
def an_asymmetric_key_needs_its_usage(bench: Bench) -> None:
    """KeyUsage is optional for symmetric encryption keys only.

    CreateKey with ECC_NIST_P256 alone is ValidationException; with SIGN_VERIFY it works.
    """
    made = bench.works("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", Tags=bench.key_tags)
    bench.discard_later(made["KeyMetadata"]["Arn"])
    bench.refuses(VALIDATION, "CreateKey", KeySpec="ECC_NIST_P256")


@probe(api("CreateKey"))
def an_unknown_key_spec_is_refused(bench: Bench) -> None:
    """A key spec that is not in the list is refused.

    AES_256 is ValidationException, SYMMETRIC_DEFAULT works.
    """
    made = bench.works("CreateKey", KeySpec="SYMMETRIC_DEFAULT", Tags=bench.key_tags)
    bench.discard_later(made["KeyMetadata"]["Arn"])
    bench.refuses(VALIDATION, "CreateKey", KeySpec="AES_256")


@probe(api("CreateKey"))
def a_description_has_8192_characters_at_most(bench: Bench) -> None:
    """The description of a key may have 8,192 characters and no more.

    8,192 come back whole; 8,193 are ValidationException.
    """
    key = bench.key(Description="d" * 8192)
    found = bench.works("DescribeKey", KeyId=key)["KeyMetadata"]["Description"]
    bench.equal("the length", len(found), 8192)
    bench.refuses(VALIDATION, "CreateKey", Description="d" * 8193)


@probe(api("UpdateKeyDescription"))
def a_description_can_be_changed(bench: Bench) -> None:
    """UpdateKeyDescription replaces the description, and leaves those of other keys alone.

    DescribeKey shows the new one for this key only.
    """
    key, other = bench.key(Description="old"), bench.key(Description="old")
    bench.works("UpdateKeyDescription", KeyId=key, Description="new")
    bench.equal("it", bench.make("DescribeKey", KeyId=key)["KeyMetadata"]["Description"], "new")
    untouched = bench.make("DescribeKey", KeyId=other)["KeyMetadata"]["Description"]
    bench.contrasts("the other key keeps its description", untouched == "old")


@probe(api("UpdateKeyDescription"))
def a_description_is_not_changed_by_alias(bench: Bench) -> None:
    """UpdateKeyDescription takes a key id or key ARN, not an alias.

    With the id it works; with an alias of the same key it is refused.
    """
    key, alias = bench.key(), alias_name(bench)
    bench.make("CreateAlias", AliasName=alias, TargetKeyId=key)
    bench.works("UpdateKeyDescription", KeyId=key.rpartition("/")[2], Description="by id")
    bench.refuses(
        (VALIDATION, "InvalidArnException", NOT_FOUND),
        "UpdateKeyDescription",
        KeyId=alias,
        Description="by alias",
    )


@probe(api("ListKeys"))
def every_key_is_listed(bench: Bench) -> None:
    """ListKeys lists the keys of the account and Region, by id and ARN.

    A new key is among them, and is not among those of another Region.
    """
    key = bench.key()
    bench.sees("the new key is listed", key in _listed(bench, ""))
    bench.contrasts("another Region does not list it", key not in _listed(bench, bench.other_region))


def _listed(bench: Bench, region: str) -> set[str]:
    pages = bench.client("kms", region=region).get_paginator("list_keys").paginate()
    return {entry["KeyArn"] for page in pages for entry in page["Keys"]}


@probe(guide("concepts#key-id"))
def a_key_belongs_to_its_region(bench: Bench) -> None:
    """A key is known in its Region only.

    DescribeKey by id works there; in another Region it is NotFoundException.
    """
    key_id = bench.key().rpartition("/")[2]
    bench.works("DescribeKey", KeyId=key_id)
    bench.refuses(NOT_FOUND, "DescribeKey", KeyId=key_id, region=bench.other_region)


@probe(api("ScheduleKeyDeletion"))
def the_waiting_period_is_7_to_30_days(bench: Bench) -> None:
    """A key can be deleted after a waiting period of 7 to 30 days.

    6 and 31 days are ValidationException; 7 days are accepted, and told.
    """
    key = bench.key()
    bench.refuses(VALIDATION, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=6)
    bench.refuses(VALIDATION, "ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=31)
    said = bench.works("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    bench.equal("PendingWindowInDays", said["PendingWindowInDays"], 7)
    bench.equal("KeyState", said["KeyState"], "PendingDeletion")


@probe(api("ScheduleKeyDeletion"))
def the_waiting_period_is_30_days_unless_told(bench: Bench) -> None:
    """Without PendingWindowInDays the waiting period is 30 days.

    The deletion date is 30 days ahead; with 10 days given it is 10 days ahead.
    """
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    periods: dict[int, dict[str, Any]] = {30: {}, 10: {"PendingWindowInDays": 10}}
    for days, extra in periods.items():
        said = bench.works("ScheduleKeyDeletion", KeyId=bench.key(), **extra)
        ahead = (said["DeletionDate"] - now).total_seconds() / 86400
        see = bench.contrasts if extra else bench.sees
        see(f"the deletion date is {days} days ahead", days - 0.1 < ahead < days + 1.1)


@probe(api("CancelKeyDeletion"))
def a_cancelled_deletion_leaves_the_key_disabled(bench: Bench) -> None:
    """CancelKeyDeletion brings a key back Disabled.

    It has no deletion date any more, and encrypts only after EnableKey.
    """
    key = bench.key()
    bench.make("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    bench.works("CancelKeyDeletion", KeyId=key)
    about = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]
    bench.equal("KeyState", about["KeyState"], "Disabled")
    bench.contrasts("there is no DeletionDate", "DeletionDate" not in about)
    bench.refuses(DISABLED, "Encrypt", KeyId=key, Plaintext=b"tea")
    bench.make("EnableKey", KeyId=key)
    bench.works("Encrypt", KeyId=key, Plaintext=b"tea")


@probe(api("CancelKeyDeletion"))
def only_a_scheduled_deletion_can_be_cancelled(bench: Bench) -> None:
    """CancelKeyDeletion needs a key that is pending deletion.

    On an enabled key it is KMSInvalidStateException; on one pending deletion it works.
    """
    key = bench.key()
    bench.refuses(INVALID_STATE, "CancelKeyDeletion", KeyId=key)
    bench.make("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    bench.works("CancelKeyDeletion", KeyId=key)


@probe(api("GetKeyLastUsage"))
def the_last_use_of_a_key_is_told(bench: Bench) -> None:
    """GetKeyLastUsage tells the last cryptographic operation that succeeded with a key.

    After Encrypt it names Encrypt; for a key that was never used it names none.
    """
    used, unused = bench.key(), bench.key()
    bench.make("Encrypt", KeyId=used, Plaintext=b"tea")
    told = bench.works("GetKeyLastUsage", KeyId=used)
    bench.equal("the operation", told.get("KeyLastUsage", {}).get("Operation"), "Encrypt")
    nothing = bench.works("GetKeyLastUsage", KeyId=unused).get("KeyLastUsage") or {}
    bench.contrasts("an unused key has no last operation", not nothing.get("Operation"))


@probe(api("CreateKey"))
def a_key_store_that_is_not_there_is_named(bench: Bench) -> None:
    """A key in a custom key store needs that store.

    CreateKey with an unknown CustomKeyStoreId is refused; without one it works.
    """
    bench.works("DescribeKey", KeyId=bench.key())
    bench.refuses(
        ("CustomKeyStoreNotFoundException", UNSUPPORTED),
        "CreateKey",
        Origin="AWS_CLOUDHSM",
        CustomKeyStoreId="cks-1234567890abcdef0",
    )


@probe(guide("concepts#aws-managed-key"))
def aws_managed_keys_are_not_ours_to_manage(bench: Bench) -> None:
    """An AWS managed key can be looked at, and not be changed.

    DescribeKey of alias/aws/s3, after its first use, says AWS; ScheduleKeyDeletion is AccessDeniedException.
    """
    bench.make("s3:PutObject", Bucket=bucket(bench), Key="one", Body=b"tea", ServerSideEncryption="aws:kms")
    about = bench.works("DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]
    bench.equal("KeyManager", about["KeyManager"], "AWS")
    bench.denies("ScheduleKeyDeletion", KeyId=about["Arn"], PendingWindowInDays=7)


@probe(api("GetKeyPolicy"))
def a_new_key_hands_the_decision_to_iam(bench: Bench) -> None:
    """A key without a policy of its own gets KMS's default key policy.

    Its one statement allows the account kms:*; another policy name is refused.
    """
    import json

    key = bench.key()
    text = bench.works("GetKeyPolicy", KeyId=key, PolicyName="default")["Policy"]
    statements = json.loads(text)["Statement"]
    bench.equal("the number of statements", len(statements), 1)
    bench.equal("the principal", statements[0]["Principal"], {"AWS": bench.world.root})
    bench.equal("the action", statements[0]["Action"], "kms:*")
    bench.refuses((NOT_FOUND, VALIDATION), "GetKeyPolicy", KeyId=key, PolicyName="other")
