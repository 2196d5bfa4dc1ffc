"""A version's value under KMS keys: encrypted as the caller, decrypted as the caller, ciphertext at rest.

Secrets Manager User Guide, "Secret encryption and decryption": a new data key for each value, bound to the
secret's ARN and the version's id; a secret without a key of its own is under ``aws/secretsmanager``.
"Change the encryption key": versions with a label are encrypted under the new key too, and either key opens
them.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from ministack.core.responses import new_uuid, request_scope

from kmslab.engine.at_rest import DataKey
from kmslab.engine.authorization.on_behalf import use_key
from kmslab.engine.kms import records as keys
from kmslab.engine.secretsmanager import records
from kmslab.engine.secretsmanager.errors import SecretsError, invalid_parameter, invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kmslab.engine.events import Refusal
    from kmslab.engine.kms.records import KeyRecord
    from kmslab.engine.secretsmanager.records import Copy, Secret, Version

SERVICE = "secretsmanager"
MANAGED_KEY = "alias/aws/secretsmanager"
DEFAULT_KEY = "DefaultEncryptionKey"
"""How the list of versions calls the AWS managed key."""
MEMBERS = ("SecretString", "SecretBinary")
MOST_BYTES = 65_536
LABELS = frozenset({records.CURRENT, records.PENDING, records.PREVIOUS})
"""Versions with one of these move to the secret's new key."""


def given(parameters: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """The value of a request and the member it came in; None when it has none.

    Raises:
        SecretsError: it has both, or one that is too long.
    """
    found = [member for member in MEMBERS if parameters.get(member) is not None]
    if len(found) > 1:
        raise invalid_parameter(
            "You can't specify both a binary secret value and a string secret value in the same secret."
        )
    if not found:
        return None
    text = str(parameters[found[0]])
    value = base64.b64decode(text) if found[0] == "SecretBinary" else text.encode()
    if len(value) > MOST_BYTES:
        raise invalid_parameter(f"The secret value must not be longer than {MOST_BYTES} bytes.")
    return found[0], value


def _context(secret: Secret, version_id: str) -> dict[str, str]:
    return {"SecretARN": secret["ARN"], "SecretVersionId": version_id}


def key_of(secret: Secret, reference: str | None = None) -> str:
    """ARN of the key that a secret names, or of another; an alias is one of the secret's account.

    Raises:
        SecretsError: there is no such key; or the secret is another account's and under the AWS managed key.
    """
    named = reference or secret.get("KmsKeyId") or MANAGED_KEY
    with request_scope(*records.owner(secret)):
        key = keys.resolve(named)
        missing = "" if key else keys.not_found_message(named)
    if key is None:
        raise _unusable("encrypt", "EncryptionFailure", missing, "NotFoundException")
    _refuse_managed_key(secret, key)
    return key["Arn"]


def _refuse_managed_key(secret: Secret, key: KeyRecord | None) -> None:
    if key and key["KeyManager"] == "AWS" and records.is_foreign(secret):
        raise invalid_request(
            "You can't access a secret from a different AWS account if you encrypt the secret with the default "
            "KMS service key."
        )


def seal(secret: Secret, version_id: str, key_arn: str, value: bytes, *, internal: bool = False) -> Copy:
    """Encrypt a value under a key, as the caller.

    Args:
        secret: which the value is of.
        version_id: of the value.
        key_arn: the KMS key.
        value: plaintext.
        internal: what Secrets Manager does on its own: only the key's state counts.

    Raises:
        SecretsError: the caller may not, or the key is not usable.
    """
    context = _context(secret, version_id)
    for operation in ("GenerateDataKey", "Decrypt"):
        _, refusal = use_key(SERVICE, operation, key_arn, context, internal=internal, log=not internal)
        if refusal:
            raise _failure("encrypt", "EncryptionFailure", refusal)
    data_key = DataKey.generate(key_arn, context)
    ciphertext = data_key.encrypt(value, version_id)
    return {"Key": key_arn, "WrappedKey": data_key.wrapped, "Ciphertext": ciphertext}


def unseal(secret: Secret, version_id: str, *, internal: bool = False) -> bytes:
    """Decrypt a version's value, as the caller, with whichever of its keys the caller may use.

    Raises:
        SecretsError: none of its keys may be used, or is usable; the newest one tells why.
    """
    context, first = _context(secret, version_id), None
    for copy in secret["Versions"][version_id]["Copies"]:
        _refuse_managed_key(secret, keys.resolve(copy["Key"]))
        _, refusal = use_key(SERVICE, "Decrypt", copy["Key"], context, internal=internal, log=not internal)
        if refusal is None:
            return DataKey.unwrap(copy["WrappedKey"], context).decrypt(copy["Ciphertext"], version_id)
        first = first or refusal
    if first is None:
        raise RuntimeError(f"version {version_id} has no value")  # callers ask for versions that have one
    raise _failure("decrypt", "DecryptionFailure", first)


def add_version(
    secret: Secret, version_id: str, member: str, value: bytes, *, internal: bool = False
) -> Version:
    """Encrypt a value as a new version, without labels yet; one that rotation has prepared is filled.

    Raises:
        SecretsError: as of `seal`.
    """
    sealed = seal(secret, version_id, key_of(secret), value, internal=internal)
    prepared = secret["Versions"].get(version_id)
    version: Version = {
        "Member": member,
        "Copies": [sealed],
        "Stages": prepared["Stages"] if prepared else [],
        "CreatedDate": records.now(),
        "LastAccessedDate": 0.0,
    }
    secret["Versions"][version_id] = version
    return version


def move_to(secret: Secret, reference: str) -> None:
    """Encrypt the labelled versions under another key too, as far as the caller may decrypt and encrypt them.

    A version that the caller cannot re-encrypt stays under its key alone, and nobody is told, as documented.

    Raises:
        SecretsError: there is no such key.
    """
    key_arn = key_of(secret, reference or MANAGED_KEY)
    for version_id, version in secret["Versions"].items():
        if not version["Copies"] or not LABELS.intersection(version["Stages"]):
            continue
        try:
            value = unseal(secret, version_id)
            sealed = seal(secret, version_id, key_arn, value)
        except SecretsError:
            continue
        previous = version["Copies"][:1]
        version["Copies"] = [sealed, *(copy for copy in previous if copy["Key"] != key_arn)]


def key_ids(secret: Secret, version: Version) -> list[str]:
    """The keys that open a version, in the list's spelling."""
    with request_scope(*records.owner(secret)):
        managed = keys.aliases().get(keys.arn(MANAGED_KEY), "-")
    return [DEFAULT_KEY if copy["Key"].endswith(f"/{managed}") else copy["Key"] for copy in version["Copies"]]


def shown(member: str, value: bytes) -> str:
    """A value as an answer carries it: text, or base64."""
    return value.decode() if member == "SecretString" else base64.b64encode(value).decode()


def _failure(verb: str, code: str, refusal: Refusal) -> SecretsError:
    if refusal.denied:
        return SecretsError("AccessDeniedException", "Access to KMS is not allowed")
    return _unusable(verb, code, refusal.message, refusal.code)


def _unusable(verb: str, code: str, message: str, kms_code: str) -> SecretsError:
    return SecretsError(
        code,
        f"Secrets Manager can't {verb} the secret value: {message} (Service: AWSKMS; Status Code: 400; "
        f"Error Code: {kms_code}; Request ID: {new_uuid()}; Proxy: null)",
    )
