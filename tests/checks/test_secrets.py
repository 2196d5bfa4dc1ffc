from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.naming import TEMPORARY_TAG
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import OUTPUTS, RUN, Refusal, Request, World, judge
from tests.checks.table import Broken, break_and_judge, checks_of, never_red

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = Persona.DATA_OWNER
OTHERS = (Persona.STORAGE_OPERATOR, Persona.AUDITOR, Persona.KEY_ADMINISTRATOR, Persona.OUTSIDER)
VALUE = "hunter2-hunter2-hunter2"
EXECUTION_ROLE = "arn:aws:iam::111122223333:role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-central-1"
GUARD = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "secretsmanager:GetSecretValue",
    "Resource": "*",
    "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [OUTPUTS.role_data_owner, EXECUTION_ROLE]}},
}


class GoodWorld(World):
    """A world in which every check of secrets passes.

    Attributes:
        disabled: whether the key for secrets is disabled.
        says_of_a_disabled_key: the code and message of Secrets Manager.
        parameters: SecureStrings by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disabled = False
        self.says_of_a_disabled_key = ("DecryptionFailure", "the key is disabled")
        self.parameters: dict[str, str] = {}
        self.answers("kms:DisableKey", lambda _: self.switch(disabled=True))
        self.answers("kms:EnableKey", lambda _: self.switch(disabled=False))
        self.answers("kms:DescribeKey", self.describe)
        self.answers("kms:TagResource", {}).answers("kms:UntagResource", {})
        self.answers("kms:Encrypt", {"CiphertextBlob": b"x"})
        self.refuses("kms:Encrypt", when=lambda r: bool(r["KeyId"] == OUTPUTS.key_secrets))
        self.answers("secretsmanager:DescribeSecret", {"KmsKeyId": OUTPUTS.key_secrets})
        self.answers("secretsmanager:GetSecretValue", self.value)
        self.answers("secretsmanager:GetResourcePolicy", resource_policy(GUARD))
        self.answers("ssm:PutParameter", self.put)
        self.answers("ssm:GetParameter", self.get)
        self.answers("ssm:DeleteParameters", self.delete)
        self.refuses("secretsmanager:GetSecretValue", *OTHERS)
        self.refuses("ssm:GetParameter", *OTHERS)

    def switch(self, *, disabled: bool) -> dict[str, Any]:
        self.disabled = disabled
        return {}

    def describe(self, request: Request) -> dict[str, Any]:
        state = "Disabled" if self.disabled else "Enabled"
        return {"KeyMetadata": {"KeyId": request["KeyId"], "KeyState": state}}

    def value(self, _: Request) -> dict[str, Any]:
        if self.disabled:
            raise Refusal(*self.says_of_a_disabled_key)
        return {"SecretString": VALUE}

    def put(self, request: Request) -> dict[str, Any]:
        self.parameters[request["Name"]] = request["Value"]
        return {"Version": 1}

    def get(self, request: Request) -> dict[str, Any]:
        value = self.parameters[request["Name"]]
        return {
            "Parameter": {"Name": request["Name"], "Value": value if request["WithDecryption"] else "AQIC"}
        }

    def delete(self, request: Request) -> dict[str, Any]:
        for name in request["Names"]:
            self.parameters.pop(name, None)
        return {}


def resource_policy(*statements: dict[str, Any]) -> dict[str, str]:
    return {"ResourcePolicy": json.dumps({"Version": "2012-10-17", "Statement": list(statements)})}


def answers(action: str, reply: Any, *personas: Persona) -> Callable[[World], object]:
    return lambda world: world.answers(action, reply, *personas)


def guard(**changes: Any) -> Callable[[World], object]:
    return answers("secretsmanager:GetResourcePolicy", resource_policy({**GUARD, **changes}))


def under_the_managed_key(secret: str) -> Callable[[World], object]:
    def describe(request: Request) -> dict[str, Any]:
        return {} if request["SecretId"] == secret else {"KmsKeyId": OUTPUTS.key_secrets}

    return answers("secretsmanager:DescribeSecret", describe)


def another_value_afterwards(world: World) -> None:
    assert isinstance(world, GoodWorld)

    def value(request: Request) -> dict[str, Any]:
        answer = world.value(request)
        return {"SecretString": "changed"} if world.asked("kms:EnableKey") else answer

    world.answers("secretsmanager:GetSecretValue", value, OWNER)


def everyone_may_read(world: World) -> None:
    public = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:DescribeSecret", "Resource": "*"}
    world.answers("secretsmanager:GetResourcePolicy", resource_policy(GUARD, public))


BROKEN = [
    *(
        Broken(
            "secrets.secrets-are-under-their-own-key",
            under_the_managed_key(secret),
            f"{secret} is under aws/secr",
        )
        for secret in (OUTPUTS.app_secret, OUTPUTS.admin_password_secret)
    ),
    *(
        Broken(
            "secrets.only-the-owner-reads-the-secret",
            answers("secretsmanager:GetSecretValue", {"SecretString": VALUE}, persona),
            f"{persona} could call",
        )
        for persona in OTHERS
    ),
    Broken(
        "secrets.only-the-owner-reads-the-secret",
        answers("secretsmanager:GetSecretValue", {}),
        "has no value",
    ),
    Broken(
        "secrets.key-of-secrets-opens-nothing-directly",
        answers("kms:Encrypt", {"CiphertextBlob": b"x"}),
        "could call kms:Encrypt",
    ),
    *(
        Broken("secrets.resource-policy-is-closed", guard(**changes), "does not deny the value")
        for changes in (
            {"Effect": "Allow"},
            {"Principal": {"AWS": "111122223333"}},
            {"Action": "secretsmanager:DescribeSecret"},
            {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": OUTPUTS.role_auditor}}},
            {"Condition": {"ArnNotEquals": {"aws:PrincipalArn": EXECUTION_ROLE}}},
            {
                "Condition": {
                    "ArnNotEquals": {"aws:PrincipalArn": [OUTPUTS.role_data_owner, OUTPUTS.role_auditor]}
                }
            },
            {"Condition": {"ArnNotEqualsIfExists": {"aws:PrincipalArn": OUTPUTS.role_data_owner}}},
        )
    ),
    Broken(
        "secrets.resource-policy-is-closed",
        answers("secretsmanager:GetResourcePolicy", {}),
        "does not deny the value",
    ),
    Broken("secrets.resource-policy-is-closed", everyone_may_read, "allows everyone something"),
    Broken("secrets.disabled-key-locks-the-secret", answers("kms:DisableKey", {}), "could call"),
    Broken("secrets.disabled-key-locks-the-secret", another_value_afterwards, "the value changed"),
    *(
        Broken(
            "secrets.secure-string-needs-the-key",
            answers("ssm:GetParameter", {"Parameter": {"Name": "x", "Value": "x"}}, persona),
            f"{persona} could call",
        )
        for persona in OTHERS
    ),
    Broken(
        "secrets.secure-string-needs-the-key",
        answers("ssm:GetParameter", {"Parameter": {"Name": "x", "Value": "x"}}, OWNER),
        "something else than was stored",
    ),
]


@pytest.mark.parametrize("check", checks_of("secrets"))
def test_passes_in_a_good_world(check: str) -> None:
    world = GoodWorld()
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.PASS, verdict.summary
    assert not world.disabled, "a key is left disabled"
    assert not world.parameters, "a parameter is left behind"


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_notices_what_is_broken(row: Broken) -> None:
    world = GoodWorld()
    verdict = break_and_judge(row, world)
    assert verdict.outcome is row.outcome, verdict.summary
    assert row.says in verdict.summary
    assert not world.disabled, "a key is left disabled"
    assert not world.parameters, "a parameter is left behind"


def test_every_check_can_fail() -> None:
    assert not never_red("secrets", BROKEN)


@pytest.mark.parametrize("check", checks_of("secrets"))
def test_cannot_look(check: str) -> None:
    assert judge(check, GoodWorld().unreachable()).outcome is Outcome.ERROR


@pytest.mark.parametrize("check", checks_of("secrets"))
def test_no_value_is_kept_as_evidence(check: str) -> None:
    world = GoodWorld()
    verdict = judge(check, world)
    secret = {VALUE, *(request["Value"] for request in world.asked("ssm:PutParameter"))}
    assert not any(value in str(verdict) for value in secret)


def test_the_admin_password_is_described_and_never_read() -> None:
    world = GoodWorld()
    for check in checks_of("secrets"):
        judge(check, world)
    about = {r.action for r in world.requests if r.get("SecretId") == OUTPUTS.admin_password_secret}
    assert about == {"secretsmanager:DescribeSecret"}


def test_the_parameter_is_under_the_labs_key_and_marked() -> None:
    world = GoodWorld()
    judge("secrets.secure-string-needs-the-key", world)
    (put,) = world.asked("ssm:PutParameter")
    assert (put["Type"], put["KeyId"]) == ("SecureString", OUTPUTS.key_secrets)
    assert {"Key": TEMPORARY_TAG, "Value": RUN} in put["Tags"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("DecryptionFailure", "Secrets Manager can't decrypt the protected secret text."),
        ("InvalidRequestException", "the KMS key is disabled"),
        ("AccessDeniedException", "Access to KMS is not allowed"),
    ],
)
def test_secrets_manager_has_many_words_for_a_disabled_key(code: str, message: str) -> None:
    world = GoodWorld()
    world.says_of_a_disabled_key = (code, message)
    assert judge("secrets.disabled-key-locks-the-secret", world).outcome is Outcome.PASS


def test_a_value_that_stays_denied_is_not_what_the_disabled_key_did() -> None:
    world = GoodWorld()
    world.refuses("secretsmanager:GetSecretValue", OWNER, when=lambda _: bool(world.asked("kms:DisableKey")))
    verdict = judge("secrets.disabled-key-locks-the-secret", world)
    assert verdict.outcome is Outcome.FAIL
    assert "data-owner is refused secretsmanager:GetSecretValue" in verdict.summary
