from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kmslab.access import asking, questions, simulator
from kmslab.access.reader import UnreadableError
from kmslab.access.things import Kind
from kmslab.authorization.model import Request
from kmslab.model.errors import LabError
from tests.checks.fakes import ACCOUNT, OUTPUTS, REGION, key_arn, role_arn

if TYPE_CHECKING:
    from kmslab.access.reader import Reader
    from kmslab.access.reading import Reading
    from kmslab.access.things import Finder
    from tests.checks.account_world import AccountWorld

BUCKET = OUTPUTS.data_bucket


def steps(question: questions.Question) -> list[tuple[str, str]]:
    return [(step.request.action, step.request.resource) for step in question.steps]


def stored(world: AccountWorld, **headers: Any) -> None:
    world.answers("s3:HeadObject", headers)


# --- things


@pytest.mark.parametrize(
    "text",
    [
        "app",
        "alias/kms-lab/app",
        key_arn("app"),
        key_arn("app").rpartition("/")[2],
        f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/kms-lab/app",
    ],
)
def test_a_key_by_any_of_its_names(finder: Finder, text: str) -> None:
    thing = finder.find(text)
    assert (thing.kind, thing.name, thing.arn) == (Kind.KEY, "alias/kms-lab/app", key_arn("app"))


def test_an_object_with_a_bucket_key(world: AccountWorld, finder: Finder) -> None:
    stored(world, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn("s3"), BucketKeyEnabled=True)
    thing = finder.find(f"s3://{BUCKET}/folder/name")
    assert thing.key is not None
    assert thing.key.name == "s3"
    assert thing.arn == f"arn:aws:s3:::{BUCKET}/folder/name"
    assert thing.context == {"aws:s3:arn": f"arn:aws:s3:::{BUCKET}"}
    assert thing.via == "s3"


def test_an_object_without_a_bucket_key(world: AccountWorld, finder: Finder) -> None:
    stored(world, ServerSideEncryption="aws:kms:dsse", SSEKMSKeyId=key_arn("s3"))
    assert finder.find(f"arn:aws:s3:::{BUCKET}/name").context == {"aws:s3:arn": f"arn:aws:s3:::{BUCKET}/name"}


def test_an_object_that_is_not_there_is_as_the_bucket_would_encrypt_it(
    world: AccountWorld, finder: Finder
) -> None:
    world.refuses("s3:HeadObject", code="404")
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn("s3")}
    }
    world.answers(
        "s3:GetBucketEncryption",
        {"ServerSideEncryptionConfiguration": {"Rules": [{**rule, "BucketKeyEnabled": True}]}},
    )
    for text in (f"s3://{BUCKET}/none", f"s3://{BUCKET}", BUCKET):
        thing = finder.find(text)
        assert thing.key is not None
        assert thing.context == {"aws:s3:arn": f"arn:aws:s3:::{BUCKET}"}


def test_an_object_under_sse_s3_takes_no_key(world: AccountWorld, found: Reading, finder: Finder) -> None:
    stored(world, ServerSideEncryption="AES256")
    thing = finder.find(f"s3://{BUCKET}/name")
    assert thing.key is None
    assert any("SSE-S3" in note for note in thing.notes)
    assert steps(asking.question(found, "read", thing)) == [("s3:GetObject", thing.arn)]
    with pytest.raises(LabError, match="takes a KMS key, and none protects"):
        asking.question(found, "kms:Decrypt", thing)


def test_a_volume(world: AccountWorld, finder: Finder) -> None:
    world.answers(
        "ec2:DescribeVolumes", {"Volumes": [{"VolumeId": OUTPUTS.data_volume, "KmsKeyId": key_arn("ebs")}]}
    )
    thing = finder.find(OUTPUTS.data_volume)
    assert thing.key is not None
    assert (thing.key.name, thing.via, thing.context) == ("ebs", "ec2", {"aws:ebs:id": OUTPUTS.data_volume})
    assert thing.arn == f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{OUTPUTS.data_volume}"


def test_a_volume_has_its_tags_and_so_does_what_is_made_like_it(
    world: AccountWorld, found: Reading, finder: Finder
) -> None:
    described = {
        "VolumeId": "vol-1",
        "KmsKeyId": key_arn("ebs"),
        "Tags": [{"Key": "kmslab:prefix", "Value": "kms-lab"}],
    }
    world.answers("ec2:DescribeVolumes", {"Volumes": [described]})
    attach, write = (
        asking.question(found, word, finder.find("vol-1")).steps[0] for word in ("attach", "write")
    )
    for step in (attach, write):
        for whose in ("resource", "request"):
            assert step.request.condition_keys[f"aws:{whose}tag/kmslab:prefix"] == "kms-lab"


def test_a_volume_that_is_not_there(world: AccountWorld, finder: Finder) -> None:
    world.refuses("ec2:DescribeVolumes", code="InvalidVolume.NotFound")
    with pytest.raises(UnreadableError, match="no volume vol-1"):
        finder.find("vol-1")


def test_a_secret(world: AccountWorld, finder: Finder) -> None:
    world.answers(
        "secretsmanager:DescribeSecret",
        {"ARN": OUTPUTS.app_secret, "Name": "kms-lab/app", "KmsKeyId": key_arn("secrets")},
    )
    for text in ("kms-lab/app", OUTPUTS.app_secret):
        thing = finder.find(text)
        assert thing.key is not None
        assert (thing.kind, thing.key.name, thing.context) == (
            Kind.SECRET,
            "secrets",
            {"SecretARN": OUTPUTS.app_secret},
        )


def test_a_secret_that_is_not_there(world: AccountWorld, finder: Finder) -> None:
    world.refuses("secretsmanager:DescribeSecret", code="ResourceNotFoundException")
    with pytest.raises(LabError, match="no secret x/y") as told:
        finder.find("x/y")
    assert told.value.hint == "The lab's is kms-lab/app."


def test_a_name_that_names_nothing_is_told_with_similar_ones(finder: Finder) -> None:
    with pytest.raises(LabError, match="sining is no key") as told:
        finder.find("sining")
    assert told.value.hint == "Did you mean signing?"


# --- words


@pytest.mark.parametrize(
    ("word", "operation"),
    [
        ("decrypt", "Decrypt"),
        ("kms:Decrypt", "Decrypt"),
        ("Decrypt", "Decrypt"),
        ("generate-data-key", "GenerateDataKey"),
        ("put-key-policy", "PutKeyPolicy"),
        ("GenerateDataKeyWithoutPlaintext", "GenerateDataKeyWithoutPlaintext"),
        ("create-grant", "CreateGrant"),
        ("re-encrypt-from", "ReEncryptFrom"),
    ],
)
def test_words_for_permissions(word: str, operation: str) -> None:
    assert asking.permission(word) == operation


def test_a_misspelt_word_is_told_with_similar_ones() -> None:
    with pytest.raises(LabError, match="decrpt is nothing") as told:
        asking.permission("decrpt")
    assert "decrypt" in told.value.hint


def test_an_operation_that_means_nothing_for_the_key(found: Reading, finder: Finder) -> None:
    with pytest.raises(LabError, match="Sign means nothing for the key app"):
        asking.question(found, "sign", finder.find("app"))


def test_who_may_replicate_is_asked_of_a_single_region_key_too(found: Reading, finder: Finder) -> None:
    """It is an escalation that key policies are looked through for, whatever the key at hand is."""
    question = asking.question(found, "replicate-key", finder.find("app"))
    assert question.notes == ("app is a single-Region key: KMS refuses ReplicateKey, whoever is allowed to.",)
    assert question.steps[0].request.action == "kms:ReplicateKey"


def test_a_service_that_is_not_known(found: Reading, finder: Finder) -> None:
    with pytest.raises(LabError, match="--via sqs"):
        asking.question(found, "decrypt", finder.find("app"), via="sqs")


def test_the_assumed_context_is_said_and_can_be_another(found: Reading, finder: Finder) -> None:
    thing = finder.find("app")
    question = asking.question(found, "decrypt", thing)
    assert question.notes == (
        "The request brings the encryption context kmslab=training; --encryption-context changes it.",
    )
    assert question.steps[0].request.condition_keys["kms:EncryptionContext:kmslab"] == "training"
    other = asking.question(found, "decrypt", thing, context={"a": "b"})
    assert other.steps[0].request.condition_keys["kms:EncryptionContext:a"] == "b"
    assert "a=b" in other.notes[0]
    assert asking.question(found, "put-key-policy", thing).notes == ()


@pytest.mark.parametrize(
    ("word", "actions"),
    [
        ("read", ["s3:GetObject", "kms:Decrypt"]),
        ("decrypt", ["s3:GetObject", "kms:Decrypt"]),
        ("s3:getobject", ["s3:GetObject", "kms:Decrypt"]),
        ("write", ["s3:PutObject", "kms:GenerateDataKey"]),
        ("encrypt", ["s3:PutObject", "kms:GenerateDataKey"]),
        ("kms:Decrypt", ["kms:Decrypt"]),
        ("s3:DeleteObject", ["s3:DeleteObject"]),
    ],
)
def test_what_an_object_takes(
    world: AccountWorld, found: Reading, finder: Finder, word: str, actions: list[str]
) -> None:
    stored(world, ServerSideEncryption="aws:kms", SSEKMSKeyId=key_arn("s3"), BucketKeyEnabled=True)
    question = asking.question(found, word, finder.find(f"s3://{BUCKET}/name"))
    assert [action for action, _ in steps(question)] == actions
    kms = [step for step in question.steps if step.request.action.startswith("kms:")]
    assert all(step.request.condition_keys["kms:ViaService"] == f"s3.{REGION}.amazonaws.com" for step in kms)
    assert all(
        step.request.condition_keys["kms:EncryptionContext:aws:s3:arn"] == f"arn:aws:s3:::{BUCKET}"
        for step in kms
    )


def test_what_a_volume_takes(world: AccountWorld, found: Reading, finder: Finder) -> None:
    world.answers("ec2:DescribeVolumes", {"Volumes": [{"VolumeId": "vol-1", "KmsKeyId": key_arn("ebs")}]})
    thing = finder.find("vol-1")
    attach = asking.question(found, "attach", thing)
    assert [action for action, _ in steps(attach)] == ["ec2:AttachVolume", "kms:CreateGrant"]
    assert attach.steps[1].request.condition_keys["kms:GrantIsForAWSResource"] == "true"
    assert [action for action, _ in steps(asking.question(found, "decrypt", thing))] == [
        "kms:Decrypt",
        "kms:CreateGrant",
    ]
    with pytest.raises(LabError, match="atach is nothing that one does with a volume") as told:
        asking.question(found, "atach", thing)
    assert told.value.hint == "Did you mean attach?"


def test_becoming_a_role_asks_its_trust_policy(found: Reading, finder: Finder) -> None:
    question = asking.question(found, "sts:AssumeRole", finder.find(role_arn("data-owner")))
    assert question.steps[0].resource_policy is not None
    assert question.steps[0].required
    allowed = questions.who(found, found.identities, *question.steps)
    assert {one.name for one in allowed} >= {"operator"}
    assert "data-reader" not in {one.name for one in allowed}


# --- the simulator


def test_the_simulator_is_asked_with_the_requests_context(
    world: AccountWorld, found: Reading, reader: Reader
) -> None:
    owner = next(one for one in found.identities if one.name == "data-owner")
    asked = questions.on_key(found, "Decrypt", found.key("app")).request
    (said,) = simulator.compare(reader, owner, [asked])
    assert (said.computed, said.simulated, said.agrees) == (True, "allowed", True)
    (request,) = world.asked("iam:SimulatePrincipalPolicy")
    entries = {entry["ContextKeyName"]: entry for entry in request["ContextEntries"]}
    assert entries["kms:EncryptionContext:kmslab"]["ContextKeyValues"] == ["training"]
    assert entries["aws:SecureTransport"]["ContextKeyType"] == "boolean"
    assert entries["kms:ResourceAliases"] == {
        "ContextKeyName": "kms:ResourceAliases",
        "ContextKeyValues": ["alias/kms-lab/app"],
        "ContextKeyType": "stringList",
    }


def test_a_difference_is_said(world: AccountWorld, found: Reading, reader: Reader) -> None:
    world.answers("iam:SimulatePrincipalPolicy", {"EvaluationResults": [{"EvalDecision": "explicitDeny"}]})
    owner = next(one for one in found.identities if one.name == "data-owner")
    (said,) = simulator.compare(reader, owner, [Request("kms:Decrypt", key_arn("app"))])
    assert not said.agrees
    assert said.sentence.endswith("explicitDeny, but computed here: the opposite.")


def test_no_simulator_is_said_and_is_no_error(world: AccountWorld, found: Reading, reader: Reader) -> None:
    world.refuses("iam:SimulatePrincipalPolicy", code="AccessDenied")
    (said,) = simulator.compare(reader, found.identities[0], [Request("kms:Decrypt", key_arn("app"))])
    assert said.simulated == ""
    assert "gave no answer about kms:Decrypt: Could not read" in said.sentence


def test_the_root_user_is_not_simulated(world: AccountWorld, found: Reading, reader: Reader) -> None:
    assert simulator.compare(reader, found.root, [Request("kms:Decrypt", key_arn("app"))]) == []
    assert not world.asked("iam:SimulatePrincipalPolicy")
