"""The seats of a class: what a file may say, and how a wrong line is named."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from kmslab.classroom.seats import (
    Seat,
    choose,
    class_folder,
    keep_seats,
    load_seats,
    made_up_account,
    read_seats,
    seats_file,
)
from kmslab.model.errors import LabError
from kmslab.project import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, tmp_path / "home")


def _file(folder: Path, text: str) -> Path:
    file = folder / "given.csv"
    file.write_bytes(text.encode())
    return file


def test_seats_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = _file(
        tmp_path,
        "\ufeffseat,account,region,learner\r\n"
        'b-2,222222222222,eu-central-1,"Müller, Ada"\r\n'
        "a-1, 111111111111 ,,\r\n",
    )
    assert read_seats(file) == (
        Seat("b-2", "222222222222", "eu-central-1", "Müller, Ada"),
        Seat("a-1", "111111111111"),
    )


def test_region_and_learner_may_be_left_out_and_an_account_be_made_up(tmp_path: Path) -> None:
    file = _file(tmp_path, "account,seat\n,a\n,b\n111111111111,c\n")
    seats = read_seats(file, invent=True)
    assert [seat.account for seat in seats] == [made_up_account("a"), made_up_account("b"), "111111111111"]
    assert made_up_account("a") != made_up_account("b")
    assert len(made_up_account("a")) == 12
    assert made_up_account("a").isdigit()
    with pytest.raises(LabError, match="line 2: seat a has no account; line 3: seat b has no account"):
        read_seats(file)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Seat 1,111111111111,,", "'Seat 1' is not 1 to 20 of a-z"),
        (",111111111111,,", "'' is not 1 to 20"),
        (f"{'a' * 21},111111111111,,", "is not 1 to 20"),
        ("../up,111111111111,,", "is not 1 to 20"),
        ("b,11111111111,,", "'11111111111' is not 12 digits"),
        ("b,1.11111E+11,,", "is not 12 digits"),
        ("b,1111111111\u0661\u0661,,", "is not 12 digits"),
        ("b,222222222222,Frankfurt,", "'Frankfurt' is not a Region"),
        ("b,222222222222,,\x07", "unprintable"),
        ("b,222222222222,,x,y", "more values than columns"),
        ("a,222222222222,,", "seat a is there twice"),
        ("b,111111111111,,", "account 111111111111 is also that of seat a"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, line: str, said: str) -> None:
    file = _file(tmp_path, f"seat,account,region,learner\na,111111111111,,\n{line}\n")
    with pytest.raises(LabError) as refused:
        read_seats(file, invent=True)
    assert "line 3: " in refused.value.message
    assert said in refused.value.message
    assert "\n" not in refused.value.message


def test_many_wrong_lines_are_counted(tmp_path: Path) -> None:
    file = _file(tmp_path, "seat,account\n" + "!,1\n" * 8)
    with pytest.raises(LabError, match=r"line 2: .* line 6: .*; and 3 more"):
        read_seats(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the columns are missing"),
        ("seat;account\n", "line 1: the columns are seat;account"),
        ("seat,account,email\n", "line 1"),
        ("seat,account,seat\n", "line 1"),
        ("seat,account\n", "has no seats"),
        ('seat,account\n"a,111111111111\n', "line 2"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        read_seats(_file(tmp_path, text))


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such file"):
        read_seats(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("seat,account,learner\na,1,Müller\n".encode("latin-1"))
    with pytest.raises(LabError, match="not UTF-8"):
        read_seats(tmp_path / "latin.csv")


def test_the_class_is_kept_for_its_owner_alone(project: Project) -> None:
    seats = (Seat("a", "111111111111", "eu-central-1", "Müller, Ada"), Seat("b", "222222222222"))
    with pytest.raises(LabError, match="no class here"):
        load_seats(project)
    keep_seats(project, seats)
    assert load_seats(project) == seats
    assert stat.S_IMODE(seats_file(project).stat().st_mode) == 0o600
    assert stat.S_IMODE(class_folder(project).stat().st_mode) == 0o700


def test_seats_are_chosen_by_name(project: Project) -> None:
    del project
    seats = (Seat("a", "1" * 12), Seat("b", "2" * 12), Seat("c", "3" * 12))
    assert choose(seats, ()) == seats
    assert choose(seats, ("c", "a")) == (seats[0], seats[2])
    with pytest.raises(LabError, match="no seat d"):
        choose(seats, ("a", "d"))
