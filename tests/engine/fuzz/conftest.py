"""An engine of its own for what is thrown at it, and things that exist there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.engine import control
from tests.engine.conftest import engine_in
from tests.engine.fuzz.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.conftest import Engine


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that nobody else uses: the fuzz disables and deletes keys."""
    with engine_in(tmp_path_factory.mktemp("fuzz")) as found:
        yield found
        # Other services fail over wrong types and say so in the log; the client is told what is wrong.
        log = control.log_file(found.home).read_text()
        assert "Error handling kms request" not in log, log[-3000:]


@pytest.fixture(scope="package")
def wire(target: Engine) -> Wire:
    """A connection to it."""
    return Wire(target)
