"""Acknowledged findings of cdk-nag and cfn-lint, each with its reason, beside the construct they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import IConstruct


def acknowledge(construct: IConstruct, findings: Mapping[str, str]) -> None:
    """Accept findings on a construct and what is below it.

    Args:
        construct: what the findings are about.
        findings: rule id, with its finding in brackets where the rule has several, to the reason.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in findings.items())
    )
