"""``kmslab cost``: what the lab costs in an AWS account, item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from kmslab.commands.settings import context_for
from kmslab.cost import estimate
from kmslab.cost.estimating import HOURS_A_DAY, total
from kmslab.model.settings import LabSettings
from kmslab.project import find_project
from kmslab.terminal import out, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.cost import ClassEstimate, Estimate, Line

SCHEMA_VERSION = 1
NOT_PRICED, NOT_COUNTED = "not priced", "not counted"


def run(context: Sequence[str], seats: int, days: int, hours: int, runs: int, *, as_json: bool) -> None:
    """Print what a lab with these settings costs, and a class of them.

    Raises:
        LabError: a setting is wrong, or there is no project here.
    """
    project = find_project()
    settings = LabSettings.from_project(project.root, context_for(project, context))
    found = estimate(settings)
    of_class = found.for_class(seats, days, hours=hours, runs=runs)
    if as_json:
        print_json(_document(found, of_class))
    else:
        _show(found, of_class)


def _show(found: Estimate, of_class: ClassEstimate) -> None:
    _print_standing(found)
    _print_doing(found)
    _print_class(of_class)
    words = [
        f"Prices of {found.region}, looked up on {found.seen}; sources: kmslab/cost/prices.toml, or --format json. "
        f"Requests were counted on the local engine on {found.measured}. Taxes are not in it.",
        f"Not subtracted, if the account has it: {'; '.join(found.free_tiers)}.",
        "Keys that are pending deletion cost nothing. Look at AWS's pricing pages before a class.",
    ]
    for line in words:
        out.print(line, style="dim", highlight=False)


def _print_standing(found: Estimate) -> None:
    table = _table("While the lab stands", "price", "an hour", "a day")
    for line in found.standing:
        hour = _usd(line.usd, line)
        day = _usd(line.usd * HOURS_A_DAY if line.usd is not None else None, line)
        table.add_row(_named(line), _price(line), hour, day)
    table.add_section()
    table.add_row("the lab", "", _money(found.per_hour), _money(found.per_day), style="bold")
    table.add_section()
    for line in found.not_counted:
        table.add_row(_named(line), _price(line), _usd(None, line), "")
    out.print(table)


def _print_doing(found: Estimate) -> None:
    table = _table("What is done with it", "how many", "price", "USD")
    for name, lines in (("up and down, once", found.deployment), ("one full kmslab verify", found.verify)):
        for line in lines:
            table.add_row(Text(line.what), _quantity(line), _price(line), _usd(line.usd, line))
        table.add_row(name, "", "", _money(total(lines)), style="bold", end_section=True)
    for name, lines in found.pages.items():
        unpriced = any(line.usd is None for line in lines)
        table.add_row(f"page {name}", "", NOT_PRICED + ": a part" if unpriced else "", _money(total(lines)))
    pages = sum(total(lines) for lines in found.pages.values())
    table.add_row("every page once", "", "", _money(pages), style="bold")
    out.print(table)


def _print_class(of_class: ClassEstimate) -> None:
    many = of_class.seats
    table = _table(_class_title(of_class), "a seat", "all seats")
    every = of_class.hours == HOURS_A_DAY
    rows = (
        (f"{of_class.days * of_class.hours} hours of the lab", of_class.standing),
        ("one deployment" if every else f"{of_class.days} deployments", of_class.deployments),
        (f"{of_class.runs} full runs of kmslab verify", of_class.verifies),
        ("every page of the course", of_class.pages),
    )
    for what, usd in rows:
        table.add_row(what, _money(usd), _money(usd * many))
    table.add_section()
    table.add_row("the class", _money(of_class.per_seat), _money(of_class.total), style="bold")
    out.print(table)


def _class_title(of_class: ClassEstimate) -> str:
    seats = "a seat" if of_class.seats == 1 else f"{of_class.seats:,} seats"
    days = "a day" if of_class.days == 1 else f"{of_class.days} days"
    return f"{seats.capitalize()} for {days}, {of_class.hours} hours each day"


def _table(title: str, *numbers: str) -> Table:
    table = Table(box=None, padding=(0, 1), title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _named(line: Line) -> Text:
    text = Text(f"{line.quantity:g} x " if line.quantity is not None else "").append(line.what)
    return text.append(f"\n  {line.why}", style="dim") if line.why else text


def _quantity(line: Line) -> str:
    return f"{line.quantity:,g}" if line.quantity is not None else ""


def _price(line: Line) -> str:
    if line.price is None:
        return NOT_PRICED
    per = (
        f"{line.price.per:,} {line.price.unit}s" if line.price.per != 1 else line.price.unit.replace("-", " ")
    )
    price = f"{line.price.price:.10f}".rstrip("0")
    return f"{price}{'0' * (2 - len(price.partition('.')[2]))} / {per}"


def _usd(usd: float | None, line: Line) -> str:
    if usd is not None:
        return _money(usd)
    return NOT_PRICED if line.price is None else NOT_COUNTED


def _money(usd: float) -> str:
    """Four decimals where a cent would hide the item."""
    return f"{usd:,.4f}" if usd < 1 else f"{usd:,.2f}"


def _document(found: Estimate, of_class: ClassEstimate) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "currency": "USD",
        "region": found.region,
        "prices_seen": str(found.seen),
        "requests_counted": str(found.measured),
        "per_hour": found.per_hour,
        "per_day": found.per_day,
        "standing": _entries(found.standing),
        "not_counted": _entries(found.not_counted),
        "deployment": {"usd": total(found.deployment), "items": _entries(found.deployment)},
        "verify": {"usd": total(found.verify), "items": _entries(found.verify)},
        "pages": {
            name: {"usd": total(lines), "items": _entries(lines)} for name, lines in found.pages.items()
        },
        "class": {
            "seats": of_class.seats,
            "days": of_class.days,
            "hours_a_day": of_class.hours,
            "verify_runs": of_class.runs,
            "per_seat": of_class.per_seat,
            "total": of_class.total,
        },
        "free_tiers_not_subtracted": list(found.free_tiers),
    }


def _entries(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Each line as an object; ``usd`` is null where it is not counted or not priced, never 0."""
    return [
        {
            "item": line.item,
            "what": line.what,
            "quantity": line.quantity,
            "unit": line.unit or None,
            "price": line.price.price if line.price else None,
            "per": line.price.per if line.price else None,
            "usd": line.usd,
            "status": "priced" if line.usd is not None else NOT_COUNTED if line.price else NOT_PRICED,
            "source": line.price.source if line.price else None,
            "seen": str(line.price.seen) if line.price else None,
        }
        for line in lines
    ]
