"""Templates that stand alone: nothing in them needs the account's CDK bootstrap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kmslab.classroom import assembly
from kmslab.classroom.assembly import Template
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

BUCKET = {"Fn::Sub": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}"}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Code": {"S3Bucket": BUCKET, "S3Key": "abc.zip"},
        "Handler": "index.handler",
        "Runtime": "nodejs24.x",
    },
}
TEMPLATE: dict[str, Any] = {
    "Description": "of a test",
    "Resources": {"Empty": FUNCTION, "Topic": {"Type": "AWS::SNS::Topic"}},
    "Parameters": {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>"}},
    "Rules": {"CheckBootstrapVersion": {"Assertions": []}},
}


def _assembly(folder: Path, template: dict[str, Any]) -> Path:
    (folder / "asset.abc").mkdir()
    (folder / "asset.abc" / "index.js").write_text('exports.handler = () => "ü";', encoding="utf-8")
    (folder / "b.template.json").write_text(json.dumps(template), encoding="utf-8")
    (folder / "a.template.json").write_text('{"Resources": {}}', encoding="utf-8")
    file = {
        "source": {"path": "asset.abc", "packaging": "zip"},
        "destinations": {"here": {"bucketName": "any", "objectKey": "abc.zip"}},
    }
    (folder / "b.assets.json").write_text(json.dumps({"files": {"abc": file}}), encoding="utf-8")
    stack = "aws:cloudformation:stack"
    artifacts = {
        "b.assets": {"type": "cdk:asset-manifest", "properties": {"file": "b.assets.json"}},
        "b": {
            "type": stack,
            "dependencies": ["a", "b.assets"],
            "properties": {"templateFile": "b.template.json", "stackName": "lab-b", "tags": {"k": "v"}},
        },
        "a": {"type": stack, "properties": {"templateFile": "a.template.json", "stackName": "lab-a"}},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}), encoding="utf-8")
    return folder


def test_code_is_put_into_the_template_and_the_bootstrap_is_not_asked_for(tmp_path: Path) -> None:
    found = {one.name: one for one in assembly.read(_assembly(tmp_path, TEMPLATE))}
    body = json.loads(found["lab-b"].body)
    assert body["Resources"]["Empty"]["Properties"]["Code"] == {"ZipFile": 'exports.handler = () => "ü";'}
    assert body["Resources"]["Topic"] == {"Type": "AWS::SNS::Topic"}
    assert "Parameters" not in body
    assert "Rules" not in body
    assert "cdk-hnb659fds" not in found["lab-b"].body
    assert found["lab-b"].needs == {"lab-a"}
    assert found["lab-b"].tags == {"k": "v"}


def test_other_parameters_and_rules_stay() -> None:
    given = {**TEMPLATE, "Parameters": {**TEMPLATE["Parameters"], "Own": {"Type": "String"}}, "Resources": {}}
    body = json.loads(assembly.standing_alone(given, {}))
    assert body["Parameters"] == {"Own": {"Type": "String"}}
    assert "BootstrapVersion" in given["Parameters"], "what was given is left as it is"


def test_a_file_that_cannot_be_put_into_the_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="takes a file from the CDK bootstrap's bucket"):
        assembly.standing_alone(TEMPLATE, {})
    code = tmp_path / "code"
    code.mkdir()
    (code / "index.js").write_text("1")
    (code / "more.js").write_text("1")
    with pytest.raises(LabError, match="more than one file"):
        assembly.standing_alone(TEMPLATE, {"abc.zip": code})


def test_a_template_too_large_for_a_request_is_refused() -> None:
    with pytest.raises(LabError, match=r"51200"):
        assembly.standing_alone({"Resources": {}, "Metadata": "x" * 60_000}, {})


def test_waves_follow_the_needs() -> None:
    stacks = [
        Template("audit", "", frozenset({"identity"})),
        Template("identity", "", frozenset({"keys"})),
        Template("keys", ""),
        Template("storage", "", frozenset({"identity", "keys"})),
    ]
    assert [[one.name for one in wave] for wave in assembly.waves(stacks)] == [
        ["keys"],
        ["identity"],
        ["audit", "storage"],
    ]
    with pytest.raises(LabError, match="need each other"):
        assembly.waves([Template("a", "", frozenset({"b"})), Template("b", "", frozenset({"a"}))])


def test_another_role_executes() -> None:
    body = json.dumps({"Fn::Sub": f"arn:x:iam::y:role/{assembly.EXECUTION_ROLE}"})
    (found,) = assembly.executed_by([Template("keys", body)], "stacksets-exec-*")
    assert json.loads(found.body) == {"Fn::Sub": "arn:x:iam::y:role/stacksets-exec-*"}


def test_a_digest_tells_templates_apart() -> None:
    one = [Template("a", "1"), Template("b", "2")]
    assert assembly.digest(one) == assembly.digest(list(reversed(one)))
    assert assembly.digest(one) != assembly.digest([Template("a", "1"), Template("b", "3")])
    assert assembly.digest(one) != assembly.digest([one[0], Template("b", "2", tags={"k": "v"})])
