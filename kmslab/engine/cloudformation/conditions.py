"""``Fn::Join`` in a template's conditions, which the CDK's bootstrap stack uses and MiniStack takes for true.

Without it the bootstrap's execution role gets an empty list of policies in place of AdministratorAccess.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ministack.services.cloudformation import engine

from kmslab.engine.hooks import replace_value

if TYPE_CHECKING:
    from collections.abc import Mapping

_stock = engine._evaluate_conditions


def _resolved(node: Any, parameters: Mapping[str, Any]) -> Any:
    """Replace every join of parameters by its text."""
    if isinstance(node, list):
        return [_resolved(item, parameters) for item in node]
    if not isinstance(node, dict):
        return node
    if "Fn::Join" in node:
        separator, items = node["Fn::Join"]
        values = (
            [_value(item, parameters) for item in items]
            if isinstance(items, list)
            else _value(items, parameters)
        )
        return separator.join(values.split(",") if isinstance(values, str) else values)
    return {name: _resolved(value, parameters) for name, value in node.items()}


def _value(node: Any, parameters: Mapping[str, Any]) -> Any:
    """The value of a parameter; a list parameter is comma-separated text."""
    if isinstance(node, dict) and node.get("Ref") in parameters:
        value = parameters[node["Ref"]]["Value"]
        return ",".join(value) if isinstance(value, list) else str(value)
    return str(node)


def evaluate_conditions(template: dict[str, Any], params: dict[str, Any]) -> dict[str, bool]:
    """Evaluate a template's conditions, joins included."""
    conditions = _resolved(template.get("Conditions") or {}, params)
    evaluated: dict[str, bool] = _stock({**template, "Conditions": conditions}, params)
    return evaluated


def install() -> None:
    """Replace the function in every module that imported it by name."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("ministack.services.cloudformation"):
            for name, value in list(vars(module).items()):
                if value is _stock:
                    replace_value(module, name, evaluate_conditions, "evaluate Fn::Join in conditions")
