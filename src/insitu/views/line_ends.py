"""How many line ends a document has before a place, and where the n-th is, pending edits included.

The base is asked through its index, however large it is; what edits put in is counted where it is short.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Final, Protocol

from insitu.core.pieces import Content, Copy, Fill, Kept, Literal
from insitu.core.protocols import Cancel, Reader
from insitu.core.spans import Span
from insitu.engine.index import LineIndex
from insitu.errors import TextError
from insitu.formats.lines import LF
from insitu.scan.part import Part

# Reading and counting so many bytes costs less than two look-ups in an index, which read 128 KiB on average.
SHORT_BYTES: Final = 64 << 10

# Offsets whose counts are remembered: the ends of the pieces that an edit is about to cut.
_REMEMBERED: Final = 4096


class Ends(Protocol):
    """An index of line ends."""

    @property
    def newline(self) -> bytes:
        """The byte that ends lines."""
        ...

    # Parameters without names: an index may call them what it likes.
    def ends_before(self, offset: int, /) -> int:
        """How many line ends lie before an offset."""
        ...

    def find_end(self, number: int, stop: int, /) -> int | None:
        """The offset just after a line end, counted from 1; None where there are fewer before ``stop``."""
        ...


class Indexed(Protocol):
    """What counting needs of a document."""

    @property
    def base(self) -> Reader:
        """The bytes under the pending edits."""
        ...

    def line_index(self) -> Ends:
        """The index of the base, made when first asked for."""
        ...

    @property
    def cancel(self) -> Cancel | None:
        """Asked while line ends are counted."""
        ...

    # A parameter without name: documents may call it what they like.
    def open_source(self, path: str, /) -> Reader:
        """Another file that a pasted piece names."""
        ...


class LineEnds:
    """Counts line ends in pieces of a document: by index where they are long, by reading them where not.

    Args:
        newline: the code unit that ends lines; every piece must be made of whole units.
    """

    def __init__(self, document: Indexed, newline: bytes) -> None:
        self.newline = newline
        self._unit = len(newline)
        self._base = document.base
        self._document = document
        self._pasted: dict[str, list[_Stretch]] = {}
        # A short piece is asked for its line ends and then, in vain, for their number.
        self._recent = lru_cache(maxsize=2)(self._read)

    @cached_property
    def _base_stretch(self) -> _Stretch:
        if self._unit > 1:
            # Kept indexes are of bytes.
            index: Ends = _index_of(self._base, self.newline, self._document.cancel)
            return _Stretch(Span(0, self._base.size), index, self._unit)
        index = self._document.line_index()
        if index.newline != self.newline:
            index = _index_of(self._base, self.newline, self._document.cancel)
        return _Stretch(Span(0, self._base.size), index)

    def count(self, content: Content) -> int:
        """How many line ends there are."""
        self._check(content)
        match content:
            case Literal(data):
                return _marks(data, self.newline).count(_mark(self.newline))
            case Fill(byte, count):
                return count if bytes((byte,)) == self.newline else 0
        if content.size <= SHORT_BYTES:
            return _marks(self._recent(content), self.newline).count(_mark(self.newline))
        return self._stretch_of(content).count(content.span)

    def count_before(self, content: Content, offset: int) -> int:
        """How many line ends there are in the first ``offset`` bytes."""
        return self.count(content.part(0, offset))

    def find(self, content: Content, index: int) -> int | None:
        """Where the line end ``index`` (from 0) is; None where there are fewer."""
        match content:
            case Literal(data):
                return self._find_in(data, index)
            case Fill(byte, count):
                return index if bytes((byte,)) == self.newline and index < count else None
        if content.size <= SHORT_BYTES:
            return self._find_in(self._recent(content), index)
        return self._stretch_of(content).find(content.span, index)

    def _find_in(self, data: bytes, index: int) -> int | None:
        found = _find_in(_marks(data, self.newline), _mark(self.newline), index)
        return None if found is None else found * self._unit

    def _check(self, content: Content) -> None:
        """Refuses a piece that byte edits have left with part of a unit: what follows it is no text."""
        start = content.span.start if isinstance(content, Kept | Copy) else 0
        if content.size % self._unit or start % self._unit:
            raise TextError(
                f"Pending edits have cut a unit of {self._unit} bytes in two, so there are no lines.",
                hint="Undo them, or edit by whole units.",
            )

    def _reader_of(self, content: Kept | Copy) -> Reader:
        source = content.source if isinstance(content, Copy) else None
        return self._base if source is None else self._document.open_source(source)

    def _read(self, content: Kept | Copy) -> bytes:
        return self._reader_of(content).read(content.span.start, content.size)

    def _stretch_of(self, content: Kept | Copy) -> _Stretch:
        """The stretch that holds the content; of another file, only what was pasted is ever counted."""
        if isinstance(content, Kept) or content.source is None:
            return self._base_stretch
        stretches = self._pasted.setdefault(content.source, [])
        known = next((stretch for stretch in stretches if stretch.span.holds(content.span)), None)
        if known is None:
            pasted = Part(self._reader_of(content), content.span)
            known = _Stretch(content.span, _index_of(pasted, self.newline, self._document.cancel), self._unit)
            stretches.append(known)
        return known


class _Stretch:
    """A span of a file whose line ends an index knows."""

    def __init__(self, span: Span, index: Ends, unit: int = 1) -> None:
        self.span = span
        self._index = index
        self._unit = unit
        self._before = lru_cache(maxsize=_REMEMBERED)(index.ends_before)

    def count(self, part: Span) -> int:
        """How many line ends there are in a part of the span."""
        part = part.moved(-self.span.start)
        return self._before(part.stop // self._unit) - self._before(part.start // self._unit)

    def find(self, part: Span, index: int) -> int | None:
        """The offset in ``part`` of its line end ``index`` (from 0); None where there are fewer."""
        start, stop = ((place - self.span.start) // self._unit for place in part)
        end = self._index.find_end(self._before(start) + index + 1, stop)
        return None if end is None else (end - 1 - start) * self._unit


class _Marks:
    """The code units of a reader, a byte each, as a reader: LF for a line end."""

    def __init__(self, reader: Reader, newline: bytes) -> None:
        self._reader = reader
        self._newline = newline
        self.size = reader.size // len(newline)

    def read(self, offset: int, size: int) -> bytes:
        unit = len(self._newline)
        return _marks(self._reader.read(offset * unit, size * unit), self._newline)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))


def _index_of(reader: Reader, newline: bytes, cancel: Cancel | None) -> LineIndex:
    """An index of the line ends, counted in code units."""
    if len(newline) == 1:
        return LineIndex.build(reader, newline, cancel=cancel)
    return LineIndex.build(_Marks(reader, newline), LF, cancel=cancel)


def _marks(data: bytes, newline: bytes) -> bytes:
    """Bytes with one for each code unit, LF for those that are ``newline``; single bytes as they are."""
    if len(newline) == 1:
        return data
    import numpy as np

    # Compared in one byte order, whichever: equal is equal.
    order = f"u{len(newline)}"
    return bytes((np.frombuffer(data, order) == np.frombuffer(newline, order)[0]) * np.uint8(LF[0]))


def _mark(newline: bytes) -> bytes:
    """What stands for a line end in ``_marks``."""
    return newline if len(newline) == 1 else LF


def _find_in(data: bytes, newline: bytes, index: int) -> int | None:
    """Where the line end ``index`` (from 0) is, by halving; None where there are fewer."""
    if index >= data.count(newline):
        return None
    low, high = 0, len(data)
    while high - low > 1:
        middle = (low + high) // 2
        count = data.count(newline, low, middle)
        if index < count:
            high = middle
        else:
            low, index = middle, index - count
    return low
