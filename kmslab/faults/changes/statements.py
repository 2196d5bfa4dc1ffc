"""Edits of a policy's statements, the same for a policy that stands and for one in a template.

Added texts name what differs from lab to lab by words in braces, as ``Fn::Sub`` does: ``${AWS::AccountId}``,
``${AWS::Partition}``, ``${AWS::Region}``, ``${Prefix}`` and ``${Thing}``, which is the ARN of what the policy is on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kmslab.faults.change import Json
    from kmslab.faults.templates import Templates
    from kmslab.faults.workshop import Workshop

Statement: TypeAlias = "dict[str, Any]"
Which: TypeAlias = "str | Callable[[Statement], bool]"
"""A statement's Sid, or what tells it from the others where it has none."""
Words: TypeAlias = "Mapping[str, Any]"
"""What the words in braces stand for."""
Edit = Callable[[list[Statement], Words], None]
"""Changes the statements in place."""

EVERYBODY = "*"
THE_ACCOUNT = {"AWS": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
"""Whoever in the account IAM allows it."""
A_STRANGER = {"AWS": "arn:${AWS::Partition}:iam::111122223333:root"}
"""Another account, of AWS's example numbers."""
_WORD = re.compile(r"\$\{([\w:]+)\}")


def drop(which: Which) -> Edit:
    """Remove a statement."""
    return lambda statements, _: statements.remove(find(statements, which))


def add(statement: Statement) -> Edit:
    """Add a statement."""
    return lambda statements, words: statements.append(filled(statement, words))


def replace(which: Which, **elements: Any) -> Edit:
    """Give a statement other elements: ``Principal``, ``Action``, ``Resource``, ``Condition``."""
    return lambda statements, words: find(statements, which).update(filled(elements, words))


def drop_conditions(which: Which, operator: str, key: str = "") -> Edit:
    """Take one operator out of a statement's conditions, or one condition key of it."""

    def edit(statements: list[Statement], words: Words) -> None:
        del words
        statement = find(statements, which)
        if key:
            del statement["Condition"][operator][key]
        if not key or not statement["Condition"][operator]:
            del statement["Condition"][operator]
        if not statement["Condition"]:
            del statement["Condition"]

    return edit


def change_operator(which: Which, operator: str, other: str) -> Edit:
    """Compare with another operator: ``StringNotEquals`` with ``StringEquals``."""

    def edit(statements: list[Statement], words: Words) -> None:
        del words
        condition = find(statements, which)["Condition"]
        condition[other] = condition.pop(operator)

    return edit


def about(condition_key: str) -> Callable[[Statement], bool]:
    """Tell the statement whose conditions name a condition key."""
    return lambda statement: any(condition_key in keys for keys in statement.get("Condition", {}).values())


def find(statements: list[Statement], which: Which) -> Statement:
    """Return the one statement that is meant.

    Raises:
        ValueError: there is none, or more than one.
    """
    (found,) = [
        one for one in statements if (one.get("Sid") == which if isinstance(which, str) else which(one))
    ]
    return found


def edited(policy: Any, edits: Iterable[Edit], words: Words) -> Any:
    """Edit the statements of a policy in place, and return it."""
    for edit in edits:
        edit(policy["Statement"], words)
    return policy


def document(*statements: Statement) -> Json:
    """Return the policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def names(workshop: Workshop, thing: str = "") -> Words:
    """What the words in braces stand for on a target."""
    return {
        "AWS::Partition": workshop.partition,
        "AWS::AccountId": workshop.account,
        "AWS::Region": workshop.region,
        "Prefix": workshop.prefix,
        "Thing": thing,
    }


def names_in(templates: Templates, thing: Any = "") -> Words:
    """What they stand for in templates, where CloudFormation fills in the rest."""
    return {"Prefix": templates.prefix, "Thing": thing}


def filled(value: Any, words: Words) -> Any:
    """Return a part of a policy with its words in braces filled in.

    What has no word is left as it is, or in a template to ``Fn::Sub``.
    """
    if isinstance(value, dict):
        return {name: filled(part, words) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, words) for part in value]
    return _text(value, words) if isinstance(value, str) else value


def _text(text: str, words: Words) -> Any:
    for word in _WORD.findall(text):
        if isinstance(words.get(word), str):
            text = text.replace(f"${{{word}}}", words[word])
    left = _WORD.findall(text)
    if not left:
        return text
    if text == f"${{{left[0]}}}":
        return words.get(left[0], {"Ref": left[0]})
    own = {word: words[word] for word in left if word in words}
    return {"Fn::Sub": [text, own] if own else text}
