"""Parameter Store: SecureString parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.probe.model import probe
from kmslab.probe.sources import ssm, ssm_api

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

VALUE = "kmslab probe"
SECURE = ssm("secure-string-parameter-kms-encryption")
KEY_ERRORS = ("InvalidKeyId", "AccessDeniedException")
"""How Parameter Store says that it cannot use a key."""


def _name(bench: Bench) -> str:
    return f"/{bench.world.prefix}/temporary/{bench.world.run_id}-{uuid4().hex}"


def _parameter(bench: Bench, kind: str = "SecureString", **parameters: Any) -> str:
    """Store a parameter of the probe's own and return its name."""
    name = _name(bench)
    bench.works("ssm:PutParameter", Name=name, Value=VALUE, Type=kind, Tags=bench.tag_list, **parameters)
    bench.undo(lambda: bench.client("ssm").delete_parameters(Names=[name]))
    return name


@probe(SECURE)
def a_secure_string_comes_encrypted(bench: Bench) -> None:
    """GetParameter returns a SecureString in the clear only with WithDecryption.

    With it the value comes; without it something else.
    """
    name = _parameter(bench, KeyId=bench.key())
    got = bench.works("ssm:GetParameter", Name=name, WithDecryption=True)["Parameter"]
    bench.sees("the value comes back", got["Value"] == VALUE)
    raw = bench.works("ssm:GetParameter", Name=name)["Parameter"]
    bench.contrasts("without decryption it is not in the clear", VALUE not in raw["Value"])


@probe(SECURE)
def reading_needs_decrypt(bench: Bench) -> None:
    """Decrypting a SecureString needs kms:Decrypt for whoever reads.

    Where the key policy allows it the value comes; where it does not it is AccessDeniedException.
    """
    world, storer = bench.world, bench.world.storer
    open_, closed = bench.key(world.allow(storer, "Decrypt")), bench.key()
    request: dict[str, Any] = {"WithDecryption": True}
    bench.works("ssm:GetParameter", storer, Name=_parameter(bench, KeyId=open_), **request)
    bench.refuses(KEY_ERRORS, "ssm:GetParameter", storer, Name=_parameter(bench, KeyId=closed), **request)


@probe(SECURE)
def a_plain_string_needs_no_key(bench: Bench) -> None:
    """A String parameter is not encrypted under a KMS key.

    A role without any key reads the String, and does not read the SecureString.
    """
    storer = bench.world.storer
    request: dict[str, Any] = {"WithDecryption": True}
    bench.works("ssm:GetParameter", storer, Name=_parameter(bench, "String"), **request)
    name = _parameter(bench, KeyId=bench.key())
    bench.refuses(KEY_ERRORS, "ssm:GetParameter", storer, Name=name, **request)


@probe(SECURE)
def the_context_names_the_parameter(bench: Bench) -> None:
    """The encryption context of a SecureString is the ARN of the parameter.

    A role allowed for the ARN of one parameter reads it, and not another under the same key.
    """
    world, storer = bench.world, bench.world.storer
    key = bench.key()
    one, other = _parameter(bench, KeyId=key), _parameter(bench, KeyId=key)
    arn = f"arn:{bench.partition}:ssm:{bench.region}:{bench.account}:parameter{one}"
    condition: dict[str, Any] = {"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arn}}
    policy = world.policy(world.delegation, world.allow(storer, "Decrypt", condition=condition))
    bench.make("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy)
    bench.works("ssm:GetParameter", storer, Name=one, WithDecryption=True)
    bench.refuses(KEY_ERRORS, "ssm:GetParameter", storer, Name=other, WithDecryption=True)


@probe(SECURE)
def a_disabled_key_hides_the_value(bench: Bench) -> None:
    """A SecureString under a disabled key cannot be decrypted.

    Under the enabled key the value comes; once it is disabled the call is InvalidKeyId.
    """
    key = bench.key()
    name = _parameter(bench, KeyId=key)
    bench.works("ssm:GetParameter", Name=name, WithDecryption=True)
    bench.make("DisableKey", KeyId=key)
    bench.refuses(KEY_ERRORS, "ssm:GetParameter", Name=name, WithDecryption=True)


@probe(SECURE)
def writing_needs_the_key(bench: Bench) -> None:
    """Storing a SecureString needs kms:Encrypt (advanced: kms:GenerateDataKey) for whoever writes.

    Where the key policy allows it the parameter is stored; where it does not the call is refused.
    """
    world, storer = bench.world, bench.world.storer
    open_ = bench.key(world.allow(storer, "Encrypt", "GenerateDataKey"))
    name = _name(bench)
    request: dict[str, Any] = {"Value": VALUE, "Type": "SecureString", "Name": name}
    bench.undo(lambda: bench.client("ssm").delete_parameters(Names=[name]))
    bench.works("ssm:PutParameter", storer, KeyId=open_, **request)
    bench.refuses(
        KEY_ERRORS, "ssm:PutParameter", storer, KeyId=bench.key(), **{**request, "Name": _name(bench)}
    )


@probe(ssm_api("PutParameter"))
def the_key_must_exist(bench: Bench) -> None:
    """A SecureString is stored under a key that exists.

    Under one it is stored; under another id it is InvalidKeyId.
    """
    _parameter(bench, KeyId=bench.key())
    bench.refuses(
        "InvalidKeyId",
        "ssm:PutParameter",
        Name=_name(bench),
        Value=VALUE,
        Type="SecureString",
        KeyId="00000000-0000-4000-8000-000000000000",
    )


@probe(ssm_api("GetParameters"))
def the_parameter_names_its_type(bench: Bench) -> None:
    """A parameter keeps its type: what was stored as String is not a SecureString.

    DescribeParameters shows the key of the SecureString, and none for the String.
    """
    key = bench.key()
    names = {_parameter(bench, KeyId=key): "SecureString", _parameter(bench, "String"): "String"}
    for name, kind in names.items():
        found = bench.works(
            "ssm:DescribeParameters",
            ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": [name]}],
        )["Parameters"][0]
        bench.equal("Type", found["Type"], kind)
        if kind == "String":
            bench.contrasts("a String has no key", not found.get("KeyId"))
        else:
            bench.equal("the key", found.get("KeyId") == key, expected=True)
