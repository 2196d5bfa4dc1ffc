"""Custom resources: the function runs locally, as its own role, over TLS, with the SDK that Lambda brings."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.httpsession import URLLib3Session

from tests.engine.conftest import allow, policy
from tests.engine.stacks import (
    CAPABILITIES,
    attribute,
    create,
    delete,
    deployed,
    execution_role,
    outputs,
    reasons,
    ref,
    resource,
    status,
    template,
)

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

HANDLER = """
const { S3Client, ListBucketsCommand } = require("@aws-sdk/client-s3");
const https = require("https");
exports.handler = async (event) => {
  let answer = { Status: "SUCCESS", Data: {} };
  try {
    if (event.RequestType === "Create") {
      const found = await new S3Client({}).send(new ListBucketsCommand({}));
      answer.Data = { Buckets: String(found.Buckets !== undefined), Endpoint: process.env.AWS_ENDPOINT_URL };
    }
  } catch (error) { answer = { Status: "FAILED", Reason: error.name + ": " + error.message }; }
  const body = JSON.stringify({ ...answer, PhysicalResourceId: "made", StackId: event.StackId,
    RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId });
  await new Promise((done, failed) => {
    const request = https.request(event.ResponseURL, { method: "PUT", headers: { "content-length": body.length } }, done);
    request.on("error", failed); request.end(body);
  });
};
"""
ASSUMED_BY_LAMBDA = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


@pytest.fixture
def role(engine: Engine) -> str:
    return execution_role(engine)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(policy(*statements))
    return parsed


def function(code: dict[str, str], *statements: dict[str, Any]) -> dict[str, Any]:
    """A function, its role with these permissions, and room for what it serves."""
    inline = [{"PolicyName": "inline", "PolicyDocument": document(*statements)}]
    return {
        "Role": resource(
            "AWS::IAM::Role", AssumeRolePolicyDocument=document(ASSUMED_BY_LAMBDA), Policies=inline
        ),
        "Function": resource(
            "AWS::Lambda::Function",
            Code=code,
            Handler="index.handler",
            Role=attribute("Role"),
            Runtime="nodejs22.x",
            Timeout=30,
        ),
    }


def custom(**properties: Any) -> dict[str, Any]:
    return resource("Custom::Thing", ServiceToken=attribute("Function"), **properties)


def test_a_function_calls_the_engine_as_its_role_over_tls(engine: Engine, role: str) -> None:
    values = {
        "Buckets": attribute("Thing", "Buckets"),
        "Endpoint": attribute("Thing", "Endpoint"),
        "Id": ref("Thing"),
    }
    body = template(values, **function({"ZipFile": HANDLER}, allow("s3:ListAllMyBuckets")), Thing=custom())
    with deployed(engine, body, role=role) as name:
        found = outputs(engine, name)
        assert (found["Buckets"], found["Id"]) == ("true", "made")
        assert found["Endpoint"].startswith("https://")


def test_iam_decides_about_the_functions_role(engine: Engine, role: str) -> None:
    body = template(**function({"ZipFile": HANDLER}, allow("s3:GetObject")), Thing=custom())
    name = create(engine, body, role=role)
    assert status(engine, name) == "ROLLBACK_COMPLETE"
    assert "s3:ListAllMyBuckets" in reasons(engine, name)["Thing"]
    delete(engine, name)


def test_the_cdk_clis_look_at_a_stack_waits_for_its_end(engine: Engine, role: str) -> None:
    slow = HANDLER.replace("let answer", "await new Promise((done) => setTimeout(done, 1000)); let answer")
    body = template(**function({"ZipFile": slow}, allow("s3:ListAllMyBuckets")), Thing=custom())
    name = f"stack-{uuid.uuid4().hex[:10]}"
    engine.client("cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps(body), RoleARN=role, Capabilities=CAPABILITIES
    )
    started = time.monotonic()
    assert "CREATE_IN_PROGRESS" in describe(engine, name, "boto3")
    assert time.monotonic() - started < 0.9
    assert "CREATE_COMPLETE" in describe(engine, name, "aws-cdk/2.1148.0")
    assert time.monotonic() - started > 0.9
    delete(engine, name)


def describe(engine: Engine, name: str, user_agent: str) -> str:
    """The answer of DescribeStacks to a client that calls itself this."""
    given = engine.administrator
    credentials = BotoCredentials(given.access_key_id, given.secret_access_key, given.session_token)
    request = AWSRequest(
        "POST",
        engine.info.endpoint_url,
        headers={"User-Agent": user_agent, "Content-Type": "application/x-www-form-urlencoded"},
        data=urlencode({"Action": "DescribeStacks", "StackName": name, "Version": "2010-05-15"}),
    )
    SigV4Auth(credentials, "cloudformation", engine.region).add_auth(request)
    bundle = str(engine.info.ca_bundle)
    session = URLLib3Session(verify=bundle)  # type: ignore[arg-type]  # a path is fine, whatever its stub says
    return str(session.send(request.prepare()).text)
