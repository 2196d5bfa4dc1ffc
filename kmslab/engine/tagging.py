"""The tagging service lists what else a lab tags: block storage and networks, secrets, parameters, trails, logs, stacks.

MiniStack's GetResources knows keys, buckets, topics, queues, rules and functions. AWS's knows these as well
(Resource Groups Tagging API, "Services that support the Resource Groups Tagging API", read 2026-11-22). Of IAM
it lists no users and roles, so neither does this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.engine.hooks import add_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    Tagged = Iterator[tuple[str, list[dict[str, str]]]]

IN_EC2 = {
    "_volumes": "volume",
    "_snapshots": "snapshot",
    "_instances": "instance",
    "_vpcs": "vpc",
    "_subnets": "subnet",
    "_route_tables": "route-table",
    "_security_groups": "security-group",
    "_internet_gateways": "internet-gateway",
    "_vpc_endpoints": "vpc-endpoint",
}
"""Where MiniStack keeps what by its id, and what an ARN calls it."""


def _arn(service: str, resource: str) -> str:
    from ministack.core.responses import get_account_id, get_region

    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


def _list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _ec2() -> Tagged:
    from ministack.services import ec2

    for store, kind in IN_EC2.items():
        for resource_id in vars(ec2)[store]:
            if tags := ec2._tags.get(resource_id):
                yield _arn("ec2", f"{kind}/{resource_id}"), list(tags)


def _cloudformation() -> Tagged:
    from ministack.services import cloudformation

    for stack in cloudformation._stacks.values():
        if stack.get("StackStatus") != "DELETE_COMPLETE":
            yield stack["StackId"], list(stack.get("Tags") or ())


def _cloudtrail() -> Tagged:
    from ministack.services import cloudtrail

    for name in cloudtrail._trails:  # what is kept of tags outlives the trail
        arn = _arn("cloudtrail", f"trail/{name}")
        yield arn, _list(cloudtrail._trail_tags.get(arn) or {})


def _logs() -> Tagged:
    from ministack.services import cloudwatch_logs

    for name, group in cloudwatch_logs._log_groups.items():
        yield _arn("logs", f"log-group:{name}"), _list(group.get("tags") or {})


def _secretsmanager() -> Tagged:
    from ministack.services import secretsmanager

    for secret in secretsmanager._secrets.values():
        # Secrets Manager takes a tag without a value; the tagging service has one for each.
        yield (
            secret["ARN"],
            [{"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in secret.get("Tags") or ()],
        )


def install() -> None:
    """Add what MiniStack lacks."""
    from ministack.services import tagging

    known: dict[str, Any] = {
        "cloudformation": _cloudformation,
        "cloudtrail": _cloudtrail,
        "ec2": _ec2,
        "logs": _logs,
        "secretsmanager": _secretsmanager,
        "ssm": tagging._collect_ssm,
    }
    for service, collect in known.items():
        add_entry(tagging, "_COLLECTORS", service, collect, f"what is tagged in {service}")
