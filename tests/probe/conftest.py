"""An engine for the probes, and targets that are not what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.session import get_session

from kmslab.engine import control
from kmslab.model.target import Credentials, Target, TargetKind
from kmslab.probe.world import World
from tests.engine.conftest import engine_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ELSEWHERE = Target(
    TargetKind.ENDPOINT,
    "us-east-1",
    "http://127.0.0.1:9",
    plain_http_url="http://127.0.0.1:9",
    credentials=Credentials("test", "test"),
)
SESSION = get_session()
COUNTER = count()


def refusal(code: str, operation: str, *, status: int = 400, message: str = "no") -> ClientError:
    """An error as a service answers it."""
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)  # type: ignore[arg-type]  # the members that matter


def plausible(shape: Any, depth: int = 0) -> Any:
    """Something of a shape of botocore's model: every member is there, and no two texts are alike."""
    kind = shape.type_name
    if kind == "structure":
        if depth > 4:
            return {}
        return {name: plausible(member, depth + 1) for name, member in shape.members.items()}
    if kind == "list":
        return [plausible(shape.member, depth + 1)]
    if kind == "map":
        return {"key": plausible(shape.value, depth + 1)}
    if kind == "string":
        return shape.enum[0] if shape.enum else f"arn:aws:iam::123456789012:role/n{next(COUNTER)}"
    return {
        "integer": 1,
        "long": 1,
        "float": 1.0,
        "double": 1.0,
        "boolean": True,
        "blob": b"bytes",
        "timestamp": datetime.now(UTC),
    }[kind]


class FakeClient:
    """A client whose every operation is answered by one function."""

    def __init__(self, service: str, answer: Callable[[str, Any, dict[str, Any]], Any]) -> None:
        self._model = SESSION.get_service_model(service)
        self._answer = answer
        self._operations = {
            self._python_name(name): self._model.operation_model(name) for name in self._model.operation_names
        }

    @staticmethod
    def _python_name(name: str) -> str:
        from botocore import xform_name

        return xform_name(name)

    def __getattr__(self, name: str) -> Any:
        model = self._operations[name]
        return lambda **parameters: self._answer(model.name, model, parameters)

    def get_paginator(self, name: str) -> Any:
        call = getattr(self, name)

        class Pages:
            def paginate(self, **parameters: Any) -> list[Any]:
                return [call(**parameters)]

        return Pages()

    def get_waiter(self, name: str) -> Any:
        class Waiter:
            def wait(self, **_: Any) -> None:
                del _

        del name
        return Waiter()


class FakeClients:
    """Stands in for `kmslab.probe.clients.Clients`."""

    def __init__(self, answer: Callable[[str, Any, dict[str, Any]], Any]) -> None:
        self.target = ELSEWHERE
        self._answer = answer
        self._made: dict[str, FakeClient] = {}

    def get(self, service: str, *_: Any, **__: Any) -> FakeClient:
        if service not in self._made:
            self._made[service] = FakeClient(service, self._answer)
        return self._made[service]


def world_of(answer: Callable[[str, Any, dict[str, Any]], Any]) -> World:
    """A run on a target that answers so."""
    world = World(ELSEWHERE, "kms-lab", other=Credentials("222222222222", "test"))
    world.clients = FakeClients(answer)  # type: ignore[assignment]  # has the one method that is used
    return world


def agrees(_: str, model: Any, __: dict[str, Any]) -> Any:
    """Every call succeeds, with every member of its answer."""
    return plausible(model.output_shape) if model.output_shape else {}


def refuses_but_who_i_am(operation: str, model: Any, parameters: dict[str, Any]) -> Any:
    """Every call but GetCallerIdentity is denied."""
    if operation == "GetCallerIdentity":
        return agrees(operation, model, parameters)
    raise refusal("AccessDeniedException", operation)


def lacks_everything(operation: str, model: Any, parameters: dict[str, Any]) -> Any:
    """No operation is known but GetCallerIdentity."""
    if operation == "GetCallerIdentity":
        return agrees(operation, model, parameters)
    raise refusal("UnknownOperationException", operation)


def is_away(operation: str, model: Any, parameters: dict[str, Any]) -> Any:
    """Nobody answers."""
    del operation, model, parameters
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of an engine of the session's own, on which nothing is deployed."""
    with engine_in(tmp_path_factory.mktemp("probed")) as engine:
        yield engine.home


@pytest.fixture
def target(home: Path) -> Target:
    return control.target(home)


@pytest.fixture
def neighbour(home: Path) -> Credentials | None:
    return control.neighbour(home).credentials
