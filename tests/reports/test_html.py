from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from kmslab.model.verdict import Outcome
from kmslab.reports import html
from tests.reports.conftest import HOSTILE, report, result

if TYPE_CHECKING:
    from kmslab.reports.report import Report

VOID = frozenset({"meta", "link", "br", "img", "input"})
LOADING = frozenset({"src", "href", "srcset", "data", "action", "poster", "background", "formaction"})


class Page(HTMLParser):
    """What a browser would make of the page, as far as these tests ask."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_is_well_formed_and_says_what_happened(mixed: Report) -> None:
    page = Page(html.render(mixed))
    assert page.open == []
    text = " ".join(" ".join(page.text).split())
    for said in (
        "Not everything is proven",
        "1 of 4 claims of the lab kms-lab",
        "https://127.0.0.1:4566",
        "123456789012",
        "eu-central-1",
        "21 November 2026, 22:00:00 UTC",
        "a disabled key still opens",
        "s3:GetObject",
        "AccessDenied",
        "KMS.4",
        "needs iam",
        "Because.",
    ):
        assert said in text


def test_a_proven_lab_is_called_so() -> None:
    assert "The lab is proven" in html.render(report(result("a.b", Outcome.PASS)))


def test_failures_are_open_and_the_rest_is_folded(mixed: Report) -> None:
    shown = {one["id"]: "open" in one for one in Page(html.render(mixed)).all("details")}
    assert shown == {"keys.rotation": False, "keys.states": True, "s3.reader": True, "s3.sse-c": False}


def test_each_verdict_has_a_filter_with_its_count(mixed: Report) -> None:
    buttons = Page(html.render(mixed)).all("button")
    assert [(one["data-outcome"], one["aria-pressed"]) for one in buttons] == [
        (str(outcome), "false") for outcome in Outcome
    ]
    checks = Page(html.render(mixed)).all("details")
    assert [one["data-outcome"] for one in checks] == ["PASS", "FAIL", "ERROR", "UNPROVABLE"]


@pytest.mark.parametrize("which", ["mixed", "hostile"])
def test_nothing_is_loaded_from_anywhere(which: str, request: pytest.FixtureRequest) -> None:
    text = html.render(request.getfixturevalue(which))
    page = Page(text)
    urls = [value for _, attributes in page.tags for name, value in attributes.items() if name in LOADING]
    assert urls == ["data:,"]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    assert not re.search(r"url\(|@import|//", style[1])
    policy = next(
        one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy


def test_hostile_text_stays_text(hostile: Report) -> None:
    page = Page(html.render(hostile))
    assert page.open == []
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    shown = "".join(page.text)
    # title, explanation, summary, guide twice, control, need and four fields of the call
    assert shown.count(HOSTILE) == 11
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []
