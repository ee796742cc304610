"""The spool: splices of any number flow into a journal as columns, their bytes as a string."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from insitu.core.columns import Block, evenly
from insitu.core.patch import Splice
from insitu.core.pieces import Copy, Fill, Literal, Padding, Piece
from insitu.core.protocols import Reader
from insitu.core.replacements import Few, Replacements, Uniform
from insitu.engine.journal import Journal
from insitu.engine.pools import PAYLOAD_BYTES, Repeat

# Splices to a block: 1.5 MiB of columns, of which two blocks are in memory at a time.
BLOCK_SPLICES = 1 << 16


class Spool:
    """Writes splices, sorted and disjoint, to a journal.

    Args:
        open_source: opens another file that a ``Copy`` names, for reading.
        base: the base, for a ``Copy`` of its own bytes.

    Attributes:
        padding_bytes: how many bytes so far were padding.
    """

    def __init__(self, journal: Journal, base: Reader, open_source: Callable[[str], Reader]) -> None:
        self._journal = journal
        self._base = base
        self._open_source = open_source
        self._starts = array("q")
        self._olds = array("q", (0,))
        self._news = array("q", (0,))
        self._literals: list[bytes] = []
        self._literal_bytes = 0
        self.padding_bytes = 0

    def add(self, splices: Iterable[Splice]) -> None:
        """Appends splices, nothing in the place of nothing left out; ``finish`` must follow the last."""
        for (start, stop), pieces in splices:
            size = 0
            for piece in pieces:
                self._add_piece(piece)
                size += piece.size
            if not size and start == stop:
                continue
            self._starts.append(start)
            self._olds.append(self._olds[-1] + stop - start)
            self._news.append(self._news[-1] + size)
            if len(self._starts) >= BLOCK_SPLICES:
                self._flush_block()

    def add_batch(self, batch: Replacements) -> None:
        """Appends a batch, without a step per splice; nothing in the place of nothing is left out."""
        if isinstance(batch, Few):
            self.add(Splice(span, (Literal(new),)) for span, new in batch.edits)
            return
        import numpy as np

        if isinstance(batch, Uniform):
            starts, stops, new, _old = batch
            if not new:
                starts, stops = starts[stops > starts], stops[stops > starts]
            sizes = None
        else:
            starts, stops, bounds, new = batch
            sizes = np.diff(bounds)
            kept = (stops > starts) | (sizes > 0)
            starts, stops, sizes = starts[kept], stops[kept], sizes[kept]
        if not len(starts):
            return
        self.finish()
        olds = _cumulative(stops - starts, self._olds[-1])
        if sizes is None:
            news = evenly(self._news[-1], len(new), len(starts))
            if new:
                self._journal.add_new(Repeat(new, len(starts)))
        else:
            news = _cumulative(sizes, self._news[-1])
            self._journal.add_new(new)
        self._journal.add_splices(Block(_column(starts), olds, news))
        self._olds = array("q", (olds[-1],))
        self._news = array("q", (news[-1],))

    def finish(self) -> None:
        """Writes what is still gathered."""
        self._flush_literals()
        self._flush_block()

    def _add_piece(self, piece: Piece) -> None:
        match piece:
            case Literal(data):
                self._add_bytes(data)
            case Fill(byte, count):
                self._flush_literals()
                if count:
                    self._journal.add_new(Repeat(bytes((byte,)), count))
                if isinstance(piece, Padding):
                    self.padding_bytes += count
            case Copy(source, (start, stop)):
                reader = self._base if source is None else self._open_source(source)
                for at in range(start, stop, PAYLOAD_BYTES):
                    self._add_bytes(reader.read(at, min(PAYLOAD_BYTES, stop - at)))

    def _add_bytes(self, data: bytes) -> None:
        """Gathers bytes until they make a record."""
        self._literals.append(data)
        self._literal_bytes += len(data)
        if self._literal_bytes >= PAYLOAD_BYTES:
            self._flush_literals()

    def _flush_literals(self) -> None:
        if self._literals:
            self._journal.add_new(b"".join(self._literals))
            self._literals, self._literal_bytes = [], 0

    def _flush_block(self) -> None:
        if not self._starts:
            return
        self._journal.add_splices(Block(self._starts, self._olds, self._news))
        self._starts = array("q")
        self._olds = self._olds[-1:]
        self._news = self._news[-1:]


def _cumulative(sizes: Any, before: int) -> Sequence[int]:
    """The column that adds up ``sizes`` from ``before`` on."""
    import numpy as np

    if (sizes == sizes[0]).all():
        return evenly(before, int(sizes[0]), len(sizes))
    return _column(np.concatenate(([0], np.cumsum(sizes))) + before)


def _column(values: Any) -> array[int]:
    import numpy as np

    return array("q", np.ascontiguousarray(values, dtype=np.int64).tobytes())
