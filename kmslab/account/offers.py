"""Whether the Region has what the lab is made of: the types of its resources, and the instance's type.

No list says that of every Region and stays true, so the Region is asked: CloudFormation knows the types that it can
make there (CloudFormation API Reference, "DescribeType"). What a type can be made of, such as a key spec, no service
tells before it is made: then the deployment says it in one line, and a check that meets it is UNPROVABLE.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kmslab.account import actions, refusals
from kmslab.model.errors import ExitCode
from kmslab.model.finding import fine, unseen, wrong
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Access
    from kmslab.model.finding import Finding
    from kmslab.model.settings import LabSettings

AT_ONCE = 4
"""Types that are asked about at a time."""
INSTANCE_TYPE = "t3.nano"
"""Of the optional instance (a test compares it with the template)."""

_WHAT = "Region's services"
_ELSEWHERE = "The lab cannot be deployed here: set AWS_REGION to another Region."


def look(access: Access, settings: LabSettings) -> Finding:
    """Ask about every type of resource that the settings make."""
    from botocore.exceptions import BotoCoreError, ClientError

    types = [name for name in actions.types(settings) if name.startswith("AWS::")]
    try:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="types") as pool:
            there = pool.map(lambda name: _has(access, name), types)
            missing = [name for name, found in zip(types, there, strict=True) if not found]
        if settings.instance and not _has_instance_type(access):
            missing.append(f"EC2's {INSTANCE_TYPE}")
    except (ClientError, BotoCoreError) as error:
        allow = "Allow cloudformation:DescribeType and ec2:DescribeInstanceTypeOfferings."
        return unseen(_WHAT, f"could not be looked at ({refusals.why(error)})", refusals.mend(error, allow))
    region = access.target.region
    if missing:
        return wrong(_WHAT, f"{region} lacks {', '.join(missing)}", _ELSEWHERE, ExitCode.DEPLOYMENT)
    return fine(_WHAT, f"CloudFormation makes all {len(types)} types of the lab's resources in {region}")


def _has(access: Access, name: str) -> bool:
    cloudformation = access.client(Persona.OPERATOR, "cloudformation")
    try:
        cloudformation.describe_type(Type="RESOURCE", TypeName=name)
    except cloudformation.exceptions.TypeNotFoundException:
        return False
    return True


def _has_instance_type(access: Access) -> bool:
    asked = [{"Name": "instance-type", "Values": [INSTANCE_TYPE]}]
    ec2 = access.client(Persona.OPERATOR, "ec2")
    return bool(ec2.describe_instance_type_offerings(Filters=asked)["InstanceTypeOfferings"])
