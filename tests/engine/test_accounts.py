"""Two accounts on one engine: a key, a secret or a bucket of one is used from the other when both sides allow it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine.identity import neighbour_of
from kmslab.engine.session import neighbour_credentials
from kmslab.model.target import Credentials
from tests.engine.conftest import Principal, allow, policy, principal_allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine, Statement

USE = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey")


@pytest.fixture(scope="module")
def neighbour(engine: Engine) -> Any:
    """Credentials of the neighbour's administrator."""
    return neighbour_credentials(engine.info, engine.administrator, 3600)


@pytest.fixture
def make_role(engine: Engine, neighbour: Any) -> Any:
    """Makes a role in the neighbour's account, assumed by its administrator."""

    def make(*statements: Statement) -> Principal:
        iam, name = engine.client("iam", neighbour), f"role-{uuid.uuid4().hex[:12]}"
        trust = {
            "Effect": "Allow",
            "Principal": {"AWS": neighbour_of(engine.account)},
            "Action": "sts:AssumeRole",
        }
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="identity", PolicyDocument=policy(*statements))
        return Principal(arn, engine.assume(arn, neighbour))

    return make


def test_the_neighbour_is_an_account_of_its_own(engine: Engine, neighbour: Any) -> None:
    account = engine.client("sts", neighbour).get_caller_identity()["Account"]
    assert account == neighbour_of(engine.account) != engine.account
    name = f"alias/{uuid.uuid4().hex}"
    there = engine.client("kms", neighbour)
    key = there.create_key()["KeyMetadata"]
    there.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    assert key["AWSAccountId"] == account
    ours = engine.client("kms")
    with refused("NotFoundException"):
        ours.describe_key(KeyId=name)
    with refused("NotFoundException"):
        ours.describe_key(KeyId=key["KeyId"])
    with refused("AccessDeniedException"):
        ours.describe_key(KeyId=key["Arn"])
    assert key["Arn"] not in {one["KeyArn"] for one in ours.list_keys()["Keys"]}


def run_env(engine: Engine, *options: str) -> subprocess.CompletedProcess[str]:
    """``kmslab env`` for the engine's lab."""
    return subprocess.run(  # noqa: S603  # our own command
        [str(Path(sys.executable).parent / "kmslab"), "env", *options],
        env={**os.environ, "KMSLAB_HOME": str(engine.home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_shell_gets_the_neighbours_credentials(engine: Engine) -> None:
    answer = run_env(engine, "--neighbour")
    assert answer.returncode == 0, answer.stderr
    exported = dict(
        line.removeprefix("export ").split("=", 1) for line in answer.stdout.splitlines() if "=" in line
    )
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    credentials = Credentials(*(shlex.split(exported[name])[0] for name in names))
    account = engine.client("sts", credentials).get_caller_identity()["Account"]
    assert account == neighbour_of(engine.account)
    refusal = run_env(engine, "--neighbour", "--persona", "data-owner")
    assert refusal.returncode != 0
    assert "no personas" in refusal.stderr


def test_only_whom_the_lab_lets_gets_into_the_neighbours_account(engine: Engine) -> None:
    role = f"arn:aws:iam::{neighbour_of(engine.account)}:role/OrganizationAccountAccessRole"
    with refused("AccessDenied", "sts:AssumeRole"):
        engine.assume(role, engine.role(allow("kms:*")))
    engine.assume(role, engine.role(allow("sts:AssumeRole", Resource=role)))


@pytest.mark.parametrize(
    ("in_policy", "in_identity", "allowed"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_a_key_of_another_account_takes_both_sides(
    engine: Engine, neighbour: Any, make_role: Any, in_policy: bool, in_identity: bool, allowed: bool
) -> None:
    """KMS Developer Guide, "Allowing users in other accounts to use a KMS key"."""
    account = f"arn:aws:iam::{neighbour_of(engine.account)}:root"
    key = engine.key(*([principal_allow(account, *USE)] if in_policy else []))
    role = make_role(*([allow(*USE, Resource=key)] if in_identity else []))
    client = engine.client("kms", role)
    if allowed:
        blob = client.encrypt(KeyId=key, Plaintext=b"across")["CiphertextBlob"]
        assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"across"
        own = key.rsplit("/", 1)[-1].join(
            (f"arn:aws:kms:{engine.region}:{neighbour_of(engine.account)}:key/", "")
        )
        with refused("AccessDeniedException", own):  # an id alone is one of the caller's account
            client.encrypt(KeyId=key.rsplit("/", 1)[-1], Plaintext=b"x")
    else:
        with refused("AccessDeniedException", "kms:Encrypt", key):
            client.encrypt(KeyId=key, Plaintext=b"across")


def test_the_key_policy_may_ask_for_the_callers_account(
    engine: Engine, neighbour: Any, make_role: Any
) -> None:
    account = neighbour_of(engine.account)
    for wanted, allowed in ((account, True), (engine.account, False)):
        caller = {"StringEquals": {"kms:CallerAccount": wanted}}
        key = engine.key(principal_allow("*", *USE, Condition=caller))
        client = engine.client("kms", make_role(allow(*USE)))
        if allowed:
            client.encrypt(KeyId=key, Plaintext=b"x")
        else:
            with refused("AccessDeniedException"):
                client.encrypt(KeyId=key, Plaintext=b"x")


def test_a_grant_lets_another_account_in(engine: Engine, kms: Any, make_role: Any) -> None:
    key, role = engine.key(), make_role(allow("kms:Decrypt"))
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    client = engine.client("kms", role)
    with refused("AccessDeniedException"):
        client.decrypt(CiphertextBlob=blob)
    kms.create_grant(KeyId=key, GranteePrincipal=role.arn, Operations=["Decrypt"])
    assert client.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_grant_is_retired_from_another_account(engine: Engine, kms: Any, make_role: Any) -> None:
    """API reference, ListRetirableGrants and RetireGrant, "Cross-account use"."""
    key, role = engine.key(), make_role(allow("kms:ListRetirableGrants"))
    request = {"KeyId": key, "GranteePrincipal": role.arn, "Operations": ["Decrypt"]}
    made = kms.create_grant(**request, RetiringPrincipal=role.arn)
    kms.create_grant(**request, RetiringPrincipal=engine.role().arn)
    theirs = engine.client("kms", role)
    (listed,) = theirs.list_retirable_grants(RetiringPrincipal=role.arn)["Grants"]
    assert (listed["GrantId"], listed["KeyId"]) == (made["GrantId"], key)
    assert listed["IssuingAccount"] == f"arn:aws:iam::{engine.account}:root"
    elsewhere = engine.client("kms", role, region="eu-west-1")
    assert elsewhere.list_retirable_grants(RetiringPrincipal=role.arn)["Grants"] == []
    theirs.retire_grant(KeyId=key, GrantId=made["GrantId"])
    assert theirs.list_retirable_grants(RetiringPrincipal=role.arn)["Grants"] == []


def test_a_strangers_retirable_grants_are_not_told(engine: Engine, kms: Any, make_role: Any) -> None:
    key, retiring = engine.key(), engine.role()
    kms.create_grant(
        KeyId=key, GranteePrincipal=retiring.arn, RetiringPrincipal=retiring.arn, Operations=["Decrypt"]
    )
    assert len(kms.list_retirable_grants(RetiringPrincipal=retiring.arn)["Grants"]) == 1
    theirs = engine.client("kms", make_role(allow("kms:ListRetirableGrants")))
    assert theirs.list_retirable_grants(RetiringPrincipal=retiring.arn)["Grants"] == []


def test_a_secret_of_another_account_takes_its_policy_and_its_key(
    engine: Engine, neighbour: Any, make_role: Any
) -> None:
    """Secrets Manager User Guide, "Access secrets from a different account"."""
    account = f"arn:aws:iam::{neighbour_of(engine.account)}:root"
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{engine.region}.amazonaws.com"}}
    key = engine.key(principal_allow(account, *USE, Condition=via))
    sm = engine.client("secretsmanager")
    name = f"secret-{uuid.uuid4().hex[:12]}"
    secret = sm.create_secret(Name=name, SecretString="across", KmsKeyId=key)["ARN"]
    reader = engine.client("secretsmanager", make_role(allow("secretsmanager:*"), allow("kms:*")))
    with refused("AccessDeniedException", "secretsmanager:GetSecretValue"):
        reader.get_secret_value(SecretId=secret)
    everything = {
        "Effect": "Allow",
        "Principal": {"AWS": account},
        "Action": "secretsmanager:*",
        "Resource": "*",
    }
    sm.put_resource_policy(SecretId=secret, ResourcePolicy=policy(everything))
    assert reader.get_secret_value(SecretId=secret)["SecretString"] == "across"
    reader.put_secret_value(SecretId=secret, SecretString="written across")
    assert sm.get_secret_value(SecretId=secret)["SecretString"] == "written across"
    with refused("ResourceNotFoundException"):
        reader.get_secret_value(SecretId=name)
    assert reader.list_secrets()["SecretList"] == []
    keyless = engine.client("secretsmanager", make_role(allow("secretsmanager:*")))
    with refused("AccessDeniedException", "Access to KMS is not allowed"):
        keyless.get_secret_value(SecretId=secret)


def test_the_aws_managed_key_is_for_its_own_account(engine: Engine, make_role: Any) -> None:
    """Recorded from AWS by a public test suite; the guide says it in "Access secrets from a different account"."""
    sm = engine.client("secretsmanager")
    secret = sm.create_secret(Name=f"secret-{uuid.uuid4().hex[:12]}", SecretString="x")["ARN"]
    everything = {
        "Effect": "Allow",
        "Principal": {"AWS": neighbour_of(engine.account)},
        "Action": "secretsmanager:*",
        "Resource": "*",
    }
    sm.put_resource_policy(SecretId=secret, ResourcePolicy=policy(everything))
    reader = engine.client("secretsmanager", make_role(allow("secretsmanager:*"), allow("kms:*")))
    assert reader.describe_secret(SecretId=secret)["ARN"] == secret
    why = (
        "You can't access a secret from a different AWS account if you encrypt the secret with the default "
        "KMS service key."
    )
    with refused("InvalidRequestException", why):
        reader.get_secret_value(SecretId=secret)
    with refused("InvalidRequestException", why):
        reader.put_secret_value(SecretId=secret, SecretString="x")


def test_use_from_another_account_is_in_the_history_of_both(
    engine: Engine, neighbour: Any, make_role: Any
) -> None:
    """CloudTrail tells the caller's account and the key's owner."""
    account = f"arn:aws:iam::{neighbour_of(engine.account)}:root"
    key = engine.key(principal_allow(account, *USE))
    engine.client("kms", make_role(allow(*USE))).encrypt(KeyId=key, Plaintext=b"x")
    for who in (None, neighbour):
        found = engine.client("cloudtrail", who).lookup_events(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]
        )["Events"]
        [event] = [one for one in map(_record, found) if one["eventName"] == "Encrypt"]
        assert event["userIdentity"]["accountId"] == neighbour_of(engine.account)
        assert event["recipientAccountId"] == (
            engine.account if who is None else neighbour_of(engine.account)
        )
        assert event["resources"] == [{"accountId": engine.account, "type": "AWS::KMS::Key", "ARN": key}]


def test_a_refusal_across_accounts_is_the_callers_business(
    engine: Engine, neighbour: Any, make_role: Any
) -> None:
    """KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail"."""
    key = engine.key()
    with refused("AccessDeniedException"):
        engine.client("kms", make_role(allow(*USE))).encrypt(KeyId=key, Plaintext=b"x")
    names = {}
    for side, who in (("owner", None), ("caller", neighbour)):
        found = engine.client("cloudtrail", who).lookup_events(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]
        )["Events"]
        names[side] = {one["EventName"] for one in found}
    assert "Encrypt" in names["caller"]
    assert "Encrypt" not in names["owner"]


def _record(found: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(found["CloudTrailEvent"])
    return record
