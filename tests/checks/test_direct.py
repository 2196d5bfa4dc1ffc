from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING

from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from tests.checks.fakes import Request, World
from tests.checks.lab_world import kms_of
from tests.checks.table import Broken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.checks.fake_kms import FakeKey


def without_key_check(world: World, request: Request) -> dict[str, object]:
    """A KMS that opens a ciphertext under whichever key the caller names."""
    anonymous = {name: value for name, value in request.parameters.items() if name != "KeyId"}
    return kms_of(world).Decrypt(Request(request.persona, request.action, anonymous))


def plaintext_in_the_blob(world: World) -> None:
    kms = kms_of(world)
    seal = kms.seal
    kms.seal = lambda key, plaintext, context: seal(key, plaintext, context) + plaintext  # type: ignore[method-assign]  # that is the break


def padded(world: World) -> None:
    """A KMS whose ciphertexts are longer than Decrypt takes."""
    world.answers(
        "kms:Encrypt", lambda r: {"CiphertextBlob": kms_of(world).Encrypt(r)["CiphertextBlob"] + bytes(3000)}
    )


def deterministic(world: World) -> None:
    """A KMS that gives the same ciphertext for the same plaintext."""
    kms = kms_of(world)
    made: dict[bytes, bytes] = {}
    seal = kms.seal

    def same(key: FakeKey, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        return made.setdefault(plaintext, seal(key, plaintext, context))

    kms.seal = same  # type: ignore[method-assign]  # that is the break


def anything_opens(world: World) -> None:
    """A KMS that neither looks at the context nor at the tag."""
    world.answers("kms:Decrypt", {"Plaintext": b"kmslab sample"})


def everyone_decrypts(world: World, *personas: Persona) -> World:
    return world.answers("kms:Decrypt", kms_of(world).Decrypt, *personas)


BROKEN = [
    Broken("direct.what-the-owner-encrypts-the-owner-decrypts", plaintext_in_the_blob, "holds the plaintext"),
    Broken(
        "direct.what-the-owner-encrypts-the-owner-decrypts",
        lambda w: w.answers("kms:Decrypt", {"Plaintext": b"other"}),
        "another plaintext came back",
    ),
    Broken(
        "direct.what-the-owner-encrypts-the-owner-decrypts",
        lambda w: w.refuses("kms:Encrypt", Persona.DATA_OWNER),
        "data-owner is refused kms:Encrypt",
    ),
    Broken("direct.equal-plaintexts-differ-encrypted", deterministic, "the same ciphertext came back twice"),
    Broken(
        "direct.at-most-4096-bytes",
        lambda w: w.answers("kms:Encrypt", {"CiphertextBlob": b"x"}),
        "could call kms:Encrypt",
    ),
    Broken("direct.another-context-does-not-decrypt", anything_opens, "could call kms:Decrypt"),
    Broken(
        "direct.the-policy-demands-the-context",
        lambda w: w.answers("kms:Encrypt", kms_of(w).Encrypt, Persona.DATA_OWNER),
        "could call kms:Encrypt",
    ),
    Broken("direct.a-changed-byte-is-noticed", anything_opens, "could call kms:Decrypt"),
    Broken(
        "direct.re-encryption-changes-the-key",
        lambda w: w.answers("kms:Decrypt", lambda r: without_key_check(w, r)),
        "could call kms:Decrypt",
    ),
    Broken(
        "direct.re-encryption-changes-the-key",
        lambda w: w.answers("kms:ReEncrypt", lambda r: {**kms_of(w).ReEncrypt(r), "SourceKeyId": "other"}),
        "names another source key",
    ),
    *(
        Broken(
            "direct.others-cannot-decrypt",
            lambda w, who=who: everyone_decrypts(w, who),  # type: ignore[misc]  # mypy sees no default of a lambda
            f"{who} could call kms:Decrypt",
        )
        for who in (Persona.DATA_READER, Persona.STORAGE_OPERATOR, Persona.OUTSIDER)
    ),
    Broken(
        "direct.others-cannot-decrypt",
        lambda w: w.refuses("kms:Decrypt", Persona.OUTSIDER, code="ThrottlingException"),
        "failed, but not as a refusal",
        Outcome.ERROR,
    ),
    Broken(
        "direct.others-cannot-decrypt",
        lambda w: w.refuses("kms:Decrypt", Persona.OUTSIDER, message="an SCP says no"),
        "was refused, but not by kms:Decrypt",
        Outcome.ERROR,
    ),
    Broken("direct.at-most-4096-bytes", padded, "Decrypt does not take it"),
    Broken("direct.the-context-is-exact", anything_opens, "could call kms:Decrypt"),
    Broken(
        "direct.re-encryption-changes-the-context",
        lambda w: w.answers("kms:ReEncrypt", lambda r: {"CiphertextBlob": r["CiphertextBlob"]}),
        "could not call kms:Decrypt",
        Outcome.ERROR,
    ),
    Broken("direct.re-encryption-changes-the-context", anything_opens, "could call kms:Decrypt"),
    Broken(
        "direct.a-dry-run-tells-and-does-nothing",
        lambda w: w.answers("kms:Decrypt", {"Plaintext": b"kmslab sample"}, Persona.DATA_OWNER),
        "a dry run gave the plaintext",
    ),
    Broken(
        "direct.a-dry-run-tells-and-does-nothing",
        lambda w: everyone_decrypts(w, Persona.OUTSIDER),
        "outsider could call kms:Decrypt",
    ),
    Broken(
        "direct.random-bytes-come-from-kms",
        lambda w: w.answers("kms:GenerateRandom", {"Plaintext": bytes(1024)}),
        "the same bytes came twice",
    ),
    Broken(
        "direct.random-bytes-come-from-kms",
        lambda w: w.answers("kms:GenerateRandom", {"Plaintext": b"few"}),
        "3 came",
    ),
    Broken(
        "direct.random-bytes-come-from-kms",
        lambda w: w.answers("kms:GenerateRandom", lambda r: {"Plaintext": token_bytes(r["NumberOfBytes"])}),
        "could call kms:GenerateRandom",
    ),
]
