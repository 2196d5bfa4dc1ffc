from __future__ import annotations

import json
from pathlib import Path

import pytest

from kmslab.guides.course import PAGES
from kmslab.guides.progress import FILE, Progress, State, answer, checkpoint_words, load, save

GUIDES = Path(__file__).resolve().parent.parent.parent / "lab_guides"
READS = ("s3.reader-reads", "05-s3", True)
REFUSED = ("s3.outsider-is-refused", "05-s3", True)
VERSIONS = ("objects.versions-keep-their-keys", "05-s3", True)


def test_a_checkpoint_is_passed_when_all_it_names_was_run_and_passed() -> None:
    progress = Progress().with_run(["s3"], [READS, REFUSED], quick=False)
    assert progress.checkpoint(["s3"]) == (State.PASSED, [])
    assert progress.checkpoint(["s3", "objects"]) == (State.OPEN, [])
    both = progress.with_run(["objects"], [VERSIONS], quick=False)
    assert both.checkpoint(["s3", "objects"]) == (State.PASSED, [])
    assert both.checkpoint(["05-s3"]) == (State.OPEN, [])


def test_one_check_of_a_topic_is_not_the_topic() -> None:
    progress = Progress().with_run(["s3.reader-reads"], [READS], quick=False)
    assert progress.checkpoint(["s3"]) == (State.OPEN, [])
    assert progress.checkpoint(["s3.reader"]) == (State.OPEN, [])
    assert progress.checkpoint(["s3.reader-reads"]) == (State.PASSED, [])


def test_a_quick_run_leaves_checks_out_and_passes_nothing() -> None:
    assert Progress().with_run(["s3"], [READS], quick=True).checkpoint(["s3"]) == (State.OPEN, [])


def test_a_run_of_everything_passes_every_checkpoint() -> None:
    progress = Progress().with_run([], [READS, VERSIONS], quick=False)
    assert progress.checkpoint(["s3", "objects"]) == (State.PASSED, [])
    assert progress.checkpoint(["ebs"]) == (State.OPEN, [])


def test_the_last_verdict_counts() -> None:
    progress = Progress().with_run(["s3"], [READS, REFUSED], quick=False)
    broken = progress.with_run(["s3.reader-reads"], [(*READS[:2], False)], quick=False)
    assert broken.checkpoint(["s3"]) == (State.FAILED, ["s3.reader-reads"])
    assert broken.checkpoint(["05-s3"]) == (State.FAILED, ["s3.reader-reads"])
    assert broken.with_run(["s3"], [READS, REFUSED], quick=False).checkpoint(["s3"]) == (State.PASSED, [])


def test_progress_is_kept(tmp_path: Path) -> None:
    progress = Progress().with_run(["s3"], [READS, (*REFUSED[:2], False)], quick=False)
    save(tmp_path, progress)
    assert load(tmp_path) == progress
    assert answer(tmp_path, {"05-s3": ["s3"], "06-ebs": ["ebs"]}) == {
        "05-s3": {"state": "failed", "failed": ["s3.outsider-is-refused"]},
        "06-ebs": {"state": "open", "failed": []},
    }


@pytest.mark.parametrize(
    "kept", ["", "{", "[]", '{"checks": []}', json.dumps({"checks": {"a": 1}, "words": []})]
)
def test_a_file_that_cannot_be_read_is_no_progress(tmp_path: Path, kept: str) -> None:
    assert load(tmp_path) == Progress()
    (tmp_path / FILE).write_text(kept)
    assert load(tmp_path) == Progress()


def test_every_page_has_a_checkpoint_to_pass() -> None:
    words = checkpoint_words(GUIDES)
    assert list(words) == [stem for stem in PAGES if (GUIDES / f"{stem}.md").exists()]
    assert all(words.values())
