"""Seats from an organizational unit, against botocore's model of Organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from kmslab.classroom.organization import seats_of
from kmslab.classroom.seats import Seat
from kmslab.model.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

OU = "ou-ab12-34cd56ef"
BELOW = "ou-ab12-78gh90ij"


class Hub:
    """Access with one stubbed client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def client(self, _persona: Any, service: str) -> Any:
        assert service == "organizations"
        return self._client


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client(
        "organizations", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield Hub(client), stubber


def _account(number: int, name: str, state: str = "ACTIVE") -> dict[str, str]:
    return {"Id": f"{number:012d}", "Name": name, "State": state}


def _answers(stubber: Stubber, accounts: list[dict[str, str]], below: list[dict[str, str]]) -> None:
    stubber.add_response("describe_organization", {"Organization": {"MasterAccountId": "000000000009"}}, {})
    stubber.add_response("list_accounts_for_parent", {"Accounts": accounts}, {"ParentId": OU})
    stubber.add_response(
        "list_organizational_units_for_parent",
        {"OrganizationalUnits": [{"Id": BELOW}] if below else []},
        {"ParentId": OU},
    )
    if below:
        stubber.add_response("list_accounts_for_parent", {"Accounts": below}, {"ParentId": BELOW})
        stubber.add_response(
            "list_organizational_units_for_parent", {"OrganizationalUnits": []}, {"ParentId": BELOW}
        )


def test_active_accounts_of_the_unit_and_below_are_seats(stubbed: tuple[Any, Stubber]) -> None:
    hub, stubber = stubbed
    _answers(
        stubber,
        [
            _account(1, "Ada L."),
            _account(2, "Closed", "SUSPENDED"),
            _account(9, "Management"),
            _account(4, "ada-l"),
        ],
        [_account(3, "Zoë")],
    )
    assert seats_of(hub, OU) == (
        Seat("000000000004", "000000000004", "", "ada-l"),
        Seat("ada-l", "000000000001", "", "Ada L."),
        Seat("zo", "000000000003", "", "Zoë"),
    )
    stubber.assert_no_pending_responses()


def test_a_unit_without_accounts_and_a_wrong_id_are_refused(stubbed: tuple[Any, Stubber]) -> None:
    hub, stubber = stubbed
    with pytest.raises(LabError, match="no organizational unit"):
        seats_of(hub, "Sandbox")
    _answers(stubber, [], [])
    with pytest.raises(LabError, match="no active account"):
        seats_of(hub, OU)
