"""What each key state lets one do, and in which words it refuses (KMS Developer Guide, "Key states", the table)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from kmslab.engine.kms.policy_documents import written

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

STATES = ("Disabled", "PendingDeletion", "PendingImport")
WORDS = {
    "Disabled": ("DisabledException", "is disabled."),
    "PendingDeletion": ("KMSInvalidStateException", "is pending deletion."),
    "PendingImport": ("KMSInvalidStateException", "is pending import."),
    "": ("KMSInvalidStateException", "is not pending deletion."),
}
ALWAYS: tuple[str, ...] = ()
TABLE: dict[str, tuple[str, ...]] = {
    "cancel_key_deletion": ("Enabled", "Disabled", "PendingImport"),
    "create_alias": ("PendingDeletion",),
    "delete_alias": ALWAYS,
    "describe_key": ALWAYS,
    "disable_key": ("PendingDeletion", "PendingImport"),
    "enable_key": ("PendingDeletion", "PendingImport"),
    "get_key_last_usage": ALWAYS,
    "get_key_policy": ALWAYS,
    "list_aliases": ALWAYS,
    "list_grants": ALWAYS,
    "list_key_policies": ALWAYS,
    "list_resource_tags": ALWAYS,
    "put_key_policy": ALWAYS,
    "schedule_key_deletion": ("PendingDeletion",),
    "tag_resource": ("PendingDeletion",),
    "untag_resource": ("PendingDeletion",),
    "update_alias": ("PendingDeletion",),
    "update_key_description": ("PendingDeletion",),
    "encrypt": STATES,
    "generate_data_key": STATES,
    "generate_data_key_without_plaintext": STATES,
    "create_grant": STATES,
}
"""Operation to the states that refuse it."""


class Keys:
    """A key in each state, each with an alias."""

    def __init__(self, engine: Engine) -> None:
        self.kms = engine.client("kms")
        self.grantee = engine.own_statement()["Principal"]["AWS"]

    def in_state(self, state: str) -> str:
        arn = str(
            self.kms.create_key(Origin="EXTERNAL" if state == "PendingImport" else "AWS_KMS")["KeyMetadata"][
                "Arn"
            ]
        )
        self.kms.create_alias(AliasName=self.alias(arn), TargetKeyId=arn)
        if state == "Disabled":
            self.kms.disable_key(KeyId=arn)
        if state == "PendingDeletion":
            self.kms.schedule_key_deletion(KeyId=arn)
        assert self.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == state
        return arn

    def alias(self, arn: str) -> str:
        return f"alias/state/{arn.rsplit('/', 1)[-1]}"

    def parameters(self, operation: str, arn: str) -> dict[str, Any]:
        key = {"KeyId": arn}
        own: dict[str, dict[str, Any]] = {
            "create_alias": {"AliasName": f"{self.alias(arn)}-2", "TargetKeyId": arn},
            "delete_alias": {"AliasName": self.alias(arn)},
            "update_alias": {"AliasName": self.alias(arn), "TargetKeyId": arn},
            "tag_resource": {**key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
            "untag_resource": {**key, "TagKeys": ["a"]},
            "update_key_description": {**key, "Description": "new"},
            "encrypt": {**key, "Plaintext": b"x"},
            "generate_data_key": {**key, "KeySpec": "AES_256"},
            "generate_data_key_without_plaintext": {**key, "KeySpec": "AES_256"},
            "create_grant": {**key, "GranteePrincipal": self.grantee, "Operations": ["Decrypt"]},
            "put_key_policy": {**key, "Policy": self.kms.get_key_policy(KeyId=arn)["Policy"]},
        }
        return own.get(operation, key)


@pytest.fixture(scope="module")
def keys(engine: Engine) -> Keys:
    return Keys(engine)


@pytest.mark.parametrize("state", ["Enabled", *STATES])
@pytest.mark.parametrize("operation", TABLE)
def test_each_state_takes_and_refuses_what_the_table_says(keys: Keys, operation: str, state: str) -> None:
    arn = keys.in_state(state)
    told = None
    try:
        getattr(keys.kms, operation)(**keys.parameters(operation, arn))
    except ClientError as error:
        told = (error.response["Error"]["Code"], error.response["Error"]["Message"])
    if state in TABLE[operation]:
        code, words = WORDS["" if operation == "cancel_key_deletion" else state]
        assert told == (code, f"{arn} {words}")
    else:
        assert told is None


@pytest.mark.parametrize(("operation", "state"), [("enable_key", "Enabled"), ("disable_key", "Disabled")])
def test_enabling_and_disabling_twice_changes_nothing(keys: Keys, operation: str, state: str) -> None:
    arn = keys.in_state(state)
    getattr(keys.kms, operation)(KeyId=arn)
    assert keys.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == state


def test_a_window_waits_for_a_disabled_key_and_one_without_material(keys: Keys) -> None:
    for state in ("Disabled", "PendingImport"):
        arn = keys.in_state(state)
        answer = keys.kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
        answer.pop("ResponseMetadata")
        assert answer.pop("DeletionDate")
        assert answer == {"KeyId": arn, "KeyState": "PendingDeletion", "PendingWindowInDays": 7}
        assert keys.kms.cancel_key_deletion(KeyId=arn)["KeyId"] == arn
        assert keys.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"
        keys.kms.enable_key(KeyId=arn)
        enabled = keys.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
        assert enabled == ("Enabled" if state == "Disabled" else "PendingImport")


def test_deleting_a_managed_key_is_nobodys_right(engine: Engine, kms: Any) -> None:
    """Its key policy, which nobody can change, allows describing only (KMS Developer Guide, "AWS managed keys")."""
    managed = kms.describe_key(KeyId="alias/aws/sqs")["KeyMetadata"]
    text = kms.get_key_policy(KeyId=managed["KeyId"])["Policy"]
    assert text.startswith('{\n  "Version" : "2012-10-17",\n  "Id" : "auto-sqs-1",\n  "Statement" : [ {\n')
    assert written(json.loads(text)) == text
    for operation in ("schedule_key_deletion", "disable_key", "enable_key_rotation", "put_key_policy"):
        with pytest.raises(ClientError) as caught:
            getattr(kms, operation)(
                KeyId=managed["KeyId"], **({"Policy": "{}"} if operation == "put_key_policy" else {})
            )
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_key_waits_with_its_metadata(keys: Keys) -> None:
    arn = keys.in_state("PendingDeletion")
    shown = keys.kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert (shown["Enabled"], "DeletionDate" in shown, "PendingDeletionWindowInDays" in shown) == (
        False,
        True,
        False,
    )
