"""The CRC of two pieces of data from the CRCs of each, without the data.

A CRC is a remainder in GF(2)[x]; what precedes ``n`` bytes is that remainder times ``x**(8n)``. So S3 makes the
checksum of a whole object of those of its parts (S3 User Guide, "Checking object integrity": full object checksums
of multipart uploads, for the CRC algorithms only).
"""

from __future__ import annotations

POLYNOMIALS = {
    "CRC32": (32, 0xEDB88320),
    "CRC32C": (32, 0x82F63B78),
    "CRC64NVME": (64, 0x9A6C9329AC4BC9B5),
}
"""The bits of a CRC and its polynomial, the highest power in the lowest bit."""


def _times(first: int, second: int, width: int, polynomial: int) -> int:
    """The product of two remainders."""
    product = 0
    for bit in range(width - 1, -1, -1):
        if first >> bit & 1:
            product ^= second
        second = second >> 1 ^ (polynomial if second & 1 else 0)
    return product


def combined(algorithm: str, first: bytes, second: bytes, length: int) -> bytes:
    """The CRC of data of which the two are the CRCs.

    Args:
        algorithm: one of `POLYNOMIALS`.
        first: of what comes first, big-endian.
        second: of the rest.
        length: bytes of the rest.
    """
    width, polynomial = POLYNOMIALS[algorithm]
    shifted, power, left = int.from_bytes(first), 1 << (width - 1 - 8), length
    while left:
        if left & 1:
            shifted = _times(power, shifted, width, polynomial)
        power, left = _times(power, power, width, polynomial), left >> 1
    return (shifted ^ int.from_bytes(second)).to_bytes(width // 8)
