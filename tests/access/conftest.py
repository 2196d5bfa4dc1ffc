from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.access import reading
from kmslab.access.reader import Reader
from kmslab.access.things import Finder
from tests.checks.account_world import AccountWorld
from tests.checks.fakes import OUTPUTS, FakeAccess

if TYPE_CHECKING:
    from kmslab.access.reading import Reading


@pytest.fixture
def world() -> AccountWorld:
    return AccountWorld()


@pytest.fixture
def reader(world: AccountWorld) -> Reader:
    return Reader(FakeAccess(world))


@pytest.fixture
def found(reader: Reader) -> Reading:
    return reading.read(reader.access, OUTPUTS)


@pytest.fixture
def finder(reader: Reader, found: Reading) -> Finder:
    return Finder(reader, found, OUTPUTS)
