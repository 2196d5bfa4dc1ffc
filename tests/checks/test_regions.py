"""A Region without a feature: the checks that need it are UNPROVABLE there and say why; none passes or fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError

from kmslab.checks import REGISTRY
from kmslab.model.verdict import Outcome
from tests.checks import test_ebs, test_signing
from tests.checks.fakes import REGION, World, judge
from tests.checks.lab_world import good_lab
from tests.checks.test_objects import GoodWorld as Objects
from tests.model.test_regions import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.checks.fakes import Request

UNKNOWN = "UnknownOperationException"
OF_ALL = sorted(REGISTRY)[::8]
"""A cut through the catalogue: a check of every topic or nearly."""


@pytest.mark.parametrize(
    ("check", "good", "action", "code", "message"),
    [
        (
            "signing.every-post-quantum-strength-verifies-outside-kms",
            test_signing.good,
            "kms:CreateKey",
            "UnsupportedOperationException",
            "KeySpec ML_DSA_44 is not supported in this Region",
        ),
        (
            "signing.post-quantum-signature-verifies-outside-kms",
            test_signing.good,
            "kms:Sign",
            "ValidationException",
            "Value 'ML_DSA_SHAKE_256' at 'signingAlgorithm' failed to satisfy constraint: "
            "Member must satisfy enum value set: [ECDSA_SHA_256]",
        ),
        (
            "multi-region.one-key-in-two-regions",
            good_lab,
            "kms:ReplicateKey",
            "UnsupportedOperationException",
            "Multi-Region keys are not supported in this Region",
        ),
        (
            "rotation.on-demand-rotation-keeps-old-ciphertexts",
            good_lab,
            "kms:RotateKeyOnDemand",
            UNKNOWN,
            "",
        ),
        ("ebs.writing-blocks-needs-the-key", test_ebs.GoodWorld, "ebs:StartSnapshot", UNKNOWN, ""),
        (
            "objects.encryption-of-a-stored-object-stays",
            Objects,
            "s3:UpdateObjectEncryption",
            "NotImplemented",
            "",
        ),
    ],
)
def test_a_check_whose_feature_is_missing_is_unprovable(
    check: str, good: Callable[[], World], action: str, code: str, message: str
) -> None:
    before = judge(check, good())
    assert before.outcome is Outcome.PASS, before.summary
    verdict = judge(check, good().refuses(action, code=code, message=message))
    assert verdict.outcome is Outcome.UNPROVABLE, verdict.summary
    assert verdict.summary.startswith(
        f"this target does not offer {action.partition(':')[2]} as the check needs it"
    )
    assert code in verdict.summary


@pytest.mark.parametrize("check", OF_ALL)
def test_where_nothing_is_offered_nothing_passes_or_fails(check: str) -> None:
    verdict = judge(check, World().refuses("*", code=UNKNOWN, message="none"))
    assert verdict.outcome in {Outcome.UNPROVABLE, Outcome.ERROR}
    assert UNKNOWN in verdict.summary


def test_a_service_without_an_address_in_the_region_is_unprovable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab itself was read a moment ago, so that there is a network."""
    host = f"ebs.{REGION}.amazonaws.com"
    names(monkeypatch, {f"sts.{REGION}.amazonaws.com"})

    def gone(_: Request) -> dict[str, object]:
        raise EndpointConnectionError(endpoint_url=f"https://{host}")

    verdict = judge(
        "ebs.writing-blocks-needs-the-key", test_ebs.GoodWorld().answers("ebs:StartSnapshot", gone)
    )
    assert verdict.outcome is Outcome.UNPROVABLE
    assert verdict.summary == f"{REGION} has no ebs: the name {host} does not exist"
    names(monkeypatch, ())
    verdict = judge(
        "ebs.writing-blocks-needs-the-key", test_ebs.GoodWorld().answers("ebs:StartSnapshot", gone)
    )
    assert verdict.outcome is Outcome.ERROR, "no network is no reason to give a claim up"
