from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.access import reading
from kmslab.access.reader import UnreadableError
from kmslab.authorization.model import PrincipalKind
from kmslab.model.persona import ROLES, Persona
from tests.checks.account_policies import ADMINISTRATOR_ACCESS, BOUNDARY, EXECUTION_ROLE
from tests.checks.fakes import ACCOUNT, OUTPUTS, key_arn, role_arn

if TYPE_CHECKING:
    from kmslab.access.reader import Reader
    from kmslab.access.reading import Identity, Reading
    from tests.checks.account_world import AccountWorld


def named(found: Reading, name: str) -> Identity:
    (one,) = [one for one in found.identities if one.name == name]
    return one


def test_personas_and_operator_come_first_under_their_names(found: Reading) -> None:
    assert [one.name for one in found.identities[: len(ROLES) + 1]] == [*ROLES, Persona.OPERATOR]
    assert [one.name for one in found.personas] == [*ROLES]
    assert named(found, "data-owner").arn == role_arn("data-owner")


def test_a_user_has_the_policies_of_the_groups_and_a_boundary(found: Reading) -> None:
    user = named(found, "kenya-one")
    assert user.principal.kind is PrincipalKind.USER
    assert [policy.name for policy in user.principal.policies] == ["policy AdministratorAccess"]
    assert user.managed == (ADMINISTRATOR_ACCESS,)
    assert user.administers_the_account
    assert user.principal.boundary is not None
    assert len(user.principal.boundary.statements) == len(BOUNDARY)
    assert user.principal.condition_keys["aws:username"] == "kenya-one"
    assert user.trust is None


def test_a_role_has_its_own_policies_and_its_trust(found: Reading) -> None:
    owner = named(found, "data-owner")
    assert [policy.name for policy in owner.principal.policies] == [
        "inline policy own of role kms-lab-data-owner"
    ]
    assert owner.trust is not None
    assert owner.trust.name == "trust policy of role kms-lab-data-owner"
    assert owner.principal.boundary is None
    assert not owner.administers_the_account


@pytest.mark.parametrize(
    ("role", "deploys", "executes"),
    [
        (EXECUTION_ROLE.rpartition("/")[2], True, True),
        (f"cdk-hnb659fds-deploy-role-{ACCOUNT}-eu-central-1", True, False),
        (f"cdk-hnb659fds-lookup-role-{ACCOUNT}-us-gov-west-1", True, False),
        ("cdk-is-great-for-all-of-us", False, False),
        (f"not-cdk-hnb659fds-deploy-role-{ACCOUNT}-eu-central-1", False, False),
    ],
)
def test_the_roles_of_the_bootstrap_are_known_by_name(
    world: AccountWorld, reader: Reader, role: str, *, deploys: bool, executes: bool
) -> None:
    world.others.append(role)
    one = next(one for one in reading.read_identities(reader) if one.arn.endswith(f"/{role}"))
    assert (one.deploys, one.is_execution_role) == (deploys, executes)


def test_nobody_else_goes_by_a_personas_name(world: AccountWorld, reader: Reader) -> None:
    """A role that is called ``auditor`` is not the lab's auditor."""
    world.others += ["auditor", "operator"]
    names = [one.name for one in reading.read_identities(reader)]
    assert names.count("auditor") == names.count("operator") == 1
    assert {"role/auditor", "role/operator"} <= {*names}


def test_a_policy_that_the_answer_lacks_is_read_by_itself(world: AccountWorld, found: Reading) -> None:
    assert found.identities
    assert [request["PolicyArn"] for request in world.asked("iam:GetPolicyVersion")] == [ADMINISTRATOR_ACCESS]


def test_a_key_is_read_with_all_that_decides(world: AccountWorld, reader: Reader) -> None:
    world.grants["app"].append(
        {"GrantId": "1", "GranteePrincipal": role_arn("auditor"), "Operations": ["Decrypt"]}
    )
    world.answers("kms:ListResourceTags", {"Tags": [{"TagKey": "team", "TagValue": "red"}]})
    key = reading.read(reader.access, OUTPUTS).key("app")
    assert (key.arn, key.name, key.aliases) == (key_arn("app"), "app", ("alias/kms-lab/app",))
    assert key.policy.name == "key policy of alias/kms-lab/app"
    assert key.tags == {"team": "red"}
    assert [grant.grantee for grant in key.grants] == [role_arn("auditor")]
    assert key.metadata["KeySpec"] == "SYMMETRIC_DEFAULT"


def test_the_policies_of_buckets_and_secrets_are_read(found: Reading) -> None:
    assert [*found.bucket_policies] == [OUTPUTS.data_bucket, OUTPUTS.dsse_bucket, OUTPUTS.trail_bucket]
    assert [*found.secret_policies] == [OUTPUTS.app_secret]
    assert found.secret_policies[OUTPUTS.app_secret].statements == ()


def test_a_bucket_without_a_policy_has_an_empty_one(world: AccountWorld, reader: Reader) -> None:
    world.refuses("s3:GetBucketPolicy", code="NoSuchBucketPolicy")
    assert reading.bucket_policy(reader, "b").statements == ()


def test_what_is_no_policy_is_told(world: AccountWorld, reader: Reader) -> None:
    world.answers("kms:GetKeyPolicy", {"Policy": "not JSON"})
    with pytest.raises(UnreadableError, match="key policy of alias/kms-lab/s3 is no policy"):
        reading.read(reader.access, OUTPUTS)


def test_nothing_is_answered_from_half_the_policies(world: AccountWorld, reader: Reader) -> None:
    world.refuses("kms:ListGrants", when=lambda request: bool(request["KeyId"] == key_arn("mac")))
    with pytest.raises(UnreadableError, match=r"Could not read kms:ListGrants of .*mac"):
        reading.read(reader.access, OUTPUTS)
