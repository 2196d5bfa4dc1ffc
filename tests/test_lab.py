from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, NoCredentialsError

from kmslab.lab import SETTLE_SECONDS, Access, Failed, Inconclusive, Lab, NotOffered
from kmslab.model.persona import Persona
from kmslab.model.target import Credentials, Target, TargetKind
from kmslab.model.verdict import Call
from tests.checks.fakes import OUTPUTS, FakeAccess, Request, World, open_lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OWNER, OUTSIDER = Persona.DATA_OWNER, Persona.OUTSIDER
SECRET = b"a very secret plaintext"


def decrypt(lab: Any, persona: Persona = OWNER) -> Any:
    return lab.allowed(persona, "kms:Decrypt", CiphertextBlob=b"x")


def two_sided() -> World:
    """The owner decrypts, the outsider is refused."""
    return World().answers("kms:Decrypt", {"Plaintext": SECRET}).refuses("kms:Decrypt", OUTSIDER)


def test_a_refusal_without_a_positive_control_is_inconclusive() -> None:
    lab = open_lab(two_sided())
    with pytest.raises(Inconclusive, match="nobody succeeded with kms:Decrypt"):
        lab.refused(OUTSIDER, "kms:Decrypt", CiphertextBlob=b"x")
    assert lab.calls == []


def test_a_refusal_beside_a_positive_control_counts() -> None:
    lab = open_lab(two_sided())
    decrypt(lab)
    said = lab.refused(OUTSIDER, "kms:Decrypt", by="kms:Decrypt", CiphertextBlob=b"x")
    assert "not authorized to perform: kms:Decrypt" in said


UNKNOWN = "UnknownOperationException"


def test_an_operation_that_the_target_does_not_have_is_not_offered() -> None:
    lab = open_lab(two_sided().refuses("kms:Decrypt", OWNER, code=UNKNOWN, message="none"))
    with pytest.raises(NotOffered, match="does not offer Decrypt"):
        decrypt(lab)
    with pytest.raises(NotOffered, match="does not offer Decrypt"):
        lab.read("kms:Decrypt", persona=OWNER, CiphertextBlob=b"x")
    with pytest.raises(NotOffered, match="does not offer Decrypt"):
        lab.refused(OWNER, "kms:Decrypt", unproven_is_fine=True, CiphertextBlob=b"x")


def test_an_error_that_a_check_waits_for_is_a_refusal_whatever_it_says() -> None:
    world = World().refuses("kms:EnableKeyRotation", OUTSIDER, code="UnsupportedOperationException")
    lab = open_lab(world.answers("kms:EnableKeyRotation", {}, OWNER))
    lab.allowed(OWNER, "kms:EnableKeyRotation", KeyId="k")
    lab.refused(OUTSIDER, "kms:EnableKeyRotation", codes={"UnsupportedOperationException"}, KeyId="k")


def test_a_positive_control_of_another_action_does_not_count() -> None:
    lab = open_lab(two_sided().answers("kms:Encrypt", {}))
    lab.allowed(OWNER, "kms:Encrypt", KeyId="k", Plaintext=b"x")
    with pytest.raises(Inconclusive):
        lab.refused(OUTSIDER, "kms:Decrypt", CiphertextBlob=b"x")


def test_a_call_that_should_be_refused_and_succeeds_fails() -> None:
    lab = open_lab(World().answers("kms:Decrypt", {}))
    decrypt(lab)
    with pytest.raises(Failed, match="outsider could call kms:Decrypt"):
        lab.refused(OUTSIDER, "kms:Decrypt", CiphertextBlob=b"x")


@pytest.mark.parametrize("code", ["ThrottlingException", "KMSInternalException", "ValidationException"])
def test_another_error_is_no_refusal(code: str) -> None:
    lab = open_lab(two_sided().refuses("kms:Decrypt", OUTSIDER, code=code))
    decrypt(lab)
    with pytest.raises(Inconclusive, match="not as a refusal"):
        lab.refused(OUTSIDER, "kms:Decrypt", CiphertextBlob=b"x")


def test_a_refusal_by_somebody_else_is_none() -> None:
    lab = open_lab(two_sided().refuses("kms:Decrypt", OUTSIDER, message="denied by a service control policy"))
    decrypt(lab)
    with pytest.raises(Inconclusive, match="not by kms:Decrypt"):
        lab.refused(OUTSIDER, "kms:Decrypt", by="kms:Decrypt", CiphertextBlob=b"x")


def test_who_cannot_be_assumed_is_not_refused_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = open_lab(two_sided())
    decrypt(lab)
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "sts:AssumeRole"}}, "AssumeRole")

    def client(persona: Persona, service: str, **_: Any) -> Any:
        raise denied

    monkeypatch.setattr(lab.access, "client", client)
    with pytest.raises(Inconclusive, match="nobody could act as outsider"):
        lab.refused(OUTSIDER, "kms:Decrypt", CiphertextBlob=b"x")


def test_a_permitted_dry_run_counts_as_permission() -> None:
    lab = open_lab(World().refuses("kms:Decrypt", code="DryRunOperationException"))
    lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=b"x", DryRun=True)
    assert lab.calls == [Call(OWNER, "kms:Decrypt", "", "ok", "dry run")]
    with pytest.raises(Failed):
        lab.refused(OUTSIDER, "kms:Decrypt", CiphertextBlob=b"x", DryRun=True)


def test_what_should_be_allowed_and_is_denied_fails() -> None:
    lab = open_lab(two_sided())
    with pytest.raises(Failed, match="outsider is refused kms:Decrypt"):
        decrypt(lab, OUTSIDER)


def test_a_permission_may_settle_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmslab.lab.SETTLE_SECONDS", dict.fromkeys(TargetKind, 30.0))
    world = two_sided()
    lab = open_lab(world)
    monkeypatch.setattr(lab, "_pause", lambda _: world.answers("kms:Decrypt", {}, OUTSIDER))
    decrypt(lab, OUTSIDER)
    assert [call.result for call in lab.calls] == ["AccessDeniedException", "ok"]


def test_looking_that_is_forbidden_is_inconclusive() -> None:
    lab = open_lab(World().refuses("kms:DescribeKey"))
    with pytest.raises(Inconclusive, match="auditor could not call kms:DescribeKey: AccessDeniedException"):
        lab.read("kms:DescribeKey", KeyId="k")


def test_evidence_names_the_thing_and_holds_no_content() -> None:
    lab = open_lab(two_sided().answers("s3:PutObject", {}))
    lab.allowed(OWNER, "s3:PutObject", Bucket="bucket", Key="object", Body=SECRET)
    decrypt(lab)
    assert [(call.action, call.resource, call.result) for call in lab.calls] == [
        ("s3:PutObject", "bucket/object", "ok"),
        ("kms:Decrypt", "", "ok"),
    ]
    assert SECRET.decode() not in repr(lab.calls)


def test_a_malformed_request_is_not_quoted_in_the_evidence() -> None:
    lab = open_lab(two_sided())
    with pytest.raises(Inconclusive):
        lab.allowed(OWNER, "kms:Encrypt", KeyId="k", Plaintext={"wrong": SECRET.decode()})
    assert lab.calls[0].result == "ParamValidationError"
    assert SECRET.decode() not in repr(lab.calls)


def test_what_a_check_made_is_undone_in_reverse_also_when_it_fails() -> None:
    done: list[str] = []
    lab = open_lab(World())
    lab.undo(lambda: done.append("first made"))
    lab.undo(lambda: done.append("made last"))
    with pytest.raises(Failed), lab:
        lab.expect(condition=False, otherwise="not as claimed")
    assert done == ["made last", "first made"]


def test_a_clean_up_that_fails_is_told_and_does_not_hide_the_verdict() -> None:
    world = World().refuses("kms:RevokeGrant").answers("kms:EnableKey", {})

    def dirty() -> Any:
        lab = open_lab(world)
        lab.undo(lambda: lab.client(OWNER, "kms").enable_key(KeyId="k"))
        lab.undo(lambda: lab.client(OWNER, "kms").revoke_grant(KeyId="k", GrantId="g"))
        return lab

    with pytest.raises(Inconclusive, match="could not clean up"), dirty():
        pass
    assert len(world.asked("kms:EnableKey")) == 1  # the others have their turn all the same
    lab = dirty()
    with pytest.raises(Failed), lab:
        lab.expect(condition=False, otherwise="not as claimed")
    assert lab.calls[-1].action == "clean-up"


def test_a_wait_ends_with_its_deadline() -> None:
    with pytest.raises(Inconclusive, match="the rotation did not happen"):
        open_lab(World()).wait_until(lambda: False, "the rotation", seconds=0)


def test_a_wait_ends_when_the_run_is_stopped() -> None:
    lab = open_lab(World())
    threading.Timer(0.05, lab.access.stopping.set).start()
    started = time.monotonic()
    with pytest.raises(Inconclusive, match="stopped"):
        lab.wait_until(lambda: False, "anything", seconds=30)
    assert time.monotonic() - started < 5


def test_a_thing_is_made_once_for_all_threads() -> None:
    access = Access(Target(TargetKind.LOCAL, "eu-central-1"), "kms-lab")
    made: list[str] = []
    start = threading.Barrier(8)

    def make() -> str:
        time.sleep(0.02)  # long enough for the other threads to arrive while it is being made
        made.append("made")
        return "thing"

    def want() -> None:
        start.wait()
        assert access.once("thing", make) == "thing"

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["made"]


def test_what_could_not_be_made_is_tried_again() -> None:
    access = Access(Target(TargetKind.LOCAL, "eu-central-1"), "kms-lab")

    def broken() -> str:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011  # the very one, without a message
        access.once("thing", broken)
    assert access.once("thing", lambda: "thing") == "thing"


class AssumingAccess(FakeAccess):
    """Personas' clients are the real ones; the world answers what they ask as well."""

    def _make(self, persona: Persona, service: str, **named: Any) -> Any:
        if persona is Persona.OPERATOR:
            return super()._make(persona, service, **named)
        return Access._make(self, persona, service, **named)


def assuming(*lifetimes: timedelta) -> World:
    """A world in which a role's credentials last as long as told, one time after another."""
    left = list(lifetimes)

    def assume(request: Request) -> Mapping[str, Any]:
        name = request["RoleArn"].rpartition("/")[2]
        lifetime = left.pop(0)
        given = {"AccessKeyId": f"ASIA-{name}-{len(left)}", "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": {**given, "Expiration": datetime.now(UTC) + lifetime}}

    return World().answers("sts:AssumeRole", assume)


def key_used_by(client: Any) -> str:
    """The access key that signs what the client signs next."""
    operation = {"kms": "list_keys", "s3": "list_buckets"}[client.meta.service_model.service_name]
    signed = parse_qs(urlsplit(client.generate_presigned_url(operation)).query)
    return str(signed["X-Amz-Credential"][0].partition("/")[0])


def test_a_persona_is_assumed_once_and_acts_with_its_own_credentials() -> None:
    world = assuming(timedelta(hours=1))
    access = AssumingAccess(world)
    for service in ("kms", "s3"):
        assert key_used_by(access.client(OWNER, service)) == "ASIA-kms-lab-data-owner-0"
    assert len(world.asked("sts:AssumeRole")) == 1


def refused_at_first(times: int) -> World:
    """A world in which a role that was just made can be assumed after so many tries."""
    world = assuming(timedelta(hours=1))
    left = [times]

    def too_new(_: Request) -> bool:
        left[0] -= 1
        return left[0] >= 0

    return world.refuses("sts:AssumeRole", code="AccessDenied", when=too_new)


def test_a_role_that_was_just_made_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 60.0)
    world = refused_at_first(2)
    access = AssumingAccess(world)
    monkeypatch.setattr(access.stopping, "wait", lambda _: False)
    assert key_used_by(access.client(OWNER, "kms")) == "ASIA-kms-lab-data-owner-0"
    assert len(world.asked("sts:AssumeRole")) == 3


def test_a_role_that_cannot_be_assumed_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, 0.2)
    monkeypatch.setattr("kmslab.lab.FIRST_PAUSE", 0.05)
    world = refused_at_first(1000)
    access = AssumingAccess(world)
    asked = []
    for _ in range(2):
        with pytest.raises(ClientError, match="AccessDenied"):
            access.client(OWNER, "kms")
        asked.append(len(world.asked("sts:AssumeRole")))
    assert asked[0] > 1
    assert asked[1] == asked[0] + 1


@pytest.mark.parametrize(("code", "seconds"), [("AccessDenied", 0.0), ("ExpiredToken", 60.0)])
def test_what_does_not_settle_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, code: str, seconds: float
) -> None:
    monkeypatch.setitem(SETTLE_SECONDS, TargetKind.LOCAL, seconds)
    world = World().refuses("sts:AssumeRole", code=code)
    with pytest.raises(ClientError, match=code):
        AssumingAccess(world).client(OWNER, "kms")
    assert len(world.asked("sts:AssumeRole")) == 1


def test_credentials_about_to_expire_are_renewed() -> None:
    access = AssumingAccess(assuming(timedelta(minutes=9), timedelta(hours=1)))
    client = access.client(OWNER, "kms")
    assert [key_used_by(client) for _ in range(2)] == ["ASIA-kms-lab-data-owner-0"] * 2


def test_credentials_that_cannot_be_renewed_are_no_refusal() -> None:
    world = assuming(timedelta(minutes=9))
    access = AssumingAccess(world)
    access.client(OUTSIDER, "kms")
    world.refuses("sts:AssumeRole", code="AccessDenied")
    lab = Lab(access, OUTPUTS, frozenset(), "run")
    with pytest.raises(Inconclusive, match="outsider could not call kms:ListKeys: CredentialRetrievalError"):
        lab.refused(OUTSIDER, "kms:ListKeys", unproven_is_fine=True)


@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-central-1", "s3.eu-central-1.amazonaws.com"), ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn")],
)
def test_aws_without_tls_is_the_same_endpoint(region: str, host: str) -> None:
    access = Access(Target(TargetKind.AWS, region, credentials=Credentials("AKIA", "s")), "kms-lab")
    assert access.client(Persona.OPERATOR, "s3", plain_http=True).meta.endpoint_url == f"http://{host}"
    assert access.client(Persona.OPERATOR, "s3").meta.endpoint_url == f"https://{host}"


@pytest.mark.parametrize(("endpoint", "pools"), [("https://127.0.0.1:1", 1), (None, 3)])
def test_clients_of_one_host_share_its_connections(endpoint: str | None, pools: int) -> None:
    target = Target(TargetKind.LOCAL, "eu-central-1", endpoint, credentials=Credentials("AKIA", "s"))
    access = Access(target, "kms-lab")
    clients = [access.client(Persona.OPERATOR, service) for service in ("kms", "s3", "sts")]
    assert len({id(client._endpoint.http_session) for client in clients}) == pools


def test_personas_share_a_client_and_sign_each_for_themselves() -> None:
    """Also side by side, and where a client is asked by what it made: a paginator."""
    world = assuming(*[timedelta(hours=1)] * 2)
    access = AssumingAccess(world)
    clients = {who: access.client(who, "kms") for who in (OWNER, OUTSIDER)}
    assert clients[OWNER]._endpoint is clients[OUTSIDER]._endpoint
    signed: dict[Persona, set[str]] = {OWNER: set(), OUTSIDER: set()}
    together = threading.Barrier(2)

    def answer(request: Any, **_: object) -> AWSResponse:
        key = request.headers["Authorization"].decode().split("Credential=")[1].partition("/")[0]
        signed[threads[threading.get_ident()]].add(key)
        together.wait(10)
        return AWSResponse(request.url, 200, HTTPHeaders(), Body(b'{"Keys": []}'))

    clients[OWNER].meta.events.register("before-send", answer)
    threads: dict[int, Persona] = {}

    def ask(who: Persona) -> None:
        threads[threading.get_ident()] = who
        clients[who].list_keys()
        list(clients[who].get_paginator("list_keys").paginate())

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(ask, who) for who in clients]:
            done.result(timeout=30)
    keys = {who: {key.rsplit("-", 1)[0] for key in signed[who]} for who in signed}
    assert keys == {OWNER: {"ASIA-kms-lab-data-owner"}, OUTSIDER: {"ASIA-kms-lab-outsider"}}


def test_without_credentials_there_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: None)
    access = Access(Target(TargetKind.AWS, "eu-central-1"), "kms-lab")
    with pytest.raises(NoCredentialsError):
        access.client(Persona.OPERATOR, "kms")


def test_moments_of_answers_are_read_without_dateutil(monkeypatch: pytest.MonkeyPatch) -> None:
    who = Credentials("AKIAFAKE", "fake")
    target = Target(TargetKind.ENDPOINT, "us-east-1", endpoint_url="https://127.0.0.1:1", credentials=who)
    client = Access(target, "kms-lab").client(Persona.OPERATOR, "iam")
    said = b"<R><GetRoleResult><Role><CreateDate>2026-11-22T18:22:04Z</CreateDate></Role></GetRoleResult></R>"
    client.meta.events.register(
        "before-send", lambda request, **_: AWSResponse(request.url, 200, HTTPHeaders(), Body(said))
    )
    monkeypatch.setattr("dateutil.parser.parse", None)
    made = client.get_role(RoleName="any")["Role"]["CreateDate"]
    assert made == datetime(2026, 11, 22, 18, 22, 4, tzinfo=UTC)


class Body(BytesIO):
    """What botocore reads of an answer, in place of urllib3's."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


@pytest.mark.parametrize(
    ("service", "operation", "status", "said"),
    [
        ("kms", "list_keys", 400, b'{"__type": "ThrottlingException"}'),
        ("s3", "list_buckets", 503, b"<Error><Code>SlowDown</Code></Error>"),
        ("ec2", "describe_volumes", 500, b"<Response/>"),
    ],
)
def test_who_is_throttled_asks_again_soon(
    monkeypatch: pytest.MonkeyPatch, service: str, operation: str, status: int, said: bytes
) -> None:
    """After a tenth of a second at most, then three tenths: botocore's own delays are ten times as long."""
    who = Credentials("AKIAFAKE", "fake")
    target = Target(TargetKind.ENDPOINT, "us-east-1", endpoint_url="https://127.0.0.1:1", credentials=who)
    client = Access(target, "kms-lab").client(Persona.OPERATOR, service)
    answers = iter([(status, said), (status, said), (200, b"{}" if service == "kms" else b"<Result/>")])
    slept: list[float] = []

    def answer(request: Any, **_: object) -> AWSResponse:
        code, body = next(answers)
        return AWSResponse(request.url, code, HTTPHeaders(), Body(body))

    client.meta.events.register("before-send", answer)
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setattr("random.random", lambda: 1.0)
    assert getattr(client, operation)()["ResponseMetadata"]["RetryAttempts"] == 2
    assert slept == pytest.approx([0.1, 0.3])


def test_credentials_do_not_show() -> None:
    credentials = Credentials("AKIA", "the-secret", "the-token")
    target = Target(TargetKind.LOCAL, "eu-central-1", credentials=credentials)
    assert "the-secret" not in repr(target)
    assert "the-token" not in repr(target)
