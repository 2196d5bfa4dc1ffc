from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.access import matrix
from kmslab.checks import REGISTRY, run
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.account_policies import (
    ADMINISTRATOR,
    AUDITOR,
    EXECUTION_ROLE,
    OPERATOR,
    OWNER,
    READER,
    SIGNER,
    allow,
    role,
    through,
)
from tests.checks.account_world import AccountWorld, account
from tests.checks.fakes import PREFIX, World, judge, key_arn, open_lab
from tests.checks.table import Broken, checks_of

if TYPE_CHECKING:
    from collections.abc import Callable

DIRECT = "access.the-matrix-holds-for-symmetric-keys"
PAIRS = "access.the-matrix-holds-for-key-pairs-and-macs"
THROUGH_S3 = "access.the-matrix-holds-through-s3"
SIMULATOR = "access.the-simulator-agrees"
CONTEXT = "access.nobody-decrypts-without-the-context"
DEPUTIES = "access.services-use-the-trail-key-for-the-lab-only"
DEPLOY = "access.cloudformation-administers-every-key"
MEANT = "access.nobody-else-gets-at-what-keys-protect"


def permitted(key: str, persona: Persona, *operations: str) -> Callable[[World], object]:
    """KMS permits what no policy allows."""
    return lambda world: account(world).permitted[key, persona].update(operations)


def refused(key: str, persona: Persona, operation: str) -> Callable[[World], object]:
    """KMS refuses what the policies allow."""
    return lambda world: account(world).permitted[key, persona].remove(operation)


def policy_allows(key: str, statement: dict[str, Any]) -> Callable[[World], object]:
    """A key policy says more; KMS has not heard of it."""
    return lambda world: account(world).policies[key].append(statement)


def state(key: str, value: str) -> Callable[[World], object]:
    return lambda world: account(world).states.update({key: value})


def identity_allows(name: str, action: str, *keys: str) -> Callable[[World], object]:
    """Somebody's own policy says more."""
    statement = {"Effect": "Allow", "Action": [action], "Resource": [key_arn(key) for key in keys]}
    return lambda world: account(world).identities.setdefault(name, []).append(statement)


def another(name: str) -> Callable[[World], object]:
    """A role that the lab does not know may decrypt with everything."""

    def change(world: World) -> None:
        account(world).others.append(name)
        identity_allows(name, "kms:Decrypt", "app", "s3")(world)
        policy_allows(
            "app", allow("Decrypt", to=f"{role(OWNER).rpartition('/')[0]}/{name}", sid="Contractor")
        )(world)

    return change


def grant(key: str, grantee: str) -> Callable[[World], object]:
    entry = {
        "GrantId": "0123456789",
        "Name": "forgotten",
        "GranteePrincipal": grantee,
        "Operations": ["Decrypt"],
    }
    return lambda world: account(world).grants[key].append(entry)


def without_condition(key: str, sid: str) -> Callable[[World], object]:
    """A statement of a key policy has lost its conditions but for whom it means."""

    def change(world: World) -> None:
        statement = next(one for one in account(world).policies[key] if one["Sid"] == sid)
        statement["Condition"] = {
            operator: keys for operator, keys in statement["Condition"].items() if operator == "ArnEquals"
        }

    return change


def without_statement(key: str, sid: str) -> Callable[[World], object]:
    return lambda world: account(world).policies.update(
        {key: [one for one in account(world).policies[key] if one["Sid"] != sid]}
    )


def only_described(world: AccountWorld) -> None:
    """KMS permits nobody more than to look at keys."""
    for operations in world.permitted.values():
        operations &= {"DescribeKey"}


BROKEN = [
    Broken(
        DIRECT,
        permitted("s3", READER, "Decrypt"),
        "data-reader kms:Decrypt with the key s3: the policies say refused",
    ),
    Broken(
        DIRECT,
        refused("trail", AUDITOR, "DescribeKey"),
        "auditor kms:DescribeKey with the key trail: the policies say allowed",
    ),
    Broken(
        DIRECT,
        lambda w: w.refuses("kms:Encrypt", OWNER, code="ThrottlingException"),
        "ThrottlingException",
        Outcome.ERROR,
    ),
    Broken(PAIRS, lambda w: only_described(account(w)), "nobody was permitted anything", Outcome.ERROR),
    Broken(
        DIRECT,
        permitted("app", OPERATOR, "Decrypt"),
        "operator kms:Decrypt with the key app: the policies say refused",
    ),
    Broken(
        DIRECT,
        refused("app", OWNER, "CreateGrant"),
        "data-owner kms:CreateGrant with the key app: the policies say allowed",
    ),
    Broken(
        DIRECT,
        state("app", "Disabled"),
        "data-owner kms:Decrypt with the key app: the policies say allowed, it was not so",
    ),
    Broken(
        DIRECT, grant("app", role(SIGNER)), "signer kms:Decrypt with the key app: the policies say allowed"
    ),
    Broken(
        PAIRS,
        permitted("signing", OWNER, "Sign"),
        "data-owner kms:Sign with the key signing: the policies say refused",
    ),
    Broken(
        PAIRS,
        permitted("agreement", ADMINISTRATOR, "DeriveSharedSecret"),
        "key-administrator kms:DeriveSharedSecret",
    ),
    Broken(
        PAIRS,
        refused("mac", OWNER, "VerifyMac"),
        "data-owner kms:VerifyMac with the key mac: the policies say allowed",
    ),
    Broken(
        THROUGH_S3,
        lambda w: w.answers("s3:GetObject", {}, Persona.STORAGE_OPERATOR),
        "storage-operator kms:Decrypt with the key s3 through s3",
    ),
    Broken(
        THROUGH_S3,
        lambda w: w.refuses(
            "s3:GetObject", READER, code="AccessDenied", message="not authorized to perform: kms:Decrypt"
        ),
        "data-reader kms:Decrypt with the key s3 through s3: the policies say allowed",
    ),
    Broken(
        THROUGH_S3, lambda w: w.refuses("s3:GetObject", READER, code="SlowDown"), "SlowDown", Outcome.ERROR
    ),
    Broken(
        SIMULATOR,
        identity_allows(f"{PREFIX}-data-reader", "kms:Decrypt", "app"),
        "data-reader: kms:Decrypt with the key app is allowed by identity policies; the lab means it refused",
    ),
    Broken(
        SIMULATOR,
        lambda w: w.answers(
            "iam:SimulatePrincipalPolicy",
            {
                "EvaluationResults": [
                    {
                        "EvalActionName": "kms:Sign",
                        "EvalResourceName": key_arn("app"),
                        "EvalDecision": "allowed",
                    }
                ]
            },
        ),
        "IAM's simulator says allowed, the policies say refused",
    ),
    Broken(
        SIMULATOR, lambda w: w.answers("iam:SimulatePrincipalPolicy", {"EvaluationResults": []}), "no answer"
    ),
    Broken(MEANT, another("contractor"), "contractor may kms:Decrypt with the key app: Statement Contractor"),
    Broken(MEANT, policy_allows("s3", allow("Decrypt", sid="Account")), "with the key s3: Statement Account"),
    Broken(
        MEANT,
        policy_allows("signing", {**allow("Sign", sid="Open"), "Principal": "*"}),
        "may kms:Sign with the key signing",
    ),
    Broken(
        MEANT,
        grant("imported", role(READER)),
        "data-reader may kms:Decrypt with the key imported: Grant forgotten",
    ),
    Broken(
        MEANT,
        policy_allows("trail", allow("Decrypt", to=EXECUTION_ROLE, **through("s3"))),
        "cfn-exec-role-111122223333-eu-central-1 may kms:Decrypt with the key trail through s3",
    ),
    Broken(
        MEANT,
        identity_allows(f"{PREFIX}-data-reader", "kms:Decrypt", "secrets"),
        "data-reader may kms:Decrypt with the key secrets through secretsmanager",
    ),
    Broken(MEANT, lambda w: account(w).policies["app"].clear(), "not even the data owner", Outcome.ERROR),
    Broken(
        CONTEXT,
        without_condition("app", "AllowDecrypt"),
        "data-owner may decrypt with the key app with the context (none)",
    ),
    Broken(
        CONTEXT,
        policy_allows(
            "global", allow("Decrypt", to=role(OWNER), StringLike={"kms:EncryptionContext:kmslab": "*"})
        ),
        "data-owner may decrypt with the key global with the context kmslab=other",
    ),
    Broken(
        CONTEXT,
        policy_allows("trail", allow("Decrypt", to=role(AUDITOR), **through("s3"))),
        "auditor may decrypt with the key trail with the context",
    ),
    Broken(CONTEXT, lambda w: account(w).policies["app"].clear(), "not even the data owner", Outcome.ERROR),
    Broken(
        DEPUTIES,
        without_condition("trail", "cloudtrail"),
        "cloudtrail.amazonaws.com may GenerateDataKey with somebody else's",
    ),
    Broken(
        DEPUTIES,
        without_condition("trail", "events"),
        "events.amazonaws.com may GenerateDataKey with somebody else's",
    ),
    Broken(
        DEPUTIES,
        without_statement("trail", "events"),
        "events.amazonaws.com may not GenerateDataKey with the lab's",
    ),
    Broken(
        DEPLOY, without_statement("s3", "Deploy"), "CloudFormation's role may not DescribeKey with the key s3"
    ),
    Broken(
        DEPLOY,
        lambda w: account(w).managed.pop(EXECUTION_ROLE.rpartition("/")[2]),
        "no execution role",
        Outcome.ERROR,
    ),
]


@pytest.mark.parametrize(
    "action", ["iam:GetAccountAuthorizationDetails", "kms:GetKeyPolicy", "kms:ListGrants"]
)
@pytest.mark.parametrize("check", checks_of("access"))
def test_half_the_policies_answer_nothing(check: str, action: str) -> None:
    world = AccountWorld()
    world.refuses(action)
    verdict = judge(check, world)
    assert verdict.outcome is Outcome.ERROR
    assert f"Could not read {action}" in verdict.summary


def test_nothing_but_dry_runs_and_looks() -> None:
    world = AccountWorld()
    for check in (DIRECT, PAIRS):
        judge(check, world)
    looks = {"DescribeKey", "GetPublicKey", "GetKeyPolicy"}
    asked = [r for r in world.requests if r.action.startswith("kms:") and "List" not in r.action]
    assert asked
    assert all(r.get("DryRun") is True for r in asked if r.action.partition(":")[2] not in looks)


def test_every_cell_that_was_tried_is_in_the_report() -> None:
    world = AccountWorld()
    lab = open_lab(world)
    for check in (DIRECT, PAIRS, THROUGH_S3):
        assert run(REGISTRY[check], lab).outcome is Outcome.PASS
    asked = len(world.asked("iam:GetAccountAuthorizationDetails"))
    table = matrix.build(lab.access, lab.outputs)
    assert len(world.asked("iam:GetAccountAuthorizationDetails")) == asked == 1
    assert table.differences == ()
    seen = {
        (c.principal, c.key, c.operation, c.route): c.observed for c in table.cells if c.observed is not None
    }
    assert seen["data-owner", "app", "Decrypt", ""] is True
    assert seen["data-reader", "app", "Decrypt", ""] is False
    assert seen["storage-operator", "s3", "Decrypt", "s3"] is False
    assert ("data-owner", "imported", "Decrypt", "") not in seen
    assert ("auditor", "s3", "Decrypt", "s3") not in seen
