"""What one Region has and another lacks: the Regions there are, and how a service says that it lacks something.

Sources, read 2026-11-22: "Common Errors" of the query services (InvalidAction); Smithy, "AWS JSON 1.1 protocol"
(UnknownOperationException); S3 API Reference, "Error responses" (NotImplemented); KMS's words on a key spec of other
Regions, as github.com/floci-io/floci/issues/3026 quotes them; AWS re:Post, "CloudFormation template validation"
(Unrecognized resource types).
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

UNKNOWN = frozenset({"InvalidAction", "NotImplemented", "UnknownOperationException"})
"""Error codes of a service that does not have the operation, or not all that the request asks for."""
_NOT_HERE = re.compile(
    r"Unrecognized resource types"
    r"|not (?:currently )?(?:supported|available|offered) in (?:this|the|your)[\w\s-]{0,40}?"
    r"(?:region|availability zone)",
    re.IGNORECASE,
)
_VALUES = "Member must satisfy enum value set"
"""What a service says of a value, such as a key spec, that it does not know yet."""
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d+")


def lacks(said: str) -> bool:
    """Whether a message, or a line of a tool that quotes it, says that the Region lacks what was asked for."""
    return bool(_NOT_HERE.search(said))


def lacking(error: Exception) -> str:
    """Say in one line what the target does not have, where an error of botocore says so; empty: it does not.

    A service that does not answer is taken for absent only if its name does not exist, while that of another
    service of the same Region does: without a network there is neither.
    """
    from botocore.exceptions import ClientError, EndpointConnectionError

    if isinstance(error, EndpointConnectionError):
        return _no_host(str(error.kwargs["endpoint_url"]))
    if not isinstance(error, ClientError):
        return ""
    told: Any = error.response["Error"]
    code, said = told.get("Code", ""), " ".join(told.get("Message", "").split())
    if code not in UNKNOWN and _VALUES not in said and not lacks(said):
        return ""
    return f"this target does not offer {error.operation_name} as the check needs it ({code}: {said or code})"


def _no_host(endpoint_url: str) -> str:
    host = urlsplit(endpoint_url).hostname or ""
    region = _region_in(host)
    if not region or _exists(host) or not _exists(f"sts{host[host.index(f'.{region}.') :]}"):
        return ""
    return f"{region} has no {host.partition('.')[0]}: the name {host} does not exist"


def _exists(host: str) -> bool:
    try:
        socket.getaddrinfo(host, 443)
    except socket.gaierror as error:
        return error.errno != socket.EAI_NONAME
    return True


def misspelt(error: ClientError | BotoCoreError) -> str:
    """The Region in the address of an endpoint that does not answer, if botocore knows none of that name."""
    host = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url", ""))).hostname or ""
    region = _region_in(host)
    return region if region and not known(region) else ""


def known(region: str) -> bool:
    """Whether botocore lists the Region; one that AWS has opened since its release is not listed."""
    from botocore.loaders import create_loader

    partitions = create_loader().load_data("partitions")["partitions"]
    return any(region in partition["regions"] for partition in partitions)


def _region_in(host: str) -> str:
    return next((label for label in host.split(".")[1:] if _REGION.fullmatch(label)), "")
