from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.checks import history
from kmslab.model.naming import TEMPORARY_TAG
from kmslab.model.persona import Persona
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Outcome
from tests.checks.fakes import ACCOUNT, OUTPUTS, PREFIX, REGION, RUN, Request, World, judge, key_arn
from tests.checks.table import Broken, checks_of

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = Persona.DATA_OWNER
SCRATCH = key_arn("scratch")
LABS = f"/{PREFIX}/secure-string"
DESCRIBED = {"Name": LABS, "Type": "SecureString", "KeyId": OUTPUTS.key_secrets}


class GoodWorld(World):
    """A world in which every check of parameters passes.

    Attributes:
        parameters: by name, as they were put.
        labs: how the lab's own parameter is described; None: it is not there.
        event: changes of the recorded use.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parameters: dict[str, Any] = {}
        self.labs: dict[str, Any] | None = DESCRIBED
        self.event: dict[str, Any] = {}
        self.answers("kms:CreateKey", {"KeyMetadata": {"Arn": SCRATCH, "KeyId": SCRATCH}})
        self.answers("kms:DescribeKey", {"KeyMetadata": {"KeyId": SCRATCH, "KeyState": "Enabled"}})
        self.answers("ssm:PutParameter", self.put)
        self.answers("ssm:GetParameter", self.get)
        self.answers("ssm:DeleteParameters", self.delete)
        self.answers("ssm:DescribeParameters", self.described)
        self.answers("cloudtrail:LookupEvents", self.history)
        self.refuses("ssm:GetParameter", OWNER, message="may not kms:Decrypt", when=self.closed)

    def closed(self, request: Request) -> bool:
        put = self.parameters[request["Name"]]
        return bool(request["WithDecryption"] and put.get("KeyId") == SCRATCH)

    def put(self, request: Request) -> dict[str, Any]:
        self.parameters[request["Name"]] = request
        return {"Version": 1}

    def get(self, request: Request) -> dict[str, Any]:
        put = self.parameters[request["Name"]]
        sealed = put["Type"] == "SecureString" and not request["WithDecryption"]
        return {"Parameter": {"Name": request["Name"], "Value": "AQIC" if sealed else put["Value"]}}

    def delete(self, request: Request) -> dict[str, Any]:
        for name in request["Names"]:
            del self.parameters[name]
        return {}

    def described(self, request: Request) -> dict[str, Any]:
        """Two pages: what checks made, then the lab's own."""
        (only,) = request["ParameterFilters"]
        assert only == {"Key": "Name", "Option": "BeginsWith", "Values": [f"/{PREFIX}/"]}
        if request.get("NextToken"):
            return {"Parameters": [self.labs] if self.labs else []}
        made = [
            {"Name": name, "Type": put["Type"], "KeyId": put.get("KeyId")}
            for name, put in self.parameters.items()
        ]
        stranger = {"Name": f"/{PREFIX}/temporary/another-run", "Type": "String"}
        return {"Parameters": [*made, stranger], "NextToken": "more"}

    def history(self, _: Request) -> dict[str, Any]:
        arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{next(iter(self.parameters))}"
        event = {
            "eventName": "Decrypt",
            "userIdentity": {
                "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{PREFIX}-data-owner/kmslab",
                "invokedBy": "ssm.amazonaws.com",
            },
            "requestParameters": {"encryptionContext": {"PARAMETER_ARN": arn}},
            "resources": [{"ARN": OUTPUTS.key_secrets}],
            **self.event,
        }
        return {"Events": [{"CloudTrailEvent": json.dumps(event)}]}


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(history.HISTORY_SECONDS, TargetKind.LOCAL, 0.0)


def labs(**changes: Any) -> Callable[[World], object]:
    return lambda world: vars(world).update(labs={**DESCRIBED, **changes})


def event(**changes: Any) -> Callable[[World], object]:
    return lambda world: vars(world).update(event=changes)


def opens_everything(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.answers("ssm:GetParameter", world.get)


def always(value: str) -> Callable[[World], object]:
    return lambda world: world.answers("ssm:GetParameter", {"Parameter": {"Value": value}})


def never_sealed(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.answers(
        "ssm:GetParameter", lambda r: {"Parameter": {"Value": world.parameters[r["Name"]]["Value"]}}
    )


def always_sealed(world: World) -> None:
    assert isinstance(world, GoodWorld)
    world.answers(
        "ssm:GetParameter", {"Parameter": {"Value": "AQIC"}}, when=lambda r: not r["WithDecryption"]
    )


def forgotten(world: World) -> None:
    world.answers("ssm:DescribeParameters", {"Parameters": [DESCRIBED]})


WHO = {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{PREFIX}-auditor/x", "invokedBy": "ssm.amazonaws.com"}
BROKEN = [
    Broken("parameters.secure-strings-are-under-the-labs-key", labs(Type="String"), f"{LABS} is a String"),
    Broken(
        "parameters.secure-strings-are-under-the-labs-key", labs(KeyId="alias/aws/ssm"), "under alias/aws/ssm"
    ),
    Broken("parameters.secure-strings-are-under-the-labs-key", forgotten, "does not show the parameter"),
    Broken("parameters.permission-on-a-parameter-is-not-enough", opens_everything, "data-owner could call"),
    Broken("parameters.permission-on-a-parameter-is-not-enough", always("else"), "something else"),
    Broken("parameters.without-decryption-there-is-ciphertext", never_sealed, "shows its value"),
    Broken("parameters.without-decryption-there-is-ciphertext", always_sealed, "nothing to compare"),
    Broken(
        "parameters.use-is-recorded-with-the-parameter",
        event(resources=[{"ARN": OUTPUTS.key_app}]),
        f"the event names {OUTPUTS.key_app}",
    ),
    Broken("parameters.use-is-recorded-with-the-parameter", event(userIdentity=WHO), "not the data-owner"),
    Broken(
        "parameters.use-is-recorded-with-the-parameter",
        event(requestParameters={"encryptionContext": {"PARAMETER_ARN": "another"}}),
        "did not happen",
        Outcome.ERROR,
    ),
]


def test_a_lab_without_its_own_parameter_is_judged_by_the_checks() -> None:
    """Plain `cdk deploy` does not make one: CloudFormation cannot."""
    world = GoodWorld()
    world.labs = None
    verdict = judge("parameters.secure-strings-are-under-the-labs-key", world)
    assert verdict.outcome is Outcome.PASS
    assert "parameters looked at: 1" in verdict.summary


def test_a_strings_request_names_no_key_and_each_is_marked() -> None:
    world = GoodWorld()
    judge("parameters.without-decryption-there-is-ciphertext", world)
    sealed, plain = world.asked("ssm:PutParameter")
    assert (sealed["Type"], sealed["KeyId"]) == ("SecureString", OUTPUTS.key_secrets)
    assert (plain["Type"], plain.get("KeyId")) == ("String", None)
    for put in (sealed, plain):
        assert put["Name"].startswith(f"/{PREFIX}/temporary/{RUN}-")
        assert {"Key": TEMPORARY_TAG, "Value": RUN} in put["Tags"]


@pytest.mark.parametrize("check", checks_of("parameters"))
def test_no_value_is_kept_as_evidence(check: str) -> None:
    world = GoodWorld()
    verdict = judge(check, world)
    values = {request["Value"] for request in world.asked("ssm:PutParameter")}
    assert values
    assert not any(value in str(verdict) for value in values)
