"""Aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from kmslab.probe.codes import INVALID_STATE, NOT_FOUND, UNSUPPORTED, VALIDATION
from kmslab.probe.model import probe
from kmslab.probe.samples import PLAINTEXT, alias_name
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench


def _alias(bench: Bench, key: str) -> str:
    """Make an alias of a key, and return its name."""
    name = alias_name(bench)
    bench.works("CreateAlias", AliasName=name, TargetKeyId=key)
    return name


@probe(api("CreateAlias"))
def an_alias_leads_to_its_key(bench: Bench) -> None:
    """An alias is another name of one key.

    DescribeKey by the alias finds the key; by a name that nobody made it is NotFoundException.
    """
    key = bench.key()
    found = bench.works("DescribeKey", KeyId=_alias(bench, key))["KeyMetadata"]["Arn"]
    bench.equal("the key", found == key, expected=True)
    bench.refuses(NOT_FOUND, "DescribeKey", KeyId=alias_name(bench), says="is not found")


@probe(api("CreateAlias"))
def an_alias_is_made_once(bench: Bench) -> None:
    """An alias name is unique in account and Region.

    The first CreateAlias works; the second of the name is AlreadyExistsException.
    """
    alias = _alias(bench, bench.key())
    bench.refuses(
        "AlreadyExistsException",
        "CreateAlias",
        AliasName=alias,
        TargetKeyId=bench.key(),
        says="already exists",
    )


@probe(api("CreateAlias"))
def an_alias_begins_with_alias(bench: Bench) -> None:
    """The name of an alias begins with alias/.

    With it it works; without it is ValidationException.
    """
    key = bench.key()
    _alias(bench, key)
    bench.refuses(VALIDATION, "CreateAlias", AliasName=f"kmslab-probe-{uuid4().hex}", TargetKeyId=key)


@probe(api("CreateAlias"))
def aws_keeps_its_own_aliases(bench: Bench) -> None:
    """The prefix alias/aws/ is reserved for AWS managed keys.

    Another name works; alias/aws/kmslab-probe is refused.
    """
    key = bench.key()
    _alias(bench, key)
    codes = (VALIDATION, "NotAuthorizedException", "AccessDeniedException", "InvalidAliasNameException")
    bench.refuses(codes, "CreateAlias", AliasName="alias/aws/kmslab-probe", TargetKeyId=key)


@probe(api("CreateAlias"))
def an_alias_has_plain_letters(bench: Bench) -> None:
    """An alias has letters, digits, slashes, underscores and dashes, 256 characters at most.

    Such a name works; one with a blank and one of 257 characters are refused.
    """
    key = bench.key()
    _alias(bench, key)
    codes = (VALIDATION, "InvalidAliasNameException")
    bench.refuses(codes, "CreateAlias", AliasName="alias/kmslab probe", TargetKeyId=key)
    bench.refuses(codes, "CreateAlias", AliasName="alias/" + "a" * 251, TargetKeyId=key)


@probe(api("CreateAlias"))
def an_alias_needs_a_key(bench: Bench) -> None:
    """An alias is made for a key that exists.

    For a key it works; for an id of none it is NotFoundException.
    """
    _alias(bench, bench.key())
    missing = "00000000-0000-4000-8000-000000000000"
    bench.refuses(NOT_FOUND, "CreateAlias", AliasName=alias_name(bench), TargetKeyId=missing)


@probe(api("CreateAlias"))
def an_alias_is_not_made_for_an_alias(bench: Bench) -> None:
    """TargetKeyId is a key id or key ARN.

    With the id it works; with another alias it is refused.
    """
    alias = _alias(bench, bench.key())
    codes = (VALIDATION, NOT_FOUND, "InvalidArnException")
    bench.refuses(codes, "CreateAlias", AliasName=alias_name(bench), TargetKeyId=alias)


@probe(api("UpdateAlias"))
def an_alias_can_change_its_key(bench: Bench) -> None:
    """UpdateAlias moves an alias to another key of the same type and usage.

    After it the alias encrypts under the new key, and no longer under the old.
    """
    old, new = bench.key(), bench.key()
    alias = _alias(bench, old)
    bench.works("UpdateAlias", AliasName=alias, TargetKeyId=new)
    used = bench.make("Encrypt", KeyId=alias, Plaintext=PLAINTEXT)["KeyId"]
    bench.equal("the key", used == new, expected=True)
    left = bench.make("ListAliases", KeyId=old)["Aliases"]
    bench.contrasts("the old key has no alias", left == [])


@probe(api("UpdateAlias"))
def an_alias_keeps_its_kind_of_key(bench: Bench) -> None:
    """UpdateAlias does not move an alias to a key of another type.

    To another symmetric key it works; to an HMAC key it is refused.
    """
    alias = _alias(bench, bench.key())
    bench.works("UpdateAlias", AliasName=alias, TargetKeyId=bench.key())
    codes = (VALIDATION, UNSUPPORTED, INVALID_STATE)
    mac = bench.shared_key("HMAC_256", "GENERATE_VERIFY_MAC")
    bench.refuses(codes, "UpdateAlias", AliasName=alias, TargetKeyId=mac)


@probe(api("UpdateAlias"))
def an_alias_must_be_there_to_change(bench: Bench) -> None:
    """UpdateAlias makes no alias.

    An alias that exists is moved; another name is NotFoundException.
    """
    key = bench.key()
    bench.works("UpdateAlias", AliasName=_alias(bench, bench.key()), TargetKeyId=key)
    bench.refuses(NOT_FOUND, "UpdateAlias", AliasName=alias_name(bench), TargetKeyId=key)


@probe(api("DeleteAlias"))
def a_deleted_alias_leaves_its_key(bench: Bench) -> None:
    """DeleteAlias removes the name, and not the key.

    The key still encrypts; the alias is NotFoundException.
    """
    key = bench.key()
    alias = _alias(bench, key)
    bench.works("DeleteAlias", AliasName=alias)
    bench.works("Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    bench.refuses(NOT_FOUND, "Encrypt", KeyId=alias, Plaintext=PLAINTEXT)


@probe(api("DeleteAlias"))
def an_alias_is_deleted_once(bench: Bench) -> None:
    """DeleteAlias needs an alias that exists.

    The first call works, the second is NotFoundException.
    """
    alias = _alias(bench, bench.key())
    bench.works("DeleteAlias", AliasName=alias)
    bench.refuses(NOT_FOUND, "DeleteAlias", AliasName=alias)


@probe(api("ListAliases"))
def the_aliases_of_a_key_are_listed(bench: Bench) -> None:
    """ListAliases with a KeyId lists the aliases of this key.

    Both of its aliases are there with their ARNs, and none of another key.
    """
    key, other = bench.key(), bench.key()
    mine, foreign = {_alias(bench, key), _alias(bench, key)}, _alias(bench, other)
    listed = bench.works("ListAliases", KeyId=key)["Aliases"]
    bench.equal("the aliases", {one["AliasName"] for one in listed} == mine, expected=True)
    prefix = key.rpartition(":")[0]
    bench.sees("each with its ARN", all(one["AliasArn"] == f"{prefix}:{one['AliasName']}" for one in listed))
    bench.contrasts("none of another key", foreign not in {one["AliasName"] for one in listed})


@probe(guide("kms-alias"))
def an_alias_belongs_to_its_region(bench: Bench) -> None:
    """An alias is known in its Region only.

    Here it leads to the key; in another Region it is NotFoundException.
    """
    alias = _alias(bench, bench.key())
    bench.works("DescribeKey", KeyId=alias)
    bench.refuses(NOT_FOUND, "DescribeKey", KeyId=alias, region=bench.other_region)


@probe(guide("alias-access"))
def an_alias_needs_two_permissions(bench: Bench) -> None:
    """CreateAlias needs permission on the alias and on the key.

    A role with both makes one; a role with the permission on the key alone may not.
    """
    world, key = bench.world, bench.key()
    name = alias_name(bench)
    both = world.role(world.identity("kms:CreateAlias"))
    bench.works("CreateAlias", both, AliasName=name, TargetKeyId=key)
    half = world.role({"Effect": "Allow", "Action": "kms:CreateAlias", "Resource": key})
    bench.denies("CreateAlias", half, AliasName=alias_name(bench), TargetKeyId=key)
