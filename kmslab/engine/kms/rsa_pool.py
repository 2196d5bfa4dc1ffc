"""RSA keys made ahead of need: RSA_4096 takes up to a second, and a lab creates them at deployment.

A run of checks makes one RSA_2048 and one RSA_3072 key; the wrapping key of imported material is made once.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import Any

_EXPONENT = 65537
_STOCK = {4096: 1, 3072: 1, 2048: 2}
"""How many keys of each size to keep ready."""
_MOST = 16
"""And how many when they run out again and again: a class is deployed, and each seat wants one."""

_REST_SECONDS = 10.0

_ready: dict[int, deque[Any]] = defaultdict(deque)
_wanted = dict(_STOCK)
_lock = threading.Lock()
_filling = threading.Event()


def take(bits: int) -> Any:
    """A new RSA private key that nobody else gets, from the stock if it has one."""
    with _lock:
        key = _ready[bits].popleft() if _ready[bits] else None
    if key is None:
        if bits in _STOCK:
            _wanted[bits] = min(_wanted[bits] * 2, _MOST)
            fill()
        return _generate(bits)
    # Whoever needed this one is busy: making the next would compete for the processor.
    fill(after=0.0 if _wanted[bits] > _STOCK[bits] else _REST_SECONDS)
    return key


def fill(*, after: float = 0.0) -> None:
    """Fill the stock in the background, in so many seconds; one filler at a time."""
    if _filling.is_set():
        return
    _filling.set()
    filler = threading.Timer(after, _fill)
    filler.daemon = True
    filler.start()


def _fill() -> None:
    try:
        for bits, usual in _STOCK.items():
            while len(_ready[bits]) < _wanted[bits]:
                key = _generate(bits)
                with _lock:
                    _ready[bits].append(key)
            _wanted[bits] = usual
    finally:
        _filling.clear()


def _generate(bits: int) -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=_EXPONENT, key_size=bits)
