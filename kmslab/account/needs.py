"""What a lab takes of an account's quotas, stack by stack; a test compares it with the templates."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kmslab.cost.estimating import VERIFY
from kmslab.cost.prices import measured
from kmslab.model.outputs import LabOutputs, LabStack

if TYPE_CHECKING:
    from collections.abc import Collection

    from kmslab.model.settings import LabSettings

KEY = "AWS::KMS::Key"
VOLUME_GIB = "AWS::EC2::Volume: GiB"
TRAIL = "AWS::CloudTrail::Trail"
BUCKET = "AWS::S3::Bucket"
ROLE = "AWS::IAM::Role"
USER = "AWS::IAM::User"
GROUP = "AWS::IAM::Group"
POLICY = "AWS::IAM::ManagedPolicy"
SECRET = "AWS::SecretsManager::Secret"  # noqa: S105  # a resource type
VPC = "AWS::EC2::VPC"

KEYS = sum(output.stack is LabStack.KEYS and not output.optional for output in LabOutputs.all())


def verify_keys() -> int:
    """Return how many keys one ``kmslab verify`` makes and schedules for deletion, as they were counted."""
    return int(measured().parts[VERIFY]["kms-key-made"])


def of_stack(stack: LabStack, settings: LabSettings) -> Counter[str]:
    """Return how many of each thing one stack makes; storage in GiB."""
    mortal = int(settings.ttl_hours > 0)
    made: dict[LabStack, dict[str, int]] = {
        LabStack.KEYS: {KEY: KEYS + settings.global_key, ROLE: mortal, POLICY: mortal},
        LabStack.IDENTITY: {
            ROLE: 7,
            USER: 1,
            GROUP: 1,
            POLICY: 7 + (not settings.permissions_boundary),
            SECRET: 1,
        },
        LabStack.STORAGE: {BUCKET: 5, ROLE: 1, POLICY: 4},
        LabStack.VOLUMES: {VOLUME_GIB: settings.volume_count * settings.volume_size_gib, POLICY: 2},
        LabStack.SECRETS: {SECRET: 1, POLICY: 2},
        LabStack.AUDIT: {TRAIL: 1, BUCKET: 1, ROLE: 1, POLICY: 1},
        LabStack.NETWORK: {VPC: int(settings.network)},
    }
    return Counter(made[stack])


def still_needed(settings: LabSettings, standing: Collection[LabStack]) -> Counter[str]:
    """Return what deploying and verifying the lab takes beyond what its standing stacks hold already."""
    needed: Counter[str] = Counter({KEY: verify_keys()})
    for stack in LabStack:
        if stack not in standing:
            needed += of_stack(stack, settings)
    return needed
