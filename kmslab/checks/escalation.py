"""No way up: nobody can make themselves a user of a key, by policy, grant, alias, tag, replica, import or role.

Each check is about one way. It asks the policies about every user and role of the account, and where it does
no harm, the personas try. Left out are those who are meant to have the way: the account's root user, the
roles of the CDK bootstrap, and for ways through IAM the account's administrators, who can do everything that
IAM decides. What they cannot do is what the key policies reserve: most of this is about that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmslab.access import questions, roles
from kmslab.access.operations import means_something
from kmslab.checks.identity_policies import role_named
from kmslab.checks.registry import check
from kmslab.checks.shared import read_once, read_policies
from kmslab.checks.temporary import other_region, put_own_policy
from kmslab.lab import Inconclusive
from kmslab.model.capability import DECIDING, Capability
from kmslab.model.naming import ENCRYPTION_CONTEXT, alias_name
from kmslab.model.persona import ROLES, Persona

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kmslab.access.reading import Identity, Key, Reading
    from kmslab.lab import Lab

GUIDE = "03-key-policies"
PEOPLE = "01-orientation"
ADMINISTRATOR, OWNER, OPERATOR = Persona.KEY_ADMINISTRATOR, Persona.DATA_OWNER, Persona.OPERATOR

ALIAS_OPERATIONS = ("CreateAlias", "UpdateAlias", "DeleteAlias")
ENDING = ("ScheduleKeyDeletion", "DisableKey", "DeleteImportedKeyMaterial")
"""What makes data unreadable, for a while or for good."""
IMPORTING = ("ImportKeyMaterial", "GetParametersForImport")
USING = ("Decrypt", "GenerateDataKey", "ReEncryptFrom")
REWRITING = (
    "iam:AttachRolePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
)
"""What changes a role's permissions, or who may take it."""
REWRITING_POLICIES = ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion")
TAGS_OR_ALIASES = ("aws:resourcetag/", "kms:resourcealiases", "kms:requestalias")
"""Condition keys, as they begin, that look at what hangs on a key instead of the key."""
SENSITIVE = (*USING, "Encrypt", "Sign", "GenerateMac", "DeriveSharedSecret", "CreateGrant", "PutKeyPolicy")


@check(guide=GUIDE, needs=DECIDING, changes_keys=True)
def nobody_rewrites_a_key_policy(lab: Lab) -> str:
    """Only CloudFormation and the root user can put a key policy, with any key of the lab.

    Whoever may put a policy may write themselves into it; administrators of the account are in no way
    different. Computed for everybody and every key; each persona and the operator then try to put the policy
    that the app key already has. The operator puts a policy on a key of their own first.
    """
    found = read_policies(lab)
    count = _only_the_meant(lab, found, "PutKeyPolicy", found.keys)
    put_own_policy(lab)
    app = lab.outputs.key_app
    policy = read_once(lab, "kms:GetKeyPolicy", KeyId=app, PolicyName="default")["Policy"]
    for persona in Persona:
        lab.refused(
            persona, "kms:PutKeyPolicy", by="kms:PutKeyPolicy", KeyId=app, PolicyName="default", Policy=policy
        )
    return f"{count} questions about PutKeyPolicy; {len(Persona)} principals tried and were refused"


@check(guide=GUIDE, needs=DECIDING | {Capability.GRANTS, Capability.CONDITION_KEYS})
def nobody_grants_a_key_away(lab: Lab) -> str:
    """Nobody can create a grant without limits, or one for themselves, with any key of the lab.

    A grant stands beside the key policy, and nobody who reviews policies sees it. Asked for: a grant for
    oneself and one for the outsider without a constraint, and one for oneself within the lab's encryption
    context. The data owner's narrow grant for the reader passes as a dry run; the same without its constraint
    is refused to everybody.
    """
    found = read_policies(lab)
    outsider = lab.outputs.role_outsider
    count = 0
    for key in found.keys:
        for identity in _not_meant(found):
            for grantee, context in ((identity.arn, {}), (outsider, {}), (identity.arn, ENCRYPTION_CONTEXT)):
                step = questions.on_key(found, "CreateGrant", key, grantee=grantee, context=context)
                count += 1
                lab.expect(
                    not questions.who(found, [identity], step),
                    f"{identity.name} may grant the key {key.name} to {grantee.rpartition('/')[2]} "
                    f"with{'' if context else 'out'} a constraint: {_why(found, identity, step)}",
                )
    call: dict[str, Any] = {
        "KeyId": lab.outputs.key_app,
        "GranteePrincipal": lab.outputs.role_data_reader,
        "Operations": ["Decrypt"],
        "DryRun": True,
    }
    narrow = {"EncryptionContextEquals": ENCRYPTION_CONTEXT}
    lab.allowed(OWNER, "kms:CreateGrant", Constraints=narrow, **call)
    for persona in Persona:
        lab.refused(persona, "kms:CreateGrant", by="kms:CreateGrant", **call)
    return f"{count} questions about CreateGrant; {len(Persona)} principals tried and were refused"


@check(guide=GUIDE, needs=DECIDING)
def nobody_turns_an_alias(lab: Lab) -> str:
    """Only CloudFormation and the root user can make, turn or delete an alias of the lab's keys.

    Applications name a key by its alias. Whoever turns it lets them encrypt under a key of their own choice;
    whoever deletes it stops them. It takes the permission on the alias, which IAM gives, and on the key,
    which the key policy reserves. Each persona and the operator then try to point the app key's alias to
    where it points already.
    """
    found = read_policies(lab)
    count = 0
    for key in found.keys:
        for operation in ALIAS_OPERATIONS:
            steps = roles.on_alias(found, operation, key)
            count += _nobody(lab, found, _not_meant(found), steps, f"{operation} with the key {key.name}")
    app = lab.outputs.key_app
    lab.allowed(ADMINISTRATOR, "kms:DescribeKey", KeyId=app)
    for persona in Persona:
        lab.refused(
            persona,
            "kms:UpdateAlias",
            by="kms:UpdateAlias",
            unproven_is_fine=True,
            AliasName=alias_name(lab.prefix, "app"),
            TargetKeyId=app,
        )
    return f"{count} questions about aliases; {len(Persona)} principals tried and were refused"


@check(guide=GUIDE, needs=DECIDING)
def nobody_replicates_a_key(lab: Lab) -> str:
    """Only CloudFormation and the root user can replicate a key, or make a replica the primary.

    A replica has the same key material under a policy that its maker writes. Computed for every key, also for
    those of one Region: a permission that waits is found before there is a multi-Region key. Each persona and
    the operator then try with the app key, which cannot be replicated: refused must be the permission, not
    the kind of key.
    """
    found = read_policies(lab)
    count = _only_the_meant(lab, found, "ReplicateKey", found.keys)
    count += _only_the_meant(lab, found, "UpdatePrimaryRegion", found.keys)
    app = lab.outputs.key_app
    lab.allowed(ADMINISTRATOR, "kms:DescribeKey", KeyId=app)
    for persona in Persona:
        lab.refused(
            persona,
            "kms:ReplicateKey",
            by="kms:ReplicateKey",
            unproven_is_fine=True,
            KeyId=app,
            ReplicaRegion=other_region(lab),
        )
    return f"{count} questions about replicas; {len(Persona)} principals tried and were refused"


@check(guide=GUIDE, needs=DECIDING | {Capability.IMPORTED_MATERIAL})
def who_imports_does_not_use(lab: Lab) -> str:
    """Whoever imports key material cannot use the key, and whoever uses the key cannot import.

    Who imports material knows it: they could decrypt without KMS, and a user who imports could put
    material of their own choice under data to come. Importing is the key administrator's, computed for
    everybody in the account.
    """
    found = read_policies(lab)
    key = found.key("imported")
    for operation in IMPORTING:
        step = questions.on_key(found, operation, key)
        for identity in questions.who(found, _not_meant(found), step):
            lab.expect(
                identity.name == ADMINISTRATOR,
                f"{identity.name} may {operation}: {_why(found, identity, step)}",
            )
            using = [u for u in USING if questions.who(found, [identity], questions.on_key(found, u, key))]
            lab.expect(
                not using, f"{identity.name} may {operation} and {', '.join(using)}: both with one key"
            )
    importers = questions.who(found, found.personas, questions.on_key(found, IMPORTING[0], key))
    if not importers:
        raise Inconclusive("by the policies nobody may import key material, so that no refusal counts")
    return "the key administrator imports and cannot use the key; nobody else imports"


@check(guide=GUIDE, needs=DECIDING)
def access_hangs_on_no_tag_or_alias(lab: Lab) -> str:
    """No policy gives the use of keys by their tags or aliases.

    Such a statement (aws:ResourceTag, kms:ResourceAliases) makes a user of the key of everybody who may tag
    it or name it. In the lab the key administrator tags keys, and must not use them. Looking at a key's
    description is not use: the auditor's statement about aws/ aliases stays.
    """
    found = read_policies(lab)
    statements = list(roles.allowing_statements(found))
    lab.expect(statements, "no policy allows anything")
    taggers = {
        identity.name
        for key in found.keys
        for identity in questions.who(found, _not_meant(found), questions.on_key(found, "TagResource", key))
    }
    for policy, statement in statements:
        hanging = [
            condition.key
            for condition in statement.conditions
            if condition.key.lower().startswith(TAGS_OR_ALIASES) and condition.comparison != "null"
        ]
        given = [one for one in SENSITIVE if statement.covers(f"kms:{one}")]
        lab.expect(
            not hanging or not given,
            f"statement {statement.label} of the {policy} gives {', '.join(given)} by {', '.join(hanging)}; "
            f"keys can be tagged by {', '.join(sorted(taggers)) or 'CloudFormation alone'}",
        )
    return f"{len(statements)} allowing statements: none gives the use of a key by tag or alias"


@check(
    guide=PEOPLE, needs={Capability.IAM}, controls=("prowler:iam_inline_policy_allows_privilege_escalation",)
)
def no_role_leads_to_another(lab: Lab) -> str:
    """From no persona, and from nobody who is not an administrator, does a role lead to a persona's role.

    Roles are followed as far as they go: who may assume a role that may assume another. Everybody but the
    account's administrators must end where they began. The administrators may take a persona's role by
    design; that is how the lab is verified, and CloudTrail has it in writing.
    """
    found = read_policies(lab)
    personas = {identity.name for identity in found.personas}
    reachable = roles.reachable(found)
    lab.expect(
        any(personas & reached for reached in reachable.values()),
        "by the policies nobody at all could become a persona",
    )
    for identity in _ordinary(found):
        reached = sorted((reachable[identity.arn] & personas) - {identity.name})
        lab.expect(not reached, f"{identity.name} can become {', '.join(reached)}")
    by_design = [identity.name for identity in found.identities if reachable[identity.arn] & personas]
    return f"{len(list(_ordinary(found)))} principals lead nowhere; by design: {', '.join(by_design)}"


@check(guide=PEOPLE, needs={Capability.IAM})
def nobody_rewrites_a_persona(lab: Lab) -> str:
    """Nobody but the account's administrators can change what a persona may do, or who may take its role.

    Attaching or writing a policy, making a new version of one, widening the trust, taking a boundary off:
    each makes somebody who is not meant a user of keys, without any key policy being touched. Each persona
    then tries to write the trust policy that the data owner's role already has.
    """
    found = read_policies(lab)
    count = 0
    for identity in found.personas:
        for action in REWRITING:
            step = roles.on_identity(found, action, identity.arn)
            count += _nobody(lab, found, _ordinary(found), [step], f"{action} on {identity.name}")
        for policy in identity.managed:
            for action in REWRITING_POLICIES:
                step = roles.on_identity(found, action, policy)
                count += _nobody(lab, found, _ordinary(found), [step], f"{action} on {policy}")
    lab.expect(count, "there is no persona to ask about")
    role = lab.outputs.role_data_owner.rpartition("/")[2]
    document = roles.document_of(role_named(lab, role))
    for persona in ROLES:
        lab.refused(
            persona,
            "iam:UpdateAssumeRolePolicy",
            unproven_is_fine=True,
            RoleName=role,
            PolicyDocument=document,
        )
    return f"{count} questions about the personas' roles; {len(ROLES)} personas tried and were refused"


@check(guide=PEOPLE, needs={Capability.IAM})
def no_service_is_handed_a_persona(lab: Lab) -> str:
    """No persona's role can be given to an AWS service to act with.

    A function or an instance that runs under a role has all its permissions, and who may pass the role
    (iam:PassRole) and start it has them too. The personas' roles trust no service, and nobody but the
    account's administrators may pass them.
    """
    found = read_policies(lab)
    count = 0
    for identity in found.personas:
        services = roles.trusted_services(identity)
        lab.expect(not services, f"the role of {identity.name} can be taken by {', '.join(services)}")
        step = roles.on_identity(found, "iam:PassRole", identity.arn)
        count += _nobody(lab, found, _ordinary(found), [step], f"iam:PassRole on {identity.name}")
    lab.expect(count, "there is no persona to ask about")
    return f"{len(found.personas)} roles trust no service; {count} questions about iam:PassRole"


@check(guide=PEOPLE, needs=DECIDING)
def the_admin_user_cannot_widen_anything(lab: Lab) -> str:
    """The admin user, who may do nearly everything, can give no key and no role to anybody.

    What the boundary stops: writing or attaching policies to roles and users without it, taking it off,
    widening a role's trust, making credentials for others. What the key policies stop: using a key, putting a
    policy, granting, naming. Both are computed with MFA. What is left by design: the admin user may take a
    persona's role, which the trail records.
    """
    found = read_policies(lab)
    user = next(
        (one for one in found.identities if one.arn.endswith(f":user/{lab.outputs.admin_user}")), None
    )
    if user is None:
        raise Inconclusive("the account has no admin user")
    stopped = 0
    for identity in found.personas:
        for action in REWRITING:
            if action not in ("iam:DetachRolePolicy", "iam:DeleteRolePolicy"):  # which only take away
                step = roles.on_identity(found, action, identity.arn)
                stopped += _nobody(lab, found, [user], [step], f"{action} on {identity.name}")
    for key in found.keys:
        for operation in ("PutKeyPolicy", "CreateGrant", "Decrypt", "Sign"):
            if means_something(operation, key):
                step = questions.on_key(found, operation, key)
                stopped += _nobody(lab, found, [user], [step], f"{operation} with the key {key.name}")
    left = questions.who(found, [user], roles.on_identity(found, "iam:ListUsers", "*"))
    lab.expect(left, f"{user.name} is no administrator: the boundary is not what stops them")
    return f"{user.name} administers the account; {stopped} ways to widen an access are stopped"


@check(guide=GUIDE, needs=DECIDING, controls=("KMS.3", "prowler:kms_cmk_not_deleted_unintentionally"))
def only_the_administrator_ends_a_key(lab: Lab) -> str:
    """Only the key administrator can disable a key or schedule its deletion.

    CloudFormation and the root user aside, who made the key and who is the way back in. Without a key the
    data is gone as surely as if it were deleted. Those who use a key, and the account's administrators,
    cannot end it; the key administrator, who can, reads nothing of what would be lost.
    """
    found = read_policies(lab)
    count = 0
    for key in found.keys:
        for operation in ENDING:
            if not means_something(operation, key):
                continue
            step = questions.on_key(found, operation, key)
            others = [one for one in _not_meant(found) if one.name != ADMINISTRATOR]
            count += _nobody(lab, found, others, [step], f"{operation} with the key {key.name}")
    first = questions.on_key(found, "DisableKey", found.keys[0])
    if ADMINISTRATOR not in {one.name for one in questions.who(found, found.personas, first)}:
        raise Inconclusive("by the policies not even the key administrator may disable a key")
    return f"{count} questions: the key administrator alone ends keys"


# --- who is asked about


def _not_meant(found: Reading) -> list[Identity]:
    """Everybody for whom the ways through keys are not meant: all but the bootstrap's roles, and anyone at all."""
    return [*(one for one in found.identities if not one.deploys), *questions.anyone(found)]


def _ordinary(found: Reading) -> Iterator[Identity]:
    """Everybody for whom the ways through IAM are not meant: who is no administrator of the account."""
    return (
        one
        for one in found.identities
        if not one.deploys and not one.administers_the_account and one.name != OPERATOR
    )


def _only_the_meant(lab: Lab, found: Reading, operation: str, keys: Iterable[Key]) -> int:
    """Expect that CloudFormation and the root user alone have a permission; returns how many were asked about.

    Raises:
        Inconclusive: nobody has it with any key, so that no refusal counts.
    """
    count, meant = 0, False
    for key in keys:
        step = questions.on_key(found, operation, key)
        count += _nobody(lab, found, _not_meant(found), [step], f"{operation} with the key {key.name}")
        meant = meant or bool(questions.who(found, [found.root], step))
    if not meant and operation == "PutKeyPolicy":
        raise Inconclusive(f"by the policies not even the root user may {operation}")
    return count


def _nobody(
    lab: Lab, found: Reading, identities: Iterable[Identity], steps: list[questions.Step], what: str
) -> int:
    """Expect that none of them has all the permissions; returns how many they are."""
    asked = list(identities)
    for identity in questions.who(found, asked, *steps):
        lab.expect(False, f"{identity.name} may {what}: {_why(found, identity, *steps)}")  # noqa: FBT003  # the condition
    return len(asked)


def _why(found: Reading, identity: Identity, *steps: questions.Step) -> str:
    return questions.ask(found, identity, steps).reason
