"""Aliases: names that move, belong to one kind of key, and need permissions on both ends."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, principal_allow, refused

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


@pytest.mark.parametrize("bad", ["no-prefix", "alias/aws/mine", "alias/"])
def test_reserved_and_malformed_names_are_refused(kms: Any, make_key: Callable[..., str], bad: str) -> None:
    with refused("InvalidAliasNameException"):
        kms.create_alias(AliasName=bad, TargetKeyId=make_key())


def test_a_name_has_letters_digits_and_four_signs(kms: Any, make_key: Callable[..., str]) -> None:
    with refused("ValidationException", "'aliasName'", "regular expression"):
        kms.create_alias(AliasName="alias/with space", TargetKeyId=make_key())


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
