from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.findings.mutes import ACCOUNT, FILE, TOOLS, Finding, Mute, judge, load, page
from benchmarks.findings.standing import where
from benchmarks.findings.templates import LINTERS, find
from tests.stacks.conftest import assemblies
from tests.stacks.template import Assembly

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["assemblies"]

PROJECT = Path(__file__).parents[2]
MUTE = Mute("checkov", "CKV_AWS_7", ("keys/Mac", "keys/Imported"), "KMS does not rotate these.")


def test_the_page_is_made_of_the_list() -> None:
    written = (PROJECT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert written == page(load()), "run: .venv/bin/python -m benchmarks.findings --page > docs/findings.md"


def test_every_mute_is_about_a_resource_of_the_lab(assemblies: Path) -> None:
    lab = Assembly(assemblies / "every-option")
    there = {f"{stack}/{name}" for stack in lab.stacks() for name in lab.template(stack)["Resources"]}
    muted = {place for mute in load() for place in mute.resources}
    assert {place for place in muted - there if not place.startswith("CDKToolkit/")} == {ACCOUNT}


def test_a_finding_that_nothing_mutes_is_new() -> None:
    new = Finding("checkov", "CKV_AWS_7", "keys/App")
    assert judge([*MUTE.findings, new], [MUTE], ["checkov"]).new == (new,)


def test_a_rule_that_is_muted_for_one_resource_is_not_for_another() -> None:
    found = [Finding("checkov", "CKV_AWS_7", "storage/Mac"), Finding("checkov", "CKV_AWS_18", "keys/Mac")]
    assert set(judge(found, [MUTE], ["checkov"]).new) == set(found)


def test_a_mute_without_its_finding_is_idle() -> None:
    judged = judge([Finding("checkov", "CKV_AWS_7", "keys/Mac")], [MUTE], ["checkov"])
    assert judged.new == ()
    assert judged.idle == (Finding("checkov", "CKV_AWS_7", "keys/Imported"),)


def test_mutes_of_a_tool_that_did_not_run_are_left_alone() -> None:
    assert judge([], [MUTE], ["prowler"]).idle == ()


ENTRY = '[[mute]]\ntool = "checkov"\nrule = "CKV_AWS_7"\nresources = ["keys/Mac"]\nreason = "It cannot."\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ENTRY.replace('reason = "It cannot."\n', ""), "not tool, rule, resources, reason"),
        (ENTRY.replace("It cannot.", "accepted"), "no sentence"),
        (ENTRY.replace("checkov", "chekov"), "chekov"),
        (ENTRY.replace('["keys/Mac"]', "[]"), "0 resources"),
        (ENTRY + ENTRY, "muted twice: checkov: CKV_AWS_7 at keys/Mac"),
    ],
)
def test_an_entry_without_tool_resource_or_sentence_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mutes.toml"
    file.write_text(ENTRY)
    assert [mute.reason for mute in load(file)] == ["It cannot."]
    file.write_text(text)
    with pytest.raises(ValueError, match=says):
        load(file)


def test_what_prowler_names_is_found_in_the_stacks() -> None:
    resources = [
        ("kms-lab", "audit/ManagementEvents"),
        ("kms-lab-data", "storage/Data"),
        ("arn:aws:iam::111122223333:policy/kms-lab-admin-boundary", "identity/AdminBoundaryPolicy"),
        ("vol-0a1b", "volumes/Data1"),
    ]
    assert (
        where("arn:aws:cloudtrail:us-east-1:111122223333:trail/kms-lab", resources)
        == "audit/ManagementEvents"
    )
    assert where("arn:aws:s3:::kms-lab-data", resources) == "storage/Data"
    assert where("arn:aws:iam::111122223333:policy/kms-lab-admin-boundary", resources) == (
        "identity/AdminBoundaryPolicy"
    )
    assert where("arn:aws:ec2:us-east-1:111122223333:volume/vol-0a1b", resources) == "volumes/Data1"
    assert where("arn:aws:iam::111122223333:root", resources) == ACCOUNT


class Scanner:
    """A tool that names its findings as those of `benchmarks.score.linters` do."""

    name, version = "scanner", "1"

    def __init__(self, note: Callable[[str], None]) -> None:
        note("installed")

    def findings(self, folders: list[Path]) -> list[frozenset[str]]:
        lines = {
            "default": "kms-lab-keys: AWS::KMS::Key.Mac CKV_AWS_7",
            "every-part": "kms-lab-volumes: Mount ec2_check",
        }
        return [frozenset({lines[folder.name]}) for folder in folders]


def test_findings_of_every_variant_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LINTERS, "checkov", Scanner)
    told: list[str] = []
    folders = {name: Path(name) for name in ("default", "every-part")}
    assert find("checkov", folders, told.append) == {
        Finding("checkov", "CKV_AWS_7", "keys/Mac"),
        Finding("checkov", "ec2_check", "volumes/Mount"),
    }
    assert told == ["installed"]


def test_what_the_cdk_reports_is_read(assemblies: Path) -> None:
    found = find("cdk", {"faulty": assemblies / "faulty"}, lambda _: None)
    assert Finding("cdk", "E3512", "faulty/NeverRotates") in found


def test_every_tool_of_the_list_is_known() -> None:
    assert {mute.tool for mute in load(FILE)} <= set(TOOLS)
