"""S3's documents: read, and written as S3 writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError, fromstring, register_namespace

from ministack.services import s3

_DATE = re.compile(rb"(<(?:CreationDate|LastModified)>)([0-9T:.-]+Z)")


def parsed(body: bytes) -> Element | None:
    """A document; None for what is not XML, which an answer of MiniStack's about a key with control characters is."""
    try:
        return fromstring(body)  # noqa: S314  # the parser resolves no external entities
    except ParseError:
        return None


def name_of(node: Element) -> str:
    """The name of an element, without its namespace."""
    return node.tag.rsplit("}", 1)[-1]


def children(node: Element) -> dict[str, str]:
    """The text of each element of a node, by name."""
    return {name_of(child): child.text or "" for child in node}


def named_parts(body: bytes) -> list[dict[str, str]] | None:
    """The parts that a CompleteMultipartUpload names; None for what is not XML, which MiniStack refuses."""
    root = parsed(body or b"<CompleteMultipartUpload/>")
    if root is None:
        return None
    return [children(node) for node in root.iter() if name_of(node) == "Part"]


def moment(text: str) -> datetime:
    """A date of a document, in UTC, in which one without a time zone is.

    Raises:
        ValueError: it is none.
    """
    told = datetime.fromisoformat(text)
    try:
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def to_the_second(moment: str) -> str:
    """A date of the engine's as S3's documents tell it (recorded from S3: it ends in ``.000Z``)."""
    return moment.split(".", maxsplit=1)[0].removesuffix("Z") + ".000Z"


def dated(body: bytes) -> bytes:
    """An answer with its dates as S3 tells them."""
    return _DATE.sub(lambda found: found[1] + to_the_second(found[2].decode()).encode(), body)


def written(root: Element) -> bytes:
    """The body of an answer."""
    register_namespace("", s3.S3_NS)
    body: bytes = s3._xml_body(root)
    return body
