from __future__ import annotations

import pytest

from kmslab.guides.expectation import KINDS, Expectation

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = "99999999-12ab-34cd-56ef-1234567890ab"
EXAMPLES = {
    "account": "123456789012",
    "region": "eu-central-1",
    "zone": "eu-central-1a",
    "key-id": KEY,
    "material-id": "a" * 64,
    "volume-id": "vol-0123456789abcdef0",
    "snapshot-id": "snap-0123456789abcdef0",
    "bucket": "kms-lab-data-1x2y",
    "date": "2026-11-21T10:00:00+00:00",
    "base64": "AQICAHh+/w==",
    "hex": "0a9f",
    "number": "42",
    "version": "1.46.3",
    "name": "kms-lab-data-owner",
}


def differs(expected: str, seen: str, *, is_json: bool = False, known: dict[str, str] | None = None) -> str:
    return Expectation(expected, line=1, is_json=is_json).mismatch(seen, {} if known is None else known)


def test_equal_text_matches_whatever_its_margins_and_colours() -> None:
    assert not differs("one\ntwo", "\n\x1b[32mone\x1b[0m  \r\ntwo\n\n")


def test_a_difference_is_shown_as_a_diff() -> None:
    diff = differs("one\ntwo", "one\nthree\n")
    assert "-two" in diff
    assert "+three" in diff
    assert "-one" not in diff


@pytest.mark.parametrize("seen", ["one\ntwo\nthree", "one", "", "zero\none\ntwo"])
def test_lines_too_many_or_too_few_are_noticed(seen: str) -> None:
    assert differs("one\ntwo", seen)


def test_regular_expression_characters_in_a_page_are_literal() -> None:
    assert not differs("a.b (c)*", "a.b (c)*")
    assert differs("a.b", "axb")


def test_every_kind_of_hole_has_an_example_that_fits() -> None:
    assert EXAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize(("kind", "example"), EXAMPLES.items())
def test_a_hole_fits_its_kind_and_nothing_else(kind: str, example: str) -> None:
    assert not differs(f"see <{kind}>.", f"see {example}.")
    assert differs(f"see <{kind}>.", "see ?!.")
    assert differs(f"see <{kind}>.", "see .")


def test_a_name_ends_with_one_kind_at_most() -> None:
    overlapping = [(kind, other) for kind in KINDS for other in KINDS if kind.endswith(f"-{other}")]
    assert overlapping == []


def test_the_kind_at_the_end_of_a_name_decides() -> None:
    assert differs("<new-material-id>", KEY)
    assert not differs("<new-material-id>", "b" * 64)


def test_a_hole_means_the_same_value_within_a_block_and_on_the_whole_page() -> None:
    known: dict[str, str] = {}
    assert differs("<key-id> <key-id>", f"{KEY} {OTHER_KEY}", known=known)
    assert known == {}
    assert not differs("<key-id> <key-id>", f"{KEY} {KEY}", known=known)
    assert known == {"key-id": KEY}
    assert differs("again <key-id>", f"again {OTHER_KEY}", known=known)
    assert not differs("again <key-id>, not <second-key-id>", f"again {KEY}, not {OTHER_KEY}", known=known)


def test_holes_that_differ_only_across_lines_are_explained() -> None:
    assert differs("<key-id>\n<key-id>", f"{KEY}\n{OTHER_KEY}")


def test_three_dots_stay_within_their_line() -> None:
    assert not differs("from ... to here", "from there to here")
    assert differs("from ... to here", "from there\nto here")


@pytest.mark.parametrize("seen", ["first\nlast", "first\nx\nlast", "first\nx\ny\nlast"])
def test_three_dots_alone_stand_for_any_number_of_lines(seen: str) -> None:
    assert not differs("first\n...\nlast", seen)


def test_three_dots_alone_do_not_hide_what_must_follow() -> None:
    assert differs("first\n...\nlast", "first\nx")


def test_json_is_compared_by_meaning_with_its_holes() -> None:
    expected = '{"KeyId": "<key-id>", "Enabled": true}'
    assert not differs(expected, f'{{\n  "Enabled": true,\n  "KeyId": "{KEY}"\n}}', is_json=True)
    assert differs(expected, f'{{"Enabled": false, "KeyId": "{KEY}"}}', is_json=True)
    assert differs(expected, f'{{"Enabled": true, "KeyId": "{KEY}", "More": 1}}', is_json=True)


def test_json_with_dots_falls_back_to_lines_and_an_error_is_not_json() -> None:
    assert not differs('{\n    "A": 1,\n    ...\n}', '{\n    "A": 1,\n    "B": 2\n}', is_json=True)
    assert differs('{"A": 1}', "An error occurred", is_json=True)


def test_the_error_prefix_of_cli_version_2_does_not_matter() -> None:
    message = "An error occurred (AccessDeniedException) when calling the Decrypt operation: no"
    assert not differs(message, f"\naws: [ERROR]: {message}\n")
