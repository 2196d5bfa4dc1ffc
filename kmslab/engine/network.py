"""VPC endpoints tell their policy, private DNS and security groups; MiniStack stores them and says nothing.

EC2 API Reference, "DescribeVpcEndpoints" and "ModifyVpcEndpoint". What a policy allows is not enforced: the
engine has no network of its own to pass through an endpoint.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.services import ec2

from kmslab.engine.hooks import extend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Endpoint = dict[str, Any]
    Response = tuple[int, dict[str, str], bytes]

FULL_ACCESS = {
    "Version": "2008-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
"""The policy of an endpoint that was given none (VPC User Guide, "Default endpoint policy")."""


def _fields(stock: Callable[..., str], endpoint: Endpoint, tag: str = "item") -> str:
    """Tell the policy, private DNS and security groups too."""
    policy = endpoint.get("PolicyDocument") or FULL_ACCESS
    text = policy if isinstance(policy, str) else json.dumps(policy)
    private = str(bool(endpoint.get("PrivateDnsEnabled"))).lower()
    groups = "".join(
        f"<item><groupId>{group}</groupId><groupName>{escape(_name(group))}</groupName></item>"
        for group in endpoint.get("SecurityGroupIds") or ()
    )
    more = (
        f"<policyDocument>{escape(text)}</policyDocument>"
        f"<privateDnsEnabled>{private}</privateDnsEnabled><groupSet>{groups}</groupSet>"
    )
    end = f"</{tag}>"
    return stock(endpoint, tag).rstrip().removesuffix(end) + more + end


def _name(group: str) -> str:
    return str((ec2._security_groups.get(group) or {}).get("GroupName", ""))


def _modify(stock: Callable[[Mapping[str, Any]], Response], p: Mapping[str, Any]) -> Response:
    """Change private DNS and security groups too, and reset the policy."""
    response = stock(p)
    endpoint = ec2._vpc_endpoints.get(ec2._p(p, "VpcEndpointId"))
    if endpoint is None:
        return response
    if ec2._p(p, "ResetPolicy").lower() == "true":
        endpoint["PolicyDocument"] = None
    if private := ec2._p(p, "PrivateDnsEnabled"):
        endpoint["PrivateDnsEnabled"] = private.lower() == "true"
    groups = [*(endpoint.get("SecurityGroupIds") or ()), *ec2._parse_member_list(p, "AddSecurityGroupId")]
    removed = ec2._parse_member_list(p, "RemoveSecurityGroupId")
    endpoint["SecurityGroupIds"] = [group for group in dict.fromkeys(groups) if group not in removed]
    return response


def install() -> None:
    """Take over what describes and modifies an endpoint."""
    extend(ec2, "_vpce_fields_xml", "ep")(_fields)
    extend(ec2, "_modify_vpc_endpoint", "p")(_modify)
