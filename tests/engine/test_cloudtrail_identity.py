"""Who a trail record says it was, and what it adds to request and answer."""

from __future__ import annotations

import datetime
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.engine.cloudtrail.identity import user_identity
from kmslab.model.target import Credentials
from tests.engine.conftest import allow, refused

if TYPE_CHECKING:
    from tests.engine.conftest import Engine, Principal


def recorded(engine: Engine, key: str, name: str) -> dict[str, Any]:
    """The newest record of an operation on a key."""
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    found = engine.client("cloudtrail").lookup_events(LookupAttributes=wanted)["Events"]
    records: list[dict[str, Any]] = [json.loads(one["CloudTrailEvent"]) for one in found]
    return next(one for one in records if one["eventName"] == name)


def materials(kms: Any, key: str) -> list[str]:
    """The ids of a key's materials, the oldest first."""
    found = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    return [one["KeyMaterialId"] for one in found]


# --- additionalEventData


def test_records_of_cryptographic_operations_tell_the_key_material(
    engine: Engine, kms: Any, key: str
) -> None:
    """KMS Developer Guide, examples of log entries: Encrypt, Decrypt, GenerateDataKey and its variants."""
    (first,) = materials(kms, key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"p")["CiphertextBlob"]
    assert recorded(engine, key, "Encrypt")["additionalEventData"] == {"keyMaterialId": first}
    kms.rotate_key_on_demand(KeyId=key)
    assert "additionalEventData" not in recorded(engine, key, "RotateKeyOnDemand")
    second = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["KeyMaterialId"]
    assert second != first
    kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256")
    kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    for name in ("", "WithoutPlaintext", "Pair", "PairWithoutPlaintext"):
        event = recorded(engine, key, f"GenerateDataKey{name}")
        assert event["additionalEventData"] == {"keyMaterialId": second}
        assert event["responseElements"] is None
    kms.decrypt(CiphertextBlob=blob)
    assert recorded(engine, key, "Decrypt")["additionalEventData"] == {"keyMaterialId": first}
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key)
    both = {"sourceKeyMaterialId": first, "destinationKeyMaterialId": second}
    assert recorded(engine, key, "ReEncrypt")["additionalEventData"] == both


def test_other_records_tell_no_key_material(engine: Engine, kms: Any, key: str) -> None:
    with refused("AccessDeniedException"):
        engine.client("kms", engine.role()).encrypt(KeyId=key, Plaintext=b"p")
    assert "additionalEventData" not in recorded(engine, key, "Encrypt")
    kms.describe_key(KeyId=key)
    assert "additionalEventData" not in recorded(engine, key, "DescribeKey")
    pair = engine.key(engine.account_statement(), KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    kms.encrypt(KeyId=pair, Plaintext=b"p", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert "additionalEventData" not in recorded(engine, pair, "Encrypt")


def test_a_service_uses_key_material_too(engine: Engine, kms: Any, key: str) -> None:
    """As in a recorded Decrypt through Lambda; which material an old object was encrypted with is not told."""
    (material,) = materials(kms, key)
    s3, bucket = engine.client("s3"), f"bucket-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    s3.get_object(Bucket=bucket, Key="a")
    for name in ("GenerateDataKey", "Decrypt"):
        assert recorded(engine, key, name)["additionalEventData"] == {"keyMaterialId": material}
    kms.rotate_key_on_demand(KeyId=key)
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    s3.get_object(Bucket=bucket, Key="a")
    assert "additionalEventData" not in recorded(engine, key, "Decrypt")


@pytest.mark.parametrize("by", ["token", "id"])
def test_the_record_of_a_retired_grant_names_it(engine: Engine, kms: Any, key: str, by: str) -> None:
    """KMS Developer Guide, example of RetireGrant: no parameters, the grant in additionalEventData."""
    grantee = f"arn:aws:iam::{engine.account}:role/kmslab-administrator"
    made = kms.create_grant(
        KeyId=key, GranteePrincipal=grantee, RetiringPrincipal=grantee, Operations=["Decrypt"]
    )
    if by == "token":
        kms.retire_grant(GrantToken=made["GrantToken"])
    else:
        kms.retire_grant(KeyId=key, GrantId=made["GrantId"])
    event = recorded(engine, key, "RetireGrant")
    assert event["additionalEventData"] == {"grantId": made["GrantId"]}
    assert event["requestParameters"] is None
    assert event["responseElements"] == {"keyId": key}
    assert "grantToken" not in json.dumps(event)


# --- userIdentity


def named(engine: Engine, key: str, who: Principal | Credentials) -> dict[str, Any]:
    """What the record of somebody's DescribeKey says about them."""
    engine.client("kms", who).describe_key(KeyId=key)
    identity: dict[str, Any] = recorded(engine, key, "DescribeKey")["userIdentity"]
    return identity


def credentials(answer: dict[str, Any]) -> Credentials:
    found = answer["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def test_a_session_is_as_old_as_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudTrail User Guide, "userIdentity": creationDate is when the credentials were issued."""
    from ministack.services import sts

    session = {"Arn": "arn:aws:sts::111122223333:assumed-role/r/s", "UserId": "AROA:s", "IssuedAt": 1.7e9}
    monkeypatch.setitem(sts._sessions, "ASIAEXAMPLE", session)
    told = user_identity("ASIAEXAMPLE")["sessionContext"]["attributes"]
    assert told == {"creationDate": "2023-11-14T22:13:20Z", "mfaAuthenticated": "false"}


def test_a_session_names_its_role(engine: Engine, key: str) -> None:
    before = int(time.time())
    role = engine.role(allow("kms:DescribeKey"))
    session = named(engine, key, role)["sessionContext"]
    created = datetime.datetime.fromisoformat(session["attributes"]["creationDate"]).timestamp()
    assert before <= created <= time.time()
    assert session["sessionIssuer"] == {
        "type": "Role",
        "principalId": engine.client("iam").get_role(RoleName=role.name)["Role"]["RoleId"],
        "arn": role.arn,
        "accountId": engine.account,
        "userName": role.name,
    }


def test_a_users_own_key_has_no_session_and_temporary_credentials_have(engine: Engine, key: str) -> None:
    user = engine.user(allow("kms:DescribeKey", "sts:GetSessionToken"))
    own = named(engine, key, user)
    assert "sessionContext" not in own
    given = credentials(engine.client("sts", user).get_session_token())
    temporary = named(engine, key, given)
    assert temporary.pop("sessionContext").keys() == {"attributes"}
    assert temporary == {**own, "accessKeyId": given.access_key_id}


def test_a_federated_user_is_issued_by_a_user(engine: Engine, key: str) -> None:
    may = allow("kms:DescribeKey", "sts:GetFederationToken")
    user = engine.user(may)
    policy = json.dumps({"Version": "2012-10-17", "Statement": may})
    given = credentials(engine.client("sts", user).get_federation_token(Name="bob", Policy=policy))
    identity = named(engine, key, given)
    issuer = identity.pop("sessionContext")["sessionIssuer"]
    assert identity == {
        "type": "FederatedUser",
        "principalId": f"{engine.account}:bob",
        "arn": f"arn:aws:sts::{engine.account}:federated-user/bob",
        "accountId": engine.account,
        "accessKeyId": given.access_key_id,
    }
    assert (issuer["type"], issuer["arn"], issuer["userName"]) == ("IAMUser", user.arn, user.name)
    assert issuer["principalId"] == engine.client("iam").get_user(UserName=user.name)["User"]["UserId"]


def test_the_root_users_session_is_the_root_users(engine: Engine, key: str) -> None:
    own = named(engine, key, engine.root)
    assert own["type"] == "Root"
    assert "sessionContext" not in own
    given = credentials(engine.client("sts", engine.root).get_session_token())
    temporary = named(engine, key, given)
    assert temporary.pop("sessionContext").keys() == {"attributes"}
    assert temporary == {**own, "accessKeyId": given.access_key_id}
