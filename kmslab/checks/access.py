"""The access matrix: what the policies say is what happens, and it is what was meant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmslab.access import matrix, observing, questions
from kmslab.access.operations import SERVICES, means_something
from kmslab.authorization.model import Request
from kmslab.checks.registry import check
from kmslab.checks.samples import sample_object, soon
from kmslab.checks.shared import read_policies
from kmslab.lab import DENIED, Failed, Inconclusive
from kmslab.model.capability import Capability
from kmslab.model.persona import Persona
from kmslab.model.verdict import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmslab.access.matrix import Question
    from kmslab.access.reading import Identity, Key, Reading
    from kmslab.lab import Lab

GUIDE = "03-key-policies"
DECIDING = frozenset({Capability.IAM, Capability.KEY_POLICIES, Capability.CONDITION_KEYS, Capability.GRANTS})
WORKERS = 8
"""Tries at a time in one check."""
WAITING = "PendingImport"
"""State of a key without material: nobody can use it, permitted or not."""

OWNER, READER = Persona.DATA_OWNER, Persona.DATA_READER
CLOUDFORMATION = "CloudFormation's role"
USERS: dict[str, frozenset[str]] = {
    "s3": frozenset({OWNER, READER}),
    "ebs": frozenset({OWNER, CLOUDFORMATION}),
    "secrets": frozenset({OWNER}),
    "trail": frozenset({Persona.AUDITOR}),
    "app": frozenset({OWNER}),
    "imported": frozenset({OWNER}),
    "signing": frozenset({Persona.SIGNER}),
    "rsa": frozenset({OWNER}),
    "agreement": frozenset({OWNER}),
    "mac": frozenset({OWNER}),
    "pq": frozenset({Persona.SIGNER}),
    "global": frozenset({OWNER}),
}
"""Who may get at what a key protects, by DESIGN.md: read, sign, agree, make a code."""
SECRET_OPERATIONS = (
    "Decrypt",
    "ReEncryptFrom",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "Sign",
    "GenerateMac",
    "DeriveSharedSecret",
)
"""Operations that show a secret or act in the key's name."""
DELEGATED = "secrets"
"""The key whose use through Secrets Manager and Systems Manager IAM decides about, on purpose."""

ALLOWED_BY_IAM = {
    OWNER: frozenset({"s3", "ebs", "secrets", "app", "imported", "rsa", "global"}),
    READER: frozenset({"s3"}),
    Persona.AUDITOR: frozenset({"trail"}),
}
"""With which keys a persona's identity policies allow Decrypt; how, the key policy says."""


@check(guide=GUIDE, needs=DECIDING)
def the_matrix_holds_for_keys_of_services(lab: Lab) -> str:
    """With the keys for S3, EBS, secrets and log files, personas can directly do just what the policies say.

    Every cell of the matrix is computed from key policy, identity policies, boundaries and grants, and
    then tried as the persona, with a dry run. A difference would mean that somebody's picture of who has
    access is wrong: ours, or that of the policies' author.
    """
    return _as_computed(lab, ("s3", "ebs", "secrets", "trail"))


@check(guide=GUIDE, needs=DECIDING)
def the_matrix_holds_for_direct_keys(lab: Lab) -> str:
    """With the keys for direct encryption, personas can do just what the policies say.

    Computed first, then tried as each persona and as the operator, always with the lab's encryption
    context. The key without material shows refusals only: nobody can use it, permitted or not.
    """
    return _as_computed(lab, ("app", "imported", "global"))


@check(guide=GUIDE, needs=DECIDING | {Capability.ASYMMETRIC})
def the_matrix_holds_for_key_pairs_and_macs(lab: Lab) -> str:
    """With signing keys, key pairs and HMAC keys, personas can do just what the policies say.

    Computed first, then tried as each persona and as the operator.
    """
    keys = ("signing", "rsa", "agreement", "mac")
    return _as_computed(lab, (*keys, "pq") if Capability.POST_QUANTUM in lab.capabilities else keys)


@check(guide=GUIDE, needs=DECIDING | {Capability.KMS_ON_BEHALF_OF_CALLER})
def the_matrix_holds_through_s3(lab: Lab) -> str:
    """Whoever S3 lets through to KMS can write and read an object just where the policies say so.

    The owner stores an object, and each persona and the operator write and read it. Where S3 itself
    refuses, KMS was never asked, and nothing is seen about the key.
    """
    found = read_policies(lab)
    key = found.key("s3")
    asked = [one for one in matrix.questions_of(found, key) if one.route == "s3"]
    sample = sample_object(lab)
    sample.put()
    requests: dict[str, tuple[str, dict[str, Any]]] = {
        "GenerateDataKey": ("put_object", {**sample.where, "Body": sample.body}),
        "Decrypt": ("get_object", sample.where),
    }
    seen = [
        Seen(identity, question, permitted)
        for identity in _actors(found)
        for question in asked
        if (permitted := _through_s3(lab, identity, *requests[question.operation])) is not None
    ]
    return _compared(lab, found, seen)


@check(guide=GUIDE, needs={Capability.IAM, Capability.POLICY_SIMULATION})
def the_simulator_agrees(lab: Lab) -> str:
    """IAM's own policy simulator says of every persona's identity policies what the lab's evaluator says.

    IAM simulates identity policies and boundaries; for roles it knows no resource policies, so key policies
    and grants are not in this. What the simulator says about decryption is also compared with what
    the lab means each persona's identity to allow.
    """
    found = read_policies(lab)
    arns = {key.arn: key for key in found.keys}
    count = 0
    for identity in found.personas:
        answer = lab.read(
            "iam:SimulatePrincipalPolicy",
            PolicySourceArn=identity.arn,
            ActionNames=[
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "kms:Sign",
                "kms:CreateGrant",
                "kms:PutKeyPolicy",
            ],
            ResourceArns=list(arns),
        )
        for result in answer["EvaluationResults"]:
            action, key = result["EvalActionName"], arns[result["EvalResourceName"]]
            simulated = result["EvalDecision"] == "allowed"
            computed = questions.identity_side(identity, Request(action, key.arn)).allowed
            where = f"{identity.name}: {action} with the key {key.name}"
            lab.expect(
                simulated is computed,
                f"{where}: IAM's simulator says {result['EvalDecision']}, the policies say {_word(computed)}",
            )
            meant = key.name in ALLOWED_BY_IAM.get(Persona(identity.name), ())
            lab.expect(
                action != "kms:Decrypt" or simulated is meant,
                f"{where} is {_word(simulated)} by identity policies; the lab means it {_word(meant)}",
            )
            count += 1
    lab.expect(count, "the simulator gave no answer")
    return f"{count} answers about {len(found.personas)} personas and {len(arns)} keys: all agree"


@check(
    guide=GUIDE,
    needs={Capability.IAM, Capability.KEY_POLICIES},
    controls=("KMS.5",),
)
def nobody_else_gets_at_what_keys_protect(lab: Lab) -> str:
    """Of all users and roles in the account, only those that the lab means can use a key for its secret.

    Computed for everybody, by every route: directly, and through S3, EC2, EBS, Secrets Manager, Systems
    Manager and CloudFormation, with the encryption context that belongs to it. The secrets key leaves it to IAM on
    purpose, so of the account's other principals nothing is expected there; for every other key, whoever would have all
    rights in IAM, and whoever is in another account, must be refused, too.
    """
    found = read_policies(lab)
    count = 0
    for key in found.keys:
        judged = found.personas if key.name == DELEGATED else (*found.identities, *questions.anyone(found))
        for step, how in _secret_uses(found, key):
            count += len(judged)
            for identity in questions.who(found, judged, step):
                meant = CLOUDFORMATION if identity.is_execution_role else identity.name
                lab.expect(
                    meant in USERS[key.name],
                    f"{identity.name} may {step.why} with the key {key.name}{how}: "
                    f"{questions.ask(found, identity, [step]).reason}",
                )
    lab.expect(count, "there is no key to ask about")
    _somebody_can(lab, found)
    return f"{count} questions about {len(found.identities)} users and roles: only those that are meant"


def _secret_uses(found: Reading, key: Key) -> Iterable[tuple[questions.Step, str]]:
    """The ways to get at what a key protects, and how to say them."""
    for route in ("", *SERVICES):
        context = matrix.context_of(found, key, route)
        for operation in SECRET_OPERATIONS:
            if means_something(operation, key):
                how = f" through {route}" if route else ""
                yield questions.on_key(found, operation, key, via=route, context=context), how


def _somebody_can(lab: Lab, found: Reading) -> None:
    """The evaluator's positive control: the data owner decrypts with the app key, as other checks see them do."""
    step = questions.on_key(found, "Decrypt", found.key("app"))
    if not questions.who(found, [one for one in found.personas if one.name == OWNER], step):
        raise Inconclusive("by the policies not even the data owner may decrypt with the app key")
    lab.note("positive control", "by the same policies the data owner may decrypt with the app key")


# --- trying what was computed


@dataclass(frozen=True, slots=True)
class Seen:
    """What one principal could really do.

    Attributes:
        identity: who tried.
        question: what.
        permitted: whether it could be done.
    """

    identity: Identity
    question: Question
    permitted: bool


def _actors(found: Reading) -> list[Identity]:
    """Who can be tried: the personas, and the operator where IAM knows them."""
    return [one for one in found.identities if one.name in {*Persona}]


def _as_computed(lab: Lab, names: Sequence[str]) -> str:
    found = read_policies(lab)
    keys = [key for key in found.keys if key.name in names]
    pairs = [(identity, key) for identity in _actors(found) for key in keys]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="matrix") as pool:
        tried = list(pool.map(lambda pair: _tried(lab, found, *pair), pairs))
    return _compared(lab, found, [one for some in tried for one in some])


def _tried(lab: Lab, found: Reading, identity: Identity, key: Key) -> list[Seen]:
    """Try everything that can be tried with one key as one persona."""
    seen: list[Seen] = []
    said = []
    for question in matrix.questions_of(found, key):
        if question.route or not observing.is_worth_trying(question.operation, key):
            continue
        code, permitted = _attempt(lab, found, identity, question)
        said.append(f"{question.operation} {code}")
        if permitted is None and key.metadata["KeyState"] != WAITING and _computed(found, identity, question):
            permitted = (
                False  # the policies allow it, and it cannot be done: the matrix is wrong about this key
            )
        if permitted is not None:
            seen.append(Seen(identity, question, permitted))
    lab.calls.append(Call(Persona(identity.name), "kms:*", key.arn, "ok", ", ".join(said)))
    return seen


def _attempt(lab: Lab, found: Reading, identity: Identity, question: Question) -> tuple[str, bool | None]:
    persona, grantee = Persona(identity.name), matrix.grantee(found)
    return observing.attempt(lab.access, persona, question.operation, question.key, grantee)


def _through_s3(lab: Lab, identity: Identity, method: str, parameters: dict[str, Any]) -> bool | None:
    """Call S3; None: S3 refused, so that KMS was not asked.

    Raises:
        Inconclusive: another error came back.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    persona = Persona(identity.name)
    try:
        getattr(lab.client(persona, "s3"), method)(**parameters)
    except ClientError as error:
        code, message = (str(error.response["Error"].get(part, "")) for part in ("Code", "Message"))
        lab.calls.append(Call(persona, f"s3:{method}", parameters["Key"], code, message))
        if code not in DENIED:
            raise Inconclusive(f"s3:{method} as {persona}: {code}") from error
        return False if "kms:" in message else None
    except BotoCoreError as error:
        raise Inconclusive(f"s3:{method} as {persona}: {type(error).__name__}") from error
    lab.calls.append(Call(persona, f"s3:{method}", parameters["Key"], "ok"))
    return True


def _compared(lab: Lab, found: Reading, seen: Sequence[Seen]) -> str:
    """Keep what was seen for the report, and compare it with what was computed.

    Raises:
        Failed: naming the cells that differ, also after the target had time to settle.
        Inconclusive: nobody was permitted anything.
    """
    notes = matrix.notes(lab.access, lab.run_id).observed
    different = []
    for one in seen:
        notes[matrix.place(one.identity, one.question)] = one.permitted
        if _computed(found, one.identity, one.question) is not one.permitted:
            different.append(one)
    if not any(one.permitted for one in seen):
        raise Inconclusive("nobody was permitted anything, so that no refusal counts")
    if different:
        soon(lab, lambda: _still_different(lab, found, different))
    refused = sum(1 for one in seen if not one.permitted)
    return f"{len(seen)} cells as computed: {len(seen) - refused} permitted, {refused} refused"


def _still_different(lab: Lab, found: Reading, cells: Sequence[Seen]) -> None:
    lines = []
    for identity, question in ((one.identity, one.question) for one in cells):
        computed = _computed(found, identity, question)
        code, permitted = ("", None) if question.route else _attempt(lab, found, identity, question)
        if permitted is not computed:
            through = f" through {question.route}" if question.route else ""
            lines.append(
                f"{identity.name} kms:{question.operation} with the key {question.key.name}{through}: "
                f"the policies say {_word(computed)}, it was not so{f' ({code})' if code else ''}"
            )
    if lines:
        more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""  # noqa: PLR2004  # what a line can hold
        raise Failed("; ".join(lines[:3]) + more)


def _computed(found: Reading, identity: Identity, question: Question) -> bool:
    return bool(questions.who(found, [identity], question.step))


def _word(allowed: bool) -> str:
    return "allowed" if allowed else "refused"
