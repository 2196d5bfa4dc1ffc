"""The CDK application: settings in, stacks out. The same for AWS and for the local engine."""

from __future__ import annotations

import gc
import sys
from datetime import UTC, datetime

if __name__ == "__main__":
    gc.disable()  # a short process that keeps what it makes; before the large imports (decision 0014)

from aws_cdk import App, Stack, Tags
from aws_cdk import aws_iam as iam

from kmslab.model.errors import LabError
from kmslab.model.naming import PREFIX_TAG
from kmslab.model.settings import LabSettings
from stacks.audit import AuditStack
from stacks.identity import IdentityStack
from stacks.keys import KeysStack
from stacks.network import NetworkStack
from stacks.secrets import SecretsStack
from stacks.storage import StorageStack
from stacks.volumes import VolumesStack


def compose(app: App, settings: LabSettings, now: datetime) -> None:
    """Add the lab's stacks to an app; a time to live counts from ``now``."""
    keys = KeysStack(app, settings=settings, now=now)
    network = NetworkStack(app, settings=settings) if settings.network else None
    identity = IdentityStack(app, settings=settings, keys=keys.arns)
    dependents: tuple[Stack, ...] = (
        StorageStack(app, settings=settings, key_arn=keys.arns["s3"]),
        VolumesStack(app, settings=settings, key_arn=keys.arns["ebs"], network=network),
        SecretsStack(app, settings=settings, key_arn=keys.arns["secrets"]),
        AuditStack(app, settings=settings, key_arn=keys.arns["trail"]),
    )
    for stack in dependents:
        # They attach policies to the personas' roles by name.
        stack.add_stack_dependency(identity)
    Tags.of(app).add(PREFIX_TAG, settings.prefix)
    for child in app.node.children:
        if isinstance(child, Stack):
            # By the tag on the stack itself kmslab tells this lab's stacks from others of the same name.
            child.add_stack_tag(PREFIX_TAG, settings.prefix)
            if settings.permissions_boundary:
                # Also on the roles that CDK makes for its functions.
                policy = iam.ManagedPolicy.from_managed_policy_name(
                    child, "Boundary", settings.permissions_boundary
                )
                iam.PermissionsBoundary.of(child).apply(policy)


def main() -> int:
    """Synthesize; a wrong setting is one line on stderr."""
    app = App(analytics_reporting=False, stack_traces=False, tree_metadata=False)
    try:
        settings = LabSettings.from_context(app.node.get_all_context())
    except LabError as error:
        sys.stderr.write(f"{error.message}; {error.hint}\n")
        return int(error.exit_code)
    compose(app, settings, datetime.now(UTC))
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
