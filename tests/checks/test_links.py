from __future__ import annotations

import pytest

from kmslab.checks import links
from kmslab.checks.samples import sample_object
from kmslab.lab import Inconclusive
from kmslab.model.persona import Persona
from kmslab.targets import gave_out
from tests.checks.fakes import World, open_lab

READER = Persona.DATA_READER
REFUSED = b"<Error><Code>AccessDenied</Code><Message>may not\n kms:Decrypt</Message></Error>"


def answered(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes) -> list[str]:
    """Answer every URL alike; returns the URLs that are followed."""
    followed: list[str] = []

    def follow(_: object, url: str) -> tuple[int, bytes]:
        followed.append(url)
        return status, body

    monkeypatch.setattr(links, "follow", follow)
    return followed


def test_what_the_url_shows_is_returned_and_the_url_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    followed = answered(monkeypatch, 200, b"text")
    lab = open_lab(World())
    sample = sample_object(lab)
    assert links.read_through_a_link(lab, READER, sample) == (b"text", "")
    (call,) = lab.calls
    assert (call.persona, call.action, call.result) == (READER, "s3:GetObject", "ok")
    assert sample.key in followed[0]
    assert "Signature" in followed[0]
    assert "Signature" not in repr(lab.calls)


def test_a_refusal_is_what_s3_said(monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, 403, REFUSED)
    lab = open_lab(World())
    read, refusal = links.read_through_a_link(lab, READER, sample_object(lab))
    assert (read, refusal) == (b"", "AccessDenied: may not kms:Decrypt")
    assert lab.calls[0].result == "AccessDenied"


@pytest.mark.parametrize("said", ["Request has expired", "Request is not yet valid"])
def test_a_url_that_a_wrong_clock_signed_is_not_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    answered(monkeypatch, 403, f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>".encode())
    lab = open_lab(World())
    with pytest.raises(Inconclusive, match=f"by S3's clock .*{said}"):
        links.read_through_a_link(lab, READER, sample_object(lab))
    assert gave_out(lab.calls[-1].result, lab.calls[-1].detail) is not None


@pytest.mark.parametrize("status", [500, 503, 301])
def test_another_answer_says_nothing(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    answered(monkeypatch, status, b"<html>")
    lab = open_lab(World())
    with pytest.raises(Inconclusive, match=str(status)):
        links.read_through_a_link(lab, READER, sample_object(lab))


def test_an_endpoint_that_does_not_answer_is_not_a_refusal() -> None:
    lab = open_lab(World())
    with pytest.raises(Inconclusive, match="not answered"):
        links.follow(lab, "https://127.0.0.1:1/bucket/key")
