from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from syrupy.extensions.json import JSONSnapshotExtension

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from tests.stacks.template import Assembly

ASSET = re.compile(r"[0-9a-f]{64}")
"""The hash of a file that CDK brings along (the function that empties buckets)."""


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_stable(inner) for inner in value]
    return ASSET.sub("<asset>", value) if isinstance(value, str) else value


@pytest.mark.parametrize("stack", ["audit", "identity", "keys", "secrets", "storage", "volumes"])
def test_template(lab: Assembly, snapshot: SnapshotAssertion, stack: str) -> None:
    assert _stable(lab.template(stack)) == snapshot


@pytest.mark.parametrize("stack", ["identity", "keys", "network", "volumes"])
def test_template_with_every_option(every_option: Assembly, snapshot: SnapshotAssertion, stack: str) -> None:
    assert _stable(every_option.template(stack)) == snapshot


def test_every_stack_has_a_snapshot(lab: Assembly, every_option: Assembly) -> None:
    assert lab.stacks() == ["audit", "identity", "keys", "secrets", "storage", "volumes"]
    assert every_option.stacks() == sorted([*lab.stacks(), "network"])
