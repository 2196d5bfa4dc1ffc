"""The access matrix as the report shows it: a word for each cell, and the reasons behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.model.matrix import AccessMatrix, Cell

USES = frozenset(
    {
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "Sign",
        "GenerateMac",
        "VerifyMac",
        "DeriveSharedSecret",
        "Encapsulate",
        "Decapsulate",
    }
)
"""Operations that use the key's secret material; the rest checks, describes, administers or passes on."""
VERIFY = "Verify"
"""Uses the public key alone, which everybody may have: no secret is used with it."""
_SEES = re.compile("Describe|Get|List")
_SERVICES = {"secretsmanager": "secrets manager", "ec2": "ebs"}
"""What a route is called in a narrow column, where that is not the service's own name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a principal may do with a key, in one word.

    Attributes:
        symbol: one character, for the eye.
        word: ``uses``, ``via s3``, ``verifies``, ``grants``, ``manages``, ``sees`` or ``nothing``.
        style: a class of the style sheet.
    """

    symbol: str
    word: str
    style: str


USING = Mark("●", "uses", "uses")
THROUGH = Mark("◐", "via s3", "via")
VERIFYING = Mark("✓", "verifies", "sees")
GRANTING = Mark("◆", "grants", "grants")
MANAGING = Mark("■", "manages", "manages")
SEEING = Mark("○", "sees", "sees")
NOTHING = Mark("·", "nothing", "none")
DIFFERING = Mark("≠", "differs", "differs")
LEGEND = (
    (USING, "encrypts, decrypts, signs: calls KMS with the key"),
    (THROUGH, "only through that service, which calls KMS on their behalf"),
    (VERIFYING, "checks signatures, as everybody with the public key can"),
    (GRANTING, "may let somebody else use it (CreateGrant)"),
    (MANAGING, "changes the key, its policy, aliases or state"),
    (SEEING, "reads its description, policy or public key"),
    (NOTHING, "may do nothing with it"),
    (DIFFERING, "what was tried went otherwise than the policies say"),
)
"""Every mark, with what it means."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Cells of one place that were decided alike.

    Attributes:
        operations: ``Decrypt, Encrypt``.
        route: as in `Cell`.
        allowed: what the policies say.
        observed: what happened where it was tried, in a word.
        differs: whether that is something else.
        text: the statement that decided.
    """

    operations: str
    route: str
    allowed: bool
    observed: str
    differs: bool
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """One field of the picture: a principal and a key.

    Attributes:
        id: of the element with its reasons.
        principal: the row.
        key: the column.
        marks: in the order of the legend; never empty.
        reasons: permitted ones first.
    """

    id: str
    principal: str
    key: str
    marks: tuple[Mark, ...]
    reasons: tuple[Reason, ...]


def rows(matrix: AccessMatrix) -> list[tuple[str, list[Place]]]:
    """The rows of the picture: each principal with a place for each key."""
    return [
        (
            principal,
            [_place(principal, key, matrix.by_place.get((principal, key), ())) for key in matrix.keys],
        )
        for principal in matrix.principals
    ]


def _place(principal: str, key: str, cells: Sequence[Cell]) -> Place:
    return Place(
        id="access-" + "-".join(re.sub("[^a-z0-9]+", "-", name.lower()) for name in (principal, key)),
        principal=principal,
        key=key,
        marks=tuple(_marks(cells)) or (NOTHING,),
        reasons=tuple(_reasons(cells)),
    )


def _marks(cells: Sequence[Cell]) -> Iterable[Mark]:
    allowed = [cell for cell in cells if cell.allowed]
    direct = {cell.operation for cell in allowed if not cell.route}
    routes = dict.fromkeys(cell.route for cell in allowed if cell.route)
    if direct & USES:
        yield USING
    for route in routes:
        yield Mark(THROUGH.symbol, f"via {_SERVICES.get(route, route)}", THROUGH.style)
    if VERIFY in direct and not direct & USES:
        yield VERIFYING
    if "CreateGrant" in direct:
        yield GRANTING
    seen = {operation for operation in direct if _SEES.match(operation)}
    if direct - USES - seen - {VERIFY, "CreateGrant"}:
        yield MANAGING
    if seen and direct == seen and not routes:
        yield SEEING
    if any(cell.observed not in (None, cell.allowed) for cell in cells):
        yield DIFFERING


def _reasons(cells: Sequence[Cell]) -> Iterable[Reason]:
    def alike(cell: Cell) -> tuple[bool, str, str, str]:
        observed = {None: "", True: "done", False: "refused"}[cell.observed]
        # What differs in the name of the operation alone is one reason: the column beside it has the names.
        return (not cell.allowed, cell.route, observed, cell.reason.replace(f"kms:{cell.operation} ", "it "))

    for (refused, route, observed, text), some in groupby(sorted(cells, key=alike), key=alike):
        together = list(some)
        yield Reason(
            operations=", ".join(cell.operation for cell in together),
            route=route,
            allowed=not refused,
            observed=observed or "not tried",
            differs=any(cell.observed not in (None, cell.allowed) for cell in together),
            text=text,
        )
