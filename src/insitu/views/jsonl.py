"""``doc.jsonl()``: one JSON value to a line, addressed by number, by condition and by JSON Pointer inside.

    rows = doc.jsonl()
    rows[8_123_455]                              # the parsed value
    rows.set(8_123_455, "/user/name", "Ada")     # every other byte of the record stays
    rows.update(where="status = 'new' and value > 10", set={"/status": "seen"})

A record is a line: record 0 is the first line. A line of white space only holds no record but keeps its
number. Lines end with LF or CR LF.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, SupportsIndex, overload

from insitu.core.protocols import Cancel, Progress
from insitu.core.spans import Span
from insitu.errors import FormatError, InsituError, NoMatchError, RequestError, SpanError
from insitu.formats import json_edits
from insitu.formats.json_edits import Change
from insitu.formats.json_patch import changes_of
from insitu.formats.json_pointer import parse_pointer
from insitu.formats.json_render import Style, style_in, written
from insitu.formats.lines import LF, ending_near, split_ending
from insitu.views import json
from insitu.views.json_text import SMALL_BYTES, JsonText, check_encoding, padded_region
from insitu.views.jsonl_key import Key
from insitu.views.jsonl_mass import JsonlCompact, JsonlDelete, JsonlUpdate
from insitu.views.jsonl_scan import Matches
from insitu.views.lines import Lined, Lines
from insitu.views.streaming import MassEdit, Source
from insitu.views.text import text_start

# The last record is looked at where new ones come behind it, if it is no longer than this.
_TAIL_BYTES: Final = 64 << 10


class Edited(Lined, json.Edited, Protocol):
    """What records need of their document."""

    # A parameter without name: documents may call it what they like.
    def make(
        self, edit: MassEdit, /, *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> int:
        """Makes a mass edit over the current content."""
        ...


class Jsonl:
    """The current content of a document as records. Arguments and pointers as ``insitu.views.json.Json``.

    Indexes count from 0, negative ones from the end. Every edit is pending until the document is committed.
    New and changed records are checked before they are written.

    Raises:
        FormatError: from any call: the record that was asked for is not JSON; a torn last record, as a
            crashed writer leaves one, is only refused where it is asked for.
        SpanError: there is no such line; NoMatchError: the line holds no record, or the record no such value.
        TextError: the file is UTF-16 or UTF-32.
    Cost: a record by number takes one look into the line index; conditions scan the file.
    """

    def __init__(self, document: Edited) -> None:
        check_encoding(document.text, document.path)
        self._document = document
        self._lines = Lines(document, newline=LF)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, key: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> list[Any]: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        if isinstance(key, slice):
            return [self.get(index) for index in range(*key.indices(len(self)))]
        return self.get(key)

    def __setitem__(self, index: SupportsIndex, value: Any) -> None:
        self.set(index, "", value)

    def __delitem__(self, key: SupportsIndex | slice) -> None:
        del self._lines[key]

    def get(self, index: SupportsIndex, pointer: str = "") -> Any:
        """The Python value at a pointer in a record."""
        return self._record(index).get(pointer)

    def raw(self, index: SupportsIndex, pointer: str = "") -> bytes:
        """The bytes of the value at a pointer in a record, as they are written."""
        return self._record(index).raw(pointer)

    def span_of(self, index: SupportsIndex, pointer: str = "") -> Span:
        """Where the value at a pointer in a record is."""
        return self._record(index).find(pointer)

    def span_of_line(self, index: SupportsIndex) -> Span:
        """The bytes of a line of the current content, its ending included."""
        try:
            return self._lines.span_of(index)
        except SpanError:
            number, count = operator.index(index), len(self)
            raise SpanError(
                f"There is no record {number + (number >= 0):,} in {self._document.path}, "
                f"which has {count:,} line{'s' * (count != 1)}; nothing was changed.",
                hint="Records count from 1 on the command line and in messages, from 0 in Python.",
                index=number,
                count=count,
            ) from None

    def torn(self) -> Span | None:
        """Where a last record is that has no line ending and is not JSON; None where there is none."""
        size = self._document.size
        if size == 0 or self._document.read(size - 1, 1) == LF:
            return None
        span = self._last_line()
        try:
            if span.size:
                self._text(span, "The last record").check()
        except FormatError:
            return span
        return None

    # One record

    def set(self, index: SupportsIndex, pointer: str, value: Any, *, padding: bool = False) -> None:
        """Gives the value at a pointer in a record another one; a missing member is added.

        Args:
            padding: spaces are put before the line's end, so that the size changes by whole blocks and the
                disk can make room without moving what follows.
        """
        new = _on_one_line(value)
        self._change(
            index, [lambda tree: json_edits.set_value(tree, parse_pointer(pointer), new)], padding=padding
        )

    def delete_value(self, index: SupportsIndex, pointer: str, *, padding: bool = False) -> None:
        """Deletes the member or element at a pointer in a record."""
        self._change(
            index, [lambda tree: json_edits.delete_value(tree, parse_pointer(pointer))], padding=padding
        )

    def rename(self, index: SupportsIndex, pointer: str, key: str, *, padding: bool = False) -> None:
        """Gives the member at a pointer in a record another key, in its place."""
        self._change(
            index, [lambda tree: json_edits.rename_key(tree, parse_pointer(pointer), key)], padding=padding
        )

    def merge(self, index: SupportsIndex, patch: Any, pointer: str = "", *, padding: bool = False) -> None:
        """Merges a patch into the value at a pointer in a record (RFC 7386)."""
        self._change(
            index, [lambda tree: json_edits.merge(tree, parse_pointer(pointer), patch)], padding=padding
        )

    def patch(
        self, index: SupportsIndex, operations: Sequence[Mapping[str, Any]], *, padding: bool = False
    ) -> None:
        """Makes the operations of a JSON Patch in a record, all or none (RFC 6902)."""
        self._change(index, changes_of(operations), padding=padding)

    def insert(self, index: SupportsIndex, value: Any, *, padding: bool = False) -> None:
        """Inserts a record before a line; behind the last line it appends, as lists do.

        It is spaced as the record before it (else the one behind it) is.

        Args:
            padding: spaces are put before the new line's end, so that the size changes by whole blocks and
                the disk can make room without moving what follows; its neighbour has to be a record.
        """
        number = operator.index(index)
        number = max(0, number + len(self)) if number < 0 else number
        if number >= len(self):
            self.append(value)
            return
        neighbour = max(0, number - 1)
        if padding:
            self._record(neighbour)
        start = self.span_of_line(number).start
        data = self._rendered(value, neighbour)
        ending = ending_near([self._lines.ending_of(neighbour)])
        if padding:
            self._document.replace_padded(Span(start, start), data, ending)
        else:
            self._document.replace_spans([(Span(start, start), data + ending)])

    def append(self, *values: Any) -> None:
        """Appends records, spaced as the last one is; an unterminated last line is ended first.

        Raises:
            FormatError: the last record is torn: what came behind it would end it.
        """
        document = self._document
        if torn := self.torn():
            raise FormatError(
                f"The last record of {document.path} is torn: its {torn.size:,} bytes from {torn.start:,} on "
                "are not JSON and have no line ending; nothing was changed.",
                hint=f"Delete it first: insitu delete FILE --bytes {torn.start}:{torn.stop}",
                span=torn,
            )
        last = self._last_line()
        style, before, ending = Style(), b"", LF
        if last.size:
            line = document.read(last.start, last.size) if last.size <= _TAIL_BYTES else b""
            style = self._style(last)
            ending = self._ending_before(last.stop)
            body, end = split_ending(line) if line else (b"", document.read(last.stop - 1, 1))
            before = ending if not end.endswith(LF) and body.strip() else b""
        lines = [written(_on_one_line(value), style) + ending for value in values]
        document.replace_spans([(Span(document.size, document.size), before + b"".join(lines))])

    def delete(
        self,
        index: SupportsIndex | None = None,
        *,
        where: str | None = None,
        key: Mapping[str, str | int] | None = None,
        padding: bool = False,
    ) -> int:
        """Deletes a record, or those that a condition is true for; returns how many.

        Args:
            index: of the record; or
            where: a condition, or ``key``, as ``update`` takes them.
            padding: of one record only: spaces before the next one make up whole blocks.
        """
        if index is None:
            if where is None and key is None:
                raise RequestError(
                    "Which records? Deleting takes an index, a condition or a key; nothing was changed.",
                    hint="To delete all: del rows[:]",
                )
            return self._document.make(JsonlDelete(where, key=key))
        span = self.span_of_line(index)
        if padding and span.stop < self._document.size:
            self._document.replace_padded(span, b"")
        else:
            self._document.replace_spans([(span, b"")])
        return 1

    # Many records

    def find(self, where: str) -> Iterator[int]:
        """Yields the indexes of the records that a condition is true for, lazily."""
        for batch, picked in Matches(where).batches(self._source()):
            yield from ((batch.first or 0) + number for number in picked)

    def find_key(self, pointer: str, value: str | int) -> list[Span]:
        """The lines of the records that hold a value at a pointer, found at the speed of a text search.

        Args:
            value: a text or a whole number, which the records write plainly: not as ``12.0``, and without
                escapes that it does not need.
        """
        return [
            batch.span_of(number) for batch in Key(pointer, value).batches(self._source()) for number in (0,)
        ]

    def filter(self, where: str) -> Iterator[Any]:
        """Yields the values of the records that a condition is true for, lazily."""
        for batch, picked in Matches(where).batches(self._source()):
            yield from (batch.value(number) for number in picked)

    def lines(
        self, where: str | None = None, first: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Yields the indexes and bytes of records, as they are written, lazily.

        Args:
            where: only those that a condition is true for.
            first: from this record on; ``stop``: up to before this one.
        """
        source = self._source()
        offset = self.span_of_line(first).start if first else 0
        for batch, picked in Matches(where).batches(source, start=(first, offset)):
            for number in picked:
                index = (batch.first or 0) + number
                if stop is not None and index >= stop:
                    return
                yield index, b"".join(batch.pieces(number))
            if stop is not None and (batch.first or 0) + batch.line_count >= stop:
                return

    def count(self, where: str | None = None) -> int:
        """How many records there are, or a condition is true for; every one is checked."""
        return sum(len(picked) for _, picked in Matches(where).batches(self._source()))

    def update(
        self,
        *,
        where: str | None = None,
        key: Mapping[str, str | int] | None = None,
        set: Mapping[str, Any],
    ) -> int:
        """Sets values in the records that a condition is true for; returns how many places changed.

        Args:
            where: SQL over the members of the records: a name is a key of the record (in double quotes where
                it is no plain word), one that starts with a slash a JSON Pointer, as ``"/user/id" = 7``; None
                means all records. A missing member is NULL, as null is.
            key: a pointer and the value it leads to, in the place of ``where``: as ``find_key``.
            set: values by pointer.
        """
        return self._document.make(JsonlUpdate(dict(set), where, key))

    def compact(self) -> int:
        """Takes out the white space around records, as padded edits leave it; returns how many places."""
        return self._document.make(JsonlCompact())

    def _source(self) -> Source:
        return Source(self._document, self._document.text, self._document.path)

    # Records and lines

    def _record(self, index: SupportsIndex) -> JsonText:
        number = operator.index(index)
        span = self.span_of_line(number)
        number = number if number >= 0 else number + len(self)
        text = self._text(span, f"Record {number + 1:,} of {self._document.path}")
        if span.size <= SMALL_BYTES and not self._document.read(span.start, span.size).strip(b" \t\r\n"):
            raise NoMatchError(
                f"Line {number + 1:,} of {self._document.path} is blank: it holds no record.",
                line=number + 1,
            )
        return text

    def _text(self, span: Span, name: str) -> JsonText:
        return JsonText(self._document, span, name)

    def _change(self, index: SupportsIndex, changes: list[Change], *, padding: bool) -> None:
        edits = self._record(index).edits(changes)
        if not edits:
            return
        if not padding:
            self._document.replace_spans(edits)
            return
        stop = self.span_of_line(index).stop - len(self._lines.ending_of(index))
        region, head = padded_region(self._document, edits, stop)
        self._document.replace_padded(region, head)

    def _rendered(self, value: Any, neighbour: int) -> bytes:
        return written(_on_one_line(value), self._style(self.span_of_line(neighbour)))

    def _style(self, line: Span) -> Style:
        """How a record is spaced; as Python writes where that cannot be told."""
        if line.size > SMALL_BYTES:
            return Style()
        try:
            tree = self._text(line, "The neighbour").tree
            root = tree.root
            if tree.read(root.value)[:1] not in (b"{", b"["):
                return Style()
            return style_in(tree, [root], tree.survey(root.value).last)
        except InsituError:
            return Style()

    def _last_line(self) -> Span:
        """The last line, found from the end; empty in an empty file."""
        document, stop = self._document, self._document.size
        low = max(0, stop - _TAIL_BYTES)
        start = document.read(low, max(0, stop - 1 - low)).rfind(LF) + 1 + low
        if start == low and low:
            return self._lines.span_of(-1)
        return Span(max(start, text_start(document, document.text)), stop)

    def _ending_before(self, stop: int) -> bytes:
        """The ending that lines have near the end of the file."""
        low = max(0, stop - _TAIL_BYTES)
        data = self._document.read(low, stop - low)
        return b"\r\n" if data[: data.rfind(LF) + 1].endswith(b"\r\n") else LF


def _on_one_line(value: Any) -> Any:
    """JSON without line ends, which between its parts are white space like any other."""
    import msgspec

    if not isinstance(value, msgspec.Raw):
        return value
    return msgspec.Raw(bytes(value).strip().replace(b"\r\n", b" ").replace(b"\n", b" ").replace(b"\r", b" "))
