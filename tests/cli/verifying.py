"""`kmslab verify` without a lab: every check gets the verdict that a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.access.reader import UnreadableError
from kmslab.checks import runner
from kmslab.checks.sweep import Swept
from kmslab.commands import verify
from kmslab.model.inventory import Inventory
from kmslab.model.matrix import AccessMatrix
from kmslab.model.target import TargetKind
from kmslab.model.verdict import Call, Outcome, Verdict
from tests.checks.fakes import ACCOUNT, OUTPUTS, FakeAccess, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kmslab.model.errors import ExitCode

ONLY = ["mac"]


class Runner:
    """Stands in for run_all: gives every check the same verdict, and remembers what it was given."""

    def __init__(self) -> None:
        self.outcome = Outcome.PASS
        self.capabilities: frozenset[Any] | None = None
        self.deadline_seconds = 0.0
        self.problems: list[str] = []
        self.inventories = self.matrices = 0
        self.unreadable = False
        self.summary = "seen"
        self.evidence: tuple[Call, ...] = ()

    def build_matrix(self, _access: Any, outputs: Any) -> AccessMatrix:
        assert outputs is OUTPUTS
        self.matrices += 1
        if self.unreadable:
            raise UnreadableError("iam:GetAccountAuthorizationDetails:\n AccessDenied")
        return AccessMatrix(("outsider",), ("s3",), ())

    def read_inventory(self, _access: Any, outputs: Any) -> Inventory:
        assert outputs is OUTPUTS
        self.inventories += 1
        return Inventory((), (), ("kms:ListAliases: AccessDenied",))

    def run_all(
        self,
        access: Any,
        outputs: Any,
        capabilities: frozenset[Any],
        only: list[str],
        on_verdict: Any,
        *,
        on_sweep: Any,
        quick: bool,
        deadline_seconds: float,
    ) -> list[tuple[Any, Verdict]]:
        assert isinstance(access, FakeAccess)
        assert outputs is OUTPUTS
        self.capabilities = capabilities
        self.deadline_seconds = deadline_seconds
        on_sweep(Swept(problems=self.problems))
        verdicts = [
            (check, Verdict(self.outcome, self.summary, self.evidence))
            for check in runner.catalogue(only, quick=quick)
        ]
        for check, verdict in verdicts:
            on_verdict(check, verdict)
        return verdicts


def whole() -> World:
    """A world with no fault in place."""
    return World().answers("ssm:GetParametersByPath", {"Parameters": []})


def verified(
    values: Sequence[str],
    folder: Path,
    formats: Iterable[str] = (),
    *,
    kind: TargetKind = TargetKind.LOCAL,
    only: Sequence[str] = ONLY,
    quick: bool = False,
) -> ExitCode:
    return verify.run(kind, "", values, only, frozenset(formats), folder, quick=quick, deadline=60)


def run(formats: set[str], folder: Path, kind: TargetKind = TargetKind.LOCAL) -> ExitCode:
    values = [f"kmslab.sandbox_accounts={ACCOUNT}"] if kind is TargetKind.AWS else []
    return verified(values, folder, formats, kind=kind)
