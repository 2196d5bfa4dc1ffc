"""One engine for the session, and principals with exactly the permissions that a test gives them."""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import create_loader

from kmslab.engine import control, identity
from kmslab.engine.session import administrator_credentials
from kmslab.model.target import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LOADER = create_loader()
"""Shared, so that a service model is parsed once in the session."""

Statement = dict[str, Any]


@dataclass(frozen=True)
class Principal:
    """Somebody with credentials."""

    arn: str
    credentials: Credentials

    @property
    def name(self) -> str:
        """The name of the role or user."""
        return self.arn.rsplit("/", 1)[-1]


class Engine:
    """A running engine, its administrator, and ways to make other principals."""

    def __init__(self, home: Path, info: control.EngineInfo) -> None:
        self.home = home
        self.info = info
        self.administrator = administrator_credentials(home, info, 3600)
        self._clients: dict[tuple[str, Credentials, str, bool], Any] = {}

    @property
    def account(self) -> str:
        return self.info.account_id

    @property
    def region(self) -> str:
        return self.info.region

    @property
    def root(self) -> Credentials:
        """The account root user's own key."""
        kept = identity.load(self.home / "engine")
        return Credentials(kept.access_key_id, kept.secret_access_key)

    def client(
        self,
        service: str,
        who: Principal | Credentials | None = None,
        *,
        region: str = "",
        plain_http: bool = False,
    ) -> Any:
        """A boto3 client; the administrator's unless somebody else is named. No retries."""
        given = who.credentials if isinstance(who, Principal) else who or self.administrator
        key = (service, given, region or self.region, plain_http)
        if key not in self._clients:
            core = botocore.session.Session()
            core.register_component("data_loader", LOADER)
            session: Any = boto3.Session(
                given.access_key_id, given.secret_access_key, given.session_token, botocore_session=core
            )
            self._clients[key] = session.client(
                service,
                region_name=region or self.region,
                endpoint_url=self.info.plain_http_url if plain_http else self.info.endpoint_url,
                verify=str(self.info.ca_bundle),
                # The engine is to validate, not botocore.
                config=Config(
                    retries={"total_max_attempts": 1},
                    s3={"addressing_style": "path"},
                    parameter_validation=False,
                ),
            )
        return self._clients[key]

    def role(
        self,
        *statements: Statement,
        boundary: Sequence[Statement] = (),
        session_policy: Sequence[Statement] = (),
        path: str = "/",
        tags: dict[str, str] | None = None,
    ) -> Principal:
        """A new role with these statements as its identity policy, already assumed by the administrator."""
        iam, name = self.client("iam"), f"role-{uuid.uuid4().hex[:12]}"
        extra: dict[str, Any] = (
            {"Tags": [{"Key": k, "Value": v} for k, v in (tags or {}).items()]} if tags else {}
        )
        if boundary:
            made = iam.create_policy(PolicyName=f"{name}-boundary", PolicyDocument=policy(*boundary))
            extra["PermissionsBoundary"] = made["Policy"]["Arn"]
        trust = {"Effect": "Allow", "Principal": {"AWS": self.account}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=policy(trust), **extra)[
            "Role"
        ]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="identity", PolicyDocument=policy(*statements))
        return Principal(role["Arn"], self.assume(role["Arn"], session_policy=session_policy))

    def assume(
        self,
        role_arn: str,
        who: Principal | Credentials | None = None,
        *,
        session_policy: Sequence[Statement] = (),
        **parameters: Any,
    ) -> Credentials:
        """Credentials of a role, assumed by somebody: the administrator unless named."""
        if session_policy:
            parameters["Policy"] = policy(*session_policy)
        answer = self.client("sts", who).assume_role(RoleArn=role_arn, RoleSessionName="test", **parameters)
        found = answer["Credentials"]
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def user(self, *statements: Statement) -> Principal:
        """A new IAM user with an access key and these statements as its identity policy."""
        iam, name = self.client("iam"), f"user-{uuid.uuid4().hex[:12]}"
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="identity", PolicyDocument=policy(*statements))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Principal(arn, Credentials(made["AccessKeyId"], made["SecretAccessKey"]))

    def key(self, *statements: Statement, **parameters: Any) -> str:
        """A new key; with statements they are its whole policy, beside the administrator's own. Returns its ARN."""
        if statements:
            parameters["Policy"] = policy(self.own_statement(), *statements)
        return str(self.client("kms").create_key(**parameters)["KeyMetadata"]["Arn"])

    def own_statement(self) -> Statement:
        """Everything for the engine's administrator, without a word about the account."""
        return {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self.account}:role/kmslab-administrator"},
            "Action": "kms:*",
            "Resource": "*",
        }

    def account_statement(self, *actions: str, **condition: Any) -> Statement:
        """Delegation to identity policies: an account principal, with or without conditions."""
        found: Statement = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{self.account}:root"},
            "Action": list(actions) or "kms:*",
            "Resource": "*",
        }
        return {**found, "Condition": condition} if condition else found


def policy(*statements: Statement) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **rest: Any) -> Statement:
    """An identity statement on every resource."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **rest}


def principal_allow(who: Principal | str, *actions: str, **rest: Any) -> Statement:
    """A key policy statement for a principal."""
    arn = who.arn if isinstance(who, Principal) else who
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": list(actions), "Resource": "*", **rest}


@contextmanager
def refused(code: str, *words: str) -> Iterator[dict[str, Any]]:
    """Expect an AWS error with this code, whose message holds these words; the error is put into what it yields."""
    told: dict[str, Any] = {}
    with pytest.raises(ClientError) as caught:
        yield told
    error = caught.value.response["Error"]
    told.update(error)
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"], error


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def error_code(call: Callable[[], object]) -> str:
    """The AWS error code that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


@contextmanager
def engine_in(folder: Path, **how: Any) -> Iterator[Engine]:
    """An engine of somebody's own with its home in a folder, stopped at the end; `control.start` says how it can run."""
    home = folder / ".kmslab"
    try:
        yield Engine(home, control.start(home, **how))
    finally:
        control.stop(home)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine of the session's own."""
    with engine_in(tmp_path_factory.mktemp("engine")) as found:
        yield found


@pytest.fixture(scope="session")
def kms(engine: Engine) -> Any:
    """KMS as the engine's administrator."""
    return engine.client("kms")


@pytest.fixture
def s3(engine: Engine) -> Any:
    """S3 as the engine's administrator."""
    return engine.client("s3")


@pytest.fixture
def ec2(engine: Engine) -> Any:
    """EC2 as the engine's administrator."""
    return engine.client("ec2")


@pytest.fixture
def key(engine: Engine) -> str:
    """The ARN of a key of the test's own, whose policy leaves its use to IAM."""
    return engine.key(engine.account_statement())


@pytest.fixture
def bucket(s3: Any) -> str:
    """The name of a bucket of the test's own, with what S3 gives a new one."""
    name = f"bucket-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def make_key(engine: Engine) -> Callable[..., str]:
    """`Engine.key`, for tests that need nothing else of the engine."""
    return engine.key


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[identity.Identity]:
    """MiniStack with our rooms in this very process, for what no client can reach.

    The environment it needs is taken away again: other tests in this process must not see it.
    """
    from kmslab.engine import install, server

    before = dict(os.environ)
    who = identity.Identity("911111111111", "us-east-1", "AKIAINSIDEINSIDEINSI", "inside-secret")
    server.prepare_environment(tmp_path_factory.mktemp("inside"), who, 0, ca_bundle=None)
    install()
    from ministack.core.responses import request_scope

    try:
        with request_scope(who.account_id, who.region):
            yield who
    finally:
        os.environ.clear()
        os.environ.update(before)
