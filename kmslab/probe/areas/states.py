"""KMS's table "Key states of AWS KMS keys": which operation works in which state, and how it is refused otherwise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import DISABLED, INVALID_STATE
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import alias_name, prepare
from kmslab.probe.sources import KEY_STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.probe.bench import Bench

PENDING_DELETION = (INVALID_STATE, DISABLED)
"""The table documents both for a key that is pending deletion."""

STOPPED: dict[str, str | tuple[str, ...]] = {
    "Disabled": DISABLED,
    "PendingDeletion": PENDING_DELETION,
    "PendingImport": INVALID_STATE,
}
"""States in which a key does no cryptography, with the documented error."""
SYMMETRIC = ("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext")
SYMMETRIC_PAIRS = ("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
OF_OTHER_KEYS = ("Sign", "Verify", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "GetPublicKey")


def _enter(bench: Bench, state: str, key: str) -> None:
    """Bring a key into a state."""
    if state == "Disabled":
        bench.make("DisableKey", KeyId=key)
    elif state == "PendingDeletion":
        bench.make("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)


def _stops(operation: str, state: str, bench: Bench) -> None:
    act = prepare(bench, operation)
    bench.works(operation, **act)
    if state == "PendingImport":
        name = "DestinationKeyId" if operation == "ReEncrypt" else "KeyId"
        act = {**act, name: bench.key(Origin="EXTERNAL")}
    else:
        _enter(bench, state, act.get("KeyId") or act["DestinationKeyId"])
    bench.refuses(STOPPED[state], operation, **act)


for _state, _refusals in STOPPED.items():
    for _operation in (*SYMMETRIC, *SYMMETRIC_PAIRS, *OF_OTHER_KEYS):
        if _state == "PendingImport" and _operation not in {"Encrypt", "ReEncrypt", "GenerateDataKey"}:
            continue
        _codes = _refusals if isinstance(_refusals, str) else " or ".join(_refusals)
        register(
            "states",
            f"{kebab(_operation)}-needs-a-key-that-is-not-{kebab(_state)}",
            f"{_operation} does not work with a key that is {_state}.",
            f"It works on the enabled key; on the one that is {_state} it is {_codes}.",
            KEY_STATES,
            partial(_stops, _operation, _state),
        )

MANAGING: dict[str, Callable[[Bench, str], dict[str, Any]]] = {
    "CreateAlias": lambda bench, key: {"AliasName": alias_name(bench), "TargetKeyId": key},
    "TagResource": lambda _, key: {"KeyId": key, "Tags": [{"TagKey": "probe", "TagValue": "x"}]},
    "UntagResource": lambda _, key: {"KeyId": key, "TagKeys": ["probe"]},
    "UpdateKeyDescription": lambda _, key: {"KeyId": key, "Description": "probe"},
    "EnableKey": lambda _, key: {"KeyId": key},
    "DisableKey": lambda _, key: {"KeyId": key},
    "CreateGrant": lambda bench, key: {
        "KeyId": key,
        "GranteePrincipal": bench.world.root,
        "Operations": ["Decrypt"],
    },
    "EnableKeyRotation": lambda _, key: {"KeyId": key},
    "DisableKeyRotation": lambda _, key: {"KeyId": key},
    "RotateKeyOnDemand": lambda _, key: {"KeyId": key},
    "ScheduleKeyDeletion": lambda _, key: {"KeyId": key, "PendingWindowInDays": 7},
}
"""Operations that a key pending deletion refuses, and how each is called."""


def _refused_pending_deletion(operation: str, bench: Bench) -> None:
    alive, leaving = bench.key(), bench.key()
    _enter(bench, "PendingDeletion", leaving)
    bench.works(operation, **MANAGING[operation](bench, alive))
    bench.refuses(PENDING_DELETION, operation, **MANAGING[operation](bench, leaving))


for _operation in MANAGING:
    register(
        "states",
        f"{kebab(_operation)}-refuses-a-key-pending-deletion",
        f"{_operation} does not work on a key that is pending deletion.",
        "It works on an enabled key; on the one pending deletion it is KMSInvalidStateException.",
        KEY_STATES,
        partial(_refused_pending_deletion, _operation),
    )

DISABLED_TOO: dict[str, Callable[[Bench, str], dict[str, Any]]] = {
    "DescribeKey": lambda _, key: {"KeyId": key},
    "GetKeyPolicy": lambda _, key: {"KeyId": key, "PolicyName": "default"},
    "GetKeyRotationStatus": lambda _, key: {"KeyId": key},
    "ListGrants": lambda _, key: {"KeyId": key},
    "ListResourceTags": lambda _, key: {"KeyId": key},
    "ListKeyPolicies": lambda _, key: {"KeyId": key},
    "ListKeyRotations": lambda _, key: {"KeyId": key},
    "PutKeyPolicy": lambda bench, key: {
        "KeyId": key,
        "PolicyName": "default",
        "Policy": bench.world.policy(bench.world.delegation),
    },
}
"""Operations that work in every state, and how each is called."""


def _works_anyway(operation: str, bench: Bench) -> None:
    for state in ("Disabled", "PendingDeletion"):
        key = bench.key()
        _enter(bench, state, key)
        bench.works(operation, **DISABLED_TOO[operation](bench, key))
        bench.refuses(STOPPED[state], "Encrypt", KeyId=key, Plaintext=b"tea")


for _operation in DISABLED_TOO:
    register(
        "states",
        f"{kebab(_operation)}-works-in-every-state",
        f"{_operation} works on keys that are disabled or pending deletion.",
        "It works in both states, in which Encrypt is refused.",
        KEY_STATES,
        partial(_works_anyway, _operation),
    )

MANAGED_WHILE_DISABLED = ("CreateAlias", "TagResource", "UpdateKeyDescription", "ScheduleKeyDeletion")


def _managed_while_disabled(operation: str, bench: Bench) -> None:
    key = bench.key()
    _enter(bench, "Disabled", key)
    bench.works(operation, **MANAGING[operation](bench, key))
    bench.refuses((DISABLED, INVALID_STATE), "Encrypt", KeyId=key, Plaintext=b"tea")


for _operation in MANAGED_WHILE_DISABLED:
    register(
        "states",
        f"{kebab(_operation)}-works-on-a-disabled-key",
        f"{_operation} works on a disabled key, which can be managed but not used.",
        "It works; Encrypt under the same key is refused.",
        KEY_STATES,
        partial(_managed_while_disabled, _operation),
    )

REFUSED_DISABLED = ("CreateGrant", "EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand")


def _refused_disabled(operation: str, bench: Bench) -> None:
    key = bench.key()
    bench.works(operation, **MANAGING[operation](bench, key))
    _enter(bench, "Disabled", key)
    bench.refuses(DISABLED, operation, **MANAGING[operation](bench, key))


for _operation in REFUSED_DISABLED:
    register(
        "states",
        f"{kebab(_operation)}-needs-an-enabled-key",
        f"{_operation} does not work on a disabled key.",
        "It works on the enabled key; on the disabled one it is DisabledException.",
        KEY_STATES,
        partial(_refused_disabled, _operation),
    )


@probe(KEY_STATES)
def a_key_without_material_is_pending_import(bench: Bench) -> None:
    """A key of origin EXTERNAL waits for its material.

    Its state is PendingImport, and it cannot be enabled; a key of origin AWS_KMS can.
    """
    empty, ordinary = bench.key(Origin="EXTERNAL"), bench.key()
    about = bench.works("DescribeKey", KeyId=empty)["KeyMetadata"]
    bench.equal("KeyState", about["KeyState"], "PendingImport")
    bench.equal("Enabled", about["Enabled"], expected=False)
    bench.works("EnableKey", KeyId=ordinary)
    bench.refuses(INVALID_STATE, "EnableKey", KeyId=empty)


@probe(KEY_STATES)
def an_enabled_key_works_again(bench: Bench) -> None:
    """EnableKey undoes DisableKey.

    Encrypt is refused between the two and works after; DescribeKey shows both states.
    """
    key = bench.key()
    for action, state in (("DisableKey", "Disabled"), ("EnableKey", "Enabled")):
        bench.works(action, KeyId=key)
        about = bench.make("DescribeKey", KeyId=key)["KeyMetadata"]
        bench.equal("KeyState", about["KeyState"], state)
        if state == "Disabled":
            bench.refuses(DISABLED, "Encrypt", KeyId=key, Plaintext=b"tea", says="is disabled")
    bench.works("Encrypt", KeyId=key, Plaintext=b"tea")
