"""The condition keys of AWS KMS that need more than a row of a table, and the global ones that key policies use most."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.areas.condition_keys_tables import page
from kmslab.probe.areas.imported_material import parameters as import_parameters
from kmslab.probe.areas.multi_region import await_replica, replicated
from kmslab.probe.areas.s3 import bucket
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import PLAINTEXT, alias_name
from kmslab.probe.sources import iam

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench


@probe(page("kms:CallerAccount"))
def caller_account(bench: Bench) -> None:
    """kms:CallerAccount is the account of whoever calls.

    A key policy for everybody of this account lets the role in, one for another account does not.
    """
    stranger = bench.world.stranger
    for account, call in ((bench.account, bench.works), ("999988887777", bench.denies)):
        everybody: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "kms:Encrypt",
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": account}},
        }
        call("Encrypt", stranger, KeyId=bench.key(everybody), Plaintext=PLAINTEXT)


def _alias(bench: Bench, key: str) -> str:
    name = alias_name(bench)
    bench.make("CreateAlias", AliasName=name, TargetKeyId=key)
    return name


@probe(page("kms:RequestAlias"))
def request_alias(bench: Bench) -> None:
    """kms:RequestAlias is the alias that the request names.

    Encrypt by the alias works; by the key id it is AccessDeniedException.
    """
    world, stranger = bench.world, bench.world.stranger
    condition: dict[str, Any] = {"StringLike": {"kms:RequestAlias": "alias/kmslab-probe-*"}}
    key = bench.key(world.allow(stranger, "Encrypt", condition=condition))
    alias = _alias(bench, key)
    bench.works("Encrypt", stranger, KeyId=alias, Plaintext=PLAINTEXT)
    bench.denies("Encrypt", stranger, KeyId=key, Plaintext=PLAINTEXT)


@probe(page("kms:ResourceAliases"))
def resource_aliases(bench: Bench) -> None:
    """kms:ResourceAliases are the aliases of the key, however the request names it.

    The key with the alias encrypts by its id; the one without is AccessDeniedException.
    """
    world, stranger = bench.world, bench.world.stranger
    condition: dict[str, Any] = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/kmslab-probe-*"}}
    allow = world.allow(stranger, "Encrypt", condition=condition)
    named, nameless = bench.key(allow), bench.key(allow)
    _alias(bench, named)
    bench.works("Encrypt", stranger, KeyId=named, Plaintext=PLAINTEXT)
    bench.denies("Encrypt", stranger, KeyId=nameless, Plaintext=PLAINTEXT)


@probe(page("kms:ReEncryptOnSameKey"))
def re_encrypt_on_same_key(bench: Bench) -> None:
    """kms:ReEncryptOnSameKey says whether ReEncrypt stays with one key.

    A policy that asks for it lets ReEncrypt to the same key through, and not to another.
    """
    world, stranger = bench.world, bench.world.stranger
    condition: dict[str, Any] = {"Bool": {"kms:ReEncryptOnSameKey": "true"}}
    allow = world.allow(stranger, "ReEncryptFrom", "ReEncryptTo", condition=condition)
    key, other = bench.key(allow), bench.key(allow)
    blob = bench.make("Encrypt", KeyId=key, Plaintext=PLAINTEXT)["CiphertextBlob"]
    bench.works("ReEncrypt", stranger, CiphertextBlob=blob, SourceKeyId=key, DestinationKeyId=key)
    bench.denies("ReEncrypt", stranger, CiphertextBlob=blob, SourceKeyId=key, DestinationKeyId=other)


@probe(page("kms:ScheduleKeyDeletionPendingWindowInDays"))
def schedule_key_deletion_pending_window_in_days(bench: Bench) -> None:
    """kms:ScheduleKeyDeletionPendingWindowInDays is the waiting period that is asked for.

    With at least 14 asked for, 14 days work and 7 are AccessDeniedException.
    """
    world, stranger = bench.world, bench.world.stranger
    condition: dict[str, Any] = {
        "NumericGreaterThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": "14"}
    }
    key = bench.key(world.allow(stranger, "ScheduleKeyDeletion", condition=condition))
    bench.denies("ScheduleKeyDeletion", stranger, KeyId=key, PendingWindowInDays=7)
    bench.works("ScheduleKeyDeletion", stranger, KeyId=key, PendingWindowInDays=14)


WRAPPING: dict[str, Any] = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}


def _by_wrapping(name: str, value: str, bench: Bench) -> None:
    world, stranger = bench.world, bench.world.stranger
    member = name.partition(":")[2]
    for wanted, call in ((WRAPPING[member], bench.works), (value, bench.denies)):
        allow = world.allow(stranger, "GetParametersForImport", condition={"StringEquals": {name: wanted}})
        key = bench.key(allow, Origin="EXTERNAL")
        call("GetParametersForImport", stranger, KeyId=key, **WRAPPING)


for _name, _value in (("kms:WrappingAlgorithm", "RSAES_OAEP_SHA_1"), ("kms:WrappingKeySpec", "RSA_4096")):
    register(
        "condition-keys",
        kebab(_name.partition(":")[2]),
        f"{_name} is what the request of GetParametersForImport says.",
        f"A key policy that asks for it lets the request through, one that asks for {_value} does not.",
        page(_name),
        partial(_by_wrapping, _name, _value),
    )


@probe(page("kms:ExpirationModel"))
def expiration_model(bench: Bench) -> None:
    """kms:ExpirationModel says whether imported material is to expire.

    With KEY_MATERIAL_EXPIRES asked for, material with an end is taken; without one it is AccessDeniedException.
    """
    world, stranger = bench.world, bench.world.stranger
    condition: dict[str, Any] = {"StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"}}
    key = bench.key(world.allow(stranger, "ImportKeyMaterial", condition=condition), Origin="EXTERNAL")
    request = import_parameters(bench, key, secrets.token_bytes(32))
    bench.denies("ImportKeyMaterial", stranger, **request)
    ends: dict[str, Any] = {
        "ExpirationModel": "KEY_MATERIAL_EXPIRES",
        "ValidTo": datetime.now(UTC) + timedelta(days=2),
    }
    bench.works("ImportKeyMaterial", stranger, **{**request, **ends})


@probe(page("kms:ValidTo"))
def valid_to(bench: Bench) -> None:
    """kms:ValidTo is the end of imported material.

    With an end within 10 days asked for, 2 days are taken; 20 days are AccessDeniedException.
    """
    world, stranger, now = bench.world, bench.world.stranger, datetime.now(UTC)
    limit = int((now + timedelta(days=10)).timestamp())
    condition: dict[str, Any] = {"NumericLessThan": {"kms:ValidTo": str(limit)}}
    key = bench.key(world.allow(stranger, "ImportKeyMaterial", condition=condition), Origin="EXTERNAL")
    request = import_parameters(bench, key, secrets.token_bytes(32))
    request |= {"ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    bench.denies("ImportKeyMaterial", stranger, **request, ValidTo=now + timedelta(days=20))
    bench.works("ImportKeyMaterial", stranger, **request, ValidTo=now + timedelta(days=2))


@probe(page("kms:ReplicaRegion"))
def replica_region(bench: Bench) -> None:
    """kms:ReplicaRegion is where ReplicateKey puts the replica.

    Into the Region that the key policy asks for it works; into another it is AccessDeniedException.
    """
    world = bench.world
    role = world.role(world.identity("kms:CreateKey", "kms:TagResource"))
    condition: dict[str, Any] = {"StringEquals": {"kms:ReplicaRegion": bench.other_region}}
    key = bench.key(world.allow(role, "ReplicateKey", condition=condition), MultiRegion=True)
    bench.denies("ReplicateKey", role, KeyId=key, ReplicaRegion="eu-west-1")
    bench.works("ReplicateKey", role, KeyId=key, ReplicaRegion=bench.other_region)
    await_replica(bench, key)


@probe(page("kms:PrimaryRegion"))
def primary_region(bench: Bench) -> None:
    """kms:PrimaryRegion is where UpdatePrimaryRegion moves the primary.

    A key policy that asks for that Region lets it through, one that asks for another does not.
    """
    world, stranger = bench.world, bench.world.stranger
    for region, call in ((bench.other_region, bench.works), ("eu-west-1", bench.denies)):
        allow = world.allow(
            stranger, "UpdatePrimaryRegion", condition={"StringEquals": {"kms:PrimaryRegion": region}}
        )
        key = bench.key(allow, MultiRegion=True)
        replicated(bench, key, Policy=world.policy(world.delegation, allow))
        call("UpdatePrimaryRegion", stranger, KeyId=key, PrimaryRegion=bench.other_region)


@probe(page("kms:ViaService"))
def via_service(bench: Bench) -> None:
    """kms:ViaService is the service through which the request comes.

    A role that may use the key via S3 stores an object under it; called directly, KMS says AccessDeniedException.
    """
    world, storer = bench.world, bench.world.storer
    condition: dict[str, Any] = {"StringEquals": {"kms:ViaService": f"s3.{bench.region}.amazonaws.com"}}
    key = bench.key(world.allow(storer, "GenerateDataKey", "Decrypt", condition=condition))
    request: dict[str, Any] = {"Bucket": bucket(bench), "Key": "one", "Body": b"tea"}
    under: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    bench.works("s3:PutObject", storer, **request, **under)
    bench.denies("GenerateDataKey", storer, KeyId=key, KeySpec="AES_256")


@probe(iam("reference_policies_condition-keys"))
def resource_tag(bench: Bench) -> None:
    """aws:ResourceTag is a tag of the key.

    The key with the tag encrypts; the one with another value is AccessDeniedException.
    """
    world, stranger = bench.world, bench.world.stranger
    allow = world.allow(stranger, "Encrypt", condition={"StringEquals": {"aws:ResourceTag/Team": "a"}})
    for value, call in (("a", bench.works), ("b", bench.denies)):
        key = bench.key(allow)
        bench.make("TagResource", KeyId=key, Tags=[{"TagKey": "Team", "TagValue": value}])
        call("Encrypt", stranger, KeyId=key, Plaintext=PLAINTEXT)


@probe(iam("reference_policies_condition-keys"))
def principal_tag(bench: Bench) -> None:
    """aws:PrincipalTag is a tag of the principal.

    Of two roles that the key policy names, the one with the tag encrypts, the other may not.
    """
    world = bench.world
    tagged, other = world.role(tags={"Team": "a"}), world.stranger
    condition: dict[str, Any] = {"StringEquals": {"aws:PrincipalTag/Team": "a"}}
    key = bench.key(
        world.allow(tagged, "Encrypt", condition=condition),
        world.allow(other, "Encrypt", condition=condition),
    )
    bench.works("Encrypt", tagged, KeyId=key, Plaintext=PLAINTEXT)
    bench.denies("Encrypt", other, KeyId=key, Plaintext=PLAINTEXT)


@probe(iam("reference_policies_condition-keys"))
def source_ip(bench: Bench) -> None:
    """aws:SourceIp is the address from which the request comes.

    A denial for addresses outside 192.0.2.0/24 refuses it; the same denial for none does not.
    """
    world = bench.world
    away = {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    anywhere = {"NotIpAddress": {"aws:SourceIp": ["0.0.0.0/0", "::/0"]}}
    bench.works("Encrypt", KeyId=bench.key(world.deny("Encrypt", condition=anywhere)), Plaintext=PLAINTEXT)
    bench.denies("Encrypt", KeyId=bench.key(world.deny("Encrypt", condition=away)), Plaintext=PLAINTEXT)


@probe(iam("reference_policies_condition-keys"))
def requested_region(bench: Bench) -> None:
    """aws:RequestedRegion is the Region that is called.

    A denial for other Regions than this does nothing here; a denial for this one refuses.
    """
    world = bench.world
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": bench.region}}
    here = {"StringEquals": {"aws:RequestedRegion": bench.region}}
    bench.works("Encrypt", KeyId=bench.key(world.deny("Encrypt", condition=elsewhere)), Plaintext=PLAINTEXT)
    bench.denies("Encrypt", KeyId=bench.key(world.deny("Encrypt", condition=here)), Plaintext=PLAINTEXT)


@probe(iam("reference_policies_condition-keys"))
def current_time(bench: Bench) -> None:
    """aws:CurrentTime is the time of the request.

    An allowance until tomorrow works; one until yesterday is AccessDeniedException.
    """
    world, stranger, now = bench.world, bench.world.stranger, datetime.now(UTC)
    for days, call in ((1, bench.works), (-1, bench.denies)):
        until = f"{now + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        allow = world.allow(stranger, "Encrypt", condition={"DateLessThan": {"aws:CurrentTime": until}})
        call("Encrypt", stranger, KeyId=bench.key(allow), Plaintext=PLAINTEXT)


@probe(iam("reference_policies_condition-keys"))
def secure_transport(bench: Bench) -> None:
    """aws:SecureTransport is false without TLS.

    Under a denial for requests without TLS, Encrypt works over TLS and is AccessDeniedException over plain HTTP.
    """
    world = bench.world
    key, open_ = (
        bench.key(world.deny("Encrypt", condition={"Bool": {"aws:SecureTransport": "false"}})),
        bench.key(),
    )
    bench.works("Encrypt", KeyId=open_, Plaintext=PLAINTEXT, plain_http=True)
    bench.works("Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    bench.denies("Encrypt", KeyId=key, Plaintext=PLAINTEXT, plain_http=True)
