"""``doc.chunks()``: the current content as pieces for a model to read, each an editable span.

    for chunk in doc.chunks(max_tokens=400):
        print(chunk.path, chunk.lines, chunk.text())

Chunks are contiguous and cover the content exactly, byte for byte, whatever it holds. They end at natural
boundaries, and an edit changes only those near it.
"""

from __future__ import annotations

from collections.abc import Iterator

from insitu.core.protocols import Cancel, Progress
from insitu.errors import CancelledError
from insitu.formats.chunk_groups import Chooser, Starts
from insitu.formats.chunk_narrow import unit_of
from insitu.formats.chunk_pieces import Cutter
from insitu.formats.chunk_tape import Tape
from insitu.scan.scratch import keep_scratch
from insitu.scan.windows import WINDOW_BYTES, windows
from insitu.views.chunk import Chunk
from insitu.views.chunk_kinds import Kind, open_kind
from insitu.views.chunk_making import Maker
from insitu.views.chunk_options import Budget
from insitu.views.readable import Readable


class Chunks:
    """The chunks of a content: an iterable that makes them while they are asked for, in bounded memory.

    Attributes:
        kind: what the content is taken for.
        notes: what should be known of how it is cut, as sentences.
        budget: what chunks fit.

    Args:
        source: the content.
        overlap: how much context on each side, in the unit of the budget; not more than a neighbour has.
        window_bytes: of one read; changes no chunk.

    Raises:
        RequestError: options do not fit together, or an extra is missing that they need.
        LimitError: the budget is out of range.

    Cost: one pass, a second for Markdown; memory of a window and some budgets, whatever the size.
    """

    def __init__(
        self,
        source: Readable,
        budget: Budget,
        *,
        kind: str = "auto",
        language: str | None = None,
        overlap: int = 0,
        window_bytes: int = WINDOW_BYTES,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> None:
        self._source = source
        self.budget = budget
        self._overlap = budget.checked_overlap(overlap)
        self._window_bytes = window_bytes
        self._progress = progress
        self._cancel = cancel
        self._kind = kind, language
        made = open_kind(source, budget, kind, language)
        self.kind = made.name
        self.notes = made.notes

    def __iter__(self) -> Iterator[Chunk]:
        """Yields the chunks in order.

        Raises:
            CancelledError: ``cancel`` said so.
            StaleError: the file was cut shorter by somebody else.
        """
        keep_scratch()
        kind = open_kind(self._source, self.budget, *self._kind)
        maker = Maker(self._source, self.budget, kind)
        return maker.chunks(self._starts(kind), self._overlap)

    def _starts(self, kind: Kind) -> Iterator[tuple[Starts, int]]:
        """Yields the starts of chunks, batch by batch, and how much there was up to then, in shares."""
        source, budget = self._source, self.budget
        tape = Tape(kind.encoding)
        cutter = Cutter(budget.measure, budget.shares, kind.units.finer)
        chooser = Chooser(budget.shares)
        unit = unit_of(kind.encoding)
        size = source.size - source.size % unit
        window_bytes = max(unit, self._window_bytes - self._window_bytes % unit)
        for window in windows(source.reader, 0, size, window_bytes=window_bytes):
            if self._cancel is not None and self._cancel():
                raise CancelledError("Cutting into chunks was cancelled; the file is unchanged.")
            stretch = tape.feed(bytes(window.own), last=window.span.stop == size)
            pieces, rest = cutter.cut(stretch, kind.units.places(stretch))
            tape.cut(rest)
            yield chooser.feed(pieces), chooser.sum
            if self._progress is not None:
                self._progress(window.span.stop, source.size)
        yield chooser.close(), chooser.sum
