"""The report for CI systems: JUnit XML, a suite for each topic.

FAIL is a failure, ERROR an error, UNPROVABLE a skipped test: none of them counts as passed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from kmslab.model.verdict import Outcome

if TYPE_CHECKING:
    from kmslab.reports.report import Report, Result

_ELEMENTS = {Outcome.FAIL: "failure", Outcome.ERROR: "error", Outcome.UNPROVABLE: "skipped"}
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, escaped or not."""


def render(report: Report) -> str:
    """Return the report as a JUnit XML document."""
    root = ElementTree.Element(
        "testsuites", _counts(report.results) | {"name": "kmslab", "time": f"{report.seconds:.3f}"}
    )
    for topic, results in report.topics.items():
        seconds = sum(result.verdict.seconds for result in results)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            _counts(results)
            | {
                "name": topic,
                "time": f"{seconds:.3f}",
                "timestamp": report.started.isoformat(timespec="seconds"),
            },
        )
        for result in results:
            _case(suite, result)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(results: list[Result] | tuple[Result, ...]) -> dict[str, str]:
    outcomes = [result.verdict.outcome for result in results]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count(Outcome.FAIL)),
        "errors": str(outcomes.count(Outcome.ERROR)),
        "skipped": str(outcomes.count(Outcome.UNPROVABLE)),
    }


def _case(suite: ElementTree.Element, result: Result) -> None:
    verdict = result.verdict
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {"classname": result.topic, "name": result.id, "time": f"{verdict.seconds:.3f}"},
    )
    if element := _ELEMENTS.get(verdict.outcome):
        ElementTree.SubElement(case, element, {"message": _clean(verdict.summary)})
    lines = [f"{result.title}", verdict.summary]
    lines += [
        f"{call.persona}: {call.action} {call.resource} -> {call.result} {call.detail}"
        for call in verdict.evidence
    ]
    ElementTree.SubElement(case, "system-out").text = _clean("\n".join(line.rstrip() for line in lines))


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)
