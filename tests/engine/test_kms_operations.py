"""Every operation of botocore's KMS model: implemented, or refused with the limit named; DryRun where the model has it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from kmslab.engine.kms.validation import FRONT_END
from tests.engine.conftest import LOADER
from tests.engine.kms_calls import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.conftest import Engine

MODEL: dict[str, Any] = LOADER.load_service_model("kms", "service-2")
KEY_STORES = sorted(name for name in MODEL["operations"] if "CustomKeyStore" in name)
DRY_RUNS = sorted(
    name
    for name, entry in MODEL["operations"].items()
    if "DryRun" in MODEL["shapes"].get(entry.get("input", {}).get("shape"), {}).get("members", ())
)


def shape_of(operation: str, side: str) -> dict[str, Any]:
    """The members of an operation's input or output, and which are required."""
    found = MODEL["operations"][operation].get(side)
    return dict(MODEL["shapes"][found["shape"]]) if found else {"members": {}}


class World:
    """A key of each usage and what belongs to it, so that every operation has something to succeed on."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.kms = engine, engine.client("kms")
        self.me = engine.own_statement()["Principal"]["AWS"]
        self.key = self.make()
        self.mac_key = self.make(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.sign_key = self.make(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        self.agreement_key = self.make(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")

    def make(self, **parameters: Any) -> str:
        return str(self.kms.create_key(**parameters)["KeyMetadata"]["Arn"])

    def grant(self) -> dict[str, str]:
        made = self.kms.create_grant(
            KeyId=self.key, GranteePrincipal=self.me, RetiringPrincipal=self.me, Operations=["Decrypt"]
        )
        return {"id": made["GrantId"], "token": made["GrantToken"]}

    def alias(self) -> str:
        name = f"alias/{os.urandom(8).hex()}"
        self.kms.create_alias(AliasName=name, TargetKeyId=self.key)
        return name

    def cryptography(self, operation: str) -> dict[str, Any]:
        """Parameters with which a cryptographic operation succeeds."""
        symmetric = {"KeyId": self.key}
        signing = {"KeyId": self.sign_key, "Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
        mac = {"KeyId": self.mac_key, "Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}
        makers: dict[str, Callable[[], dict[str, Any]]] = {
            "Encrypt": lambda: {**symmetric, "Plaintext": b"x"},
            "Decrypt": lambda: {"CiphertextBlob": self.ciphertext()},
            "ReEncrypt": lambda: {"CiphertextBlob": self.ciphertext(), "DestinationKeyId": self.key},
            "GenerateDataKey": lambda: {**symmetric, "KeySpec": "AES_256"},
            "GenerateDataKeyWithoutPlaintext": lambda: {**symmetric, "NumberOfBytes": 16},
            "GenerateDataKeyPair": lambda: {**symmetric, "KeyPairSpec": "ECC_NIST_P256"},
            "GenerateDataKeyPairWithoutPlaintext": lambda: {**symmetric, "KeyPairSpec": "ECC_NIST_P256"},
            "GenerateRandom": lambda: {"NumberOfBytes": 16},
            "Sign": lambda: signing,
            "Verify": lambda: {**signing, "Signature": self.kms.sign(**signing)["Signature"]},
            "GenerateMac": lambda: mac,
            "VerifyMac": lambda: {**mac, "Mac": self.kms.generate_mac(**mac)["Mac"]},
            "DeriveSharedSecret": lambda: {
                "KeyId": self.agreement_key,
                "KeyAgreementAlgorithm": "ECDH",
                "PublicKey": self.kms.get_public_key(KeyId=self.agreement_key)["PublicKey"],
            },
            "GetPublicKey": lambda: {"KeyId": self.sign_key},
        }
        return makers[operation]() if operation in makers else {}

    def ciphertext(self) -> bytes:
        return bytes(self.kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"])

    def management(self, operation: str) -> dict[str, Any]:
        """Parameters with which any other operation succeeds."""
        makers: dict[str, Callable[[], dict[str, Any]]] = {
            "CancelKeyDeletion": lambda: {"KeyId": self.scheduled()},
            "CreateAlias": lambda: {"AliasName": f"alias/{os.urandom(8).hex()}", "TargetKeyId": self.key},
            "CreateGrant": lambda: {
                "KeyId": self.key,
                "GranteePrincipal": self.me,
                "Operations": ["Decrypt"],
            },
            "CreateKey": dict,
            "DeleteAlias": lambda: {"AliasName": self.alias()},
            "DeleteImportedKeyMaterial": lambda: {"KeyId": self.make(Origin="EXTERNAL")},
            "GetParametersForImport": lambda: {
                "KeyId": self.make(Origin="EXTERNAL"),
                "WrappingAlgorithm": "RSAES_OAEP_SHA_256",
                "WrappingKeySpec": "RSA_2048",
            },
            "ImportKeyMaterial": self.importable,
            "ListAliases": dict,
            "ListKeys": dict,
            "ListRetirableGrants": lambda: {"RetiringPrincipal": self.me},
            "PutKeyPolicy": lambda: {"KeyId": self.key, **self.policy()},
            "ReplicateKey": lambda: {"KeyId": self.make(MultiRegion=True), "ReplicaRegion": "eu-west-3"},
            "RetireGrant": lambda: {"GrantToken": self.grant()["token"]},
            "RevokeGrant": lambda: {"KeyId": self.key, "GrantId": self.grant()["id"]},
            "ScheduleKeyDeletion": lambda: {"KeyId": self.make()},
            "TagResource": lambda: {"KeyId": self.key, "Tags": [{"TagKey": "a", "TagValue": "b"}]},
            "UntagResource": lambda: {"KeyId": self.key, "TagKeys": ["a"]},
            "UpdateAlias": lambda: {"AliasName": self.alias(), "TargetKeyId": self.make()},
            "UpdateKeyDescription": lambda: {"KeyId": self.key, "Description": "new"},
            "UpdatePrimaryRegion": self.movable,
        }
        return makers[operation]() if operation in makers else {"KeyId": self.make()}

    def parameters(self, operation: str) -> dict[str, Any]:
        return self.cryptography(operation) or self.management(operation)

    def policy(self) -> dict[str, str]:
        return {"Policy": self.kms.get_key_policy(KeyId=self.key)["Policy"]}

    def scheduled(self) -> str:
        key = self.make()
        self.kms.schedule_key_deletion(KeyId=key)
        return key

    def movable(self) -> dict[str, str]:
        from kmslab.engine.kms import transitions

        key = self.make(MultiRegion=True)
        self.kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-3")
        there = self.engine.client("kms", region="eu-west-3")
        wait_until(
            lambda: there.describe_key(KeyId=key.rsplit("/", 1)[-1])["KeyMetadata"]["KeyState"] == "Enabled",
            seconds=transitions.SECONDS * 20,
        )
        return {"KeyId": key, "PrimaryRegion": "eu-west-3"}

    def importable(self) -> dict[str, Any]:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        key = self.make(Origin="EXTERNAL")
        given = self.kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        public = serialization.load_der_public_key(given["PublicKey"])
        assert isinstance(public, rsa.RSAPublicKey)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        return {
            "KeyId": key,
            "ImportToken": given["ImportToken"],
            "EncryptedKeyMaterial": public.encrypt(os.urandom(32), oaep),
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }


def wait_until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Ask again until the condition holds."""
    import threading
    import time

    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.05)


@pytest.fixture(scope="module")
def world(engine: Engine) -> World:
    return World(engine)


@pytest.mark.parametrize("operation", sorted(set(MODEL["operations"]) - set(KEY_STORES)))
def test_every_operation_succeeds_and_answers_with_members_of_the_model(world: World, operation: str) -> None:
    answer = getattr(world.kms, xform_name(operation))(**world.parameters(operation))
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    assert set(answer) <= set(shape_of(operation, "output")["members"])
    assert bool(answer) is FRONT_END.has_output(operation)


@pytest.mark.parametrize("operation", KEY_STORES)
def test_a_custom_key_store_is_refused_by_its_name(kms: Any, operation: str) -> None:
    code, message = told(getattr(kms, xform_name(operation)))
    assert (code, message) == (
        "UnsupportedOperationException",
        f"{operation}: custom key stores do not exist on the local engine.",
    )


@pytest.mark.parametrize(
    "operation",
    sorted(name for name in MODEL["operations"] if "Recipient" in shape_of(name, "input")["members"]),
)
def test_an_enclave_is_refused_by_its_name(world: World, operation: str) -> None:
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}
    parameters = {**world.parameters(operation), "Recipient": recipient}
    assert told(getattr(world.kms, xform_name(operation)), **parameters) == (
        "UnsupportedOperationException",
        "Recipient: Nitro enclaves do not exist on the local engine.",
    )


@pytest.mark.parametrize(
    "operation",
    sorted(
        name
        for name in MODEL["operations"]
        if name not in KEY_STORES and shape_of(name, "input").get("required")
    ),
)
def test_what_is_required_is_told_in_one_sentence(kms: Any, operation: str) -> None:
    missing = [
        f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
        for name in shape_of(operation, "input")["members"]
        if name in shape_of(operation, "input")["required"]
    ]
    plural = "error" if len(missing) == 1 else "errors"
    assert told(getattr(kms, xform_name(operation))) == (
        "ValidationException",
        f"{len(missing)} validation {plural} detected: {'; '.join(missing)}",
    )


@pytest.mark.parametrize("operation", DRY_RUNS)
def test_a_dry_run_tells_that_it_would_have_succeeded_and_does_nothing(
    engine: Engine, world: World, operation: str
) -> None:
    before = world.kms.list_grants(KeyId=world.key)["Grants"]
    parameters = world.parameters(operation)
    made = len(world.kms.list_grants(KeyId=world.key)["Grants"]) - len(before)
    with pytest.raises(ClientError) as caught:
        getattr(world.kms, xform_name(operation))(**parameters, DryRun=True)
    answer = caught.value.response
    assert answer["Error"] == {
        "Code": "DryRunOperationException",
        "Message": "The request would have succeeded, but the DryRun option is set.",
    }
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(world.kms.list_grants(KeyId=world.key)["Grants"]) == len(before) + made
    stranger = engine.client("kms", engine.role())
    assert (
        told(getattr(stranger, xform_name(operation)), **parameters, DryRun=True)[0]
        == "AccessDeniedException"
    )
