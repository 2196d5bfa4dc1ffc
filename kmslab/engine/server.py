"""The engine's own process: two loopback sockets, TLS on one of them, MiniStack behind a guard.

`prepare_environment` comes first, since MiniStack reads its settings when it is imported.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from kmslab.model.errors import ExitCode, LabError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
    from pathlib import Path

    from kmslab.engine.certificates import Certificates
    from kmslab.engine.identity import Identity
    from kmslab.engine.snapshot import State

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"
SERVICES = (
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecr",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "tagging",
)
"""What a lab needs, and CDK's bootstrap and auto-delete-objects function; each is imported at first use."""

STATE = "state"
OBJECTS = "s3"
"""Folders beneath the engine's own: what is saved, and S3's content."""
_HEALTH = "/_ministack/health"
_CALLBACKS = ("/_ministack/cfn-response/", "/_ministack/cfn-signal/")
"""Where custom resources answer: each path ends in a token that cannot be guessed."""
_UNTRUSTED_HEADERS = frozenset({b"x-forwarded-proto", b"x-forwarded-for", b"x-forwarded-host", b"forwarded"})
"""Nobody stands between client and engine, so these can only be forged: aws:SecureTransport reads one."""
_SIGNATURES = (b"AWS4-HMAC-SHA256 ", b"AWS4-ECDSA-P256-SHA256 ", b"AWS ")
_JSON = b"application/x-amz-json-1."
_OF_S3 = (b"x-amz-id-2", b"x-amz-request-id")
_QUERY_CREDENTIALS = ("X-Amz-Credential", "AWSAccessKeyId")
_INHERITED = ("USE_SSL", "BIND_HOST", "PERSIST_STATE", "S3_PERSIST", "LOCALSTACK_PERSISTENCE", "EDGE_PORT")
_BACKLOG = 256
_IDLE_SECONDS = 75.0
_GRACE_SECONDS = 0.5
"""How long requests under way get to finish at shutdown; idle connections use it up."""
_SAVE_SECONDS = 15.0
_COLLECTED = 10_000
"""Objects made and not freed between two collections: some hundred requests' worth."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """The listening sockets, both on 127.0.0.1.

    Attributes:
        tls: for every ordinary client.
        plain: plain HTTP, so that a policy's ``aws:SecureTransport`` deny can be seen.
        tls_port: where ``tls`` listens.
        plain_port: where ``plain`` listens.
    """

    tls: socket.socket
    plain: socket.socket
    tls_port: int
    plain_port: int


def open_sockets(port: int) -> Sockets:
    """Bind both sockets; the plain one takes any free port.

    Args:
        port: of the TLS socket; 0 for any free one.

    Raises:
        LabError: the port is taken or may not be bound.
    """
    try:
        tls = _listen(port)
    except OSError as error:
        raise LabError(
            f"port {port} on {LOOPBACK} cannot be used: {os.strerror(error.errno or 0)}",
            hint="stop what listens there, or let the engine choose a port: leave --port out",
            exit_code=ExitCode.ENGINE,
        ) from error
    plain = _listen(0)
    return Sockets(tls, plain, tls.getsockname()[1], plain.getsockname()[1])


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def prepare_environment(
    folder: Path, identity: Identity, port: int, *, ca_bundle: Path | None, log_level: str = "WARNING"
) -> None:
    """Set what MiniStack reads at import, in this process's environment.

    Args:
        folder: the engine's folder; state is kept in ``state/`` and objects in ``s3/`` beneath it.
        identity: the account to play.
        port: where the engine listens, for URLs it hands out.
        ca_bundle: the lab's CA; with it the functions it runs call back over TLS.
        log_level: Python's name of a level.
    """
    for name in _INHERITED:
        os.environ.pop(name, None)
    for name in [name for name in os.environ if name.startswith(("MINISTACK_", "AWS_"))]:
        del os.environ[name]
    state, objects = folder / STATE, folder / OBJECTS
    for part in (state, objects):
        part.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.update(
        {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": identity.access_key_id,
            "AWS_SECRET_ACCESS_KEY": identity.secret_access_key,
            "BIND_HOST": LOOPBACK,
            # Some five runs of `kmslab verify`; each record is held in memory, 4 KiB of it.
            "CLOUDTRAIL_MAX_EVENTS": "4000",
            "CLOUDTRAIL_RECORDING": "1",
            # A learner's Docker is never touched: no reaper, no containers.
            "DOCKER_HOST": "unix:///nonexistent",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": log_level,
            "MINISTACK_ACCOUNT_ID": identity.account_id,
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": identity.region,
            "MINISTACK_WORKER_THREADS": "16",
            # Saved by ourselves: MiniStack would wait for a clean stop, which a killed engine never has.
            "PERSIST_STATE": "0",
            "S3_DATA_DIR": str(objects),
            "S3_PERSIST": "1",
            "SERVICES": ",".join(SERVICES),
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(state),
        }
    )
    if ca_bundle:
        os.environ.update(
            {
                "AWS_CA_BUNDLE": str(ca_bundle),
                "AWS_ENDPOINT_URL": f"https://127.0.0.1:{port}",
                "NODE_EXTRA_CA_CERTS": str(ca_bundle),
                "USE_SSL": "1",
            }
        )


def application() -> Application:
    """MiniStack with our rooms, behind the guard.

    Raises:
        LabError: the installed MiniStack is not the tested one.
    """
    from kmslab.engine import install

    install()
    from ministack import app
    from ministack.core.router import extract_access_key_id

    from kmslab.engine.authorization.caller import CALLER
    from kmslab.engine.hooks import extend
    from kmslab.engine.kms import endpoint

    extend(app, "_run_init_scripts")(no_scripts)
    extend(app, "_collect_scripts")(no_scripts)
    extend(app, "_stop_docker_containers")(no_scripts)

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http":
            given = dict(scope["headers"])
            text = scope["query_string"].decode("latin-1")
            query = parse_qs(text, keep_blank_values=True) if text else {}
            if reason := refused(scope["method"], scope["path"], scope["headers"], query):
                await _answer(send, 403, {"__type": "AccessDeniedException", "message": reason})
                return
            if not speaks_json(scope["method"], scope["path"], given):
                await _answer(send, 400, {"__type": "UnknownOperationException"})
                return
            if not all(trusted(*header) for header in given.items()):
                scope["headers"] = [header for header in scope["headers"] if trusted(*header)]
            if endpoint.serves(scope):
                await endpoint.application(scope, receive, send)
                return
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            CALLER.set(extract_access_key_id(headers, query) or "")
            send = without_decoration(send)
        await app.app(scope, receive, send)

    return guarded


def no_scripts(_stock: Callable[..., object], *_args: object, **_options: object) -> list[str]:
    """Run no script from system folders and touch no container: the engine has neither."""
    return []


def trusted(name: bytes, value: bytes) -> bool:
    """Whether a request header is passed on to MiniStack.

    MiniStack takes a request whose Authorization header it does not know for the root user's: without
    the header it is anonymous.
    """
    if name == b"authorization":
        return value.startswith(_SIGNATURES)
    return name not in _UNTRUSTED_HEADERS


def refused(
    method: str, path: str, headers: Sequence[tuple[bytes, bytes]], query: Mapping[str, Sequence[str]]
) -> str:
    """Why a request is not let through to MiniStack; empty when it is.

    Args:
        method: of HTTP.
        path: decoded.
        headers: with names in lower case, as ASGI has them.
        query: the query string's parameters.
    """
    names = [name for name, _ in headers]
    if b"origin" in names:
        return "the engine does not talk to web pages"
    if path.startswith("/_") and path != _HEALTH and not (method == "PUT" and path.startswith(_CALLBACKS)):
        return "the engine has no administration over HTTP"
    # Two identities in one request: the one that is verified might not be the one that counts.
    given = names.count(b"authorization") + sum(name in query for name in _QUERY_CREDENTIALS)
    if given > 1:
        return "only one set of credentials is allowed in a request"
    return ""


def speaks_json(method: str, path: str, given: Mapping[bytes, bytes]) -> bool:
    """Whether a request that names its operation in ``X-Amz-Target`` is one of the JSON protocol.

    Smithy, "AWS JSON 1.1 protocol": POST to ``/`` with the protocol's own content type.
    """
    if b"x-amz-target" not in given:
        return True
    return method == "POST" and path == "/" and given.get(b"content-type", b"").startswith(_JSON)


def without_decoration(send: Send) -> Send:
    """Leave out of answers what AWS does not send there: CORS and S3's second id with JSON, with S3 others' id."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.lower(), value) for name, value in message["headers"]]
            if dict(headers).get(b"content-type", b"").startswith(_JSON):
                message["headers"] = [
                    (name, value)
                    for name, value in headers
                    if name not in _OF_S3 and not name.startswith(b"access-control-")
                ]
            elif (b"server", b"AmazonS3") in headers:
                message["headers"] = [one for one in headers if one[0] != b"x-amzn-requestid"]
        await send(message)

    return sent


async def _answer(send: Send, status: int, members: Mapping[str, str]) -> None:
    body = json.dumps(members).encode()
    headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(
    app: Application,
    sockets: Sockets,
    certificates: Certificates,
    ready: Callable[[], None],
    ending: Callable[[], None],
    ended: Callable[[], None],
    *,
    folder: Path,
    services: State,
) -> None:
    """Serve until SIGTERM or SIGINT; state is saved after changes, and on the way out.

    Args:
        app: what `application` returned.
        sockets: both listening; they are closed when this returns.
        certificates: for the TLS socket.
        ready: called once the engine answers.
        ending: called once it is told to end, before it answers no more.
        ended: called once it answers no more and its state is saved.
        folder: where the state is saved.
        services: the state to begin with.
    """
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    config = Config()
    # Detached: Hypercorn makes sockets of its own from the descriptors, and closes them.
    config.bind = [f"fd://{sockets.tls.detach()}"]
    config.insecure_bind = [f"fd://{sockets.plain.detach()}"]
    config.certfile, config.keyfile = str(certificates.certificate), str(certificates.key)
    config.alpn_protocols = ["http/1.1"]
    config.keep_alive_timeout = _IDLE_SECONDS
    config.graceful_timeout = _GRACE_SECONDS
    config.shutdown_timeout = _SAVE_SECONDS
    config.accesslog = None
    config.loglevel = os.environ["LOG_LEVEL"]
    config.include_server_header = False
    config.include_date_header = False  # MiniStack sends one, as AWS does
    # A client that idles in its connection pool does not answer TLS's goodbye: do not wait 30 s for it.
    asyncio.constants.SSL_SHUTDOWN_TIMEOUT = _GRACE_SECONDS  # type: ignore[attr-defined]  # not in typeshed

    async def run() -> None:
        from kmslab.engine import snapshot
        from kmslab.engine.administrator import ensure_role
        from kmslab.engine.saving import Saver

        snapshot.restore(services)
        saver = Saver(folder)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_quiet_about_cut_connections)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)

        async def announce() -> None:
            await _answers(sockets.plain_port)
            await ensure_role()
            ready()
            # What is there now stays: no collection need look at it again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(_COLLECTED)
            saver.changed()

        async def told_to_end() -> None:
            await stop.wait()
            ending()

        tasks = [asyncio.create_task(announce()), asyncio.create_task(saver.run())]
        for one in tasks:
            one.add_done_callback(
                lambda task: stop.set() if not task.cancelled() and task.exception() else None
            )
        await hypercorn_serve(saver.watching(app), config, shutdown_trigger=told_to_end)  # type: ignore[arg-type]  # its own Protocol types
        for one in tasks:
            if one.done():
                one.result()
            one.cancel()
        await saver.finish()
        ended()
        if not snapshot.settled():
            # Python joins its worker threads on the way out, and a deployment may wait there for hours
            # (a WaitCondition). It is cut short either way, and everything else is saved.
            os._exit(0)

    asyncio.run(run())


def _quiet_about_cut_connections(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out of the log that idle connections were cut at shutdown: Python 3.11 reports each."""
    if not isinstance(context.get("exception"), (asyncio.CancelledError, TimeoutError)):
        loop.default_exception_handler(context)


async def _answers(port: int) -> None:
    """Return once the engine answers its health check; the socket queues the request until then."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(f"GET {_HEALTH} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    await reader.read()
    writer.close()
