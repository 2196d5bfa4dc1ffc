"""The list of public controls: who publishes each, what belongs together, and what the lab says of it."""

from __future__ import annotations

import pytest

from kmslab.checks import REGISTRY
from kmslab.model.controls import Framework, controls, demands

NAMED = {control for check in REGISTRY.values() for control in check.controls}


@pytest.mark.parametrize("check_id", [check.id for check in REGISTRY.values() if check.controls])
def test_checks_name_controls_of_the_list(check_id: str) -> None:
    assert [control for control in REGISTRY[check_id].controls if control not in controls()] == []


def test_a_control_is_evidenced_or_has_its_reason_and_never_both() -> None:
    left = {control.id for control in controls().values() if control.not_evidenced}
    assert left & NAMED == set()
    assert set(controls()) - left - NAMED == set()


def test_controls_that_ask_for_the_same_stand_together() -> None:
    together = {control.id for control in demands()["KMS rotates the keys that it can rotate"]}
    assert together == {
        "KMS.4",
        "config:cmk-backing-key-rotation-enabled",
        "cis:4.6",
        "prowler:kms_cmk_rotation_enabled",
        "cdk-nag:AwsSolutions-KMS5",
        "cdk-nag:NIST.800.53.R5-KMSBackingKeyRotationEnabled",
        "CT.KMS.PR.1",
    }


def test_what_is_evidenced_for_one_is_named_for_all_that_ask_for_the_same() -> None:
    """A check that names a control names all of its demand that are not left out for a reason.

    Where a demand has several parts, its checks name them together.
    """
    for what, asking in demands().items():
        named = {control.id for control in asking} & NAMED
        missing = [c.id for c in asking if c.id not in named and not c.not_evidenced]
        assert not (named and missing), f"{what}: {missing}"


@pytest.mark.parametrize("control_id", ["KMS.4", "S3.17"])
def test_what_security_hub_has_outside_fsbp_is_not_called_foundational(control_id: str) -> None:
    assert controls()[control_id].framework is Framework.SECURITY_HUB
    assert not controls()[control_id].foundational
    assert controls()["KMS.3"].foundational


def test_only_security_hub_has_foundational_controls() -> None:
    assert {c.framework for c in controls().values() if c.foundational} == {Framework.SECURITY_HUB}


@pytest.mark.parametrize(
    ("control_id", "framework", "name", "source"),
    [
        (
            "KMS.4",
            Framework.SECURITY_HUB,
            "KMS.4",
            "https://docs.aws.amazon.com/securityhub/latest/userguide/kms-controls.html#kms-4",
        ),
        (
            "config:sns-encrypted-kms",
            Framework.CONFIG,
            "sns-encrypted-kms",
            "https://docs.aws.amazon.com/config/latest/developerguide/sns-encrypted-kms.html",
        ),
        ("cis:4.6", Framework.CIS, "4.6", "https://www.cisecurity.org/benchmark/amazon_web_services"),
        (
            "prowler:kms_cmk_rotation_enabled",
            Framework.PROWLER,
            "kms_cmk_rotation_enabled",
            "https://hub.prowler.com/check/kms_cmk_rotation_enabled",
        ),
        (
            "cdk-nag:AwsSolutions-KMS5",
            Framework.CDK_NAG,
            "AwsSolutions-KMS5",
            "https://github.com/cdklabs/cdk-nag/blob/main/RULES.md",
        ),
        (
            "CT.KMS.PR.1",
            Framework.CONTROL_TOWER,
            "CT.KMS.PR.1",
            "https://docs.aws.amazon.com/controltower/latest/controlreference/kms-rules.html",
        ),
    ],
)
def test_an_id_tells_who_publishes_it(control_id: str, framework: Framework, name: str, source: str) -> None:
    control = controls()[control_id]
    assert (control.framework, control.name, control.source) == (framework, name, source)


def test_every_framework_is_in_the_list_and_every_control_has_a_title() -> None:
    assert {control.framework for control in controls().values()} == set(Framework)
    assert [control.id for control in controls().values() if not control.title or not control.demand] == []
