"""The table of wire protocols says what botocore says."""

from __future__ import annotations

import pytest
from botocore.loaders import create_loader

from kmslab.engine.protocols import PROTOCOLS, service_model
from kmslab.engine.server import SERVICES


@pytest.mark.parametrize("service", PROTOCOLS)
def test_the_protocol_is_botocores(service: str) -> None:
    metadata = create_loader().load_service_model(service, "service-2")["metadata"]
    protocol = metadata["protocol"]
    assert PROTOCOLS[service] == (protocol, metadata["jsonVersion"] if protocol == "json" else "")


def test_a_service_that_is_not_in_the_table_is_asked_of_ministack() -> None:
    asked: list[str] = []
    assert service_model(asked.append, "glue") is None
    assert asked == ["glue"]
    assert service_model(asked.append, "kms").metadata == {"protocol": "json", "jsonVersion": "1.1"}
    assert asked == ["glue"]


def test_the_table_covers_what_the_engine_serves() -> None:
    # CloudWatch and the tagging API go by other names in botocore and are asked for seldom.
    assert set(SERVICES) - set(PROTOCOLS) == {"cloudwatch", "tagging"}
