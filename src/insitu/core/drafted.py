"""A draft's edits as columns: what a save makes durable, and what is replayed when the draft is opened.

A save is either the *exchanges* made since the one before, in the order they were made, each in coordinates
of the content it found; or the *state*, all splices over the base at once. New bytes are not among the
columns: they lie in the draft's pool, of which parts name spans.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from insitu.core.pieces import BYTE_VALUES, Copy, Fill, Kept, Padding
from insitu.core.rope import Part
from insitu.core.sequence import Exchange, Sequence
from insitu.core.spans import Span
from insitu.errors import InternalError, SpanError

POOL: Final = "\0draft"
"""What a ``Copy`` of a draft's own bytes has as its source: no file can be called so."""

# So many bytes on either side of where a splice cuts the base tell whether the place is as it was: half a
# line of text, and more than chance repeats.
SURROUNDING_BYTES: Final = 32

_KEPT, _BASE, _POOL, _FILL, _PADDING = range(5)
_COUNTS: Final = struct.Struct("<QQQ")
_COLUMNS: Final = (("q", 0), ("q", 0), ("q", 0), ("B", 1), ("q", 1), ("q", 1), ("q", 2), ("Q", 2))
"""The type of each column, and which of the counts is its length."""


class Columns(NamedTuple):
    """Exchanges or splices, with what the base holds around the places where they cut it."""

    starts: array[int]
    sizes: array[int]
    counts: array[int]
    """How many parts take the place of each."""
    kinds: array[int]
    lows: array[int]
    highs: array[int]
    """Of each part: its span; of a fill: byte and count."""
    edges: array[int]
    """Offsets in the base."""
    digests: array[int]
    """Of the bytes around each edge."""

    def pack(self) -> bytes:
        """The columns as bytes."""
        counts = _COUNTS.pack(len(self.starts), len(self.kinds), len(self.edges))
        return b"".join((counts, *(column.tobytes() for column in self)))

    @staticmethod
    def unpack(data: bytes | memoryview) -> Columns:
        """The columns that ``pack`` made bytes of.

        Raises:
            InternalError: nobody packed this.
        """
        view = memoryview(data)
        if len(view) < _COUNTS.size:
            raise InternalError("A draft's columns are too short.")
        lengths = _COUNTS.unpack_from(view)
        at = _COUNTS.size
        columns = []
        for code, which in _COLUMNS:
            column = array(code)
            stop = at + lengths[which] * column.itemsize
            if stop > len(view):
                raise InternalError("A draft's columns are too short.")
            column.frombytes(view[at:stop])
            columns.append(column)
            at = stop
        made = Columns(*columns)
        if at != len(view) or min(made.counts, default=0) < 0 or sum(made.counts) != len(made.kinds):
            raise InternalError("A draft's columns do not fit each other.")
        return made

    @staticmethod
    def of(exchanges: Iterable[Exchange], digests: Mapping[int, int]) -> Columns:
        """The columns of exchanges, or of splices as exchanges of the base."""
        columns = Columns(*(array(code) for code, _ in _COLUMNS))
        starts, sizes, counts, kinds, lows, highs, edges, values = columns
        for start, size, parts in exchanges:
            starts.append(start)
            sizes.append(size)
            counts.append(len(parts))
            for part in parts:
                kind, low, high = _packed(part)
                kinds.append(kind)
                lows.append(low)
                highs.append(high)
        edges.extend(digests)
        values.extend(digests.values())
        return columns

    def exchanges(self, base_size: int, pool_size: int) -> Iterator[Exchange]:
        """Yields what was packed.

        Raises:
            InternalError: a part is none, or lies outside the base or the pool.
        """
        members = zip(self.kinds, self.lows, self.highs, strict=True)
        parts = (_part(*member, base_size, pool_size) for member in members)
        for start, size, count in zip(self.starts, self.sizes, self.counts, strict=True):
            yield start, size, list(islice(parts, count))

    def digests_by_edge(self) -> Iterator[tuple[int, int]]:
        """Yields each edge with the digest of what is around it."""
        return zip(self.edges, self.digests, strict=True)


def _packed(part: Part) -> tuple[int, int, int]:
    match part:
        case Kept(span):
            return _KEPT, *span
        case Copy(None, span):
            return _BASE, *span
        case Copy(source, span) if source == POOL:
            return _POOL, *span
        case Padding(byte, count):
            return _PADDING, byte, count
        case Fill(byte, count):
            return _FILL, byte, count
        case _:
            raise InternalError(f"A draft cannot hold {part}.")


def _part(kind: int, low: int, high: int, base_size: int, pool_size: int) -> Part:
    """The part that ``_packed`` packed, checked: nothing behind this looks at it again."""
    if kind in (_FILL, _PADDING):
        if not (0 <= low < BYTE_VALUES and high > 0):
            raise InternalError("A draft holds a fill that is none.")
        return (Padding if kind == _PADDING else Fill)(low, high)
    if kind > _PADDING or not 0 <= low < high <= (pool_size if kind == _POOL else base_size):
        raise InternalError("A draft holds a part that lies outside of what it is part of.")
    span = Span(low, high)
    return Kept(span) if kind == _KEPT else Copy(POOL if kind == _POOL else None, span)


def state_of(sequence: Sequence) -> Iterator[Exchange]:
    """Yields what is pending as exchanges of spans of the base, sorted and disjoint."""
    return ((span.start, span.size, parts) for span, parts in sequence.changed_parts())


def check_kept(sequence: Sequence) -> None:
    """Refuses a content whose kept parts do not ascend in the base: no edits lead there.

    Raises:
        InternalError: they do not.
    """
    at = 0
    for part in sequence.parts():
        if isinstance(part, Kept):
            if part.span.start < at:
                raise InternalError("A draft keeps bytes of the base out of order.")
            at = part.span.stop


def load_state(sequence: Sequence, columns: Columns, pool_size: int) -> None:
    """Makes a sequence hold the state that columns hold.

    Raises:
        InternalError, SpanError: they hold none.
    """
    exchanges = columns.exchanges(sequence.base_size, pool_size)
    sequence.load((Span(start, start + size), parts) for start, size, parts in exchanges)


def replay(sequence: Sequence, columns: Columns, pool_size: int) -> None:
    """Makes the exchanges that columns hold.

    Raises:
        InternalError, SpanError: they do not fit the content.
    """
    sequence.replay(columns.exchanges(sequence.base_size, pool_size))


def edges_of(splices: Iterable[Exchange]) -> Iterator[int]:
    """Yields where splices cut the base, ascending."""
    last = -1
    for start, size, _ in splices:
        for edge in (int(start), int(start + size)):  # NumPy's integers come with mass edits
            if edge != last:
                yield edge
                last = edge


def surroundings(edge: int, size: int) -> Span:
    """What lies around an edge of a base of ``size`` bytes.

    Raises:
        SpanError: the edge lies outside of it.
    """
    if not 0 <= edge <= size:
        raise SpanError(f"There is no byte {edge} in {size}.")
    return Span(max(0, edge - SURROUNDING_BYTES), min(size, edge + SURROUNDING_BYTES))
