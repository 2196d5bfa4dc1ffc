"""On the real engine: something of the deployed lab is broken, and the checks that must notice do.

The root user breaks and repairs, since nobody else may: it is the break-glass of every key policy.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import REGISTRY, run
from kmslab.checks.runner import new_run_id
from kmslab.checks.samples import sample_object
from kmslab.checks.sweep import sweep
from kmslab.checks.temporary import GRANT_NAME, stopped, temporary_key
from kmslab.deployed import read_outputs
from kmslab.engine import control, identity
from kmslab.engine.capabilities import CAPABILITIES
from kmslab.lab import Access, Lab
from kmslab.model.naming import ENCRYPTION_CONTEXT
from kmslab.model.persona import Persona
from kmslab.model.target import Credentials
from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kmslab.model.outputs import LabOutputs
    from tests.conftest import DeployedLab

    Statement = dict[str, Any]
    Undo = Callable[[], object]


@dataclass(frozen=True)
class Saboteur:
    """The account's root user, at work on a lab.

    Attributes:
        access: to the lab, as the operator and every persona.
        outputs: what the stacks exported.
        kms: the root user's client.
        iam: the root user's client.
        account: the account's id.
    """

    access: Access
    outputs: LabOutputs
    kms: Any
    iam: Any
    account: str

    def outcomes(self, *ids: str) -> dict[str, Outcome]:
        """Run checks and return their outcomes."""
        run_id = new_run_id()
        return {
            one: run(REGISTRY[one], Lab(self.access, self.outputs, CAPABILITIES, run_id)).outcome
            for one in ids
        }

    def key_policy(self, key: str, change: Callable[[list[Statement]], object]) -> Undo:
        """Change the statements of a key policy."""
        before = self.kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
        document = json.loads(before)
        change(document["Statement"])
        self.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(document))
        return lambda: self.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)

    def allow(self, key: str, action: str, principal: Any = None, **condition: Any) -> Undo:
        """Add a statement to a key policy: for the whole account unless a principal is given."""
        statement = {
            "Sid": "Sabotage",
            "Effect": "Allow",
            "Principal": principal or {"AWS": f"arn:aws:iam::{self.account}:root"},
            "Action": action,
            "Resource": "*",
            "Condition": condition,
        }
        return self.key_policy(key, lambda statements: statements.append(statement))

    def forget_condition(self, key: str, sid: str, operator: str) -> Undo:
        """Take one operator out of a statement's conditions."""

        def forget(statements: list[Statement]) -> None:
            (statement,) = [one for one in statements if one["Sid"] == sid]
            del statement["Condition"][operator]

        return self.key_policy(key, forget)

    def role(self, persona: Persona) -> str:
        """ARN of a persona's role."""
        return f"arn:aws:iam::{self.account}:role/kms-lab-{persona}"

    def role_policy(self, persona: Persona, action: str) -> Undo:
        """Give a persona an action on everything."""
        name = {"RoleName": f"kms-lab-{persona}", "PolicyName": "sabotage"}
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        self.iam.put_role_policy(PolicyDocument=_document(statement), **name)
        return lambda: self.iam.delete_role_policy(**name)

    def trust(self, persona: Persona, principal: Any) -> Undo:
        """Let somebody else become a persona, and nobody but them."""
        name = f"kms-lab-{persona}"
        before = self.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=_document(statement))
        return lambda: self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))

    @contextmanager
    def at_work(self, act: Callable[[Saboteur], Undo]) -> Iterator[None]:
        """Break something, and repair it whatever happens."""
        undo = act(self)
        try:
            yield
        finally:
            undo()


def _document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="module")
def saboteur(deployed_lab: DeployedLab) -> Saboteur:
    target = control.target(deployed_lab.home)
    operator = Access(target, "kms-lab")
    kept = identity.load(deployed_lab.home / "engine")
    credentials = Credentials(kept.access_key_id, kept.secret_access_key)
    root = Access(replace(target, credentials=credentials), "kms-lab")
    return Saboteur(
        operator,
        read_outputs(operator),
        root.client(Persona.OPERATOR, "kms"),
        root.client(Persona.OPERATOR, "iam"),
        operator.account,
    )


def disabled(who: Saboteur) -> Undo:
    who.kms.disable_key(KeyId=who.outputs.key_signing)
    return lambda: who.kms.enable_key(KeyId=who.outputs.key_signing)


def not_rotated(who: Saboteur) -> Undo:
    days = who.kms.get_key_rotation_status(KeyId=who.outputs.key_ebs)["RotationPeriodInDays"]
    who.kms.disable_key_rotation(KeyId=who.outputs.key_ebs)
    return lambda: who.kms.enable_key_rotation(KeyId=who.outputs.key_ebs, RotationPeriodInDays=days)


def alias_turned(who: Saboteur) -> Undo:
    alias = "alias/kms-lab/app"
    who.kms.update_alias(AliasName=alias, TargetKeyId=who.outputs.key_s3)
    return lambda: who.kms.update_alias(AliasName=alias, TargetKeyId=who.outputs.key_app)


def untagged(who: Saboteur) -> Undo:
    key = who.outputs.key_rsa
    who.kms.untag_resource(KeyId=key, TagKeys=["kmslab:prefix"])
    tags = [{"TagKey": "kmslab:prefix", "TagValue": "kms-lab"}]
    return lambda: who.kms.tag_resource(KeyId=key, Tags=tags)


def access_key(who: Saboteur) -> Undo:
    user = who.outputs.admin_user
    made = who.iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    return lambda: who.iam.delete_access_key(UserName=user, AccessKeyId=made)


def no_boundary(who: Saboteur) -> Undo:
    user, boundary = who.outputs.admin_user, who.outputs.admin_boundary
    who.iam.delete_user_permissions_boundary(UserName=user)
    return lambda: who.iam.put_user_permissions_boundary(UserName=user, PermissionsBoundary=boundary)


def own_policy(who: Saboteur) -> Undo:
    name = {"UserName": who.outputs.admin_user, "PolicyName": "sabotage"}
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    who.iam.put_user_policy(PolicyDocument=_document(statement), **name)
    return lambda: who.iam.delete_user_policy(**name)


def grants_without_limits(who: Saboteur) -> Undo:
    condition = {"ArnEquals": {"aws:PrincipalArn": who.role(Persona.DATA_OWNER)}}
    return who.allow(who.outputs.key_app, "kms:CreateGrant", **condition)


def used_by_administrator(who: Saboteur) -> Undo:
    """Both sides are needed: the identity policy must allow as well."""
    condition = {"ArnEquals": {"aws:PrincipalArn": who.role(Persona.KEY_ADMINISTRATOR)}}
    undo_policy = who.allow(who.outputs.key_app, "kms:*", **condition)
    undo_identity = who.role_policy(Persona.KEY_ADMINISTRATOR, "kms:*")
    return lambda: (undo_identity(), undo_policy())


BROKEN: dict[str, tuple[Callable[[Saboteur], Undo], tuple[str, ...]]] = {
    "a key policy delegates to IAM": (
        lambda who: who.allow(who.outputs.key_app, "kms:*"),
        (
            "key-policies.administration-is-not-delegated-to-iam",
            "key-policies.use-is-delegated-only-through-a-service",
            "key-policies.iam-alone-cannot-rewrite-the-policy",
            "key-policies.iam-alone-cannot-decrypt",
            "direct.the-policy-demands-the-context",
        ),
    ),
    "the administrator may do everything": (
        used_by_administrator,
        (
            "key-policies.administrators-do-not-use",
            "identity.no-persona-has-all-keys",
            "separation.the-administrator-cannot-use-the-key",
            "separation.the-administrator-cannot-rewrite-the-policy",
            "separation.the-administrator-cannot-create-a-grant",
            "separation.the-administrator-cannot-turn-an-alias",
        ),
    ),
    "the reader may decrypt": (
        lambda who: who.allow(who.outputs.key_app, "kms:Decrypt", {"AWS": who.role(Persona.DATA_READER)}),
        ("direct.others-cannot-decrypt",),
    ),
    "the storage operator may decrypt": (
        lambda who: who.allow(
            who.outputs.key_app, "kms:Decrypt", {"AWS": who.role(Persona.STORAGE_OPERATOR)}
        ),
        ("envelope.the-envelope-alone-is-worthless",),
    ),
    "the auditor may decrypt": (
        lambda who: who.allow(who.outputs.key_app, "kms:Decrypt", {"AWS": who.role(Persona.AUDITOR)}),
        ("separation.the-auditor-reads-policies-not-data",),
    ),
    "the context is not demanded": (
        lambda who: who.forget_condition(who.outputs.key_app, "UseWithTheEncryptionContext", "StringEquals"),
        ("direct.the-policy-demands-the-context",),
    ),
    "the S3 key works outside S3": (
        lambda who: who.forget_condition(who.outputs.key_s3, "WriteAndReadThroughS3", "StringEquals"),
        ("key-policies.the-s3-key-works-through-s3-only",),
    ),
    "CloudTrail may use the key for any trail": (
        lambda who: who.forget_condition(who.outputs.key_trail, "EncryptLogFiles", "StringEquals"),
        ("key-policies.the-trail-key-serves-one-trail",),
    ),
    "a key is public": (
        lambda who: who.allow(who.outputs.key_mac, "kms:DescribeKey", "*"),
        ("key-policies.no-key-is-public",),
    ),
    "grants have no limits": (grants_without_limits, ("grants.a-grant-without-a-context-is-refused",)),
    "a key is disabled": (disabled, ("keys.every-key-is-in-service",)),
    "a key is not rotated": (not_rotated, ("keys.rotation-is-on-where-it-can-be",)),
    "an alias is turned": (alias_turned, ("keys.every-key-has-its-alias",)),
    "a key has no tag": (untagged, ("keys.every-key-is-tagged",)),
    "the admin user has an access key": (access_key, ("identity.the-admin-is-a-user-without-access-keys",)),
    "the admin user has no boundary": (
        no_boundary,
        ("identity.the-admin-has-a-boundary", "identity.iam-says-the-boundary-stays"),
    ),
    "the admin user has its own policy": (own_policy, ("identity.admin-rights-come-from-a-group",)),
    "the outsider sees buckets": (
        lambda who: who.role_policy(Persona.OUTSIDER, "s3:ListAllMyBuckets"),
        ("identity.the-outsider-can-do-nothing",),
    ),
    "the outsider has a policy for all keys": (
        lambda who: who.role_policy(Persona.OUTSIDER, "kms:Decrypt"),
        ("identity.the-outsider-can-do-nothing",),
    ),
    "everyone can become the signer": (
        lambda who: who.trust(Persona.SIGNER, {"AWS": "*"}),
        ("identity.roles-trust-this-account-only",),
    ),
    "nobody can become the signer": (
        lambda who: who.trust(Persona.SIGNER, {"Service": "ec2.amazonaws.com"}),
        ("identity.every-persona-can-be-assumed",),
    ),
    "the outsider can become the data owner": (
        lambda who: who.trust(
            Persona.DATA_OWNER, {"AWS": [who.role(Persona.OUTSIDER), f"arn:aws:iam::{who.account}:root"]}
        ),
        ("identity.no-persona-becomes-another",),
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_it_is_noticed_and_mended(saboteur: Saboteur, what: str) -> None:
    act, noticed = BROKEN[what]
    with saboteur.at_work(act):
        assert saboteur.outcomes(*noticed) == dict.fromkeys(noticed, Outcome.FAIL)
    assert saboteur.outcomes(*noticed) == dict.fromkeys(noticed, Outcome.PASS)
    assert sweep(saboteur.access, saboteur.outputs).problems == []


def test_what_a_crashed_run_left_is_swept(saboteur: Saboteur) -> None:
    access, outputs = saboteur.access, saboteur.outputs
    crashed = Lab(access, outputs, CAPABILITIES, new_run_id())  # never left, so that it never undoes
    left = temporary_key(crashed, "left by a crash")
    sample = sample_object(crashed)
    sample.put()
    grant = access.client(Persona.DATA_OWNER, "kms").create_grant(
        KeyId=outputs.key_app,
        GranteePrincipal=outputs.role_outsider,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextEquals": ENCRYPTION_CONTEXT},
        Name=GRANT_NAME,
    )["GrantId"]
    stopping = stopped(crashed, outputs.key_app)
    stopping.__enter__()
    swept = sweep(access, outputs)
    assert swept.problems == []
    assert sorted(swept.removed) == sorted(
        [
            f"key {left}",
            f"object {sample.bucket}/{sample.key}",
            f"grant {grant[:8]}",
            f"stop of {outputs.key_app}",
        ]
    )
    states = {
        key: saboteur.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
        for key in (left, outputs.key_app)
    }
    assert states == {left: "PendingDeletion", outputs.key_app: "Enabled"}
    assert sweep(access, outputs).removed == []
