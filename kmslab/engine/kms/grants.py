"""Grants: made, listed, retired and revoked. Source: API reference; KMS Developer Guide, "Grants in AWS KMS"."""

from __future__ import annotations

import base64
import os
import re
import time
from typing import TYPE_CHECKING, Any

from kmslab.authorization.keys import SYMMETRIC_OPERATIONS
from kmslab.engine.authorization.caller import caller_arn
from kmslab.engine.authorization.grants import digest_of, grant_of_token, grants_of, is_principal
from kmslab.engine.kms import records, specs
from kmslab.engine.kms.errors import KmsError, invalid
from kmslab.engine.kms.paging import page
from kmslab.engine.kms.policy_documents import known
from kmslab.engine.kms.service import Call, operation

if TYPE_CHECKING:
    from kmslab.engine.kms.records import KeyRecord

GRANTS_PER_KEY = 50000
CONSTRAINT_PAIRS, CONSTRAINT_CHARACTERS = 8, 384
"""Of an encryption context constraint (botocore model, CreateGrant, Constraints)."""
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|(user|role|assumed-role|federated-user)/.+)")
"""Accounts, users, roles, and their sessions: no group, no key (botocore model, CreateGrant, GranteePrincipal)."""
_ANY = {"CreateGrant", "DescribeKey", "RetireGrant"}
_BY_USAGE = {
    specs.SIGN_VERIFY: {"Sign", "Verify", "GetPublicKey"},
    specs.GENERATE_VERIFY_MAC: {"GenerateMac", "VerifyMac"},
    specs.KEY_AGREEMENT: {"DeriveSharedSecret", "GetPublicKey"},
}
_RSA_ENCRYPTION = {"Decrypt", "Encrypt", "GetPublicKey", "ReEncryptFrom", "ReEncryptTo"}
_COMPARED = ("KeyId", "Name", "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints")


def _store() -> Any:
    from ministack.services import kms

    return kms._grants


def _possible(key: KeyRecord) -> set[str]:
    """The grant operations that the key supports."""
    if records.is_symmetric(key):
        return _ANY | SYMMETRIC_OPERATIONS
    return _ANY | _BY_USAGE.get(key["KeyUsage"], _RSA_ENCRYPTION)


@operation("CreateGrant")
def create_grant(call: Call) -> dict[str, Any]:
    """Let a principal use a key without a policy; the same request under the same name is one grant."""
    key = call.key(aliases_allowed=False)
    records.require_state(key, "Updating")
    impossible = set(call.get("Operations")) - _possible(key)
    if impossible:
        raise invalid(f"Operations {sorted(impossible)} are not supported for key {key['Arn']}.")
    constraints = call.get("Constraints") or {}
    _check_principals(call, constraints)
    _check_constraints(key, constraints)
    call.end_of_dry_run()
    wanted = {
        "KeyId": key["Arn"],
        "Name": call.get("Name", ""),
        "GranteePrincipal": call.get("GranteePrincipal") or call.get("GranteeServicePrincipal"),
        "RetiringPrincipal": call.get("RetiringPrincipal") or call.get("RetiringServicePrincipal"),
        "Operations": list(dict.fromkeys(call.get("Operations"))),
        "Constraints": constraints or None,
    }
    grant = _same(key, wanted) or _new(key, wanted)
    token = base64.urlsafe_b64encode(os.urandom(96)).decode()
    grant["_tokens"].append(digest_of(token))
    return {"GrantId": grant["GrantId"], "GrantToken": token}


def _check_principals(call: Call, constraints: dict[str, Any]) -> None:
    if bool(call.get("GranteePrincipal")) == bool(call.get("GranteeServicePrincipal")):
        raise invalid("Exactly one of GranteePrincipal and GranteeServicePrincipal is required.")
    if call.get("RetiringPrincipal") and call.get("RetiringServicePrincipal"):
        raise invalid("RetiringPrincipal and RetiringServicePrincipal exclude each other.")
    retiring = call.get("RetiringPrincipal") or call.get("RetiringServicePrincipal")
    if call.get("GranteeServicePrincipal") and not (retiring and "SourceArn" in constraints):
        raise invalid("A GranteeServicePrincipal needs a SourceArn constraint and a retiring principal.")
    for member in ("GranteePrincipal", "RetiringPrincipal"):
        named = call.get(member)
        if named and not (_PRINCIPAL.fullmatch(named) and known(named)):
            raise KmsError("InvalidArnException", f"ARN does not refer to a valid principal: {named}")


def _check_constraints(key: KeyRecord, constraints: dict[str, Any]) -> None:
    contexts = [pairs for name, pairs in constraints.items() if name != "SourceArn"]
    if len(contexts) > 1:
        raise invalid("A grant can have one encryption context constraint only.")
    if contexts and not records.is_symmetric(key):
        raise invalid("Encryption context constraints are not supported for asymmetric and HMAC keys.")
    for pairs in contexts:
        if len(pairs) > CONSTRAINT_PAIRS or any(
            len(value) > CONSTRAINT_CHARACTERS for value in pairs.values()
        ):
            raise invalid(
                f"An encryption context constraint has at most {CONSTRAINT_PAIRS} pairs, and each value at most "
                f"{CONSTRAINT_CHARACTERS} characters."
            )


def _same(key: KeyRecord, wanted: dict[str, Any]) -> dict[str, Any] | None:
    if not wanted["Name"]:
        return None
    return next(
        (one for one in grants_of(key) if all(one.get(name) == wanted[name] for name in _COMPARED)), None
    )


def _new(key: KeyRecord, wanted: dict[str, Any]) -> dict[str, Any]:
    from ministack.core.responses import get_account_id

    if sum(1 for _ in grants_of(key)) >= GRANTS_PER_KEY:
        raise KmsError("LimitExceededException", f"{key['Arn']} has {GRANTS_PER_KEY} grants already.")
    grant_id = os.urandom(32).hex()
    grant = {
        **wanted,
        "GrantId": grant_id,
        "CreationDate": round(time.time(), 3),
        "IssuingAccount": f"arn:aws:iam::{get_account_id()}:root",
        "_tokens": [],
    }
    _store().set_scoped(records.account_of(key), records.region_of(key), grant_id, grant)
    return grant


def _entry(grant: dict[str, Any]) -> dict[str, Any]:
    """GrantListEntry: service principals under their own names, nothing that is empty but the name."""
    shown = {name: value for name, value in grant.items() if not name.startswith("_") and value is not None}
    for role in ("Grantee", "Retiring"):
        if not str(shown.get(f"{role}Principal", "arn:")).startswith("arn:"):
            shown[f"{role}ServicePrincipal"] = shown.pop(f"{role}Principal")
    return shown


@operation("ListGrants")
def list_grants(call: Call) -> dict[str, Any]:
    """The key's grants, narrowed by id or grantee."""
    key = call.key(aliases_allowed=False)
    grantee = call.get("GranteePrincipal") or call.get("GranteeServicePrincipal")
    found = [
        _entry(grant)
        for grant in sorted(grants_of(key), key=lambda grant: (grant["CreationDate"], grant["GrantId"]))
        if call.get("GrantId") in (None, grant["GrantId"]) and grantee in (None, grant["GranteePrincipal"])
    ]
    return page(call, found, "Grants", default=50, maximum=100)


@operation("ListRetirableGrants")
def list_retirable_grants(call: Call) -> dict[str, Any]:
    """The grants that a principal of the account may retire, on the account's keys and on those of others."""
    from ministack.core.responses import get_account_id, get_region

    if bool(call.get("RetiringPrincipal")) == bool(call.get("RetiringServicePrincipal")):
        raise invalid("Exactly one of RetiringPrincipal and RetiringServicePrincipal is required.")
    retiring = call.get("RetiringPrincipal") or call.get("RetiringServicePrincipal")
    call.allow_without_key()
    found = [
        _entry(grant)
        for (owner, region, _), grant in list(_store()._data.items())
        if grant["RetiringPrincipal"] == retiring
        and region == get_region()
        # Who asks about somebody else's principal learns nothing of other accounts' keys.
        and get_account_id() in (owner, *retiring.split(":")[4:5])
    ]
    found.sort(key=lambda grant: (grant["CreationDate"], grant["GrantId"]))
    return page(call, found, "Grants", default=50, maximum=100)


@operation("RevokeGrant")
def revoke_grant(call: Call) -> dict[str, Any]:
    """End a grant at once, as the key's administrator does; whatever the key's state."""
    grant = _by_id(call.key(aliases_allowed=False), call.get("GrantId"))
    call.end_of_dry_run()
    _remove(grant)
    return {}


@operation("RetireGrant")
def retire_grant(call: Call) -> dict[str, Any]:
    """End a grant: as its retiring principal, a grantee with RetireGrant, its account, or with the permission."""
    grant, key = _retired(call)
    call.additional["grantId"] = grant["GrantId"]
    who = caller_arn(call.access_key)
    may = (
        who == grant["IssuingAccount"]
        or is_principal(grant.get("RetiringPrincipal"), who)
        or ("RetireGrant" in grant["Operations"] and is_principal(grant["GranteePrincipal"], who))
    )
    if may:
        call.keys.append(key)
    else:
        call.allow(key)
    call.end_of_dry_run()
    _remove(grant)
    return {}


def _retired(call: Call) -> tuple[dict[str, Any], KeyRecord]:
    token, key_ref, grant_id = call.get("GrantToken"), call.get("KeyId"), call.get("GrantId")
    if bool(token) == bool(key_ref and grant_id):
        raise invalid("Either a GrantToken, or a KeyId and a GrantId, is required.")
    if not token:
        key = records.require(key_ref, aliases_allowed=False)
        return _by_id(key, grant_id), key
    grant = grant_of_token(token)
    if grant is None:
        raise KmsError("InvalidGrantTokenException", "Invalid grant token")
    return grant, records.require(grant["KeyId"])


def _by_id(key: KeyRecord, grant_id: str) -> dict[str, Any]:
    found = next((grant for grant in grants_of(key) if grant["GrantId"] == grant_id), None)
    if found is None:
        raise KmsError("NotFoundException", f"Grant ID {grant_id} not found")
    return found


def _remove(grant: dict[str, Any]) -> None:
    fields = grant["KeyId"].split(":")
    _store().pop_scoped(fields[4], fields[3], grant["GrantId"], None)
