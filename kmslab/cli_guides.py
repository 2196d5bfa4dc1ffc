"""What can be typed about the course: ``kmslab guide``."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(guide)


def guide(
    page: Annotated[
        str, typer.Argument(metavar="[PAGE]", help="Such as 05-s3, s3 or 5; the contents if left out.")
    ] = "",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0: a free one.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and open nothing.")
    ] = False,
    build: Annotated[
        bool, typer.Option("--build", help="Build the site into .kmslab/site and stop.")
    ] = False,
) -> None:
    """Read the course in the browser; checkpoints turn green as `kmslab verify` passes them.

    The pages are built into .kmslab/site and served on 127.0.0.1 until Ctrl-C; nothing is fetched from
    elsewhere. The first time, MkDocs is installed from PyPI into .kmslab/site-tools.
    """
    from kmslab.commands import guide as command

    command.run(page, port, browser=not no_browser, build_only=build)
