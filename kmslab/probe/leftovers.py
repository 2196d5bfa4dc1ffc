"""What a run that was killed left behind: found by its tags and its path, and removed by the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.checks.sweep import sweep_without_lab
from kmslab.lab import Access
from kmslab.probe.failures import failures
from kmslab.probe.world import ROLE_PATH, remove_role

if TYPE_CHECKING:
    from kmslab.probe.world import World


def sweep(world: World) -> list[str]:
    """Remove what earlier runs left on the local engine; returns what could not be removed, one line each."""
    problems = list(sweep_without_lab(Access(world.target, world.prefix)).problems)
    iam = world.client("iam")
    try:
        for page in iam.get_paginator("list_roles").paginate(PathPrefix=ROLE_PATH):
            for role in page["Roles"]:
                remove_role(iam, role["RoleName"])
    except failures() as error:
        problems.append(f"roles of earlier runs: {type(error).__name__}")
    return problems
