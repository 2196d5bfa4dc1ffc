"""What the probes of one run share: clients, principals, keys that take long to make, and how to remove them."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from kmslab.checks.runner import new_run_id
from kmslab.checks.temporary import LEAVING, REPLICA_REGIONS, SHORTEST_WINDOW_DAYS
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG
from kmslab.model.target import Credentials
from kmslab.probe.clients import Clients
from kmslab.probe.failures import failures
from kmslab.probe.model import CouldNotLook

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from kmslab.model.target import Target

T = TypeVar("T")
Statement = dict[str, Any]

ROLE_PATH = "/kmslab-probe/"
"""The path of every role that probes make: what a crashed run left is found by it."""
SETTLING = frozenset({"Creating", "Updating"})
"""States that a key leaves by itself."""
SETTLING_SECONDS = 15.0
"""How long it may take to leave them."""
SETTLING_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody with credentials.

    Attributes:
        arn: of the role or user, as policies name it.
        credentials: None: the default chain's.
    """

    arn: str
    credentials: Credentials | None


class World:
    """One run of the suite on one target; thread-safe.

    Attributes:
        target: where the calls go.
        other: credentials of an administrator of a second account; None: there is none.
        prefix: the lab's prefix, in the tags of what is made.
        clients: shared.
        run_id: in the tags of what is made.
        stopping: set on Ctrl-C: the probes end early and clean up.
        problems: what could not be removed.
    """

    def __init__(self, target: Target, prefix: str, other: Credentials | None = None) -> None:
        self.target = target
        self.other = other
        self.prefix = prefix
        self.clients = Clients(target)
        self.run_id = new_run_id()
        self.stopping = threading.Event()
        self.problems: list[str] = []
        self._pause = threading.Event()  # never set
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._made: dict[Hashable, Any] = {}
        self._shared_keys: list[str] = []
        self._roles: list[tuple[Principal, str]] = []

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` made under this name, or raise what it raised, at the first call."""
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._made:
                try:
                    self._made[name] = make()
                except CouldNotLook as error:
                    self._made[name] = error
        found = self._made[name]
        if isinstance(found, CouldNotLook):
            raise CouldNotLook(str(found))
        return found  # type: ignore[no-any-return]  # what `make` returned under this name

    def client(self, service: str, *, region: str = "") -> Any:
        """The operator's client."""
        return self.clients.get(service, self.target.credentials, region=region)

    @property
    def caller(self) -> Mapping[str, str]:
        """Who the operator is, as GetCallerIdentity says."""
        return self.once("caller", lambda: self.client("sts").get_caller_identity())

    @property
    def account(self) -> str:
        """The operator's account."""
        return str(self.caller["Account"])

    @property
    def partition(self) -> str:
        """``aws`` and the like."""
        return str(self.caller["Arn"]).split(":")[1]

    @property
    def other_region(self) -> str:
        """Another Region of the same partition."""
        regions = REPLICA_REGIONS.get(self.partition, REPLICA_REGIONS["aws"])
        return next(region for region in regions if region != self.target.region)

    @property
    def operator(self) -> str:
        """The operator as a policy names it: of an assumed role the role."""
        arn = str(self.caller["Arn"])
        if ":assumed-role/" not in arn:
            return arn
        name = arn.split("/")[1]
        return str(self.once("operator", lambda: self._role_arn(name)))

    def _role_arn(self, name: str) -> str:
        try:
            return str(self.client("iam").get_role(RoleName=name)["Role"]["Arn"])
        except failures():  # a role without a path, in all likelihood
            return f"arn:{self.partition}:iam::{self.account}:role/{name}"

    # --- policies

    @staticmethod
    def policy(*statements: Statement) -> str:
        """A policy document."""
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    @property
    def root(self) -> str:
        """The account principal."""
        return f"arn:{self.partition}:iam::{self.account}:root"

    @property
    def delegation(self) -> Statement:
        """KMS's own default key policy: IAM decides (Developer Guide, "Default key policy")."""
        return {"Effect": "Allow", "Principal": {"AWS": self.root}, "Action": "kms:*", "Resource": "*"}

    @staticmethod
    def allow(who: Principal, *actions: str, condition: Mapping[str, Any] | None = None) -> Statement:
        """A statement of a key policy for one principal."""
        statement: Statement = {
            "Effect": "Allow",
            "Principal": {"AWS": who.arn},
            "Action": [f"kms:{action}" for action in actions],
            "Resource": "*",
        }
        return {**statement, "Condition": dict(condition)} if condition else statement

    @staticmethod
    def deny(*actions: str, condition: Mapping[str, Any] | None = None) -> Statement:
        """A statement of a key policy that denies everybody something."""
        statement: Statement = {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": [f"kms:{action}" for action in actions],
            "Resource": "*",
        }
        return {**statement, "Condition": dict(condition)} if condition else statement

    @staticmethod
    def identity(*actions: str, condition: Mapping[str, Any] | None = None) -> Statement:
        """A statement of an identity policy, on every resource."""
        statement: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return {**statement, "Condition": dict(condition)} if condition else statement

    # --- principals

    def role(
        self,
        *statements: Statement,
        boundary: Statement | None = None,
        tags: Mapping[str, str] | None = None,
        session_policy: Statement | None = None,
    ) -> Principal:
        """Make a role with these statements as its identity policy and assume it.

        It is removed at the end of the run.

        Raises:
            CouldNotLook: the target cannot do that.
        """
        owner = Principal(self.operator, self.target.credentials)
        made = self._role_of(owner, self.root, statements, boundary=boundary, tags=tags)
        return self.assume(made.arn, session_policy=session_policy) if session_policy else made

    def _role_of(
        self,
        owner: Principal,
        account: str,
        statements: Sequence[Statement],
        *,
        boundary: Statement | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Principal:
        iam, name = self.clients.get("iam", owner.credentials), f"kmslab-probe-{uuid4().hex[:16]}"
        trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
        labels = {TEMPORARY_TAG: self.run_id, PREFIX_TAG: self.prefix, **(tags or {})}
        extra: dict[str, Any] = {}
        try:
            if boundary:
                made = iam.create_policy(
                    PolicyName=name, Path=ROLE_PATH, PolicyDocument=self.policy(boundary)
                )
                extra["PermissionsBoundary"] = made["Policy"]["Arn"]
            role = iam.create_role(
                RoleName=name,
                Path=ROLE_PATH,
                AssumeRolePolicyDocument=self.policy(trust),
                Tags=[{"Key": key, "Value": value} for key, value in labels.items()],
                **extra,
            )["Role"]
            self._roles.append((owner, name))
            if statements:
                iam.put_role_policy(
                    RoleName=name, PolicyName="probe", PolicyDocument=self.policy(*statements)
                )
            return self.assume(str(role["Arn"]), owner=owner)
        except failures() as error:
            raise CouldNotLook(f"no role could be made: {type(error).__name__}") from error

    def assume(
        self, role_arn: str, *, session_policy: Statement | None = None, owner: Principal | None = None
    ) -> Principal:
        """Assume a role for an hour, as the operator unless somebody else is named."""
        extra = {"Policy": self.policy(session_policy)} if session_policy else {}
        credentials = owner.credentials if owner else self.target.credentials
        given = self.clients.get("sts", credentials).assume_role(
            RoleArn=role_arn, RoleSessionName="kmslab-probe", DurationSeconds=3600, **extra
        )["Credentials"]
        return Principal(
            role_arn, Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        )

    @property
    def stranger(self) -> Principal:
        """A role that no identity policy lets do anything."""
        return self.once("stranger", self.role)

    @property
    def member(self) -> Principal:
        """A role whose identity policy lets it do everything with KMS, S3, EBS, Secrets Manager and parameters."""
        actions = ["kms:*", "s3:*", "ec2:*", "ebs:*", "secretsmanager:*", "ssm:*"]
        allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        return self.once("member", lambda: self.role(allow))

    @property
    def storer(self) -> Principal:
        """A role whose identity policy lets it use the services that store things, and nothing of KMS."""
        actions = ["s3:*", "ec2:*", "ebs:*", "secretsmanager:*", "ssm:*"]
        allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        return self.once("storer", lambda: self.role(allow))

    # --- the second account

    @property
    def other_administrator(self) -> Principal:
        """Who may do everything in the second account."""
        if self.other is None:
            raise CouldNotLook("no credentials of a second account are known")
        credentials = self.other
        caller = self.once("other caller", lambda: self.clients.get("sts", credentials).get_caller_identity())
        if caller["Account"] == self.account:
            raise CouldNotLook("the second account's credentials belong to the first account")
        return Principal(str(caller["Arn"]), credentials)

    @property
    def other_root(self) -> str:
        """The second account as a principal."""
        return f"arn:{self.partition}:iam::{self.other_administrator.arn.split(':')[4]}:root"

    def other_role(self, *statements: Statement) -> Principal:
        """Make a role of the second account with these statements and assume it there."""
        return self._role_of(self.other_administrator, self.other_root, statements)

    # --- keys

    def shared_key(self, spec: str, usage: str) -> str:
        """The run's key of a kind."""

        def make() -> str:
            tags = [
                {"TagKey": TEMPORARY_TAG, "TagValue": self.run_id},
                {"TagKey": PREFIX_TAG, "TagValue": self.prefix},
            ]
            try:
                made = self.client("kms").create_key(KeySpec=spec, KeyUsage=usage, Tags=tags)["KeyMetadata"]
            except failures() as error:
                raise CouldNotLook(f"no key of {spec} for {usage}: {error}") from error
            self._shared_keys.append(made["Arn"])
            return str(made["Arn"])

        return self.once(("key", spec, usage), make)

    def discard(self, arn: str) -> None:
        """Schedule the deletion of a key unless that has been done.

        A replica that is still made, and a key whose primary moves, cannot be deleted yet (KMS Developer Guide,
        "Key states"): it waits for them, even when the run has been stopped.
        """
        from botocore.exceptions import ClientError

        kms = self.client("kms", region=arn.split(":")[3])
        deadline = time.monotonic() + SETTLING_SECONDS
        while True:
            try:
                kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=SHORTEST_WINDOW_DAYS)
            except ClientError:
                state = kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
                if state in LEAVING:
                    return
                if state not in SETTLING or time.monotonic() > deadline:
                    raise
                self._pause.wait(SETTLING_PAUSE_SECONDS)
            else:
                return

    # --- the end

    def close(self) -> None:
        """Remove what the probes shared."""
        for arn in self._shared_keys:
            try:
                self.discard(arn)
            except failures() as error:
                self.problems.append(f"key {arn}: {error}")
        for owner, name in self._roles:
            try:
                remove_role(self.clients.get("iam", owner.credentials), name)
            except failures() as error:
                self.problems.append(f"role {name}: {error}")


def remove_role(iam: Any, name: str) -> None:
    """Remove a role that a probe made, with its policy and its boundary."""
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    boundary = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary")
    iam.delete_role(RoleName=name)
    if boundary:
        iam.delete_policy(PolicyArn=boundary["PermissionsBoundaryArn"])
