"""RSA keys from the stock are new to everybody, and the stock is filled again."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine.kms import rsa_pool

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """Every key that is generated: its size, and how many of that size came before."""
    keys: list[tuple[int, int]] = []

    def generate(bits: int) -> tuple[int, int]:
        keys.append((bits, sum(size == bits for size, _ in keys)))
        return keys[-1]

    ready: dict[int, deque[Any]] = defaultdict(deque)
    monkeypatch.setattr(rsa_pool, "_ready", ready)
    monkeypatch.setattr(rsa_pool, "_wanted", dict(rsa_pool._STOCK))
    monkeypatch.setattr(rsa_pool, "_filling", threading.Event())
    monkeypatch.setattr(rsa_pool, "_generate", generate)
    monkeypatch.setattr(rsa_pool, "_REST_SECONDS", 0.0)
    yield keys
    finish()


def finish() -> None:
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(timeout=10)


def test_an_empty_stock_makes_the_key_at_once(made: list[tuple[int, int]]) -> None:
    assert rsa_pool.take(1024) == (1024, 0)
    assert made == [(1024, 0)]


def test_a_key_is_given_once_and_replaced(made: list[tuple[int, int]]) -> None:
    rsa_pool.fill()
    finish()
    assert sorted(made) == [(2048, 0), (2048, 1), (3072, 0), (4096, 0)]
    first = rsa_pool.take(4096)
    finish()
    second = rsa_pool.take(4096)
    assert (first, second) == ((4096, 0), (4096, 1))


def test_one_filler_is_enough(made: list[tuple[int, int]]) -> None:
    rsa_pool.fill(after=0.05)
    rsa_pool.fill()
    finish()
    assert len(made) == sum(rsa_pool._STOCK.values())


def test_a_stock_that_runs_out_is_filled_higher_and_then_as_before(made: list[tuple[int, int]]) -> None:
    assert rsa_pool.take(4096)
    finish()
    assert len(rsa_pool._ready[4096]) == 2 * rsa_pool._STOCK[4096]
    rsa_pool._ready[4096].clear()
    rsa_pool.fill()
    finish()
    assert len(rsa_pool._ready[4096]) == rsa_pool._STOCK[4096]
    assert made
