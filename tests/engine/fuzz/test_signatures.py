"""No request without a valid signature does anything; each gets the error that AWS gives, in the service's spelling."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey

from kmslab.model.target import Credentials
from tests.engine.fuzz.wire import JSON_TYPE, Answer, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.engine.conftest import Engine

    Headers = dict[str, str]
    Spoil = Callable[[Wire, "Request", Credentials], Answer]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MINUTE = 60.0


class Request:
    """A request that would change something, were it signed."""

    def __init__(self, service: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.service, self.method, self.path, self.headers, self.body = service, method, path, headers, body

    def signed(self, wire: Wire, who: Credentials, **how: Any) -> Headers:
        return wire.signed(self.service, who, self.method, self.path, self.headers, self.body, **how)

    def sent(self, wire: Wire, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        return wire.send(self.method, self.path, headers, self.body if body is None else body)


KMS = Request(
    "kms",
    "POST",
    "/",
    {"X-Amz-Target": "TrentService.CreateKey", "Content-Type": JSON_TYPE},
    b'{"Description":"x"}',
)
SSM = Request(
    "ssm",
    "POST",
    "/",
    {"X-Amz-Target": "AmazonSSM.PutParameter", "Content-Type": JSON_TYPE},
    b'{"Name":"forged","Value":"x","Type":"String"}',
)
IAM = Request("iam", "POST", "/", FORM, b"Action=CreateUser&UserName=forged&Version=2010-05-08")
S3 = Request("s3", "PUT", "/forged-bucket", {}, b"")
REQUESTS = {one.service: one for one in (KMS, SSM, IAM, S3)}


def unsigned(wire: Wire, request: Request, _who: Credentials) -> Answer:
    return request.sent(wire, {"Host": wire.host, **request.headers})


def of_no_parts(wire: Wire, request: Request, _who: Credentials) -> Answer:
    return request.sent(wire, {"Host": wire.host, **request.headers, "Authorization": "AWS4-HMAC-SHA256 x"})


def with_a_wrong_signature(wire: Wire, request: Request, who: Credentials) -> Answer:
    headers = request.signed(wire, who)
    headers["Authorization"] = re.sub(r"Signature=\w{8}", "Signature=00000000", headers["Authorization"])
    return request.sent(wire, headers)


def with_a_wrong_secret(wire: Wire, request: Request, who: Credentials) -> Answer:
    other = Credentials(who.access_key_id, secrets.token_urlsafe(30), who.session_token)
    return request.sent(wire, request.signed(wire, other))


def of_nobody(wire: Wire, request: Request, _who: Credentials) -> Answer:
    return request.sent(wire, request.signed(wire, Credentials("AKIAFOREIGNFOREIGNFO", "x" * 40)))


def with_anothers_token(wire: Wire, request: Request, who: Credentials) -> Answer:
    other = Credentials(who.access_key_id, who.secret_access_key, "FwoGZXIvYXdzEBYaDforged")
    return request.sent(wire, request.signed(wire, other))


def from_long_ago(wire: Wire, request: Request, who: Credentials) -> Answer:
    return request.sent(wire, request.signed(wire, who, ahead=-16 * MINUTE))


def from_the_future(wire: Wire, request: Request, who: Credentials) -> Answer:
    return request.sent(wire, request.signed(wire, who, ahead=16 * MINUTE))


def with_another_body(wire: Wire, request: Request, who: Credentials) -> Answer:
    return request.sent(wire, request.signed(wire, who), request.body.replace(b"x", b"y") + b" ")


def with_another_body_and_its_hash_signed(wire: Wire, request: Request, who: Credentials) -> Answer:
    """MiniStack takes the hash that the header names, without a look at the body."""
    hashed = {**request.headers, "X-Amz-Content-SHA256": "0" * 64}
    headers = wire.signed(request.service, who, request.method, request.path, hashed, request.body)
    return request.sent(wire, headers, request.body + b" ")


def without_its_date(wire: Wire, request: Request, who: Credentials) -> Answer:
    headers = request.signed(wire, who)
    del headers["X-Amz-Date"]
    return request.sent(wire, headers)


def of_another_day(wire: Wire, request: Request, who: Credentials) -> Answer:
    headers = request.signed(wire, who)
    headers["Authorization"] = re.sub(r"/\d{8}/", "/20200101/", headers["Authorization"])
    return request.sent(wire, headers)


def for_another_service(wire: Wire, request: Request, who: Credentials) -> Answer:
    """A scope names the service; the signature itself is right."""
    headers = wire.signed("sqs", who, request.method, request.path, request.headers, request.body)
    return request.sent(wire, headers)


SPOILED: dict[Spoil, dict[str, tuple[str, ...]]] = {
    unsigned: {
        "kms": ("MissingAuthenticationTokenException",),
        "ssm": ("MissingAuthenticationTokenException",),
        "iam": ("MissingAuthenticationToken",),
        "s3": ("AccessDenied",),
    },
    of_no_parts: {
        "kms": ("IncompleteSignatureException",),
        "ssm": ("IncompleteSignatureException",),
        "iam": ("IncompleteSignature",),
        "s3": ("AuthorizationHeaderMalformed",),
    },
    with_a_wrong_signature: {
        "kms": ("InvalidSignatureException",),
        "ssm": ("InvalidSignatureException",),
        "iam": ("SignatureDoesNotMatch",),
        "s3": ("SignatureDoesNotMatch",),
    },
    of_nobody: {
        "kms": ("UnrecognizedClientException",),
        "ssm": ("UnrecognizedClientException",),
        "iam": ("InvalidClientTokenId",),
        "s3": ("InvalidAccessKeyId",),
    },
    with_anothers_token: {
        "kms": ("UnrecognizedClientException",),
        "ssm": ("UnrecognizedClientException",),
        "iam": ("InvalidClientTokenId",),
        "s3": ("InvalidToken",),
    },
    from_long_ago: {
        "kms": ("InvalidSignatureException",),
        "ssm": ("InvalidSignatureException",),
        "iam": ("SignatureDoesNotMatch",),
        "s3": ("RequestTimeTooSkewed",),
    },
    with_another_body: {
        "kms": ("InvalidSignatureException",),
        "ssm": ("InvalidSignatureException",),
        "iam": ("SignatureDoesNotMatch",),
        "s3": ("XAmzContentSHA256Mismatch",),
    },
    without_its_date: {
        "kms": ("IncompleteSignatureException",),
        "ssm": ("IncompleteSignatureException",),
        "iam": ("IncompleteSignature",),
        "s3": ("AuthorizationHeaderMalformed", "AccessDenied"),
    },
}
SPOILED[with_a_wrong_secret] = SPOILED[with_a_wrong_signature]
SPOILED[from_the_future] = SPOILED[from_long_ago]
SPOILED[with_another_body_and_its_hash_signed] = SPOILED[with_another_body]
SPOILED[of_another_day] = {**SPOILED[with_a_wrong_signature], "s3": ("AuthorizationHeaderMalformed",)}
"""What each service says. Source: the services' "Common Errors"; S3 API Reference, "Error responses"."""


def snapshot(engine: Engine) -> Any:
    """What the requests would have changed."""
    kms, ssm, iam, s3 = (engine.client(name) for name in ("kms", "ssm", "iam", "s3"))
    return (
        [key["KeyId"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]],
        [one["Name"] for one in ssm.get_parameters(Names=["forged"])["Parameters"]],
        [user["UserName"] for user in iam.list_users()["Users"]],
        [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]],
    )


def code_of(answer: Answer) -> str:
    """The error code, in JSON or XML."""
    if answer.body.startswith(b"{"):
        return answer.code
    found = re.search(rb"<Code>(\w+)</Code>", answer.body)
    return found[1].decode() if found else ""


@pytest.mark.parametrize("service", REQUESTS)
@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_a_request_that_is_not_signed_rightly_is_refused_and_does_nothing(
    spoil: Spoil, service: str, wire: Wire, target: Engine
) -> None:
    before = snapshot(target)
    answer = spoil(wire, REQUESTS[service], target.administrator)
    assert code_of(answer) in SPOILED[spoil][service], answer.body
    assert answer.status == (400 if answer.body.startswith(b"{") else answer.status)
    assert 400 <= answer.status < 500
    assert snapshot(target) == before


@pytest.mark.parametrize("service", REQUESTS)
def test_a_scope_of_another_service_does_nothing(service: str, wire: Wire, target: Engine) -> None:
    before = snapshot(target)
    answer = for_another_service(wire, REQUESTS[service], target.administrator)
    assert 400 <= answer.status < 500, answer.body
    if service == "kms":
        assert answer.members == {
            "__type": "InvalidSignatureException",
            "message": "Credential should be scoped to correct service: 'kms'. ",
        }
    assert snapshot(target) == before


def test_the_same_requests_signed_rightly_do_something(wire: Wire, target: Engine) -> None:
    """The positive side: what is refused above is refused for its signature alone."""
    before = snapshot(target)
    for request in REQUESTS.values():
        answer = request.sent(wire, request.signed(wire, target.administrator))
        assert answer.status == 200, answer.body
    assert all(now != then for now, then in zip(snapshot(target), before, strict=True))
    target.client("ssm").delete_parameter(Name="forged")
    target.client("iam").delete_user(UserName="forged")
    target.client("s3").delete_bucket(Bucket="forged-bucket")


@pytest.mark.parametrize("ahead", [-4 * MINUTE, 4 * MINUTE])
def test_a_clock_may_be_four_minutes_off(wire: Wire, target: Engine, ahead: float) -> None:
    assert KMS.sent(wire, KMS.signed(wire, target.administrator, ahead=ahead)).status == 200


@pytest.mark.parametrize("ahead", [-6 * MINUTE, 6 * MINUTE])
def test_kms_allows_five_minutes_and_s3_fifteen(wire: Wire, target: Engine, ahead: float) -> None:
    answer = KMS.sent(wire, KMS.signed(wire, target.administrator, ahead=ahead))
    assert answer.code == "InvalidSignatureException"
    assert re.match(r"Signature (expired|not yet current): \d{8}T\d{6}Z is ", answer.members["message"])
    listed = Request("s3", "GET", "/", {}, b"")
    assert listed.sent(wire, listed.signed(wire, target.administrator, ahead=ahead)).status == 200


def test_a_date_that_is_none_is_an_incomplete_signature(wire: Wire, target: Engine) -> None:
    headers = KMS.signed(wire, target.administrator)
    headers["X-Amz-Date"] = headers["X-Amz-Date"][:8] + "T2500"
    answer = KMS.sent(wire, headers)
    assert (answer.status, answer.code) == (400, "IncompleteSignatureException")
    assert answer.members["message"].startswith("Date must be in ISO-8601 'basic format'. Got '")


def test_a_target_that_was_not_signed_does_nothing(wire: Wire, target: Engine) -> None:
    """Otherwise a captured ListKeys could be sent again as ScheduleKeyDeletion."""
    listing = Request("kms", "POST", "/", {"Content-Type": JSON_TYPE}, b"{}")
    headers = {**listing.signed(wire, target.administrator), "X-Amz-Target": "TrentService.CreateKey"}
    before = snapshot(target)
    assert listing.sent(wire, headers).code == "InvalidSignatureException"
    assert snapshot(target) == before


def test_a_header_of_s3_that_was_not_signed_is_refused(wire: Wire, target: Engine) -> None:
    headers = {**S3.signed(wire, target.administrator), "X-Amz-Acl": "public-read-write"}
    before = snapshot(target)
    answer = S3.sent(wire, headers)
    assert (answer.status, code_of(answer)) == (403, "AccessDenied")
    assert b"There were headers present in the request which were not signed" in answer.body
    assert snapshot(target) == before


def presigned(wire: Wire, who: Credentials, path: str, expires: int) -> str:
    """The path and query of a presigned GET."""
    request = AWSRequest("GET", f"http://{wire.host}{path}", {"Host": wire.host})
    key = SigningKey(who.access_key_id, who.secret_access_key, who.session_token or None)
    S3SigV4QueryAuth(key, "s3", wire.region, expires).add_auth(request)
    return str(request.prepare().url).removeprefix(f"http://{wire.host}")


def test_a_presigned_url_ends(wire: Wire, target: Engine) -> None:
    target.client("s3").create_bucket(Bucket="presigned")
    target.client("s3").put_object(Bucket="presigned", Key="a", Body=b"a")
    long, short = (presigned(wire, target.administrator, "/presigned/a", seconds) for seconds in (60, 1))
    assert wire.send("GET", long, {"Host": wire.host}).body == b"a"
    deadline = time.monotonic() + 10
    while (answer := wire.send("GET", short, {"Host": wire.host})).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (answer.status, code_of(answer)) == (403, "AccessDenied")
    assert b"Request has expired" in answer.body
    tampered = wire.send("GET", long.replace("/presigned/a", "/presigned/b"), {"Host": wire.host})
    assert (tampered.status, code_of(tampered)) == (403, "SignatureDoesNotMatch")
    target.client("s3").delete_object(Bucket="presigned", Key="a")
    target.client("s3").delete_bucket(Bucket="presigned")


def test_an_expired_session_is_told_apart_from_an_unknown_one(inside: object) -> None:
    """In this process, where a session's end can be in the past."""
    from ministack.core import iam_evaluator
    from ministack.services import sts

    assert inside
    ended = {"SecretAccessKey": "s", "SessionToken": "t", "Expiration": time.time() - 1}
    sts.register_session("ASIAENDEDENDEDENDEDE", ended)
    # Another session: MiniStack takes it as the moment to forget those that have ended.
    sts.register_session("ASIAOTHEROTHEROTHERO", {**ended, "Expiration": time.time() + 60})
    found = iam_evaluator.resolve_credential("ASIAENDEDENDEDENDEDE", "911111111111", "t")
    assert found.code == "ExpiredTokenException"
    unknown = iam_evaluator.resolve_credential("ASIAUNKNOWNUNKNOWNUN", "911111111111", "t")
    assert unknown.code != "ExpiredTokenException"


def test_sessions_are_forgotten_a_day_after_their_end(inside: object) -> None:
    """The oldest first, up to one that is to be kept."""
    from ministack.services import sts

    assert inside
    sts._sessions.clear()
    day, now = 86400.0, time.time()
    ends = {"OLD1": now - 2 * day, "OLD2": now - 2 * day, "ENDED": now - 1, "OPEN": now + 60}
    for name, end in ends.items():
        sts._sessions[name] = {"Expiration": end}
    sts.register_session("NEW", {"Expiration": now + 60})
    assert list(sts._sessions) == ["ENDED", "OPEN", "NEW"]


def test_a_presigned_kms_request_counts_its_body(wire: Wire, target: Engine) -> None:
    request = AWSRequest("POST", f"http://{wire.host}/", {"Host": wire.host, **KMS.headers}, KMS.body)
    who = target.administrator
    key = SigningKey(who.access_key_id, who.secret_access_key, who.session_token or None)
    SigV4QueryAuth(key, "kms", wire.region, 60).add_auth(request)
    path = str(request.prepare().url).removeprefix(f"http://{wire.host}")
    before = snapshot(target)
    answer = wire.send("POST", path, {"Host": wire.host, **KMS.headers}, KMS.body + b" ")
    assert json.loads(answer.body)["__type"] == "InvalidSignatureException"
    assert snapshot(target) == before
