from __future__ import annotations

import re
from collections import Counter

import pytest

from kmslab.model.capability import ALL
from kmslab.model.errors import LabError
from kmslab.probe import runner
from kmslab.probe.capabilities import NEEDED, SHOWN_BY, capabilities
from kmslab.probe.model import AREAS, Outcome, Probe, Result, kebab, probe, register

PROBES = runner.catalogue()


def test_there_are_250_behaviours_at_least() -> None:
    assert len(PROBES) >= 250


def test_every_area_has_probes_and_they_stand_together() -> None:
    found = [one.area for one in PROBES]
    assert list(dict.fromkeys(found)) == list(AREAS)
    assert min(Counter(found).values()) >= 5


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.id)
def test_a_probe_says_what_it_is_about(one: Probe) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*\.[a-z0-9]+(-[a-z0-9]+)*", one.id), one.id
    assert one.source.startswith("https://docs.aws.amazon.com/")
    assert one.behaviour.endswith(".")
    assert one.expected.endswith(".")
    assert "TODO" not in one.behaviour + one.expected


def test_no_two_probes_look_at_the_same_behaviour() -> None:
    behaviours = Counter((one.area, one.behaviour) for one in PROBES)
    assert [what for what, count in behaviours.items() if count > 1] == []


def test_a_second_probe_of_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="two probes are called"):
        register("keys", PROBES[0].id.partition(".")[2], "", "", "", PROBES[0].look)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GenerateDataKey", "generate-data-key"),
        ("ECC_NIST_P256", "ecc-nist-p256"),
        ("Encrypt", "encrypt"),
        ("ENCRYPT_DECRYPT", "encrypt-decrypt"),
    ],
)
def test_kebab(name: str, expected: str) -> None:
    assert kebab(name) == expected


def test_a_function_says_area_behaviour_and_expectation(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Probe] = {}
    monkeypatch.setattr("kmslab.probe.model.REGISTRY", kept)

    def what_it_is(_: object) -> None:
        """A behaviour.

        Seen from
        two sides.
        """

    what_it_is.__module__ = "kmslab.probe.areas.condition_keys_tables"
    probe("https://docs.aws.amazon.com/kms/", slow=True)(what_it_is)
    one = kept["condition-keys.what-it-is"]
    assert (one.behaviour, one.expected, one.slow) == ("A behaviour.", "Seen from two sides.", True)


@pytest.mark.parametrize("only", [["grants"], ["states.encrypt-*"], [PROBES[7].id]])
def test_probes_are_chosen_by_area_and_id(only: list[str]) -> None:
    found = runner.catalogue(only)
    assert 0 < len(found) < len(PROBES)
    assert all(one.id.startswith(only[0].rstrip("*")) for one in found)


def test_an_unknown_word_is_bad_input() -> None:
    with pytest.raises(LabError, match="nonsense is no area"):
        runner.catalogue(["grants", "nonsense"])


def test_every_capability_is_told_by_probes_that_exist() -> None:
    assert set(SHOWN_BY) == ALL
    assert set(NEEDED) <= {one.id for one in PROBES}
    assert all(SHOWN_BY.values())


def _results(outcome: Outcome, *, but: str = "") -> list[Result]:
    return [Result(one, Outcome.NOT_AS_DOCUMENTED if one.id == but else outcome, "", 0) for one in PROBES]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_what_is_as_documented_is_a_capability(outcome: Outcome) -> None:
    found = capabilities(_results(outcome))
    assert found == (ALL if outcome is Outcome.AS_DOCUMENTED else frozenset())


@pytest.mark.parametrize("name", NEEDED)
def test_one_probe_that_fails_takes_the_capability(name: str) -> None:
    lost = ALL - capabilities(_results(Outcome.AS_DOCUMENTED, but=name))
    assert lost == {one for one, names in SHOWN_BY.items() if name in names}
