"""``kmslab explain``: whether somebody may do something, by which statement, and what would change it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from kmslab.access import asking, questions, simulator
from kmslab.access.things import Kind
from kmslab.commands.who_can import Asked, described, opened
from kmslab.model.errors import LabError
from kmslab.terminal import err, out, print_json, say

if TYPE_CHECKING:
    from kmslab.access.questions import Answer, Question
    from kmslab.access.reading import Identity, Reading
    from kmslab.access.simulator import Comparison

ROOT = ("root", "root user")
LIMITS = "IAM's simulator looks at identity policies and the boundary: it knows no grants, and no resource policies for roles."


def run(asked: Asked, who: str, action: str, resource: str, *, as_json: bool) -> None:
    """Explain the decision.

    Raises:
        LabError: the words name nothing, or the target cannot be read.
    """
    context = asked.context
    with opened(asked) as (found, finder):
        identity = _identity(found, who)
        thing = finder.find(resource)
        if thing.kind is Kind.KEY and ":" in action and not action.startswith("kms:"):
            raise LabError(f"{action} is nothing that one does with a key.", hint="For example: kms:Decrypt.")
        question = asking.question(found, action, thing, via=asked.via, context=context)
        answer = questions.ask(found, identity, question.steps)
        compared = simulator.compare(finder.reader, identity, [step.request for step in question.steps])
    if as_json:
        print_json(
            {
                "question": question.text,
                "notes": [*question.notes],
                **described(question, answer),
                "simulator": [
                    {"action": one.action, "computed": one.computed, "simulated": one.simulated}
                    for one in compared
                ],
            }
        )
        return
    _show(question, answer, compared)


def _identity(found: Reading, who: str) -> Identity:
    """Whom the words mean.

    Raises:
        LabError: nobody; the hint has similar names.
    """
    if who in ROOT or who == found.root.arn:
        return found.root
    names = {one.name: one for one in found.identities}
    others = {one.arn: one for one in found.identities} | {
        one.arn.rpartition("/")[2]: one for one in found.identities
    }
    if who in names or who in others:
        return names.get(who) or others[who]
    near = get_close_matches(who, dict.fromkeys([*names, *others]), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"For example: {', '.join(list(names)[:3])}."
    raise LabError(f"{who} is no user or role of account {found.account}.", hint=hint)


def _show(question: Question, answer: Answer, compared: list[Comparison]) -> None:
    verdict = "Allowed" if answer.allowed else "Refused"
    say(out, f"{verdict}: {answer.identity.name}, {question.text}", "green" if answer.allowed else "red")
    for step, decision in zip(question.steps, answer.decisions, strict=False):
        say(out, f"\n{step.request.action} on {step.request.resource}", "bold")
        for reason in decision.reasons:
            say(out, f"  {reason.text}")
            if reason.sid and reason.effect:
                say(out, f"    Sid {reason.sid}, {reason.effect}, in the {reason.policy}", "dim")
        say(out, f"  What would change it: {decision.remedy}")
    if skipped := question.steps[len(answer.decisions) :]:
        actions = " and ".join(step.request.action for step in skipped)
        say(out, f"\nNot asked any more: {actions}.")
    for note in question.notes:
        say(err, note, "dim")
    for one in compared:
        say(err, one.sentence, "dim" if one.agrees else "yellow")
    if compared:
        say(err, LIMITS, "dim")
