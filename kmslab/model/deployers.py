"""The roles as which CloudFormation deploys the lab, and their names."""

from __future__ import annotations

import re

SELF_MANAGED_ROLE = "AWSCloudFormationStackSetExecutionRole"
"""As whom StackSets acts in an account with self-managed permissions (User Guide, "Grant self-managed
permissions"); the trainer makes it in each account."""
SERVICE_MANAGED_ROLE = "stacksets-exec-*"
"""As whom with service-managed permissions: StackSets makes a role ``stacksets-exec-<id>`` in each account (User
Guide, "Activate trusted access for StackSets with AWS Organizations"). Service control policies keep others from
making a role of that name."""

_NAMES = (
    r"cdk-[a-z0-9]+-cfn-exec-role-\d{12}-[a-z0-9-]+",
    re.escape(SELF_MANAGED_ROLE),
    r"stacksets-exec-(?:\w+|\*)",
)
EXECUTION_ROLE = re.compile(rf"arn:[\w-]+:iam::\d{{12}}:role/(?:{'|'.join(_NAMES)})")
"""ARN of such a role: of the standard ``cdk bootstrap``, or of StackSets, which policies name by its pattern."""
