"""SetDefaultPolicyVersion: which version of a managed policy counts, which MiniStack cannot change.

Source: IAM API Reference, "SetDefaultPolicyVersion"; IAM User Guide, "Versioning IAM policies".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def set_default_policy_version(p: Mapping[str, Any]) -> Any:
    """Have another version of a customer managed policy evaluated, at once for everybody it is attached to."""
    from ministack.services import iam

    arn, version_id = iam._p(p, "PolicyArn"), iam._p(p, "VersionId")
    if iam._is_aws_managed_arn(arn):
        return iam._error(
            403, "AccessDenied", f"Cannot change the default version of AWS managed policy {arn}.", ns="iam"
        )
    policy = iam._policies.get(arn)
    if policy is None:
        return iam._error(404, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", ns="iam")
    if version_id not in policy["Versions"]:
        message = f"Policy {arn} version {version_id} does not exist or is not attachable."
        return iam._error(404, "NoSuchEntity", message, ns="iam")
    for version in policy["Versions"].values():
        version["IsDefaultVersion"] = version["VersionId"] == version_id
    policy["DefaultVersionId"], policy["UpdateDate"] = version_id, iam._now()
    return iam._xml(200, "SetDefaultPolicyVersionResponse", "", ns="iam")


def install() -> None:
    """Serve the operation."""
    from ministack.services import iam

    from kmslab.engine.hooks import add_entry

    add_entry(
        iam,
        "_IAM_HANDLERS",
        "SetDefaultPolicyVersion",
        set_default_policy_version,
        "which version of a managed policy counts",
    )
