"""What the probes share is removed, also when it is not ready to go."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from kmslab.probe import world as world_module
from tests.probe.conftest import agrees, refusal, world_of

KEY = "arn:aws:kms:us-west-2:111122223333:key/mrk-1"


class Key:
    """A key that is in these states, one after the other, as often as its deletion is asked for."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.asked = 0

    def __call__(self, operation: str, model: Any, parameters: dict[str, Any]) -> Any:
        if operation == "ScheduleKeyDeletion":
            self.asked += 1
            if self.asked <= len(self.states):
                raise refusal("KMSInvalidStateException", operation)
        if operation == "DescribeKey":
            return {"KeyMetadata": {"KeyState": self.states[self.asked - 1]}}
        return agrees(operation, model, parameters)


def test_a_replica_that_is_still_made_is_waited_for_even_after_the_run_was_stopped() -> None:
    key = Key("Creating", "Updating")
    world = world_of(key)
    world.stopping.set()
    world.discard(KEY)
    assert key.asked == 3


@pytest.mark.parametrize("state", ["PendingDeletion", "PendingReplicaDeletion"])
def test_a_key_that_goes_already_is_left_alone(state: str) -> None:
    key = Key(state)
    world_of(key).discard(KEY)
    assert key.asked == 1


@pytest.mark.parametrize("state", ["Enabled", "Creating"])
def test_a_key_that_stays_is_told(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setattr(world_module, "SETTLING_SECONDS", 0)
    with pytest.raises(ClientError, match="KMSInvalidStateException"):
        world_of(Key(*[state] * 1000)).discard(KEY)
