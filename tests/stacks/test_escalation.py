"""No way from administering to using, or from one persona to another, anywhere in any policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.stacks.template import ACCOUNT, CLOUDFORMATION, ROOT_USER, actions

if TYPE_CHECKING:
    from tests.stacks.template import Assembly, Json

ESCALATIONS = {
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:UpdatePrimaryRegion",
    "kms:CreateAlias",
    "kms:UpdateAlias",
    "kms:DeleteAlias",
}
"""What lets its holder decide who uses a key, or which key an alias means."""
PUBLIC = {"kms:DescribeKey", "kms:GetPublicKey", "kms:Verify", "kms:Encrypt"}


def _allows(lab: Assembly) -> list[tuple[str, Json]]:
    return [(where, one) for where, one in lab.statements() if one["Effect"] == "Allow"]


def _persona_policies(lab: Assembly) -> list[tuple[str, Json]]:
    """Statements of the personas' identity policies: every managed policy that is attached to a role."""
    attached = {
        f"{stack}/{name}"
        for stack in lab.stacks()
        for name, resource in lab.resources("AWS::IAM::ManagedPolicy", stack).items()
        if resource["Properties"].get("Roles")
    }
    return [(where, one) for where, one in lab.statements() if where in attached]


def test_only_cloudformation_and_the_root_user_can_escalate(every_option: Assembly) -> None:
    for where, statement in _allows(every_option):
        if ESCALATIONS & set(actions(statement)):
            assert statement["Principal"] == ACCOUNT, where
            assert statement["Condition"] == {
                "ArnEquals": {"aws:PrincipalArn": [ROOT_USER, CLOUDFORMATION]}
            }, where


def test_no_kms_wildcard_hides_an_action(every_option: Assembly) -> None:
    wildcards = {
        (where, action)
        for where, statement in _allows(every_option)
        for action in actions(statement)
        if "*" in action and action.startswith(("kms:", "*")) and action != "kms:GenerateDataKey*"
    }
    # A boundary and an endpoint policy grant nothing; see their own tests.
    assert wildcards == {("identity/AdminBoundaryPolicy", "*"), ("network/Kms", "kms:*")}


def test_every_grant_is_bound(every_option: Assembly) -> None:
    """In key policies CreateGrant is for AWS services, or within the lab's encryption context."""
    seen = 0
    for where, statement in _allows(every_option):
        if where.startswith("keys/") and "kms:CreateGrant" in actions(statement):
            conditions = statement["Condition"]
            for_service = conditions.get("Bool") == {"kms:GrantIsForAWSResource": "true"}
            within = "kms:EncryptionContext:kmslab" in conditions["StringEquals"]
            assert for_service != within, where
            assert "aws:PrincipalArn" in conditions["ArnEquals"], where
            seen += 1
    assert seen == 3


def test_an_unconditioned_account_statement_gives_public_operations_only(every_option: Assembly) -> None:
    """Where the account is the principal and no condition names who, IAM decides: nothing secret there."""
    delegating = {
        where: set(actions(statement))
        for where, statement in _allows(every_option)
        if where.startswith("keys/")
        and statement["Principal"] == ACCOUNT
        and "aws:PrincipalArn" not in statement.get("Condition", {}).get("ArnEquals", {})
    }
    assert set(delegating) == {"keys/Signing", "keys/Pq", "keys/Rsa", "keys/Agreement", "keys/Secrets"}
    through_services = delegating.pop("keys/Secrets")
    assert through_services == {"kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"}
    for where, allowed in delegating.items():
        assert allowed <= PUBLIC, where


@pytest.mark.parametrize(
    "forbidden", [r"iam:(?!Get|List|Simulate).*", r"sts:.*", r"kms:(Put|Replicate).*", r".*Alias"]
)
def test_no_persona_can_climb(every_option: Assembly, forbidden: str) -> None:
    found = [
        (where, action)
        for where, statement in _persona_policies(every_option)
        for action in actions(statement)
        if re.fullmatch(forbidden, action)
    ]
    assert found == []


def test_plaintext_is_for_the_data_personas(every_option: Assembly) -> None:
    """Who has an action that returns plaintext or proves authorship, by identity policy."""
    using = re.compile(r"kms:(Decrypt|ReEncrypt.*|GenerateDataKey.*|GenerateMac|DeriveSharedSecret|Sign)")
    holders = {
        (where.split("/")[1], action)
        for where, statement in _persona_policies(every_option)
        for action in actions(statement)
        if using.fullmatch(action)
    }
    assert {holder for holder, _ in holders} == {
        "DataOwnerPolicy",
        "DataReaderPolicy",
        "SignerPolicy",
        "AuditorPolicy",
    }
    assert {action for holder, action in holders if holder == "DataReaderPolicy"} == {"kms:Decrypt"}
    assert {action for holder, action in holders if holder == "AuditorPolicy"} == {"kms:Decrypt"}
    assert {action for holder, action in holders if holder == "SignerPolicy"} == {"kms:Sign"}


def test_the_auditor_decrypts_log_files_only(lab: Assembly) -> None:
    (resource,) = [
        statement["Resource"]
        for where, statement in _persona_policies(lab)
        if where == "identity/AuditorPolicy" and actions(statement) == ["kms:Decrypt"]
    ]
    (trail,) = [
        {"Fn::ImportValue": output["Export"]["Name"]}
        for output in lab.template("keys")["Outputs"].values()
        if "Export" in output and output["Value"] == {"Fn::GetAtt": ["Trail", "Arn"]}
    ]
    assert resource == trail


def test_the_outsider_has_no_policy(every_option: Assembly) -> None:
    assert "Outsider" in every_option.resources("AWS::IAM::Role", "identity")
    attached = [
        name
        for stack in every_option.stacks()
        for resource in every_option.resources("AWS::IAM::ManagedPolicy", stack).values()
        for name in resource["Properties"].get("Roles", [])
    ]
    assert "kms-lab-outsider" not in attached
    assert "kms-lab-data-owner" in attached
