"""A KMS for the fake world: real AES-GCM, key states, rotation and imported material; no authorization.

Who is refused what is said by the tests (`World.refuses`), so that each can break one thing.
"""

from __future__ import annotations

import secrets
import struct
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.checks.fake_grants import FakeGrants
from tests.checks.fake_imports import FakeImports, expire
from tests.checks.fake_regions import LEAVING, FakeRegions
from tests.checks.fakes import ACCOUNT, REGION, Refusal, Request, World, policy_document

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_POLICY = policy_document(
    {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
)
"""KMS's own, for keys made without one."""


@dataclass
class FakeKey:
    """One key; `material` maps the id of each key material to its bytes, the current one last.

    Attributes of note:
        primary: ARN of the primary, for a replica.
        waiting: imported material that the next rotation puts in use.
        valid_to: when imported material expires.
    """

    arn: str
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    manager: str = "CUSTOMER"
    description: str = ""
    state: str = "Enabled"
    multi_region: bool = False
    policy: str = ""
    rotation_days: int = 0
    tags: list[dict[str, str]] = field(default_factory=list)
    material: dict[str, bytes] = field(default_factory=dict)
    rotations: int = 0
    primary: str = ""
    waiting: bytes = b""
    valid_to: Any = None
    created: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    @property
    def current(self) -> str:
        """Id of the material in use; empty without material."""
        return list(self.material)[-1] if self.material else ""

    def new_material(self, material: bytes | None = None) -> None:
        """Put new material in use."""
        self.material[uuid.uuid4().hex * 2] = material or secrets.token_bytes(32)


class FakeKms(FakeGrants, FakeImports, FakeRegions):
    """Answers every symmetric operation of `kms` in a world.

    Attributes:
        keys: by ARN.
        aliases: alias name to ARN.
        grants: by id, as ListGrants shows them.
    """

    def __init__(self, world: World) -> None:
        self.keys: dict[str, FakeKey] = {}
        self.aliases: dict[str, str] = {}
        self.grants: dict[str, dict[str, Any]] = {}
        for name in self.operations():
            world.answers(f"kms:{name}", getattr(self, name))

    @classmethod
    def operations(cls) -> list[str]:
        """The operations that this KMS answers."""
        return [name for name in dir(cls) if name[0].isupper()]

    def add(self, arn: str, alias: str = "", **attributes: Any) -> FakeKey:
        """Add a key; one with material unless its origin is EXTERNAL."""
        key = FakeKey(arn, **attributes)
        if key.origin == "AWS_KMS":
            key.new_material()
        self.keys[arn] = key
        if alias:
            self.aliases[alias] = arn
        return key

    def find(self, key_id: str) -> FakeKey:
        """Return a key by ARN, key id or alias."""
        arn = self.aliases.get(key_id, key_id)
        for key in self.keys.values():
            if arn in {key.arn, key.arn.rpartition("/")[2]}:
                expire(key)
                return key
        raise Refusal("NotFoundException", f"Key {key_id} does not exist")

    def usable(self, key_id: str) -> FakeKey:
        """Return a key whose state permits cryptography."""
        key = self.find(key_id)
        if key.state == "Disabled":
            raise Refusal("DisabledException", f"{key.arn} is disabled.")
        if key.state != "Enabled":
            raise Refusal("KMSInvalidStateException", f"{key.arn} is {key.state}.")
        return key

    def seal(self, key: FakeKey, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt; the blob names key and material."""
        nonce = secrets.token_bytes(12)
        header = f"{key.arn}|{key.current}".encode()
        sealed = AESGCM(key.material[key.current]).encrypt(nonce, plaintext, _aad(context))
        return struct.pack(">H", len(header)) + header + nonce + sealed

    def open(self, blob: bytes, context: Mapping[str, str]) -> tuple[FakeKey, str, bytes]:
        """Decrypt: (key, id of the material, plaintext)."""
        (length,) = struct.unpack(">H", blob[:2])
        arn, _, material = blob[2 : 2 + length].decode().partition("|")
        key = self.find(arn)
        nonce, sealed = blob[2 + length : 14 + length], blob[14 + length :]
        try:
            return key, material, AESGCM(key.material[material]).decrypt(nonce, sealed, _aad(context))
        except (InvalidTag, KeyError):
            raise Refusal("InvalidCiphertextException") from None

    def key_of(self, request: Request) -> FakeKey:
        """The key that a request is about: the one it names, or the one that its ciphertext names."""
        if "KeyId" in request.parameters or "TargetKeyId" in request.parameters:
            return self.find(request.get("KeyId") or request["TargetKeyId"])
        blob = request["CiphertextBlob"]
        return self.find(blob[2 : 2 + int.from_bytes(blob[:2], "big")].decode().partition("|")[0])

    def settles_late(self, world: World, change: str, *operations: str, code: str) -> None:
        """Let some operations answer once more, after a change, as if it had not been made yet."""
        late: list[str] = []
        real = getattr(self, change)

        def changes(request: Request) -> Any:
            answer = real(request)
            late.append(request.action)
            return answer

        def not_yet(request: Request) -> bool:
            return bool(late and late.pop())

        world.answers(f"kms:{change}", changes)
        for operation in operations:
            world.refuses(f"kms:{operation}", code=code, when=not_yet)

    def CreateKey(self, request: Request) -> dict[str, Any]:
        origin = request.get("Origin", "AWS_KMS")
        key = self.add(
            f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{'mrk-' if request.get('MultiRegion') else ''}{uuid.uuid4()}",
            multi_region=request.get("MultiRegion", False),
            spec=request.get("KeySpec", "SYMMETRIC_DEFAULT"),
            usage=request.get("KeyUsage", "ENCRYPT_DECRYPT"),
            origin=origin,
            description=request.get("Description", ""),
            state="Enabled" if origin == "AWS_KMS" else "PendingImport",
            policy=request.get("Policy", DEFAULT_POLICY),
            tags=request.get("Tags", []),
        )
        return self.DescribeKey(Request(request.persona, "kms:DescribeKey", {"KeyId": key.arn}))

    def DescribeKey(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        return {
            "KeyMetadata": {
                "KeyId": key.arn.rpartition("/")[2],
                "Arn": key.arn,
                "KeySpec": key.spec,
                "KeyUsage": key.usage,
                "Origin": key.origin,
                "KeyManager": key.manager,
                "KeyState": key.state,
                "MultiRegion": key.multi_region,
                "CurrentKeyMaterialId": key.current,
                "Description": key.description,
                **({"ValidTo": key.valid_to} if key.valid_to else {}),
                **self.configuration(key),
            }
        }

    def GetKeyLastUsage(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        use = {"Operation": "Encrypt", "Timestamp": key.created + timedelta(days=1)}
        return {"KeyCreationDate": key.created, "TrackingStartDate": key.created, "KeyLastUsage": use}

    def ListResourceTags(self, request: Request) -> dict[str, Any]:
        return {"Tags": self.find(request["KeyId"]).tags}

    def GetKeyPolicy(self, request: Request) -> dict[str, Any]:
        return {"Policy": self.find(request["KeyId"]).policy}

    def PutKeyPolicy(self, request: Request) -> dict[str, Any]:
        if "kms:PutKeyPolicy" not in request["Policy"] and "kms:*" not in request["Policy"]:
            raise Refusal("MalformedPolicyDocumentException")
        self.find(request["KeyId"]).policy = request["Policy"]
        return {}

    def Encrypt(self, request: Request) -> dict[str, Any]:
        if len(request["Plaintext"]) > 4096:
            raise Refusal("ValidationException", "1 validation error detected")
        key = self.usable(request["KeyId"])
        blob = self.seal(key, request["Plaintext"], request.get("EncryptionContext", {}))
        return {"KeyId": key.arn, "CiphertextBlob": blob}

    def Decrypt(self, request: Request) -> dict[str, Any]:
        key, material, plaintext = self.open(request["CiphertextBlob"], request.get("EncryptionContext", {}))
        key = self.relative(key.arn, request.region)
        if "KeyId" in request.parameters and self.find(request["KeyId"]) is not key:
            raise Refusal("IncorrectKeyException")
        self.usable(key.arn)
        if request.get("DryRun"):
            raise Refusal("DryRunOperationException")
        return {"KeyId": key.arn, "Plaintext": plaintext, "KeyMaterialId": material}

    def ReEncrypt(self, request: Request) -> dict[str, Any]:
        source, _, plaintext = self.open(
            request["CiphertextBlob"], request.get("SourceEncryptionContext", {})
        )
        key = self.usable(request["DestinationKeyId"])
        blob = self.seal(key, plaintext, request.get("DestinationEncryptionContext", {}))
        return {"CiphertextBlob": blob, "SourceKeyId": source.arn, "KeyId": key.arn}

    def GenerateDataKey(self, request: Request) -> dict[str, Any]:
        size = {"AES_128": 16, "AES_256": 32}.get(request.get("KeySpec", ""), request.get("NumberOfBytes", 0))
        if size > 1024 or {"KeySpec", "NumberOfBytes"} <= request.parameters.keys():
            raise Refusal("ValidationException")
        plaintext = secrets.token_bytes(size)
        key = self.usable(request["KeyId"])
        blob = self.seal(key, plaintext, request.get("EncryptionContext", {}))
        return {"KeyId": key.arn, "Plaintext": plaintext, "CiphertextBlob": blob}

    def GenerateDataKeyWithoutPlaintext(self, request: Request) -> dict[str, Any]:
        answer = self.GenerateDataKey(request)
        del answer["Plaintext"]
        return answer

    def GenerateDataKeyPair(self, request: Request) -> dict[str, Any]:
        key = self.usable(request["KeyId"])
        made: Any = (
            ed25519.Ed25519PrivateKey.generate()
            if request["KeyPairSpec"] == "ECC_NIST_EDWARDS25519"
            else ec.generate_private_key(ec.SECP256R1())
        )
        private = made.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return {
            "PrivateKeyPlaintext": private,
            "PrivateKeyCiphertextBlob": self.seal(key, private, request.get("EncryptionContext", {})),
            "PublicKey": made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        }

    def GenerateDataKeyPairWithoutPlaintext(self, request: Request) -> dict[str, Any]:
        answer = self.GenerateDataKeyPair(request)
        del answer["PrivateKeyPlaintext"]
        return answer

    def GenerateRandom(self, request: Request) -> dict[str, Any]:
        if request["NumberOfBytes"] > 1024:
            raise Refusal("ValidationException")
        return {"Plaintext": secrets.token_bytes(request["NumberOfBytes"])}

    def CreateAlias(self, request: Request) -> dict[str, Any]:
        self.aliases[request["AliasName"]] = request["TargetKeyId"]
        return {}

    def UpdateAlias(self, request: Request) -> dict[str, Any]:
        return self.CreateAlias(request)

    def DeleteAlias(self, request: Request) -> dict[str, Any]:
        del self.aliases[request["AliasName"]]
        return {}

    def ListAliases(self, request: Request) -> dict[str, Any]:
        wanted = request.get("KeyId")
        return {
            "Aliases": [
                {"AliasName": name, "TargetKeyId": arn.rpartition("/")[2]}
                for name, arn in self.aliases.items()
                if wanted in {None, arn}
            ]
        }

    def TagResource(self, request: Request) -> dict[str, Any]:
        self.find(request["KeyId"]).tags.extend(request["Tags"])
        return {}

    def UntagResource(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        key.tags = [tag for tag in key.tags if tag["TagKey"] not in request["TagKeys"]]
        return {}

    def EnableKey(self, request: Request) -> dict[str, Any]:
        self.find(request["KeyId"]).state = "Enabled"
        return {}

    def DisableKey(self, request: Request) -> dict[str, Any]:
        self.find(request["KeyId"]).state = "Disabled"
        return {}

    def ScheduleKeyDeletion(self, request: Request) -> dict[str, Any]:
        if not 7 <= request.get("PendingWindowInDays", 30) <= 30:
            raise Refusal("ValidationException")
        key = self.find(request["KeyId"])
        if key.state in LEAVING:
            raise Refusal("KMSInvalidStateException", f"{key.arn} is {key.state}.")
        waits = any(replica.state not in LEAVING for replica in self.replicas(key))
        key.state = "PendingReplicaDeletion" if waits else "PendingDeletion"
        return {"KeyId": key.arn, "KeyState": key.state}

    def CancelKeyDeletion(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        key.state = "Disabled"
        return {"KeyId": key.arn}

    def EnableKeyRotation(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        self.must_not_be_replica(key)
        if key.spec != "SYMMETRIC_DEFAULT" or key.origin != "AWS_KMS" or key.manager == "AWS":
            raise Refusal("UnsupportedOperationException")
        days = request.get("RotationPeriodInDays", 365)
        if not 90 <= days <= 2560:
            raise Refusal("ValidationException")
        key.rotation_days = days
        return {}

    def GetKeyRotationStatus(self, request: Request) -> dict[str, Any]:
        days = self.primary_of(self.find(request["KeyId"])).rotation_days
        due = {"NextRotationDate": datetime.now(UTC) + timedelta(days=days - 1)}
        return {"KeyRotationEnabled": bool(days), **({"RotationPeriodInDays": days, **due} if days else {})}

    def RotateKeyOnDemand(self, request: Request) -> dict[str, Any]:
        key = self.usable(request["KeyId"])
        self.must_not_be_replica(key)
        if key.spec != "SYMMETRIC_DEFAULT":
            raise Refusal("UnsupportedOperationException")
        if key.origin == "EXTERNAL" and not key.waiting:
            raise Refusal("KMSInvalidStateException", "no material is waiting")
        key.new_material(key.waiting or None)
        key.waiting = b""
        key.rotations += 1
        return {"KeyId": key.arn}

    def ListKeyRotations(self, request: Request) -> dict[str, Any]:
        key = self.find(request["KeyId"])
        return {"Rotations": [{"KeyId": key.arn, "RotationType": "ON_DEMAND"}] * key.rotations}


def _aad(context: Mapping[str, str]) -> bytes:
    return repr(sorted(context.items())).encode()
