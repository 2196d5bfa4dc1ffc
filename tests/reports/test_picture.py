from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from kmslab.model.inventory import Inventory, Protected, Thing
from kmslab.reports.picture import KEY_WIDTH, THING_X, WIDTH, Box, draw, owner, rotation
from tests.reports.conftest import APP, IMPORTED, INVENTORY, S3, key


def by_title(inventory: Inventory) -> dict[str, Box]:
    return {box.title: box for box in draw(inventory).boxes}


def test_every_key_and_every_thing_is_drawn() -> None:
    boxes = by_title(INVENTORY)
    assert {title: (box.text, box.style) for title, box in boxes.items()} == {
        "s3 · SYMMETRIC_DEFAULT": ("rotates every 180 days", "key"),
        "app · SYMMETRIC_DEFAULT": ("rotates every 365 days", "key"),
        "imported · SYMMETRIC_DEFAULT": ("PendingImport", "stopped"),
        "bucket kms-lab-data": ("SSE-KMS, Bucket Key", "thing"),
        "bucket kms-lab-managed": ("SSE-KMS", "thing"),
        "bucket kms-lab-logs": ("SSE-S3", "thing"),
        "volume vol-1": ("not encrypted", "thing"),
        "AWS managed key aws/s3": ("not the lab's to rule", "foreign"),
        "AWS owned key": ("not the lab's to rule", "foreign"),
        "no key": ("not the lab's to rule", "foreign"),
    }


def test_a_line_leads_from_each_key_to_what_lies_under_it() -> None:
    picture, boxes = draw(INVENTORY), by_title(INVENTORY)
    assert len(picture.lines) == len(INVENTORY.things)
    s3, data = boxes["s3 · SYMMETRIC_DEFAULT"], boxes["bucket kms-lab-data"]
    assert (1 + KEY_WIDTH, s3.y + s3.height / 2, THING_X, data.y + data.height / 2) in picture.lines


@pytest.mark.parametrize("things", [0, 1, 2, 7])
def test_nothing_overlaps_and_all_of_it_is_in_the_picture(things: int) -> None:
    many = tuple(Protected(Thing.BUCKET, f"bucket-{n}", S3.arn) for n in range(things))
    inventory = Inventory((S3, *(key(f"k{n}") for n in range(8)), IMPORTED), (*many, *INVENTORY.things[1:]))
    picture = draw(inventory)
    for one, other in combinations(picture.boxes, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        below = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert beside or below, (one, other)
    assert all(box.x >= 0 and box.x + box.width <= WIDTH for box in picture.boxes)
    assert all(box.y >= 0 and box.y + box.height <= picture.height for box in picture.boxes)


def test_a_long_name_is_cut_to_what_fits_beside_how_it_is_encrypted() -> None:
    long = Protected(Thing.BUCKET, "b" * 63, S3.arn, "SSE-KMS, Bucket Key")
    cut = next(box.title for box in draw(Inventory((S3,), (long,))).boxes if box.style == "thing")
    assert cut.endswith("b…")
    whole = replace(long, how="")
    assert len(next(b.title for b in draw(Inventory((S3,), (whole,))).boxes if b.style == "thing")) > len(cut)


def test_words_for_rotation() -> None:
    assert rotation(APP) == "rotates every 365 days"
    assert rotation(replace(APP, rotation_days=0)) == "rotation off"
    assert rotation(IMPORTED) == "not rotated by KMS"


def test_words_for_keys_that_are_not_the_labs() -> None:
    elsewhere = Protected(Thing.BUCKET, "b", "arn:aws:kms:eu-central-1:999999999999:key/x", "SSE-KMS")
    assert owner(elsewhere) == "another key: arn:aws:kms:eu-central-1:999999999999:key/x"
    assert owner(replace(elsewhere, key="alias/aws/ebs")) == "AWS managed key aws/ebs"
    assert owner(replace(elsewhere, key="")) == "AWS owned key"
