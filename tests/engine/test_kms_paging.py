"""Every list of the API has pages: botocore's table of paginators, asked one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore import xform_name

from tests.engine.conftest import LOADER
from tests.engine.kms_calls import told

if TYPE_CHECKING:
    from tests.engine.conftest import Engine

LISTS: dict[str, int] = {
    "ListAliases": 100,
    "ListGrants": 100,
    "ListKeyRotations": 1000,
    "ListKeys": 1000,
    "ListResourceTags": 50,
    "ListRetirableGrants": 100,
}
"""Operation to its largest Limit (API reference)."""
ONE_PAGE = {"DescribeCustomKeyStores", "ListKeyPolicies"}
"""Refused as a whole, and a list of one."""


class Filled:
    """A key with three of everything that is listed."""

    def __init__(self, engine: Engine) -> None:
        self.kms = engine.client("kms")
        self.retiring = engine.role().arn
        tags = [{"TagKey": f"t{number}", "TagValue": ""} for number in range(3)]
        self.key = str(self.kms.create_key(Tags=tags)["KeyMetadata"]["Arn"])
        for number in range(3):
            self.kms.create_alias(AliasName=f"alias/paging/{number}", TargetKeyId=self.key)
            self.kms.create_grant(
                KeyId=self.key,
                GranteePrincipal=self.retiring,
                RetiringPrincipal=self.retiring,
                Operations=["Decrypt"],
            )
            self.kms.create_key()

    def about(self, operation: str) -> dict[str, str]:
        if operation == "ListRetirableGrants":
            return {"RetiringPrincipal": self.retiring}
        return {} if operation == "ListKeys" else {"KeyId": self.key}


@pytest.fixture(scope="module")
def filled(engine: Engine) -> Filled:
    return Filled(engine)


def test_the_table_is_botocores() -> None:
    assert set(LOADER.load_service_model("kms", "paginators-1")["pagination"]) == set(LISTS) | ONE_PAGE


@pytest.mark.parametrize("operation", sorted(set(LISTS) - {"ListKeyRotations"}))
def test_a_list_comes_in_pages_without_gap_or_overlap(filled: Filled, operation: str) -> None:
    call, about = getattr(filled.kms, xform_name(operation)), filled.about(operation)
    everything = call(**about, Limit=LISTS[operation])
    member = next(name for name, value in everything.items() if isinstance(value, list))
    whole = everything[member]
    assert len(whole) >= 3
    assert "NextMarker" not in everything
    assert "NextMarker" not in call(**about, Limit=len(whole))
    first = call(**about, Limit=2)
    assert (first["Truncated"], first[member]) == (True, whole[:2])
    second = call(**about, Limit=2, Marker=first["NextMarker"])
    assert second[member] == whole[2:4]


@pytest.mark.parametrize(("operation", "largest"), LISTS.items())
def test_a_limit_has_its_bounds_and_a_marker_is_ours(filled: Filled, operation: str, largest: int) -> None:
    call, about = getattr(filled.kms, xform_name(operation)), filled.about(operation)
    assert "Truncated" in call(**about, Limit=largest)
    for limit, rule in ((0, "greater than or equal to 1"), (largest + 1, f"less than or equal to {largest}")):
        assert told(call, **about, Limit=limit) == (
            "ValidationException",
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have "
            f"value {rule}",
        )
    assert told(call, **about, Marker="bogus") == ("InvalidMarkerException", "Invalid marker")
