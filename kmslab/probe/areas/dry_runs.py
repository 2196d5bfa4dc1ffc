"""DryRun: may I, without doing it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kmslab.probe.codes import DISABLED
from kmslab.probe.model import kebab, probe, register
from kmslab.probe.samples import ACTS, PLAINTEXT, key_for, request_for
from kmslab.probe.sources import guide

if TYPE_CHECKING:
    from kmslab.probe.bench import Bench

DRY_RUN = "DryRunOperationException"
PAGE = guide("testing-permissions")


def _cryptography(operation: str, bench: Bench) -> None:
    key = key_for(bench, operation)
    request = request_for(bench, operation, key)
    bench.refuses(DRY_RUN, operation, DryRun=True, **request)
    bench.denies(operation, bench.world.stranger, DryRun=True, **request)
    bench.works(operation, **request)


for _operation in (name for name in ACTS if name != "GetPublicKey"):
    register(
        "dry-runs",
        kebab(_operation),
        f"{_operation} with DryRun says whether it would work, and does nothing.",
        "For who may it is DryRunOperationException, for the stranger AccessDeniedException; without DryRun it works.",
        PAGE,
        partial(_cryptography, _operation),
    )


def _granted(bench: Bench, key: str) -> Any:
    return bench.make(
        "CreateGrant", KeyId=key, GranteePrincipal=bench.world.stranger.arn, Operations=["Encrypt"]
    )


def _left(bench: Bench, key: str) -> int:
    return len(bench.make("ListGrants", KeyId=key)["Grants"])


@probe(PAGE)
def create_grant(bench: Bench) -> None:
    """CreateGrant with DryRun says whether it would work, and makes no grant.

    It is DryRunOperationException and the key has no grant; without DryRun it has one.
    """
    key = bench.key()
    request: dict[str, Any] = {
        "KeyId": key,
        "GranteePrincipal": bench.world.stranger.arn,
        "Operations": ["Encrypt"],
    }
    bench.refuses(DRY_RUN, "CreateGrant", DryRun=True, **request)
    bench.contrasts("there is no grant", _left(bench, key) == 0)
    bench.works("CreateGrant", **request)
    bench.equal("the grants", _left(bench, key), 1)


def _end_of_a_grant(operation: str, bench: Bench) -> None:
    key = bench.key()
    request: dict[str, Any] = {"KeyId": key, "GrantId": _granted(bench, key)["GrantId"]}
    bench.refuses(DRY_RUN, operation, DryRun=True, **request)
    bench.equal("the grants", _left(bench, key), 1)
    bench.works(operation, **request)
    bench.contrasts("now it is gone", _left(bench, key) == 0)


for _operation in ("RevokeGrant", "RetireGrant"):
    register(
        "dry-runs",
        kebab(_operation),
        f"{_operation} with DryRun says whether it would work, and leaves the grant.",
        "It is DryRunOperationException and the grant is there; without DryRun it goes.",
        PAGE,
        partial(_end_of_a_grant, _operation),
    )


@probe(PAGE)
def a_dry_run_tells_other_errors(bench: Bench) -> None:
    """A request that would fail for another reason fails with it in a dry run too.

    On an enabled key it is DryRunOperationException, on a disabled one DisabledException.
    """
    key = bench.key()
    request: dict[str, Any] = {"KeyId": key, "Plaintext": PLAINTEXT}
    bench.refuses(DRY_RUN, "Encrypt", DryRun=True, **request)
    bench.works("Encrypt", DryRun=False, **request)
    bench.make("DisableKey", KeyId=key)
    bench.refuses(DISABLED, "Encrypt", DryRun=True, **request)
