"""Faults of key policies: too many are let in, conditions are missing, or the policy is out of our hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmslab.faults.changes.policies import KeyPolicy, allow, nothing_but, role
from kmslab.faults.changes.statements import (
    A_STRANGER,
    EVERYBODY,
    THE_ACCOUNT,
    add,
    drop,
    drop_conditions,
    replace,
)
from kmslab.faults.noticing import (
    CONTEXT,
    CONTEXT_DECIDES,
    DELEGATED,
    GRANTED_AWAY,
    LIMITS,
    LIMITS_DECIDE,
    MATRIX_OF_S3,
    NEW_VOLUMES,
    NOBODY_ELSE,
    SERVICES,
    STORING,
    WAYS_UP,
    WIDENS,
    WITHOUT_CONTEXT,
)
from kmslab.faults.registry import fault
from kmslab.model.outputs import LabOutputs
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.faults.change import Change

GUIDE = "03-key-policies"
PUBLIC = "key-policies.no-key-is-public"
ADMINISTRATION = "key-policies.administration-is-not-delegated-to-iam"
REWRITE = "key-policies.iam-alone-cannot-rewrite-the-policy"
DECRYPT = "key-policies.iam-alone-cannot-decrypt"
THROUGH_S3 = "key-policies.the-s3-key-works-through-s3-only"
ONE_TRAIL = "key-policies.the-trail-key-serves-one-trail"
DEPUTY = "access.services-use-the-trail-key-for-the-lab-only"


@fault(
    guide=GUIDE,
    noticed_by=(
        ADMINISTRATION,
        DELEGATED,
        CONTEXT,
        LIMITS,
        REWRITE,
        DECRYPT,
        CONTEXT_DECIDES,
        LIMITS_DECIDE,
        NOBODY_ELSE,
        WITHOUT_CONTEXT,
        "grants.a-grantee-cannot-pass-it-on",
        *WAYS_UP,
    ),
)
def the_default_policy_is_back() -> Change:
    """The app key has KMS's default key policy again.

    Whoever makes a key without a policy gets this one, and many templates write it out: the account's root may
    do kms:*. It does not mean the root user. It means that IAM decides, so everybody in the account with
    kms:* in an identity policy decrypts, and rewrites the policy.
    """
    return KeyPolicy(
        LabOutputs.key_app, nothing_but(allow("EnableIAMUserPermissions", "kms:*", to=THE_ACCOUNT))
    )


@fault(
    guide=GUIDE, noticed_by=(ADMINISTRATION, DELEGATED, SERVICES, LIMITS, THROUGH_S3, NOBODY_ELSE, *WAYS_UP)
)
def a_statement_for_the_account_is_added() -> Change:
    """A statement "Enable IAM User Permissions" was added to the policy of the data bucket's key.

    The console proposes it, and a scanner that compares with the default policy is content. All the other
    statements are still there, and mean nothing any more: what one statement allows no other takes away.
    """
    return KeyPolicy(LabOutputs.key_s3, add(allow("EnableIAMUserPermissions", "kms:*", to=THE_ACCOUNT)))


@fault(guide=GUIDE, noticed_by=(PUBLIC,))
def everybody_may_describe_a_key() -> Change:
    """Everybody, of any account, may look at the HMAC key.

    A wildcard principal, for one harmless action, put there while something was being tried. The next one who
    needs an action more adds it to the statement that works.
    """
    return KeyPolicy(LabOutputs.key_mac, add(allow("Debug", "kms:DescribeKey", to=EVERYBODY)))


@fault(guide=GUIDE, noticed_by=(PUBLIC, SERVICES))
def everybody_in_the_organization_may_decrypt() -> Change:
    """Every account of the organization may decrypt with the data bucket's key.

    The principal is a wildcard and one condition stands between the key and the world. Within the
    organization are sandboxes, acquired companies and contractors: whoever gets into one of them gets in here.
    """
    organization = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    statement = allow("ShareWithOurAccounts", "kms:Decrypt", to={"AWS": "*"}, when=organization)
    return KeyPolicy(LabOutputs.key_s3, add(statement))


@fault(guide=GUIDE, noticed_by=(PUBLIC, DELEGATED, CONTEXT))
def another_account_may_decrypt() -> Change:
    """Another account may decrypt with the app key.

    Put there for a data migration, or by somebody who prepares to copy the data out. From now on it is the
    administrators of the other account who decide which of their principals may use our key.
    """
    statement = allow("Migration", "kms:Decrypt", "kms:DescribeKey", to=A_STRANGER)
    return KeyPolicy(LabOutputs.key_app, add(statement))


@fault(guide=GUIDE, noticed_by=(PUBLIC, ADMINISTRATION, SERVICES, LIMITS, GRANTED_AWAY))
def a_user_of_another_account_may_create_grants() -> Change:
    """A user of another account may create grants on the volumes' key.

    No word of decrypting, so a search for Decrypt in the policies does not find it. A grant for Decrypt is
    one call away.
    """
    stranger = {"AWS": "arn:${AWS::Partition}:iam::444455556666:root"}
    statement = allow("Backup", "kms:CreateGrant", "kms:DescribeKey", to=stranger)
    return KeyPolicy(LabOutputs.key_ebs, add(statement))


@fault(guide=GUIDE, noticed_by=(THROUGH_S3, SERVICES))
def the_owner_uses_the_s3_key_without_s3() -> Change:
    """The data owner may use the data bucket's key without S3.

    The condition kms:ViaService was lost in a merge. Nothing fails: through S3 all is as before. Credentials
    of the owner that leak now open data keys anywhere, past the bucket policy and the access logs.
    """
    return KeyPolicy(LabOutputs.key_s3, drop_conditions("WriteAndReadThroughS3", "StringEquals"))


@fault(guide=GUIDE, noticed_by=(SERVICES,))
def the_reader_uses_the_s3_key_without_s3() -> Change:
    """The data reader may use the data bucket's key without S3.

    The condition kms:ViaService was removed from the reader's statement only, for a tool that decrypts by
    itself. A bucket policy that takes the object away from the reader no longer takes its data key away.
    """
    return KeyPolicy(LabOutputs.key_s3, drop_conditions("ReadThroughS3", "StringEquals"))


@fault(guide=GUIDE, noticed_by=(SERVICES,))
def the_owner_uses_the_ebs_key_without_ebs() -> Change:
    """The data owner may use the volumes' key without EBS.

    kms:ViaService was dropped from one statement, and with it the promise that this key encrypts volumes and
    nothing else.
    """
    return KeyPolicy(LabOutputs.key_ebs, drop_conditions("UseThroughEbs", "StringEquals", "kms:ViaService"))


@fault(guide=GUIDE, noticed_by=(LIMITS,))
def grants_on_the_ebs_key_need_no_aws_resource() -> Change:
    """The data owner may create any grant on the volumes' key through EBS.

    kms:GrantIsForAWSResource lets a service create the grant that it needs for its own resource, and nobody
    create another one. It looked redundant beside kms:ViaService, and was removed.
    """
    return KeyPolicy(LabOutputs.key_ebs, drop_conditions("LetEbsHoldAGrant", "Bool"))


@fault(guide=GUIDE, noticed_by=(DELEGATED, SERVICES, "secrets.key-of-secrets-opens-nothing-directly", WIDENS))
def the_secrets_key_is_delegated_without_a_service() -> Change:
    """IAM alone decides about the direct use of the secrets' key.

    Delegating to IAM is this key's pattern, and kms:ViaService is what makes it safe. Without the
    condition everybody with kms:Decrypt in an identity policy opens the data keys of all secrets.
    """
    sid = "UseThroughSecretsManagerAndParameterStoreIsForIamToDecide"
    return KeyPolicy(LabOutputs.key_secrets, drop_conditions(sid, "StringEquals", "kms:ViaService"))


@fault(guide=GUIDE, noticed_by=(DELEGATED, SERVICES))
def the_secrets_key_serves_any_service() -> Change:
    """The secrets' key may be used through any service of AWS.

    Somebody needed the key for one service more and wrote a pattern. Whoever may run a function, a queue or a
    database in the account can now have that service use the key for them.
    """
    sid = "UseThroughSecretsManagerAndParameterStoreIsForIamToDecide"
    condition = {
        "StringEquals": {"kms:CallerAccount": "${AWS::AccountId}"},
        "StringLike": {"kms:ViaService": "*.amazonaws.com"},
    }
    return KeyPolicy(LabOutputs.key_secrets, replace(sid, Condition=condition))


@fault(guide=GUIDE, noticed_by=(DELEGATED,))
def the_secrets_key_serves_callers_of_any_account() -> Change:
    """The secrets' key no longer asks from which account the caller comes.

    kms:CallerAccount beside kms:ViaService is the pattern of the AWS managed keys. With one half of it gone
    it is the principal alone that keeps other accounts out, and the next edit widens the principal.
    """
    sid = "UseThroughSecretsManagerAndParameterStoreIsForIamToDecide"
    return KeyPolicy(LabOutputs.key_secrets, drop_conditions(sid, "StringEquals", "kms:CallerAccount"))


@fault(guide=GUIDE, noticed_by=(DELEGATED, DECRYPT, NOBODY_ELSE))
def every_role_of_the_account_is_let_in() -> Change:
    """Every role of the account is let in where the app key's policy named the data owner.

    The role got a new name in every environment, so somebody wrote ArnLike and role/*. With the account as
    principal that leaves it to IAM, the lab's administrators included.
    """
    condition = {
        "ArnLike": {"aws:PrincipalArn": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*"},
        "StringEquals": {"kms:EncryptionContext:kmslab": "training"},
    }
    return KeyPolicy(LabOutputs.key_app, replace("UseWithTheEncryptionContext", Condition=condition))


@fault(guide=GUIDE, noticed_by=(DELEGATED, NOBODY_ELSE))
def the_owner_is_not_named_any_more() -> Change:
    """The statement that lets the data owner make codes names nobody.

    aws:PrincipalArn is what makes "the account" mean the owner. The condition was taken for a duplicate of
    the identity policy and removed.
    """
    return KeyPolicy(LabOutputs.key_mac, drop_conditions("MakeAndVerifyCodes", "ArnEquals"))


@fault(guide=GUIDE, noticed_by=(ONE_TRAIL, DEPUTY))
def any_trail_may_use_the_trail_key() -> Change:
    """CloudTrail may use the trail's key for any trail of any account.

    aws:SourceArn is missing: the confused deputy. A service acts for whoever asks it, so a stranger names our
    key in their trail, and CloudTrail encrypts for them at our cost and under our name.
    """
    return KeyPolicy(LabOutputs.key_trail, drop_conditions("EncryptLogFiles", "StringEquals"))


@fault(guide=GUIDE, noticed_by=(ONE_TRAIL,))
def trails_with_any_name_may_use_the_trail_key() -> Change:
    """CloudTrail may use the trail's key for every trail whose ARN looks like one.

    The source is compared with a pattern, in which the account is a star too. A check that only looks whether
    aws:SourceArn is there is content.
    """
    condition = {"StringLike": {"aws:SourceArn": "arn:${AWS::Partition}:cloudtrail:*:*:trail/*"}}
    return KeyPolicy(LabOutputs.key_trail, replace("LetCloudTrailDescribeTheKey", Condition=condition))


@fault(guide=GUIDE, noticed_by=(ONE_TRAIL,))
def cloudtrail_may_encrypt_anything() -> Change:
    """CloudTrail's use of the trail's key is no longer bound to log files.

    The condition on the encryption context was dropped. It says what the key is used for, beside for whom.
    """
    return KeyPolicy(LabOutputs.key_trail, drop_conditions("EncryptLogFiles", "StringLike"))


@fault(guide=GUIDE, noticed_by=(ONE_TRAIL, DEPUTY))
def eventbridge_may_use_the_trail_key_for_any_topic() -> Change:
    """EventBridge may use the trail's key for any topic, of any account.

    The alarm did not arrive and somebody removed the condition that names the topic. It arrives now, and so
    does every message that somebody else has EventBridge encrypt with our key.
    """
    return KeyPolicy(LabOutputs.key_trail, drop_conditions("LetEventBridgeAlarm", "StringEquals"))


@fault(guide=GUIDE, noticed_by=(ONE_TRAIL, WITHOUT_CONTEXT))
def the_auditor_decrypts_anything_through_s3() -> Change:
    """The auditor may decrypt whatever is under the trail's key, log file or not.

    The condition that demands CloudTrail's encryption context is gone. Whatever else is put under this key,
    the auditor reads it.
    """
    return KeyPolicy(LabOutputs.key_trail, drop_conditions("ReadLogFilesThroughS3", "Null"))


@fault(guide=GUIDE, noticed_by=("access.cloudformation-administers-every-key",))
def cloudformation_is_locked_out() -> Change:
    """CloudFormation can no longer administer the data bucket's key.

    Its role was removed from the key policy as a stranger: nobody knew who cdk-hnb659fds was. The next
    deployment fails, and so does tearing the lab down. Only the root user can put it back.
    """
    condition = {"ArnEquals": {"aws:PrincipalArn": THE_ACCOUNT["AWS"]}}
    return KeyPolicy(LabOutputs.key_s3, replace("AdministerThroughCloudFormation", Condition=condition))


@fault(guide=GUIDE, noticed_by=("escalation.nobody-rewrites-a-key-policy",))
def the_auditor_may_put_key_policies() -> Change:
    """The auditor may put the policy of the app key.

    Who found a wrong policy was to mend it at once. Whoever may put a policy may write themselves into it,
    so the one who audits is now the one to audit.
    """
    statement = allow("MendPolicies", "kms:PutKeyPolicy", to={"AWS": role(Persona.AUDITOR)})
    return KeyPolicy(LabOutputs.key_app, add(statement))


@fault(guide=GUIDE, noticed_by=(DELEGATED, CONTEXT, "escalation.access-hangs-on-no-tag-or-alias"))
def whoever_tags_a_key_uses_it() -> Change:
    """The app key may be used by everybody whose team is written in one of its tags.

    "Access by tags" saves changing policies. The key administrator sets tags, and was to have no way to the
    data; with kms:TagResource they now decide who has.
    """
    team = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    statement = allow("TeamsByTag", "kms:Decrypt", "kms:GenerateDataKey", to=THE_ACCOUNT, when=team)
    return KeyPolicy(LabOutputs.key_app, add(statement))


@fault(guide=GUIDE, noticed_by=(THROUGH_S3, *STORING), also=("s3.", MATRIX_OF_S3))
def nobody_writes_through_s3() -> Change:
    """The data owner may no longer use the data bucket's key, through S3 neither.

    The statement was lost in a merge. S3 answers AccessDenied with all its own policies in order: the error
    names kms:GenerateDataKey, if one reads it to the end.
    """
    return KeyPolicy(LabOutputs.key_s3, drop("WriteAndReadThroughS3"))


@fault(guide=GUIDE, noticed_by=("ebs.copy-changes-the-key", "ebs.copy-needs-the-key", *NEW_VOLUMES))
def nobody_uses_the_volumes_key() -> Change:
    """The data owner may no longer use the volumes' key through EBS.

    What is attached goes on working, since the instance holds the data key. On the next attachment the volume
    does not come up.
    """
    return KeyPolicy(LabOutputs.key_ebs, drop("UseThroughEbs"))


@fault(
    guide=GUIDE,
    noticed_by=(
        "secrets.only-the-owner-reads-the-secret",
        "secrets.disabled-key-locks-the-secret",
        "secrets.every-version-is-under-the-key",
        "secrets.secure-string-needs-the-key",
        "parameters.secure-strings-are-under-the-labs-key",
        "parameters.permission-on-a-parameter-is-not-enough",
        "parameters.without-decryption-there-is-ciphertext",
        "parameters.use-is-recorded-with-the-parameter",
        "audit.use-through-secrets-manager-names-both",
    ),
)
def nobody_uses_the_secrets_key() -> Change:
    """Nobody may use the secrets' key any more, through no service.

    The statement delegates to IAM, and a reviewer who had learnt that this is bad removed it. Every secret
    and every SecureString under the key is closed.
    """
    sid = "UseThroughSecretsManagerAndParameterStoreIsForIamToDecide"
    return KeyPolicy(LabOutputs.key_secrets, drop(sid))
