from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab import probes
from kmslab.checks.temporary import LEAVING
from kmslab.lab import Access, Inconclusive
from kmslab.model.capability import ALL, Capability
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.persona import Persona
from kmslab.model.target import Target, TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import OUTPUTS, FakeAccess, Request, World
from tests.checks.lab_world import LabWorld, good_lab
from tests.checks.test_sweep import nothing_left_behind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.model.verdict import Verdict
    from tests.conftest import DeployedLab

CRYPTOGRAPHY = {
    Capability.AUTHENTICATED_ENCRYPTION,
    Capability.KEY_STATES,
    Capability.ROTATION,
    Capability.IMPORTED_MATERIAL,
    Capability.MULTI_REGION,
}
"""What the fake KMS really does."""


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "EVENT_SECONDS", 0.0)


def probed(world: World) -> dict[Capability, Verdict]:
    return probes.probe(FakeAccess(world), OUTPUTS)


def agreeable() -> LabWorld:
    """A target that refuses nobody anything and evaluates no policy."""
    world = LabWorld()
    world.answers("*", {}).answers("sqs:CreateQueue", {"QueueUrl": "https://queue.invalid"})
    for operation in world.kms.operations():
        world.answers(f"kms:{operation}", getattr(world.kms, operation))
    return nothing_left_behind(world)


def test_every_capability_has_a_probe() -> None:
    assert set(probes.PROBES) == ALL


def test_a_target_that_agrees_to_everything_enforces_nothing() -> None:
    assert probes.enforced(probed(agreeable())) == CRYPTOGRAPHY


def test_a_target_that_does_not_answer_enforces_nothing() -> None:
    world = good_lab()
    world.unreachable()
    verdicts = probed(world)
    assert probes.enforced(verdicts) == frozenset()
    assert {verdict.outcome for verdict in verdicts.values()} == {Outcome.ERROR}


def test_a_target_that_refuses_the_outsider_has_iam() -> None:
    world = agreeable().refuses("kms:ListKeys", Persona.OUTSIDER)
    assert Capability.IAM in probes.enforced(probed(world))


def test_a_target_that_reads_key_policies_has_them() -> None:
    world = agreeable()

    def denied(request: Request) -> bool:
        policy = json.loads(world.kms.key_of(request).policy)
        return any(
            statement["Effect"] == "Deny" and "Condition" not in statement
            for statement in policy["Statement"]
        )

    world.refuses("kms:Encrypt", when=denied)
    found = probes.enforced(probed(world))
    assert Capability.KEY_POLICIES in found
    assert Capability.CONDITION_KEYS not in found


@pytest.mark.parametrize(("honest", "found"), [(True, True), (False, False)])
def test_a_simulator_must_look_at_the_context(honest: bool, found: bool) -> None:  # a table's columns
    def simulate(request: Request) -> Mapping[str, Any]:
        present = request["ContextEntries"][0]["ContextKeyValues"] == ["true"] or not honest
        return {"EvaluationResults": [{"EvalDecision": "allowed" if present else "explicitDeny"}]}

    world = agreeable().answers("iam:SimulateCustomPolicy", simulate)
    assert (Capability.POLICY_SIMULATION in probes.enforced(probed(world))) is found


def test_a_trail_without_the_call_is_none() -> None:
    world = agreeable().answers("cloudtrail:LookupEvents", {"Events": [{"EventName": "Encrypt"}]})
    assert Capability.KMS_TRAIL in probes.enforced(probed(world))
    world.answers("cloudtrail:LookupEvents", {"Events": [{"EventName": "CreateKey"}]})
    assert Capability.KMS_TRAIL not in probes.enforced(probed(world))


def test_nothing_is_left() -> None:
    world = agreeable()
    probed(world)
    assert {key.state for key in world.kms.keys.values()} == LEAVING
    assert world.kms.grants == {}
    assert len(world.asked("s3:DeleteBucket")) == len(world.asked("s3:CreateBucket")) > 0
    assert len(world.asked("sqs:DeleteQueue")) == len(world.asked("sqs:CreateQueue")) == 1


def test_what_a_killed_probe_would_leave_can_be_found() -> None:
    world = agreeable()
    probed(world)
    made = {request["Bucket"]: request["Tagging"]["TagSet"] for request in world.asked("s3:PutBucketTagging")}
    assert {request["Bucket"] for request in world.asked("s3:CreateBucket")} == set(made)
    for tags in [*made.values(), *(request["Tags"] for request in world.asked("events:PutRule"))]:
        assert [tag["Key"] for tag in tags] == [TEMPORARY_TAG, PREFIX_TAG]


def test_another_emulators_credentials_never_go_to_aws_in_the_clear() -> None:
    access = Access(Target(TargetKind.ENDPOINT, "eu-central-1", "https://emulator.invalid"), "kms-lab")
    with pytest.raises(Inconclusive, match="no plain HTTP endpoint"):
        access.client(Persona.OPERATOR, "sts", plain_http=True)


def test_the_local_engine_enforces_what_it_declares(
    deployed_lab: DeployedLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kmslab.deployed import read_outputs
    from kmslab.engine import control
    from kmslab.engine.capabilities import CAPABILITIES

    monkeypatch.undo()  # events take their time on a real engine
    access = Access(control.target(deployed_lab.home), "kms-lab")
    verdicts = probes.probe(access, read_outputs(access))
    assert probes.enforced(verdicts) == CAPABILITIES, {c: v.summary for c, v in verdicts.items()}
