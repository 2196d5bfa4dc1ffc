"""The catalogue: every check in guide order, and the selection that ``--only`` makes."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from kmslab.checks import REGISTRY, TOPICS, Check
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence


def catalogue(only: Sequence[str] = (), *, quick: bool = False) -> list[Check]:
    """The checks that any of the words names, or every check; by guide page, then topic, then as written.

    Args:
        only: words: a topic (``s3``), a guide page (``05-s3``), an id, or how ids begin (``keys.rotation``).
        quick: leave out the checks that make a key or change one, and the lengthy ones.

    Raises:
        LabError: a word names no check (the hint has similar ones), or no check that is quick.
    """
    order = [topic_of_module(module.__name__) for module in TOPICS]
    checks = sorted(REGISTRY.values(), key=lambda check: (check.guide, order.index(topic(check))))
    for word in only:
        if not any(_names(word, check) for check in checks):
            topics, ids = dict.fromkeys(topic(check) for check in checks), (check.id for check in checks)
            known = [*ids] if "." in word else [*topics, *ids]
            near = get_close_matches(word, known, n=3, cutoff=0.5)
            hint = (
                f"Did you mean {' or '.join(near)}?" if near else "`kmslab verify --list` shows every check."
            )
            raise LabError(f"--only {word}: no check is called so.", hint=hint)
    chosen = [check for check in checks if not only or any(_names(word, check) for word in only)]
    if not quick:
        return chosen
    if not (left := [check for check in chosen if check.quick]):
        raise LabError("Each of these checks changes a key, or takes long.", hint="Leave out --quick.")
    return left


def topic(check: Check) -> str:
    """The first part of a check's id: ``key-policies``."""
    return check.id.partition(".")[0]


def topic_of_module(name: str) -> str:
    """The topic that a module of checks registers: ``kmslab.checks.key_policies`` is ``key-policies``."""
    return name.rpartition(".")[2].replace("_", "-")


def _names(word: str, check: Check) -> bool:
    return word in {topic(check), check.guide} or ("." in word and check.id.startswith(word))
