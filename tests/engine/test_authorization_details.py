"""GetAccountAuthorizationDetails shows what decides: permissions boundaries too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def test_a_boundary_is_shown_where_there_is_one(engine: Engine) -> None:
    bounded, free = engine.role(EVERYTHING, boundary=[EVERYTHING]), engine.role(EVERYTHING)
    iam = engine.client("iam")
    shown = {role["RoleName"]: role for role in iam.get_account_authorization_details()["RoleDetailList"]}
    wanted = iam.get_role(RoleName=bounded.name)["Role"]["PermissionsBoundary"]
    assert shown[bounded.name]["PermissionsBoundary"] == wanted
    assert "PermissionsBoundary" not in shown[free.name]


def test_a_users_boundary_is_shown_and_is_gone_when_it_is_taken_off(engine: Engine) -> None:
    iam = engine.client("iam")
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.create_user(UserName="bounded-in-details", PermissionsBoundary=boundary)

    def shown() -> str:
        users = iam.get_account_authorization_details(Filter=["User"])["UserDetailList"]
        (user,) = [one for one in users if one["UserName"] == "bounded-in-details"]
        return str(user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""))

    assert shown() == boundary
    iam.delete_user_permissions_boundary(UserName="bounded-in-details")
    assert shown() == ""
