"""A long day and a crowd: memory over 100,000 calls, and 200 clients at once for a minute, with a kill at its end."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.engine import resident_mib
from benchmarks.engine_calls import of_target, own_engine
from benchmarks.timing import Figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALLS = 100_000
WARM = 20_000
"""The event history and caches are full by then."""
GROWTH_MIB = 8.0
CLIENTS = 200
SECONDS = 60.0


def ready_made(target: Any, parameters: str, operation: str) -> tuple[str, bytes, dict[str, str]]:
    """A signed request that can be sent again and again, as its signature holds for minutes."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    headers = {
        "X-Amz-Target": f"TrentService.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Host": urlsplit(target.endpoint_url).netloc,
    }
    request = AWSRequest("POST", f"{target.endpoint_url}/", headers, parameters.encode())
    who = target.credentials
    credentials = Credentials(who.access_key_id, who.secret_access_key, who.session_token)
    SigV4Auth(credentials, "kms", target.region).add_auth(request)
    return operation, parameters.encode(), dict(request.headers.items())


def many_calls(target: Any, key: str, count: int) -> None:
    """Encrypt and DescribeKey in turns, on one connection.

    Raises:
        RuntimeError: a call failed.
    """
    where = urlsplit(target.endpoint_url)
    context = ssl.create_default_context(cafile=str(target.ca_bundle))
    connection = http.client.HTTPSConnection(where.hostname or "", where.port, context=context, timeout=30)
    signed_for = 120.0
    made, until = [], 0.0
    for turn in range(count):
        if time.monotonic() > until:
            made = [
                ready_made(target, f'{{"KeyId":"{key}","Plaintext":"eA=="}}', "Encrypt"),
                ready_made(target, f'{{"KeyId":"{key}"}}', "DescribeKey"),
            ]
            until = time.monotonic() + signed_for
        operation, body, headers = made[turn % len(made)]
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        if answer.read() and answer.status != http.client.OK:
            raise RuntimeError(f"{operation} ended with {answer.status}")
    connection.close()


def growth(note: Callable[[str], None]) -> float:
    """How much the engine's memory grew from the first calls to the last, in MiB."""
    from kmslab.engine import control

    with own_engine() as (home, target):
        key = of_target("kms", target).create_key()["KeyMetadata"]["Arn"]
        many_calls(target, key, WARM)
        running = control.status(home)
        if running is None:
            raise RuntimeError("the engine has gone")
        before = resident_mib(running.pid)
        many_calls(target, key, CALLS - WARM)
        after = resident_mib(running.pid)
    note(f"resident {before:.1f} MiB after {WARM} calls, {after:.1f} MiB after {CALLS}")
    return after - before


class Client(threading.Thread):
    """One of the crowd: encrypts, decrypts, and writes what it must find again."""

    def __init__(self, number: int, kms: Any, ssm: Any, until: float) -> None:
        super().__init__(daemon=True)
        self.number, self.kms, self.ssm, self.until = number, kms, ssm, until
        self.failures: Counter[str] = Counter()
        self.calls = 0
        self.key = self.written = ""

    def run(self) -> None:
        """Work until the minute is over; every failure is counted, none ends it."""
        while time.monotonic() < self.until:
            try:
                self.work()
            except Exception as error:  # noqa: BLE001  # whatever goes wrong is what is measured
                self.failures[f"{type(error).__name__}: {error}"[:200]] += 1

    def work(self) -> None:
        """A few reads, and two writes of the same word."""
        if not self.key:
            self.key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        if self.kms.decrypt(CiphertextBlob=blob)["Plaintext"] != b"x":
            raise RuntimeError("another plaintext")
        word = str(self.calls)
        self.kms.tag_resource(KeyId=self.key, Tags=[{"TagKey": "word", "TagValue": word}])
        self.ssm.put_parameter(Name=f"crowd-{self.number}", Value=word, Type="String", Overwrite=True)
        self.written = word
        self.calls += 4


def lost(clients: list[Client], kms: Any, ssm: Any) -> int:
    """How many clients do not find what they were told was written; a later word that nobody was told of is none."""
    missing = 0
    for one in [one for one in clients if one.written]:
        tag = kms.list_resource_tags(KeyId=one.key)["Tags"][0]["TagValue"]
        parameter = ssm.get_parameter(Name=f"crowd-{one.number}")["Parameter"]["Value"]
        missing += int(tag) < int(one.written) or int(parameter) < int(one.written)
    return missing


def crowd(note: Callable[[str], None]) -> tuple[float, float]:
    """Failures and lost writes among 200 clients in a minute; the engine is killed at its end."""
    from kmslab.engine import control

    with own_engine() as (home, target):
        more = {"max_pool_connections": CLIENTS, "read_timeout": 30, "connect_timeout": 30}
        kms, ssm = of_target("kms", target, **more), of_target("ssm", target, **more)
        until = time.monotonic() + SECONDS
        clients = [Client(number, kms, ssm, until) for number in range(CLIENTS)]
        for one in clients:
            one.start()
        for one in clients:
            one.join()
        running = control.status(home)
        if running is None:
            raise RuntimeError("the engine has gone")
        os.kill(running.pid, signal.SIGKILL)
        while control.status(home):
            pass
        control.start(home)
        again = control.target(home)
        missing = lost(clients, of_target("kms", again), of_target("ssm", again))
    failures = sum((one.failures for one in clients), Counter[str]())
    for words, count in failures.most_common(3):
        note(f"{count} times {words}")
    note(f"{CLIENTS} clients: {sum(one.calls for one in clients) / SECONDS:.0f} calls/s")
    return float(failures.total()), float(missing)


def measure(project: Path, repeat: int, note: Callable[[str], None]) -> list[Figure]:  # noqa: ARG001  # same shape for every module
    """Once each, whatever ``repeat`` says: they take minutes."""
    failures, missing = crowd(note)
    grown = growth(note)
    minute = f"{CLIENTS} clients for {SECONDS:.0f} s"
    return [
        Figure(f"{minute}: failed calls", failures, "calls", 0.0, (failures,)),
        Figure(f"{minute}, then SIGKILL: lost writes", missing, "writes", 0.0, (missing,)),
        Figure(f"engine's growth over {CALLS} calls", grown, "MiB", GROWTH_MIB, (grown,)),
    ]
