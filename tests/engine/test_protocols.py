"""The table of wire protocols says what botocore says."""

from __future__ import annotations

import pytest
from botocore.loaders import create_loader

from kmslab.engine.protocols import PROTOCOLS, TARGETS, service_model
from kmslab.engine.server import SERVICES


@pytest.mark.parametrize("service", PROTOCOLS)
def test_the_protocol_is_botocores(service: str) -> None:
    metadata = create_loader().load_service_model(service, "service-2")["metadata"]
    protocol = metadata["protocol"]
    assert PROTOCOLS[service] == (protocol, metadata["jsonVersion"] if protocol == "json" else "")


BOTOCORE_NAMES = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_the_service_of_botocores_scope(target: str) -> None:
    service = TARGETS[target]
    name = BOTOCORE_NAMES.get(service, service)
    metadata = create_loader().load_service_model(name, "service-2")["metadata"]
    assert metadata["targetPrefix"] == target
    assert metadata.get("signingName", metadata["endpointPrefix"]) == service


def test_every_service_with_targets_is_known() -> None:
    names = {"tagging": "resourcegroupstaggingapi"}
    models = [create_loader().load_service_model(names.get(one, one), "service-2") for one in SERVICES]
    prefixes = {model["metadata"].get("targetPrefix") for model in models} - {None}
    assert prefixes == set(TARGETS)


def test_a_service_that_is_not_in_the_table_is_asked_of_ministack() -> None:
    asked: list[str] = []
    assert service_model(asked.append, "glue") is None
    assert asked == ["glue"]
    assert service_model(asked.append, "kms").metadata == {"protocol": "json", "jsonVersion": "1.1"}
    assert asked == ["glue"]


def test_the_table_covers_what_the_engine_serves() -> None:
    # CloudWatch and the tagging API go by other names in botocore and are asked for seldom.
    assert set(SERVICES) - set(PROTOCOLS) == {"cloudwatch", "tagging"}
