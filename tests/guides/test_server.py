"""The HTTP side of `kmslab guide`; that the pages look right was seen in a real browser, which CI has not."""

from __future__ import annotations

import http.client
import json
import threading
from typing import TYPE_CHECKING

import pytest

from kmslab.guides.server import HOST, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "index.html").write_text("<h1>The guides</h1>")
    (tmp_path / "assets").mkdir()
    (tmp_path.parent / "secret.txt").write_text("secret")
    with serving(tmp_path, 0, lambda: {"05-s3": {"state": "passed"}}) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def ask(port: int, path: str, *, method: str = "GET", host: str = "") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    connection.request(method, path, headers={"Host": host or f"{HOST}:{port}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_pages_and_checkpoints_are_served(port: int) -> None:
    assert ask(port, "/index.html")[::2] == (200, b"<h1>The guides</h1>")
    assert ask(port, "/index.html", host=f"localhost:{port}")[0] == 200
    status, headers, body = ask(port, "/checkpoints.json?x=1")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {"05-s3": {"state": "passed"}}


def test_nothing_is_kept_and_nothing_else_may_be_asked(port: int) -> None:
    for path in ("/index.html", "/checkpoints.json", "/none.html"):
        headers = ask(port, path)[1]
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "http" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/assets/", "/../secret.txt", "/%2e%2e/secret.txt", "/none.html"])
def test_only_the_site_is_served(port: int, path: str) -> None:
    status, _, body = ask(port, path)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1"])
def test_another_name_for_this_machine_is_refused(port: int, method: str, host: str) -> None:
    assert ask(port, "/checkpoints.json", method=method, host=host)[0] == 421


def test_nothing_is_taken(port: int) -> None:
    assert ask(port, "/checkpoints.json", method="POST")[0] == 501


def test_it_listens_on_loopback_only_and_gives_the_port_back(tmp_path: Path) -> None:
    with serving(tmp_path, 0, dict) as server:
        address, port = server.server_address[:2]
        assert address == "127.0.0.1"
        with pytest.raises(OSError, match="in use"), serving(tmp_path, int(port), dict):
            pass
    with serving(tmp_path, int(port), dict):
        pass
