"""The current content of a document: what is kept of its base, in between what was put there.

A sequence changes by edits, each of which can be undone and redone, until it is discarded or read out as
the splices of a patch. Its parts live in a rope; an edit is the exchange of some of its spans, and so is
the way back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Order
from typing import NamedTuple, Protocol

from insitu.core.measure import Counter, Measure
from insitu.core.patch import Splice
from insitu.core.pieces import Content, Copy, Kept, Literal, Piece
from insitu.core.rope import SLICE_BYTES, Part, Rope, Slice, content_of, push
from insitu.core.spans import Span
from insitu.errors import SpanError

# Shorter literals are gathered in one buffer, so that typing extends a slice; longer ones stay uncopied.
TYPED_BYTES = 1024


# So many bytes from an offset, to be replaced by parts: (offset, size, parts). A bare tuple, as one is kept
# for every keystroke and the garbage collector need not look into it.
Exchange = tuple[int, int, Order[Part]]

# Sorted, disjoint, simultaneous: all offsets are those before the edit.
Edit = tuple[Exchange, ...]


class Change(NamedTuple):
    """A changed place: a span of the base, and the span of the current content that replaces it."""

    base: Span
    current: Span


class Keeper(Protocol):
    """Keeps what is needed to make edits durable before they are committed: see ``insitu.core.drafted``."""

    def keep(self, piece: bytes | Copy) -> Copy:
        """The piece that stands for bytes, or for those of another file, from now on."""
        ...

    def note(self, exchange: Exchange, cut: Callable[[int], int | None]) -> None:
        """Told of every exchange before it is made.

        Args:
            cut: where in the base an offset of the content is cut; None where nothing of it is cut.
        """
        ...


class Sequence:
    """Kept, literal, copied and filled pieces in order; kept ones ascend in the base.

    Law: ``Patch(base_size, tuple(sequence.splices())).apply(base)`` is what ``pieces`` yields.

    Args:
        base_size: size in bytes of the base, which is the content to begin with.
        keeper: takes all bytes that come in, and is told of all edits, so that they can be made durable.

    Attributes:
        base_size: as given.
    Cost: an edit and a look-up are O(log n) in the number n of edits, plus, after an edit far to the left,
        some nanoseconds for each five hundred of them. Memory is O(n) and the literals.
    """

    def __init__(self, base_size: int, keeper: Keeper | None = None) -> None:
        self.base_size = base_size
        self._keeper = keeper
        self._untouched: list[Part] = [Kept(Span(0, base_size))] if base_size else []
        self._rope = Rope(self._untouched)
        self._typed = bytearray()
        self._past: list[Edit] = []
        self._future: list[Edit] = []
        self._known_changes: list[Change] | None = None
        self._measures: list[tuple[Counter, Measure]] = []

    @property
    def size(self) -> int:
        """Size in bytes of the current content."""
        return self._rope.size

    @property
    def changed(self) -> bool:
        """Whether anything is pending: the base as a whole is not what the content is made of."""
        return self.size != self.base_size or self._rope.blocks[0].parts != self._untouched

    def replace(self, span: Span, data: bytes) -> None:
        """Replaces ``span`` by ``data``: an insertion where the span is empty, a deletion where the data is.

        Raises:
            SpanError: the span is reversed or reaches outside the content, which is unchanged.
        """
        self._check(span)
        if data or span[0] < span[1]:
            self._edit((_exchange(span, self._slices(data)),))

    def replace_pieces(self, span: Span, pieces: Iterable[Piece]) -> None:
        """Replaces ``span`` by ``pieces``; a ``Copy`` without a source copies from the base as it was.

        Raises:
            SpanError: the span, or that of a copy from the base, is reversed or reaches outside.
        """
        self._check(span)
        parts: list[Part] = []
        for piece in pieces:
            if isinstance(piece, Literal):
                parts += self._slices(piece.data)
                continue
            if isinstance(piece, Copy) and piece.source is None and piece.span.stop > self.base_size:
                raise _span_error(piece.span, self.base_size, "base")
            if piece.size:
                if self._keeper and isinstance(piece, Copy) and piece.source is not None:
                    piece = self._keeper.keep(piece)
                parts.append(piece)
        if parts or span[0] < span[1]:
            self._edit((_exchange(span, parts),))

    def replace_many(self, edits: Iterable[tuple[Span, bytes]]) -> None:
        """Makes many replacements at once, as one edit; all spans are those before it.

        Raises:
            SpanError: the spans are not sorted and disjoint, or reach outside; nothing is changed.
        """
        checked = list(edits)
        at = 0
        for span, _ in checked:
            self._check(span)
            if span.start < at:
                raise SpanError(
                    f"The replacement of bytes {span.start}:{span.stop} overlaps or precedes the one before "
                    f"it, which stops at {at}; nothing was changed.",
                    hint="Sort the replacements by where they start, and merge those that overlap.",
                    span=span,
                )
            at = span.stop
        edit = [_exchange(span, self._slices(data)) for span, data in checked if data or span[0] < span[1]]
        if edit:
            self._edit(tuple(edit))

    def undo(self) -> bool:
        """Takes the last edit back; False if there is none."""
        return self._step(self._past, self._future)

    def redo(self) -> bool:
        """Makes the edit again that was undone last; False if there is none, or a new one was made since."""
        return self._step(self._future, self._past)

    def clear(self) -> None:
        """Discards all that is pending, and what could be undone or redone."""
        self._rope.reset(self._untouched)
        self._typed = bytearray()
        self._past.clear()
        self._future.clear()
        self._known_changes = None

    def pieces(self, span: Span) -> Iterator[Content]:
        """Yields what tiles ``span`` of the current content, in order; edits end the iterator's validity.

        Literals come in slices of at most 64 KiB.

        Raises:
            SpanError: the span is reversed or reaches outside the content.
        """
        self._check(span)
        return map(content_of, self._rope.parts(span))

    def measure(self, counter: Counter) -> Measure:
        """What ``counter`` counts in the current content, now and after later edits.

        The same counter is given the same measure each time, and both live as long as the sequence.
        """
        for known, measure in self._measures:
            if known is counter:
                return measure
        measure = Measure(self._rope, counter)
        self._measures.append((counter, measure))
        return measure

    def splices(self) -> Iterator[Splice]:
        """Yields what is pending as sorted, disjoint splices of the base, no two of which touch."""
        return (Splice(span, tuple(_pieces_of(parts))) for span, parts in self.changed_parts())

    def changes(self) -> list[Change]:
        """The changed places, one per splice, in order. Cost: linear after an edit, else nothing."""
        if self._known_changes is None:
            self._known_changes = []
            growth = 0
            for span, parts in self.changed_parts():
                start, new_size = span.start + growth, sum(part.size for part in parts)
                self._known_changes.append(Change(span, Span(start, start + new_size)))
                growth += new_size - span.size
        return self._known_changes

    def base_to_current(self, offset: int, *, after: bool = False) -> int:
        """Where an offset of the base lies in the current content.

        Outside changed places, and at either end of what a change replaced, there is one answer. Inside
        what was replaced, and where something was put between two kept bytes, the answer is the start of
        what was put there, or with ``after`` its stop. So a kept byte is where ``after=True`` says.
        """
        at = bisect_right(self.changes(), offset, key=lambda change: change.base.start) - 1
        if at < 0:
            return offset
        change = self.changes()[at]
        return _mapped(offset, change.base, change.current, after)

    def current_to_base(self, offset: int, *, after: bool = False) -> int:
        """Where an offset of the current content lies in the base, by the same rule."""
        at = bisect_right(self.changes(), offset, key=lambda change: change.current.start) - 1
        if at < 0:
            return offset
        change = self.changes()[at]
        return _mapped(offset, change.current, change.base, after)

    def _check(self, span: Span) -> None:
        if not 0 <= span[0] <= span[1] <= self._rope.size:
            raise _span_error(span, self._rope.size, "current content")

    @property
    def part_count(self) -> int:
        """How many parts tile the current content: about two to a splice."""
        return sum(len(block.parts) for block in self._rope.blocks)

    def parts(self) -> Iterator[Part]:
        """Yields what tiles the current content, as it is held: whoever reads it must not change them."""
        return iter(self._rope)

    def load(self, splices: Iterable[tuple[Span, Order[Part]]]) -> None:
        """Starts anew from splices of the base, sorted and disjoint: nothing to undo, the keeper not told."""
        parts: list[Part] = []
        at = 0
        for span, put in splices:
            if not at <= span.start <= span.stop <= self.base_size:
                raise _span_error(span, self.base_size, "base")
            _extend(parts, (Kept(Span(at, span.start)), *put))
            at = span.stop
        _extend(parts, (Kept(Span(at, self.base_size)),))
        self.clear()
        self._rope.reset(parts)

    def replay(self, exchanges: Iterable[Exchange]) -> None:
        """Makes exchanges that a keeper was told of, in that order; none can be undone, the keeper not told.

        Raises:
            SpanError: one lies outside the content that those before it left.
        """
        self._known_changes = None
        for start, size, parts in exchanges:
            self._check(Span(start, start + size))
            self._rope.exchange(start, size, parts)

    def _slices(self, data: bytes) -> list[Part]:
        size = len(data)
        if self._keeper is not None:
            return [self._keeper.keep(bytes(data))] if size else []
        if size <= TYPED_BYTES:
            start = len(self._typed)
            self._typed += data
            return [Slice(self._typed, start, start + size)] if size else []
        # A no-op for bytes; anything that could change under us is copied.
        whole = bytes(data)
        return [Slice(whole, at, min(at + SLICE_BYTES, size)) for at in range(0, size, SLICE_BYTES)]

    def _edit(self, edit: Edit) -> None:
        self._past.append(self._exchange(edit))
        self._future.clear()

    def _step(self, source: list[Edit], target: list[Edit]) -> bool:
        if not source:
            return False
        target.append(self._exchange(source.pop()))
        return True

    def _exchange(self, edit: Edit) -> Edit:
        """Carries an edit out and returns the one that takes it back.

        Going from right to left, offsets stay those before the edit, and so do the sums to the left: the
        time is linear in the number of exchanges.
        """
        self._known_changes = None
        exchange = self._rope.exchange if self._keeper is None else self._noted
        if len(edit) == 1:
            ((start, size, parts),) = edit
            removed = exchange(start, size, parts)
            return ((start, sum([part.size for part in parts]), removed),)
        taken = [exchange(start, size, parts) for start, size, parts in reversed(edit)]
        back = []
        growth = 0
        for (start, size, parts), removed in zip(edit, reversed(taken), strict=True):
            new_size = sum([part.size for part in parts])
            back.append((start + growth, new_size, removed))
            growth += new_size - size
        return tuple(back)

    def _noted(self, start: int, size: int, parts: Order[Part]) -> Order[Part]:
        """Makes an exchange that the keeper is told of."""
        assert self._keeper is not None
        self._keeper.note((start, size, parts), self._cut)
        return self._rope.exchange(start, size, parts)

    def _cut(self, offset: int) -> int | None:
        """Where an exchange at ``offset`` cuts the base; None where it cuts nothing of it."""
        if not self._rope.size:
            return None
        place = self._rope.seek(offset)
        part = self._rope.blocks[place.block].parts[place.part]
        return part.span.start + place.cut if isinstance(part, Kept) else None

    def changed_parts(self) -> Iterator[tuple[Span, list[Part]]]:
        """Yields each span of the base that is not kept, or has something put before it, and its parts."""
        at = 0
        put: list[Part] = []
        for part in self._rope:
            if not isinstance(part, Kept):
                put.append(part)
                continue
            if put or at < part.span.start:
                yield Span(at, part.span.start), put
                put = []
            at = part.span.stop
        if put or at < self.base_size:
            yield Span(at, self.base_size), put


def _exchange(span: Span, parts: Order[Part]) -> Exchange:
    return span[0], span[1] - span[0], parts


def _extend(parts: list[Part], more: Iterable[Part]) -> None:
    """Appends parts, leaving out empty ones, so that a rope can begin with them (R1, R2)."""
    for part in more:
        if part.size:
            push(parts, part)


def _pieces_of(parts: list[Part]) -> Iterator[Piece]:
    """The parts as pieces, adjacent literals made one: a patch is to hold few pieces."""
    run: list[Slice] = []
    for part in parts:
        if isinstance(part, Slice):
            run.append(part)
            continue
        if run:
            yield _literal_of(run)
            run = []
        yield part  # type: ignore[misc]
    if run:
        yield _literal_of(run)


def _literal_of(run: list[Slice]) -> Literal:
    whole = run[0].data
    at = 0
    for part in run:
        if part.data is not whole or part.start != at:
            break
        at = part.stop
    else:
        if isinstance(whole, bytes) and at == len(whole):
            # What was given in one is handed on in one, uncopied.
            return Literal(whole)
    return Literal(b"".join([memoryview(part.data)[part.start : part.stop] for part in run]))


def _mapped(offset: int, source: Span, target: Span, after: bool) -> int:
    """``base_to_current`` for the last change that starts at or before the offset."""
    if offset >= source.stop > source.start or offset > source.stop:
        return target.stop + offset - source.stop
    inside = offset > source.start or source.start == source.stop
    return target.stop if inside and after else target.start


def _span_error(span: Span, size: int, whole: str) -> SpanError:
    return SpanError(
        f"Bytes {span[0]}:{span[1]} are not a span of the {whole}, which has {size}; nothing was changed.",
        hint=f"Give 0 <= start <= stop <= {size}.",
        span=span,
        size=size,
    )
