"""Stacks of StackSets, asked for and told of by the lab's names."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from kmslab.classroom.renaming import lab_name, use_lab_names

MADE = "StackSet-kms-lab-keys-0a1b2c3d-0000-1111-2222-333344445555"
ID = f"arn:aws:cloudformation:eu-central-1:111111111111:stack/{MADE}/x"


def _stack(name: str, stack_id: str) -> dict[str, Any]:
    return {
        "StackName": name,
        "StackId": stack_id,
        "StackStatus": "CREATE_COMPLETE",
        "CreationTime": "2026-11-22T00:00:00Z",
    }


def test_only_the_labs_stacks_are_renamed() -> None:
    assert lab_name(MADE, "kms-lab") == "kms-lab-keys"
    assert lab_name(MADE, "other") == MADE
    other = MADE.replace("keys", "database")
    assert lab_name(other, "kms-lab") == other
    assert lab_name("kms-lab-keys", "kms-lab") == "kms-lab-keys"


def test_a_client_takes_and_gives_the_labs_names() -> None:
    client = boto3.client(
        "cloudformation", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    use_lab_names(client, "kms-lab")
    with Stubber(client) as stubber:
        listed = {"Stacks": [_stack("unrelated", "arn:unrelated"), _stack(MADE, ID)]}
        stubber.add_response("describe_stacks", listed, {})
        found = client.describe_stacks()["Stacks"]
        assert [stack["StackName"] for stack in found] == ["unrelated", "kms-lab-keys"]
        assert found[1]["StackId"] == ID

        stubber.add_response("describe_stacks", {"Stacks": [_stack(MADE, ID)]}, {})
        stubber.add_response("get_template", {"TemplateBody": "{}"}, {"StackName": ID})
        client.get_template(StackName="kms-lab-keys")

        stubber.add_response("get_template", {"TemplateBody": "{}"}, {"StackName": "unrelated"})
        client.get_template(StackName="unrelated")

        stubber.add_response("describe_stacks", {"Stacks": []}, {})
        stubber.add_client_error("get_template", "ValidationError", "does not exist")
        with pytest.raises(client.exceptions.ClientError, match="does not exist"):
            client.get_template(StackName="kms-lab-audit")
        stubber.assert_no_pending_responses()
