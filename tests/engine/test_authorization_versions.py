"""Versions of managed policies: the default one decides."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tests.engine.conftest import allow, policy, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine


def test_the_default_version_of_a_policy_decides(engine: Engine) -> None:
    iam, role = engine.client("iam"), engine.role()
    key = engine.key(engine.account_statement())
    arn = iam.create_policy(
        PolicyName=f"policy-{uuid.uuid4().hex[:12]}", PolicyDocument=policy(allow("kms:DescribeKey"))
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role.name, PolicyArn=arn)
    kms = engine.client("kms", role)
    kms.describe_key(KeyId=key)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(allow("kms:GetKeyPolicy")))
    kms.describe_key(KeyId=key)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
    kms.get_key_policy(KeyId=key)
    with refused("AccessDeniedException", "kms:DescribeKey"):
        kms.describe_key(KeyId=key)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    kms.describe_key(KeyId=key)
    with refused("NoSuchEntity", "v9"):
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v9")
    with refused("AccessDenied"):
        iam.set_default_policy_version(
            PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess", VersionId="v1"
        )
    lacking = engine.client("iam", engine.role(allow("iam:GetPolicy")))
    with refused("AccessDenied", "iam:SetDefaultPolicyVersion"):
        lacking.set_default_policy_version(PolicyArn=arn, VersionId="v2")
