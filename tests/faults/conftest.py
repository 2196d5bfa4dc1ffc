from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.faults.templates import Templates
from tests.checks.fakes import PREFIX
from tests.stacks.conftest import assemblies

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["assemblies"]


@pytest.fixture(scope="session")
def synthesized(assemblies: Path) -> Templates:
    """The lab's templates as ``cdk.json`` has it; not to be changed: take a copy."""
    return Templates.read(assemblies / "default", PREFIX)


@pytest.fixture(scope="session")
def with_every_option(assemblies: Path) -> Templates:
    """The templates of a lab with every optional part; not to be changed: take a copy."""
    return Templates.read(assemblies / "every-option", PREFIX)


@pytest.fixture
def templates(synthesized: Templates) -> Templates:
    """The lab's templates, to be changed."""
    return synthesized.copy()
