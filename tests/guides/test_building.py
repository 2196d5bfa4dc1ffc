"""The site as it is built: complete, light, and with nothing that a browser would fetch from elsewhere."""

from __future__ import annotations

import html as markup
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from kmslab.guides import building
from kmslab.model.errors import LabError
from tests.guides.conftest import PAGES

if TYPE_CHECKING:
    from pathlib import Path

LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=[\"']?([^\"'> ]+)"
    r"|<link\b[^>]*\bhref=[\"']?([^\"'> ]+)|url\(([^)]+)\)"
)
HEAVIEST = 1_500_000


def html(site: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(site.glob("*.html"))}


def test_every_page_is_there(site: Path) -> None:
    assert {*html(site), "README.html"} - {"404.html", "index.html"} == {
        f"{path.stem}.html" for path in PAGES.glob("*.md")
    }


def test_what_is_built_already_is_not_built_again(site: Path) -> None:
    assert not building.build(PAGES, site)


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = {(name, "".join(groups)) for name, text in html(site).items() for groups in LOADED.findall(text)}
    assert any(address.endswith(".js") for _, address in loaded)
    assert [one for one in loaded if re.match(r"[\"']?(?:https?:)?//", one[1])] == []
    for style in site.rglob("*.css"):
        assert not re.search(
            r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8")
        ), style
    for script in site.rglob("*.js"):
        assert not re.search(r"unpkg\.com|api\.github\.com|googleapis", script.read_text(encoding="utf-8")), (
            script
        )


def test_a_page_is_light(site: Path) -> None:
    """With all its scripts and styles, and the index that the first search loads."""
    shared = sum(path.stat().st_size for path in site.rglob("*") if path.suffix in {".css", ".js", ".json"})
    for name, text in html(site).items():
        assert shared + len(text.encode()) < HEAVIEST, name


def test_drawings_are_svg_with_a_text_alternative(site: Path) -> None:
    for path in PAGES.glob("[0-9]*.md"):
        text = html(site)[f"{path.stem}.html"]
        assert text.count('<figure class="drawing" tabindex="0"><svg ') == 1, path
        (label,) = re.findall(r'<svg [^>]*role="img" aria-label="([^"]+)"', text)
        assert len(label) > 20
        assert 'class="mermaid"' not in text
        assert "var(--drawing-text)" in text


def test_drawings_are_never_too_small_to_be_read(site: Path) -> None:
    """Text in them is written in 16 pixels; on a phone they scroll, by the keyboard too."""
    for path in PAGES.glob("[0-9]*.md"):
        (drawing,) = re.findall(
            r'<figure class="drawing" tabindex="0"><svg [^>]*>', html(site)[f"{path.stem}.html"]
        )
        (natural,) = re.findall(r'viewBox="\S+ \S+ (\S+) \S+"', drawing)
        ((most, least),) = re.findall(r"max-width: (\d+)px; min-width: (\d+)px;", drawing)
        assert 0.64 * float(natural) < int(least) <= int(most) <= float(natural) + 1, path


def test_code_is_what_the_page_says(site: Path) -> None:
    """Each line may go on below, words with hyphens stay whole, and no character is lost or added."""
    text = html(site)["05-s3.html"]
    shown = re.findall(r'<pre><span></span><code tabindex="0">(.*?)</code></pre>', text, re.DOTALL)
    page = (PAGES / "05-s3.md").read_text(encoding="utf-8").expandtabs(4)
    fences = re.findall(r"^```(?!mermaid)\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert [markup.unescape(re.sub(r"<[^>]+>", "", code)) for code in shown] == fences
    assert shown[0].startswith('<span id="line-0-1">')
    assert '<span class="whole">--output</span>' in shown[0]


def test_a_drawing_is_kept_for_the_next_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "drawings"
    monkeypatch.setattr(building, "DRAWINGS", kept)
    pages = tmp_path / "pages"
    pages.mkdir()
    page = pages / "README.md"
    page.write_text("# All\n\n```mermaid\nflowchart LR\n  A[one] --> B\n```\n")
    assert building.build(pages, tmp_path / "site")
    (drawing,) = kept.iterdir()
    assert "<svg" in drawing.read_text()
    drawing.write_text("<figure>as it was</figure>")
    page.write_text(page.read_text() + "\nMore.\n")
    assert building.build(pages, tmp_path / "site")
    assert "<figure>as it was</figure>" in html(tmp_path / "site")["index.html"]
    page.write_text(page.read_text().replace("one", "two"))
    assert building.build(pages, tmp_path / "site")
    assert "as it was" not in html(tmp_path / "site")["index.html"]


def test_answers_fold_and_are_markdown(site: Path) -> None:
    text = html(site)["05-s3.html"]
    assert text.count("<details>") == text.count("</details>") >= 3
    assert re.search(r"<summary>[^<]+\?</summary>\n<p>", text)
    assert '<blockquote class="box">\n<p><strong>In the console.</strong>' in text


def test_what_axe_found_in_the_theme_is_mended(site: Path) -> None:
    for name, text in html(site).items():
        assert 'role="dialog" aria-label="Search"' in text, name
        assert "<pre><span></span><code>" not in text, name
        assert "<th></th>" not in text, name
    (script,) = (path.read_text(encoding="utf-8") for path in site.glob("assets/javascripts/bundle.*.js"))
    assert '("div",{class:"md-code__nav"})' in script
    assert '("div",{class:"md-typeset__scrollwrap",tabindex:"0"}' in script
    assert not re.search(r'\w&&\w\?\w\.setAttribute\("tabindex","0"\)', script)
    assert re.search(r'\(\{scrollable:(\w)\}\)=>\{\1\?\w\.setAttribute\("tabindex","0"\)', script)


def test_a_checkpoint_can_be_marked(site: Path) -> None:
    for path in PAGES.glob("[0-9]*.md"):
        text = html(site)[f"{path.stem}.html"]
        assert '<h2 id="checkpoint">' in text
        assert 'src="site/checkpoints.js"' in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[Nothing](nothing.md)", "nothing.md"),
        ("[Nowhere](README.md#nowhere)", "nowhere"),
        ("```mermaid\nflowchart LR\n  A[one --> B\n```", "Mermaid"),
    ],
)
def test_what_is_wrong_with_a_page_stops_the_build(tmp_path: Path, text: str, why: str) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "README.md").write_text("# All\n\n[One](one.md)\n")
    (pages / "one.md").write_text(f"# One\n\n{text}\n")
    site = tmp_path / "site"
    with pytest.raises(LabError, match="cannot be built") as told:
        building.build(pages, site)
    assert why in told.value.message
    assert {path.name for path in tmp_path.iterdir()} == {"pages", "site.lock"}


def test_commands_that_need_the_tools_at_once_make_them_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of CI's workers once removed each other's half of the environment."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("")
    monkeypatch.setattr(building, "LOCK", lock)
    made: list[Path] = []
    together = Barrier(4)

    def create(home: Path, **_: bool) -> None:
        made.append(home)
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "python").symlink_to(shutil.which("true") or "")

    def install(_: int) -> Path:
        together.wait(timeout=30)
        return building.install(tmp_path / "tools")

    monkeypatch.setattr("venv.create", create)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(install, range(4))) == {tmp_path / "tools" / "bin" / "python"}
    assert made == [tmp_path / "tools"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="Cannot write") as told:
        building.install(tmp_path / "file" / "tools")
    assert str(tmp_path / "file") in told.value.message


def test_a_machine_without_pip_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"])

    monkeypatch.setattr("venv.create", create)
    with pytest.raises(LabError, match=r"no environment can be made in .*tools"):
        building.install(tmp_path / "tools")


def test_a_machine_without_a_registry_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("no-such-package-anywhere==1.0 --hash=sha256:" + "0" * 64 + "\n")
    monkeypatch.setattr(building, "LOCK", lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(LabError, match="MkDocs could not be installed") as told:
        building.install(tmp_path / "tools")
    assert "plain Markdown" in told.value.hint
