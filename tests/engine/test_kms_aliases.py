"""Aliases: names that move, belong to one kind of key, and need permissions on both ends."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, principal_allow, refused
from tests.engine.kms_calls import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine


@pytest.fixture
def name() -> str:
    return f"alias/{uuid.uuid4()}"


def test_an_alias_is_listed_with_its_key_and_dates(
    engine: Engine, kms: Any, make_key: Callable[..., str], name: str
) -> None:
    key = make_key()
    kms.create_alias(AliasName=name, TargetKeyId=key)
    (listed,) = kms.list_aliases(KeyId=key)["Aliases"]
    assert listed.pop("CreationDate") == listed.pop("LastUpdatedDate")
    assert listed == {
        "AliasName": name,
        "AliasArn": f"arn:aws:kms:{engine.region}:{engine.account}:{name}",
        "TargetKeyId": key.rsplit("/", 1)[-1],
    }


def test_an_alias_is_unique(kms: Any, make_key: Callable[..., str], name: str) -> None:
    kms.create_alias(AliasName=name, TargetKeyId=make_key())
    with refused("AlreadyExistsException", name, "already exists"):
        kms.create_alias(AliasName=name, TargetKeyId=make_key())


PREFIX = (
    'Alias must start with the prefix "alias/". Please see '
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)
REFUSED_NAMES = [
    ("no-prefix", "ValidationException", PREFIX),
    ("arn:aws:kms:us-east-1:111122223333:alias/a", "ValidationException", PREFIX),
    ("alias/aws/mine", "NotAuthorizedException", ""),
    ("alias/my:alias", "ValidationException", "alias/my:alias contains invalid characters for an alias"),
    (
        "alias/my$",
        "ValidationException",
        "1 validation error detected: Value 'alias/my$' at 'aliasName' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ),
    (
        f"alias/{'x' * 251}",
        "ValidationException",
        f"1 validation error detected: Value 'alias/{'x' * 251}' at 'aliasName' failed to satisfy constraint: Member "
        "must have length less than or equal to 256",
    ),
]


@pytest.mark.parametrize(("bad", "code", "message"), REFUSED_NAMES)
@pytest.mark.parametrize("operation", ["create_alias", "update_alias", "delete_alias"])
def test_reserved_and_malformed_names_are_refused(
    kms: Any, make_key: Callable[..., str], operation: str, bad: str, code: str, message: str
) -> None:
    target = {} if operation == "delete_alias" else {"TargetKeyId": make_key()}
    assert told(getattr(kms, operation), AliasName=bad, **target) == (code, message)


def test_an_alias_has_a_name(engine: Engine, kms: Any, make_key: Callable[..., str]) -> None:
    key = make_key()
    assert told(kms.create_alias, AliasName="alias/", TargetKeyId=key)[0] == "InvalidAliasNameException"
    missing = (
        "NotFoundException",
        f"Alias arn:aws:kms:{engine.region}:{engine.account}:alias/ is not found.",
    )
    assert told(kms.update_alias, AliasName="alias/", TargetKeyId=key) == missing
    assert told(kms.delete_alias, AliasName="alias/") == missing


@pytest.mark.parametrize("good", ["my-alias_/", "my_alias-/", "A/b"])
def test_a_name_has_letters_digits_and_three_signs(
    kms: Any, make_key: Callable[..., str], name: str, good: str
) -> None:
    kms.create_alias(AliasName=f"{name}/{good}", TargetKeyId=make_key())
    assert kms.describe_key(KeyId=f"{name}/{good}")["KeyMetadata"]["Enabled"]


def test_an_alias_names_a_key_and_no_alias(
    engine: Engine, kms: Any, make_key: Callable[..., str], name: str
) -> None:
    kms.create_alias(AliasName=name, TargetKeyId=make_key())
    for target in (name, f"arn:aws:kms:{engine.region}:{engine.account}:{name}"):
        for call, alias in ((kms.create_alias, f"{name}-2"), (kms.update_alias, name)):
            assert told(call, AliasName=alias, TargetKeyId=target) == (
                "ValidationException",
                "Aliases must refer to keys. Not aliases",
            )


def test_an_alias_leaves_a_key_in_its_deletion_window_and_none_comes_to_one(
    kms: Any, make_key: Callable[..., str], name: str
) -> None:
    leaving, staying = make_key(), make_key()
    kms.create_alias(AliasName=name, TargetKeyId=leaving)
    kms.schedule_key_deletion(KeyId=leaving)
    kms.update_alias(AliasName=name, TargetKeyId=staying)
    for call in (kms.create_alias, kms.update_alias):
        with refused("KMSInvalidStateException", f"{leaving} is pending deletion."):
            call(AliasName=name, TargetKeyId=leaving)
    kms.update_alias(AliasName=name, TargetKeyId=staying)


def test_awss_own_aliases_are_listed_before_they_have_a_key(engine: Engine, name: str) -> None:
    """API reference, ListAliases: predefined aliases have no TargetKeyId until the key is made."""
    kms = engine.client("kms", region="eu-north-1")

    def listed() -> dict[str, dict[str, Any]]:
        return {entry["AliasName"]: entry for entry in kms.list_aliases()["Aliases"]}

    arn = f"arn:aws:kms:eu-north-1:{engine.account}:alias/aws/s3"
    assert listed()["alias/aws/s3"] == {"AliasName": "alias/aws/s3", "AliasArn": arn}
    made = kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert (made["KeyManager"], made["Description"]) == (
        "AWS",
        "Default key that protects my S3 objects when no other key is defined",
    )
    assert listed()["alias/aws/s3"]["TargetKeyId"] == made["KeyId"]
    (own,) = kms.list_aliases(KeyId=made["KeyId"])["Aliases"]
    assert own["AliasName"] == "alias/aws/s3"


def test_an_alias_moves_to_a_key_of_its_kind_only(kms: Any, make_key: Callable[..., str], name: str) -> None:
    first, second = make_key(), make_key()
    kms.create_alias(AliasName=name, TargetKeyId=first)
    kms.update_alias(AliasName=name, TargetKeyId=second)
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == second
    with refused("ValidationException"):
        kms.update_alias(AliasName=name, TargetKeyId=make_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"))
    with refused("NotFoundException", "is not found"):
        kms.update_alias(AliasName=f"{name}-other", TargetKeyId=second)


def test_a_deleted_alias_is_gone_and_its_key_stays(kms: Any, make_key: Callable[..., str], name: str) -> None:
    key = make_key()
    kms.create_alias(AliasName=name, TargetKeyId=key)
    kms.delete_alias(AliasName=name)
    assert kms.list_aliases(KeyId=key)["Aliases"] == []
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    with refused("NotFoundException"):
        kms.delete_alias(AliasName=name)


def test_a_key_has_50_aliases(kms: Any, make_key: Callable[..., str], name: str) -> None:
    key = make_key()
    for number in range(50):
        kms.create_alias(AliasName=f"{name}-{number}", TargetKeyId=key)
    with refused("LimitExceededException", "50"):
        kms.create_alias(AliasName=name, TargetKeyId=key)
    pages = kms.get_paginator("list_aliases").paginate(KeyId=key, PaginationConfig={"PageSize": 20})
    assert [len(page["Aliases"]) for page in pages] == [20, 20, 10]


def test_moving_an_alias_needs_the_alias_and_both_keys(
    engine: Engine, make_key: Callable[..., str], name: str
) -> None:
    mover = engine.role(allow("kms:UpdateAlias", Resource=f"arn:aws:kms:*:*:{name}"))
    permitted = principal_allow(mover, "kms:UpdateAlias")
    first, second, closed = make_key(permitted), make_key(permitted), make_key(engine.own_statement())
    engine.client("kms").create_alias(AliasName=name, TargetKeyId=first)
    kms = engine.client("kms", mover)
    kms.update_alias(AliasName=name, TargetKeyId=second)
    with refused("AccessDeniedException", "kms:UpdateAlias", closed):
        kms.update_alias(AliasName=name, TargetKeyId=closed)
    engine.client("kms").create_alias(AliasName=f"{name}-other", TargetKeyId=first)
    with refused("AccessDeniedException", f"{name}-other"):
        kms.update_alias(AliasName=f"{name}-other", TargetKeyId=second)
