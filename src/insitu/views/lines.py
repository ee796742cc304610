"""``doc.lines``: the current content as a mutable sequence of lines.

    doc.lines[9_999_999]                    # 'text with its ending\\r\\n'
    doc.lines[5:8] = ["one"]                # the ending is that of the line replaced
    doc.lines.insert(3, "x")

A line is a ``str`` with its ending, and every byte survives: what the encoding cannot decode travels as
surrogate escapes, and a line assigned to itself is no edit. What ends a line and which ending a new one
takes are the rules of ``insitu.formats.lines``. A byte order mark belongs to no line: it is neither seen
nor lost.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, MutableSequence
from collections.abc import Sequence as Order
from functools import partial
from itertools import islice
from typing import Final, Protocol, SupportsIndex, overload

from insitu.core.measure import Measure
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.errors import RequestError, SpanError
from insitu.formats.lines import (
    NEWLINES,
    assigned_lines,
    detect_newline,
    ended_line,
    ending_near,
    find_unit,
    inserted_line,
    rfind_unit,
    split_ending,
    split_text,
)
from insitu.scan.windows import WINDOW_BYTES
from insitu.views.line_ends import Indexed, LineEnds
from insitu.views.line_text import CHARACTER_BYTES, LineText
from insitu.views.text import Encoding, text_start

# The first window behind a line's start: most lines fit, and it costs no more than a system call.
FIRST_WINDOW_BYTES: Final = 4 << 10

# A look-up takes as long as passing over some hundreds of lines.
_SPARSE_STEP: Final = 256


class Lined(Indexed, Protocol):
    """What lines need of their document."""

    @property
    def size(self) -> int:
        """Bytes, pending edits included."""
        ...

    @property
    def text(self) -> Encoding:
        """The codec of its text."""
        ...

    @property
    def sequence(self) -> Sequence:
        """The pending edits; another one after a commit."""
        ...

    # Parameters without names: documents may call them what they like.
    def read(self, offset: int, size: int, /) -> bytes:
        """Exactly these bytes of the current content."""
        ...

    def replace_span(self, span: Span, data: bytes, /) -> None:
        """Replaces a span of the current content, as one pending edit."""
        ...

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]], /) -> None:
        """Makes sorted, disjoint replacements as one pending edit."""
        ...


class Lines(MutableSequence[str]):
    """The lines of a document, pending edits included; indexes and slices follow ``list``.

    A text put in place of a line is one line, whatever it holds before its ending; a text that is
    inserted, appended or added by ``extend`` may hold several. Iterating goes by line number and reads a
    window ahead: edits made meanwhile show from the next window on.

    Args:
        document: whose lines.
        newline: the byte that ends lines; None means LF, unless the base's first window holds CR and
            no LF.

    Raises:
        SpanError: from any call: there is no such line. It is an ``IndexError``.
        TextError: line ends are not those of ASCII, or the base is not whole code units; from edits: the
            encoding cannot hold a character; from reads: it cannot show a line.
    Cost: the first question about a line reads the base up to there, one about their number all of it; what
        was counted is indexed and kept. From then on a line is one look-up, which reads at most 256 KiB, and
        one read of the line; with edits pending O(log n) more, and every piece that edits have left is
        counted once. Memory: a window beside the lines that are returned or assigned.
    """

    def __init__(self, document: Lined, newline: bytes | None = None) -> None:
        if newline is not None and newline not in NEWLINES:
            raise RequestError(f"{newline!r} cannot end lines.", hint=r"Give b'\n', b'\r' or None.")
        self._document = document
        self._line_text = LineText(document.text)
        self._unit = self._line_text.unit
        self._line_text.encoding.check_size(document.base.size, "The document")
        self._newline = newline
        self._known: tuple[Sequence, LineEnds] | None = None

    @property
    def newline(self) -> bytes:
        """What ends lines, LF or CR, as bytes of the file's encoding: one code unit."""
        return self._line_ends().newline

    def __len__(self) -> int:
        size = self._document.size
        return self._measure().count_before(size) + (not self._is_ended(size))

    def __iter__(self) -> Iterator[str]:
        document, newline, unit = self._document, self.newline, self._unit
        decode = self._line_text.decode
        number, window_bytes = 0, FIRST_WINDOW_BYTES
        start = self._start(0)
        while start is not None and start < document.size:
            sequence, clean = document.sequence, not document.sequence.changed
            data = document.read(start, min(window_bytes, document.size - start))
            stop = len(data) if start + len(data) == document.size else rfind_unit(data, newline) + unit
            if not stop:
                data = self._whole(*next(self._scan(start)))
                stop = len(data)
            window_bytes = min(2 * window_bytes, WINDOW_BYTES)
            find = data.find if unit == 1 else partial(find_unit, data)
            at = 0
            while at < stop:
                end = find(newline, at) + unit or stop
                number += 1
                yield decode(data[at:end])
                at = end
            if clean and document.sequence is sequence and not sequence.changed:
                start += stop
            else:
                start = self._start(number)

    @overload
    def __getitem__(self, key: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: SupportsIndex | slice) -> str | list[str]:
        if not isinstance(key, slice):
            return self._text(*next(self._scan(self._start_of(self._number(key)))))
        numbers = self._numbers(key)
        if not numbers:
            return []
        if abs(numbers.step) > _SPARSE_STEP:
            return [self[number] for number in numbers]
        low, high = sorted((numbers[0], numbers[-1]))
        found = islice(self._scan(self._start_of(low)), 0, high - low + 1, abs(numbers.step))
        texts = [self._text(*line) for line in found]
        return texts if numbers.step > 0 else texts[::-1]

    @overload
    def __setitem__(self, key: SupportsIndex, value: str) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Iterable[str]) -> None: ...
    def __setitem__(self, key: SupportsIndex | slice, value: str | Iterable[str]) -> None:
        if not isinstance(key, slice):
            number = self._number(key)
            self._assign(range(number, number + 1), self._start_of(number), [value])
            return
        texts = _listed(value)
        numbers = self._numbers(key)
        if numbers.step != 1:
            raise RequestError(
                f"Lines cannot be assigned to a slice of step {numbers.step}; nothing was changed.",
                hint="Assign them one by one, or a slice without a step.",
            )
        start = self._bound(numbers.start)
        if numbers:
            self._assign(numbers, start, texts)
        else:
            self._put(start, [self._line_text.encode(text) for text in texts])

    def __delitem__(self, key: SupportsIndex | slice) -> None:
        if not isinstance(key, slice):
            self._document.replace_span(self.span_of(key), b"")
            return
        numbers = self._numbers(key)
        if numbers and abs(numbers.step) == 1:
            low, high = sorted((numbers[0], numbers[-1]))
            self._document.replace_span(self.span_of(low, high + 1), b"")
        elif numbers:
            self._document.replace_spans((self.span_of(number), b"") for number in sorted(numbers))

    def insert(self, index: SupportsIndex, value: str) -> None:
        """Inserts the lines of a text before a line; past the last line it appends, as lists do."""
        number = operator.index(index)
        if number < 0:
            number = max(0, number + len(self))
        start = self._start(number)
        self._put(self._document.size if start is None else start, self._split(value))

    def append(self, value: str) -> None:
        """Appends the lines of a text; an unterminated last line is ended first. Needs no index."""
        self._put(self._document.size, self._split(value))

    def extend(self, values: Iterable[str]) -> None:
        """Appends the lines of several texts as one pending edit. Needs no index."""
        self._put(self._document.size, [line for text in _listed(values) for line in self._split(text)])

    def clear(self) -> None:
        """Deletes all lines."""
        self._document.replace_span(Span(self._top(), self._document.size), b"")

    def span_of(self, first: SupportsIndex, stop: int | None = None) -> Span:
        """The bytes of the lines ``[first, stop)`` of the current content, endings included.

        Args:
            first: index of a line; negative ones count from the end where there is no ``stop``.
            stop: index behind the last line; None means the line ``first`` alone.

        Raises:
            SpanError: there are fewer lines, or the span is reversed.
        """
        if stop is None:
            number = self._number(first)
            start, end = self._start_of(number), self._start(number + 1)
            return Span(start, self._document.size if end is None else end)
        number = operator.index(first)
        if not 0 <= number <= stop:
            raise SpanError(
                f"Lines {number}:{stop} are reversed or negative.",
                hint="Give 0 <= first <= stop <= the number of lines.",
                first=number,
                stop=stop,
            )
        start = self._bound(number)
        return Span(start, start if stop == number else self._bound(stop))

    def number_at(self, offset: int) -> int:
        """The index of the line that holds the byte at ``offset`` of the current content.

        Raises:
            SpanError: there is no such byte.
        """
        size = self._document.size
        if not 0 <= offset < size:
            raise SpanError(
                f"There is no byte {offset}; the content has {size} bytes.", offset=offset, size=size
            )
        return self._measure().count_before(offset - offset % self._unit)

    def ending_of(self, index: SupportsIndex) -> bytes:
        """The ending of a line: LF, CR LF or CR; empty for an unterminated last line."""
        return self._ending_at(self.span_of(index).stop)

    # Where lines are

    def _line_ends(self) -> LineEnds:
        document = self._document
        if self._known is None or self._known[0] is not document.sequence:
            newline = self._newline
            if newline is None:
                first = document.base.read(0, min(WINDOW_BYTES, document.base.size))
                if self._unit > 1:
                    first = first.decode(self._line_text.encoding.name, "replace").encode("utf-8", "replace")
                newline = detect_newline(first, more=document.base.size > WINDOW_BYTES)
            self._known = document.sequence, LineEnds(document, self._line_text.newline(newline))
        return self._known[1]

    def _measure(self) -> Measure:
        return self._document.sequence.measure(self._line_ends())

    def _number(self, index: SupportsIndex) -> int:
        """The index counted from the first line, below 0 where there is no such line."""
        number = operator.index(index)
        if number >= 0:
            return number
        count = len(self)
        if number + count < 0:
            raise _missing(number, count)
        return number + count

    def _numbers(self, key: slice) -> range:
        """The lines of a slice. Does not count what lies behind where the slice says where it ends."""
        start, stop = key.start or 0, key.stop
        if key.step in (None, 1) and isinstance(start, int) and isinstance(stop, int):
            last = max(start, stop)
            if min(start, stop) >= 0 and self._start(last) is not None:
                return range(*key.indices(last))
        return range(*key.indices(len(self)))

    def _top(self) -> int:
        """Where the first line starts, or would."""
        return text_start(self._document, self._line_text.encoding)

    def _start(self, number: int) -> int | None:
        """Where the line behind ``number`` line ends starts, or would; None where there are fewer."""
        if number == 0:
            return self._top()
        found = self._measure().find(number - 1)
        return None if found is None else found + self._unit

    def _start_of(self, number: int) -> int:
        """Where a line starts, which must exist."""
        start = self._start(number)
        if start is None or start == self._document.size:
            raise _missing(number, len(self))
        return start

    def _bound(self, number: int) -> int:
        """Where a line starts, or the content stops where ``number`` is their count."""
        start = self._start(number)
        if start is None:
            if number > (count := len(self)):
                raise _missing(number, count)
            start = self._document.size
        return start

    def _scan(self, start: int) -> Iterator[tuple[Span, bytes]]:
        """Yields the lines from the one at ``start`` on: their spans and bytes, until the next edit.

        Of a line much longer than a window it yields the last bytes only: enough to see its ending.
        """
        document, newline, unit = self._document, self.newline, self._unit
        offset, held, window_bytes = start, b"", FIRST_WINDOW_BYTES
        while offset < document.size:
            data = document.read(offset, min(window_bytes, document.size - offset))
            at = 0
            find = data.find if unit == 1 else partial(find_unit, data)
            while end := find(newline, at) + unit:
                yield Span(start, offset + end), held + data[at:end]
                start, held, at = offset + end, b"", end
            held += data[at:]
            if len(held) > WINDOW_BYTES:
                held = held[-unit:]
            offset += len(data)
            window_bytes = min(2 * window_bytes, WINDOW_BYTES)
        if start < document.size:
            yield Span(start, document.size), held

    # What lines hold

    def _whole(self, span: Span, data: bytes) -> bytes:
        """All of a line that ``_scan`` found."""
        return data if len(data) == span.size else self._document.read(span.start, span.size)

    def _text(self, span: Span, data: bytes) -> str:
        return self._line_text.decode(self._whole(span, data))

    def _split(self, text: str) -> list[bytes]:
        """The lines of a text; an empty text is an empty line, since a line is what was asked for."""
        return split_text(self._line_text.encode(text), self.newline) or [b""]

    def _is_ended(self, size: int) -> bool:
        """Whether another line could follow the last one."""
        unit = self._unit
        return size == self._top() or self._document.read(size - unit, unit) == self.newline

    def _ending_at(self, offset: int) -> bytes:
        """The ending of the line that stops at ``offset``."""
        start = max(0, offset - 2 * self._unit)
        return split_ending(self._document.read(start, offset - start), self.newline)[1]

    def _ending_near(self, span: Span) -> bytes:
        """The ending that new text in the place of some lines takes, where those have none."""
        return ending_near(self._neighbours(span), self.newline)

    def _neighbours(self, span: Span) -> Iterator[bytes]:
        """Yields endings: of the last line before the span that has one, of the line behind the span."""
        at, window_bytes = span.start, FIRST_WINDOW_BYTES
        while at > 0:
            low = max(0, at - window_bytes)
            if end := rfind_unit(self._document.read(low, at - low), self.newline) + self._unit:
                yield self._ending_at(low + end)
                break
            at, window_bytes = low, WINDOW_BYTES
        yield from (data for _span, data in islice(self._scan(span.stop), 1))

    # Edits

    def _assign(self, numbers: range, start: int, texts: Order[object]) -> None:
        """Replaces lines, at least one, the first of which starts at ``start``.

        Lines that stay as they are are no part of the edit where as many lines come as go.
        """
        newline = self.newline
        # Lines beyond the texts are only deleted: what they hold decides nothing.
        found = list(islice(self._scan(start), min(len(texts), len(numbers))))
        replaced = [self._comparable(text, *line) for text, line in zip(texts, found, strict=False)]
        encode, encode_over = self._line_text.encode, self._line_text.encode_over
        lines = [
            encode_over(text, line) if len(line) == line_span.size else encode(text)
            for text, line, (line_span, _data) in zip(texts, replaced, found, strict=False)
        ]
        lines += [encode(text) for text in texts[len(found) :]]
        stop = found[-1][0].stop if len(found) == len(numbers) else self._bound(numbers.stop)
        span = Span(start, stop)
        neighbour = newline
        if found and not replaced[-1].endswith(newline):
            neighbour = self._ending_near(span)
        new = list(assigned_lines(lines, replaced, neighbour, newline))
        if len(new) != len(numbers):
            self._document.replace_span(span, b"".join(new))
            return
        edits = [
            (line_span, line)
            for line, old, (line_span, _data) in zip(new, replaced, found, strict=True)
            if line != old or len(line) != line_span.size
        ]
        if edits:
            self._document.replace_spans(edits)

    def _comparable(self, text: object, span: Span, data: bytes) -> bytes:
        """All of a line that ``_scan`` found, unless it is too long to be what ``text`` says."""
        if isinstance(text, str) and span.size <= CHARACTER_BYTES * len(text):
            return self._whole(span, data)
        return data

    def _put(self, offset: int, lines: list[bytes]) -> None:
        """Inserts lines where one starts, or at the end."""
        if not lines:
            return
        document, newline = self._document, self.newline
        neighbour = self._ending_near(Span(offset, offset))
        before = b""
        if offset == document.size and not self._is_ended(offset):
            before = ended_line(document.read(offset - self._unit, self._unit), neighbour, newline)
        new = (inserted_line(line, neighbour, newline) for line in lines)
        document.replace_span(Span(offset, offset), b"".join((before, *new)))


def _listed(texts: Iterable[str]) -> list[str]:
    """The texts; a single one would be taken for its characters."""
    if isinstance(texts, str):
        raise RequestError(
            "Several lines are given as a list of texts, not as one text; nothing was changed.",
            hint="Put it in brackets: ['...'].",
        )
    return list(texts)


def _missing(number: int, count: int) -> SpanError:
    return SpanError(
        f"There is no line {number}; the file has {count} line{'' if count == 1 else 's'}.",
        hint=f"The first line is 0, the last {count - 1} or -1." if count else "Append to it.",
        line=number,
        line_count=count,
    )
