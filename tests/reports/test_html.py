from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from kmslab.model.capability import Capability
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


def checks_of(report: Report) -> list[dict[str, str | None]]:
    return [one for one in Page(html.render(report)).all("details") if one.get("class") == "check"]


def test_failures_are_open_and_the_rest_is_folded(mixed: Report) -> None:
    shown = {one["id"]: "open" in one for one in checks_of(mixed)}
    assert shown == {"keys.rotation": False, "keys.states": True, "s3.reader": True, "s3.sse-c": False}


def test_each_verdict_has_a_filter_with_its_count(mixed: Report) -> None:
    buttons = [one for one in Page(html.render(mixed)).all("button") if "data-outcome" in one]
    assert [(one["data-outcome"], one["aria-pressed"]) for one in buttons] == [
        (str(outcome), "false") for outcome in Outcome
    ]
    assert [one["data-outcome"] for one in checks_of(mixed)] == ["PASS", "FAIL", "ERROR", "UNPROVABLE"]


@pytest.mark.parametrize("which", ["mixed", "whole", "hostile"])
def test_nothing_is_loaded_from_anywhere(which: str, request: pytest.FixtureRequest) -> None:
    text = html.render(request.getfixturevalue(which))
    page = Page(text)
    urls = [value for _, attributes in page.tags for name, value in attributes.items() if name in LOADING]
    assert [url for url in urls if not (url or "").startswith("#")] == ["data:,"]
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
    assert HOSTILE in "".join(page.text)
    assert [name for _, attributes in page.tags for name in attributes if name.startswith("on")] == []


@pytest.mark.parametrize("which", ["mixed", "whole"])
def test_every_link_leads_to_something_on_the_page(which: str, request: pytest.FixtureRequest) -> None:
    page = Page(html.render(request.getfixturevalue(which)))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [one["href"] for one in page.all("a")]
    assert len(ids) == len(set(ids))
    assert links
    assert [link for link in links if (link or "").removeprefix("#") not in ids] == []


def test_the_picture_is_drawn_and_told(whole: Report) -> None:
    page = Page(html.render(whole))
    (svg,) = page.all("svg")
    assert svg["role"] == "img"
    assert svg["aria-labelledby"] == "picture-title picture-text"
    told = " ".join("".join(page.text).split())
    assert "s3, SYMMETRIC_DEFAULT, Enabled: bucket kms-lab-data." in told
    assert "imported, SYMMETRIC_DEFAULT, PendingImport: used directly." in told
    assert "AWS managed key aws/s3: bucket kms-lab-managed." in told
    assert "AWS owned key: bucket kms-lab-logs." in told
    assert "no key: volume vol-1." in told
    assert "rotates every 180 days" in told


def test_the_matrix_is_a_table_with_headers_and_reasons(whole: Report) -> None:
    page = Page(html.render(whole))
    tables = [one.get("class") for one in page.all("table")]
    assert tables.count("matrix") == 1
    headers = [one.get("scope") for one in page.all("th")]
    assert None not in headers
    matrix = Page(html.render(whole).partition('<table class="matrix">')[2].partition("</table>")[0])
    assert [one["scope"] for one in matrix.all("th")] == ["col"] * 3 + ["row"] * 3
    assert len(matrix.all("td")) == 6
    told = " ".join(" ".join(page.text).split())
    assert "data-owner ◐ via s3 ● uses ◆ grants ≠ differs" in told
    assert "1 cells went otherwise" in told
    assert "UseThroughS3 allows it" in told


def test_a_report_without_keys_and_access_leaves_their_sections_out(mixed: Report) -> None:
    page = Page(html.render(mixed))
    assert page.all("svg") == []
    assert "#keys" not in [one["href"] for one in page.all("a")]
    assert "#access" not in [one["href"] for one in page.all("a")]


def test_controls_carry_the_worst_verdict_of_their_checks(mixed: Report) -> None:
    told = " ".join(" ".join(Page(html.render(mixed)).text).split())
    assert "FAIL KMS rotates the keys that it can rotate KMS.4" in told
    assert "AWS Security Hub CSPM KMS.4 AWS KMS key rotation should be enabled" in told
    assert "No key policy is public" not in told  # no check of this run evidences it


def test_times_and_fidelity_are_said(whole: Report) -> None:
    told = " ".join(" ".join(Page(html.render(whole)).text).split())
    assert (
        "4 checks in 3.1 s, side by side where they can be: one after the other they would take 1.0 s."
        in told
    )
    assert "it is not AWS" in told
    assert f"✓ {Capability.GRANTS}" in told
    assert f"✗ {Capability.TLS}: not enforced" in told
    assert "Claim of s3.sse-c this target does not enforce sse-c-blocking" in told
    assert "iam:GetAccountAuthorizationDetails: AccessDenied" in told
    assert "sns:GetTopicAttributes: AuthorizationError" in told


def test_a_large_report_is_quick_and_small() -> None:
    """160 checks with seven calls each: the page stays far below a megabyte."""
    import time

    large = report(*(result(f"topic-{n % 16}.check-{n}", Outcome.PASS, "seen " * 12) for n in range(160)))
    html.render(large)  # imports Jinja2 and compiles its parser's tables
    started = time.process_time()
    page = html.render(large)
    assert time.process_time() - started < 0.3
    assert len(page.encode()) < 1_000_000
    assert not re.search(r"^ ", page, re.MULTILINE)  # the templates' indentation would be a tenth of it
