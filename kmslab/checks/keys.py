"""The lab's keys: what they are, who manages them, in which state they are, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks.expectations import deployed_keys
from kmslab.checks.registry import check
from kmslab.checks.samples import refused_soon, settle_seconds, soon
from kmslab.checks.shared import described, read_aliases, read_once
from kmslab.checks.temporary import (
    SHORTEST_WINDOW_DAYS,
    encrypted_with,
    metadata_of,
    scratch_key,
    scratch_key_of_kind,
    temporary_key,
)
from kmslab.model.capability import Capability
from kmslab.model.naming import PREFIX_TAG, alias_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "02-first-key"
ROTATION = "04-rotation"
DISASTER = "16-disaster"
UNUSABLE = frozenset({"KMSInvalidStateException", "DisabledException"})
"""What KMS answers when a key's state forbids the call."""
LONGEST_WINDOW_DAYS = 30
"""The longest deletion window; botocore's model says 365, KMS refuses that."""
ROTATION_DAYS = range(90, 2561)
"""Automatic rotation periods that KMS accepts, in days (botocore model, RotationPeriodInDaysType)."""


@check(guide=GUIDE, controls=("CT.KMS.PR.2",))
def every_key_has_its_spec_and_usage(lab: Lab) -> str:
    """Every key of the lab has the spec and the usage it is meant to have.

    Neither can be changed after creation, and a key has one usage only: a signing key cannot
    decrypt, an encryption key cannot sign.
    """
    keys = deployed_keys(lab.outputs)
    for expected, arn in keys:
        found = described(lab, arn)
        seen = f"{found['KeySpec']} for {found['KeyUsage']}"
        wanted = f"{expected.spec} for {expected.usage}"
        lab.expect(seen == wanted, f"the key {expected.name} is {seen}, not {wanted}")
    return f"{len(keys)} keys: " + ", ".join(f"{expected.name} {expected.spec}" for expected, _ in keys)


@check(guide=GUIDE, controls=("prowler:kms_cmk_not_multi_region",))
def every_key_is_customer_managed(lab: Lab) -> str:
    """Every key is managed by the customer, and stays in one Region unless it was made to travel.

    Only for a customer managed key does the account write the key policy, choose the rotation and
    decide on deletion. AWS managed keys (`aws/s3`) give none of that.
    """
    keys = deployed_keys(lab.outputs)
    for expected, arn in keys:
        found = described(lab, arn)
        lab.expect(found["KeyManager"] == "CUSTOMER", f"the key {expected.name} is managed by AWS")
        lab.expect(
            bool(found.get("MultiRegion")) == expected.multi_region,
            f"the key {expected.name} is {'not ' if expected.multi_region else ''}a multi-Region key",
        )
    return f"{len(keys)} keys, all customer managed"


@check(guide=GUIDE)
def key_material_has_its_origin(lab: Lab) -> str:
    """KMS generated every key's material, except that of the key for imported material.

    Origin EXTERNAL means that the owner brings the material, and has to keep a copy of it.
    """
    for expected, arn in deployed_keys(lab.outputs):
        origin = described(lab, arn)["Origin"]
        lab.expect(
            origin == expected.origin, f"the key {expected.name} has origin {origin}, not {expected.origin}"
        )
    return "AWS_KMS everywhere, EXTERNAL for the imported key"


@check(
    guide=GUIDE,
    controls=(
        "KMS.3",
        "prowler:kms_cmk_not_deleted_unintentionally",
        "config:kms-cmk-not-scheduled-for-deletion",
    ),
)
def every_key_is_in_service(lab: Lab) -> str:
    """No key of the lab is disabled or on its way to deletion.

    The key for imported material waits (PendingImport) until somebody brings material.
    """
    for expected, arn in deployed_keys(lab.outputs):
        state = lab.read("kms:DescribeKey", KeyId=arn)["KeyMetadata"]["KeyState"]
        fine = {"Enabled", "PendingImport"} if expected.origin == "EXTERNAL" else {"Enabled"}
        lab.expect(state in fine, f"the key {expected.name} is {state}")
    return "every key is Enabled, the imported one Enabled or PendingImport"


@check(guide=GUIDE)
def every_key_has_its_alias(lab: Lab) -> str:
    """Every key is reached by its alias `alias/<prefix>/<name>`.

    An alias is a pointer that can be turned to another key, not a name of the key itself. That is
    why whoever may turn it (kms:UpdateAlias) decides which key callers use.
    """
    keys, aliases = deployed_keys(lab.outputs), read_aliases(lab)
    for expected, arn in keys:
        alias = alias_name(lab.prefix, expected.name)
        lab.expect(alias in aliases, f"there is no {alias}")
        found = aliases[alias]
        lab.expect(arn.endswith(f":key/{found}"), f"{alias} points to {found}, not to the stack's key")
    return f"{len(keys)} aliases point to the keys of the stacks"


@check(guide=GUIDE)
def every_key_is_tagged(lab: Lab) -> str:
    """Every key carries the lab's tag, so that costs and clean-up can find it."""
    keys = deployed_keys(lab.outputs)
    for expected, arn in keys:
        tags = read_once(lab, "kms:ListResourceTags", KeyId=arn)["Tags"]
        lab.expect(
            {"TagKey": PREFIX_TAG, "TagValue": lab.prefix} in tags,
            f"the key {expected.name} has no tag {PREFIX_TAG}={lab.prefix}",
        )
    return f"{len(keys)} keys tagged {PREFIX_TAG}={lab.prefix}"


@check(
    guide=ROTATION,
    controls=(
        "KMS.4",
        "config:cmk-backing-key-rotation-enabled",
        "prowler:kms_cmk_rotation_enabled",
        "cdk-nag:AwsSolutions-KMS5",
        "cis:4.6",
        "cdk-nag:NIST.800.53.R5-KMSBackingKeyRotationEnabled",
        "CT.KMS.PR.1",
    ),
)
def rotation_is_on_where_it_can_be(lab: Lab) -> str:
    """Every symmetric key whose material KMS made is rotated by KMS.

    A rotation replaces the key material; key id, policy and aliases stay, and old ciphertexts
    still open. The period may be 90 to 2560 days.
    """
    periods = []
    for expected, arn in deployed_keys(lab.outputs):
        if not expected.rotates:
            continue
        status = read_once(lab, "kms:GetKeyRotationStatus", KeyId=arn)
        lab.expect(status["KeyRotationEnabled"], f"the key {expected.name} is not rotated")
        days = status.get("RotationPeriodInDays", 0)
        lab.expect(days in ROTATION_DAYS, f"the key {expected.name} has a rotation period of {days} days")
        periods.append(f"{expected.name} every {days} days")
    return ", ".join(periods)


@check(guide=ROTATION, needs={Capability.ROTATION}, changes_keys=True)
def rotation_is_refused_where_it_cannot_be(lab: Lab) -> str:
    """KMS rotates neither asymmetric nor HMAC keys, not by itself and not on demand, and says so.

    Their public keys and codes are in other hands, so a new key pair is a new key. A tool that asks
    for rotation of such keys asks for the impossible. The operator switches rotation on for a
    symmetric key first; a key pair and an HMAC key made the same way are refused.
    """
    lab.allowed(Persona.OPERATOR, "kms:EnableKeyRotation", KeyId=scratch_key(lab))
    lab.allowed(
        Persona.OPERATOR, "kms:RotateKeyOnDemand", KeyId=temporary_key(lab, "rotated where it can be")
    )
    for spec, usage in (("HMAC_384", "GENERATE_VERIFY_MAC"), ("ECC_NIST_P384", "SIGN_VERIFY")):
        fixed = scratch_key_of_kind(lab, spec, usage)
        for action in ("kms:EnableKeyRotation", "kms:RotateKeyOnDemand"):
            lab.refused(Persona.OPERATOR, action, codes={"UnsupportedOperationException"}, KeyId=fixed)
    return "an HMAC key and a key pair are refused (UnsupportedOperationException), a symmetric key is not"


@check(guide=DISASTER, needs={Capability.KEY_STATES}, changes_keys=True)
def a_disabled_key_stops(lab: Lab) -> str:
    """A disabled key neither encrypts nor decrypts, and works again once enabled.

    Disabling is the answer to a suspicion: it takes effect within seconds and loses nothing.
    """
    key = temporary_key(lab, "disabled and enabled again")
    blob = encrypted_with(lab, key)
    lab.allowed(Persona.OPERATOR, "kms:Decrypt", CiphertextBlob=blob, KeyId=key)
    lab.allowed(Persona.OPERATOR, "kms:DisableKey", KeyId=key)
    refused_soon(lab, Persona.OPERATOR, "kms:Decrypt", codes=UNUSABLE, CiphertextBlob=blob, KeyId=key)
    refused_soon(lab, Persona.OPERATOR, "kms:Encrypt", codes=UNUSABLE, KeyId=key, Plaintext=b"x")
    lab.allowed(Persona.OPERATOR, "kms:EnableKey", KeyId=key)
    _wait_for_state(lab, key, "Enabled")
    soon(lab, lambda: lab.allowed(Persona.OPERATOR, "kms:Decrypt", CiphertextBlob=blob, KeyId=key))
    return "disabled: DisabledException; enabled: the same ciphertext opens"


@check(guide=DISASTER, needs={Capability.KEY_STATES}, changes_keys=True)
def deletion_can_be_called_off(lab: Lab) -> str:
    """A key is never deleted at once: it waits 7 to 30 days, unusable, and can be called back.

    Cancelling leaves it Disabled, on purpose: somebody has to decide to use it again.
    """
    key = temporary_key(lab, "deletion called off")
    blob = encrypted_with(lab, key)
    lab.allowed(Persona.OPERATOR, "kms:Decrypt", CiphertextBlob=blob, KeyId=key)
    lab.allowed(
        Persona.OPERATOR, "kms:ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=SHORTEST_WINDOW_DAYS
    )
    refused_soon(lab, Persona.OPERATOR, "kms:Decrypt", codes=UNUSABLE, CiphertextBlob=blob, KeyId=key)
    lab.allowed(Persona.OPERATOR, "kms:CancelKeyDeletion", KeyId=key)
    state = lab.wait_until(
        lambda: (found := metadata_of(lab, key)["KeyState"]) != "PendingDeletion" and found,
        "the end of the deletion",
        seconds=settle_seconds(lab) + 30,
    )
    lab.expect(state == "Disabled", f"after cancelling the deletion the key is {state}, not Disabled")
    for days in (SHORTEST_WINDOW_DAYS - 1, LONGEST_WINDOW_DAYS + 1):
        lab.refused(
            Persona.OPERATOR,
            "kms:ScheduleKeyDeletion",
            codes={"ValidationException"},
            KeyId=key,
            PendingWindowInDays=days,
        )
    return "PendingDeletion stops the key, cancelling leaves it Disabled; 6 days and 31 are refused"


def _wait_for_state(lab: Lab, key: str, state: str) -> None:
    lab.wait_until(
        lambda: metadata_of(lab, key)["KeyState"] == state,
        f"the state {state}",
        seconds=settle_seconds(lab) + 30,
    )
