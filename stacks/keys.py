"""Guides 02, 03 and 08: the lab's keys and their aliases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import CfnDeletionPolicy, Stack
from aws_cdk import aws_kms as kms

from kmslab.model.naming import alias_name
from kmslab.model.outputs import LabOutputs, LabStack
from stacks import key_policies
from stacks.key_statements import Principals
from stacks.nag import acknowledge
from stacks.names import name_of, qualifier_of
from stacks.outputs import output
from stacks.policies import document
from stacks.ttl import add_time_to_live

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from constructs import Construct

    from kmslab.model.outputs import Output
    from kmslab.model.settings import LabSettings
    from stacks.policies import Json


@dataclass(frozen=True, slots=True)
class LabKey:
    """One key of the lab.

    KeySpec, KeyUsage, Origin and MultiRegion cannot change: CloudFormation would replace the key, and what
    the old one encrypted is lost when its deletion window ends. A test holds them.

    Attributes:
        name: last part of the alias.
        output: where its ARN is exported.
        description: what a learner reads in the console.
        policy: the statements of its key policy.
        spec: KeySpec.
        usage: KeyUsage.
        origin: where the key material comes from.
        multi_region: whether replicas can be made.
        rotation: field of ``settings.rotation_days``; empty: KMS cannot rotate this kind by itself.
    """

    name: str
    output: Output
    description: str
    policy: Callable[[Principals], list[Json]]
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    multi_region: bool = False
    rotation: str = ""


KEYS = (
    LabKey("s3", LabOutputs.key_s3, "S3 objects of the data bucket", key_policies.s3, rotation="s3"),
    LabKey("ebs", LabOutputs.key_ebs, "EBS volumes and snapshots", key_policies.ebs, rotation="ebs"),
    LabKey(
        "secrets",
        LabOutputs.key_secrets,
        "Secrets Manager secrets and SSM SecureStrings",
        key_policies.secrets,
        rotation="secrets",
    ),
    LabKey(
        "trail",
        LabOutputs.key_trail,
        "CloudTrail log files and key alarms",
        key_policies.trail,
        rotation="trail",
    ),
    LabKey("app", LabOutputs.key_app, "direct and envelope encryption", key_policies.app, rotation="app"),
    LabKey(
        "imported",
        LabOutputs.key_imported,
        "key material of your own; pending import until you bring it",
        key_policies.imported,
        origin="EXTERNAL",
    ),
    LabKey(
        "signing",
        LabOutputs.key_signing,
        "signatures that verify offline",
        key_policies.signing,
        spec="ECC_NIST_P256",
        usage="SIGN_VERIFY",
    ),
    LabKey(
        "rsa",
        LabOutputs.key_rsa,
        "encryption with a public key outside AWS",
        key_policies.rsa,
        spec="RSA_4096",
    ),
    LabKey(
        "agreement",
        LabOutputs.key_agreement,
        "shared secrets with ECDH",
        key_policies.agreement,
        spec="ECC_NIST_P256",
        usage="KEY_AGREEMENT",
    ),
    LabKey(
        "mac",
        LabOutputs.key_mac,
        "message authentication codes",
        key_policies.mac,
        spec="HMAC_256",
        usage="GENERATE_VERIFY_MAC",
    ),
    LabKey(
        "pq",
        LabOutputs.key_pq,
        "post-quantum signatures",
        key_policies.signing,
        spec="ML_DSA_65",
        usage="SIGN_VERIFY",
    ),
)
KEY_ROTATION_RULES = (
    "AwsSolutions-KMS5",
    "NIST.800.53.R5-KMSBackingKeyRotationEnabled",
    "PCI.DSS.321-KMSBackingKeyRotationEnabled",
)
GLOBAL_KEY = LabKey(
    "global",
    LabOutputs.key_global,
    "multi-Region primary",
    key_policies.multi_region,
    multi_region=True,
    rotation="multi_region",
)


class KeysStack(Stack):
    """Guides 02, 03 and 08: every key of the lab, with alias, rotation and a policy of its own.

    Attributes:
        arns: ARN of each key by its name, as tokens for the other stacks.
    """

    def __init__(self, scope: Construct, *, settings: LabSettings, now: datetime) -> None:
        super().__init__(scope, name_of(LabStack.KEYS, settings), description="KMS Lab: keys and aliases")
        who = Principals(settings.prefix, qualifier_of(self))
        self.arns: dict[str, str] = {}
        for key in (*KEYS, GLOBAL_KEY) if settings.global_key else KEYS:
            self.arns[key.name] = self._add(key, settings, who)
        if settings.ttl_hours:
            add_time_to_live(self, settings, now)

    def _add(self, key: LabKey, settings: LabSettings, who: Principals) -> str:
        made = kms.CfnKey(
            self,
            key.output.logical_id.removeprefix("Key"),
            description=f"KMS Lab: {key.description}",
            key_policy=document(key.policy(who)),
            key_spec=key.spec,
            key_usage=key.usage,
            origin=key.origin,
            multi_region=True if key.multi_region else None,
            enable_key_rotation=True if key.rotation else None,
            rotation_period_in_days=getattr(settings.rotation_days, key.rotation) if key.rotation else None,
            pending_window_in_days=settings.pending_window_days,
        )
        # A learner must be able to leave, so deleting the stack schedules the key's deletion. Replacing a
        # key would lose what is under it, so if it ever came to that, CloudFormation leaves the old one.
        made.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        made.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
        if key.origin == "EXTERNAL":
            acknowledge(
                made, dict.fromkeys(KEY_ROTATION_RULES, "KMS cannot rotate imported key material by itself.")
            )
        kms.CfnAlias(
            self,
            f"{key.output.logical_id.removeprefix('Key')}Alias",
            alias_name=alias_name(settings.prefix, key.name),
            target_key_id=made.ref,
        )
        output(self, key.output, made.attr_arn)
        return made.attr_arn
