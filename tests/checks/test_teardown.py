from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import REGISTRY, run
from kmslab.checks.samples import OBJECT_PREFIX
from kmslab.checks.temporary import seen_leaving
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.outputs import LabStack
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fake_s3 import FakeS3
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, RUN, Request, World, judge, key_arn, open_lab
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

EARLIER = "run-0000"
APP, OLD = key_arn("app"), key_arn("old")
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:kms-lab-alarms"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:somebodys"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/kms-lab-keys/0123"
RESOURCES: dict[str, Any] = {
    "App": {"Type": "AWS::KMS::Key", "DeletionPolicy": "Delete", "Properties": {"PendingWindowInDays": 7}},
    "AppAlias": {"Type": "AWS::KMS::Alias"},
    "Data": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete"},
    "DataEmptied": {"Type": "Custom::S3AutoDeleteObjects", "Properties": {"BucketName": {"Ref": "Data"}}},
}
OWNED = [APP.rpartition("/")[2], OUTPUTS.data_bucket, TOPIC, "kms-lab-rule", "kms-lab"]
TAGGED = [
    APP,
    f"arn:aws:s3:::{OUTPUTS.data_bucket}",
    TOPIC,
    f"arn:aws:events:{REGION}:{ACCOUNT}:rule/kms-lab-rule",
    OUTPUTS.trail,
    STACK,
    f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/kms-lab/secure-string",
    OLD,
]


class GoodWorld(World):
    """A world in which every check of the teardown passes.

    Attributes:
        stacks: as CloudFormation describes them; one of another project among them.
        resources: of each stack's template.
        tagged: tags of each ARN that the tagging service lists, but the lab's own.
        states: states of keys; Enabled unless it says otherwise.
        volumes, snapshots: with their temporary tag's value.
        secrets, parameters: names that Secrets Manager and Parameter Store list.
    """

    def __init__(self) -> None:
        super().__init__()
        self.s3 = FakeS3(self)
        names = [f"{PREFIX}-{stack}" for stack in (LabStack.KEYS, LabStack.STORAGE)]
        self.stacks: list[dict[str, Any]] = [
            {"StackName": name, "StackStatus": "CREATE_COMPLETE"} for name in names
        ]
        self.resources = deepcopy(RESOURCES)
        self.tagged: dict[str, dict[str, str]] = {arn: {} for arn in TAGGED}
        self.states = {OLD: "PendingDeletion"}
        self.volumes: dict[str, str] = {"vol-1": RUN}
        self.snapshots: dict[str, str] = {}
        self.secrets: list[str] = []
        self.parameters: list[str] = [f"/{PREFIX}/temporary/{RUN}-1"]
        stranger = {"StackName": "somebody-else", "StackStatus": "ROLLBACK_FAILED"}
        self.answers("cloudformation:DescribeStacks", lambda _: {"Stacks": [*self.stacks, stranger]})
        self.answers("cloudformation:ListStackResources", self.listed)
        self.answers("cloudformation:GetTemplate", lambda _: {"TemplateBody": {"Resources": self.resources}})
        self.answers("resourcegroupstaggingapi:GetResources", self.found)
        self.answers("kms:DescribeKey", self.described)
        self.answers("ec2:DescribeVolumes", lambda _: {"Volumes": some("VolumeId", self.volumes)})
        self.answers("ec2:DescribeSnapshots", lambda _: {"Snapshots": some("SnapshotId", self.snapshots)})
        self.answers(
            "secretsmanager:ListSecrets", lambda _: {"SecretList": [{"Name": n} for n in self.secrets]}
        )
        self.answers(
            "ssm:DescribeParameters", lambda _: {"Parameters": [{"Name": n} for n in self.parameters]}
        )

    def listed(self, request: Request) -> dict[str, Any]:
        """Two pages for each stack."""
        if request.get("NextToken"):
            return {"StackResourceSummaries": [{"PhysicalResourceId": one} for one in OWNED[1:]]}
        return {"StackResourceSummaries": [{"PhysicalResourceId": OWNED[0]}], "NextToken": "more"}

    def found(self, request: Request) -> dict[str, Any]:
        """Two pages."""
        assert request["TagFilters"] == [{"Key": PREFIX_TAG, "Values": [PREFIX]}]
        arns = list(self.tagged)
        page = arns[1:] if request.get("PaginationToken") else arns[:1]
        listed = [
            {
                "ResourceARN": arn,
                "Tags": [{"Key": k, "Value": v} for k, v in {PREFIX_TAG: PREFIX, **self.tagged[arn]}.items()],
            }
            for arn in page
        ]
        more = {} if request.get("PaginationToken") else {"PaginationToken": "more"}
        return {"ResourceTagMappingList": listed, **more}

    def described(self, request: Request) -> dict[str, Any]:
        return {"KeyMetadata": {"KeyId": "x", "KeyState": self.states.get(request["KeyId"], "Enabled")}}


def some(name: str, kept: dict[str, str]) -> list[dict[str, Any]]:
    more = {"StartTime": "2026-11-22T00:00:00Z"} if name == "SnapshotId" else {}
    return [{name: one, "Tags": [{"Key": TEMPORARY_TAG, "Value": run}], **more} for one, run in kept.items()]


def of_run(run: str, *arns: str) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.tagged |= {arn: {TEMPORARY_TAG: run} for arn in arns}

    return how


def tagged(arn: str) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.tagged[arn] = {}

    return how


def stack(**changes: Any) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.stacks[1].update(changes)

    return how


def resource(name: str, **changes: Any) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        world.resources[name].update(changes)

    return how


def has(**attributes: Any) -> Callable[[World], object]:
    return lambda world: vars(world).update(attributes)


def without(name: str) -> Callable[[World], object]:
    def how(world: World) -> None:
        assert isinstance(world, GoodWorld)
        del world.resources[name]

    return how


def left_in_s3(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.s3.buckets[OUTPUTS.dsse_bucket].objects[f"{OBJECT_PREFIX}{EARLIER}/1"] = [{"VersionId": "1"}]


def left_upload(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.s3.uploads["u"] = (OUTPUTS.data_bucket, f"{OBJECT_PREFIX}{EARLIER}/2", [])


LEFT = "teardown.nothing-of-earlier-runs-is-left"
BROKEN = [
    Broken(
        "teardown.no-stack-is-protected",
        stack(EnableTerminationProtection=True),
        "kms-lab-storage is protected",
    ),
    Broken(
        "teardown.no-stack-is-protected",
        stack(StackStatus="DELETE_FAILED"),
        "kms-lab-storage is DELETE_FAILED",
    ),
    Broken("teardown.no-stack-is-protected", has(stacks=[]), "knows no stack of the lab"),
    Broken(
        "teardown.nothing-is-retained", resource("Data", DeletionPolicy="Retain"), "deletion policy Retain"
    ),
    Broken(
        "teardown.nothing-is-retained",
        resource("App", DeletionPolicy="RetainExceptOnCreate"),
        "App of kms-lab",
    ),
    Broken("teardown.nothing-is-retained", resource("AppAlias", DeletionPolicy="Snapshot"), "AppAlias of"),
    Broken("teardown.nothing-is-retained", without("DataEmptied"), "nothing empties the bucket Data"),
    Broken(
        "teardown.every-key-says-how-long-it-waits", resource("App", Properties={}), "has the window None"
    ),
    Broken(
        "teardown.every-key-says-how-long-it-waits",
        resource("App", Properties={"PendingWindowInDays": 365}),
        "has the window 365",
    ),
    Broken("teardown.every-key-says-how-long-it-waits", without("App"), "the templates hold no key"),
    Broken("teardown.everything-tagged-belongs-to-a-stack", tagged(QUEUE), f"of no stack: {QUEUE}"),
    Broken("teardown.everything-tagged-belongs-to-a-stack", tagged(key_arn("mine")), key_arn("mine")),
    Broken("teardown.everything-tagged-belongs-to-a-stack", has(states={}), OLD),
    Broken(LEFT, of_run(EARLIER, QUEUE), QUEUE),
    Broken(LEFT, of_run(EARLIER, key_arn("left")), key_arn("left")),
    Broken(LEFT, has(volumes={"vol-9": EARLIER}), "vol-9"),
    Broken(LEFT, has(snapshots={"snap-9": EARLIER}), "snap-9"),
    Broken(LEFT, left_in_s3, f"{OUTPUTS.dsse_bucket}/{OBJECT_PREFIX}{EARLIER}/1"),
    Broken(LEFT, left_upload, f"{OUTPUTS.data_bucket}/{OBJECT_PREFIX}{EARLIER}/2"),
    Broken(LEFT, has(secrets=[f"{PREFIX}-temporary-{EARLIER}-1"]), f"{PREFIX}-temporary-{EARLIER}-1"),
    Broken(LEFT, has(parameters=[f"/{PREFIX}/temporary/{EARLIER}-1"]), f"/{PREFIX}/temporary/{EARLIER}-1"),
]


def test_what_this_run_makes_is_not_left_behind() -> None:
    world = GoodWorld()
    of_run(RUN, QUEUE, key_arn("made"))(world)
    world.s3.buckets[OUTPUTS.data_bucket].objects[f"{OBJECT_PREFIX}{RUN}/1"] = [{"VersionId": "1"}]
    for check in ("nothing-of-earlier-runs-is-left", "everything-tagged-belongs-to-a-stack"):
        verdict = judge(f"teardown.{check}", world)
        assert verdict.outcome is Outcome.PASS, verdict.summary


def test_a_key_of_an_earlier_run_may_wait_for_its_deletion() -> None:
    world = GoodWorld()
    of_run(EARLIER, OLD)(world)
    assert judge(LEFT, world).outcome is Outcome.PASS


def test_the_run_before_this_one_is_asked_about_and_none_before_it() -> None:
    """Each run looks after the one before it: a class makes hundreds of keys that wait for their deletion."""
    world = GoodWorld()
    older = key_arn("older")
    of_run("run-0000", older)(world)
    of_run("run-0000-later", OLD)(world)
    assert judge(LEFT, world).outcome is Outcome.PASS
    assert {request["KeyId"] for request in world.asked("kms:DescribeKey")} == {OLD}


def test_keys_that_the_sweep_saw_on_their_way_out_are_not_asked_about_again() -> None:
    world = GoodWorld()
    left = key_arn("left")
    of_run(EARLIER, OLD, left)(world)
    lab = open_lab(world)
    seen_leaving(lab.access, RUN).add(OLD)
    verdict = run(REGISTRY[LEFT], lab)
    assert (verdict.outcome, left in verdict.summary) == (Outcome.FAIL, True)
    assert OLD not in verdict.summary
    assert {request["KeyId"] for request in world.asked("kms:DescribeKey")} == {left}
    assert any("saw 1 keys of the run run-0000 on their way out" in call.detail for call in verdict.evidence)


def test_a_name_that_only_ends_like_a_resource_is_a_stray() -> None:
    world = GoodWorld()
    tagged(f"arn:aws:s3:::not-{OUTPUTS.data_bucket}")(world)
    verdict = judge("teardown.everything-tagged-belongs-to-a-stack", world)
    assert verdict.outcome is Outcome.FAIL
    assert f"not-{OUTPUTS.data_bucket}" in verdict.summary


@pytest.mark.parametrize("who", [Persona.OPERATOR, Persona.AUDITOR])
def test_a_key_of_an_earlier_lab_may_know_only_one_of_two(who: Persona) -> None:
    world = GoodWorld()
    world.refuses("kms:DescribeKey", who)
    verdict = judge("teardown.everything-tagged-belongs-to-a-stack", world)
    assert verdict.outcome is Outcome.PASS, verdict


def test_a_key_that_nobody_may_look_at_is_not_said_to_be_going() -> None:
    world = GoodWorld()
    world.refuses("kms:DescribeKey")
    verdict = judge("teardown.everything-tagged-belongs-to-a-stack", world)
    assert verdict.outcome is Outcome.ERROR, verdict
