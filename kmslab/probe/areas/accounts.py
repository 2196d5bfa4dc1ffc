"""Two accounts: a key is used across them only if both sides say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import NOT_FOUND, VALIDATION
from kmslab.probe.model import probe
from kmslab.probe.samples import PLAINTEXT
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

PAGE = guide("key-policy-modifying-external-accounts")


def _outside(bench: Bench, *actions: str) -> dict[str, Any]:
    """A statement of a key policy for the other account."""
    return {
        "Effect": "Allow",
        "Principal": {"AWS": bench.world.other_root},
        "Action": [f"kms:{action}" for action in actions],
        "Resource": "*",
    }


@probe(PAGE)
def a_key_is_shared_by_its_policy(bench: Bench) -> None:
    """A key policy can let another account use the key.

    The other account's administrator encrypts with the key that names it; another is AccessDeniedException.
    """
    other = bench.world.other_administrator
    bench.works("Encrypt", other, KeyId=bench.key(_outside(bench, "Encrypt")), Plaintext=PLAINTEXT)
    bench.denies("Encrypt", other, KeyId=bench.key(), Plaintext=PLAINTEXT)


@probe(PAGE)
def both_accounts_must_allow(bench: Bench) -> None:
    """The other account's own policies must allow its principals the use of the key as well.

    Its role with an identity policy encrypts; its role without is AccessDeniedException.
    """
    world = bench.world
    key = bench.key(_outside(bench, "Encrypt"))
    bench.works("Encrypt", world.other_role(world.identity("kms:Encrypt")), KeyId=key, Plaintext=PLAINTEXT)
    bench.denies("Encrypt", world.other_role(), KeyId=key, Plaintext=PLAINTEXT)


@probe(PAGE)
def a_principal_of_the_other_account_can_be_named(bench: Bench) -> None:
    """A key policy that names a role of another account lets that role in, not the account.

    The role encrypts; the administrator of its account does not.
    """
    world = bench.world
    role = world.other_role(world.identity("kms:*"))
    key = bench.key(world.allow(role, "Encrypt"))
    bench.works("Encrypt", role, KeyId=key, Plaintext=PLAINTEXT)
    bench.denies("Encrypt", world.other_administrator, KeyId=key, Plaintext=PLAINTEXT)


@probe(guide("grants"))
def a_grant_reaches_another_account(bench: Bench) -> None:
    """A grant may be for a principal of another account, whose own policies must allow the call too.

    With the grant's token its role encrypts; without a grant it does not.
    """
    world = bench.world
    role, key = world.other_role(world.identity("kms:*")), bench.key()
    bench.denies("Encrypt", role, KeyId=key, Plaintext=PLAINTEXT)
    token = bench.make("CreateGrant", KeyId=key, GranteePrincipal=role.arn, Operations=["Encrypt"])[
        "GrantToken"
    ]
    bench.works("Encrypt", role, KeyId=key, Plaintext=PLAINTEXT, GrantTokens=[token])


OWN_ACCOUNT_ONLY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ScheduleKeyDeletion", {"PendingWindowInDays": 7}),
    ("EnableKeyRotation", {}),
    ("UpdateKeyDescription", {"Description": "probe"}),
)


@probe(guide("key-policy-modifying-external-accounts#cross-account-operations"))
def keys_are_not_managed_across_accounts(bench: Bench) -> None:
    """Cryptography works across accounts, management does not, whatever the key policy says.

    With kms:* for the other account Encrypt works; ScheduleKeyDeletion and the like are refused.
    """
    other = bench.world.other_administrator
    key = bench.key(_outside(bench, "*"))
    bench.works("Encrypt", other, KeyId=key, Plaintext=PLAINTEXT)
    codes = ("AccessDeniedException", NOT_FOUND, "InvalidArnException", VALIDATION)
    for operation, request in OWN_ACCOUNT_ONLY:
        bench.refuses(codes, operation, other, KeyId=key, **request)


@probe(api("ListKeys"))
def keys_are_listed_in_their_account(bench: Bench) -> None:
    """ListKeys lists the keys of the caller's account only.

    The key is in its own account's list, and not in the other's.
    """
    key = bench.key()

    def listed(who: Any) -> set[str]:
        pages = bench.client("kms", who).get_paginator("list_keys").paginate()
        return {entry["KeyArn"] for page in pages for entry in page["Keys"]}

    bench.sees("its account lists it", key in listed(None))
    bench.contrasts("the other does not", key not in listed(bench.world.other_administrator))


@probe(guide("concepts#key-id"))
def another_accounts_key_takes_its_arn(bench: Bench) -> None:
    """A key of another account is named by its ARN, not by its id.

    By the ARN it works; by the id it is NotFoundException.
    """
    other = bench.world.other_administrator
    key = bench.key(_outside(bench, "Encrypt"))
    bench.works("Encrypt", other, KeyId=key, Plaintext=PLAINTEXT)
    bench.refuses(NOT_FOUND, "Encrypt", other, KeyId=key.rpartition("/")[2], Plaintext=PLAINTEXT)
