"""What a target enforces, found out by looking: for ``--endpoint-url``, and to hold our engine to its word.

Each probe observes a capability twice on things of its own: something works, and the same thing is
refused where AWS refuses it. A target that says yes to everything has no capability, and neither
has one that lacks the operation. The probes do not judge the lab: they need its outsider, to have
somebody without permissions, and otherwise make what they look at.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kmslab import probe_objects
from kmslab.checks import direct, imported, keys, multi_region, rotation
from kmslab.checks.registry import Check, run
from kmslab.checks.runner import new_run_id
from kmslab.checks.samples import temporary_tags
from kmslab.checks.sweep import retire
from kmslab.checks.temporary import scratch_key, temporary_key
from kmslab.lab import Inconclusive, Lab
from kmslab.model.capability import ALL, Capability
from kmslab.model.persona import Persona
from kmslab.model.verdict import Outcome
from kmslab.probe_things import empty_bucket, key_that_denies, policy_of, queue_of_events, small_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kmslab.lab import Access
    from kmslab.model.outputs import LabOutputs
    from kmslab.model.verdict import Verdict

OPERATOR, OUTSIDER = Persona.OPERATOR, Persona.OUTSIDER
SAMPLE = b"kmslab probe"
WORKERS = 8
EVENT_SECONDS = 10.0
"""How long an emulator may take to record or deliver an event; AWS, which takes minutes, is not probed."""


def probe(access: Access, outputs: LabOutputs) -> dict[Capability, Verdict]:
    """Look for every capability; PASS means that the target has it, the evidence says why or why not."""
    run_id = new_run_id()

    def look(capability: Capability) -> Verdict:
        check = Check(f"probe.{capability}", capability, "", "", PROBES[capability])
        return run(check, Lab(access, outputs, ALL, run_id))

    try:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="probe") as pool:
            return dict(zip(PROBES, pool.map(look, PROBES), strict=True))
    finally:
        retire(access, run_id)


def enforced(verdicts: Mapping[Capability, Verdict]) -> frozenset[Capability]:
    """The capabilities that a target was seen to have."""
    return frozenset(c for c, verdict in verdicts.items() if verdict.outcome is Outcome.PASS)


def _iam(lab: Lab) -> str:
    lab.allowed(OPERATOR, "kms:ListKeys")
    lab.refused(OUTSIDER, "kms:ListKeys")
    return "the outsider is refused what the operator may do"


def _key_policies(lab: Lab) -> str:
    lab.allowed(OPERATOR, "kms:Encrypt", KeyId=scratch_key(lab), Plaintext=SAMPLE)
    closed = key_that_denies(lab, "kms:Encrypt")
    lab.refused(OPERATOR, "kms:Encrypt", KeyId=closed, Plaintext=SAMPLE)
    return "a key policy refuses the operator, who has every right in IAM"


def _condition_keys(lab: Lab) -> str:
    unless = {"StringNotEquals": {"kms:EncryptionContext:probe": "yes"}}
    key = key_that_denies(lab, "kms:Encrypt", unless)
    request: dict[str, Any] = {"KeyId": key, "Plaintext": SAMPLE}
    lab.allowed(OPERATOR, "kms:Encrypt", EncryptionContext={"probe": "yes"}, **request)
    lab.refused(OPERATOR, "kms:Encrypt", EncryptionContext={"probe": "no"}, **request)
    return "a condition of the key policy decides by the encryption context"


def _grants(lab: Lab) -> str:
    key, context = scratch_key(lab), {"probe": secrets.token_hex(8)}
    blob = lab.allowed(OPERATOR, "kms:Encrypt", KeyId=key, Plaintext=SAMPLE, EncryptionContext=context)[
        "CiphertextBlob"
    ]
    request: dict[str, Any] = {"CiphertextBlob": blob, "EncryptionContext": context}
    lab.allowed(OPERATOR, "kms:Decrypt", **request)
    lab.refused(OUTSIDER, "kms:Decrypt", **request)
    grant = lab.allowed(
        OPERATOR,
        "kms:CreateGrant",
        KeyId=key,
        GranteePrincipal=lab.outputs.role_outsider,
        Operations=["Decrypt"],
        Constraints={"EncryptionContextEquals": context},
    )
    lab.undo(lambda: lab.client(OPERATOR, "kms").revoke_grant(KeyId=key, GrantId=grant["GrantId"]))
    token = [grant["GrantToken"]]
    lab.allowed(OUTSIDER, "kms:Decrypt", GrantTokens=token, **request)
    lab.refused(OUTSIDER, "kms:Encrypt", KeyId=key, Plaintext=SAMPLE, GrantTokens=token)
    return "a grant lets the outsider decrypt, and nothing else"


def _asymmetric(lab: Lab) -> str:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key = temporary_key(lab, "probe", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    public = load_der_public_key(lab.allowed(OPERATOR, "kms:GetPublicKey", KeyId=key)["PublicKey"])
    signature = lab.allowed(OPERATOR, "kms:Sign", Message=SAMPLE, **_signing(key, "ECDSA_SHA_256"))[
        "Signature"
    ]
    lab.expect(isinstance(public, EllipticCurvePublicKey), "the public key is not an elliptic curve's")
    try:
        public.verify(signature, SAMPLE, ECDSA(SHA256()))  # type: ignore[union-attr, call-arg, arg-type]  # as expected above
    except InvalidSignature:
        raise Inconclusive("the signature does not verify outside KMS") from None
    _refuses_another_message(lab, key, "ECDSA_SHA_256", signature)
    return "a signature verifies outside KMS, and not for another message"


def _post_quantum(lab: Lab) -> str:
    key = temporary_key(lab, "probe", KeySpec="ML_DSA_44", KeyUsage="SIGN_VERIFY")
    signature = lab.allowed(OPERATOR, "kms:Sign", Message=SAMPLE, **_signing(key, "ML_DSA_SHAKE_256"))[
        "Signature"
    ]
    lab.expect(len(signature) == 2420, f"{len(signature)} bytes are no ML-DSA-44 signature (FIPS 204: 2,420)")  # noqa: PLR2004  # said in the line
    _refuses_another_message(lab, key, "ML_DSA_SHAKE_256", signature)
    return "an ML-DSA signature verifies, and not for another message"


def _refuses_another_message(lab: Lab, key: str, algorithm: str, signature: bytes) -> None:
    signed = {**_signing(key, algorithm), "Signature": signature}
    lab.allowed(OPERATOR, "kms:Verify", Message=SAMPLE, **signed)
    lab.refused(OPERATOR, "kms:Verify", codes={"KMSInvalidSignatureException"}, Message=b"other", **signed)


def _signing(key: str, algorithm: str) -> dict[str, Any]:
    return {"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": "RAW"}


def _on_behalf_of_caller(lab: Lab) -> str:
    bucket = empty_bucket(lab)
    for name, key in (("open", scratch_key(lab)), ("closed", key_that_denies(lab, "kms:Decrypt"))):
        lab.allowed(
            OPERATOR,
            "s3:PutObject",
            Bucket=bucket,
            Key=name,
            Body=SAMPLE,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=key,
        )
    lab.allowed(OPERATOR, "s3:GetObject", Bucket=bucket, Key="open")
    lab.refused(OPERATOR, "s3:GetObject", Bucket=bucket, Key="closed")
    return "S3 refuses an object whose key its reader may not use"


def _sse_c_blocking(lab: Lab) -> str:
    bucket = empty_bucket(lab)
    request: dict[str, Any] = {
        "Bucket": bucket,
        "Key": "probe",
        "Body": SAMPLE,
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": secrets.token_bytes(32),
    }
    _block(lab, bucket, "NONE")
    lab.allowed(OPERATOR, "s3:PutObject", **request)
    _block(lab, bucket, "SSE-C")
    lab.refused(OPERATOR, "s3:PutObject", **request)
    return "SSE-C is taken until the bucket blocks it"


def _block(lab: Lab, bucket: str, kind: str) -> None:
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": [kind]},
    }
    lab.allowed(
        OPERATOR,
        "s3:PutBucketEncryption",
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [rule]},
    )


def _plain_http(lab: Lab) -> str:
    plain = lab.allowed(OPERATOR, "sts:GetCallerIdentity", plain_http=True)["Account"]
    lab.expect(plain == lab.account, "over plain HTTP another account answers")
    return "the target answers without TLS as well"


def _tls(lab: Lab) -> str:
    bucket = empty_bucket(lab)
    without_tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:{lab.access.partition}:s3:::{bucket}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    lab.allowed(OPERATOR, "s3:PutObject", Bucket=bucket, Key="probe", Body=SAMPLE)
    lab.allowed(OPERATOR, "s3:GetObject", plain_http=True, Bucket=bucket, Key="probe")
    lab.allowed(OPERATOR, "s3:PutBucketPolicy", Bucket=bucket, Policy=policy_of(without_tls))
    lab.allowed(OPERATOR, "s3:GetObject", Bucket=bucket, Key="probe")
    lab.refused(OPERATOR, "s3:GetObject", plain_http=True, Bucket=bucket, Key="probe")
    return "aws:SecureTransport is true over TLS and false without"


def _ebs_encryption(lab: Lab) -> str:
    key = scratch_key(lab)
    zone = lab.allowed(OPERATOR, "ec2:DescribeAvailabilityZones")["AvailabilityZones"][0]["ZoneName"]
    plain, sealed = small_volume(lab, zone), small_volume(lab, zone, Encrypted=True, KmsKeyId=key)
    lab.expect(sealed.get("KmsKeyId") == key, f"the encrypted volume is under {sealed.get('KmsKeyId')}")
    lab.expect(not plain.get("KmsKeyId"), "a volume that is not to be encrypted has a key")
    return "an encrypted volume keeps its key, another one has none"


def _ebs_direct(lab: Lab) -> str:
    from base64 import b64encode
    from hashlib import sha256

    block = secrets.token_bytes(512 * 1024)
    key = scratch_key(lab)
    snapshot = lab.allowed(
        OPERATOR, "ebs:StartSnapshot", VolumeSize=1, Encrypted=True, KmsKeyArn=key, Tags=temporary_tags(lab)
    )["SnapshotId"]
    lab.undo(lambda: lab.client(OPERATOR, "ec2").delete_snapshot(SnapshotId=snapshot))
    lab.allowed(
        OPERATOR,
        "ebs:PutSnapshotBlock",
        SnapshotId=snapshot,
        BlockIndex=0,
        BlockData=block,
        DataLength=len(block),
        Checksum=b64encode(sha256(block).digest()).decode(),
        ChecksumAlgorithm="SHA256",
    )
    lab.allowed(OPERATOR, "ebs:CompleteSnapshot", SnapshotId=snapshot, ChangedBlocksCount=1)
    listed = lab.allowed(OPERATOR, "ebs:ListSnapshotBlocks", SnapshotId=snapshot)["Blocks"]
    where = {"SnapshotId": snapshot, "BlockToken": listed[0]["BlockToken"]}
    read = lab.allowed(OPERATOR, "ebs:GetSnapshotBlock", BlockIndex=0, **where)["BlockData"].read()
    lab.expect(read == block, "another block came back")
    lab.refused(
        OPERATOR,
        "ebs:GetSnapshotBlock",
        codes={"ValidationException", "ResourceNotFoundException"},
        BlockIndex=1,
        **where,
    )
    return "a block comes back as written, one that was not written does not"


def _trail(lab: Lab) -> str:
    key = temporary_key(lab, "probe of the trail")
    lab.allowed(OPERATOR, "kms:Encrypt", KeyId=key, Plaintext=SAMPLE)
    history = lab.client(OPERATOR, "cloudtrail").get_paginator("lookup_events")

    def names() -> set[str]:
        pages = history.paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}],
            StartTime=datetime.now(UTC) - timedelta(minutes=5),
        )
        return {event["EventName"] for page in pages for event in page["Events"]}

    lab.wait_until(lambda: "Encrypt" in names(), "the record of a call", seconds=EVENT_SECONDS)
    lab.expect("Decrypt" not in names(), "the trail has a call that nobody made")
    return "the trail has the call that was made, and no other"


def _simulation(lab: Lab) -> str:
    policy = policy_of(
        {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
    )
    for present, wanted in (("true", "allowed"), ("false", "explicitDeny")):
        entry = {
            "ContextKeyName": "aws:MultiFactorAuthPresent",
            "ContextKeyValues": [present],
            "ContextKeyType": "boolean",
        }
        answer = lab.allowed(
            OPERATOR,
            "iam:SimulateCustomPolicy",
            PolicyInputList=[policy],
            ActionNames=["kms:ListKeys"],
            ContextEntries=[entry],
        )
        decision = answer["EvaluationResults"][0]["EvalDecision"]
        lab.expect(decision == wanted, f"with {entry['ContextKeyName']}={present} it says {decision}")
    return "the simulator allows and denies by the context it is given"


def _alarms(lab: Lab) -> str:
    sqs, queue = lab.client(OPERATOR, "sqs"), queue_of_events(lab, "DisableKey")
    key = temporary_key(lab, "probe of the alarm")
    lab.allowed(OPERATOR, "kms:DisableKey", KeyId=key)
    lab.allowed(OPERATOR, "kms:EnableKey", KeyId=key)
    texts: list[str] = []

    def arrived() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        texts.extend(message["Body"] for message in answer.get("Messages", []))
        return any("DisableKey" in text and key.rpartition("/")[2] in text for text in texts)

    lab.wait_until(arrived, "the event's delivery", seconds=EVENT_SECONDS)
    lab.expect(not any("EnableKey" in text for text in texts), "an event that the rule does not name arrived")
    return "an event that the rule names arrives, another one does not"


PROBES: dict[Capability, Callable[[Lab], str]] = {
    Capability.IAM: _iam,
    Capability.KEY_POLICIES: _key_policies,
    Capability.GRANTS: _grants,
    Capability.CONDITION_KEYS: _condition_keys,
    # These checks look at temporary keys only: they are the probe as well.
    Capability.AUTHENTICATED_ENCRYPTION: direct.another_context_does_not_decrypt,
    Capability.KEY_STATES: keys.a_disabled_key_stops,
    Capability.ROTATION: rotation.on_demand_rotation_keeps_old_ciphertexts,
    Capability.IMPORTED_MATERIAL: imported.imported_material_can_be_taken_back,
    Capability.MULTI_REGION: multi_region.one_key_in_two_regions,
    Capability.ASYMMETRIC: _asymmetric,
    Capability.POST_QUANTUM: _post_quantum,
    Capability.KMS_ON_BEHALF_OF_CALLER: _on_behalf_of_caller,
    Capability.SSE_C_BLOCKING: _sse_c_blocking,
    Capability.ENCRYPTION_UPDATES: probe_objects.encryption_updates,
    Capability.OPAQUE_ETAGS: probe_objects.opaque_etags,
    Capability.TLS: _tls,
    Capability.PLAIN_HTTP: _plain_http,
    Capability.EBS_ENCRYPTION: _ebs_encryption,
    Capability.EBS_DIRECT_APIS: _ebs_direct,
    Capability.KMS_TRAIL: _trail,
    Capability.KEYS_OF_VERSIONS: probe_objects.keys_of_versions,
    Capability.LOG_FILES: probe_objects.log_files,
    Capability.POLICY_SIMULATION: _simulation,
    Capability.ALARMS: _alarms,
}
