"""Faults of the keys themselves: out of service, on the way to deletion, reached by a wrong alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.keys import Alias, Description, Disabled, Doomed, Replaced
from kmslab.faults.direct import WITH_THE_APP_KEY
from kmslab.faults.noticing import MATRIX_OF_S3
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "02-first-key"
DISASTER = "16-disaster"
IN_SERVICE = "keys.every-key-is-in-service"
ALIAS = "keys.every-key-has-its-alias"
MATRIX_OF_KEY_PAIRS = "access.the-matrix-holds-for-key-pairs-and-macs"
"""The matrix tries every cell: what a key in another state refuses is not what its policy refuses."""
THROUGH_THE_S3_KEY = (
    "s3.",
    "objects.",
    "keys.rotation-is-on-where-it-can-be",
    "rotation.the-",
    "key-policies.the-s3-key-works-through-s3-only",
    MATRIX_OF_S3,
    "audit.use-through-s3-names-both",
    "audit.bucket-key-is-recorded-with-the-bucket",
)
"""Checks that store objects; and a key that waits for deletion has no rotation."""


@fault(guide=DISASTER, noticed_by=(IN_SERVICE,), also=("signing.", MATRIX_OF_KEY_PAIRS))
def the_signing_key_is_disabled() -> Change:
    """The signing key is disabled.

    Somebody took it for unused: nobody had signed for a month. Releases cannot be signed any more, and nothing
    says so until the next one. Signatures made before still verify with the public key, outside AWS.
    """
    return Disabled(LabOutputs.key_signing)


@fault(
    guide=DISASTER,
    noticed_by=(IN_SERVICE,),
    also=(*WITH_THE_APP_KEY, "access.the-matrix-holds-for-symmetric-keys"),
)
def the_app_key_is_disabled() -> Change:
    """The app key is disabled.

    After an alarm somebody disabled the key, which is right: it loses nothing and takes effect in seconds.
    Then nobody enabled it again, and every application that opens data keys with it stands still.
    """
    return Disabled(LabOutputs.key_app)


@fault(
    guide=DISASTER,
    noticed_by=(IN_SERVICE,),
    also=("secrets.", "parameters.", "audit.use-through-secrets-manager-names-both"),
)
def the_secrets_key_is_disabled() -> Change:
    """The key of the secrets is disabled.

    Nobody can read a secret under it, its owner neither: services that fetch a password at their start do not
    start. Those that run do not notice, so the cause is looked for elsewhere, days later.
    """
    return Disabled(LabOutputs.key_secrets)


@fault(guide=DISASTER, noticed_by=(IN_SERVICE,), also=("mac.", MATRIX_OF_KEY_PAIRS))
def the_mac_key_waits_for_deletion() -> Change:
    """The HMAC key waits for its deletion.

    A clean-up of unused keys took it along. In seven days nobody can verify a code again that was made with
    it, not even with AWS's help: an HMAC key has no public part that could be kept.
    """
    return Doomed(LabOutputs.key_mac)


@fault(guide=DISASTER, noticed_by=(IN_SERVICE,), also=THROUGH_THE_S3_KEY)
def the_s3_key_waits_for_deletion() -> Change:
    """The key of the data bucket waits for its deletion.

    Whoever wants to destroy data need not touch the bucket: with the key every object under it is lost, every
    version, every copy. That is why ScheduleKeyDeletion raises an alarm, and why there is a waiting time.
    """
    return Doomed(LabOutputs.key_s3)


@fault(guide=GUIDE, noticed_by=(ALIAS, "inventory.no-other-name-leads-to-a-key"))
def the_app_alias_points_to_the_s3_key() -> Change:
    """The alias of the app key points to the key of the data bucket.

    Two lines of a script were swapped. What is encrypted from now on is under another key, with another key
    policy; what is there already opens as before, since each ciphertext names its key.
    """
    return Alias(LabOutputs.key_app, LabOutputs.key_s3)


@fault(guide=GUIDE, noticed_by=(ALIAS,))
def the_rsa_alias_is_gone() -> Change:
    """The alias of the RSA key is deleted.

    The key works, and so does everybody who names it by its ARN. Who names it by its alias gets
    NotFoundException, and the name is free: who may create aliases can point it to a key of their own.
    """
    return Alias(LabOutputs.key_rsa, None)


@fault(guide=GUIDE, noticed_by=(ALIAS,))
def the_app_alias_points_to_a_strangers_key() -> Change:
    """The alias of the app key points to a new key with KMS's default key policy.

    Its maker reads all that is encrypted through the alias from now on, and nothing fails: the key is of the
    same kind, and its policy leaves everything to IAM. The old key and its policy are as they were.
    """
    return Replaced(LabOutputs.key_app)


@fault(guide=GUIDE, noticed_by=(ALIAS,))
def the_signing_alias_points_to_a_key_of_another_kind() -> Change:
    """The alias of the signing key points to a new key on another curve.

    Somebody wanted a stronger curve and replaced the key behind its alias. Everybody who verifies outside AWS
    holds the old public key: no new signature verifies there.
    """
    return Replaced(LabOutputs.key_signing, KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")


@fault(guide=GUIDE, noticed_by=("inventory.every-key-says-what-it-is-for",))
def a_key_says_nothing_of_itself() -> Change:
    """The agreement key has no description.

    Somebody made all keys look alike. In a list of ids the one that nobody can explain is the one that the
    next clean-up schedules for deletion.
    """
    return Description(LabOutputs.key_agreement, "")
