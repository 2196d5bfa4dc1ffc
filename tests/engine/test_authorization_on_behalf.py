"""A service uses a key: for its caller, as CloudFormation's role, or as itself."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from kmslab.engine import events
from kmslab.engine.authorization.caller import CALLER, acting_as
from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.kms import service
from tests.engine.conftest import policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.engine.events import KeyEvent
    from kmslab.engine.identity import Identity
    from kmslab.engine.kms.records import KeyRecord

VIA_S3 = "s3.us-east-1.amazonaws.com"
CONTEXT = {"aws:s3:arn": "arn:aws:s3:::bucket"}


@pytest.fixture
def seen(inside: Identity) -> Iterator[list[KeyEvent]]:
    """The events that the test causes."""
    caught: list[KeyEvent] = []
    events.register(caught.append)
    yield caught
    events._recorders.remove(caught.append)


@pytest.fixture
def role(inside: Identity) -> tuple[str, str]:
    """ARN and session access key of a role without permissions."""
    from ministack.services import iam, sts

    name, access_key = f"role-{uuid.uuid4().hex[:12]}", f"ASIA{uuid.uuid4().hex[:16].upper()}"
    body = urlencode({"Action": "CreateRole", "RoleName": name, "AssumeRolePolicyDocument": "{}"}).encode()
    assert asyncio.run(iam.handle_request("POST", "/", {}, body, {}))[0] == 200
    arn = f"arn:aws:sts::{inside.account_id}:assumed-role/{name}/session"
    sts.register_session(access_key, {"Arn": arn, "UserId": "AROA:session", "SecretAccessKey": "s"})
    return iam._roles[name]["Arn"], access_key


def make_key(inside: Identity, *statements: dict[str, Any]) -> KeyRecord:
    from kmslab.engine.kms import records

    # Made by the account's root user, who needs no permission to create a key.
    made = service.perform(
        "CreateKey",
        {"Policy": policy(*statements), "BypassPolicyLockoutSafetyCheck": True},
        access_key=inside.access_key_id,
    )
    return records.require(made["KeyMetadata"]["KeyId"])


def allowing(role_arn: str, **condition: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": role_arn},
        "Action": "kms:*",
        "Resource": "*",
    }
    return {**found, "Condition": condition} if condition else found


def test_the_callers_own_permission_counts_through_the_service(
    inside: Identity, role: tuple[str, str], seen: list[KeyEvent]
) -> None:
    arn, access_key = role
    key = make_key(
        inside,
        allowing(
            arn,
            StringEquals={
                "kms:ViaService": VIA_S3,
                "kms:EncryptionContext:aws:s3:arn": CONTEXT["aws:s3:arn"],
            },
        ),
    )
    found, refusal = use_key("s3", "Decrypt", key["KeyId"], CONTEXT, access_key=access_key)
    assert (found, refusal) == (key, None)
    event = seen[-1]
    assert (event.operation, event.invoked_by, event.access_key) == (
        "Decrypt",
        "s3.amazonaws.com",
        access_key,
    )
    assert event.resources == (key["Arn"],)
    assert event.parameters == {
        "keyId": key["Arn"],
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": CONTEXT,
    }
    for other_service, context in (
        ("ec2", CONTEXT),
        ("s3", {"aws:s3:arn": "arn:aws:s3:::other"}),
        ("s3", None),
    ):
        found, refusal = use_key(other_service, "Decrypt", key["Arn"], context, access_key=access_key)
        assert found is None
        assert refusal is not None
        assert refusal.denied
        assert "kms:Decrypt" in refusal.message
        assert seen[-1].error == refusal


def test_the_current_caller_is_used_when_none_is_named(inside: Identity, role: tuple[str, str]) -> None:
    arn, access_key = role
    key = make_key(inside, allowing(arn))
    token = CALLER.set(access_key)
    try:
        assert use_key("s3", "Decrypt", key["Arn"], None)[1] is None
    finally:
        CALLER.reset(token)


def test_a_caller_nobody_knows_is_refused(inside: Identity, role: tuple[str, str]) -> None:
    key = make_key(inside, allowing(role[0]))
    refusal = use_key("s3", "Decrypt", key["Arn"], None, access_key="ASIAUNKNOWNUNKNOWN00")[1]
    assert refusal is not None
    assert refusal.code == "UnrecognizedClientException"


def test_a_denial_comes_before_the_keys_state(inside: Identity, role: tuple[str, str]) -> None:
    arn, access_key = role
    mine, theirs = (make_key(inside, allowing(arn)) for _ in range(2))
    theirs["Policy"] = policy(allowing(inside.account_id, StringEquals={"aws:PrincipalArn": "arn:nobody"}))
    for key, code in ((mine, "DisabledException"), (theirs, "AccessDeniedException")):
        key["KeyState"] = "Disabled"
        refusal = use_key("s3", "Decrypt", key["Arn"], None, access_key=access_key)[1]
        assert refusal is not None
        assert refusal.code == code


def test_a_missing_key_is_not_found(inside: Identity) -> None:
    refusal = use_key("s3", "Decrypt", "alias/missing", None)[1]
    assert refusal is not None
    assert refusal.code == "NotFoundException"


def test_internal_use_asks_for_the_state_only(inside: Identity, role: tuple[str, str]) -> None:
    key = make_key(inside, allowing(role[0]))
    assert (
        use_key("s3", "Decrypt", key["Arn"], None, access_key="ASIAUNKNOWNUNKNOWN00", internal=True)[0] == key
    )
    key["KeyState"] = "PendingDeletion"
    refusal = use_key("s3", "Decrypt", key["Arn"], None, internal=True)[1]
    assert refusal is not None
    assert refusal.code == "KMSInvalidStateException"


def test_a_saved_call_is_not_published_but_a_failure_is(
    inside: Identity, role: tuple[str, str], seen: list[KeyEvent]
) -> None:
    arn, access_key = role
    key = make_key(inside, allowing(arn))
    seen.clear()
    use_key("s3", "Decrypt", key["Arn"], CONTEXT, access_key=access_key, log=False)
    assert seen == []
    key["KeyState"] = "Disabled"
    use_key("s3", "Decrypt", key["Arn"], CONTEXT, access_key=access_key, log=False)
    assert [event.error.code for event in seen if event.error] == ["DisabledException"]


def test_a_grant_for_a_resource_is_told_from_a_grant_by_hand(inside: Identity, role: tuple[str, str]) -> None:
    arn, access_key = role
    key = make_key(inside, allowing(arn, Bool={"kms:GrantIsForAWSResource": "true"}))
    resource: dict[str, Any] = {"kms:GrantIsForAWSResource": True}
    assert use_key("ec2", "CreateGrant", key["Arn"], None, access_key=access_key, **resource)[1] is None
    assert use_key("ec2", "CreateGrant", key["Arn"], None, access_key=access_key)[1] is not None


def test_cloudformation_acts_as_its_role_and_not_as_the_caller(
    inside: Identity, role: tuple[str, str], seen: list[KeyEvent]
) -> None:
    arn, _ = role
    for_role, for_root = (
        make_key(inside, allowing(arn)),
        make_key(inside, allowing(f"arn:aws:iam::{inside.account_id}:root")),
    )
    with acting_as(arn):
        assert (
            use_key("ec2", "CreateGrant", for_role["Arn"], None, access_key=inside.access_key_id)[1] is None
        )
        assert seen[-1].principal_arn == arn
        refusal = use_key("ec2", "CreateGrant", for_root["Arn"], None, access_key=inside.access_key_id)[1]
        assert refusal is not None
        assert f"assumed-role/{arn.rsplit('/', 1)[-1]}/AWSCloudFormation" in refusal.message
    assert use_key("ec2", "CreateGrant", for_root["Arn"], None, access_key=inside.access_key_id)[1] is None


def test_an_acting_role_that_is_gone_can_do_nothing(inside: Identity, role: tuple[str, str]) -> None:
    key = make_key(inside, allowing(role[0]))
    with acting_as(f"arn:aws:iam::{inside.account_id}:role/gone"):
        refusal = use_key("ec2", "CreateGrant", key["Arn"], None, access_key=inside.access_key_id)[1]
    assert refusal is not None
    assert "cannot be assumed" in refusal.message


def test_the_lockout_check_is_about_the_acting_role(inside: Identity, role: tuple[str, str]) -> None:
    from kmslab.engine.kms.errors import KmsError

    arn, _ = role
    everything = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    )
    from ministack.services import iam

    iam._roles[arn.rsplit("/", 1)[-1]]["InlinePolicies"] = {"all": everything}
    root_only = policy(
        allowing(
            f"arn:aws:iam::{inside.account_id}:root", ArnEquals={"aws:PrincipalArn": "arn:aws:iam::1:root"}
        )
    )
    with acting_as(arn):
        made = service.perform("CreateKey", {"Policy": policy(allowing(arn))}, via_service="cloudformation")
        assert made["KeyMetadata"]["KeyState"] == "Enabled"
        with pytest.raises(KmsError) as caught:
            service.perform("CreateKey", {"Policy": root_only}, via_service="cloudformation")
    assert caught.value.refusal.code == "MalformedPolicyDocumentException"


TRAIL = "arn:aws:cloudtrail:us-east-1:911111111111:trail/t"


def test_a_service_principal_needs_its_own_statement(inside: Identity) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudtrail.amazonaws.com"},
        "Action": "kms:GenerateDataKey*",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:SourceArn": TRAIL},
            "StringLike": {
                "kms:EncryptionContext:aws:cloudtrail:arn": "arn:aws:cloudtrail:*:911111111111:trail/*"
            },
        },
    }
    key = make_key(inside, statement)
    context = {"aws:cloudtrail:arn": TRAIL}

    def use(
        principal: str, source: str, operation: str = "GenerateDataKey", encryption_context: Any = context
    ) -> Any:
        keys: dict[str, Any] = {"aws:SourceArn": source}
        return use_key(
            "cloudtrail", operation, key["Arn"], encryption_context, service_principal=principal, **keys
        )[1]

    assert use("cloudtrail.amazonaws.com", TRAIL) is None
    for refusal in (
        use("cloudtrail.amazonaws.com", f"{TRAIL}2"),
        use("events.amazonaws.com", TRAIL),
        use("cloudtrail.amazonaws.com", TRAIL, "Decrypt"),
        use("cloudtrail.amazonaws.com", TRAIL, encryption_context={}),
    ):
        assert refusal.denied


def test_an_account_principal_is_no_service(inside: Identity) -> None:
    key = make_key(inside, allowing(f"arn:aws:iam::{inside.account_id}:root"))
    refusal = use_key("sns", "Decrypt", key["Arn"], None, service_principal="events.amazonaws.com")[1]
    assert refusal is not None
    assert "events.amazonaws.com" in refusal.message


def test_a_service_principal_belongs_to_no_account(inside: Identity) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "kms:*",
        "Resource": "*",
    }
    mine = {"StringEquals": {"kms:CallerAccount": inside.account_id}}
    open_key, closed = make_key(inside, statement), make_key(inside, {**statement, "Condition": mine})
    assert use_key("sns", "Decrypt", open_key["Arn"], None, service_principal="sns.amazonaws.com")[1] is None
    assert (
        use_key("sns", "Decrypt", closed["Arn"], None, service_principal="sns.amazonaws.com")[1] is not None
    )
