from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.model.naming import TEMPORARY_TAG
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import OUTPUTS, RUN, Refusal, Request, World, judge, policy_document
from tests.checks.table import Broken, answers, checks_of

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = Persona.DATA_OWNER
OTHERS = (
    Persona.DATA_READER,
    Persona.STORAGE_OPERATOR,
    Persona.AUDITOR,
    Persona.KEY_ADMINISTRATOR,
    Persona.OUTSIDER,
)
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
        secrets: those that checks made, by ARN, with their values.
        keys_of_versions: what every version is listed with.
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
        self.secrets: dict[str, dict[str, Any]] = {}
        self.keys_of_versions = [OUTPUTS.key_secrets]
        self.answers("secretsmanager:CreateSecret", self.create)
        self.answers("secretsmanager:PutSecretValue", self.add)
        self.answers("secretsmanager:DeleteSecret", self.remove)
        self.answers("secretsmanager:ListSecretVersionIds", self.versions)
        self.answers("secretsmanager:DescribeSecret", {"KmsKeyId": OUTPUTS.key_secrets})
        self.answers("secretsmanager:DescribeSecret", self.describe_secret, when=self.is_own)
        self.answers("secretsmanager:GetSecretValue", self.value)
        self.answers("secretsmanager:GetResourcePolicy", resource_policy(GUARD))
        self.answers("ssm:PutParameter", self.put)
        self.answers("ssm:GetParameter", self.get)
        self.answers("ssm:DeleteParameters", self.delete)
        self.refuses("secretsmanager:GetSecretValue", *OTHERS)
        self.answers("secretsmanager:GetSecretValue", self.own_value, when=self.is_own)
        self.refuses("ssm:GetParameter", *OTHERS)

    def switch(self, *, disabled: bool) -> dict[str, Any]:
        self.disabled = disabled
        return {}

    def describe(self, request: Request) -> dict[str, Any]:
        state = "Disabled" if self.disabled else "Enabled"
        manager = "AWS" if request["KeyId"].startswith("alias/aws/") else "CUSTOMER"
        return {"KeyMetadata": {"KeyId": request["KeyId"], "KeyState": state, "KeyManager": manager}}

    def is_own(self, request: Request) -> bool:
        return request["SecretId"] in self.secrets

    def create(self, request: Request) -> dict[str, Any]:
        arn = f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:{request['Name']}-abcdef"
        assert {"Key": TEMPORARY_TAG, "Value": RUN} in request["Tags"]
        self.secrets[arn] = {"KmsKeyId": request.get("KmsKeyId"), "values": [request["SecretString"]]}
        return {"ARN": arn, "VersionId": "1"}

    def add(self, request: Request) -> dict[str, Any]:
        self.secrets[request["SecretId"]]["values"].append(request["SecretString"])
        return {}

    def remove(self, request: Request) -> dict[str, Any]:
        assert request["ForceDeleteWithoutRecovery"] is True
        del self.secrets[request["SecretId"]]
        return {}

    def versions(self, request: Request) -> dict[str, Any]:
        count = len(self.secrets.get(request["SecretId"], {"values": [VALUE]})["values"])
        label = ("AWSCURRENT", "AWSPREVIOUS")
        return {
            "Versions": [
                {"VersionId": str(i), "VersionStages": [label[i]], "KmsKeyIds": self.keys_of_versions}
                for i in range(count)
            ]
        }

    def describe_secret(self, request: Request) -> dict[str, Any]:
        key = self.secrets[request["SecretId"]]["KmsKeyId"]
        return {"KmsKeyId": key} if key else {}

    def own_value(self, request: Request) -> dict[str, Any]:
        return {"SecretString": self.secrets[request["SecretId"]]["values"][-1]}

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
    return {"ResourcePolicy": policy_document(*statements)}


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


def another_account_may_read(world: World) -> None:
    stranger = {"AWS": "arn:aws:iam::999999999999:root"}
    statement = {"Effect": "Allow", "Principal": stranger, "Action": "secretsmanager:*", "Resource": "*"}
    world.answers("secretsmanager:GetResourcePolicy", resource_policy(GUARD, statement))


def doomed(world: World) -> None:
    described = {"KmsKeyId": OUTPUTS.key_secrets, "DeletedDate": datetime(2026, 1, 1, tzinfo=UTC)}
    world.answers("secretsmanager:DescribeSecret", described)


def versions_under(*keys: str) -> Callable[[World], object]:
    return lambda world: vars(world).update(keys_of_versions=list(keys))


def replaced(world: World) -> None:
    """A new value takes the place of the old one instead of being a new version."""
    world.answers("secretsmanager:PutSecretValue", {})


def under_our_key_by_default(world: World) -> None:
    world.answers("secretsmanager:DescribeSecret", {"KmsKeyId": OUTPUTS.key_secrets})


def managed_by_us(world: World) -> None:
    world.answers("kms:DescribeKey", {"KeyMetadata": {"KeyId": "x", "KeyManager": "CUSTOMER"}})


BROKEN = [
    Broken("secrets.every-version-is-under-the-key", versions_under(), "is under no key of ours"),
    Broken(
        "secrets.every-version-is-under-the-key",
        versions_under("DefaultEncryptionKey"),
        "AWSCURRENT is under DefaultEncryptionKey",
    ),
    Broken(
        "secrets.every-version-is-under-the-key",
        versions_under(OUTPUTS.key_secrets, OUTPUTS.key_app),
        OUTPUTS.key_app,
    ),
    Broken("secrets.every-version-is-under-the-key", replaced, "has one version only"),
    Broken("secrets.the-managed-key-is-not-ours", under_our_key_by_default, "the secret is under"),
    Broken(
        "secrets.the-managed-key-is-not-ours", managed_by_us, "the key managers are CUSTOMER and CUSTOMER"
    ),
    Broken(
        "secrets.the-managed-key-is-not-ours",
        answers("secretsmanager:GetSecretValue", {"SecretString": "else"}),
        "something else",
    ),
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
    Broken(
        "secrets.resource-policy-is-closed", another_account_may_read, "allows AWS:arn:aws:iam::999999999999"
    ),
    Broken("secrets.secrets-are-under-their-own-key", doomed, "is scheduled for deletion"),
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
def test_no_value_is_kept_as_evidence(check: str) -> None:
    world = GoodWorld()
    verdict = judge(check, world)
    secret = {VALUE, *(request["Value"] for request in world.asked("ssm:PutParameter"))}
    for action in ("CreateSecret", "PutSecretValue"):
        secret |= {request["SecretString"] for request in world.asked(f"secretsmanager:{action}")}
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
