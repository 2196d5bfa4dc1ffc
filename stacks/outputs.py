"""The stacks' side of the contract with the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput

if TYPE_CHECKING:
    from aws_cdk import Stack

    from kmslab.model.outputs import Output


def output(stack: Stack, which: Output, value: str) -> None:
    """Export one of ``LabOutputs`` from the stack that owns it."""
    CfnOutput(stack, which.logical_id, value=value, description=which.description)
