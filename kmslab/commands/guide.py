"""``kmslab guide``: the course in the browser, with the checkpoints that the lab has passed."""

from __future__ import annotations

import gc
import webbrowser
from difflib import get_close_matches
from functools import partial

from kmslab.commands.serving import announce, cannot_listen
from kmslab.guides import building, progress
from kmslab.guides.course import APPENDICES, PAGES
from kmslab.guides.server import HOST, serving
from kmslab.model.errors import LabError
from kmslab.project import find_project
from kmslab.terminal import err, out, say


def run(page: str, port: int, *, browser: bool, build_only: bool) -> None:
    """Build the site if a page has changed, serve it until Ctrl-C.

    Raises:
        LabError: no page is called so, the site cannot be built, or the port is taken.
    """
    project = find_project()
    pages = project.root / "lab_guides"
    stem = _stem(page) if page else "index"
    site = project.root / ".kmslab" / "site"
    with err.status("building the pages", spinner="dots"):
        built = building.build(pages, site)
    if build_only:
        say(out, f"The site is in {site}{'' if built else ', as it was'}.")
        return
    words = progress.checkpoint_words(pages)
    try:
        with serving(site, port, partial(progress.answer, project.home, words)) as server:
            url = f"http://{HOST}:{server.server_address[1]}/{stem}.html"
            announce(url)
            if browser:
                webbrowser.open(url)
            gc.enable()  # this command stays (decision 0027)
            server.serve_forever()
    except KeyboardInterrupt:
        err.print("\nThe pages are closed.", style="dim")
    except OSError as error:
        raise cannot_listen(port, error) from error


def _stem(page: str) -> str:
    """Return the page that somebody means by ``05-s3``, ``05-s3.md``, ``5``, ``s3`` or ``glossary``."""
    wanted = page.removesuffix(".md").rpartition("/")[2].lower()
    for stem in (*PAGES, *APPENDICES):
        number, _, name = stem.lower().partition("-")
        if wanted in {stem.lower(), number, number.lstrip("0"), name}:
            return stem
    near = get_close_matches(wanted, [*PAGES, *APPENDICES], n=3, cutoff=0.4)
    raise LabError(
        f"No page is called {page}.",
        hint=f"Did you mean {' or '.join(near)}?" if near else f"Choose from {', '.join(PAGES)}.",
    )
