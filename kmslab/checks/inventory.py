"""The inventory: every key and every name of the lab is known, and no other looks like one of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kmslab.checks.expectations import deployed_keys
from kmslab.checks.registry import check
from kmslab.checks.shared import described, read_aliases, state_of
from kmslab.checks.temporary import LEAVING, scratch_key
from kmslab.model.capability import Capability
from kmslab.model.naming import PREFIX_TAG, TEMPORARY_TAG, alias_name
from kmslab.model.persona import Persona

if TYPE_CHECKING:
    from kmslab.lab import Lab

GUIDE = "02-first-key"
AUDIT = "12-audit"
CLOCKS_APART = timedelta(minutes=5)
"""How far KMS's clock may be ahead of ours: AWS takes a signature that is five minutes old (IAM User Guide)."""
MANAGED = frozenset({"AccessDeniedException", "UnsupportedOperationException"})
"""What KMS answers to a change of an AWS managed key: nobody in the account may."""


@check(guide=GUIDE)
def no_other_name_leads_to_a_key(lab: Lab) -> str:
    """Every key of the lab has one alias and no other, and no other key has a name of the lab.

    A second name for a key escapes whoever watches the first; a name of the lab on another key lets
    callers encrypt under it unawares.
    """
    ours = {arn.rpartition("/")[2]: expected.name for expected, arn in deployed_keys(lab.outputs)}
    aliases = read_aliases(lab)
    expected_names = {alias_name(lab.prefix, name) for name in ours.values()}
    for name, key in aliases.items():
        lab.expect(
            key not in ours or name == alias_name(lab.prefix, ours[key]),
            f"the key {ours.get(key)} has another name: {name}",
        )
        stray = name.startswith(alias_name(lab.prefix, "")) and name not in expected_names
        lab.expect(not stray or _is_temporary(lab, key), f"{name} is no name of the lab, but looks like one")
    return f"{len(expected_names)} keys with one alias each; none of {len(aliases)} aliases is a second name"


@check(guide=GUIDE)
def no_key_is_outside_the_stacks(lab: Lab) -> str:
    """Every key with the lab's tag belongs to its stacks, but those that checks made, and keys on their way out.

    A key that no stack knows is a key that nobody rotates, watches or deletes: it costs, and stays.
    """
    ours = {arn for _, arn in deployed_keys(lab.outputs)}
    listed = _tagged_keys(lab)
    missing = ours - listed.keys()
    lab.expect(not missing, f"{len(missing)} keys of the stacks are not found by the tag {PREFIX_TAG}")
    temporary = {arn for arn, tags in listed.items() if TEMPORARY_TAG in tags}
    for arn in sorted(listed.keys() - ours - temporary):
        state = state_of(lab, arn)
        lab.expect(state in LEAVING, f"{arn} has the lab's tag, belongs to no stack, and is {state}")
    return f"{len(ours)} keys of the stacks, {len(temporary)} of checks, and no other in service"


@check(guide=GUIDE)
def every_key_says_what_it_is_for(lab: Lab) -> str:
    """Every key has a description of its own.

    In a list of a hundred keys it is what tells the one that may be deleted from the one that must not.
    """
    keys = deployed_keys(lab.outputs)
    texts = Counter(described(lab, arn).get("Description", "").strip() for _, arn in keys)
    for expected, arn in keys:
        text = described(lab, arn).get("Description", "").strip()
        lab.expect(text, f"the key {expected.name} has no description")
        lab.expect(texts[text] == 1, f"the key {expected.name} shares its description with another: {text}")
    return f"{len(keys)} keys, {len(texts)} descriptions"


@check(guide=AUDIT)
def the_last_use_is_on_record(lab: Lab) -> str:
    """KMS tells when each key was last used, and since when it has been watching.

    Read it before deleting a key, and never alone: KMS has tracked since April 2026, an hour may pass until
    a use shows, and a volume that stays attached does not use its key. Disable first, and watch.
    """
    used = []
    for expected, arn in deployed_keys(lab.outputs):
        answer = lab.read("kms:GetKeyLastUsage", KeyId=arn)
        lab.expect("TrackingStartDate" in answer, f"KMS does not watch the use of the key {expected.name}")
        last = answer.get("KeyLastUsage", {}).get("Timestamp")
        lab.expect(
            last is None or answer["KeyCreationDate"] <= last <= datetime.now(UTC) + CLOCKS_APART,
            f"KMS says that the key {expected.name} was last used at {last}",
        )
        if last:
            used.append(expected.name)
    return f"used since KMS has been watching: {', '.join(used) or 'none yet'}"


@check(guide=GUIDE, needs={Capability.KEY_POLICIES}, changes_keys=True)
def an_aws_managed_key_is_not_ours(lab: Lab) -> str:
    """The account cannot change the key policy of an AWS managed key, nor its rotation.

    `aws/s3` and its like are free and rotate every year, and anyone who may use the service may use them:
    who must say who reads makes a key of their own. The operator does both to such a key first.
    """
    own = scratch_key(lab)
    managed = lab.read("kms:DescribeKey", persona=Persona.OPERATOR, KeyId="alias/aws/s3")["KeyMetadata"]
    lab.expect(managed["KeyManager"] == "AWS", f"alias/aws/s3 is managed by {managed['KeyManager']}")
    policy: dict[str, Any] = {"PolicyName": "default"}
    policy["Policy"] = lab.read("kms:GetKeyPolicy", persona=Persona.OPERATOR, KeyId=own, **policy)["Policy"]
    for action, parameters in (("kms:PutKeyPolicy", policy), ("kms:EnableKeyRotation", {})):
        lab.allowed(Persona.OPERATOR, action, KeyId=own, **parameters)
        lab.refused(Persona.OPERATOR, action, codes=MANAGED, KeyId=managed["Arn"], **parameters)
    return "the operator's own key takes a policy and a rotation period, aws/s3 neither"


def _is_temporary(lab: Lab, key: str) -> bool:
    """Whether a check made a key; the operator may read the tags of such a key only."""
    tags = lab.read("kms:ListResourceTags", persona=Persona.OPERATOR, KeyId=key)["Tags"]
    return any(tag["TagKey"] == TEMPORARY_TAG for tag in tags)


def _tagged_keys(lab: Lab) -> dict[str, set[str]]:
    """The keys with the lab's tag, to the names of all their tags."""
    found: dict[str, set[str]] = {}
    token = ""
    while True:
        page = lab.read(
            "resourcegroupstaggingapi:GetResources",
            persona=Persona.OPERATOR,
            TagFilters=[{"Key": PREFIX_TAG, "Values": [lab.prefix]}],
            ResourceTypeFilters=["kms:key"],
            PaginationToken=token,
        )
        for resource in page["ResourceTagMappingList"]:
            found[resource["ResourceARN"]] = {tag["Key"] for tag in resource["Tags"]}
        token = page.get("PaginationToken", "")
        if not token:
            return found
