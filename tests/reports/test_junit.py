from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from kmslab.reports import junit

if TYPE_CHECKING:
    from kmslab.reports.report import Report


def parsed(report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(junit.render(report))  # noqa: S314  # our own document


def test_verdicts_become_what_ci_systems_know(mixed: Report) -> None:
    root = parsed(mixed)
    assert root.attrib == {
        "name": "kmslab",
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
        "time": "3.142",
    }
    assert [(suite.get("name"), suite.get("tests"), suite.get("time")) for suite in root] == [
        ("keys", "2", "0.500"),
        ("s3", "2", "0.500"),
    ]
    said = {
        case.get("name"): [(child.tag, child.get("message")) for child in case if child.tag != "system-out"]
        for case in root.iter("testcase")
    }
    assert said == {
        "keys.rotation": [],
        "keys.states": [("failure", "a disabled key still opens")],
        "s3.reader": [("error", "could not look: throttled")],
        "s3.sse-c": [("skipped", "this target does not enforce sse-c-blocking")],
    }


def test_the_evidence_is_in_the_output(mixed: Report) -> None:
    first = next(parsed(mixed).iter("testcase"))
    assert first.findtext("system-out") == (
        "Claim of keys.rotation\nevery 180 days\ndata-reader: s3:GetObject bucket/key -> AccessDenied"
    )


def test_characters_that_xml_cannot_hold_do_not_break_the_document(hostile: Report) -> None:
    root = parsed(hostile)
    failure = next(root.iter("failure"))
    assert failure.get("message") == hostile.results[0].verdict.summary.replace("\x07", "\ufffd")
