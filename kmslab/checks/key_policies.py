"""Key policies: whom they name, what they leave to IAM, and that they decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import deployed_keys
from kmslab.checks.policy import ALLOW, account_of, document, is_everyone, is_whole_account, statements
from kmslab.checks.registry import check
from kmslab.checks.samples import sample_object
from kmslab.checks.shared import read_once
from kmslab.checks.temporary import put_own_policy, scratch_key, temporary_key
from kmslab.lab import Inconclusive
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT, role_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmslab.checks.policy import Statement
    from kmslab.lab import Lab

GUIDE = "03-key-policies"
OWNER = Persona.DATA_OWNER
OPERATOR = Persona.OPERATOR

ADMINISTRATION = (
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
    "kms:ReplicateKey",
    "kms:UpdateAlias",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "kms:ImportKeyMaterial",
    "kms:DeleteImportedKeyMaterial",
)
"""What changes who may use a key, or whether anyone can."""
SECRET_USE = (
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:Sign",
    "kms:GenerateMac",
    "kms:VerifyMac",
    "kms:DeriveSharedSecret",
)
"""What only holders of the secret can do: everything but what a public key gives away."""
SERVICES = {
    "s3": frozenset({"s3"}),
    "ebs": frozenset({"ec2", "ebs"}),
    "secrets": frozenset({"secretsmanager", "ssm"}),
    "trail": frozenset({"s3"}),
}
"""Keys that no principal uses directly, and the services through which they are used; log files lie in S3."""
DIRECT = frozenset({"app", "global"})
"""Keys whose users call KMS themselves, with a context that binds the data to the lab."""


def _policies(lab: Lab) -> Iterator[tuple[str, Statement]]:
    """Every allowing statement of every key's policy, with the key's name."""
    for expected, arn in deployed_keys(lab.outputs):
        policy = read_once(lab, "kms:GetKeyPolicy", KeyId=arn, PolicyName="default")["Policy"]
        for statement in statements(policy):
            if statement.effect == ALLOW:
                yield expected.name, statement


@check(
    guide=GUIDE,
    controls=(
        "KMS.5",
        "config:kms-key-policy-no-public-access",
        "prowler:kms_key_not_publicly_accessible",
        "cis:2.21",
    ),
)
def no_key_is_public(lab: Lab) -> str:
    """No key policy names everyone, or another account.

    A wildcard principal with conditions can be tight, and is one mistake away from public. The lab
    needs none: its principals are the account and AWS services.
    """
    count = 0
    for name, statement in _policies(lab):
        count += 1
        for principal in statement.principals:
            where = f"{statement.sid} of the key {name}"
            lab.expect(not is_everyone(principal), f"{where} names everyone")
            account = account_of(principal)
            lab.expect(account in {"", lab.account}, f"{where} names another account: {account}")
    lab.expect(count, "the key policies allow nothing at all")
    return f"{count} allowing statements: this account's principals and AWS services only"


@check(guide=GUIDE)
def administration_is_not_delegated_to_iam(lab: Lab) -> str:
    """No statement for the whole account hands a key's administration to IAM.

    "The account root" in a key policy does not mean the root user but everyone in the account whom
    an identity policy allows. With such a statement anyone with kms:* rewrites the key policy and
    reads. Here each statement for the account names in a condition (aws:PrincipalArn) whom it means.
    """
    for name, statement in _policies(lab):
        if not any(is_whole_account(principal) for principal in statement.principals):
            continue
        for action in ADMINISTRATION:
            lab.expect(
                not statement.covers(action) or statement.pinned_to("aws:PrincipalArn"),
                f"{statement.sid} of the key {name} lets IAM alone decide about {action}",
            )
    return "every administrative statement names its principals: kms:* in IAM is not enough"


@check(guide=GUIDE)
def use_is_delegated_only_through_a_service(lab: Lab) -> str:
    """Where IAM alone decides who uses a key, it decides only about use through one AWS service.

    The secrets key shows this pattern, which is that of the AWS managed keys: kms:ViaService and
    kms:CallerAccount instead of names. What a public key does anyway (verify, encrypt) is left to IAM.
    """
    delegated = set()
    for name, statement in _policies(lab):
        if not any(is_whole_account(principal) for principal in statement.principals):
            continue
        for action in SECRET_USE:
            if not statement.covers(action) or statement.pinned_to("aws:PrincipalArn"):
                continue
            through = statement.pinned_to("kms:ViaService")
            ours = statement.pinned_to("kms:CallerAccount") == (lab.account,)
            lab.expect(
                through and ours, f"{statement.sid} of the key {name} lets IAM alone decide about {action}"
            )
            delegated.add(f"{name} through {' and '.join(service.split('.')[0] for service in through)}")
    return f"delegated to IAM: {', '.join(sorted(delegated)) or 'no use at all'}"


@check(guide=GUIDE)
def administrators_do_not_use(lab: Lab) -> str:
    """No statement gives the key administrator the use of a key, or a way to it.

    PutKeyPolicy, CreateGrant, ReplicateKey and UpdateAlias are such ways: with each of them an
    administrator makes a user of themselves.
    """
    role = f":role/{role_name(lab.prefix, Persona.KEY_ADMINISTRATOR)}"
    escalations = ("kms:PutKeyPolicy", "kms:CreateGrant", "kms:ReplicateKey", "kms:UpdateAlias")
    found = False
    for name, statement in _policies(lab):
        named = (*statement.principals, *statement.values("aws:PrincipalArn"))
        if not any(value.endswith(role) for value in named):
            continue
        found = True
        for action in (*SECRET_USE, "kms:Encrypt", *escalations):
            lab.expect(
                not statement.covers(action),
                f"{statement.sid} of the key {name} gives the key administrator {action}",
            )
    lab.expect(found, "no key policy names the key administrator")
    return "the key administrator has neither use nor a way to it in any key policy"


@check(guide=GUIDE)
def the_trail_key_serves_one_trail(lab: Lab) -> str:
    """CloudTrail may use the trail key for this lab's trail only (the confused deputy).

    A service acts for whoever asks it. Without aws:SourceArn, somebody else's trail could use this
    key; without the encryption context, for something else than log files. What is decrypted with
    the key is a log file, or a message to the lab's alarm topic.
    """
    service, context = "Service:cloudtrail.amazonaws.com", "kms:EncryptionContext:aws:cloudtrail:arn"
    serving = [s for name, s in _policies(lab) if service in s.principals]
    lab.expect(serving, "no key policy lets CloudTrail in")
    for statement in serving:
        trails = statement.pinned_to("aws:SourceArn")
        lab.expect(
            trails == (lab.outputs.trail,), f"{statement.sid} does not hold CloudTrail to the lab's trail"
        )
        lab.expect(
            not statement.covers("kms:GenerateDataKey") or statement.values(context),
            f"{statement.sid} does not demand CloudTrail's encryption context",
        )
    for statement in (s for name, s in _policies(lab) if name == "trail" and s.covers("kms:Decrypt")):
        topic = statement.pinned_to("kms:EncryptionContext:aws:sns:topicArn")
        lab.expect(
            statement.values(context, "Null") == ("false",) or topic == (lab.outputs.alarm_topic,),
            f"{statement.sid} opens other things than log files and messages to the alarm topic",
        )
    return f"CloudTrail is held to {lab.outputs.trail}"


@check(guide=GUIDE)
def services_keys_serve_their_service_only(lab: Lab) -> str:
    """The keys for S3, EBS, secrets and log files can be used through their services only (kms:ViaService).

    Every statement that gives their use says through which service, or names the service itself. A single
    one without it opens every object and volume to whoever holds a stolen session of that principal.
    """
    count = 0
    for name, statement in _policies(lab):
        wanted = SERVICES.get(name)
        if wanted is None or not any(statement.covers(action) for action in (*SECRET_USE, "kms:CreateGrant")):
            continue
        count += 1
        if all(principal.startswith("Service:") for principal in statement.principals):
            continue
        through = {value.split(".")[0] for value in statement.pinned_to("kms:ViaService")}
        lab.expect(through, f"{statement.sid} of the key {name} gives its use through no named service")
        lab.expect(
            through <= wanted, f"{statement.sid} of the key {name} gives its use through {', '.join(through)}"
        )
    lab.expect(count, "no statement gives the use of the services' keys")
    return f"{count} statements give use, each through its service alone"


@check(guide=GUIDE)
def direct_use_demands_the_context(lab: Lab) -> str:
    """Whoever uses the app key directly, or the multi-Region key, must bring the lab's encryption context.

    Every statement that gives its use demands it, Decrypt as well as Encrypt: a context that only one of
    the two needs protects nothing. A grant can be made within it only.
    """
    ((context, value),) = ENCRYPTION_CONTEXT.items()
    count = 0
    for name, statement in _policies(lab):
        uses = any(statement.covers(action) for action in (*SECRET_USE, "kms:Encrypt", "kms:CreateGrant"))
        if name not in DIRECT or not uses or statement.pinned_to("kms:ViaService"):
            continue
        count += 1
        found = statement.pinned_to(f"kms:EncryptionContext:{context}")
        lab.expect(found == (value,), f"{statement.sid} of the key {name} does not demand {context}={value}")
    lab.expect(count, "no statement gives direct use")
    return f"{count} statements give direct use, each with {context}={value} alone"


@check(guide=GUIDE)
def grants_are_made_within_limits(lab: Lab) -> str:
    """Whoever may create a grant may do so for an AWS service's use, or for named principals within a context.

    CreateGrant without a condition is the whole key: its holder makes anyone a user of it, outside the key
    policy that everybody reads.
    """
    count = 0
    for name, statement in _policies(lab):
        if not statement.covers("kms:CreateGrant"):
            continue
        count += 1
        where = f"{statement.sid} of the key {name}"
        for_services = statement.values("kms:GrantIsForAWSResource", "Bool") == ("true",)
        operations = statement.values("kms:GrantOperations")
        for_named = statement.pinned_to("kms:GranteePrincipal") and statement.pinned_to(
            "kms:GrantConstraintType"
        )
        lab.expect(for_services or (for_named and operations), f"{where} lets grants be made without limits")
        lab.expect("CreateGrant" not in operations, f"{where} lets grantees pass their grants on")
    lab.expect(count, "nobody may create a grant: EBS could not use its key")
    return f"{count} statements allow grants, each for AWS services or for named principals within a context"


@check(guide=GUIDE)
def there_is_a_way_back_in(lab: Lab) -> str:
    """Every key policy lets the account's root user put another policy.

    Without it a mistake in a policy is for AWS Support. The root user is the break-glass: named in a
    condition, so that the statement does not stand for the whole account. One that does lets them in
    as well, and is for other checks to refuse.
    """
    root = f"arn:{lab.access.partition}:iam::{lab.account}:root"
    repairable = {
        name
        for name, statement in _policies(lab)
        if statement.covers("kms:PutKeyPolicy")
        and any(is_whole_account(principal) for principal in statement.principals)
        and (root in statement.pinned_to("aws:PrincipalArn") or not statement.conditions)
    }
    keys = deployed_keys(lab.outputs)
    for expected, _ in keys:
        lab.expect(
            expected.name in repairable,
            f"the root user may not put another policy on the key {expected.name}: nobody could repair it",
        )
    return f"{len(keys)} key policies can be repaired by the root user"


@check(guide=GUIDE, needs=DECIDING, changes_keys=True)
def iam_alone_cannot_rewrite_the_policy(lab: Lab) -> str:
    """Full administrator rights in IAM are not enough to put a policy on a key of the lab.

    The operator, who deployed the lab with every right in IAM, puts a policy on a key with KMS's
    default key policy, which delegates to IAM. On the app key, which does not, the operator is refused.
    """
    _not_as_root(lab)
    put_own_policy(lab)
    app = lab.outputs.key_app
    policy = read_once(lab, "kms:GetKeyPolicy", KeyId=app, PolicyName="default")["Policy"]
    lab.refused(
        OPERATOR, "kms:PutKeyPolicy", by="kms:PutKeyPolicy", KeyId=app, PolicyName="default", Policy=policy
    )
    return "kms:* in IAM suffices under the default key policy, not under the lab's"


@check(guide=GUIDE, needs=DECIDING, changes_keys=True)
def iam_alone_cannot_decrypt(lab: Lab) -> str:
    """Full administrator rights in IAM are not enough to decrypt with a key of the lab.

    The operator has every right in IAM. Under KMS's default key policy, which delegates to IAM, that
    is enough to decrypt. Under the app key's policy it is not, though the operator holds the
    ciphertext and knows the context.
    """
    _not_as_root(lab)
    own = scratch_key(lab)
    own_blob = lab.allowed(
        OPERATOR, "kms:Encrypt", KeyId=own, Plaintext=b"kmslab", EncryptionContext=ENCRYPTION_CONTEXT
    )["CiphertextBlob"]
    lab.allowed(OPERATOR, "kms:Decrypt", CiphertextBlob=own_blob, EncryptionContext=ENCRYPTION_CONTEXT)
    sample: dict[str, Any] = {"KeyId": lab.outputs.key_app, "EncryptionContext": ENCRYPTION_CONTEXT}
    blob = lab.allowed(OWNER, "kms:Encrypt", Plaintext=b"kmslab", **sample)["CiphertextBlob"]
    lab.allowed(OWNER, "kms:Decrypt", CiphertextBlob=blob, **sample)
    lab.refused(OPERATOR, "kms:Decrypt", by="kms:Decrypt", CiphertextBlob=blob, **sample)
    return "the operator decrypts under the default key policy and is refused under the lab's"


@check(
    guide=GUIDE,
    needs=DECIDING | {Capability.CONDITION_KEYS, Capability.KMS_ON_BEHALF_OF_CALLER},
)
def the_s3_key_works_through_s3_only(lab: Lab) -> str:
    """The data owner uses the S3 key through S3, and cannot call KMS with it directly (kms:ViaService).

    Credentials that leak then open no data key outside S3, where the bucket policy and the access
    logs are. The owner writes and reads an object, and generates a data key with the app key; the
    same request with the S3 key is refused.
    """
    sample = sample_object(lab)
    sample.put()
    lab.expect(sample.get() == sample.body, "another object came back")
    lab.allowed(
        OWNER,
        "kms:GenerateDataKey",
        KeyId=lab.outputs.key_app,
        KeySpec="AES_256",
        EncryptionContext=ENCRYPTION_CONTEXT,
    )
    lab.refused(
        OWNER,
        "kms:GenerateDataKey",
        by="kms:GenerateDataKey",
        KeyId=lab.outputs.key_s3,
        KeySpec="AES_256",
        EncryptionContext=ENCRYPTION_CONTEXT,
    )
    return "through S3 the owner writes and reads; directly kms:GenerateDataKey is refused"


@check(guide=GUIDE, needs={Capability.KEY_POLICIES}, changes_keys=True)
def a_lock_out_is_refused(lab: Lab) -> str:
    """KMS refuses a key policy after which its author could not change the policy any more.

    Otherwise a slip of the pen makes a key that nobody can manage, and only AWS Support can help.
    The policy tried here allows everything but PutKeyPolicy, so that even a KMS without this
    safety check lets the key be removed.
    """
    key = temporary_key(lab, "lock-out refused")
    put_own_policy(lab, key)
    lab.refused(
        OPERATOR,
        "kms:PutKeyPolicy",
        codes={"MalformedPolicyDocumentException"},
        KeyId=key,
        PolicyName="default",
        Policy=_locking_out(lab),
    )
    return "a policy without PutKeyPolicy for its author: MalformedPolicyDocumentException"


def _locking_out(lab: Lab) -> str:
    """A policy that lets the account do everything that removes a key, and not change the policy."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{lab.access.partition}:iam::{lab.account}:root"},
            "Action": ["kms:DescribeKey", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"],
            "Resource": "*",
        }
    )


def _not_as_root(lab: Lab) -> None:
    """The root user is the lab's break-glass and named in every policy: it shows nothing here.

    Raises:
        Inconclusive: the operator is the root user.
    """
    if lab.access.caller["Arn"].endswith(":root"):
        raise Inconclusive("the operator is the account's root user; verify as an administrator instead")
