"""What a file is made of: the sections of Markdown, the columns of CSV, the keys of JSON and JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from insitu.errors import AmbiguousError, FormatError

if TYPE_CHECKING:
    from insitu.formats.sample_types import Seen
    from insitu.views.csv import Csv
    from insitu.views.json import Json
    from insitu.views.markdown import Markdown
    from insitu.views.markdown_section import Section

SAMPLE_BYTES: Final = 1 << 20
"""Read to tell a format, and its keys."""

_SAMPLE_ROWS: Final = 1_000


class Outlined(Protocol):
    """What an outline needs of its document."""

    @property
    def path(self) -> str:
        """The file's path."""
        ...

    @property
    def size(self) -> int:
        """Bytes, pending edits included."""
        ...

    def read(self, offset: int, size: int, /) -> bytes:
        """Exactly these bytes of the current content."""
        ...

    def csv(self) -> Csv:
        """The content as rows."""
        ...

    def json(self) -> Json:
        """The content as one JSON document."""
        ...

    def markdown(self) -> Markdown:
        """The content as sections."""
        ...


@dataclass(frozen=True)
class Outline:
    """What a file is made of.

    Args:
        kind: what its parts are called, as ``columns``.
        typed: whether the parts are names with kinds of values (columns, keys).
        entries: the parts as plain values; made as they are asked for, while the document is open.
        facts: of the whole.
        note: what people should know of it.
    """

    kind: str
    typed: bool
    entries: Iterable[dict[str, Any]]
    facts: dict[str, Any]
    note: str = ""


# CSV and JSON Lines: what a sample holds


def _columns(doc: Outlined) -> Outline:
    from insitu.formats.sample_types import seen_in_rows

    rows = doc.csv()
    sample = [row.cells for row in islice(rows, _SAMPLE_ROWS)]
    entries = [
        {"number": number, **_described(seen)}
        for number, seen in enumerate(seen_in_rows(list(rows.header), sample), 1)
    ]
    facts = {
        "format": "csv",
        "dialect": str(rows.dialect),
        "doubts": list(rows.doubts),
        "rows_sampled": len(sample),
    }
    note = f"{rows.dialect}; kinds of the first {_counted(len(sample), 'row')}"
    return Outline("columns", True, entries, facts, "; ".join((note, *rows.doubts)))


def _keys_of_records(doc: Outlined) -> Outline:
    from insitu.formats.sample_types import seen_in_values

    values = list(islice(_records(doc), _SAMPLE_ROWS))
    entries = [_described(seen) for seen in seen_in_values(values)]
    facts = {"format": "jsonl", "records_sampled": len(values)}
    note = f"as in the first {_counted(len(values), 'record')}"
    return Outline("keys", True, entries, facts, note)


def _records(doc: Outlined) -> Iterator[Any]:
    """Yields the whole records of the first window."""
    sample = doc.read(0, min(SAMPLE_BYTES, doc.size))
    lines = sample.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if len(sample) < doc.size:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                return  # a torn last record is no key's fault
            raise FormatError(
                f"Record {number:,} of {doc.path} is not JSON: {error}.",
                hint=f"Look at it: insitu read FILE --lines {number}",
                record=number,
            ) from None


def _described(seen: Seen) -> dict[str, Any]:
    return {"name": seen.name, "kinds": seen.kinds, "example": seen.example}


# JSON: the members of the document


def _members(doc: Outlined) -> Outline:
    from insitu.formats.sample_types import seen_in_values

    document = doc.json()
    first = document.span_of("").start
    opening = doc.read(first, 1)
    facts: dict[str, Any] = {"format": "json"}
    if opening == b"{":
        return Outline("keys", False, map(_member_of(doc), document.keys("")), facts)
    if opening == b"[":
        count = document.count("")
        values = list(_elements(document, count))
        note = f"an array of {_counted(count, 'element')}; keys as in the first {len(values):,}"
        entries = [_described(seen) for seen in seen_in_values(values)]
        return Outline("keys", True, entries, {**facts, "elements": count}, note)
    return Outline("keys", True, [], facts, "a single value without keys")


def _elements(document: Json, count: int) -> Iterator[Any]:
    """Yields the first elements of an array, as many as a window holds."""
    left = SAMPLE_BYTES
    for index in range(min(count, _SAMPLE_ROWS)):
        left -= document.span_of(f"/{index}").size
        if left < 0:
            return
        yield document.get(f"/{index}")


_KINDS: Final = {"{": "object", "[": "array", '"': "text", "t": "true/false", "f": "true/false", "n": "null"}


def _member_of(doc: Outlined) -> Callable[[str], dict[str, Any]]:
    """Describes the member with a key of the document: what it is, where, and how much it holds."""
    document = doc.json()

    def described(key: str) -> dict[str, Any]:
        pointer = "/" + key.replace("~", "~0").replace("/", "~1")
        try:
            span = document.span_of(pointer)
        except AmbiguousError:
            return {
                "pointer": pointer,
                "kind": "a key that occurs several times",
                "count": None,
                "span": None,
            }
        kind = _KINDS.get(doc.read(span.start, 1).decode("latin-1"), "number")
        count = document.count(pointer) if kind in ("object", "array") else None
        return {"pointer": pointer, "kind": kind, "count": count, "span": span}

    return described


# Markdown: the sections


def _sections(doc: Outlined) -> Outline:
    page = doc.markdown()
    sections = page.outline()
    facts = {"format": "markdown", "section_count": len(sections), "unclosed_fence": page.unclosed_fence}
    note = ""
    if facts["unclosed_fence"] is not None:
        note = f"the code fence on line {facts['unclosed_fence']:,} is never closed: the rest is code"
    return Outline("sections", False, map(_section, sections), facts, note)


def _section(section: Section) -> dict[str, Any]:
    return {
        "number": section.number,
        "level": section.level,
        "line": section.line,
        "title": section.title,
        "path": section.path,
        "id": section.id,
        "span": section.span(),
    }


OUTLINES: Final[dict[str, Callable[[Outlined], Outline]]] = {
    "csv": _columns,
    "jsonl": _keys_of_records,
    "json": _members,
    "md": _sections,
}
"""By the short name of the format."""


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
