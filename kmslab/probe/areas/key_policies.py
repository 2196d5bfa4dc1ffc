"""Who may: key policies, identity policies, boundaries, session policies, and how they go together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import NOT_FOUND, VALIDATION
from kmslab.probe.model import probe
from kmslab.probe.samples import PLAINTEXT, alias_name
from kmslab.probe.sources import api, guide, iam

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

MALFORMED = "MalformedPolicyDocumentException"
EVALUATION = iam("reference_policies_evaluation-logic")


def _encrypt(key: str) -> dict[str, Any]:
    return {"KeyId": key, "Plaintext": PLAINTEXT}


def _own(bench: Bench, *actions: str) -> dict[str, Any]:
    """A statement for the operator alone, who stays in charge of a key that does not name the account."""
    who = {"AWS": bench.world.operator}
    return {"Effect": "Allow", "Principal": who, "Action": list(actions) or "kms:*", "Resource": "*"}


def _undelegated(bench: Bench, *statements: dict[str, Any]) -> str:
    """A key whose policy names the operator, and not the account."""
    return bench.key(Policy=bench.world.policy(_own(bench), *statements))


@probe(guide("key-policies"))
def a_key_policy_lets_in(bench: Bench) -> None:
    """A key policy alone can let a principal of the account in.

    The role without permissions encrypts with the key whose policy names it; another key is AccessDeniedException.
    """
    stranger = bench.world.stranger
    bench.works("Encrypt", stranger, **_encrypt(bench.key(bench.world.allow(stranger, "Encrypt"))))
    bench.denies("Encrypt", stranger, **_encrypt(bench.key()))


@probe(guide("key-policies"))
def a_key_policy_shuts_out(bench: Bench) -> None:
    """A denial in a key policy outweighs every permission in IAM.

    The operator, who may do everything in IAM, encrypts with one key and not with the other.
    """
    bench.works("Encrypt", **_encrypt(bench.key()))
    bench.denies("Encrypt", **_encrypt(bench.key(bench.world.deny("Encrypt"))))


@probe(guide("key-policy-default#key-policy-default-allow-root-enable-iam"))
def iam_needs_the_key_policy(bench: Bench) -> None:
    """Identity policies count for a key only if its policy names the account.

    With the default key policy the role with kms:* encrypts; with one that does not name the account it may not.
    """
    member = bench.world.member
    bench.works("Encrypt", member, **_encrypt(bench.key()))
    bench.denies("Encrypt", member, **_encrypt(_undelegated(bench)))


@probe(guide("iam-policies"))
def an_identity_policy_is_needed(bench: Bench) -> None:
    """Where the key policy hands the decision to IAM, an identity policy must allow.

    The role with kms:* encrypts with the key; the role without any permission may not.
    """
    key = bench.key()
    bench.works("Encrypt", bench.world.member, **_encrypt(key))
    bench.denies("Encrypt", bench.world.stranger, **_encrypt(key))


@probe(guide("iam-policies"))
def an_identity_policy_names_its_operations(bench: Bench) -> None:
    """An identity policy allows the operations that it names.

    A role with kms:Encrypt encrypts, and does not decrypt.
    """
    key = bench.key()
    role = bench.world.role(bench.world.identity("kms:Encrypt"))
    blob = bench.works("Encrypt", role, **_encrypt(key))["CiphertextBlob"]
    bench.denies("Decrypt", role, CiphertextBlob=blob, KeyId=key)


@probe(guide("cmks-in-iam-policies"))
def an_identity_policy_names_its_keys(bench: Bench) -> None:
    """An identity policy allows the keys that its Resource names.

    With that key the role encrypts; with another it is AccessDeniedException.
    """
    key, other = bench.key(), bench.key()
    role = bench.world.role({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key})
    bench.works("Encrypt", role, **_encrypt(key))
    bench.denies("Encrypt", role, **_encrypt(other))


@probe(guide("alias-authorization"))
def an_alias_in_a_resource_is_not_its_key(bench: Bench) -> None:
    """An alias in the Resource of a policy stands for the alias, not for its key.

    A role allowed for the key's ARN encrypts; one allowed for the ARN of its alias may not.
    """
    key, alias = bench.key(), alias_name(bench)
    bench.make("CreateAlias", AliasName=alias, TargetKeyId=key)
    allow: dict[str, Any] = {"Effect": "Allow", "Action": "kms:Encrypt"}
    right = bench.world.role({**allow, "Resource": key})
    wrong = bench.world.role({**allow, "Resource": f"{key.rpartition(':')[0]}:{alias}"})
    bench.works("Encrypt", right, **_encrypt(key))
    bench.denies("Encrypt", wrong, **_encrypt(key))


@probe(EVALUATION)
def a_denial_in_iam_outweighs_the_key_policy(bench: Bench) -> None:
    """An explicit denial in an identity policy outweighs a key policy that allows.

    Of two roles that the key policy names, the one whose identity policy denies may not encrypt.
    """
    deny: dict[str, Any] = {"Effect": "Deny", "Action": "kms:Encrypt", "Resource": "*"}
    closed, open_ = bench.world.role(deny), bench.world.stranger
    key = bench.key(bench.world.allow(closed, "Encrypt"), bench.world.allow(open_, "Encrypt"))
    bench.works("Encrypt", open_, **_encrypt(key))
    bench.denies("Encrypt", closed, **_encrypt(key))


@probe(iam("access_policies_boundaries"))
def a_boundary_limits_identity_policies(bench: Bench) -> None:
    """A permissions boundary limits what identity policies allow.

    A role with kms:* inside a boundary for kms:Encrypt encrypts, and does not make data keys.
    """
    world, key = bench.world, bench.key()
    role = world.role(world.identity("kms:*"), boundary=world.identity("kms:Encrypt"))
    bench.works("Encrypt", role, **_encrypt(key))
    bench.denies("GenerateDataKey", role, KeyId=key, KeySpec="AES_256")


@probe(iam("access_policies#policies_session"))
def a_session_policy_limits_the_session(bench: Bench) -> None:
    """A session policy limits what the role's policies allow for one session.

    A session with kms:Encrypt of a role with kms:* encrypts, and does not make data keys.
    """
    world, key = bench.world, bench.key()
    role = world.role(world.identity("kms:*"), session_policy=world.identity("kms:Encrypt"))
    bench.works("Encrypt", role, **_encrypt(key))
    bench.denies("GenerateDataKey", role, KeyId=key, KeySpec="AES_256")


@probe(iam("id_roles"))
def nobody_may_what_nobody_allows(bench: Bench) -> None:
    """Without a policy that allows, everything is denied.

    The operator lists the keys; the role without permissions may not.
    """
    bench.works("ListKeys")
    bench.denies("ListKeys", bench.world.stranger)


@probe(guide("key-policies"))
def a_denial_says_who_and_what(bench: Bench) -> None:
    """AccessDeniedException names the principal, the operation and the key, and why.

    The message of the role's refusal holds all three; the member's call works.
    """
    key, stranger = bench.key(), bench.world.stranger
    bench.works("Encrypt", bench.world.member, **_encrypt(key))
    message = bench.denies(
        "Encrypt", stranger, says="is not authorized to perform: kms:Encrypt", **_encrypt(key)
    )
    bench.sees("it names the role", stranger.arn.rpartition("/")[2] in message)
    bench.sees("it names the key", key in message)


@probe(api("PutKeyPolicy"))
def a_new_policy_decides_at_once(bench: Bench) -> None:
    """PutKeyPolicy replaces the whole key policy.

    The role that the first one lets in encrypts; after one without it may not.
    """
    world, stranger = bench.world, bench.world.stranger
    key = bench.key(world.allow(stranger, "Encrypt"))
    bench.works("Encrypt", stranger, **_encrypt(key))
    policy = world.policy(world.delegation)
    bench.works("PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy)
    bench.denies("Encrypt", stranger, **_encrypt(key))


@probe(guide("key-policy-modifying"))
def nobody_locks_himself_out(bench: Bench) -> None:
    """KMS refuses a key policy that would not let its author change it again.

    A policy without the caller is MalformedPolicyDocumentException; with BypassPolicyLockoutSafetyCheck it is taken.
    """
    world = bench.world
    policy = world.policy(world.allow(world.stranger, "Encrypt"))
    key = bench.key()
    request: dict[str, Any] = {"KeyId": key, "PolicyName": "default", "Policy": policy}
    bench.refuses(MALFORMED, "PutKeyPolicy", **request)
    # What is put past the check must not lock out the one who removes the key.
    after = world.policy(_own(bench, "kms:ScheduleKeyDeletion", "kms:DescribeKey"))
    bench.works(
        "PutKeyPolicy",
        KeyId=key,
        PolicyName="default",
        Policy=after,
        BypassPolicyLockoutSafetyCheck=True,
    )


@probe(guide("key-policy-modifying"))
def a_key_is_not_created_locked(bench: Bench) -> None:
    """CreateKey checks in the same way that the caller can change the policy again.

    A policy for another role is MalformedPolicyDocumentException; one with the caller makes a key.
    """
    world = bench.world
    bench.works("DescribeKey", KeyId=_undelegated(bench))
    bench.refuses(MALFORMED, "CreateKey", Policy=world.policy(world.allow(world.stranger, "Encrypt")))


@probe(api("PutKeyPolicy"))
def a_policy_must_be_json(bench: Bench) -> None:
    """A key policy is a JSON policy document.

    A document works; other text is MalformedPolicyDocumentException.
    """
    world, key = bench.world, bench.key()
    request: dict[str, Any] = {"KeyId": key, "PolicyName": "default"}
    bench.works("PutKeyPolicy", Policy=world.policy(world.delegation), **request)
    bench.refuses(MALFORMED, "PutKeyPolicy", Policy="no policy", **request)


@probe(api("PutKeyPolicy"))
def a_policy_names_principals_that_exist(bench: Bench) -> None:
    """The principals of a key policy must exist.

    A role that exists works; one that does not is MalformedPolicyDocumentException.
    """
    world, key = bench.world, bench.key()
    request: dict[str, Any] = {"KeyId": key, "PolicyName": "default"}
    there = world.allow(world.stranger, "Encrypt")
    bench.works("PutKeyPolicy", Policy=world.policy(world.delegation, there), **request)
    nobody: dict[str, Any] = {
        **there,
        "Principal": {"AWS": f"{world.root.rpartition(':')[0]}:role/kmslab-probe-nobody"},
    }
    bench.refuses(MALFORMED, "PutKeyPolicy", Policy=world.policy(world.delegation, nobody), **request)


@probe(api("PutKeyPolicy"))
def a_policy_has_a_principal(bench: Bench) -> None:
    """Every statement of a key policy names a principal.

    With one it works; without it is MalformedPolicyDocumentException.
    """
    world, key = bench.world, bench.key()
    request: dict[str, Any] = {"KeyId": key, "PolicyName": "default"}
    bench.works("PutKeyPolicy", Policy=world.policy(world.delegation), **request)
    without: dict[str, Any] = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}
    bench.refuses(MALFORMED, "PutKeyPolicy", Policy=world.policy(world.delegation, without), **request)


@probe(api("PutKeyPolicy"))
def the_only_policy_is_called_default(bench: Bench) -> None:
    """The one key policy of a key is called default.

    That name works; another is refused.
    """
    world = bench.world
    request: dict[str, Any] = {"KeyId": bench.key(), "Policy": world.policy(world.delegation)}
    bench.works("PutKeyPolicy", PolicyName="default", **request)
    bench.refuses((VALIDATION, NOT_FOUND), "PutKeyPolicy", PolicyName="other", **request)


@probe(api("GetKeyPolicy"))
def a_policy_is_read_as_it_was_put(bench: Bench) -> None:
    """GetKeyPolicy returns the key policy.

    Its statements are those that were put, and not those of another key.
    """
    world = bench.world
    deny = world.deny("ReEncryptTo")
    one, other = bench.key(deny), bench.key()

    def statements(key: str) -> list[Any]:
        text = bench.works("GetKeyPolicy", KeyId=key, PolicyName="default")["Policy"]
        found: list[Any] = json.loads(text)["Statement"]
        return [statement["Effect"] for statement in found]

    bench.equal("its effects", statements(one), ["Allow", "Deny"])
    bench.contrasts("those of another key are others", statements(other) == ["Allow"])


@probe(api("ListKeyPolicies"))
def the_policies_of_a_key_are_listed(bench: Bench) -> None:
    """ListKeyPolicies lists default, for a key that exists.

    For a key that does not exist it is NotFoundException.
    """
    found = bench.works("ListKeyPolicies", KeyId=bench.key())["PolicyNames"]
    bench.equal("the list", found, ["default"])
    missing = "00000000-0000-4000-8000-000000000000"
    bench.refuses(NOT_FOUND, "ListKeyPolicies", KeyId=missing)


@probe(iam("reference_policies_elements_notprincipal"))
def a_denial_can_spare_somebody(bench: Bench) -> None:
    """A denial can be for everybody but those whom a condition names.

    Under a denial unless aws:PrincipalArn is the role's, the role encrypts and the operator may not.
    """
    world, stranger = bench.world, bench.world.stranger
    unless = {"StringNotEquals": {"aws:PrincipalArn": stranger.arn}}
    key = bench.key(world.allow(stranger, "Encrypt"), world.deny("Encrypt", condition=unless))
    bench.works("Encrypt", stranger, **_encrypt(key))
    bench.denies("Encrypt", **_encrypt(key))


@probe(iam("access_policies_testing-policies"))
def the_simulator_looks_at_the_context(bench: Bench) -> None:
    """SimulateCustomPolicy decides by the policy and the context that it is given.

    With MFA present it says allowed, without explicitDeny.
    """
    world = bench.world
    deny: dict[str, Any] = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    }
    policy = world.policy(world.identity("kms:ListKeys"), deny)
    for present, wanted in (("true", "allowed"), ("false", "explicitDeny")):
        entry = {
            "ContextKeyName": "aws:MultiFactorAuthPresent",
            "ContextKeyValues": [present],
            "ContextKeyType": "boolean",
        }
        found = bench.works(
            "iam:SimulateCustomPolicy",
            PolicyInputList=[policy],
            ActionNames=["kms:ListKeys"],
            ContextEntries=[entry],
        )["EvaluationResults"][0]["EvalDecision"]
        see = bench.sees if present == "true" else bench.contrasts
        see(f"with MFA {present} it says {wanted}", found == wanted)
