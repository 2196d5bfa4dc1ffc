"""What MkDocs does besides when it builds the course: drawings become SVG, and GitHub's Markdown becomes its own.

MkDocs loads this file in the site's own environment, where nothing of the lab is installed.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from concurrent.futures import Future

HERE = Path(__file__).resolve().parent
ASSETS = ("site.css", "checkpoints.js")
COLOURS = {
    "#eef1fb": "--drawing-fill",
    "#5c6bc1": "--drawing-line",
    "#20243b": "--drawing-text",
    "#f6f7fd": "--drawing-group",
    "#fefdff": "--drawing-page",
}
"""Colours that a drawing is made with, each replaced by a variable, so that it is light or dark with its page."""

_THEME = {
    "primaryColor": "#eef1fb",
    "mainBkg": "#eef1fb",
    "actorBkg": "#eef1fb",
    "primaryTextColor": "#20243b",
    "nodeTextColor": "#20243b",
    "textColor": "#20243b",
    "titleColor": "#20243b",
    "actorTextColor": "#20243b",
    "signalTextColor": "#20243b",
    "labelTextColor": "#20243b",
    "loopTextColor": "#20243b",
    "noteTextColor": "#20243b",
    "primaryBorderColor": "#5c6bc1",
    "nodeBorder": "#5c6bc1",
    "clusterBorder": "#5c6bc1",
    "actorBorder": "#5c6bc1",
    "actorLineColor": "#5c6bc1",
    "lineColor": "#5c6bc1",
    "signalColor": "#5c6bc1",
    "noteBorderColor": "#5c6bc1",
    "defaultLinkColor": "#5c6bc1",
    "clusterBkg": "#f6f7fd",
    "noteBkgColor": "#f6f7fd",
    "labelBoxBkgColor": "#f6f7fd",
    "edgeLabelBackground": "#fefdff",
    "fontFamily": "system-ui, sans-serif",
}
_DRAWING = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"<!-- drawing (\d+) -->")
_ACCESSIBLE = (
    ("<pre><span></span><code>", '<pre><span></span><code tabindex="0">'),  # it scrolls: by the keyboard too
    ("<th></th>", "<td></td>"),  # the corner of a table heads nothing
)
_NAMELESS = (
    'data-md-component="search" role="dialog"',
    'data-md-component="search" role="dialog" aria-label="Search"',
)
_TABLE = ('"div",{class:"md-typeset__scrollwrap"}', '"div",{class:"md-typeset__scrollwrap",tabindex:"0"}')
"""In the theme's script: a wide table scrolls, by the keyboard too."""
_LANDMARK = ('"nav",{class:"md-code__nav"}', '"div",{class:"md-code__nav"}')
"""In the theme's script: the button that copies is no navigation, and there are forty on a page."""
_SCROLLS = (re.compile(r'(\w)&&\w\?(\w\.setAttribute\("tabindex","0"\))'), r"\1?\2")
"""In the theme's script: code that scrolls is reached by the keyboard, also where nothing can hover."""
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")
_COMMENT = re.compile(r"^<!-- .* -->\n", re.MULTILINE)
_BOX = re.compile(r"<blockquote>\n<p><strong>(In the console|In the lab's CDK code)\.</strong>")
_CODE = re.compile(r"<code\b[^>]*>.*?</code>", re.DOTALL)
_WHOLE = re.compile(r"<[^>]*>|(?<![\w.-])(?=[\w.-]{2,33}(?![\w.-]))([\w.]*-[\w.-]+)")
"""A tag, or a word in code with a hyphen in it, which a phone has room for: browsers end lines at hyphens."""
_REMOTE = re.compile(r"https://(?:unpkg\.com|api\.github\.com)/[\w@./${}]*")
_SPOKEN = re.compile(r"^\s*(accTitle|accDescr)\s*:\s*(.+)$", re.MULTILINE)
_LABEL = re.compile(r"<(?:text|tspan|p|span)\b[^>]*>([^<]+)<")

_NATURAL = re.compile(r'<svg [^>]*?style="(?P<style>[^"]*)" viewBox="(?P<size>[^"]*)"[^>]*>')
LEAST_SCALE = 0.65
"""Mermaid writes in 16 pixels: a drawing is not made smaller than this times what it was made for."""
TALLEST = 760
"""In pixels: a drawing that is taller is made smaller, as far as it can still be read."""

_pencil = ThreadPoolExecutor(1)
"""Draws while MkDocs renders: drawing is two thirds of the work, and Mermaid runs outside Python's lock."""
_drawings: dict[str, list[Future[str]]] = {}


def on_files(files: Any, *, config: MutableMapping[str, Any], **_: Any) -> Any:
    """Add the style sheet and the script of the course, which lie beside this file."""
    from mkdocs.structure.files import File

    for name in ASSETS:
        content = (HERE / name).read_text(encoding="utf-8")
        files.append(File.generated(config, f"site/{name}", content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: MutableMapping[str, Any], **_: Any) -> str:
    """Take the drawings out and begin them, let Markdown into folded answers, unlink what is not part of the site."""
    drawings = _drawings[page.file.src_uri] = []
    kept = Path(config["extra"]["drawings"])

    def place(match: re.Match[str]) -> str:
        drawings.append(_pencil.submit(_drawn, match[1], kept))
        return f"<!-- drawing {len(drawings) - 1} -->\n"

    text = _DRAWING.sub(place, _COMMENT.sub("", markdown))
    text = text.replace("<details>", '<details markdown="1">')
    text = text.replace("<summary>", '<summary markdown="span">')
    return _OUTSIDE.sub(r"\1", text)


def on_page_content(content: str, **_: Any) -> str:
    """Let the keyboard reach what scrolls, keep words of code whole, and name the boxes."""
    for theirs, ours in _ACCESSIBLE:
        content = content.replace(theirs, ours)
    content = _CODE.sub(lambda code: _WHOLE.sub(_whole, code[0]), content)
    return _BOX.sub(r'<blockquote class="box">' + "\n" + r"<p><strong>\1.</strong>", content)


def _whole(found: re.Match[str]) -> str:
    return f'<span class="whole">{found[1]}</span>' if found[1] else found[0]


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Put the drawings in, as SVG, and name the dialog in which one searches."""
    drawings = _drawings.pop(page.file.src_uri)
    stem = Path(page.file.src_uri).stem.lower()
    output = _PLACE.sub(
        lambda found: drawings[int(found[1])].result().replace("my-svg", f"drawing-{stem}-{found[1]}"), output
    )
    return output.replace(*_NAMELESS)


def on_post_template(output_content: str, **_: Any) -> str:
    """Name it on the page for addresses that lead nowhere too."""
    return output_content.replace(*_NAMELESS)


def on_post_build(*, config: MutableMapping[str, Any], **_: Any) -> None:
    """Leave out what no page needs, and every address from which the theme's script could fetch something."""
    site = Path(config["site_dir"])
    for unused in [
        *site.rglob("*.map"),
        *site.glob("assets/javascripts/lunr/**/*.js"),
        site / "sitemap.xml.gz",
    ]:
        unused.unlink(missing_ok=True)
    for script in site.rglob("*.js"):
        text = script.read_text(encoding="utf-8")
        text = _REMOTE.sub("about:blank", text).replace(*_LANDMARK).replace(*_TABLE)
        script.write_text(_SCROLLS[0].sub(_SCROLLS[1], text), encoding="utf-8")


def _drawn(source: str, kept: Path) -> str:
    """Return the figure of a drawing: the one that is kept of an earlier build, or a new one."""
    made_of = json.dumps([source, Path(__file__).read_text(encoding="utf-8")])
    file = kept / f"{hashlib.sha256(made_of.encode()).hexdigest()}.html"
    if file.exists():
        return file.read_text(encoding="utf-8")
    figure = _figure(source)
    kept.mkdir(parents=True, exist_ok=True)
    # Another build may be drawing the same: each writes a file of its own.
    with NamedTemporaryFile("w", encoding="utf-8", dir=kept, suffix=".new", delete=False) as new:
        new.write(figure)
    Path(new.name).replace(file)
    return figure


def _figure(source: str) -> str:
    """Draw one drawing; Mermaid itself refuses what it cannot read, and the build with it."""
    import mermaidx

    svg = str(mermaidx.render(source, theme="base", config={"themeVariables": _THEME}).svg())
    for colour, variable in COLOURS.items():
        svg = re.sub(colour, f"var({variable})", svg, flags=re.IGNORECASE)
    said = " ".join(text for _, text in _SPOKEN.findall(source)) or _labels(svg)
    svg = re.sub(r'role="[^"]*"', f'role="img" aria-label="{html.escape(said)}"', svg, count=1)
    svg = _NATURAL.sub(_legible, svg, count=1)
    return f'<figure class="drawing" tabindex="0">{svg}</figure>'


def _legible(natural: re.Match[str]) -> str:
    """How wide a drawing may become: as wide as it was made, and never so narrow that one cannot read it.

    A page narrower than that scrolls it.
    """
    width, height = (float(size) for size in natural["size"].split()[2:])
    widest = width * max(LEAST_SCALE, min(1.0, TALLEST / height))
    style = f"max-width: {widest:.0f}px; min-width: {width * LEAST_SCALE:.0f}px;"
    return natural[0].replace(natural["style"], style)


def _labels(svg: str) -> str:
    """What the drawing says, for who cannot see it: its labels in the order in which they are drawn."""
    labels = dict.fromkeys(html.unescape(text).strip() for text in _LABEL.findall(svg))
    return f"Drawing: {'; '.join(label for label in labels if label)}."
