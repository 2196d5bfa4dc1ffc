"""Grants for the fake KMS: kept and listed; what they permit is not looked at."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from tests.checks.fakes import Refusal

if TYPE_CHECKING:
    from tests.checks.fakes import Request


class FakeGrants:
    """The operations of grants.

    Attributes:
        grants: by id, as ListGrants shows them.
    """

    grants: dict[str, dict[str, Any]]

    def CreateGrant(self, request: Request) -> dict[str, Any]:
        if request.get("DryRun"):
            raise Refusal("DryRunOperationException")
        names = ("KeyId", "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints", "Name")
        wanted = {name: request.get(name) for name in names if request.get(name)}
        for grant_id, grant in self.grants.items():
            if wanted.get("Name") and {**wanted, "GrantId": grant_id} == grant:
                return {"GrantId": grant_id, "GrantToken": grant_id}
        grant_id = uuid.uuid4().hex * 2
        self.grants[grant_id] = {"GrantId": grant_id, **wanted}
        return {"GrantId": grant_id, "GrantToken": grant_id}

    def ListGrants(self, request: Request) -> dict[str, Any]:
        wanted, key = request.get("GrantId"), request["KeyId"]
        found = [
            grant
            for grant in self.grants.values()
            if wanted in {None, grant["GrantId"]} and grant.get("KeyId", key) == key
        ]
        start, limit = int(request.get("Marker", 0)), request.get("Limit", 50)
        more = start + limit < len(found)
        marker = {"NextMarker": str(start + limit)} if more else {}
        return {"Grants": found[start : start + limit], "Truncated": more, **marker}

    def RetireGrant(self, request: Request) -> dict[str, Any]:
        del self.grants[request.get("GrantId") or request["GrantToken"]]
        return {}

    def RevokeGrant(self, request: Request) -> dict[str, Any]:
        if self.grants.pop(request["GrantId"], None) is None:
            raise Refusal("NotFoundException")
        return {}
