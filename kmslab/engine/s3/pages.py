"""Pages of a listing: keys in their order from a marker on, those with the same prefix up to a delimiter as one.

Recorded from S3 (LocalStack's ``test_s3_list_operations.py``): a common prefix comes at its place among the keys,
counts as one of them, and is not told again by a marker inside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from xml.etree.ElementTree import Element, SubElement

from ministack.services import s3

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

T = TypeVar("T")

MOST = 1000
"""Of a page (Amazon S3 API Reference, "ListObjectVersions" and "ListMultipartUploads")."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a listing is asked for.

    Attributes:
        prefix: of the keys.
        delimiter: up to which keys count as one; empty for none.
        key_marker: after which key the page begins.
        id_marker: after which version or upload of that key; empty for after all of them.
        most: keys and common prefixes of the page.
        encoding: ``url``, or empty.
    """

    prefix: str
    delimiter: str
    key_marker: str
    id_marker: str
    most: int
    encoding: str

    @classmethod
    def of(cls, query: Mapping[str, Any], id_marker: str, most: str) -> Self:
        """Read a query, which names the marker of the id and the number of entries in its own way."""
        return cls(
            prefix=s3._qp(query, "prefix", ""),
            delimiter=s3._qp(query, "delimiter", ""),
            key_marker=s3._qp(query, "key-marker", ""),
            id_marker=s3._qp(query, id_marker, ""),
            most=min(int(s3._qp(query, most, "") or MOST), MOST),
            encoding=s3._qp(query, "encoding-type", ""),
        )

    def spelled(self, text: str) -> str:
        """A key, a prefix or a delimiter as the answer spells it."""
        spelled: str = s3._url_encode(text) if self.encoding == "url" else text
        return spelled

    def shared(self, key: str) -> str:
        """The prefix that a key shares up to the delimiter; empty when it stands for itself."""
        if not self.delimiter:
            return ""
        head, cut, _ = key[len(self.prefix) :].partition(self.delimiter)
        return self.prefix + head + cut if cut else ""


@dataclass(slots=True)
class Page(Generic[T]):
    """A page.

    Attributes:
        entries: key and what it stands for, in order.
        prefixes: the common prefixes, in order.
        last_is_prefix: whether the last of the page is one of these.
        is_truncated: whether there is more.
    """

    entries: list[tuple[str, T]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last_is_prefix: bool = False
    is_truncated: bool = False


def page_of(things: Iterable[tuple[str, str, T]], asked: Asked, rest: Container[str]) -> Page[T]:
    """Cut a page.

    Args:
        things: key, id and what it is, by key.
        asked: what is asked for.
        rest: ids that come after the marker among those of the marker's key.
    """
    page = Page[T]()
    for key, identifier, thing in things:
        if not key.startswith(asked.prefix):
            continue
        if shared := asked.shared(key):
            if shared <= asked.key_marker or shared in page.prefixes[-1:]:
                continue
        elif key < asked.key_marker or (key == asked.key_marker != "" and identifier not in rest):
            continue
        if len(page.entries) + len(page.prefixes) == asked.most:
            page.is_truncated = asked.most > 0
            break
        page.last_is_prefix = bool(shared)
        if shared:
            page.prefixes.append(shared)
        else:
            page.entries.append((key, thing))
    return page


def add(parent: Element, members: Mapping[str, str | None]) -> None:
    """Add elements to an answer; those that are None are left out."""
    for name, text in members.items():
        if text is not None:
            SubElement(parent, name).text = text
