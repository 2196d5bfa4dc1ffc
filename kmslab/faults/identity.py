"""Faults of identities: the admin user breaks free, a persona becomes more than it is, strangers come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.change import Both
from kmslab.faults.changes.identity import (
    ADMIN,
    ADMINISTRATORS,
    AWS_POLICY,
    AdminAccessKey,
    AdminBoundary,
    AdminInNoGroup,
    Attached,
    Detached,
    InlinePolicy,
    PasswordKept,
    SecondAdministrator,
    role_of,
)
from kmslab.faults.changes.policies import (
    ManagedPolicy,
    RoleTrust,
    allow,
    drop_actions,
    nothing_but,
    role,
)
from kmslab.faults.changes.statements import (
    A_STRANGER,
    THE_ACCOUNT,
    change_operator,
    drop,
    drop_conditions,
    replace,
)
from kmslab.faults.noticing import KEYS_IN_IAM, WIDENS
from kmslab.faults.registry import fault
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "01-orientation"
BOUNDARY = "AdminBoundaryPolicy"
MFA = "RequireMfa"
"""Policies in the template of the identity stack."""
TRUST = "BecomeThisPersona"
NO_KEYS = "identity.the-admin-is-a-user-without-access-keys"
FROM_GROUP = "identity.admin-rights-come-from-a-group"
BOUND = "identity.the-admin-has-a-boundary"
PROTECTED = "identity.the-boundary-protects-itself"
STAYS = "identity.iam-says-the-boundary-stays"
WITHOUT_MFA = "identity.nothing-without-mfa"
SAYS_NO = "identity.iam-says-no-without-mfa"
PASSWORD = "identity.the-first-password-is-temporary"  # noqa: S105  # the name of a check
ASSUMED = "identity.every-persona-can-be-assumed"
NO_OTHER = "identity.no-persona-becomes-another"
NOTHING = "identity.the-outsider-can-do-nothing"
THIS_ACCOUNT = "identity.roles-trust-this-account-only"
NO_SERVICE = "escalation.no-service-is-handed-a-persona"
LEADS = "escalation.no-role-leads-to-another"
REWRITES = "escalation.nobody-rewrites-a-persona"
AS_EVERY_PERSONA = (
    "access.the-matrix-holds",
    "escalation.nobody-",
    "imported.only-the-administrator-brings-material",
    "signing.",
)
"""Checks that act as every persona, or as the signer: they cannot where nobody can become the signer."""


@fault(guide=GUIDE, noticed_by=(NO_KEYS,))
def the_admin_has_an_access_key() -> Change:
    """The admin user has an access key.

    For a script that should have assumed a role. It does not expire, knows no second factor, and ends in a
    shell history, an image or a repository, as most leaked credentials did.
    """
    return AdminAccessKey()


@fault(guide=GUIDE, noticed_by=(BOUND, STAYS, WIDENS))
def the_admin_has_no_boundary() -> Change:
    """The admin user has no permissions boundary.

    It was in the way when a role had to be made without one. Nothing limits the user now, nor what the
    user makes.
    """
    return AdminBoundary()


@fault(guide=GUIDE, noticed_by=(BOUND, STAYS, WIDENS))
def the_admin_has_a_boundary_that_bounds_nothing() -> Change:
    """The admin user's permissions boundary is AdministratorAccess.

    A boundary is there, and every check that asks only for that is content. It allows everything and denies
    nothing, taking itself off included.
    """
    return AdminBoundary(f"{AWS_POLICY}AdministratorAccess")


@fault(guide=GUIDE, noticed_by=(PROTECTED, STAYS))
def the_boundary_can_be_edited() -> Change:
    """The boundary no longer denies the admin user to edit it.

    The statement went when the boundary itself had to be changed. From now on the user adds a version of the
    policy that denies nothing, and is free.
    """
    return ManagedPolicy(BOUNDARY, drop("LeaveTheBoundaryAsItIs"))


@fault(guide=GUIDE, noticed_by=(PROTECTED, STAYS))
def the_boundary_can_be_taken_off() -> Change:
    """The boundary no longer denies the admin user to take it off.

    One action is missing in a list of two. Whoever reads the boundary sees four statements that deny, and all
    of them hold until the user takes them off together.
    """
    return ManagedPolicy(
        BOUNDARY, drop_actions("NeverTakeTheBoundaryOff", "iam:DeleteUserPermissionsBoundary")
    )


@fault(guide=GUIDE, noticed_by=(PROTECTED, WIDENS))
def the_boundary_can_be_replaced() -> Change:
    """The boundary lets the admin user put another boundary on, and make users and roles without one.

    It cannot be taken off, which is what everybody thinks of. It can be replaced by one that denies nothing,
    or the user makes a second user, who has none.
    """
    return ManagedPolicy(BOUNDARY, drop("NobodyWithoutTheBoundary"))


@fault(guide=GUIDE, noticed_by=(FROM_GROUP,))
def the_admin_has_a_policy_of_its_own() -> Change:
    """The admin user has a policy of its own beside those of the group.

    Whoever wants to know what administrators may looks at the group, and taking somebody out of the group is
    thought to take every right away. This one stays.
    """
    return InlinePolicy(ADMIN, allow("Buckets", "s3:*", on="*"))


@fault(guide=GUIDE, noticed_by=(FROM_GROUP,))
def the_admin_has_a_policy_attached() -> Change:
    """A policy is attached to the admin user and not to the group.

    It gives nothing that the group does not give. On the day on which the user leaves the group it does.
    """
    return Attached(ADMIN, f"{AWS_POLICY}PowerUserAccess")


@fault(guide=GUIDE, noticed_by=(FROM_GROUP, WITHOUT_MFA, SAYS_NO, STAYS, WIDENS))
def the_admin_is_in_no_group() -> Change:
    """The admin user is in no group.

    Removed in a clean-up of groups. With the group the user lost its rights, and the policy that demands MFA.
    """
    return AdminInNoGroup()


@fault(guide=GUIDE, noticed_by=(FROM_GROUP,))
def somebody_else_is_an_administrator() -> Change:
    """A user whom nobody knows is in the group of administrators.

    A contractor's account that nobody deleted, or an attacker's way back. The user has all rights of the
    group, and no permissions boundary.
    """
    return SecondAdministrator()


@fault(guide=GUIDE, noticed_by=(WITHOUT_MFA, SAYS_NO))
def mfa_is_not_demanded() -> Change:
    """The group of administrators no longer demands MFA.

    The policy was detached for somebody who had lost their device, and not attached again. A password is now
    all that it takes.
    """
    return Detached(ADMINISTRATORS, MFA)


@fault(guide=GUIDE, noticed_by=(WITHOUT_MFA, SAYS_NO))
def access_keys_need_no_mfa() -> Change:
    """MFA is demanded with Bool in place of BoolIfExists.

    In the console nothing changes. Requests signed with an access key do not say whether there was MFA: Bool
    does not match, and the statement that denies is passed over.
    """
    edit = change_operator("WithoutMfaOnlySetItUp", "BoolIfExists", "Bool")
    return ManagedPolicy(MFA, edit)


@fault(guide=GUIDE, noticed_by=(WITHOUT_MFA, SAYS_NO))
def only_some_actions_need_mfa() -> Change:
    """Without MFA only IAM is denied.

    A list of the dangerous actions in place of the list of the harmless ones. Whatever is not in the list is
    allowed: that is every other service, and every action that AWS adds.
    """
    statement = {
        **allow("WithoutMfaOnlySetItUp", "iam:*", on="*"),
        "Effect": "Deny",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }
    return ManagedPolicy(MFA, nothing_but(statement))


@fault(guide=GUIDE, noticed_by=(PASSWORD,))
def the_first_password_may_be_kept() -> Change:
    """The admin user may keep the first password.

    It lies in a secret that others can read. It was to be good for one sign-in, and is now good for ever.
    """
    return PasswordKept()


@fault(guide=GUIDE, noticed_by=(ASSUMED, THIS_ACCOUNT, NO_SERVICE), also=AS_EVERY_PERSONA)
def nobody_can_become_the_signer() -> Change:
    """The signer's role trusts a service, and nobody else.

    The trust policy was copied from the role of an instance. Nobody can sign any more, and instances may, if
    somebody passes them the role.
    """
    trust = allow("Service", "sts:AssumeRole", to={"Service": "ec2.amazonaws.com"}, on=None)
    return RoleTrust(Persona.SIGNER, nothing_but(trust))


@fault(guide=GUIDE, noticed_by=(THIS_ACCOUNT, LEADS))
def everybody_can_become_the_signer() -> Change:
    """The signer's role trusts everybody, of any account.

    A wildcard, to try something out. Whoever knows the role's ARN signs in our name, and ARNs are no secrets.
    """
    return RoleTrust(Persona.SIGNER, replace(TRUST, Principal={"AWS": "*"}))


@fault(guide=GUIDE, noticed_by=(THIS_ACCOUNT,))
def another_account_can_become_the_reader() -> Change:
    """The data reader's role trusts another account too.

    A partner was to read the reports, without an external id and without an end. Who in the other account
    may become our reader is now decided there.
    """
    principal = {"AWS": [THE_ACCOUNT["AWS"], A_STRANGER["AWS"]]}
    return RoleTrust(Persona.DATA_READER, replace(TRUST, Principal=principal))


@fault(guide=GUIDE, noticed_by=(THIS_ACCOUNT, NO_SERVICE))
def a_function_can_become_the_owner() -> Change:
    """The data owner's role trusts AWS Lambda too.

    Whoever may make functions and pass this role runs their own code as the data owner: no password, no MFA,
    and in the trail it is the function that reads.
    """
    principal = {"AWS": THE_ACCOUNT["AWS"], "Service": "lambda.amazonaws.com"}
    return RoleTrust(Persona.DATA_OWNER, replace(TRUST, Principal=principal))


@fault(guide=GUIDE, noticed_by=(NO_OTHER, LEADS, THIS_ACCOUNT))
def the_outsider_can_become_the_owner() -> Change:
    """The outsider can become the data owner.

    The role's trust policy names the outsider's role. A trust policy that names a role needs no identity
    policy beside it: an outsider without a single permission has all of the owner's, one call later.
    """
    principal = {"AWS": [role(Persona.OUTSIDER), THE_ACCOUNT["AWS"]]}
    trust = allow(TRUST, "sts:AssumeRole", to=principal, on=None)
    return RoleTrust(Persona.DATA_OWNER, nothing_but(trust))


@fault(guide=GUIDE, noticed_by=(THIS_ACCOUNT,))
def the_roles_no_longer_keep_each_other_out() -> Change:
    """The data owner's role no longer keeps the other personas out.

    The condition looked useless: no persona may assume roles anyway. It holds on the day on which one gets a
    policy that allows sts:AssumeRole, and such policies are everywhere.
    """
    return RoleTrust(Persona.DATA_OWNER, drop_conditions(TRUST, "ArnNotEquals"))


@fault(guide=GUIDE, noticed_by=(NO_OTHER, LEADS, THIS_ACCOUNT))
def the_storage_operator_becomes_whom_they_like() -> Change:
    """The storage operator may assume every role, and the data owner's role lets them.

    Two small changes by two people: one allowed sts:AssumeRole on everything for a tool, the other took the
    exceptions out of a trust policy. Together they end the separation of duties.
    """
    operator = Persona.STORAGE_OPERATOR
    return Both(
        RoleTrust(Persona.DATA_OWNER, drop_conditions(TRUST, "ArnNotEquals")),
        InlinePolicy(role_of(operator), allow("Tool", "sts:AssumeRole", on="*")),
    )


@fault(guide=GUIDE, noticed_by=(NOTHING,))
def the_outsider_sees_buckets() -> Change:
    """The outsider may list the account's buckets.

    "Only the names." Names tell what there is to look for, and the next permission is easier to get.
    """
    return InlinePolicy(role_of(Persona.OUTSIDER), allow("Names", "s3:ListAllMyBuckets", on="*"))


@fault(guide=GUIDE, noticed_by=(NOTHING, *KEYS_IN_IAM))
def the_outsider_may_decrypt_with_every_key() -> Change:
    """The outsider may decrypt with every key that lets IAM decide.

    The lab's keys do not, or only through a service, so nothing opens here. Somebody else's key in the
    account, with the default key policy, does.
    """
    return InlinePolicy(role_of(Persona.OUTSIDER), allow("Decrypt", "kms:Decrypt", on="*"))


@fault(
    guide=GUIDE,
    noticed_by=(NOTHING, *KEYS_IN_IAM, REWRITES, "secrets.secure-string-needs-the-key"),
)
def the_outsider_is_an_administrator() -> Change:
    """AdministratorAccess is attached to the outsider's role.

    The wrong role was chosen from a list. Where a key policy leaves the decision to IAM this is all that it
    takes; where it names its users even an administrator reads nothing.
    """
    return Attached(role_of(Persona.OUTSIDER), f"{AWS_POLICY}AdministratorAccess")


@fault(guide=GUIDE, noticed_by=KEYS_IN_IAM)
def the_storage_operator_may_use_every_key() -> Change:
    """The storage operator may do kms:* with every key.

    Copied from an example for working with encrypted volumes. Storage and keys in one hand is what the lab is
    to prevent; here it is the key policies alone that still do.
    """
    return InlinePolicy(role_of(Persona.STORAGE_OPERATOR), allow("Keys", "kms:*", on="*"))


@fault(guide=GUIDE, noticed_by=KEYS_IN_IAM)
def the_reader_may_decrypt_with_every_key() -> Change:
    """The data reader may decrypt with every key that lets IAM decide.

    The key was replaced, the reader could not read, and the resource became a star so that it would not
    happen again.
    """
    return InlinePolicy(role_of(Persona.DATA_READER), allow("ReadThroughS3", "kms:Decrypt", on="*"))


@fault(guide=GUIDE, noticed_by=(NO_SERVICE,))
def the_administrator_may_pass_roles() -> Change:
    """The key administrator may pass every role to a service, and make functions.

    Neither is about keys. Together they run code as any role that a service may become.
    """
    return InlinePolicy(
        role_of(Persona.KEY_ADMINISTRATOR), allow("Automation", "iam:PassRole", "lambda:*", on="*")
    )


@fault(guide=GUIDE, noticed_by=(REWRITES,))
def the_storage_operator_administers_identities() -> Change:
    """The storage operator may change the policies of roles.

    To mend a role at night, without waiting for somebody. Whoever may write policies has every permission that
    a policy can give: it only takes a call more.
    """
    statement = allow(
        "Roles", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", on="*"
    )
    return InlinePolicy(role_of(Persona.STORAGE_OPERATOR), statement)
