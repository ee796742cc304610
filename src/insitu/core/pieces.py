"""Where bytes come from: the pieces that a patch is made of, as frozen values.

Laws, for any piece ``p`` of these kinds and ``0 <= a <= b <= p.size``: ``p.part(0, p.size) == p``,
``p.part(a, b).size == b - a``, and the bytes of ``p.part(a, b)`` are the bytes ``[a, b)`` of ``p``.
"""

from __future__ import annotations

from dataclasses import dataclass

from insitu.core.spans import Span
from insitu.errors import RequestError, SpanError

BYTE_VALUES = 256


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes given in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """How many bytes the piece yields."""
        return len(self.data)

    def part(self, start: int, stop: int) -> Literal:
        """The piece that yields the bytes ``[start, stop)`` of this one, which must lie inside."""
        return Literal(self.data[start:stop])


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes copied from a file, so that any number of them can be pasted without passing through memory.

    Args:
        source: path of the file; None means the base of the patch that holds the piece.
        span: which bytes of it.

    Raises:
        SpanError: the span is reversed or starts before the file.
    """

    source: str | None
    span: Span

    def __post_init__(self) -> None:
        start, stop = self.span
        if not 0 <= start <= stop:
            raise SpanError(f"{start}:{stop} is not a span of a file to copy from.", start=start, stop=stop)

    @property
    def size(self) -> int:
        """How many bytes the piece yields."""
        return self.span.stop - self.span.start

    def part(self, start: int, stop: int) -> Copy:
        """The piece that yields the bytes ``[start, stop)`` of this one, which must lie inside."""
        origin = self.span.start
        return Copy(self.source, Span(origin + start, origin + stop))


@dataclass(frozen=True, slots=True)
class Fill:
    """One byte, repeated.

    Raises:
        RequestError: ``byte`` is not 0 to 255, or ``count`` is negative.
    """

    byte: int
    count: int

    def __post_init__(self) -> None:
        if not (0 <= self.byte < BYTE_VALUES and self.count >= 0):
            raise RequestError(
                f"{self.count} bytes of value {self.byte} cannot fill anything.",
                hint="A byte is 0 to 255, a count at least 0.",
                byte=self.byte,
                count=self.count,
            )

    @property
    def size(self) -> int:
        """How many bytes the piece yields."""
        return self.count

    def part(self, start: int, stop: int) -> Fill:
        """The piece that yields the bytes ``[start, stop)`` of this one, which must lie inside."""
        return type(self)(self.byte, stop - start)


@dataclass(frozen=True, slots=True)
class Padding(Fill):
    """A fill that means nothing where it stands: put there so that what follows moves by whole blocks."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of the base that stay where they are in the order of the base.

    Never part of a splice: kept bytes are what lies between splices. (Base bytes that are pasted
    somewhere are a ``Copy`` with no source.)
    """

    span: Span

    @property
    def size(self) -> int:
        """How many bytes the piece yields."""
        return self.span.stop - self.span.start

    def part(self, start: int, stop: int) -> Kept:
        """The piece that yields the bytes ``[start, stop)`` of this one, which must lie inside."""
        origin = self.span.start
        return Kept(Span(origin + start, origin + stop))


Piece = Literal | Copy | Fill
"""What may replace a span."""

Content = Kept | Piece
"""What the current content of an edited file is tiled by."""
