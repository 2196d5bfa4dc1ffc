"""Data keys, data key pairs and random bytes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.areas.cryptography import CONTEXT
from kmslab.probe.codes import UNREADABLE, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.sources import api

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench


@probe(api("GenerateDataKey"))
def a_data_key_is_as_long_as_asked(bench: Bench) -> None:
    """A data key has 32 bytes for AES_256, 16 for AES_128, or as many as are asked for.

    The lengths are these, and Decrypt of the encrypted key returns the same bytes; no two keys are alike.
    """
    keys = []
    for asked, length in (
        ({"KeySpec": "AES_256"}, 32),
        ({"KeySpec": "AES_128"}, 16),
        ({"NumberOfBytes": 64}, 64),
    ):
        made = bench.works("GenerateDataKey", KeyId=bench.shared_key(), **asked)
        keys.append(made["Plaintext"][:16])
        bench.equal(f"the length for {next(iter(asked.values()))}", len(made["Plaintext"]), length)
        opened = bench.make("Decrypt", CiphertextBlob=made["CiphertextBlob"])["Plaintext"]
        bench.sees("Decrypt returns the data key", opened == made["Plaintext"])
    bench.contrasts("every data key is another", len(set(keys)) == len(keys))


@probe(api("GenerateDataKey"))
def a_data_key_has_one_length(bench: Bench) -> None:
    """GenerateDataKey takes KeySpec or NumberOfBytes, one of them and not both.

    With one it works; with both or neither it is ValidationException.
    """
    key = bench.shared_key()
    bench.works("GenerateDataKey", KeyId=key, NumberOfBytes=32)
    bench.refuses(VALIDATION, "GenerateDataKey", KeyId=key, NumberOfBytes=32, KeySpec="AES_256")
    bench.refuses(VALIDATION, "GenerateDataKey", KeyId=key)


@probe(api("GenerateDataKey"))
def a_data_key_has_1024_bytes_at_most(bench: Bench) -> None:
    """A data key has from 1 to 1,024 bytes.

    1,024 work; 0 and 1,025 are ValidationException.
    """
    key = bench.shared_key()
    bench.works("GenerateDataKey", KeyId=key, NumberOfBytes=1024)
    bench.refuses(VALIDATION, "GenerateDataKey", KeyId=key, NumberOfBytes=1025)
    bench.refuses(VALIDATION, "GenerateDataKey", KeyId=key, NumberOfBytes=0)


@probe(api("GenerateDataKeyWithoutPlaintext"))
def a_data_key_can_come_encrypted_only(bench: Bench) -> None:
    """GenerateDataKeyWithoutPlaintext returns the encrypted key only.

    It opens to 32 bytes under its context, is refused under another, and the answer has no Plaintext.
    """
    made = bench.works(
        "GenerateDataKeyWithoutPlaintext",
        KeyId=bench.shared_key(),
        KeySpec="AES_256",
        EncryptionContext=CONTEXT,
    )
    bench.contrasts("there is no Plaintext", "Plaintext" not in made)
    opened = bench.works("Decrypt", CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    bench.equal("the length", len(opened["Plaintext"]), 32)
    bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=made["CiphertextBlob"])


PAIRS = (
    "RSA_2048",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
)


def _pair(spec: str, bench: Bench) -> None:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    from kmslab.probe.samples import encoded

    request: dict[str, Any] = {"KeyId": bench.shared_key(), "KeyPairSpec": spec}
    made = bench.works("GenerateDataKeyPair", **request)
    try:
        private = load_der_private_key(made["PrivateKeyPlaintext"], None)
        fits = encoded(private.public_key()) == made["PublicKey"]
    except ValueError:
        fits = False
    bench.sees("private and public key are one pair in DER", fits)
    opened = bench.make("Decrypt", CiphertextBlob=made["PrivateKeyCiphertextBlob"])["Plaintext"]
    bench.sees("Decrypt returns the private key", opened == made["PrivateKeyPlaintext"])
    closed = bench.works("GenerateDataKeyPairWithoutPlaintext", **request)
    bench.contrasts("without plaintext there is none", "PrivateKeyPlaintext" not in closed)
    bench.contrasts("the next pair is another", closed["PublicKey"] != made["PublicKey"])


for _spec in PAIRS:
    register(
        "cryptography",
        f"data-key-pair-of-{kebab(_spec)}",
        f"GenerateDataKeyPair makes a pair of {_spec}, its private key in the clear and under the KMS key.",
        "The two private keys are one and belong to the public key; WithoutPlaintext returns none in the clear.",
        api("GenerateDataKeyPair"),
        partial(_pair, _spec),
    )


@probe(api("GenerateDataKeyPair"))
def a_pair_of_an_unknown_kind_is_refused(bench: Bench) -> None:
    """GenerateDataKeyPair makes pairs of asymmetric kinds only.

    ECC_NIST_P256 works; AES_256 is ValidationException.
    """
    bench.works("GenerateDataKeyPair", KeyId=bench.shared_key(), KeyPairSpec="ECC_NIST_P256")
    bench.refuses(VALIDATION, "GenerateDataKeyPair", KeyId=bench.shared_key(), KeyPairSpec="AES_256")


@probe(api("GenerateRandom"))
def random_bytes_are_as_many_as_asked(bench: Bench) -> None:
    """GenerateRandom returns from 1 to 1,024 random bytes.

    32 and 1,024 come, and never the same; 0 and 1,025 are ValidationException.
    """
    first = bench.works("GenerateRandom", NumberOfBytes=32)["Plaintext"]
    bench.equal("the length", len(first), 32)
    bench.equal("the length", len(bench.works("GenerateRandom", NumberOfBytes=1024)["Plaintext"]), 1024)
    again = bench.make("GenerateRandom", NumberOfBytes=32)["Plaintext"]
    bench.contrasts("the next bytes are others", again != first)
    bench.refuses(VALIDATION, "GenerateRandom", NumberOfBytes=1025)
    bench.refuses(VALIDATION, "GenerateRandom", NumberOfBytes=0)
