from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kmslab.faults import REGISTRY, Fault
from kmslab.faults.templates import Templates
from kmslab.model.outputs import LabOutputs, LabStack, Output
from kmslab.model.persona import ROLES, Persona
from tests.checks.fakes import PREFIX

if TYPE_CHECKING:
    from pathlib import Path


def test_every_stack_of_the_lab_is_read(templates: Templates) -> None:
    assert set(templates.by_stack) == set(LabStack) - {LabStack.NETWORK}


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (LabOutputs.data_bucket, "AWS::S3::Bucket"),
        (LabOutputs.key_app, "AWS::KMS::Key"),
        (LabOutputs.app_secret, "AWS::SecretsManager::Secret"),
        (LabOutputs.trail, "AWS::CloudTrail::Trail"),
        (LabOutputs.data_volume, "AWS::EC2::Volume"),
        (LabOutputs.admin_boundary, "AWS::IAM::ManagedPolicy"),
    ],
    ids=lambda given: given.name if isinstance(given, Output) else given,
)
def test_an_output_leads_to_its_resource(templates: Templates, what: Output, kind: str) -> None:
    found = templates.resource(what)
    assert (found.type, found.stack) == (kind, what.stack)
    assert found.body is templates.by_stack[what.stack]["Resources"][found.logical_id]


def test_what_changes_a_resource_changes_its_template_only(templates: Templates) -> None:
    copied = templates.copy()
    copied.resource(LabOutputs.key_app).properties["EnableKeyRotation"] = "changed"
    key = copied.by_stack[LabStack.KEYS]["Resources"]["App"]
    assert key["Properties"]["EnableKeyRotation"] == "changed"
    assert templates.resource(LabOutputs.key_app).properties["EnableKeyRotation"] is True


def test_a_logical_id_must_be_of_one_stack(templates: Templates) -> None:
    assert templates.resource("S3Alias").type == "AWS::KMS::Alias"
    assert templates.resource("AuditorPolicy", LabStack.AUDIT).stack is LabStack.AUDIT
    with pytest.raises(KeyError, match="resources are AuditorPolicy"):
        templates.resource("AuditorPolicy")
    with pytest.raises(KeyError, match="0 resources are Nothing"):
        templates.resource("Nothing")


def test_what_is_about_a_resource_is_found_by_its_reference(templates: Templates) -> None:
    policy = templates.about(LabOutputs.dsse_bucket, "AWS::S3::BucketPolicy", "Bucket")
    assert policy.properties["Bucket"] == {"Ref": templates.resource(LabOutputs.dsse_bucket).logical_id}
    assert templates.about(LabOutputs.key_app, "AWS::KMS::Alias", "TargetKeyId").logical_id == "AppAlias"
    with pytest.raises(KeyError, match="0 resources are AWS::S3::Bucket of key_app"):
        templates.about(LabOutputs.key_app, "AWS::S3::Bucket", "BucketName")


@pytest.mark.parametrize("persona", ROLES)
def test_a_persona_has_its_role(templates: Templates, persona: Persona) -> None:
    role = templates.role(persona)
    assert role.type == "AWS::IAM::Role"
    assert role.properties["RoleName"] == f"{PREFIX}-{persona}"
    (arn,) = templates.role_arn(persona).values()
    assert arn.endswith(f":role/{PREFIX}-{persona}")


def test_a_value_is_a_resource_at_home_and_an_import_abroad(templates: Templates) -> None:
    assert templates.value(LabOutputs.key_s3, LabStack.KEYS) == {"Fn::GetAtt": ["S3", "Arn"]}
    abroad = templates.value(LabOutputs.key_s3, LabStack.STORAGE)
    bucket = templates.resource(LabOutputs.data_bucket).properties["BucketEncryption"]
    (rule,) = bucket["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == abroad
    with pytest.raises(KeyError, match="data_volume is not exported to other stacks"):
        templates.value(LabOutputs.data_volume, LabStack.AUDIT)


def test_what_is_written_can_be_read_again(templates: Templates, tmp_path: Path) -> None:
    templates.resource(LabOutputs.key_app).properties["EnableKeyRotation"] = False
    templates.write(tmp_path)
    assert Templates.read(tmp_path, PREFIX).by_stack == templates.by_stack


@pytest.mark.parametrize("fault", REGISTRY.values(), ids=list(REGISTRY))
def test_a_fault_changes_the_templates_or_says_that_it_cannot(
    synthesized: Templates, with_every_option: Templates, fault: Fault
) -> None:
    before = with_every_option if fault.part else synthesized
    templates = before.copy()
    assert fault.change.in_template(templates) is (templates.by_stack != before.by_stack)


def test_some_faults_change_no_template_but_most_do(with_every_option: Templates) -> None:
    changed = [fault.change.in_template(with_every_option.copy()) for fault in REGISTRY.values()]
    assert sum(changed) > len(changed) / 2
