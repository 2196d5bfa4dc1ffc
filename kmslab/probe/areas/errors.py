"""How KMS says that something is wrong: codes, messages and what they name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import DISABLED, NOT_FOUND, UNREADABLE, VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import PLAINTEXT
from kmslab.probe.sources import DOCS, api

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

MISSING_ID = "00000000-0000-4000-8000-000000000000"
COMMON = f"{DOCS}/kms/latest/APIReference/CommonErrors.html"

OF_A_KEY: dict[str, dict[str, Any]] = {
    "DescribeKey": {},
    "Encrypt": {"Plaintext": PLAINTEXT},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GetKeyPolicy": {"PolicyName": "default"},
    "GetKeyRotationStatus": {},
    "ListGrants": {},
    "ListResourceTags": {},
    "DisableKey": {},
}


def _missing(operation: str, bench: Bench) -> None:
    key = bench.key()
    arn = f"{key.rpartition('/')[0]}/{MISSING_ID}"
    bench.refuses(NOT_FOUND, operation, KeyId=MISSING_ID, **OF_A_KEY[operation])
    bench.refuses(NOT_FOUND, operation, KeyId=arn, says=f"'{arn}' does not exist", **OF_A_KEY[operation])
    bench.works(operation, KeyId=key, **OF_A_KEY[operation])


for _operation in OF_A_KEY:
    register(
        "errors",
        f"{kebab(_operation)}-does-not-find-a-missing-key",
        f"{_operation} of a key that does not exist names it.",
        "With a key it works; with an id or ARN of none it is NotFoundException: Key '<ARN>' does not exist.",
        f"{api(_operation)}#API_{_operation}_Errors",
        partial(_missing, _operation),
    )


@probe(api("DescribeKey"))
def a_malformed_arn_is_invalid(bench: Bench) -> None:
    """An ARN that is none of KMS is InvalidArnException.

    The key's ARN works; one of another service, or cut short, is refused.
    """
    key = bench.key()
    bench.works("DescribeKey", KeyId=key)
    codes = ("InvalidArnException", NOT_FOUND, VALIDATION)
    bench.refuses(codes, "DescribeKey", KeyId=f"arn:{bench.partition}:s3:::bucket")
    bench.refuses(codes, "DescribeKey", KeyId=f"arn:{bench.partition}:kms")


@probe(api("DescribeKey"))
def an_arn_of_another_region_is_refused(bench: Bench) -> None:
    """The ARN of a key in another Region cannot be used here.

    In its Region it works; the same ARN sent to another Region is refused.
    """
    key = bench.key()
    bench.works("DescribeKey", KeyId=key)
    codes = ("InvalidArnException", NOT_FOUND, VALIDATION)
    bench.refuses(codes, "DescribeKey", KeyId=key, region=bench.other_region)


@probe(COMMON)
def a_required_parameter_must_be_there(bench: Bench) -> None:
    """A request without a required parameter is ValidationException.

    Encrypt works with Plaintext; without it is refused.
    """
    key = bench.shared_key()
    bench.works("Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    bench.refuses(VALIDATION, "Encrypt", KeyId=key)


@probe(COMMON)
def a_value_must_be_in_its_list(bench: Bench) -> None:
    """A value that is not in its list is ValidationException, and the message names the member.

    Encrypt works with SYMMETRIC_DEFAULT; with ROT_13 the message tells of encryptionAlgorithm.
    """
    request: dict[str, Any] = {"KeyId": bench.shared_key(), "Plaintext": PLAINTEXT}
    bench.works("Encrypt", EncryptionAlgorithm="SYMMETRIC_DEFAULT", **request)
    bench.refuses(VALIDATION, "Encrypt", EncryptionAlgorithm="ROT_13", says="encryptionAlgorithm", **request)


@probe(COMMON)
def a_number_must_be_in_its_range(bench: Bench) -> None:
    """A number outside its range is ValidationException.

    ListKeys works with a Limit of 1,000; with 0 and 1,001 it is refused.
    """
    bench.works("ListKeys", Limit=1000)
    bench.refuses(VALIDATION, "ListKeys", Limit=0)
    bench.refuses(VALIDATION, "ListKeys", Limit=1001)


@probe(COMMON)
def a_key_id_is_not_empty(bench: Bench) -> None:
    """KeyId has 1 to 2,048 characters.

    A key id works; an empty one and one of 2,049 characters are ValidationException.
    """
    bench.works("DescribeKey", KeyId=bench.shared_key())
    bench.refuses(VALIDATION, "DescribeKey", KeyId="")
    bench.refuses(VALIDATION, "DescribeKey", KeyId="k" * 2049)


@probe(COMMON)
def a_signature_must_be_right(bench: Bench) -> None:
    """A request that is signed with a wrong secret is refused.

    With the right one ListKeys works; with another under the same access key it is InvalidSignatureException.
    """
    from kmslab.model.target import Credentials
    from kmslab.probe.world import Principal

    stranger = bench.world.member
    bench.works("ListKeys", stranger)
    given = stranger.credentials
    assert given is not None  # noqa: S101  # a role that was assumed
    wrong = Credentials(given.access_key_id, "w" * 40, given.session_token)
    codes = ("InvalidSignatureException", "SignatureDoesNotMatch")
    bench.refuses(codes, "ListKeys", Principal(stranger.arn, wrong))


@probe(COMMON)
def an_access_key_must_exist(bench: Bench) -> None:
    """A request under an access key that does not exist is refused.

    With one that exists ListKeys works; with another it is UnrecognizedClientException.
    """
    from kmslab.model.target import Credentials
    from kmslab.probe.world import Principal

    bench.works("ListKeys")
    nobody = Principal("", Credentials("AKIAIOSFODNN7NOTHERE", "w" * 40))
    codes = ("UnrecognizedClientException", "InvalidClientTokenId", "AccessDeniedException")
    bench.refuses(codes, "ListKeys", nobody)


@probe(f"{api('Decrypt')}#API_Decrypt_Errors")
def an_unreadable_ciphertext_has_no_message(bench: Bench) -> None:
    """InvalidCiphertextException does not say what is wrong with a ciphertext.

    Its message is empty; the ciphertext as it was works.
    """
    blob = bench.make("Encrypt", KeyId=bench.shared_key(), Plaintext=PLAINTEXT)["CiphertextBlob"]
    bench.works("Decrypt", CiphertextBlob=blob)
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    message = bench.refuses(UNREADABLE, "Decrypt", CiphertextBlob=changed)
    bench.sees("the message is empty", message in {"", "None"})


@probe(f"{api('DisableKey')}#API_DisableKey_Errors")
def an_invalid_state_is_named(bench: Bench) -> None:
    """The message of a state that does not allow something names the key and the state.

    For a disabled key it is “<ARN> is disabled.”; for an enabled one Encrypt works.
    """
    key = bench.key()
    bench.works("Encrypt", KeyId=key, Plaintext=PLAINTEXT)
    bench.make("DisableKey", KeyId=key)
    bench.refuses(DISABLED, "Encrypt", KeyId=key, Plaintext=PLAINTEXT, says=f"{key} is disabled.")
