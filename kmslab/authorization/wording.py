"""Phrases of a sentence that a learner reads: who, which condition, and what it should have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.authorization.model import PrincipalKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.authorization.context import Context
    from kmslab.authorization.model import Condition, Principal

_SERVICES = {
    "ec2": "EC2 and EBS",
    "s3": "S3",
    "secretsmanager": "Secrets Manager",
    "sns": "SNS",
    "sqs": "SQS",
    "ssm": "Systems Manager",
}
_COMPARED = {
    "like": ("stringlike", "stringnotlike", "arnlike", "arnnotlike"),
    "less than": ("numericlessthan",),
    "at most": ("numericlessthanequals",),
    "more than": ("numericgreaterthan",),
    "at least": ("numericgreaterthanequals",),
    "before": ("datelessthan",),
    "at the latest": ("datelessthanequals",),
    "after": ("dategreaterthan",),
    "at the earliest": ("dategreaterthanequals",),
    "in": ("ipaddress", "notipaddress"),
}
_RELATIONS = {comparison: relation for relation, names in _COMPARED.items() for comparison in names}
_SHOWN = 3


def name_of(principal: Principal) -> str:
    """``role kms-lab-data-owner``, ``the root user of 111122223333``, ``s3.amazonaws.com``."""
    if principal.kind is PrincipalKind.ROOT:
        return f"the root user of {principal.account}"
    if principal.kind in (PrincipalKind.ROLE, PrincipalKind.USER):
        return f"{principal.kind} {principal.arn.rpartition('/')[2]}"
    return "an anonymous caller" if principal.kind is PrincipalKind.ANONYMOUS else principal.arn


def states(condition: Condition) -> str:
    """What a condition says: ``kms:ViaService is s3.us-east-1.amazonaws.com``."""
    return _said(condition, "is", "is not")


def wishes(condition: Condition) -> str:
    """What a condition asks for: ``kms:ViaService must be s3.us-east-1.amazonaws.com``."""
    return _said(condition, "must be", "must not be")


def shortfall(condition: Condition, context: Context) -> str:
    """Why the request does not meet a condition: what it had, and what was wanted."""
    actual = context.values(condition.key)
    had = (
        f"{condition.key} is {enumerated(actual, 'and')}" if actual else f"the request has no {condition.key}"
    )
    return f"{had} ({wishes(condition).replace(condition.key, 'it', 1)})"


def fact(condition: Condition, context: Context) -> str:
    """A condition that the request meets, as the request has it: ``aws:PrincipalArn is arn:...``."""
    actual = context.values(condition.key)
    if not actual or condition.comparison == "null" or "not" in condition.comparison:
        return states(condition)
    return f"{condition.key} is {enumerated(actual, 'and')}"


def restriction(conditions: Iterable[Condition]) -> str:
    """Conditions as a phrase: ``only through S3 (kms:ViaService)``, ``only where aws:SecureTransport is true``."""
    return "only " + " and ".join(_restricted(condition) for condition in conditions)


def enumerated(values: Sequence[str], word: str) -> str:
    """``a``, ``a or b``, ``a, b, c or 4 more``."""
    shown = [value or "(empty)" for value in values[:_SHOWN]]
    if len(values) > _SHOWN:
        shown.append(f"{len(values) - _SHOWN} more")
    if not shown:
        return "nothing"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {word} {shown[-1]}"


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def _said(condition: Condition, be: str, be_not: str) -> str:
    if condition.comparison == "null":
        present = "false" in (value.lower() for value in condition.values)
        return f"{condition.key} {be} {'present' if present else 'absent'}"
    quantity = {"forallvalues": "every value of ", "foranyvalue": "a value of "}.get(condition.quantifier, "")
    relation = _RELATIONS.get(condition.comparison, "")
    verb = be_not if "not" in condition.comparison else be
    words = (f"{quantity}{condition.key}", verb, relation, enumerated(condition.values, "or"))
    return " ".join(word for word in words if word)


def _restricted(condition: Condition) -> str:
    if condition.key.lower() == "kms:viaservice" and condition.comparison in ("stringequals", "stringlike"):
        services = [value.partition(".")[0] for value in condition.values]
        return (
            f"through {enumerated([_SERVICES.get(name, name) for name in services], 'or')} (kms:ViaService)"
        )
    return f"where {states(condition)}"
