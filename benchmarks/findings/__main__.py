"""Have every tool look at the lab: fails on a finding that is not muted, and on a mute that mutes nothing."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.findings import standing, templates
from benchmarks.findings.mutes import TOOLS, Finding, judge, load, page
from benchmarks.progress import note


def main() -> int:
    """Print what each tool found; 1 if something is new, or muted and gone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.findings", description=__doc__)
    parser.add_argument("--page", action="store_true", help="print docs/findings.md, and run nothing")
    parser.add_argument(
        "--tool", action="append", choices=list(TOOLS), help="only this one; may be repeated (default: all)"
    )
    arguments = parser.parse_args()
    mutes = load()
    if arguments.page:
        sys.stdout.write(page(mutes))
        return 0
    wanted = arguments.tool or list(TOOLS)
    found: set[Finding] = set()
    with tempfile.TemporaryDirectory(prefix="kmslab-findings-") as root:
        folders = templates.synthesize(Path(root)) if set(wanted) - {"prowler"} else {}
        for tool in wanted:
            reported = standing.find(note) if tool == "prowler" else templates.find(tool, folders, note)
            judged = judge(reported, mutes, [tool])
            note(f"{tool}: {len(reported)} findings, {len(judged.new)} not muted")
            found |= reported
    judged = judge(found, mutes, wanted)
    for one in judged.new:
        print(f"not muted: {one}")
    for one in judged.idle:
        print(f"muted, but not found any more: {one}")
    if judged.new:
        note("Mend it, or accept it with a reason in benchmarks/findings/mutes.toml.")
    if judged.idle:
        note("Take it out of benchmarks/findings/mutes.toml.")
    return 1 if judged.new or judged.idle else 0


if __name__ == "__main__":
    sys.exit(main())
