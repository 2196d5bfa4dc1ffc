from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.model.outputs import LabOutputs

if TYPE_CHECKING:
    from tests.stacks.template import Assembly

OPTIONAL = {output for output in LabOutputs.all() if output.optional}


def _declared(*, optional: bool) -> dict[str, dict[str, str]]:
    declared: dict[str, dict[str, str]] = {}
    for output in LabOutputs.all():
        if optional or not output.optional:
            declared.setdefault(str(output.stack), {})[output.logical_id] = output.description
    return declared


def _synthesized(lab: Assembly) -> dict[str, dict[str, str]]:
    """Our own outputs; CDK adds the exports for references between stacks and calls them ExportsOutput..."""
    return {
        stack: {
            name: output["Description"]
            for name, output in lab.template(stack)["Outputs"].items()
            if not name.startswith("ExportsOutput")
        }
        for stack in lab.stacks()
    }


def test_outputs_are_those_the_checks_read(lab: Assembly) -> None:
    assert _synthesized(lab) == _declared(optional=False)


def test_optional_outputs_come_with_the_options(every_option: Assembly) -> None:
    assert _synthesized(every_option) == _declared(optional=True)
