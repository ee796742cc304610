"""A content with some edits over it that are not made yet: what an edit would lead to, as a reader."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from insitu.core.protocols import Reader
from insitu.core.spans import Span

Edits = Sequence[tuple[Span, bytes]]


class Overlay:
    """Reads as if the edits were made.

    Args:
        edits: sorted, disjoint, in the coordinates of the reader.
    """

    def __init__(self, reader: Reader, edits: Edits) -> None:
        self._reader = reader
        # Parts in order: where each begins here, and the bytes or the offset in the reader it is made of.
        self._starts: list[int] = []
        self._parts: list[bytes | int] = []
        at = here = 0
        for span, data in edits:
            self._add(here, at)
            here += span.start - at
            self._add(here, data)
            here += len(data)
            at = span.stop
        self._add(here, at)
        self._size = here + reader.size - at

    def _add(self, here: int, part: bytes | int) -> None:
        self._starts.append(here)
        self._parts.append(part)

    @property
    def size(self) -> int:
        """In bytes."""
        return self._size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        found = []
        index = bisect_right(self._starts, offset) - 1
        while size:
            stop = self._starts[index + 1] if index + 1 < len(self._starts) else self._size
            count = min(size, stop - offset)
            if count > 0:
                part, at = self._parts[index], offset - self._starts[index]
                if isinstance(part, int):
                    found.append(self._reader.read(part + at, count))
                else:
                    found.append(part[at : at + count])
                offset, size = offset + count, size - count
            index += 1
        return b"".join(found)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fills a buffer."""
        buffer[:] = self.read(offset, len(buffer))


def hull(edits: Edits) -> tuple[Span, int]:
    """The span that holds all edits, and by how much they lengthen it."""
    growth = sum(len(data) - span.size for span, data in edits)
    return Span(edits[0][0].start, edits[-1][0].stop), growth
