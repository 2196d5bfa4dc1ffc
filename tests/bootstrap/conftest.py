"""The assemblies that tests/stacks synthesizes, and the engine of tests/engine: one more of each worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bootstrap.policies import SEVERAL, Policies
from tests.engine.conftest import engine
from tests.stacks.conftest import assemblies
from tests.stacks.template import Assembly

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["assemblies", "engine"]


@pytest.fixture(scope="session")
def policies() -> Policies:
    """The least-privilege bootstrap of the default prefix."""
    return Policies.read()


@pytest.fixture(scope="session")
def for_several() -> Policies:
    """The same for every lab whose prefix begins so."""
    return Policies.read(SEVERAL)


@pytest.fixture(scope="session")
def bounded(assemblies: Path) -> Assembly:  # the fixture imported above
    """The lab with every optional part, deployed under the boundary of the bootstrap."""
    return Assembly(assemblies / "bounded")
