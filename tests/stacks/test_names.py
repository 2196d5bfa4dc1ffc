"""Names made of the prefix fit what each service takes, for the shortest prefix and for the longest.

The limits of a type are those of CloudFormation's own schema, as cfn-lint brings it; the rest are the service's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from kmslab.model.errors import LabError
from kmslab.model.naming import role_name, stack_name
from kmslab.model.outputs import LabStack
from kmslab.model.persona import ROLES
from kmslab.model.settings import LabSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

SNAPSHOTS = Path(__file__).parent / "__snapshots__" / "test_snapshots"
SHORTEST, LONGEST = "abc", "a" * 20
NOT_IN_THE_SCHEMA = {("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): ("iam", "policyNameType")}
"""Names whose limits the schema leaves out, and botocore's shape that has them."""
STACK_NAME_LENGTH = 128
"""CloudFormation User Guide, "Understand CloudFormation quotas"; read 2026-11-22."""


def limits(kind: str, name: str) -> dict[str, Any]:
    if shape := NOT_IN_THE_SCHEMA.get((kind, name)):
        found = botocore.session.get_session().get_service_model(shape[0]).shape_for(shape[1]).metadata
        return {"minLength": found["min"], "maxLength": found["max"]}
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    told: dict[str, Any] = schema["properties"].get(name, {})
    return told


def names(prefix: str) -> Iterator[tuple[str, str, str]]:
    """Type, property and value of every name of a resource that the prefix is in."""
    for file in sorted(SNAPSHOTS.glob("*.json")):
        template = json.loads(file.read_text().replace("kms-lab", prefix))
        for resource in template["Resources"].values():
            for name, value in resource.get("Properties", {}).items():
                if name.endswith("Name") and isinstance(value, str) and prefix in value:
                    yield resource["Type"], name, value


@pytest.mark.parametrize("prefix", [SHORTEST, LONGEST])
def test_every_name_fits_its_service(prefix: str) -> None:
    assert LabSettings(prefix=prefix).prefix == prefix
    found = {*names(prefix)}
    assert {kind for kind, _, _ in found} >= {
        "AWS::CloudTrail::Trail",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::SNS::Topic",
    }
    for kind, name, value in found:
        limit = limits(kind, name)
        where = f"{name} of {kind}: {value}"
        assert limit.get("minLength", 0) <= len(value) <= limit["maxLength"], where
        assert re.search(limit.get("pattern", ""), value), where


def test_names_that_other_stacks_rely_on_fit() -> None:
    assert max(len(role_name(LONGEST, persona)) for persona in ROLES) <= 64
    assert max(len(stack_name(LONGEST, stack)) for stack in LabStack) <= STACK_NAME_LENGTH


@pytest.mark.parametrize("prefix", [SHORTEST[:-1], f"{LONGEST}a"])
def test_a_prefix_whose_names_would_not_fit_is_refused(prefix: str) -> None:
    with pytest.raises(LabError) as caught:
        LabSettings.from_context({"kmslab.prefix": prefix})
    assert f'kmslab.prefix is "{prefix}", but must be 3 to 20 ' in caught.value.message
