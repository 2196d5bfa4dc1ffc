"""The guard in front of MiniStack, TLS, and what is never let through."""

from __future__ import annotations

import datetime
import http.client
import json
import socket
import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from kmslab.engine import certificates, server
from kmslab.model.errors import LabError
from tests.engine.conftest import refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

LIST_KEYS = {"X-Amz-Target": "TrentService.ListKeys", "Content-Type": "application/x-amz-json-1.1"}
needs_procfs = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads Linux's procfs")
LIST_USERS = b"Action=ListUsers&Version=2010-05-08"


def ask(
    engine: Engine,
    method: str = "POST",
    path: str = "/",
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
) -> tuple[int, bytes]:
    """One plain HTTP request, unsigned."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", urlsplit(engine.info.plain_http_url).port, timeout=10
    )
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def credential(engine: Engine, service: str) -> str:
    return f"{engine.root.access_key_id}/20260101/{engine.region}/{service}/aws4_request"


def test_health_is_answered_without_credentials(engine: Engine) -> None:
    assert ask(engine, "GET", "/_ministack/health", body=b"")[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("POST", "/_ministack/config"),
        ("GET", "/_ministack/ready"),
        ("GET", "/_localstack/health"),
        ("GET", "/_ministack/sqs/messages"),
        ("POST", "/_ministack/cfn-response/guess"),
        ("GET", "/_aws/lambda-url/x"),
    ],
)
def test_ministacks_administration_is_closed(engine: Engine, method: str, path: str) -> None:
    status, body = ask(engine, method, path)
    assert (status, json.loads(body)["message"]) == (403, "the engine has no administration over HTTP")


def test_a_web_page_is_not_answered(engine: Engine) -> None:
    assert ask(engine, "GET", "/_ministack/health", {"Origin": "https://evil.example"}, b"")[0] == 403


@pytest.mark.parametrize("scheme", ["Bearer ", "", "FOO4-HMAC ", "aws4-hmac-sha256 "])
def test_a_made_up_signature_is_nobodys(engine: Engine, scheme: str) -> None:
    """MiniStack takes a header that it does not know for the root user's."""
    status, body = ask(
        engine, headers={**LIST_KEYS, "Authorization": f"{scheme}Credential={credential(engine, 'kms')}"}
    )
    assert (status, json.loads(body)["__type"]) == (400, "MissingAuthenticationTokenException")
    form = {
        "Authorization": f"{scheme}Credential={credential(engine, 'iam')}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert ask(engine, headers=form, body=LIST_USERS)[0] == 403


@pytest.mark.parametrize(
    "query",
    ["X-Amz-Credential={}", "AWSAccessKeyId={}", "X-Amz-Credential={}&X-Amz-Algorithm=AWS4-HMAC-SHA256"],
)
def test_credentials_without_a_signature_are_refused(engine: Engine, query: str) -> None:
    status, _ = ask(engine, path=f"/?{query.format(credential(engine, 'kms'))}", headers=LIST_KEYS)
    assert status in (400, 403)


FORGED = [
    ("AWS4-HMAC-SHA256 Credential={}, SignedHeaders=host, Signature=00", ""),
    ("AWS4-HMAC-SHA256 x", ""),
    ("AWS4-ECDSA-P256-SHA256 Credential={}, SignedHeaders=host;x-amz-region-set, Signature=00", ""),
    ("AWS {}:x", ""),
    ("AWS garbage", ""),
    ("", "x-amz-credential={}&x-amz-algorithm=AWS4-HMAC-SHA256&x-amz-signature=0"),
    ("", "awsaccesskeyid={}"),
    ("", "AWSAccessKeyId={}&Signature=0&Expires=99999999999"),
    ("", "X-Amz-Security-Token=x"),
    ("", "X-Amz-Credential="),
    ("", "X-Amz-Algorithm=AWS4-HMAC-SHA256"),
]


@pytest.mark.parametrize(("authorization", "query"), FORGED)
def test_no_forged_request_is_answered(engine: Engine, authorization: str, query: str) -> None:
    for service, method, headers, body in (
        ("kms", "POST", LIST_KEYS, b"{}"),
        ("iam", "POST", {"Content-Type": "application/x-www-form-urlencoded"}, LIST_USERS),
        ("s3", "GET", {}, b""),
    ):
        given = (
            {**headers, "Authorization": authorization.format(credential(engine, service))}
            if authorization
            else headers
        )
        path = f"/?{query.format(credential(engine, service))}" if query else "/"
        status, answer = ask(engine, method, path, given, body)
        assert status in (400, 403), (service, answer)


def test_an_anonymous_s3_request_needs_a_policy_for_everybody(engine: Engine) -> None:
    s3 = engine.client("s3")
    s3.create_bucket(Bucket="anonymous-test")
    s3.put_object(Bucket="anonymous-test", Key="public/a", Body=b"for all")
    s3.put_object(Bucket="anonymous-test", Key="private/a", Body=b"for some")
    assert ask(engine, "GET", "/anonymous-test/public/a", body=b"")[0] == 403
    assert ask(engine, "GET", "/", body=b"")[0] == 403
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::anonymous-test/public/*",
    }
    s3.delete_public_access_block(Bucket="anonymous-test")
    s3.put_bucket_policy(Bucket="anonymous-test", Policy=json.dumps({"Statement": [statement]}))
    assert ask(engine, "GET", "/anonymous-test/public/a", body=b"") == (200, b"for all")
    assert ask(engine, "GET", "/anonymous-test/private/a", body=b"")[0] == 403
    assert ask(engine, "PUT", "/anonymous-test/public/b", body=b"x")[0] == 403


def test_one_request_has_one_set_of_credentials() -> None:
    once = (b"authorization", b"AWS4-HMAC-SHA256 x")
    assert server.refused("POST", "/", [once], {}) == ""
    for headers, query in (([once, once], {}), ([once], {"X-Amz-Credential": ["y"]})):
        assert "credentials" in server.refused("POST", "/", headers, query)


def test_custom_resources_may_answer() -> None:
    assert server.refused("PUT", "/_ministack/cfn-response/token", [], {}) == ""


def test_headers_that_a_client_could_forge_are_taken_away() -> None:
    for name in (b"x-forwarded-proto", b"x-forwarded-for", b"forwarded"):
        assert not server.trusted(name, b"https")
    assert server.trusted(b"x-amz-target", b"TrentService.ListKeys")


def test_a_forged_header_does_not_make_a_connection_secure(engine: Engine) -> None:
    key = engine.key(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "kms:Encrypt",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )
    assert engine.client("kms").encrypt(KeyId=key, Plaintext=b"x")
    plain = engine.client("kms", plain_http=True)

    def forge(request: Any, **_: Any) -> None:
        request.headers["X-Forwarded-Proto"] = "https"

    plain.meta.events.register("before-send.kms.Encrypt", forge)
    try:
        with refused("AccessDeniedException", "explicit deny"):
            plain.encrypt(KeyId=key, Plaintext=b"x")
    finally:
        plain.meta.events.unregister("before-send.kms.Encrypt", forge)


@needs_procfs
def test_only_loopback_listens(engine: Engine) -> None:
    ports = {urlsplit(url).port for url in (engine.info.endpoint_url, engine.info.plain_http_url)}
    listening = set()
    for line in Path(f"/proc/{engine.info.pid}/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        address, port = fields[1].split(":")
        if fields[3] == "0A" and int(port, 16) in ports:
            listening.add(address)
    assert listening == {"0100007F"}


def test_tls_is_verified_with_the_labs_ca_only(engine: Engine) -> None:
    port = urlsplit(engine.info.endpoint_url).port
    trusting = ssl.create_default_context(cafile=str(engine.info.ca_bundle))
    for name in ("127.0.0.1", "localhost"):
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            trusting.wrap_socket(raw, server_hostname=name) as tls,
        ):
            assert tls.version() in ("TLSv1.2", "TLSv1.3")
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")


def test_files_of_the_lab_are_its_owners(engine: Engine) -> None:
    folder = engine.home / "engine"
    for path in (folder, folder / "state", folder / "s3", folder / "tls"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (folder / "root.json", folder / "tls" / "ca-key.pem", folder / "tls" / "server-key.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@needs_procfs
def test_the_root_secret_is_nowhere_but_in_its_file(engine: Engine) -> None:
    secret = (engine.root.secret_access_key or "").encode()
    assert len(secret) >= 40
    process = Path(f"/proc/{engine.info.pid}")
    assert secret not in (process / "cmdline").read_bytes()
    assert secret not in (process / "environ").read_bytes()
    holders = {path.name for path in engine.home.rglob("*") if path.is_file() and secret in path.read_bytes()}
    assert holders == {"root.json"}


def test_the_account_is_the_labs_own(engine: Engine) -> None:
    assert engine.account.isdigit()
    assert len(engine.account) == 12
    assert engine.account != "000000000000"
    assert engine.client("sts").get_caller_identity()["Account"] == engine.account


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            LabError, match=f"port {port} on 127.0.0.1 cannot be used: Address already in use"
        ):
            server.open_sockets(port)


def test_certificates_are_kept_until_they_near_their_end(tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    first = certificates.ensure(tmp_path / "tls", now)
    ca, leaf = first.ca.read_bytes(), first.certificate.read_bytes()
    assert certificates.ensure(tmp_path / "tls", now).certificate.read_bytes() == leaf
    later = certificates.ensure(tmp_path / "tls", now + datetime.timedelta(days=80))
    assert later.ca.read_bytes() == ca
    assert later.certificate.read_bytes() != leaf
    much_later = certificates.ensure(tmp_path / "tls", now + datetime.timedelta(days=360))
    assert much_later.ca.read_bytes() != ca
    signed = x509.load_pem_x509_certificate(much_later.certificate.read_bytes())
    signed.verify_directly_issued_by(x509.load_pem_x509_certificate(much_later.ca.read_bytes()))
    names = signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_a_damaged_certificate_is_replaced(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path / "tls")
    files.ca.write_text("rubbish")
    assert x509.load_pem_x509_certificate(certificates.ensure(tmp_path / "tls").ca.read_bytes())


def resident(engine: Engine) -> int:
    """The engine's resident memory, in MiB."""
    status = Path(f"/proc/{engine.info.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@needs_procfs
def test_a_connection_costs_nothing_once_its_client_has_gone(engine: Engine) -> None:
    context = ssl.create_default_context(cafile=str(engine.info.ca_bundle))
    port = urlsplit(engine.info.endpoint_url).port

    def come_and_go() -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
        connection.request("GET", "/_ministack/health")
        assert connection.getresponse().status == 200
        connection.close()

    come_and_go()
    before = resident(engine)
    for _ in range(150):
        come_and_go()
    assert resident(engine) - before < 20


def test_tls_sessions_are_resumed(engine: Engine) -> None:
    context = ssl.create_default_context(cafile=str(engine.info.ca_bundle))
    address = ("127.0.0.1", urlsplit(engine.info.endpoint_url).port)
    session, reused = None, []
    for _ in range(2):
        with (
            socket.create_connection(address, timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as secure,
        ):
            # The session comes with the first answer.
            secure.sendall(b"GET /_ministack/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert secure.recv(65536)
            session = secure.session
            reused.append(secure.session_reused)
    assert reused == [False, True]
