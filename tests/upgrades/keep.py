"""Keeps the templates of a release, for the tests of upgrades: ``python -m tests.upgrades.keep [REVISION]``.

They are the tested snapshots of ``tests/stacks`` at a revision of git (HEAD unless named), without whitespace, in a
folder with the day of its commit. Their one asset, CDK's function that empties buckets, is a placeholder in them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.beside import STACKS

HERE = Path(__file__).parent
SNAPSHOTS = "tests/stacks/__snapshots__/test_snapshots"


def keep(revision: str, folder: Path) -> Path:
    """Write the templates of a revision into a folder of its day beneath the given one, and return that."""
    day = _git("show", "--no-patch", "--format=%cs", f"{revision}^{{commit}}").strip()
    place = folder / day
    place.mkdir(exist_ok=True)
    for stack in STACKS:
        text = _git("show", f"{revision}:{SNAPSHOTS}/test_template[{stack}].json")
        (place / f"{stack}.json").write_text(json.dumps(json.loads(text), separators=(",", ":")))
    return place


def _git(*arguments: str) -> str:
    command = ["/usr/bin/env", "git", *arguments]
    return subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout  # noqa: S603  # git


if __name__ == "__main__":
    sys.stdout.write(f"{keep(sys.argv[1] if len(sys.argv) > 1 else 'HEAD', HERE)}\n")
