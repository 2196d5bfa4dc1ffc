"""The sums: by the hour, by the day, for a class."""

from __future__ import annotations

from datetime import date

import pytest

from kmslab.cost import estimate, estimating
from kmslab.cost.prices import Measured
from kmslab.model.settings import LabSettings

COUNTED = Measured(
    date(2026, 11, 22),
    {
        "deployment": {"kms-request": 10_000, "kms-key-made": 11},
        "verify": {"kms-key-made": 73, "kms-asymmetric-request": 10_000, "kms-rsa-data-key-pair": 2},
        "01-first": {"s3-write": 1_000},
        "02-second": {"kms-rotation-made": 1, "secret-made": 1},
    },
)


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimating, "measured", lambda: COUNTED)


def test_a_lab_by_the_hour_and_day() -> None:
    found = estimate(LabSettings())
    monthly = 11 * 1.00 + 2 * 0.40 + 1 * 0.08
    assert found.per_hour == pytest.approx(monthly / 730)
    assert found.per_day == pytest.approx(24 * monthly / 730)


def test_settings_change_the_price() -> None:
    plain = estimate(LabSettings())
    more = estimate(
        LabSettings(network=True, instance=True, global_key=True, volume_count=2, volume_size_gib=10)
    )
    added = 0.01 + 0.0052 + (1.00 + 19 * 0.08) / 730
    assert more.per_hour - plain.per_hour == pytest.approx(added)


def test_what_was_made_is_charged_for_an_hour() -> None:
    found = estimate(LabSettings())
    assert estimating.total(found.verify) == pytest.approx(73 / 730 + 0.15)
    assert estimating.total(found.pages["02-second"]) == pytest.approx(1.40 / 730)


def test_what_has_no_price_is_not_free() -> None:
    (line,) = (line for line in estimate(LabSettings()).verify if line.item == "kms-rsa-data-key-pair")
    assert (line.price, line.usd, line.quantity) == (None, None, 2)
    assert "RSA data key pairs" in line.what


def test_what_is_not_counted_is_not_free_either() -> None:
    lines = estimate(LabSettings(network=True, instance=True)).not_counted
    assert {line.usd for line in lines} == {None}
    assert {line.item for line in lines if line.price is None} == {"log-groups", "root-volume"}
    assert all(line.why for line in lines)


def test_the_free_tier_is_named_and_not_subtracted() -> None:
    found = estimate(LabSettings())
    assert any("20,000 KMS requests" in one for one in found.free_tiers)
    assert estimating.total(found.deployment) == pytest.approx(0.03 + 12 * 0.2e-6)


def test_a_class_that_keeps_its_labs() -> None:
    found = estimate(LabSettings())
    of_class = found.for_class(20, 3, runs=2)
    assert of_class.standing == pytest.approx(72 * found.per_hour)
    assert of_class.deployments == pytest.approx(estimating.total(found.deployment))
    assert of_class.verifies == pytest.approx(2 * (73 / 730 + 0.15))
    assert of_class.pages == pytest.approx(0.005 + 1.40 / 730)
    assert of_class.per_seat == pytest.approx(
        of_class.standing + of_class.deployments + of_class.verifies + of_class.pages
    )
    assert of_class.total == pytest.approx(20 * of_class.per_seat)


def test_a_class_that_destroys_its_labs_each_evening() -> None:
    found = estimate(LabSettings())
    of_class = found.for_class(1, 3, hours=8, runs=0)
    assert of_class.standing == pytest.approx(24 * found.per_hour)
    assert of_class.deployments == pytest.approx(3 * estimating.total(found.deployment))


def test_keys_that_rotate_cost_more() -> None:
    """Only in labs that stand so long: the key for S3 rotates every 180 days."""
    found = estimate(LabSettings())
    short, long = found.for_class(1, 180), found.for_class(1, 181)
    assert short.standing == pytest.approx(180 * found.per_day)
    assert long.standing - short.standing == pytest.approx(found.per_day + 24 / 730)
    assert found.for_class(1, 181, hours=8).standing == pytest.approx(181 * 8 * found.per_hour)
