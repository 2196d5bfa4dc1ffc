"""Message authentication codes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import INVALID_USAGE, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.sources import api, guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

USAGE = "GENERATE_VERIFY_MAC"
MESSAGE = b"kmslab probe authenticates this"
BITS = (224, 256, 384, 512)


def _algorithm(bits: int, bench: Bench) -> None:
    algorithm = f"HMAC_SHA_{bits}"
    request: dict[str, Any] = {"KeyId": bench.shared_key(f"HMAC_{bits}", USAGE), "MacAlgorithm": algorithm}
    answer = bench.works("GenerateMac", Message=MESSAGE, **request)
    bench.equal("MacAlgorithm", answer["MacAlgorithm"], algorithm)
    bench.equal("the length", len(answer["Mac"]), bits // 8)
    again = bench.make("GenerateMac", Message=MESSAGE, **request)["Mac"]
    bench.sees("the same message has the same MAC", again == answer["Mac"])
    valid = bench.works("VerifyMac", Message=MESSAGE, Mac=answer["Mac"], **request)
    bench.equal("MacValid", valid["MacValid"], expected=True)
    bench.refuses(
        "KMSInvalidMacException", "VerifyMac", Message=b"another message", Mac=answer["Mac"], **request
    )


for _bits in BITS:
    register(
        "macs",
        f"hmac-sha-{_bits}",
        f"A key of HMAC_{_bits} makes MACs of {_bits // 8} bytes.",
        "The MAC is always the same and verifies; for another message it is KMSInvalidMacException.",
        guide("hmac"),
        partial(_algorithm, _bits),
    )


def _own_algorithm(bits: int, other: int, bench: Bench) -> None:
    request: dict[str, Any] = {"KeyId": bench.shared_key(f"HMAC_{bits}", USAGE), "Message": MESSAGE}
    bench.works("GenerateMac", MacAlgorithm=f"HMAC_SHA_{bits}", **request)
    bench.refuses(INVALID_USAGE, "GenerateMac", MacAlgorithm=f"HMAC_SHA_{other}", **request)


for _bits, _other in ((256, 512), (512, 256)):
    register(
        "macs",
        f"{kebab(f'HMAC_{_bits}')}-does-not-use-hmac-sha-{_other}",
        f"A key of HMAC_{_bits} does not make MACs with HMAC_SHA_{_other}.",
        f"With HMAC_SHA_{_bits} it works; with HMAC_SHA_{_other} it is InvalidKeyUsageException.",
        api("GenerateMac"),
        partial(_own_algorithm, _bits, _other),
    )


@probe(api("GenerateMac"))
def a_mac_needs_a_key_for_macs(bench: Bench) -> None:
    """GenerateMac takes keys for GENERATE_VERIFY_MAC only.

    With such a key it works; with a symmetric encryption key it is InvalidKeyUsageException.
    """
    request: dict[str, Any] = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    bench.works("GenerateMac", KeyId=bench.shared_key("HMAC_256", USAGE), **request)
    bench.refuses(INVALID_USAGE, "GenerateMac", KeyId=bench.shared_key(), **request)


@probe(api("GenerateMac"))
def a_mac_is_of_4096_bytes_at_most(bench: Bench) -> None:
    """GenerateMac takes messages of up to 4,096 bytes.

    4,096 bytes work; 4,097 are ValidationException.
    """
    request: dict[str, Any] = {"KeyId": bench.shared_key("HMAC_256", USAGE), "MacAlgorithm": "HMAC_SHA_256"}
    bench.works("GenerateMac", Message=b"m" * 4096, **request)
    bench.refuses(VALIDATION, "GenerateMac", Message=b"m" * 4097, **request)


@probe(api("VerifyMac"))
def another_keys_mac_is_invalid(bench: Bench) -> None:
    """A MAC verifies under the key that made it only.

    Under its own key VerifyMac works; under another of the same kind it is KMSInvalidMacException.
    """
    own, other = bench.shared_key("HMAC_256", USAGE), bench.key(KeySpec="HMAC_256", KeyUsage=USAGE)
    request: dict[str, Any] = {"Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256"}
    mac = bench.make("GenerateMac", KeyId=own, **request)["Mac"]
    bench.works("VerifyMac", KeyId=own, Mac=mac, **request)
    bench.refuses("KMSInvalidMacException", "VerifyMac", KeyId=other, Mac=mac, **request)
