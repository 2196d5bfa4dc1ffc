"""Secrets Manager: secrets under KMS keys, with the permissions of whoever reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.probe.model import probe
from kmslab.probe.sources import secrets, secrets_api

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

VALUE = "kmslab probe"
KEY_ERRORS = ("DecryptionFailure", "EncryptionFailure", "InvalidRequestException", "AccessDeniedException")
"""How Secrets Manager says that KMS did not do what it asked for."""


def _secret(bench: Bench, who: Any = None, **parameters: Any) -> str:
    """Make a secret of the probe's own and return its ARN; it is deleted at once when the probe ends."""
    name = f"{bench.world.prefix}-temporary-{bench.world.run_id}-{uuid4().hex}"
    made = bench.works(
        "secretsmanager:CreateSecret", who, Name=name, SecretString=VALUE, Tags=bench.tag_list, **parameters
    )["ARN"]
    client = bench.client("secretsmanager")
    bench.undo(lambda: client.delete_secret(SecretId=made, ForceDeleteWithoutRecovery=True))
    return str(made)


@probe(secrets("security-encryption"))
def reading_needs_decrypt(bench: Bench) -> None:
    """GetSecretValue needs kms:Decrypt for whoever reads.

    Where the key policy allows it the value comes; where it does not it is AccessDeniedException.
    """
    world, storer = bench.world, bench.world.storer
    open_, closed = bench.key(world.allow(storer, "Decrypt")), bench.key()
    got = bench.works("secretsmanager:GetSecretValue", storer, SecretId=_secret(bench, KmsKeyId=open_))
    bench.sees("the value comes back", got["SecretString"] == VALUE)
    bench.denies("secretsmanager:GetSecretValue", storer, SecretId=_secret(bench, KmsKeyId=closed))


@probe(secrets("security-encryption"))
def writing_needs_a_data_key(bench: Bench) -> None:
    """PutSecretValue needs kms:GenerateDataKey for whoever writes.

    Where the key policy allows it (and Decrypt) the value is stored; where it does not it is AccessDeniedException.
    """
    world, storer = bench.world, bench.world.storer
    request: dict[str, Any] = {"SecretString": "another"}
    open_ = _secret(bench, KmsKeyId=bench.key(world.allow(storer, "GenerateDataKey", "Decrypt")))
    bench.works("secretsmanager:PutSecretValue", storer, SecretId=open_, **request)
    closed = _secret(bench, KmsKeyId=bench.key(world.allow(storer, "Decrypt")))
    bench.denies("secretsmanager:PutSecretValue", storer, SecretId=closed, **request)


@probe(secrets("security-encryption#security-encryption-encryption-context"))
def the_context_names_the_secret(bench: Bench) -> None:
    """The encryption context of a secret is its ARN (and version).

    A role allowed for the ARN of one secret reads it, and not another under the same key.
    """
    world, storer = bench.world, bench.world.storer
    key = bench.key()
    one, other = _secret(bench, KmsKeyId=key), _secret(bench, KmsKeyId=key)
    condition: dict[str, Any] = {"StringEquals": {"kms:EncryptionContext:SecretARN": one}}
    policy = world.policy(world.delegation, world.allow(storer, "Decrypt", condition=condition))
    bench.make("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy)
    bench.works("secretsmanager:GetSecretValue", storer, SecretId=one)
    bench.denies("secretsmanager:GetSecretValue", storer, SecretId=other)


@probe(secrets("security-encryption"))
def the_key_is_used_via_the_service(bench: Bench) -> None:
    """Secrets Manager uses the key on behalf of its caller: kms:ViaService names it.

    A role that may use the key via Secrets Manager reads the value; called directly, Decrypt is refused.
    """
    world, storer = bench.world, bench.world.storer
    condition: dict[str, Any] = {
        "StringEquals": {"kms:ViaService": f"secretsmanager.{bench.region}.amazonaws.com"}
    }
    key = bench.key(world.allow(storer, "Decrypt", condition=condition))
    bench.works("secretsmanager:GetSecretValue", storer, SecretId=_secret(bench, KmsKeyId=key))
    blob = bench.make("Encrypt", KeyId=key, Plaintext=b"tea")["CiphertextBlob"]
    bench.denies("Decrypt", storer, CiphertextBlob=blob, KeyId=key)


@probe(secrets("security-encryption"))
def a_disabled_key_hides_the_value(bench: Bench) -> None:
    """A secret under a disabled key cannot be read.

    Under the enabled key the value comes; once it is disabled the call is refused.
    """
    key = bench.key()
    secret = _secret(bench, KmsKeyId=key)
    bench.works("secretsmanager:GetSecretValue", SecretId=secret)
    bench.make("DisableKey", KeyId=key)
    bench.refuses(KEY_ERRORS, "secretsmanager:GetSecretValue", SecretId=secret)


@probe(secrets_api("DescribeSecret"))
def metadata_need_no_key(bench: Bench) -> None:
    """DescribeSecret shows metadata, for which nothing is decrypted.

    A role without the key describes the secret, and may not read its value.
    """
    storer = bench.world.storer
    key = bench.key()
    secret = _secret(bench, KmsKeyId=key)
    about = bench.works("secretsmanager:DescribeSecret", storer, SecretId=secret)
    bench.equal("the key", about["KmsKeyId"] == key, expected=True)
    bench.denies("secretsmanager:GetSecretValue", storer, SecretId=secret)


@probe(secrets_api("ListSecretVersionIds"))
def versions_tell_their_key(bench: Bench) -> None:
    """ListSecretVersionIds tells under which key each version is.

    A version is listed under the secret's key; after the secret has moved, a new version under the new one.
    """
    old, new = bench.key(), bench.key()
    secret = _secret(bench, KmsKeyId=old)
    listed = bench.works("secretsmanager:ListSecretVersionIds", SecretId=secret)["Versions"]
    bench.equal("the keys", [one.get("KmsKeyIds") == [old] for one in listed], [True])
    bench.make("secretsmanager:UpdateSecret", SecretId=secret, KmsKeyId=new)
    bench.make("secretsmanager:PutSecretValue", SecretId=secret, SecretString="another")
    listed = bench.works("secretsmanager:ListSecretVersionIds", SecretId=secret)["Versions"]
    current = next(one for one in listed if "AWSCURRENT" in one["VersionStages"])
    bench.contrasts("the new version is under the new key", current.get("KmsKeyIds") == [new])


@probe(secrets_api("UpdateSecret"))
def a_secret_moves_to_another_key(bench: Bench) -> None:
    """UpdateSecret with KmsKeyId moves the current value under another key.

    The value comes with the old key disabled; before the move it did not.
    """
    old, new = bench.key(), bench.key()
    secret, left = _secret(bench, KmsKeyId=old), _secret(bench, KmsKeyId=old)
    bench.works("secretsmanager:UpdateSecret", SecretId=secret, KmsKeyId=new)
    bench.make("DisableKey", KeyId=old)
    got = bench.works("secretsmanager:GetSecretValue", SecretId=secret)
    bench.sees("the value comes back", got["SecretString"] == VALUE)
    bench.refuses(KEY_ERRORS, "secretsmanager:GetSecretValue", SecretId=left)


@probe(secrets_api("CreateSecret"))
def the_key_must_exist(bench: Bench) -> None:
    """A secret is created under a key that exists and can be used.

    Under an enabled key it works; under a disabled one it is refused.
    """
    good, bad = bench.key(), bench.key()
    _secret(bench, KmsKeyId=good)
    bench.make("DisableKey", KeyId=bad)
    name = f"{bench.world.prefix}-temporary-{bench.world.run_id}-{uuid4().hex}"
    bench.refuses(KEY_ERRORS, "secretsmanager:CreateSecret", Name=name, SecretString=VALUE, KmsKeyId=bad)
