"""The page for everyone: axe finds nothing, every colour can be read on what it stands on."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.reports import html
from kmslab.toolchain import require_node

if TYPE_CHECKING:
    from kmslab.reports.report import Report

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
AXE_IN_THE_PAGE = """
<script>{axe}</script>
<script>
axe.run().then(({{ violations, passes }}) => {{
  const told = violations.map(v => ({{ rule: v.id, where: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)) }}));
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  const result = {{ violations: told, passed: passes.map(p => p.id), dark, wide }};
  document.body.innerHTML = "";
  document.body.textContent = "AXE" + JSON.stringify(result) + "EXA";
}});
</script>
"""
LEAST_CONTRAST = 4.5
"""WCAG 2.2 AA for text of ordinary size."""


def opened(report: Report) -> str:
    """The page with everything unfolded: what is folded is not looked at."""
    return re.sub(r"<details(?! open)(?=[ >])([^>]*?)(?: open)?>", r"<details\1 open>", html.render(report))


def in_jsdom(page: str) -> dict[str, Any]:
    command = [require_node().executable, Path(__file__).with_name("axe.mjs"), ROOT / "node_modules"]
    done = subprocess.run(  # noqa: S603  # our own script
        command, input=page, capture_output=True, text=True, check=True, timeout=120
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_axe_finds_nothing_in_the_structure_of_the_page(whole: Report) -> None:
    found = in_jsdom(opened(whole))
    assert found["violations"] == []
    assert {"svg-img-alt", "summary-name", "th-has-data-cells", "link-name"} <= set(found["passed"])


def test_axe_notices_what_is_wrong(whole: Report) -> None:
    page = opened(whole).replace('lang="en"', "").replace('<h3 id="topic-keys">keys</h3>', "<h5></h5>")
    assert {one["rule"] for one in in_jsdom(page)["violations"]} >= {"html-has-lang", "empty-heading"}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: it renders the page for axe")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_axe_finds_nothing_in_a_browser(whole: Report, tmp_path: Path, width: int, dark: bool) -> None:
    """With layout, so colour contrast too, and nothing wider than the window."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", opened(whole))
    axe = AXE_IN_THE_PAGE.format(axe=AXE.read_text(encoding="utf-8"))
    (tmp_path / "page.html").write_text(page.replace("</body>", f"{axe}</body>"), encoding="utf-8")
    # A window is not made narrower than 500: the page is looked at through a frame of the width.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe src="page.html" width="{width}" height="2000"></iframe><script>'
        'addEventListener("load", () => setInterval(() => { const f = document.querySelector("iframe");'
        "document.title = f.contentDocument.body.textContent.slice(0, 1e6); }, 50));</script>",
        encoding="utf-8",
    )
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"),
        *("--allow-file-access-from-files", "--window-size=1400,2100", "--virtual-time-budget=20000"),
        *(("--force-dark-mode",) if dark else ()),
        *("--dump-dom", frame.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180)  # noqa: S603  # a browser
    told = re.search("<title>AXE(.*?)EXA</title>", done.stdout, re.DOTALL)
    assert told, done.stdout[-2000:]
    found = json.loads(told[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert found["violations"] == []
    assert "color-contrast" in found["passed"]
    assert found["dark"] is dark
    assert not found["wide"]


def palettes() -> dict[str, dict[str, str]]:
    style = Path(html.__file__).with_name("templates").joinpath("palette.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    first = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return {"light": first, "dark": {**first, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))}}


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_of_text_can_be_read(theme: str) -> None:
    colours = palettes()[theme]
    verdicts = ("PASS", "FAIL", "ERROR", "UNPROVABLE")
    pairs = [(ink, back) for ink in ("ink", "soft") for back in ("page", "card", "code")]
    pairs += [(verdict, back) for verdict in verdicts for back in ("card", f"{verdict}-back")]
    pairs += [(ink, f"{verdict}-back") for ink in ("ink", "soft") for verdict in ("PASS", "ERROR")]
    weak = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < LEAST_CONTRAST} == {}
