"""How a CloudFormation resource type is served: through the API of its service, inside the engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus
from typing import Any, Protocol

from ministack.services.cloudformation import provisioners

from kmslab.engine import hooks

Properties = Mapping[str, Any]
"""What the template says of one resource, with every intrinsic function resolved."""
Provisioned = tuple[str, dict[str, Any]]
"""The physical id (what ``Ref`` returns) and the attributes (what ``Fn::GetAtt`` returns)."""
Response = tuple[int, Mapping[str, str], bytes | str]
"""What a MiniStack operation answers: HTTP status, headers, body."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a template a resource stands."""

    stack_name: str
    logical_id: str

    def generated_name(self, *, longest: int = 128) -> str:
        """Name a resource that the template leaves unnamed: ``<stack>-<logical id>-<suffix>``."""
        return str(provisioners._physical_name(self.stack_name, self.logical_id, max_len=longest))


class ResourceType(Protocol):
    """One resource type. Each method raises ValueError with the reason for the stack's event."""

    def create(self, place: Place, properties: Properties, /) -> Provisioned:
        """Make the resource."""

    def update(self, physical_id: str, old: Properties, new: Properties, /) -> Provisioned:
        """Bring an existing resource to the new properties; create-only ones are already equal."""

    def delete(self, physical_id: str, properties: Properties, /) -> None:
        """Remove it; an already missing resource is no error."""


def register(
    name: str, resource_type: ResourceType, *, replaced_by: Sequence[str] = (), tags: bool = False
) -> None:
    """Let stacks use a resource type, in place of MiniStack's own provisioner if it has one.

    Args:
        name: ``AWS::Service::Type``.
        resource_type: who serves it.
        replaced_by: properties marked "Update requires: Replacement" in the resource reference.
        tags: whether the type has a ``Tags`` property that stack tags are merged into.
    """

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return resource_type.create(Place(stack_name, logical_id), properties)

    def update(physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        return resource_type.update(physical_id, old, new)

    handlers = {"create": create, "update": update, "delete": resource_type.delete}
    purpose = (resource_type.__doc__ or name).splitlines()[0]
    if name in provisioners._RESOURCE_HANDLERS:
        provisioners._RESOURCE_HANDLERS[name].update(handlers, update_with_logical_id=False)
        where = f"{provisioners.__name__}._RESOURCE_HANDLERS[{name}]"
        hooks.APPLIED.append(hooks.Hook(where, type(resource_type).__module__, purpose))
    else:
        hooks.add_entry(provisioners, "_RESOURCE_HANDLERS", name, handlers, purpose)
    provisioners._REPLACING_PROPERTIES[name] = tuple(replaced_by)
    if tags:
        provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")


def call(operation: Callable[[Any], Response], request: Any, *, missing_is_fine: bool = False) -> Any:
    """Call an operation of a service as its API would, and raise what the API would answer.

    Args:
        operation: MiniStack's function for it; takes the request, answers a response.
        request: query parameters or JSON members, as the function expects them.
        missing_is_fine: return None where the thing is already gone (deletions).

    Returns: the parsed JSON answer, or the text of an XML answer.

    Raises:
        ValueError: ``Code: message``.
    """
    status, _, body = operation(request)
    text = body.decode() if isinstance(body, bytes) else body
    if status < HTTPStatus.BAD_REQUEST:
        return json.loads(text) if text.startswith("{") else text
    code, message = _error(text)
    if missing_is_fine and re.search(r"NotFound|NoSuch", code):
        return None
    raise ValueError(f"{code or status}: {message or text}")


def _error(text: str) -> tuple[str, str]:
    if text.startswith("{"):
        parsed = json.loads(text)
        return str(parsed.get("__type", "")), str(parsed.get("message") or parsed.get("Message") or "")
    code = re.search(r"<Code>(.*?)</Code>", text)
    message = re.search(r"<Message>(.*?)</Message>", text, re.DOTALL)
    return (unescape(code[1]) if code else ""), (unescape(message[1]) if message else "")


def element(text: str, name: str) -> str:
    """Return the text of the first XML element of that name, empty if there is none."""
    found = re.search(rf"<{name}>(.*?)</{name}>", text)
    return unescape(found[1]) if found else ""


def query(parameters: Mapping[str, Any], *, list_separator: str = ".member.") -> dict[str, list[str]]:
    """Flatten members into query parameters; EC2 numbers its lists without ``member``."""
    flat: dict[str, list[str]] = {}

    def put(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, member in value.items():
                put(f"{name}.{key}", member)
        elif isinstance(value, list):
            for number, member in enumerate(value, 1):
                put(f"{name}{list_separator}{number}", member)
        elif isinstance(value, bool):
            flat[name] = [str(value).lower()]
        elif value is not None:
            flat[name] = [str(value)]

    for name, value in parameters.items():
        put(name, value)
    return flat


def document(value: Any) -> str:
    """A policy document as the JSON text that APIs take."""
    return value if isinstance(value, str) else json.dumps(value)


def true(value: object) -> bool:
    """A template boolean, which may also be the word."""
    return str(value).lower() == "true"


def tag_changes(old: Properties, new: Properties) -> tuple[dict[str, str], list[str]]:
    """What TagResource has to set and UntagResource to remove."""
    before, after = provisioners._tag_map(old.get("Tags")), provisioners._tag_map(new.get("Tags"))
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return changed, sorted(before.keys() - after.keys())
