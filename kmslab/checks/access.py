"""The access matrix: what the policies say is what happens, and it is what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.access import matrix, questions
from kmslab.access.operations import SERVICES, means_something
from kmslab.authorization.model import Request
from kmslab.checks import trying
from kmslab.checks.registry import check
from kmslab.checks.samples import sample_object
from kmslab.checks.shared import read_policies
from kmslab.lab import Inconclusive
from kmslab.model.capability import DECIDING, DECIDING_FULLY, Capability
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kmslab.access.reading import Key, Reading
    from kmslab.lab import Lab

GUIDE = "03-key-policies"
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
"""Who may get at what a key protects, by the README's table of personas: read, sign, agree, make a code."""
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


@check(guide=GUIDE, needs=DECIDING_FULLY, lengthy=True)
def the_matrix_holds_for_symmetric_keys(lab: Lab) -> str:
    """With the symmetric keys, personas can directly do just what the policies say.

    Every cell of the matrix is computed from key policy, identity policies, boundaries and grants, and then
    tried as the persona and as the operator, with a dry run and the lab's encryption context. A difference
    would mean that somebody's picture of who has access is wrong: ours, or that of the policies' author. The
    key without material shows refusals only: nobody can use it, permitted or not.
    """
    return trying.as_computed(lab, ("s3", "ebs", "secrets", "trail", "app", "imported", "global"))


@check(guide=GUIDE, needs=DECIDING_FULLY | {Capability.ASYMMETRIC}, lengthy=True)
def the_matrix_holds_for_key_pairs_and_macs(lab: Lab) -> str:
    """With signing keys, key pairs and HMAC keys, personas can do just what the policies say.

    Computed first, then tried as each persona and as the operator.
    """
    keys = ("signing", "rsa", "agreement", "mac")
    return trying.as_computed(lab, (*keys, "pq") if Capability.POST_QUANTUM in lab.capabilities else keys)


@check(guide=GUIDE, needs=DECIDING_FULLY | {Capability.KMS_ON_BEHALF_OF_CALLER})
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
        trying.Seen(identity, question, permitted)
        for identity in trying.actors(found)
        for question in asked
        if (permitted := trying.through_s3(lab, identity, *requests[question.operation])) is not None
    ]
    return trying.compared(lab, found, seen)


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
                f"{where}: IAM's simulator says {result['EvalDecision']}, the policies say {trying.word(computed)}",
            )
            meant = key.name in ALLOWED_BY_IAM.get(Persona(identity.name), ())
            lab.expect(
                action != "kms:Decrypt" or simulated is meant,
                f"{where} is {trying.word(simulated)} by identity policies; the lab means it {trying.word(meant)}",
            )
            count += 1
    lab.expect(count, "the simulator gave no answer")
    return f"{count} answers about {len(found.personas)} personas and {len(arns)} keys: all agree"


@check(
    guide=GUIDE,
    needs=DECIDING,
    controls=("KMS.5",),
)
def nobody_else_gets_at_what_keys_protect(lab: Lab) -> str:
    """Of all users and roles in the account, only those that the lab means can use a key for its secret.

    Computed for everybody, by every route: directly, and through S3, EC2, EBS, Secrets Manager, Systems
    Manager and CloudFormation, with the encryption context that belongs to it. The secrets key leaves it to
    IAM on purpose, so of the account's other principals nothing is expected there; for every other key,
    whoever would have all rights in IAM, and whoever is in another account, must be refused, too.
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


@check(guide=GUIDE, needs=DECIDING_FULLY)
def nobody_decrypts_without_the_context(lab: Lab) -> str:
    """Without the encryption context that belongs to it, those who may use a key cannot decrypt either.

    Computed for those who are meant to use the key: directly with the keys app and global without any context
    and with another one; and through S3 with the trail's key without CloudTrail's, which only log files
    carry. The data owner, with the right context, may.
    """
    found = read_policies(lab)
    none: dict[str, str] = {}
    wrong = {"kmslab": "other"}
    uses = {
        "app": ("", [none, wrong]),
        "global": ("", [none, wrong]),
        "trail": ("s3", [none, matrix.of_s3(found)]),
    }
    count = 0
    for key in found.keys:
        route, contexts = uses.get(key.name, ("", []))
        meant = [one for one in found.personas if one.name in USERS[key.name]]
        for context in contexts:
            step = questions.on_key(found, "Decrypt", key, via=route, context=context)
            count += len(meant)
            for identity in questions.who(found, meant, step):
                pairs = ", ".join(f"{name}={value}" for name, value in context.items())
                lab.expect(
                    not identity,
                    f"{identity.name} may decrypt with the key {key.name} with the context {pairs or '(none)'}: "
                    f"{questions.ask(found, identity, [step]).reason}",
                )
    _somebody_can(lab, found)
    return f"{count} questions: without its context not even those who are meant to decrypt"


@check(guide=GUIDE, needs={Capability.KEY_POLICIES, Capability.CONDITION_KEYS})
def services_use_the_trail_key_for_the_lab_only(lab: Lab) -> str:
    """CloudTrail and EventBridge may use the trail's key for this lab's trail and topic, and for no others.

    A service acts for whoever asks it: somebody in another account could have it encrypt or decrypt with our
    key (the confused deputy). Asked of the key policy for both services, with the lab's own trail and topic,
    which must work, with somebody else's, and with none.
    """
    found = read_policies(lab)
    key = found.key("trail")
    count = 0
    for service, operation, ours, foreign in _deputies(lab):
        for arguments in (ours, *foreign):
            step = questions.on_key(found, operation, key, **arguments)
            allowed = questions.service_may(service, step)
            count += 1
            lab.expect(
                allowed is (arguments is ours),
                f"{service} {'may' if allowed else 'may not'} {operation} with "
                f"{'the lab' if arguments is ours else 'somebody else'}'s {_named(arguments)}",
            )
    return f"{count} questions about two services: for the lab's trail and topic only"


def _named(arguments: dict[str, Any]) -> str:
    """The trail or topic that a request of a service names."""
    named = [
        *arguments["context"].values(),
        *(value for name, value in arguments.items() if name != "context"),
    ]
    return " and ".join(dict.fromkeys(named)) or "no topic"


def _deputies(lab: Lab) -> Iterable[tuple[str, str, dict[str, Any], list[dict[str, Any]]]]:
    """Services and operations, with what the lab's own use brings, and what somebody else's would."""
    trail, topic, stranger = lab.outputs.trail, lab.outputs.alarm_topic, "444455556666"
    theirs = {arn: arn.replace(lab.account, stranger) for arn in (trail, topic)}

    def of_trail(source: str, arn: str) -> dict[str, Any]:
        return {"context": {"aws:cloudtrail:arn": arn}, "aws:SourceArn": source}

    def of_topic(arn: str) -> dict[str, Any]:
        return {"context": {"aws:sns:topicArn": arn} if arn else {}}

    foreign_trails = [of_trail(theirs[trail], theirs[trail]), of_trail(theirs[trail], trail)]
    foreign_topics = [of_topic(theirs[topic]), of_topic("")]
    yield "cloudtrail.amazonaws.com", "GenerateDataKey", of_trail(trail, trail), foreign_trails
    for operation in ("GenerateDataKey", "Decrypt"):
        yield "events.amazonaws.com", operation, of_topic(topic), foreign_topics


@check(guide=GUIDE, needs=DECIDING_FULLY)
def cloudformation_administers_every_key(lab: Lab) -> str:
    """CloudFormation's role can change and delete every key that it made.

    A key policy that forgets the role leaves a key that no deployment can change and no teardown removes; it
    is noticed when the next one fails. Computed for the role that `cdk bootstrap` made.
    """
    found = read_policies(lab)
    deploying = [one for one in found.identities if one.is_execution_role]
    if not deploying:
        raise Inconclusive("the account has no execution role of the standard cdk bootstrap")
    for key in found.keys:
        for operation in ("DescribeKey", "PutKeyPolicy", "CreateAlias", "ScheduleKeyDeletion"):
            step = questions.on_key(found, operation, key)
            lab.expect(
                questions.who(found, deploying, step),
                f"CloudFormation's role may not {operation} with the key {key.name}: "
                f"{questions.ask(found, deploying[0], [step]).reason}",
            )
    return f"{deploying[0].name} can change and delete {len(found.keys)} keys"
