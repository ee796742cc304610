"""Parts in order, located by byte offset and by what they hold, and exchanged span by span.

A rope is a list of blocks of parts. Both levels know the sizes of what they hold and add them up lazily,
so that a look-up bisects twice and an exchange touches one block. Beside the sizes each level keeps one
column of counts per measure (of line ends, say), which edits elsewhere leave as they are.

Invariants, held after every call and checked by ``tests/state/test_sequence_machine.py``:
    R1  No part is empty, and no block, unless the rope holds nothing (then one block).
    R2  No part could be joined with the next one (but slices may be that were too long together before).
    R3  A column's sums are the running sums of its first values; none of those is unknown.
    R4  The value of a block in a column is the sum of its own column, or unknown.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Final, NamedTuple

from insitu.core.pieces import Content, Copy, Fill, Kept, Literal
from insitu.core.spans import Span

# Measured with 10,000 random insertions (128 to 256 is the flat bottom) and with 100,000 (256 to 512).
BLOCK_PARTS = 256

# Cutting a literal makes both halves to be counted anew; this keeps that at some ten microseconds.
SLICE_BYTES = 64 * 1024

UNKNOWN: Final = -1


class Slice(NamedTuple):
    """Bytes ``[start, stop)`` of a buffer that may grow behind them but never changes in them."""

    data: bytes | bytearray
    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many bytes the slice holds."""
        return self.stop - self.start

    def part(self, start: int, stop: int) -> Slice:
        """The slice of the bytes ``[start, stop)`` of this one."""
        return Slice(self.data, self.start + start, self.start + stop)

    def literal(self) -> Literal:
        """The bytes themselves; copied unless the slice is a whole ``bytes`` object."""
        return Literal(bytes(self.data[self.start : self.stop]))


Part = Kept | Slice | Copy | Fill


def content_of(part: Part) -> Content:
    """The part as callers know it: slices become literals."""
    return part.literal() if isinstance(part, Slice) else part


def joined(left: Part, right: Part) -> Part | None:
    """The one part that yields both, or None where there is no such part."""
    if type(left) is not type(right):
        return None
    if isinstance(left, Slice) and isinstance(right, Slice):
        if left.data is right.data and left.stop == right.start and right.stop - left.start <= SLICE_BYTES:
            return Slice(left.data, left.start, right.stop)
    elif isinstance(left, Kept) and isinstance(right, Kept):
        if left.span.stop == right.span.start:
            return Kept(Span(left.span.start, right.span.stop))
    elif isinstance(left, Copy) and isinstance(right, Copy):
        if left.source == right.source and left.span.stop == right.span.start:
            return Copy(left.source, Span(left.span.start, right.span.stop))
    elif isinstance(left, Fill) and isinstance(right, Fill) and left.byte == right.byte:
        return type(left)(left.byte, left.count + right.count)
    return None


class Column:
    """Numbers and their running sums, which are extended as far as asked and cut where a number changes."""

    __slots__ = ("sums", "values")

    def __init__(self, values: list[int]) -> None:
        self.values = values
        self.sums = [0]

    def change(self, start: int, stop: int, values: Iterable[int]) -> None:
        """Puts ``values`` in the place of those at ``[start, stop)``."""
        self.values[start:stop] = values
        del self.sums[start + 1 :]

    def set(self, index: int, value: int) -> None:
        """Changes one value; sums up to and including it stay ready, as typing asks for them next."""
        sums = self.sums
        del sums[index + 2 :]
        if len(sums) == index + 2:
            if value == UNKNOWN:
                sums.pop()
            else:
                sums[-1] = sums[index] + value
        self.values[index] = value

    def extend(self, stop: int) -> None:
        """Makes the sums of the first 0 to ``stop`` values ready; those must be known."""
        done = len(self.sums) - 1
        if done < stop:
            self.sums[done:] = accumulate(self.values[done:stop], initial=self.sums[done])

    def before(self, index: int) -> int:
        """The sum of the first ``index`` values."""
        self.extend(index)
        return self.sums[index]

    def extend_known(self) -> int:
        """Makes the sums ready up to the first unknown value and returns its index, or how many there are."""
        try:
            stop = self.values.index(UNKNOWN, len(self.sums) - 1)
        except ValueError:
            stop = len(self.values)
        self.extend(stop)
        return stop

    def seek(self, offset: int) -> int:
        """The index of the value that ends at ``offset`` or holds it inside; 0 for offset 0."""
        sums = self.sums
        step = 8
        while sums[-1] < offset:
            # Most look-ups fall near the last change, so the rest of the sums may never be needed.
            self.extend(min(len(sums) - 1 + step, len(self.values)))
            step *= 4
        return bisect_left(sums, offset, 1) - 1


class Block:
    """Some parts in order, with one column per measure of the rope; column 0 holds the sizes in bytes."""

    __slots__ = ("columns", "parts")

    def __init__(self, parts: list[Part], columns: list[Column]) -> None:
        self.parts = parts
        self.columns = columns


class Place(NamedTuple):
    """Where an offset lies: just behind byte ``cut`` of a part, so that cut is 0 at offset 0 only."""

    block: int
    part: int
    cut: int


class Rope:
    """See the module.

    Attributes:
        size: how many bytes the parts hold.
        blocks: for measures and tests to read.
        columns: one per measure, with one value per block; column 0 holds the sizes in bytes.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self.columns = [Column([])]
        self.reset(parts)

    def reset(self, parts: Iterable[Part]) -> None:
        """Starts anew with ``parts``, of which none may be empty; measures stay."""
        whole = list(parts)
        sizes = [part.size for part in whole]
        columns = [Column([UNKNOWN] * len(whole)) for _ in self.columns]
        columns[0] = Column(sizes)
        self.size = sum(sizes)
        self.blocks = [Block(whole, columns)]
        self.columns = [Column([UNKNOWN]) for _ in self.columns]
        self.columns[0] = Column([self.size])
        self._balance(0)

    def add_column(self) -> int:
        """Gives every level one more column, of unknown values; returns its index."""
        for block in self.blocks:
            block.columns.append(Column([UNKNOWN] * len(block.parts)))
        self.columns.append(Column([UNKNOWN] * len(self.blocks)))
        return len(self.columns) - 1

    def seek(self, offset: int) -> Place:
        """Finds the part that ends at ``offset`` or holds it inside."""
        sizes = self.columns[0]
        at = sizes.seek(offset)
        inner = offset - sizes.sums[at]
        sizes = self.blocks[at].columns[0]
        index = sizes.seek(inner)
        return Place(at, index, inner - sizes.sums[index])

    def __iter__(self) -> Iterator[Part]:
        """Yields all parts in order; the rope must not change meanwhile."""
        return chain.from_iterable(block.parts for block in self.blocks)

    def parts(self, span: Span) -> Iterator[Part]:
        """Yields what tiles ``span``, in order; the rope must not change meanwhile."""
        start, stop = span
        at, index, cut = self.seek(start)
        offset = start - cut
        while offset < stop:
            block = self.blocks[at]
            for part, size in zip(block.parts[index:], block.columns[0].values[index:], strict=True):
                low, high = max(start - offset, 0), min(stop - offset, size)
                if low < high:
                    yield part if high - low == size else part.part(low, high)
                offset += size
                if offset >= stop:
                    return
            at, index = at + 1, 0

    def exchange(self, start: int, size: int, fresh: Sequence[Part]) -> Sequence[Part]:
        """Puts ``fresh``, of which no part may be empty, in the place of ``[start, start + size)``.

        Returns:
            What was there; exchanging it back restores the very same parts.
        Cost: in one block, unless the span reaches over several, which are then merged.
        """
        at, first, cut = self.seek(start)
        last, end = first, cut
        if size:
            last_block, last, end = self.seek(start + size)
            if last_block > at:
                last += self._merge(at, last_block)
        elif len(fresh) == 1 and self._insert(at, first, cut, fresh[0]):
            return ()
        block = self.blocks[at]
        parts, sizes = block.parts, block.columns[0].values
        window: list[Part] = []
        at_edge = not cut or cut == sizes[first]
        low, high = first + (at_edge and cut > 0), last + (end > 0)
        if not at_edge:
            window.append(parts[first].part(0, cut))
        tail = parts[last].part(end, sizes[last]) if end and end < sizes[last] else None
        removed: Sequence[Part] = ()
        if size:
            removed = parts[low:high]
            if tail is not None:
                removed[-1] = removed[-1].part(0, end)
            if window:
                removed[0] = removed[0].part(cut, removed[0].size)
        growth = -size
        for part in fresh:
            growth += part.size
            push(window, part)
        if tail is not None:
            push(window, tail)
        # Between two parts of a part that was cut, there is nothing outside the window to join.
        if at_edge or tail is None:
            low, high = self._join_around(at, low, high, window)
        self._change(at, low, high, window, [part.size for part in window], growth)
        return removed

    def _insert(self, at: int, index: int, cut: int, part: Part) -> bool:
        """Puts one part where it joins with what is there, or with nothing: the short ways for most edits."""
        size = self.blocks[at].columns[0].values[index] if cut else 0
        if cut == size:
            return cut > 0 and self._extend(at, index, part)
        whole = self.blocks[at].parts[index]
        if type(whole) is type(part):
            return False
        window = [whole.part(0, cut), part, whole.part(cut, size)]
        self._change(at, index, index + 1, window, [cut, part.size, size - cut], part.size)
        return True

    def _extend(self, at: int, index: int, part: Part) -> bool:
        """Appends ``part`` to another one, if they join: the short way for typing."""
        block = self.blocks[at]
        parts, sizes = block.parts, block.columns[0]
        both = joined(parts[index], part)
        if both is None:
            return False
        if index + 1 < len(parts):
            if joined(both, parts[index + 1]):
                return False
        elif at + 1 < len(self.blocks):
            return False
        parts[index] = both
        sizes.set(index, sizes.values[index] + part.size)
        for column in block.columns[1:]:
            column.set(index, UNKNOWN)
        self._resize(at, part.size)
        return True

    def _join_around(self, at: int, low: int, high: int, window: list[Part]) -> tuple[int, int]:
        """Joins ``window``, about to replace the parts ``[low, high)`` of a block, with its neighbours (R2).

        The part before ``low`` is always in the same block, because ``seek`` looks to the left.
        """
        parts = self.blocks[at].parts
        if low:
            # The neighbour enters the window only if it is joined, so that its counts stay known otherwise.
            before = parts[low - 1]
            both = joined(before, window[0]) if window else None
            if both is not None:
                window[0] = both
                low -= 1
        else:
            before = None
        left = window[-1] if window else before
        if left is None:
            return low, high
        inside = high < len(parts)
        if inside:
            both = joined(left, parts[high])
        elif at + 1 < len(self.blocks):
            both = joined(left, self.blocks[at + 1].parts[0])
        else:
            both = None
        if both is not None:
            if not inside:
                self._merge(at, at + 1)
            high += 1
            if not window:
                low -= 1
            window[-1:] = [both]
        return low, high

    def _change(
        self, at: int, low: int, high: int, window: list[Part], sizes: list[int], growth: int
    ) -> None:
        block = self.blocks[at]
        block.parts[low:high] = window
        block.columns[0].change(low, high, sizes)
        for column in block.columns[1:]:
            column.change(low, high, [UNKNOWN] * len(window))
        self._resize(at, growth)
        self._balance(at)

    def _resize(self, at: int, growth: int) -> None:
        sizes = self.columns[0]
        sizes.set(at, sizes.values[at] + growth)
        for column in self.columns[1:]:
            column.set(at, UNKNOWN)
        self.size += growth

    def _balance(self, at: int) -> None:
        """Splits the block if it is too full, merges it with one beside it if too empty (R1)."""
        if len(self.blocks[at].parts) < BLOCK_PARTS // 8 and len(self.blocks) > 1:
            at = max(at - 1, 0)
            self._merge(at, at + 1)
        block = self.blocks[at]
        count = len(block.parts)
        if count <= BLOCK_PARTS:
            return
        cuts = [*range(0, count - BLOCK_PARTS // 4, BLOCK_PARTS // 2), count]
        bounds = list(pairwise(cuts))
        self.blocks[at : at + 1] = [
            Block(block.parts[a:b], [Column(column.values[a:b]) for column in block.columns])
            for a, b in bounds
        ]
        self.columns[0].change(at, at + 1, [sum(block.columns[0].values[a:b]) for a, b in bounds])
        for column in self.columns[1:]:
            column.change(at, at + 1, [UNKNOWN] * len(bounds))

    def _merge(self, first: int, last: int) -> int:
        """Makes one block of blocks ``first`` to ``last``; returns how many parts lie before the last's."""
        old = self.blocks[first : last + 1]
        parts = list(chain.from_iterable(block.parts for block in old))
        columns = [
            Column(list(chain.from_iterable(block.columns[k].values for block in old)))
            for k in range(len(self.columns))
        ]
        self.blocks[first : last + 1] = [Block(parts, columns)]
        sizes = self.columns[0]
        sizes.change(first, last + 1, (sum(sizes.values[first : last + 1]),))
        for column in self.columns[1:]:
            column.change(first, last + 1, (UNKNOWN,))
        return len(parts) - len(old[-1].parts)


def push(window: list[Part], part: Part) -> None:
    """Appends a part, joined with the last one where they join."""
    both = joined(window[-1], part) if window else None
    if both is None:
        window.append(part)
    else:
        window[-1] = both
