"""Reads bootstrap/least-privilege.yaml, and has MiniStack's own evaluator judge its policies.

The evaluator is read from MiniStack's file as it was installed: the engine's rooms replace parts of it in the
module that the process shares.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfnlint.decode import cfn_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from tests.stacks.template import Json

FILE = Path(__file__).parents[2] / "bootstrap" / "least-privilege.yaml"
ACCOUNT, REGION, PREFIX, QUALIFIER = "111122223333", "eu-central-1", "kms-lab", "hnb659fds"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cdk-{QUALIFIER}-cfn-exec-role-{ACCOUNT}-{REGION}"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{PREFIX}-boundary"
PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "Name": PREFIX,
    "Prefix": PREFIX,
    "AdminUser": "kenya-one",
    "Qualifier": QUALIFIER,
}
LONGEST = PARAMETERS | {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-1",
    "Name": "n" * 20,
    "Prefix": "p" * 20,
    "AdminUser": "u" * 64,
    "Qualifier": "q" * 10,
}
"""What makes the policies as long as they get."""
SEVERAL = PARAMETERS | {"Prefix": f"{PREFIX}*", "AdminUser": "kenya-*"}
"""For every lab whose prefix begins so."""


def template() -> Json:
    """The template as CloudFormation reads it."""
    read: Json = cfn_yaml.load(str(FILE))
    return read


def filled(value: Any, parameters: Mapping[str, str]) -> Any:
    """A part of the template with ``Ref`` and ``Fn::Sub`` filled in, as plain JSON."""
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return parameters[value["Ref"]]
        if set(value) == {"Fn::Sub"}:
            text = str(value["Fn::Sub"])
            for name, given in parameters.items():
                text = text.replace(f"${{{name}}}", given)
            return text
        return {str(key): filled(inner, parameters) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, parameters) for inner in value]
    return str(value)


@cache
def evaluator() -> ModuleType:
    """MiniStack's policy evaluator, without a hook of ours."""
    found = importlib.util.find_spec("ministack.core.iam_evaluator")
    assert found is not None
    assert found.origin is not None
    spec = importlib.util.spec_from_file_location("stock_iam_evaluator", found.origin)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Policies:
    """The policies of CloudFormation's role.

    Attributes:
        documents: by logical id.
    """

    documents: Mapping[str, Json]

    @classmethod
    def read(cls, parameters: Mapping[str, str] = PARAMETERS) -> Policies:
        """The policies with the parameters filled in."""
        return cls(
            {
                name: filled(resource["Properties"]["PolicyDocument"], parameters)
                for name, resource in template()["Resources"].items()
            }
        )

    @property
    def boundary(self) -> Json:
        """The boundary's document."""
        return self.documents["Boundary"]

    def decides(
        self,
        action: str,
        resource: str,
        keys: Mapping[str, str] | None = None,
        *,
        administrator: bool = False,
        principal: str = ROLE,
    ) -> bool:
        """Whether a principal that has these policies, inside the boundary, may do this.

        Args:
            action: ``kms:CreateKey``.
            resource: an ARN, or ``*``.
            keys: condition keys of the request.
            administrator: it has AdministratorAccess in place of the execution policies.
            principal: CloudFormation's role unless said.
        """
        stock = evaluator()
        everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        own = [document for name, document in self.documents.items() if name != "Boundary"]
        context = stock.EvalContext(
            principal_arn=principal,
            principal_type="AssumedRole",
            principal_account=ACCOUNT,
            action=action,
            resource_arn=resource,
            region=REGION,
            service_context={name.lower(): value for name, value in (keys or {}).items()},
        )
        result = stock.evaluate(
            context,
            [stock.parse_policy_document(one) for one in ([everything] if administrator else own)],
            [stock.parse_policy_document(self.boundary)],
        )
        return bool(result.decision == "Allow")
