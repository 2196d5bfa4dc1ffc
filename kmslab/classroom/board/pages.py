"""The pages as HTML: whole for the first look, in parts for every change. Everything from outside is escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from kmslab.classroom.board import views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kmslab.classroom.board.course import Course
    from kmslab.classroom.board.following import Follower
    from kmslab.classroom.board.state import SeatState
    from kmslab.classroom.seats import Seat

LONGEST_NUDGE = 280
"""Characters of a nudge."""

_FOLDER = Path(__file__).parent / "pages"
_PALETTE = Path(__file__).parents[2] / "reports" / "templates" / "palette.css"
"""The colours of the report, which are those of the board too."""
_SCRIPTS = ("board.js", "clock.js", "door.js", "seat.js")


def assets() -> dict[str, tuple[bytes, str]]:
    """What the pages load: each file's bytes and media type, by its name."""
    style = _PALETTE.read_bytes() + (_FOLDER / "board.css").read_bytes()
    scripts = {name: ((_FOLDER / name).read_bytes(), "text/javascript") for name in _SCRIPTS}
    return {"board.css": (style, "text/css"), **scripts}


class Pages:
    """Draws the class that a follower follows."""

    def __init__(self, follower: Follower, course: Course) -> None:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        self._follower = follower
        self._course = course
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._parts: Any = self._templates.get_template("parts.html.j2").module
        self._drawn: dict[str, tuple[Seat, SeatState, views.Row, Markup]] = {}
        self._rows()  # now, not when the first page waits for it

    @property
    def seen(self) -> str:
        """What the pages show: a generation of the class and a version of it, for `since`."""
        return f"{self._follower.generation}:{self._follower.state.version}"

    def door(self) -> str:
        """The page without a token: it leads back to the board in a tab that had it open."""
        return (_FOLDER / "door.html").read_text(encoding="utf-8")

    def board(self, base: str) -> str:
        """The trainer's page.

        Args:
            base: its path, with the token.
        """
        everyone = self._rows()
        return self._templates.get_template("board.html.j2").render(
            base=base,
            seen=self.seen,
            seats=len(everyone),
            rows=self._html(self._follower.seats),
            view=self._overview(everyone),
            course=self._course,
            filters=views.FILTERS,
            legend=[*views.MARKS.values(), views.UNSEEN],
        )

    def change(self, version: int) -> dict[str, Any]:
        """What changed on the trainer's page since a version: the seats' rows, and the parts about all of them."""
        names = self._follower.state.changed_after(version)
        view = self._overview(self._rows())
        return {
            "seats": names,
            "rows": self._html(names),
            "parts": {
                "filters": str(self._parts.filters(view, views.FILTERS)),
                "help": str(self._parts.help(view)),
                "broken": str(self._parts.broken(view, self._course)),
                "cost": str(self._parts.cost(view, self._course)),
            },
            "totals": str(self._parts.totals(view)),
            "inNeed": view.counts["help"],
        }

    def drawer(self, name: str, address: str) -> str:
        """Everything about one seat, for the trainer.

        Args:
            name: of the seat.
            address: path of the learner's page.
        """
        one = self._row(name)
        return self._templates.get_template("drawer.html.j2").render(
            one=one,
            course=self._course,
            address=address,
            longest=LONGEST_NUDGE,
            suggestion=self._suggestion(one),
        )

    def seat(self, name: str, base: str) -> str:
        """The learner's page: nothing in it says which fault is in place."""
        return self._templates.get_template("seat.html.j2").render(
            one=self._row(name), course=self._course, base=base, seen=self.seen
        )

    def seat_change(self, name: str) -> dict[str, Any]:
        """The parts of the learner's page that may have changed."""
        one = self._row(name)
        return {
            part: self._templates.get_template(f"{part}.html.j2").render(one=one, course=self._course)
            for part in ("nudges", "lab")
        }

    def _rows(self) -> list[views.Row]:
        return [self._row(name) for name in self._follower.seats]

    def _row(self, name: str) -> views.Row:
        return self._draw(name)[0]

    def _html(self, names: Iterable[str]) -> Markup:
        """The rows of these seats, as the template wrote and escaped them."""
        return Markup("").join(self._draw(name)[1] for name in names)

    def _draw(self, name: str) -> tuple[views.Row, Markup]:
        """A seat's row, drawn again only when the seat has changed: a class has thousands of cells."""
        seat, state = self._follower.seats[name], self._follower.state.seats[name]
        known = self._drawn.get(name)
        if known and known[0] is seat and known[1] is state:
            return known[2], known[3]
        row = views.row(seat, state, self._course)
        html: Markup = self._parts.seat(row)
        self._drawn[name] = (seat, state, row, html)
        return row, html

    def _overview(self, everyone: list[views.Row]) -> views.Overview:
        return views.overview(everyone, self._course, datetime.now(UTC))

    def _suggestion(self, one: views.Row) -> str:
        """A nudge that fits: where to read about what fails longest."""
        for cell in one.failing:
            return f"Look at {cell.topic} again: kmslab guide {self._course.topics[cell.topic]}"
        return ""
