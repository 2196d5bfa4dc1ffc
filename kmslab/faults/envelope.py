"""Faults of envelope encryption: data keys cannot be had, or not as they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy, drop_actions
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "07-envelope"
USE = "UseWithTheEncryptionContext"


@fault(
    guide=GUIDE,
    noticed_by=(
        "envelope.a-data-key-encrypts-outside-kms",
        "envelope.a-data-key-has-the-length-asked-for",
        "envelope.every-data-key-is-new",
        "envelope.the-context-guards-the-data-key",
    ),
    also=(
        "caching.",
        "envelope.an-sdk-envelope-opens-with-its-context-only",
        "envelope.the-envelope-alone-is-worthless",
        "key-policies.the-s3-key-works-through-s3-only",
        "separation.the-administrator-cannot-use-the-key",
    ),
)
def no_data_keys_are_given() -> Change:
    """The data owner gets no data keys of the app key.

    Encrypt and Decrypt were left, GenerateDataKey was not: "we do not generate keys". Every library for
    envelope encryption begins with that call.
    """
    return KeyPolicy(LabOutputs.key_app, drop_actions(USE, "kms:GenerateDataKey"))


@fault(
    guide=GUIDE,
    noticed_by=("envelope.a-data-key-can-come-without-its-plaintext",),
    also=("audit.denied-call-is-recorded",),
)
def data_keys_come_with_their_plaintext_only() -> Change:
    """The data owner gets data keys of the app key only with their plaintext.

    GenerateDataKeyWithoutPlaintext was dropped as a duplicate. Whoever prepares storage now has to ask for
    a plaintext that they do not need, hold it in memory, and forget it.
    """
    return KeyPolicy(LabOutputs.key_app, drop_actions(USE, "kms:GenerateDataKeyWithoutPlaintext"))


@fault(
    guide=GUIDE,
    noticed_by=(
        "envelope.a-data-key-pair-signs-outside-kms",
        "envelope.a-private-key-can-stay-encrypted",
    ),
)
def no_data_key_pairs_are_given() -> Change:
    """The data owner gets no data key pairs of the app key.

    The two actions with "Pair" in their names were taken for asymmetric keys, of which this is none. Whoever
    gave each document a key pair of its own now signs all of them with one.
    """
    pairs = ("kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext")
    return KeyPolicy(LabOutputs.key_app, drop_actions(USE, *pairs))
