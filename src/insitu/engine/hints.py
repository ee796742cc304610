"""Hints to the disk while a plan runs: what will be read soon, what may be written out already.

Copying and the disk then work at the same time. Measured on 1 GB moved inside a file in segments of
64 MiB, each synced: 0.69 s without, 0.39 s with the writing begun early. Hints promise nothing: the syncs
that durability rests on (docs/journal.md) stay where they are, and tell what failed.
"""

from __future__ import annotations

from typing import Final

from insitu.core.columns import Splices
from insitu.core.plan import Segment
from insitu.core.spans import Span
from insitu.core.steps import Move, Place
from insitu.storage.base import File

# Writing out begins in pieces of this size: large enough for the disk, early enough for the next sync.
BEHIND_BYTES: Final = 8 << 20
PAGE_BYTES: Final = 4 << 10


class Hints:
    """Follows one run of a plan's steps.

    Args:
        splices: of the plan.
        source: where base bytes are read from.
        target: what is written.
    """

    def __init__(self, splices: Splices, source: File, target: File) -> None:
        self._splices = splices
        self._source = source
        self._target = target
        self._start = self._stop = self._size = 0

    def expect(self, segment: Segment) -> None:
        """Has what a segment reads fetched ahead, where it lies in one place."""
        spans = [step.source if isinstance(step, Move) else self._base(step)
                 for step in segment if isinstance(step, Move | Place)]  # fmt: skip
        if len(spans) < 2:
            return
        hull = Span(min(span.start for span in spans), max(span.stop for span in spans))
        if hull.size <= 2 * sum(span.size for span in spans):
            self._source.expect(hull)

    def _base(self, step: Place) -> Span:
        return self._splices.extent(step.result).base.moved(step.displacement)

    def wrote(self, span: Span, places: int = 1) -> None:
        """Has what was written, in ascending order, written out piece by piece.

        Args:
            places: in how many short pieces, each of which makes the disk write a page; 1: all of it.
        """
        if span.start < self._stop:
            self._start, self._size = span.start, 0
        self._stop = span.stop
        self._size += span.size if places == 1 else min(span.size, places * PAGE_BYTES)
        if self._size >= BEHIND_BYTES:
            self._target.begin_sync(Span(self._start, self._stop))
            self._start, self._size = self._stop, 0
