"""The access matrix: who may do what with which key, as the policies say and as it was observed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Cell:
    """One question of the matrix, and its answer.

    Attributes:
        principal: name of the principal, as a row of the matrix: ``data-owner``.
        key: name of the key, as a column: ``app``.
        operation: the permission without ``kms:``: ``Decrypt``.
        route: how KMS is reached: empty for a direct call, else the service: ``s3``, ``ec2``, ``secretsmanager``.
        allowed: what key policy, identity policies, boundaries, grants and conditions say.
        reason: the statement that decided, in one sentence.
        observed: whether the principal could really do it; None where nobody tried.
    """

    principal: str
    key: str
    operation: str
    route: str
    allowed: bool
    reason: str
    observed: bool | None = None


@dataclass(frozen=True)
class AccessMatrix:
    """Every cell, and the order of its rows and columns.

    Attributes:
        principals: the rows.
        keys: the columns.
        cells: in the order of the rows, then of the columns.
    """

    principals: tuple[str, ...]
    keys: tuple[str, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def by_place(self) -> Mapping[tuple[str, str], tuple[Cell, ...]]:
        """The cells of each row and column."""
        found: dict[tuple[str, str], tuple[Cell, ...]] = {}
        for cell in self.cells:
            place = (cell.principal, cell.key)
            found[place] = (*found.get(place, ()), cell)
        return found

    @property
    def differences(self) -> tuple[Cell, ...]:
        """The cells where the principal could do other than the policies say."""
        return tuple(cell for cell in self.cells if cell.observed not in (None, cell.allowed))
