"""Taking out the padding that edits put between blocks: long runs of blank lines become one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.replacements import Replacements, Uniform
from insitu.views.line_text import narrow_text
from insitu.views.markdown_outline import beginning
from insitu.views.markdown_scan import Scan
from insitu.views.streaming import Source

if TYPE_CHECKING:
    from insitu.formats.markdown_walk import Batch

# Line feeds from the end of a block to the next: three blank lines and more count as padding.
_RUN: Final = 4

# What stays of them: the line's own end, and a blank line.
_KEPT: Final = 2

_BACK_BYTES: Final = 4 << 10


@dataclass(frozen=True, slots=True)
class CompactMarkdown:
    """Runs of three or more empty lines between blocks become one: a mass edit.

    Only where that means nothing for certain: outside of fences and HTML, and before a line that is
    indented by less than two columns, so that it is in no list item and no indented code. Blank lines
    with white space in them, and such as end with CR, are left alone.
    """

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields what is taken out."""
        import numpy as np

        narrow_text(source.text)
        reader = source.reader
        _, begin = beginning(reader)
        scan = Scan(reader, source.text.name, begin, progress=progress, cancel=cancel)
        low = begin
        for stop, batch in scan.batches():
            spans = [(start, end) for start, end in _runs(reader, low, stop, begin, batch) if start < end]
            if spans:
                starts, stops = np.array(spans, np.int64).T
                yield Uniform(starts, stops, b"")
            low = stop
        if scan.unclosed is None:
            start = _run_start(reader, reader.size, begin)
            if reader.size - start >= _RUN:
                yield Uniform(np.array([start + 1], np.int64), np.array([reader.size], np.int64), b"")


def _runs(reader: Reader, low: int, stop: int, begin: int, batch: Batch) -> Iterator[tuple[int, int]]:
    """Yields what to take out of a window: before each line that ends a long run of line feeds."""
    import numpy as np

    first = max(begin, low - _RUN)
    data = np.frombuffer(reader.read(first, stop - first), np.uint8)
    at = batch.syncs - first
    at = at[at >= _RUN]
    long = np.ones(len(at), np.bool_)
    for back in range(1, _RUN + 1):
        long &= data[at - back] == 0x0A
    for offset in (at[long] + first).tolist():
        start = _run_start(reader, offset, begin)
        if start > begin:
            yield start + _KEPT, offset


def _run_start(reader: Reader, offset: int, begin: int) -> int:
    """Where the line feeds before an offset begin."""
    while offset > begin:
        size = min(_BACK_BYTES, offset - begin)
        data = reader.read(offset - size, size)
        kept = len(data.rstrip(b"\n"))
        if kept:
            return offset - size + kept
        offset -= size
    return offset
