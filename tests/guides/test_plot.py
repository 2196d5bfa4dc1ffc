"""Plots: drawn by a page's own command, said in words, and the pictures in the repository are what it draws."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kmslab.guides.page import read as read_page
from kmslab.guides.plot import DASHES, PlotError, main, read

GUIDES = Path(__file__).resolve().parent.parent.parent / "lab_guides"
SVG = "{http://www.w3.org/2000/svg}"
PICTURES = [("05-s3", "05-requests"), ("07-envelope", "07-throughput")]
BARS = ",GenerateDataKey,Decrypt\nwithout,20,10\nwith & all,0,\n"
LINES = "bytes,direct,envelope\n10,0.1,0.2\n1000,10,20\n100000,,2000\n"


def drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, text: str) -> ET.Element:
    path = tmp_path / "plot.csv"
    path.write_text(text, encoding="utf-8")
    assert main([kind, str(path), "--title", "Requests <all>", "--unit", "requests", "--across", "size"]) == 0
    return ET.fromstring(capsys.readouterr().out)  # noqa: S314  # our own


def test_bars_are_as_long_as_their_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = drawn(tmp_path, capsys, "bars", BARS)
    widths = [float(bar.get("width", "")) for bar in picture.findall(f"{SVG}rect") if bar.get("rx") == "2"]
    key, bars = widths[:2], widths[2:]
    assert key == [14, 14]
    assert bars[0] == pytest.approx(2 * bars[1], abs=0.2)
    assert bars[2:] == [1.0]  # nothing is a bar that one can see; a value that is not there is none
    labels = [text.text for text in picture.findall(f"{SVG}text")]
    assert {"Requests <all>", "requests", "with & all", "GenerateDataKey", "20", "10", "0"} <= set(labels)


def test_a_line_is_straight_where_both_grow_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = drawn(tmp_path, capsys, "lines", LINES)
    first, second = (
        [tuple(map(float, point.split())) for point in path.get("d", "")[1:].split("L")]
        for path in picture.findall(f"{SVG}path")
    )
    assert (len(first), len(second)) == (2, 3)
    (x1, y1), (x2, y2), (x3, y3) = second
    assert (x2 - x1, y2 - y1) == pytest.approx((x3 - x2, y3 - y2), abs=0.2)
    assert y1 < first[0][1]  # higher is further up
    assert [path.get("stroke-dasharray") for path in picture.findall(f"{SVG}path")] == list(DASHES[:2])


@pytest.mark.parametrize(("kind", "text"), [("bars", BARS), ("lines", LINES)])
def test_all_numbers_are_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, text: str
) -> None:
    picture = drawn(tmp_path, capsys, kind, text)
    assert (picture.get("role"), picture.get("aria-labelledby")) == ("img", "title said")
    said = picture.findtext(f"{SVG}desc")
    wanted = {
        "bars": "In requests. without: GenerateDataKey 20, Decrypt 10; with & all: GenerateDataKey 0.",
        "lines": "In requests. 10: direct 0.1, envelope 0.2; 1000: direct 10, envelope 20; 100000: envelope 2,000.",
    }
    assert said == wanted[kind]


def test_names_at_the_ends_of_lines_do_not_lie_upon_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = drawn(tmp_path, capsys, "lines", "n,a,b,c\n1,1,1,1\n10,5,5,5.1\n")
    places = [
        float(text.get("y", "")) for text in picture.findall(f"{SVG}text") if text.text in {"a", "b", "c"}
    ]
    assert all(abs(one - other) >= 20 for one, other in pairwise(places))


def test_a_picture_is_light_or_dark_and_loads_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = ET.tostring(drawn(tmp_path, capsys, "bars", BARS), encoding="unicode")
    assert "@media (prefers-color-scheme: dark)" in text
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []
    assert "<script" not in text


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n", "a,b\nx,y\n", "a,b\nx,-1\n", "a,b\nx,1,2\n", "a,b\nx,\n", "a,b,c,d,e,f\nx,1,1,1,1,1\n"],
)
def test_what_cannot_be_drawn_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "plot.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlotError):
        read(path)
    assert main(["bars", str(path), "--title", "t", "--unit", "u"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("text", ["n,a\nzero,1\n2,1\n", "n,a\n0,1\n2,1\n", "n,a\n1,0\n2,1\n", "n,a\n1,1\n"])
def test_lines_need_numbers_with_a_logarithm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "plot.csv"
    path.write_text(text, encoding="utf-8")
    assert main(["lines", str(path), "--title", "t", "--unit", "u"]) == 2
    assert capsys.readouterr().err.startswith("lines need")


@pytest.mark.parametrize(("stem", "picture"), PICTURES)
def test_the_picture_of_a_page_is_what_its_command_draws(
    stem: str, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the figures beside it, which the page's commands measured on the day that the page names."""
    page = read_page(GUIDES / f"{stem}.md")
    (script,) = [step.script for step in page.steps if "kmslab.guides.plot" in step.script]
    words = shlex.split(script.replace("\\\n", ""))
    arguments = words[words.index("kmslab.guides.plot") + 1 : words.index(">")]
    arguments[1] = str(GUIDES / "pictures" / f"{picture}.csv")
    assert main(arguments) == 0
    assert (GUIDES / "pictures" / f"{picture}.svg").read_text(encoding="utf-8") == capsys.readouterr().out
    shown = re.findall(r"!\[([^\]]+)\]\((pictures/[^)]+)\)", page.path.read_text(encoding="utf-8"))
    ((alternative, place),) = shown
    assert place == f"pictures/{picture}.svg"
    assert len(alternative) > 60
