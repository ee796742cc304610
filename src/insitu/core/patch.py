"""The algebra of edits: a patch is a sorted set of splices over one generation of a base.

All spans of a patch are in base coordinates and take effect at once. Laws, held by
``tests/laws/test_plan_laws.py`` for every base ``b``, patch ``p`` over it and ``q`` over ``p``'s result:

    p.then(q).apply(b)        == q.apply(p.apply(b))
    p.inverse(b).apply(p.apply(b)) == b
    p.apply(b)                == what any plan compiled from p leaves of b

Mass patches never take this form: they flow as columns (``insitu.core.columns``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from insitu.core.pieces import Copy, Fill, Literal, Piece
from insitu.core.spans import Span
from insitu.errors import InternalError, SpanError


class Splice(NamedTuple):
    """One span of the base, replaced by pieces."""

    span: Span
    pieces: tuple[Piece, ...]

    @property
    def new_size(self) -> int:
        """How many bytes take the span's place."""
        return sum(piece.size for piece in self.pieces)

    @property
    def growth(self) -> int:
        """How many bytes longer the file becomes; negative where it shrinks."""
        return self.new_size - self.span.size


class Tile(NamedTuple):
    """A stretch of the result: kept where it is the base's own, else put there by a splice."""

    kept: bool
    piece: Piece


@dataclass(frozen=True, slots=True)
class Patch:
    """Sorted, disjoint splices over a base of ``base_size`` bytes.

    Raises:
        SpanError: splices overlap, are unsorted, reversed or reach past the base.
    """

    base_size: int
    splices: tuple[Splice, ...]

    def __post_init__(self) -> None:
        at = 0
        for splice in self.splices:
            span = splice.span
            if not at <= span.start <= span.stop <= self.base_size:
                raise SpanError(
                    f"The splice at bytes {span.start}:{span.stop} is reversed, overlaps the one before, "
                    f"or reaches past the base of {self.base_size} bytes.",
                    span=span,
                    base_size=self.base_size,
                )
            at = span.stop

    @property
    def result_size(self) -> int:
        """Size of the file afterwards."""
        return self.base_size + sum(splice.growth for splice in self.splices)

    def tiles(self) -> Iterator[Tile]:
        """Yields what tiles the result, in order, without gaps."""
        at = 0
        for splice in self.splices:
            if at < splice.span.start:
                yield Tile(True, Copy(None, Span(at, splice.span.start)))
            for piece in splice.pieces:
                if piece.size:
                    yield Tile(False, piece)
            at = splice.span.stop
        if at < self.base_size:
            yield Tile(True, Copy(None, Span(at, self.base_size)))

    def apply(self, base: bytes, read: Callable[[str, Span], bytes] | None = None) -> bytes:
        """The result, in memory: the oracle every plan is compared with.

        Args:
            read: reads a span of another file that a ``Copy`` names; needed only where there is one.
        """
        return b"".join(_bytes_of(tile.piece, base, read) for tile in self.tiles())

    def then(self, other: Patch) -> Patch:
        """The one patch that does this one first and ``other`` on its result."""
        if other.base_size != self.result_size:
            raise InternalError("Only a patch over this patch's result can follow it.")
        own = _Cutter(self.tiles())
        joined: list[Tile] = []
        for splice in other.splices:
            joined += own.take(splice.span.start)
            for piece in splice.pieces:
                if isinstance(piece, Copy) and piece.source is None:
                    # A copy of the middle state is a copy of what made it up.
                    copied = _Cutter(self.tiles())
                    copied.take(piece.span.start)
                    joined += (Tile(False, tile.piece) for tile in copied.take(piece.span.stop))
                else:
                    joined.append(Tile(False, piece))
            own.take(splice.span.stop)
        joined += own.take(self.result_size)
        return Patch(self.base_size, tuple(splices_of(joined, self.base_size)))

    def inverse(self, base: bytes) -> Patch:
        """The patch over this one's result that gives ``base`` back."""
        shift = 0
        splices = []
        for splice in self.splices:
            start = splice.span.start + shift
            literal = Literal(base[splice.span.start : splice.span.stop])
            splices.append(Splice(Span(start, start + splice.new_size), (literal,)))
            shift += splice.growth
        return Patch(self.result_size, tuple(splices))


def splices_of(tiles: Iterable[Tile], base_size: int) -> Iterator[Splice]:
    """Yields the splices that tiles amount to: whatever lies between two kept stretches.

    Kept tiles must ascend in the base. A splice that replaces nothing by nothing is not yielded.
    """
    at = 0
    pending: list[Piece] = []
    for tile in (*tiles, Tile(True, Copy(None, Span(base_size, base_size)))):
        if not tile.kept:
            pending.append(tile.piece)
            continue
        assert isinstance(tile.piece, Copy)
        span = tile.piece.span
        if pending or at < span.start:
            yield Splice(Span(at, span.start), tuple(pending))
            pending = []
        at = span.stop


class _Cutter:
    """Takes tiles off the front of a sequence, up to any offset."""

    def __init__(self, tiles: Iterable[Tile]) -> None:
        self._tiles = iter(tiles)
        self._rest: Tile | None = None
        self._at = 0

    def take(self, stop: int) -> list[Tile]:
        """The tiles from where the last call stopped up to the result offset ``stop``."""
        taken: list[Tile] = []
        while self._at < stop:
            tile = self._rest or next(self._tiles)
            self._rest = None
            size = tile.piece.size
            if size > stop - self._at:
                cut = stop - self._at
                self._rest = Tile(tile.kept, tile.piece.part(cut, size))
                tile = Tile(tile.kept, tile.piece.part(0, cut))
            taken.append(tile)
            self._at += tile.piece.size
        return taken


def _bytes_of(piece: Piece, base: bytes, read: Callable[[str, Span], bytes] | None) -> bytes:
    match piece:
        case Literal(data):
            return bytes(data)
        case Fill(byte, count):
            return bytes((byte,)) * count
        case Copy(None, span):
            return base[span.start : span.stop]
        case Copy(source, span):
            if read is None:
                raise InternalError("A patch that copies from another file needs a way to read it.")
            assert source is not None
            return read(source, span)
