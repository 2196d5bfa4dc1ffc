"""The course for everyone: axe finds nothing on any page, light or dark, and nothing is wider than a phone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    # Time passes as fast as the pages let it.
    *("--window-size=1500,2100", "--virtual-time-budget=600000"),
)
# A window is not made narrower than 500: each page is looked at through a frame of the width, with all answers open.
LOOK = """<!doctype html><iframe width="{width}" height="2000"></iframe><script>
const frame = document.querySelector("iframe"), found = {{}};
const loaded = (node, set) => new Promise(done => {{ node.onload = done; set(); }});
(async () => {{
  for (const page of {pages}) {{
    await loaded(frame, () => frame.src = page);
    const view = frame.contentWindow, seen = frame.contentDocument;
    seen.querySelectorAll("details").forEach(answer => answer.open = true);
    const script = seen.createElement("script");
    await loaded(script, () => {{ script.src = "/{axe}"; seen.head.append(script); }});
    const {{ violations, passes }} = await view.axe.run(seen);
    found[page] = {{
      violations: violations.map(one => [one.id, ...one.nodes.slice(0, 3).map(node => node.html.slice(0, 200))]),
      passed: passes.map(one => one.id),
      scheme: seen.body.dataset.mdColorScheme,
      wide: seen.documentElement.scrollWidth - seen.documentElement.clientWidth,
    }};
  }}
}})().catch(error => found.error = String(error)).finally(() => document.title = "AXE" + JSON.stringify(found) + "EXA");
</script>"""


@contextmanager
def served(folder: Path, look: str) -> Iterator[str]:
    """Serve a folder on loopback, and beside it axe and the page that looks; yields that page's address."""
    beside = {f"/{AXE.name}": AXE.read_bytes(), "/look.html": look.encode()}

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if (found := beside.get(self.path)) is None:
                return super().do_GET()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", self.guess_type(self.path))
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)
            return None

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/look.html"
        server.shutdown()


def looked_at(folder: Path, profile: Path, width: int, *, dark: bool) -> dict[str, dict[str, Any]]:
    """What axe says about each page of a folder, by its file's name, as Chromium lays it out at a width."""
    pages = json.dumps(sorted(page.name for page in folder.glob("*.html")))
    with served(folder, LOOK.format(width=width, pages=pages, axe=AXE.name)) as address:
        command = [
            str(CHROMIUM),
            *FLAGS,
            f"--user-data-dir={profile}",
            *(("--force-dark-mode",) if dark else ()),
            *("--dump-dom", address),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)  # noqa: S603  # a browser
    told = re.search("<title>AXE(.*?)EXA</title>", done.stdout, re.DOTALL)
    assert told, done.stdout[-2000:]
    found: dict[str, Any] = json.loads(html.unescape(told[1]))
    assert "error" not in found, found["error"]
    return found


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: it renders the pages for axe")
@pytest.mark.parametrize(("width", "dark"), [(390, False), (1280, True)], ids=["phone-light", "desktop-dark"])
def test_axe_finds_nothing_on_any_page(site: Path, tmp_path: Path, width: int, dark: bool) -> None:
    found = looked_at(site, tmp_path / "profile", width, dark=dark)
    assert len(found) > 20
    assert {name: one["violations"] for name, one in found.items() if one["violations"]} == {}
    assert {one["scheme"] for one in found.values()} == {"slate" if dark else "default"}
    assert [name for name, one in found.items() if "color-contrast" not in one["passed"]] == []
    assert {name: one["wide"] for name, one in found.items() if one["wide"] > 0} == {}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: it renders the pages for axe")
def test_axe_notices_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.html").write_text(
        '<title>Wrong</title><body data-md-color-scheme="default"><main><h1>Wrong</h1>'
        '<p style="color: #bbb; width: 999px">Hardly to be read.</p><img src="x.png"></main>'
    )
    (found,) = looked_at(tmp_path, tmp_path / "profile", 390, dark=False).values()
    assert {rule for rule, *_ in found["violations"]} >= {"color-contrast", "html-has-lang", "image-alt"}
    assert found["wide"] > 0
