"""A scripted AWS for the checks: real botocore clients whose requests never leave the process.

Real clients mean that parameters are validated against the service model, that paginators and
waiters work, and that errors are botocore's own. What comes back is decided by rules, the newest
first:

    world = World()
    world.answers("s3:GetBucketVersioning", {"Status": "Enabled"})
    world.refuses("kms:Decrypt", Persona.OUTSIDER)
    verdict = judge("s3.bucket-is-versioned", world)

A test of a check shows it three times: PASS in a good world, FAIL after one thing is broken,
ERROR when the service cannot be reached (`World.unreachable`).
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import EndpointConnectionError
from botocore.loaders import create_loader

from kmslab import sessions
from kmslab.checks import REGISTRY, run
from kmslab.checks.sweep import remove_objects
from kmslab.lab import Access, Lab
from kmslab.model.capability import ALL, Capability
from kmslab.model.outputs import LabOutputs
from kmslab.model.target import Credentials, Target, TargetKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from kmslab.model.persona import Persona
    from kmslab.model.verdict import Verdict

ACCOUNT = "111122223333"
REGION = "eu-central-1"
PREFIX = "kms-lab"
RUN = "run-0001"


def key_arn(name: str) -> str:
    """ARN of one of the lab's keys in the fake account: ``key_arn("app")``."""
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name:0>8.8}-0000-0000-0000-000000000000"


def role_arn(name: str) -> str:
    """ARN of a persona's role in the fake account."""
    return f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-{name}"


OUTPUTS = LabOutputs(
    {output.name: f"{output.name.replace('_', '-')}-value" for output in LabOutputs.all()}
    | {o.name: key_arn(o.name.removeprefix("key_")) for o in LabOutputs.all() if o.name.startswith("key_")}
    | {
        o.name: role_arn(o.name.removeprefix("role_").replace("_", "-"))
        for o in LabOutputs.all()
        if o.name.startswith("role_")
    }
    | {
        "admin_user": "kenya-one",
        "admin_boundary": f"arn:aws:iam::{ACCOUNT}:policy/{PREFIX}-admin-boundary",
        "admin_password_secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{PREFIX}/admin-abcdef",
        "app_secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{PREFIX}/app-abcdef",
        "data_volume": "vol-0123456789abcdef0",
        "trail": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{PREFIX}",
        "alarm_topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-alarms",
    }
)
"""What the fake stacks export. Buckets are ``data-bucket-value`` and so on."""


@dataclass(frozen=True)
class Request:
    """One call as a rule sees it; parameters in the service's own spelling."""

    persona: Persona
    action: str
    parameters: Mapping[str, Any]
    plain_http: bool = False
    region: str = ""

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or the default when the caller left it out."""
        return self.parameters.get(name, default)


class Refusal(Exception):  # noqa: N818  # an answer of a fake service, not a failure of the test
    """What a rule raises to answer with an AWS error."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status


Statement: TypeAlias = "dict[str, Any]"
"""One statement of a policy."""
Reply: TypeAlias = "Mapping[str, Any] | Callable[[Request], Mapping[str, Any]]"


@dataclass(frozen=True)
class _Rule:
    action: str
    personas: Collection[Persona]
    when: Callable[[Request], bool]
    reply: Any

    def matches(self, request: Request) -> bool:
        return (
            self.action in {"*", request.action}
            and (not self.personas or request.persona in self.personas)
            and self.when(request)
        )


def _always(_: Request) -> bool:
    return True


@dataclass
class World:
    """Rules that answer every request; ``requests`` is the log of what was asked."""

    requests: list[Request] = field(default_factory=list)
    _rules: list[_Rule] = field(default_factory=list)

    def answers(
        self, action: str, reply: Reply, *personas: Persona, when: Callable[[Request], bool] = _always
    ) -> World:
        """Answer an action with a response, or with what a function of the request returns.

        Without personas the rule holds for everyone. Rules added later win.
        """
        self._rules.insert(0, _Rule(action, personas, when, reply))
        return self

    def refuses(
        self,
        action: str,
        *personas: Persona,
        code: str = "AccessDeniedException",
        message: str = "",
        when: Callable[[Request], bool] = _always,
    ) -> World:
        """Answer an action with an error: by default AWS's wording of a missing permission."""

        def refuse(request: Request) -> Mapping[str, Any]:
            service, _, operation = request.action.partition(":")
            raise Refusal(
                code,
                message
                or f"User: {role_arn(request.persona)} is not authorized to perform: {service}:{operation} "
                f"because no identity-based policy allows the {service}:{operation} action",
                403 if "Denied" in code else 400,
            )

        return self.answers(action, refuse, *personas, when=when)

    def unreachable(self, action: str = "*") -> World:
        """Answer as if the endpoint were down."""

        def fail(_: Request) -> Mapping[str, Any]:
            raise EndpointConnectionError(endpoint_url="https://unreachable.invalid")

        return self.answers(action, fail)

    def reply_to(self, request: Request) -> Mapping[str, Any]:
        """Return the answer of the newest rule that matches.

        The account is in no organization unless a rule says so, and anybody may ask STS who they are.

        Raises:
            AssertionError: no rule knows the action: the world must be told about it.
        """
        self.requests.append(request)
        for rule in self._rules:
            if rule.matches(request):
                # A copy: botocore decodes policies inside the answer, and the rule answers again.
                reply: Mapping[str, Any] = (
                    rule.reply(request) if callable(rule.reply) else deepcopy(rule.reply)
                )
                return reply
        if request.action.startswith("organizations:"):
            raise Refusal("AWSOrganizationsNotInUseException")
        if request.action == "sts:GetCallerIdentity":
            return {"Account": ACCOUNT}
        raise AssertionError(f"the fake world has no answer to {request.action} by {request.persona}")

    def asked(self, action: str) -> list[Request]:
        """Return the requests for an action, in order."""
        return [request for request in self.requests if request.action == action]


class FakeAccess(Access):
    """The real `Access`, with clients that ask a `World` instead of the network."""

    def __init__(self, world: World, *, kind: TargetKind = TargetKind.LOCAL) -> None:
        super().__init__(Target(kind, REGION, "https://127.0.0.1:1", "http://127.0.0.1:1"), PREFIX)
        self.world = world

    @property
    def caller(self) -> dict[str, str]:
        return {
            "Account": ACCOUNT,
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session",
            "UserId": "AROADEPLOYER:session",
        }

    def _make(self, persona: Persona, service: str, *, plain_http: bool, region: str) -> Any:
        client = _SESSION.client(service, region_name=region or REGION, endpoint_url="https://127.0.0.1:1")

        def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["kmslab"] = dict(params)

        def reply(model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
            action = f"{service}:{model.name}"
            request = Request(persona, action, context["kmslab"], plain_http, region)
            try:
                answer = dict(self.world.reply_to(request))
            except Refusal as refusal:
                error = {"Code": refusal.code, "Message": refusal.message}
                status = {"HTTPStatusCode": refusal.status}
                return SimpleNamespace(status_code=refusal.status), {
                    "Error": error,
                    "ResponseMetadata": status,
                }
            answer.setdefault("ResponseMetadata", {"HTTPStatusCode": 200})
            return SimpleNamespace(status_code=200), answer

        client.meta.events.register("provide-client-params", remember)
        client.meta.events.register("before-call", reply)
        return client


_SESSION = sessions.as_operator(create_loader(), REGION, Credentials("AKIAFAKE", "fake", "fake"))


def open_lab(
    world: World,
    *,
    capabilities: frozenset[Capability] = ALL,
    outputs: LabOutputs = OUTPUTS,
) -> Lab:
    """Return a lab whose every call goes to the world."""
    return Lab(FakeAccess(world), outputs, capabilities, RUN)


def judge(check_id: str, world: World, *, outputs: LabOutputs = OUTPUTS) -> Verdict:
    """Run one check in a world, remove its objects as the end of a run does, and return its verdict."""
    lab = open_lab(world, outputs=outputs)
    verdict = run(REGISTRY[check_id], lab)
    remove_objects(lab.access, lab.run_id)
    return verdict


def policy_document(*statements: Mapping[str, Any]) -> str:
    """Return a policy as KMS and IAM hand it out: JSON text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
