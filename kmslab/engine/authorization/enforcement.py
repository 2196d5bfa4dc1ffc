"""Where MiniStack asks for a decision: KMS decides in its own room, and the root user is not above denies."""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Apply the hooks."""
    from ministack.core import iam_actions, iam_evaluator

    from kmslab.engine.hooks import extend

    extend(iam_actions, "extract_iam_action", "service", "method")(no_action_for_kms)
    extend(iam_evaluator, "_is_root_key", "access_key_id")(no_unverified_root)
    extend(iam_evaluator, "check_credentials", "access_key_id", "service")(no_anonymous_root)
    extend(
        iam_evaluator,
        "enforce",
        "access_key_id",
        "iam_action",
        "service",
        "region",
        "resource_arn",
        "service_context",
    )(enforce)


def no_action_for_kms(stock: Any, service: str, method: str, *args: Any, **kwargs: Any) -> Any:
    """Leave the authorization of KMS calls to the KMS room; the signature is still checked here."""
    return None if service == "kms" else stock(service, method, *args, **kwargs)


def no_unverified_root(_stock: Any, _access_key_id: str) -> bool:
    """Check the signature of every key: MiniStack trusts ``test``, 12 digits and its own key unchecked."""
    return False


def no_anonymous_root(stock: Any, access_key_id: str, service: str | None = None) -> Any:
    """Refuse a request without credentials that no IAM action covers: MiniStack takes it for the root user's."""
    from ministack.core import iam_evaluator

    if not access_key_id and iam_evaluator._anonymous.get():
        return iam_evaluator.AuthError("MissingAuthenticationToken", "Missing Authentication Token")
    return stock(access_key_id, service)


def enforce(
    stock: Any,
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: dict[str, Any] | None = None,
) -> Any:
    """Hold anonymous callers and the root user to the resource's own policy, as AWS does."""
    from ministack.core import iam_evaluator

    if service == "s3" and not access_key_id and iam_evaluator._anonymous.get():
        return _anonymous_s3(iam_action, region, resource_arn, service_context)
    denied = stock(
        access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=service_context
    )
    return denied or _deny_for_root(access_key_id, iam_action, service, region, resource_arn, service_context)


def _deny_for_root(
    access_key_id: str,
    iam_action: str,
    service: str,
    region: str,
    resource_arn: str,
    service_context: dict[str, Any] | None,
) -> Any:
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_account_id

    # The owner's root can always repair a bucket policy (S3 User Guide, "Bucket policies").
    if (
        not access_key_id
        or iam_action.endswith("BucketPolicy")
        or not iam_evaluator.is_root_access_key(access_key_id)
    ):
        return None
    found = iam_evaluator._resource_policy(service, resource_arn)
    if not found:
        return None
    account = get_account_id()
    context = _context(
        f"arn:aws:iam::{account}:root", "Root", account, iam_action, resource_arn, region, service_context
    )
    result = iam_evaluator.evaluate_resource_policy(found[0], context)
    if result.decision != "Deny":
        return None
    result.principal_arn, result.resource_policy_arn = context.principal_arn, resource_arn
    return result


def _anonymous_s3(
    iam_action: str, region: str, resource_arn: str, service_context: dict[str, Any] | None
) -> Any:
    """MiniStack serves unsigned S3 requests as the root user's; on AWS the bucket policy must allow everybody."""
    from ministack.core import iam_evaluator

    found = iam_evaluator._resource_policy("s3", resource_arn)
    context = _context(
        "anonymous", "Anonymous", "anonymous", iam_action, resource_arn, region, service_context
    )
    result = iam_evaluator.evaluate_resource_policy(found[0] if found else None, context)
    result.principal_arn = context.principal_arn
    return None if result.decision == "Allow" else result


def _context(
    principal_arn: str,
    kind: str,
    account: str,
    action: str,
    resource_arn: str,
    region: str,
    service_context: dict[str, Any] | None,
) -> Any:
    from ministack.core import iam_evaluator

    return iam_evaluator.EvalContext(
        principal_arn=principal_arn,
        principal_type=kind,
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=region,
        service_context={name.lower(): value for name, value in (service_context or {}).items()},
    )
