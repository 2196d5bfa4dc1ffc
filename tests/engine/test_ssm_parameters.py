"""SecureString parameters under KMS: put and get with decryption take the key; other parameters do not."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.conftest import allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

SSM_ALL = allow("ssm:*")


@pytest.fixture
def ssm(engine: Engine) -> Any:
    return engine.client("ssm")


@pytest.fixture
def name() -> str:
    return f"/test/{uuid.uuid4().hex[:12]}"


def put(ssm: Any, name: str, key: str = "", **parameters: Any) -> None:
    ssm.put_parameter(
        Name=name, Value="value", Type="SecureString", **({"KeyId": key} if key else {}), **parameters
    )


def arn(engine: Engine, name: str) -> str:
    return f"arn:aws:ssm:{engine.region}:{engine.account}:parameter{name}"


def test_the_permitted_decrypt_and_the_others_do_not(engine: Engine, ssm: Any, key: str, name: str) -> None:
    put(ssm, name, key)
    reader = engine.client("ssm", engine.role(SSM_ALL, allow("kms:Decrypt")))
    assert reader.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "value"
    outsider = engine.client("ssm", engine.role(SSM_ALL))
    reads: list[tuple[str, dict[str, Any]]] = [
        ("get_parameter", {"Name": name}),
        ("get_parameters", {"Names": [name]}),
        ("get_parameters_by_path", {"Path": name.rsplit("/", 1)[0]}),
        ("get_parameter_history", {"Name": name}),
    ]
    for operation, parameters in reads:
        with refused("AccessDeniedException", "kms:Decrypt"):
            getattr(outsider, operation)(**parameters, WithDecryption=True)


def test_without_decryption_there_is_ciphertext_of_the_key(
    engine: Engine, ssm: Any, kms: Any, key: str, name: str
) -> None:
    put(ssm, name, key)
    outsider = engine.client("ssm", engine.role(SSM_ALL))
    shown = outsider.get_parameter(Name=name)["Parameter"]["Value"]
    opened = kms.decrypt(
        CiphertextBlob=base64.b64decode(shown), EncryptionContext={"PARAMETER_ARN": arn(engine, name)}
    )
    assert (opened["Plaintext"], opened["KeyId"]) == (b"value", key)


@pytest.mark.parametrize(
    ("tier", "action"), [("Standard", "kms:Encrypt"), ("Advanced", "kms:GenerateDataKey")]
)
def test_putting_takes_the_key_by_the_parameters_tier(
    engine: Engine, key: str, name: str, tier: str, action: str
) -> None:
    put(engine.client("ssm", engine.role(SSM_ALL, allow(action))), name, key, Tier=tier)
    with refused("AccessDeniedException", action):
        put(engine.client("ssm", engine.role(SSM_ALL, allow("kms:Decrypt"))), f"{name}-other", key, Tier=tier)


def test_the_key_is_used_through_the_service_and_bound_to_the_parameter(
    engine: Engine, ssm: Any, key: str, name: str
) -> None:
    put(ssm, name, key)
    put(ssm, f"{name}-other", key)
    bound = {
        "kms:ViaService": f"ssm.{engine.region}.amazonaws.com",
        "kms:EncryptionContext:PARAMETER_ARN": arn(engine, name),
    }
    reader = engine.client(
        "ssm", engine.role(SSM_ALL, allow("kms:Decrypt", Condition={"StringEquals": bound}))
    )
    assert reader.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "value"
    with refused("AccessDeniedException", "kms:Decrypt"):
        reader.get_parameter(Name=f"{name}-other", WithDecryption=True)


def test_a_disabled_key_stops_decryption(ssm: Any, kms: Any, key: str, name: str) -> None:
    put(ssm, name, key)
    kms.disable_key(KeyId=key)
    why = (
        f"{key} is disabled. (Service: AWSKMS; Status Code: 400; Error Code: DisabledException; Request ID: "
    )
    with refused("InvalidKeyId", why):
        ssm.get_parameter(Name=name, WithDecryption=True)
    with refused("InvalidKeyId", "disabled"):
        put(ssm, name, key, Overwrite=True)
    kms.enable_key(KeyId=key)
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "value"


def test_the_aws_managed_key_and_plain_parameters_need_no_permission(engine: Engine, name: str) -> None:
    ssm = engine.client("ssm", engine.role(SSM_ALL))
    put(ssm, name)
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "value"
    ssm.put_parameter(Name=f"{name}-plain", Value="value", Type="String")
    assert ssm.get_parameter(Name=f"{name}-plain", WithDecryption=True)["Parameter"]["Value"] == "value"


def test_each_version_opens_with_the_key_it_was_put_under(
    engine: Engine, ssm: Any, kms: Any, key: str, name: str
) -> None:
    other = engine.key(engine.account_statement())
    put(ssm, name, key)
    ssm.put_parameter(Name=name, Value="second", Type="SecureString", KeyId=other, Overwrite=True)
    kms.disable_key(KeyId=key)
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == "second"
    with refused("InvalidKeyId", key):
        ssm.get_parameter(Name=f"{name}:1", WithDecryption=True)
    with refused("InvalidKeyId", key):
        ssm.get_parameter_history(Name=name, WithDecryption=True)
    kms.enable_key(KeyId=key)
    history = ssm.get_parameter_history(Name=name, WithDecryption=True)["Parameters"]
    assert [(one["Value"], one["KeyId"]) for one in history] == [("value", key), ("second", other)]


def test_a_value_is_held_to_the_length_of_its_tier(ssm: Any, name: str) -> None:
    with refused("ValidationException", "Standard tier parameters support a maximum parameter value of 4096"):
        ssm.put_parameter(Name=name, Value="x" * 4097, Type="SecureString")
    ssm.put_parameter(Name=name, Value="x" * 4097, Type="SecureString", Tier="Advanced")
    assert len(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]) == 4097
    with refused("ValidationException", "8192"):
        ssm.put_parameter(Name=name, Value="x" * 8193, Type="String", Tier="Advanced", Overwrite=True)


def test_only_a_symmetric_key_encrypts_a_parameter(engine: Engine, ssm: Any, name: str) -> None:
    signer = engine.key(engine.account_statement(), KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    with refused("InvalidKeyId", "InvalidKeyUsageException"):
        put(ssm, name, signer)
    with refused("InvalidKeyId", "NotFoundException"):
        put(ssm, name, "alias/none-of-that-name")
    with refused("ParameterNotFound"):
        ssm.get_parameter(Name=name)


@pytest.fixture
def secret(engine: Engine, key: str) -> str:
    """The name of a secret with a first and a second version."""
    sm, made = engine.client("secretsmanager"), f"team/{uuid.uuid4().hex[:12]}"
    sm.create_secret(Name=made, SecretString="first", KmsKeyId=key, ClientRequestToken=str(uuid.uuid4()))
    sm.put_secret_value(SecretId=made, SecretString="second", ClientRequestToken=str(uuid.uuid4()))
    return made


def test_a_secret_is_read_by_its_reference(engine: Engine, ssm: Any, secret: str) -> None:
    reference = f"/aws/reference/secretsmanager/{secret}"
    held = engine.client("secretsmanager").get_secret_value(SecretId=secret)
    shown = ssm.get_parameter(Name=reference, WithDecryption=True)["Parameter"]
    source = json.loads(shown.pop("SourceResult"))
    assert source.pop("createdDate")
    assert source == {
        "ARN": held["ARN"],
        "name": secret,
        "versionId": held["VersionId"],
        "secretString": "second",
        "versionStages": ["AWSCURRENT"],
    }
    assert shown == {
        "Name": reference,
        "Type": "SecureString",
        "Value": "second",
        "Version": 0,
        "LastModifiedDate": held["CreatedDate"],
        "ARN": held["ARN"],
    }
    before = ssm.get_parameter(Name=f"{reference}:AWSPREVIOUS", WithDecryption=True)["Parameter"]
    assert (before["Value"], before["Selector"], before["Name"]) == ("first", ":AWSPREVIOUS", reference)
    by_version = ssm.get_parameter(Name=f"{reference}:{held['VersionId']}", WithDecryption=True)["Parameter"]
    assert by_version["Value"] == "second"


def test_a_reference_that_cannot_be_answered_is_told_as_aws_tells_it(
    ssm: Any, name: str, secret: str
) -> None:
    prefix = "/aws/reference/secretsmanager"
    with refused("ValidationException", "WithDecryption flag must be True"):
        ssm.get_parameter(Name=f"{prefix}/{secret}")
    with refused("ValidationException", "Invalid parameter name"):
        ssm.get_parameter(Name=f"{prefix}/{secret}:a:b", WithDecryption=True)
    for missing, told in (("/none", "/nonenull"), (f"/{secret}:NOSTAGE", f"/{secret}:NOSTAGE")):
        with refused("ParameterNotFound", f"Secret aws/reference/secretsmanager{told} not found."):
            ssm.get_parameter(Name=prefix + missing, WithDecryption=True)
    ssm.put_parameter(Name=name, Value="plain", Type="String")
    names = [f"{prefix}/{secret}", name, f"{prefix}/none"]
    answer = ssm.get_parameters(Names=names, WithDecryption=True)
    assert sorted(one["Value"] for one in answer["Parameters"]) == ["plain", "second"]
    assert answer["InvalidParameters"] == [f"{prefix}/none"]
    in_plain = ssm.get_parameters(Names=names)
    assert [one["Value"] for one in in_plain["Parameters"]] == ["plain"]


def test_a_reference_is_read_by_who_may_read_the_secret(engine: Engine, secret: str) -> None:
    reference = f"/aws/reference/secretsmanager/{secret}"
    decrypt, read = allow("kms:Decrypt"), allow("secretsmanager:GetSecretValue")
    reader = engine.client("ssm", engine.role(SSM_ALL, decrypt, read))
    assert reader.get_parameter(Name=reference, WithDecryption=True)["Parameter"]["Value"] == "second"
    for lacking, word in ((decrypt, "secretsmanager:GetSecretValue"), (read, "KMS")):
        without = engine.client("ssm", engine.role(SSM_ALL, lacking))
        with refused("AccessDeniedException", "when referencing Secrets Manager", word):
            without.get_parameter(Name=reference, WithDecryption=True)
        with refused("AccessDeniedException"):
            without.get_parameters(Names=[reference], WithDecryption=True)


def test_a_parameter_is_found_with_and_without_its_leading_slash(ssm: Any) -> None:
    plain = uuid.uuid4().hex
    put(ssm, plain)
    for asked in (plain, f"/{plain}"):
        found = ssm.get_parameter(Name=asked, WithDecryption=True)["Parameter"]
        assert (found["Name"], found["Value"]) == (asked, "value")
        (found,) = ssm.get_parameters(Names=[asked], WithDecryption=True)["Parameters"]
        assert (found["Name"], found["Value"]) == (asked, "value")
    with refused("ParameterVersionNotFound", f"version 9 of {plain}. Verify the version and try again."):
        ssm.get_parameter(Name=f"{plain}:9")


def test_what_is_no_name_is_refused_and_what_is_missing_is_told_without_a_word(ssm: Any, name: str) -> None:
    put(ssm, name)
    for asked in (name.replace("/test/", "/test//"), name[1:]):
        with refused("ValidationException", "sub-paths divided by slash symbol"):
            ssm.get_parameter(Name=asked)
        with refused("ValidationException", "sub-paths divided by slash symbol"):
            ssm.get_parameters(Names=[asked])
    with refused("ParameterNotFound") as told:
        ssm.get_parameter(Name=f"{name}-none")
    assert told["Message"] == ""


def test_a_parameter_has_a_type_that_there_is_and_a_value(ssm: Any, name: str) -> None:
    with refused("ValidationException", "Value 'Nope' at 'type'", "[SecureString, StringList, String]"):
        ssm.put_parameter(Name=name, Value="value", Type="Nope")
    with refused("ValidationException", "at 'value'", "length greater than or equal to 1"):
        ssm.put_parameter(Name=name, Value="", Type="String")
