"""Acknowledged findings of cdk-nag and cfn-lint, each with its reason, beside the construct they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from constructs import IConstruct


PACKS = ("NIST.800.53.R5", "HIPAA.Security", "PCI.DSS.321")
"""The rule packs that share rule names; AwsSolutions numbers its own."""

ROTATION_RULES = (
    "AwsSolutions-SMG4",
    "NIST.800.53.R5-SecretsManagerRotationEnabled",
    "HIPAA.Security-SecretsManagerRotationEnabled",
)
"""That a secret rotates by itself."""


def in_packs(rule: str, reason: str, packs: Iterable[str] = PACKS) -> dict[str, str]:
    """Return the findings of one rule in several packs, for one reason."""
    return {f"{pack}-{rule}": reason for pack in packs}


def wildcards(reason: str, *findings: str) -> dict[str, str]:
    """Return the findings of AwsSolutions-IAM5: ``Resource::*``, ``Action::s3:*``."""
    return {f"AwsSolutions-IAM5[{finding}]": reason for finding in findings}


def acknowledge(construct: IConstruct, findings: Mapping[str, str]) -> None:
    """Accept findings on a construct and what is below it.

    Args:
        construct: what the findings are about.
        findings: rule id, with its finding in brackets where the rule has several, to the reason.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in findings.items())
    )
