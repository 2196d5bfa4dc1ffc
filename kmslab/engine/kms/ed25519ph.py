"""Ed25519ph, the pre-hashed variant of Ed25519 (RFC 8032, section 5.1), which pyca/cryptography does not have.

Signatures take some milliseconds and not always the same time: fit for a lab, not for secrets that others can time.
"""

from __future__ import annotations

import hashlib

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point."""
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)
_DOM2 = b"SigEd25519 no Ed25519 collisions" + b"\x01\x00"
"""Pre-hashed, with an empty context."""
_KEY, _SIGNATURE = 32, 64

_Point = tuple[int, int, int, int]
"""Extended homogeneous coordinates: x = X/Z, y = Y/Z, x*y = T/Z."""
_NEUTRAL: _Point = (0, 1, 1, 0)
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_Y = 4 * pow(5, -1, _P) % _P
_BASE: _Point = (_X, _Y, 1, _X * _Y % _P)


def sign(seed: bytes, message: bytes) -> bytes:
    """Sign a message of any length; the 32 bytes of ``seed`` are the private key."""
    expanded = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(expanded[:_KEY], "little") & ((1 << 254) - 8) | (1 << 254)
    public = _encoded(_times(scalar, _BASE))
    digest = hashlib.sha512(message).digest()
    nonce = _hashed(expanded[_KEY:], digest) % _L
    commitment = _encoded(_times(nonce, _BASE))
    answer = (nonce + _hashed(commitment, public, digest) * scalar) % _L
    return commitment + answer.to_bytes(_KEY, "little")


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    """Check that a signature of the message was made by the owner of the 32 bytes of ``public``.

    Raises:
        InvalidSignature: of pyca/cryptography, as its own keys do.
    """
    from cryptography.exceptions import InvalidSignature

    point, commitment = _decoded(public), _decoded(signature[:_KEY])
    answer = int.from_bytes(signature[_KEY:], "little")
    if len(signature) != _SIGNATURE or point is None or commitment is None or answer >= _L:
        raise InvalidSignature
    challenge = _hashed(signature[:_KEY], public, hashlib.sha512(message).digest()) % _L
    if _encoded(_times(answer, _BASE)) != _encoded(_added(commitment, _times(challenge, point))):
        raise InvalidSignature


def _hashed(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(_DOM2 + b"".join(parts)).digest(), "little")


def _added(one: _Point, two: _Point) -> _Point:
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % _P, (one[1] + one[0]) * (two[1] + two[0]) % _P
    c, d = 2 * one[3] * two[3] * _D % _P, 2 * one[2] * two[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    total = _NEUTRAL
    while scalar:
        if scalar & 1:
            total = _added(total, point)
        point, scalar = _added(point, point), scalar >> 1
    return total


def _encoded(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(_KEY, "little")


def _decoded(encoded: bytes) -> _Point | None:
    """The point of 32 bytes; None when there is none."""
    number = int.from_bytes(encoded, "little")
    sign_of_x, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - square) % _P or (x == 0 and sign_of_x):
        return None
    x = _P - x if x & 1 != sign_of_x else x
    return x, y, 1, x * y % _P
