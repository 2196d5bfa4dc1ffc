"""The document of a key policy: its grammar, its principals, and the form in which KMS gives it back.

Sources: IAM User Guide, "IAM JSON policy element reference"; KMS Developer Guide, "Creating a key policy".
Since 2025-08-18 KMS refuses a statement without an action or a resource (AWS Health notice of May 2025).
For text that is no JSON at all, KMS gives its error code without a word (aws-sdk-ruby#1784).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kmslab.authorization.conditions import OPERATORS
from kmslab.authorization.model import Condition
from kmslab.engine.kms.errors import KmsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_VERSIONS = frozenset({"2008-10-17", "2012-10-17"})
_STATEMENT = frozenset({"Sid", "Effect", "Condition"})
_EITHER = (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"))
"""Of each pair a statement has exactly one element."""
_PRINCIPALS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_QUANTIFIERS = frozenset({"", "forallvalues", "foranyvalue"})
_IDENTITY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(user|role)/([^*]+)")
_OTHER = re.compile(
    r"\*|\d{12}|arn:aws[a-z-]*:(iam::\d{12}:root|sts::\d{12}:(assumed-role/[^*/]+/[^*]+|federated-user/[^*]+))"
)
"""Everyone, an account, or a session: whose principals nobody can look up."""
_SERVICE = re.compile(r"[\w-]+(\.[\w-]+)*\.amazonaws\.com(\.cn)?|[\w-]+\.amazon\.com", re.ASCII)


def parsed(policy: str) -> dict[str, Any]:
    """Read a key policy.

    Raises:
        KmsError: MalformedPolicyDocumentException, for JSON, an element, or a principal that does not exist.
    """
    try:
        document = json.loads(policy, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        written(document).encode()
    except (ValueError, RecursionError) as error:
        raise malformed("") from error
    _check_document(document)
    return dict(document)


def malformed(message: str) -> KmsError:
    """The error for a key policy that KMS does not take."""
    return KmsError("MalformedPolicyDocumentException", message)


def written(value: Any, depth: int = 0) -> str:
    """A document as KMS gives it back: its JSON printed anew, two spaces a level, lists on one line."""
    inner = "  " * (depth + 1)
    if isinstance(value, dict):
        members = [f"{json.dumps(name)} : {written(member, depth + 1)}" for name, member in value.items()]
        return (
            "{\n" + ",\n".join(inner + member for member in members) + f"\n{inner[2:]}}}"
            if members
            else "{ }"
        )
    if isinstance(value, list):
        return f"[ {', '.join(written(item, depth) for item in value)} ]" if value else "[ ]"
    return json.dumps(value, ensure_ascii=False)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _check_document(document: Any) -> None:
    if not isinstance(document, dict) or document.keys() - _DOCUMENT:
        raise malformed("Policy document must be an object of Version, Id and Statement")
    if document.get("Version", "2012-10-17") not in _VERSIONS:
        raise malformed("Policy document has an unknown Version")
    if not isinstance(document.get("Id", ""), str):
        raise malformed("Id must be a string")
    listed: list[Any] = _listed(document.get("Statement"))
    if not listed:
        raise malformed("Policy document must contain a statement")
    for statement in listed:
        _check_statement(statement)
    for statement in listed:
        if not all(_exists(*principal) for principal in _principals(statement)):
            raise malformed("Policy contains a statement with one or more invalid principals.")


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict):
        raise malformed("A statement must be an object")
    for pair in _EITHER:
        if sum(name in statement for name in pair) != 1:
            raise malformed(f"A statement must contain {' or '.join(pair)}")
    if unknown := statement.keys() - _STATEMENT - {name for pair in _EITHER for name in pair}:
        raise malformed(f"A statement contains unknown elements: {', '.join(sorted(unknown))}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed("Effect must be Allow or Deny")
    if not isinstance(statement.get("Sid", ""), str):
        raise malformed("Sid must be a string")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement and not _texts(statement[name]):
            raise malformed(f"{name} must be a string or a list of strings")
    _check_conditions(statement.get("Condition", {}))


def _check_conditions(conditions: Any) -> None:
    if not isinstance(conditions, dict) or not all(isinstance(block, dict) for block in conditions.values()):
        raise malformed("Condition must be an object of operators")
    for operator, block in conditions.items():
        condition = Condition.parse(operator, "", "")
        if condition.comparison not in OPERATORS or condition.quantifier not in _QUANTIFIERS:
            raise malformed(f"Invalid condition operator: {operator}")
        if not all(
            isinstance(item, str | int | float) for values in block.values() for item in _listed(values)
        ):
            raise malformed(f"A condition of {operator} must be compared with strings")


def _texts(value: Any) -> bool:
    listed = _listed(value)
    return bool(listed) and all(isinstance(item, str) for item in listed)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _principals(statement: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Kind and name of each principal; a kind that is none stands for an element that names nobody."""
    named = statement.get("Principal", statement.get("NotPrincipal"))
    if named == "*":
        return
    if not isinstance(named, dict) or not named:
        yield "", named
        return
    for kind, names in named.items():
        yield from ((kind, name) for name in _listed(names) or [None])


def _exists(kind: str, name: Any) -> bool:
    """Whether KMS finds the principal; accounts the engine has never seen are taken on trust."""
    if kind not in _PRINCIPALS or not isinstance(name, str):
        return False
    if kind == "Service":
        return _SERVICE.fullmatch(name) is not None
    return kind != "AWS" or known(name)


def known(principal: str) -> bool:
    """Whether IAM has the user, role or account of an ARN; accounts the engine has never seen are taken on trust."""
    from ministack.services import iam

    match = _IDENTITY.fullmatch(principal)
    if match is None:
        return _OTHER.fullmatch(principal) is not None
    account, kind, name = match.groups()
    known = {owner for entities in (iam._roles, iam._users) for owner, _ in list(entities._data)}
    entities = iam._roles if kind == "role" else iam._users
    return account not in known or entities.get_scoped(account, None, name.rsplit("/", 1)[-1]) is not None
