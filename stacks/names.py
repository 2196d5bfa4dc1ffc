"""Names that follow from the settings or from CDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import DefaultStackSynthesizer, Stack

from kmslab.model.naming import stack_name

if TYPE_CHECKING:
    from aws_cdk import aws_s3 as s3

    from kmslab.model.settings import LabSettings


def qualifier_of(stack: Stack) -> str:
    """Return the qualifier of the CDK bootstrap that deploys the stack."""
    return stack.synthesizer.bootstrap_qualifier or DefaultStackSynthesizer.DEFAULT_QUALIFIER


def logical_id(bucket: s3.Bucket) -> str:
    """Return the bucket's name within the template; cdk-nag names findings by it."""
    reference: dict[str, list[str]] = Stack.of(bucket).resolve(bucket.bucket_arn)
    return reference["Fn::GetAtt"][0]


def name_of(stack: str, settings: LabSettings) -> str:
    """Name of one of the lab's stacks, which is also its construct id."""
    return stack_name(settings.prefix, stack)
