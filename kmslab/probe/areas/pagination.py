"""Lists that come in pages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kmslab.probe.codes import VALIDATION
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.sources import api

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmslab.probe.bench import Bench


def _keys(bench: Bench) -> dict[str, Any]:
    for _ in range(2):
        bench.key()
    return {}


def _aliases(bench: Bench) -> dict[str, Any]:
    key = bench.key()
    for _ in range(2):
        name = f"alias/kmslab-probe-{uuid4().hex}"
        bench.make("CreateAlias", AliasName=name, TargetKeyId=key)
        bench.undo(partial(bench.client("kms").delete_alias, AliasName=name))
    return {"KeyId": key}


def _grants(bench: Bench) -> dict[str, Any]:
    key = bench.key()
    for operation in ("Encrypt", "Decrypt"):
        bench.make("CreateGrant", KeyId=key, GranteePrincipal=bench.world.root, Operations=[operation])
    return {"KeyId": key}


def _retirable(bench: Bench) -> dict[str, Any]:
    role = bench.world.role()
    for _ in range(2):
        bench.make(
            "CreateGrant",
            KeyId=bench.key(),
            GranteePrincipal=bench.world.root,
            Operations=["Encrypt"],
            RetiringPrincipal=role.arn,
        )
    return {"RetiringPrincipal": role.arn}


def _tags(bench: Bench) -> dict[str, Any]:
    key = bench.key()
    bench.make(
        "TagResource", KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}]
    )
    return {"KeyId": key}


def _rotations(bench: Bench) -> dict[str, Any]:
    key = bench.key()
    for count in (1, 2):
        bench.make("RotateKeyOnDemand", KeyId=key)
        bench.wait(
            lambda count=count: len(bench.make("ListKeyRotations", KeyId=key)["Rotations"]) >= count,  # type: ignore[misc]  # the default binds the loop's value
            "rotation in the history",
        )
    return {"KeyId": key}


LISTS: dict[str, tuple[str, Callable[[Bench], dict[str, Any]]]] = {
    "ListKeys": ("Keys", _keys),
    "ListAliases": ("Aliases", _aliases),
    "ListGrants": ("Grants", _grants),
    "ListRetirableGrants": ("Grants", _retirable),
    "ListResourceTags": ("Tags", _tags),
    "ListKeyRotations": ("Rotations", _rotations),
}
"""Each operation that lists, the member with its list, and what makes two things to list."""


def _pages(operation: str, bench: Bench) -> None:
    member, make = LISTS[operation]
    request = make(bench)
    first = bench.works(operation, Limit=1, **request)
    bench.equal("the entries of the first page", len(first[member]), 1)
    bench.equal("Truncated", first["Truncated"], expected=True)
    second = bench.works(operation, Limit=1, Marker=first["NextMarker"], **request)
    bench.contrasts("the second page is another", second[member] != first[member])
    both = bench.works(operation, Limit=2, **request)
    bench.equal("the entries of a page of two", len(both[member]), 2)
    whole = bench.works(operation, **request)
    if operation != "ListKeys":  # there other probes make keys meanwhile
        bench.contrasts(
            "the whole list is not truncated", not whole["Truncated"] and "NextMarker" not in whole
        )
        bench.sees("it has all entries", all(one in whole[member] for one in first[member] + second[member]))


def _marker(operation: str, bench: Bench) -> None:
    _, make = LISTS[operation]
    request = make(bench)
    first = bench.works(operation, Limit=1, **request)
    bench.works(operation, Limit=1, Marker=first["NextMarker"], **request)
    codes = ("InvalidMarkerException", VALIDATION)
    bench.refuses(codes, operation, Limit=1, Marker="no-marker", **request)


for _operation in LISTS:
    register(
        "pagination",
        f"{kebab(_operation)}-comes-in-pages",
        f"{_operation} returns no more than Limit entries, and a marker for the next.",
        "A Limit of 1 gives one entry and NextMarker, the next page another entry; the whole list is not truncated.",
        api(_operation),
        partial(_pages, _operation),
    )
    register(
        "pagination",
        f"{kebab(_operation)}-takes-its-own-markers",
        f"{_operation} takes the markers that it returned, and no others.",
        "With NextMarker it works; with other text it is InvalidMarkerException.",
        f"{api(_operation)}#API_{_operation}_Errors",
        partial(_marker, _operation),
    )


@probe(api("ListGrants"))
def pages_end(bench: Bench) -> None:
    """The last page has no marker.

    Of two grants in pages of one, the first page has NextMarker and the second has none.
    """
    request = _grants(bench)
    first = bench.works("ListGrants", Limit=1, **request)
    bench.sees("the first page has a marker", bool(first.get("NextMarker")))
    last = bench.works("ListGrants", Limit=1, Marker=first["NextMarker"], **request)
    bench.contrasts("the last has none", not last["Truncated"] and "NextMarker" not in last)
